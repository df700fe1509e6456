"""Random calls of the functions and operators of calls.txt, as GoogleSQL's texts."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).with_name("calls.txt")
WORDS = frozenset("XYxE")
"""The kinds of arguments that are words, which no column can hold."""
LITERALS = frozenset("hqQPRL")
"""The kinds that are mostly literals: formats, paths, patterns."""


def read() -> tuple[dict[str, list[str]], list[str]]:
    """The arguments by their kind, and the calls."""
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    kinds = {line[0]: line[3:].split(" ;; ") for line in lines if line[1:3] == ": "}
    return kinds, [line for line in lines if line[1:3] != ": "]


def queries(seed: int, times: int) -> Iterator[str]:
    """Queries of each call with random arguments, some of them in columns."""
    kinds, calls = read()
    chance = random.Random(seed)
    for call in calls:
        for _ in range(times):
            yield _query(call, kinds, chance)


def _query(call: str, kinds: dict[str, list[str]], chance: random.Random) -> str:
    columns: list[str] = []
    constant = chance.random() < 0.4

    def argument(match: re.Match[str]) -> str:
        kind = match[1]
        value = chance.choice(kinds[kind])
        if kind in WORDS or constant or (kind in LITERALS and chance.random() < 0.8):
            return f"({value})" if value.startswith("-") else value
        columns.append(f"{value} AS c{len(columns)}")
        return f"c{len(columns) - 1}"

    written = re.sub(r"\{(\w)\}", argument, call)
    return f"SELECT {written} AS x" + (f" FROM (SELECT {', '.join(columns)})" if columns else "")

"""Random calls of the functions and operators of calls.txt, as GoogleSQL's texts."""

import random
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

HOLE = re.compile(r"\{(\w)\}")
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


def with_nulls() -> Iterator[str]:
    """Queries of each call with the literal NULL for one of its arguments, and for all of them."""
    kinds, calls = read()
    for call in calls:
        holes = [number for number, kind in enumerate(HOLE.findall(call)) if kind not in WORDS]
        places = [*([hole] for hole in holes), holes] if holes else []
        yield from dict.fromkeys(_with_nulls(call, kinds, nulls) for nulls in places)


def _with_nulls(call: str, kinds: dict[str, list[str]], places: list[int]) -> str:
    number = count()

    def argument(match: re.Match[str]) -> str:
        values = kinds[match[1]]
        value = "NULL" if next(number) in places else values[min(1, len(values) - 1)]
        return f"({value})" if value.startswith("-") else value

    return f"SELECT {HOLE.sub(argument, call)} AS x"


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

    written = HOLE.sub(argument, call)
    return f"SELECT {written} AS x" + (f" FROM (SELECT {', '.join(columns)})" if columns else "")

"""What the options TABLE, --select and --exclude of a command select, with the names in files."""

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from warehouse_refresh.pipeline.project.selectors import SelectionError


def selection(options: Namespace, default: Iterable[str] = ()) -> list[str]:
    """The selectors that the options stand for; none for all tables. If the options name no tables, those of `default`
    take their place. Raises SelectionError."""
    wanted = [*options.tables, *options.select]
    return [*(_words(wanted) if wanted else default), *(f"not:{word}" for word in _words(options.exclude))]


def _words(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if text.startswith("@"):
            yield from _words_in(text.removeprefix("@"))
        elif text.split():
            yield from text.split()
        else:
            yield text  # `select` says that an empty text selects nothing


def _words_in(name: str) -> Iterator[str]:
    """The selectors in a file, separated by blanks and line ends; `#` begins a comment."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SelectionError(f"@{name} cannot be read: {reason}") from error
    words = [word for line in text.splitlines() for word in line.partition("#")[0].split()]
    if not words:
        raise SelectionError(f"@{name} selects nothing: name a table in each line")
    yield from words

"""Find the lines and columns of the keys and array items in a TOML document.

Python's TOML libraries do not report positions. So `tomllib` parses and validates the document first, and this module
then scans its text for the positions.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from warehouse_refresh.warehouse.errors import Place

Path = tuple[str | int, ...]
_TOKEN = re.compile(
    r"""
    (?P<comment>\#[^\n]*) | (?P<newline>\n) | (?P<space>[ \t\r]+)
    | (?P<string>\"{3}(?:\\.|[^\\])*?\"{3,5} | '{3}.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
    | (?P<mark>[\[\]{}=,.]) | (?P<word>[^\s\[\]{}=,."'\#]+)
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int


@lru_cache(maxsize=8)
def places_of(text: str) -> Mapping[Path, Place]:
    """The place of each key, under `(section, key)`, and of each array item, under `(section, key, index)` with the
    index from 0. `text` must be a valid TOML document."""
    return _Walker(text).walk()


def place_in(text: str, keys: Path) -> Place:
    """The place of a key or an array item, or else of what is around it; the first line for a text that has neither."""
    places = places_of(text)
    return next((places[keys[:end]] for end in range(len(keys), 0, -1) if keys[:end] in places), Place(1))


class _Walker:
    """Reads the tokens once, from left to right; `_tokens[_at]` is the next token."""

    def __init__(self, text: str) -> None:
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._tokens = [*_tokens(text), _Token("end", "", len(text))]
        self._at = 0
        self._places: dict[Path, Place] = {}

    def walk(self) -> dict[Path, Place]:
        section: Path = ()
        while (token := self._skip("newline")).kind != "end":
            if token.text == "[":
                section = self._header()
            else:
                self._pair(section)
        return self._places

    def _header(self) -> Path:
        self._skip_marks("[")
        section = self._key(())
        self._skip_marks("]")
        return section

    def _pair(self, section: Path) -> None:
        key = self._key(section)
        self._skip_marks("=")
        self._value(key)

    def _key(self, prefix: Path) -> Path:
        """A key, dotted or not: `a`, `"a"`, `a.b`; each of its parts gets a place."""
        while True:
            token = self._next()
            prefix = (*prefix, _unquoted(token))
            self._places.setdefault(prefix, self._place(token))
            if self._tokens[self._at].text != ".":
                return prefix
            self._next()

    def _value(self, key: Path) -> None:
        token = self._tokens[self._at]
        if token.text == "[":
            self._array(key)
        elif token.text == "{":
            self._inline_table(key)
        else:
            self._scalar()

    def _array(self, key: Path) -> None:
        self._next()
        index = 0
        while (token := self._skip("newline")).text != "]":
            if token.text == ",":
                self._next()
                continue
            self._places[(*key, index)] = self._place(token)
            self._value((*key, index))
            index += 1
        self._next()

    def _inline_table(self, key: Path) -> None:
        self._next()
        while (token := self._skip("newline")).text != "}":
            if token.text == ",":
                self._next()
            else:
                self._pair(key)
        self._next()

    def _scalar(self) -> None:
        """A string, a number, a date, a boolean: one token, or several words and dots."""
        self._next()
        while self._tokens[self._at].kind == "word" or self._tokens[self._at].text == ".":
            self._next()

    def _place(self, token: _Token) -> Place:
        line = bisect_right(self._line_starts, token.start)
        return Place(line, token.start - self._line_starts[line - 1] + 1, len(token.text))

    def _next(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _skip(self, kind: str) -> _Token:
        while self._tokens[self._at].kind == kind:
            self._at += 1
        return self._tokens[self._at]

    def _skip_marks(self, mark: str) -> None:
        while self._tokens[self._at].text == mark:
            self._at += 1


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind not in ("comment", "space"):
            yield _Token(kind, match.group(), match.start())


def _unquoted(token: _Token) -> str:
    return token.text[1:-1] if token.kind == "string" else token.text

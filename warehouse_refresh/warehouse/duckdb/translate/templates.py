"""Nodes of DuckDB's SQL that are written as templates, with holes for other nodes:

    sql("CASE WHEN {b} = 0 THEN error('division by zero') ELSE {a} / {b} END", a=Column("t", "x"), b=Literal(2))

- `{{` and `}}` stand for braces, as in `str.format`.
- A value that the template needs more than once is computed once, before, unless it is `cheap`. So is one in a lambda,
  or in the template's own TRY: an error in the value stays an error.
- `error(…)` becomes NULL within TRY and within `Attempt`, since DuckDB's TRY takes no `error(…)`. Anywhere else its
  message begins with the place of what is compiled at the moment: see `text`. What says `REFUSAL` stays an error even
  there: GoogleSQL's answer is not NULL, it is not known.

Names, strings and the like never become part of a template: they are nodes, and are quoted when they are written.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Case,
    Chain,
    Literal,
    Node,
    Variable,
    Writer,
    let_all,
    walk,
)
from warehouse_refresh.warehouse.duckdb.translate.text import (
    COMPILING,
    REFUSAL,
    Where,
    marked,
    marked_within_try,
    refusing,
)


@dataclass(frozen=True, slots=True)
class Template:
    """A text with holes, taken apart. A piece is text, or the number of a hole."""

    text: str
    holes: tuple[str, ...] = field(compare=False)
    pieces: tuple[str | int, ...] = field(compare=False)
    tried: tuple[str | int, ...] = field(compare=False)
    """The pieces with NULL for each `error(…)`, but for refusals."""
    shared: tuple[int, ...] = field(compare=False)
    """The holes whose values are computed before, unless they are cheap."""
    random: bool = field(compare=False)
    """Whether it is another value each time."""
    volatile: bool = field(compare=False)
    """Whether DuckDB takes it for another value each time: it does so for all that may fail by `error(…)`."""
    fails: bool = field(compare=False)
    """Whether it has an `error(…)` outside of its own TRY, or a refusal."""


@dataclass(frozen=True, slots=True)
class Filled(Node):
    """A template with a node for each hole. Call `sql` to create one."""

    template: Template
    arguments: tuple[Node, ...]
    where: Where | None = field(default=None, compare=False, repr=False)
    """The place in the script, of a template that may fail."""

    def write(self, out: Writer) -> None:
        arguments = self.arguments
        for hole in self.template.shared:
            if not arguments[hole].cheap:
                self._write_bound(out)
                return
        texts = out.texts
        pieces: Sequence[str | int] = self.template.tried if out.trying else self.template.pieces
        if self.where is not None:
            pieces = marked_within_try(pieces if out.trying else marked(pieces, self.where), self.where)
        for piece in pieces:
            if isinstance(piece, str):
                texts.append(piece)
            else:
                arguments[piece].write(out)

    def _write_bound(self, out: Writer) -> None:
        """With all that is not cheap computed before: DuckDB's lambdas hold no subqueries and no aggregates."""
        costly = [value for value in self.arguments if not value.cheap]
        variables = [Variable() for _ in costly]
        places = iter(variables)
        arguments = tuple([value if value.cheap else next(places) for value in self.arguments])
        out.bound(costly, variables, Filled(self.template, arguments, self.where))


def sql(text: str, /, **arguments: Node) -> Node:
    """The template with these nodes in its holes. A text of ours only: what a user wrote goes into holes."""
    template = taken_apart(text)
    where = COMPILING.where if template.fails else None
    return Filled(template, tuple([arguments[name] for name in template.holes]), where)


def unless_null(values: Sequence[Node], body: Callable[[list[Node]], Node]) -> Node:
    """`body` of the values, each computed once; NULL where one of them is NULL, whatever the others are."""

    def guarded(values: list[Node]) -> Node:
        tests = [sql("{x} IS NULL", x=value) for value in values if not _is_constant(value)]
        return Case(((Chain("OR", tuple(tests)), Literal(None)),), body(values)) if tests else body(values)

    return let_all(values, guarded)


def _is_constant(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is not None


def is_random(node: Node) -> bool:
    """Whether it is another value each time."""
    return any(isinstance(part, Filled) and part.template.random for part in walk(node))


def is_volatile(node: Node) -> bool:
    """Whether DuckDB takes a part of it for another value each time."""
    return any(isinstance(part, Filled) and part.template.volatile for part in walk(node))


def may_fail(text: str) -> bool:
    """Whether the template has an `error(…)` outside of its TRY."""
    return "error(" in text and "TRY(" not in text


_MARKS = re.compile(r"('(?:[^']|'')*'|\{\{|\}\}|\{\w+\}|\berror\(|\bTRY\(|\blambda\b|[()])")

_HOLE = re.compile(r"\{\w+\}")

_RANDOM = re.compile(r"\b(?:random|uuid)\(")


@lru_cache(4096)
def taken_apart(text: str) -> Template:
    """The template that the text is."""
    reader = _TemplateReader()
    for piece in _MARKS.split(text):
        reader.read(piece)
    return reader.template(text)


class _TemplateReader:
    """Reads a template from left to right."""

    SIGNS: ClassVar = {"{{": "{", "}}": "}"}

    def __init__(self) -> None:
        self.holes: dict[str, int] = {}
        self.shared: set[int] = set()
        self.pieces: list[str | int] = []
        self.tried: list[str | int] = []
        self.after_lambda = False
        self.open: list[str] = []

    def read(self, piece: str) -> None:
        if piece.startswith("'"):
            if REFUSAL in piece and self.open[-1:] == ["error("]:
                self._refuse(piece)
            self._add(piece.replace("{{", "{").replace("}}", "}"))
        elif _HOLE.fullmatch(piece):
            self._read_hole(piece[1:-1])
        elif piece in self.SIGNS:
            self._add(self.SIGNS[piece])
        elif "{" in piece or "}" in piece:
            raise ValueError(f"write {{{{ and }}}} for braces: {piece}")
        else:
            self._read_words(piece)

    def _read_words(self, piece: str) -> None:
        self.after_lambda = self.after_lambda or piece == "lambda"
        failed = "error(" in self.open
        if piece.endswith("("):
            self.open.append(piece)
        if piece == "error(" and not failed:
            self.tried.append("NULL")
        self._add(piece)
        if piece == ")":
            self.open.pop()

    def _refuse(self, message: str) -> None:
        """In place of the NULL that stands for the `error(…)` within TRY."""
        self.tried[-1] = refusing(message)
        if "TRY(" in self.open:
            self.pieces[-1] = refusing(message)

    def _read_hole(self, name: str) -> None:
        known = name in self.holes
        hole = self.holes.setdefault(name, len(self.holes))
        if known or self.after_lambda or "TRY(" in self.open:
            self.shared.add(hole)
        self._add(hole)

    def _add(self, piece: str | int) -> None:
        if piece == "":
            return
        if "error(" not in self.open:
            self.tried.append(piece)
        if "error(" not in self.open or "TRY(" not in self.open:
            self.pieces.append(piece)
        elif piece == "error(":
            self.pieces.append("NULL")

    def template(self, text: str) -> Template:
        random = _RANDOM.search(text) is not None
        volatile = random or "error(" in text
        pieces, tried = _joined(self.pieces), _joined(self.tried)
        fails = any(isinstance(piece, str) and ("error(" in piece or REFUSAL in piece) for piece in pieces)
        return Template(text, tuple(self.holes), pieces, tried, tuple(sorted(self.shared)), random, volatile, fails)


def _joined(pieces: list[str | int]) -> tuple[str | int, ...]:
    """The pieces with neighbouring texts put together."""
    found: list[str | int] = []
    for piece in pieces:
        last = found[-1] if found else 0
        if isinstance(piece, str) and isinstance(last, str):
            found[-1] = last + piece
        else:
            found.append(piece)
    return tuple(found)

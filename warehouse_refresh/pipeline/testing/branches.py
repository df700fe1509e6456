"""The branches of a query's CASE and IF, each with the query in which it fails: so a test shows that it reaches it.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conditional_expressions
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from sqlglot.dialects.bigquery import BigQuery
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.pipeline.testing.clock import rewritten
from warehouse_refresh.warehouse.builds.normal_form import normal_form
from warehouse_refresh.warehouse.errors import Place, place_at
from warehouse_refresh.warehouse.sql.query import Query

REACHED = "a test reaches this branch"
"""What the error of a branch says."""
_FAILS = f"ERROR('{REACHED}') IS NULL"
_MOST_SHOWN = 60
_BIGQUERY = BigQuery()
_OPENING = (TokenType.L_PAREN, TokenType.L_BRACKET)
_CLOSING = (TokenType.R_PAREN, TokenType.R_BRACKET)
_OF_CASE = (TokenType.WHEN, TokenType.THEN, TokenType.ELSE)

Edits = tuple[tuple[int, int, str], ...]
"""What to write in a text, from which character up to which."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch: where it stands, what it looks like, and the query that fails if a row reaches it."""

    place: Place
    text: str
    query: Query


@dataclass
class _Open:
    """An expression or a bracket that has begun: its first token, and the tokens between its parts."""

    first: Token
    kind: str
    parts: list[Token] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Part:
    """A branch of one expression: the normal form of that whole expression, where the branch begins and ends in
    the text, and what makes it fail."""

    whole: str
    start: int
    end: int
    edits: Edits


def branches(query: Query) -> list[Branch]:
    """The branches of all CASE and IF in the query, also those that a CASE without ELSE leaves out. The same expression
    written twice, as in SELECT and GROUP BY, counts once."""
    start = query.start_offset if query.preamble else 0
    head, tail = query.preamble[:start], query.text[start:]
    functions = {one.name: one for one in query.functions}
    same: dict[tuple[str, int], list[_Part]] = {}
    for parts in _expressions(tail):
        for number, part in enumerate(parts):
            same.setdefault((part.whole, number), []).append(part)
    return [
        Branch(
            place_at(query.text, start + parts[0].start, start + parts[0].end - 1),
            _shown(tail[parts[0].start : parts[0].end]),
            rewritten(query, head, _edited(tail, parts), functions),
        )
        for parts in same.values()
    ]


def _edited(text: str, parts: list[_Part]) -> str:
    for first, last, written in sorted((edit for part in parts for edit in part.edits), reverse=True):
        text = f"{text[:first]} {written} {text[last:]}"
    return text


def _shown(text: str) -> str:
    line = " ".join(text.split())
    if line.upper() == "END":
        return "END: a row for which no WHEN is true"
    return line if len(line) <= _MOST_SHOWN else f"{line[:_MOST_SHOWN]}…"


def _expressions(text: str) -> Iterator[list[_Part]]:
    """The branches of each CASE and IF of the text."""
    opened: list[_Open] = []
    before: Token | None = None
    for token in _BIGQUERY.tokenize(text):
        kind, inside = token.token_type, opened[-1].kind if opened else ""
        if before is not None and before.token_type == TokenType.DOT:
            pass  # a field may have any name
        elif kind == TokenType.CASE:
            opened.append(_Open(token, "CASE"))
        elif kind in _OPENING:
            opened.append(_Open(before, "IF") if before and _is_if(before, text) else _Open(token, "("))
        elif (kind in _OF_CASE and inside == "CASE") or (kind == TokenType.COMMA and inside == "IF"):
            opened[-1].parts.append(token)
        elif opened and (kind in _CLOSING or (kind == TokenType.END and inside == "CASE")):
            yield _parts(text, opened.pop(), token)
        before = token


def _is_if(token: Token, text: str) -> bool:
    return text[token.start : token.end + 1].upper() == "IF"


def _parts(text: str, one: _Open, last: Token) -> list[_Part]:
    whole = normal_form(text[one.first.start : last.end + 1])
    if one.kind == "IF" and len(one.parts) == 2:
        return list(_of_if(text, whole, one, last))
    if one.kind == "CASE" and one.parts:
        return list(_of_case(text, whole, one, last))
    return []


def _of_if(text: str, whole: str, one: _Open, last: Token) -> Iterator[_Part]:
    condition = text.index("(", one.first.end) + 1
    first, second = one.parts
    begins, ends = (condition, condition, "CASE WHEN ("), first.start
    yes = (ends, ends, f") THEN {_FAILS} END")
    no = (ends, ends, f") THEN TRUE ELSE {_FAILS} END")
    yield _Part(whole, one.first.start, second.start, (begins, yes))
    yield _Part(whole, second.end + 1, last.start, (begins, no))


def _of_case(text: str, whole: str, one: _Open, last: Token) -> Iterator[_Part]:
    """The branches of a CASE. `CASE a WHEN b` is written as `CASE WHEN a = b`, so that a condition can fail."""
    operand = text[one.first.end + 1 : one.parts[0].start]
    equals, closed = (f"({operand}) = (", ")") if operand.strip() else ("", "")
    tokens = [*one.parts, last]
    whens = [tokens[at : at + 3] for at, token in enumerate(tokens) if token.token_type == TokenType.WHEN]
    usual = {when.start: _around(when, then, equals, closed) for when, then, _ in whens}
    searched = ((one.first.end + 1, one.parts[0].start, ""),)
    for when, then, end in whens:
        fails = _around(when, then, f"CASE WHEN ({equals}", f"{closed}) THEN {_FAILS} END")
        yield _Part(whole, when.start, end.start, (*searched, *chain(*{**usual, when.start: fails}.values())))
    other = tokens[-2] if tokens[-2].token_type == TokenType.ELSE else last
    fails_at = (other.start, other.start, f"WHEN {_FAILS} THEN NULL")
    end_at = last.end + 1 if other is last else last.start
    yield _Part(whole, other.start, end_at, (*searched, *chain(*usual.values()), fails_at))


def _around(when: Token, then: Token, before: str, after: str) -> Edits:
    return (when.end + 1, when.end + 1, before), (then.start, then.start, after)

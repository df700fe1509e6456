"""The statements before a script's query: DECLARE, SET and CREATE TEMP FUNCTION.

https://cloud.google.com/bigquery/docs/reference/standard-sql/procedural-language
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.errors import Place, SqlError, UnsupportedSql, place_at
from warehouse_refresh.warehouse.sql.query import blanked
from warehouse_refresh.warehouse.sql.statements import is_sign, language_in, statements_of

_SELECT = "SELECT"
_VOLATILE = ("RAND", "GENERATE_UUID")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A variable that gets a value. `kind` is the type that DECLARE gives it, "" if it gives none and for SET. `value`
    is a query of the value alone, in its place in the script; "" for a DECLARE without DEFAULT."""

    name: str
    place: Place
    is_declared: bool
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class FunctionText:
    """A CREATE TEMP FUNCTION, in its place in the script. `language` is where it names another language than SQL."""

    text: str
    language: Place | None = None


def read_preamble(text: str) -> list[Assignment | FunctionText]:
    """The statements of a preamble, in their order. Raises SqlError."""
    return [found for tokens in statements_of(text) for found in _read(text, tokens)]


def split(tokens: Sequence[Token], brackets: Mapping[str, int] | None = None) -> Iterator[list[Token]]:
    """The parts between commas that stand in no bracket; `brackets` has more of them, and by how many each opens or
    closes."""
    part: list[Token] = []
    depth = 0
    opening = {"(": 1, "[": 1, ")": -1, "]": -1, **(brackets or {})}
    for token in tokens:
        depth += opening.get(token.text, 0) if token.token_type != TokenType.STRING else 0
        if depth == 0 and is_sign(token, ","):
            yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


def _read(text: str, tokens: Sequence[Token]) -> Iterator[Assignment | FunctionText]:
    word = tokens[0].text.upper()
    if word == "DECLARE":
        yield from _declared(text, tokens)
    elif word == "SET":
        yield from _set(text, tokens)
    else:
        yield _function(text, tokens)


def _function(text: str, tokens: Sequence[Token]) -> FunctionText:
    language = language_in(tokens)
    place = place_at(text, language.start, language.end) if language is not None else None
    return FunctionText(_alone(text, tokens), place)


def _declared(text: str, tokens: Sequence[Token]) -> Iterator[Assignment]:
    """`DECLARE a, b INT64 DEFAULT 1`."""
    at = next((i for i, token in enumerate(tokens) if token.text.upper() == "DEFAULT"), len(tokens))
    names, rest = tokens[1:2], 2
    while rest + 1 < at and tokens[rest].token_type == TokenType.COMMA:
        names = [*names, tokens[rest + 1]]
        rest += 2
    kind = text[tokens[rest].start : tokens[at - 1].end + 1] if rest < at else ""
    value = tokens[at + 1 :]
    if not names or not (kind or value):
        place = place_at(text, tokens[0].start, tokens[-1].end)
        raise SqlError("a variable needs a type or a DEFAULT", hint="write DECLARE name INT64", place=place)
    for name in names:
        query = _query(text, tokens[0], value) if value else ""
        yield Assignment(name.text, place_at(text, name.start, name.end), True, kind, query)


def _set(text: str, tokens: Sequence[Token]) -> Iterator[Assignment]:
    """`SET a = 1`, or `SET (a, b) = (1, 2)`."""
    at = next((i for i, token in enumerate(tokens) if token.token_type == TokenType.EQ), len(tokens))
    names = [token for token in tokens[1:at] if token.text not in ("(", ")", ",")]
    values = [tokens[at + 1 :]] if len(names) == 1 else list(split(tokens[at + 2 : -1]))
    place = place_at(text, tokens[0].start, tokens[-1].end)
    if not names or not values or not values[0]:
        raise SqlError("this SET assigns nothing", hint="write SET name = value", place=place)
    if len(values) == 1 < len(names):
        hint = "write one SET for each variable"
        raise UnsupportedSql("SET of several variables from a query is not supported", hint=hint, place=place)
    if len(values) != len(names):
        raise SqlError("SET has not as many values as variables", hint="give each variable one value", place=place)
    for name, value in zip(names, values, strict=True):
        yield Assignment(name.text, place_at(text, name.start, name.end), False, "", _query(text, tokens[0], value))


def _query(text: str, first: Token, value: Sequence[Token]) -> str:
    """The value as a query: SELECT stands where the statement begins, so that the value keeps its place. (One column
    later where nothing stands before the value: `SET a=b`.)

    Raises UnsupportedSql for a value that is another one each time: it is written out where the variable is used.
    """
    for token, after in pairwise(value):
        if token.text.upper() in _VOLATILE and after.token_type == TokenType.L_PAREN:
            place = place_at(text, token.start, token.end)
            hint = "compute it in a script of its own, and read that table"
            raise UnsupportedSql(f"{token.text.upper()} in a variable is not supported", hint=hint, place=place)
    alone = _alone(text, value)
    gap = "" if alone[first.start + len(_SELECT) : value[0].start] else " "
    return alone[: first.start] + _SELECT + gap + alone[first.start + len(_SELECT) :]


def _alone(text: str, tokens: Sequence[Token]) -> str:
    """The text with blanks in place of all but these tokens."""
    return blanked(blanked(text, tokens[-1].end + 1, len(text)), 0, tokens[0].start)

"""SQL functions that a project keeps as files: CREATE FUNCTION dataset.name(…) AS (…).

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#create_function_statement
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from warehouse_refresh.warehouse.errors import Place, SqlError, UnsupportedSql, place_at
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Function, Read, blanked, call_from_json

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

_CREATES_ONE = re.compile(
    r"(?:\s|--[^\n]*+|\#[^\n]*+|/\*.*?\*/|CREATE\s+SCHEMA\b[^;]*+;)*+CREATE\s+(?:OR\s+REPLACE\s+)?(?:AGGREGATE\s+|TABLE\s+)?FUNCTION\b",
    re.IGNORECASE | re.DOTALL,
)


def creates_function(text: str) -> bool:
    """Whether a script creates a function that stays. (CREATE TEMP FUNCTION stands before a query.)"""
    return bool(_CREATES_ONE.match(text))


def parse_function(text: str, default: str, cache: SqlCache | None = None) -> Function:
    """Read a text that creates one function, in the dataset `default` if it names none; what the `cache` knows is not
    parsed again. Raises SqlError, also for functions that are not supported."""
    key = f"{default}\n{text}"
    noted = cache.recall("function", key) if cache else None
    if noted is not None:
        return _from_json(noted)
    found = _read(text, default)
    if cache:
        cache.note("function", key, asdict(found))
    return found


def _from_json(noted: dict[str, Any]) -> Function:
    reads = tuple(Read(TableName(*one["table"]), Place(**one["place"]), one["project"]) for one in noted["names"])
    calls = tuple(
        call_from_json([one["name"], one["start"], one["end"], one["place"].values(), one["project"]])
        for one in noted["calls"]
    )
    return Function(
        TableName(*noted["name"]),
        noted["text"],
        noted["sql"],
        tuple(noted["head"]),
        tuple(noted["body"]),
        tuple(noted["arguments"]),
        reads,
        calls,
        Place(**noted["language"]) if noted["language"] else None,
    )


def _read(text: str, default: str) -> Function:
    from warehouse_refresh.warehouse.sql.statements import (
        check_template,
        language_in,
        statements_of,
        without_needless,
    )

    check_template(text)
    text, statements = without_needless(text, statements_of(text))
    if len(statements) > 1:
        first = statements[1][0]
        place = place_at(text, first.start, first.end)
        raise SqlError("the file creates more than a function", hint="give each function its own file", place=place)
    tokens = statements[0]
    words = [token.text.upper() for token in tokens[: tokens.index(_bracket(text, tokens))]]
    if kind := next((word for word in words if word in ("AGGREGATE", "TABLE")), ""):
        hint = "write it into the queries that would call it, or create it on BigQuery by hand"
        place = place_at(text, tokens[0].start, tokens[0].end)
        raise UnsupportedSql(f"CREATE {kind} FUNCTION in a script is not supported", hint=hint, place=place)
    name, head = _name(text, tokens, default)
    language = language_in(tokens)
    if language is not None:
        place = place_at(text, language.start, language.end)
        return Function(name, text, text, head, (0, 0), _arguments(text), language=place)
    return _with_body(Function(name, text, text, head, (0, 0)), tokens)


def _bracket(text: str, tokens: "Sequence[Token]") -> "Token":
    """The bracket before the arguments."""
    from warehouse_refresh.warehouse.sql.statements import is_sign

    found = next((token for token in tokens if is_sign(token, "(")), None)
    if found is None:
        place = place_at(text, tokens[-1].start, tokens[-1].end)
        raise SqlError("the function has no arguments", hint="write CREATE FUNCTION dataset.name() AS (…)", place=place)
    return found


def _name(text: str, tokens: "Sequence[Token]", default: str) -> tuple[TableName, tuple[int, int]]:
    """The function's name, and the characters before its arguments."""
    bracket = tokens.index(_bracket(text, tokens))
    first = next(number for number, token in enumerate(tokens) if token.text.upper() == "FUNCTION") + 1
    if [token.text.upper() for token in tokens[first : first + 3]] == ["IF", "NOT", "EXISTS"]:
        first += 3
    parts = "".join(token.text for token in tokens[first:bracket]).split(".")
    if not all(parts):
        place = place_at(text, tokens[first - 1].start, tokens[first - 1].end)
        raise SqlError("a name is missing after this", hint="write CREATE FUNCTION dataset.name(…)", place=place)
    return TableName(*[default, *parts][-2:]), (tokens[0].start, tokens[bracket - 1].end + 1)


def _with_body(function: Function, tokens: "Sequence[Token]") -> Function:
    """The function with what its body reads and calls. Raises SqlError."""
    from warehouse_refresh.warehouse.sql.calls import calls_in
    from warehouse_refresh.warehouse.sql.parser import reads_in_function

    text = function.text
    start, end = _body(text, tokens)
    sql = blanked(text, end + 1, len(text))
    for first, last in _options(tokens):
        sql = blanked(sql, first, last)
    alone = blanked(blanked(text, end, len(text)), 0, start)
    names = reads_in_function(sql)
    return replace(function, sql=sql, body=(start, end), arguments=_arguments(sql), names=names, calls=calls_in(alone))


def _body(text: str, tokens: "Sequence[Token]") -> tuple[int, int]:
    """The characters within the brackets after AS."""
    from warehouse_refresh.warehouse.sql.statements import is_sign

    depth, opened = 0, -1
    for before, token in pairwise(tokens):
        if is_sign(token, "("):
            opened = token.end + 1 if depth == 0 and before.text.upper() == "AS" else opened
            depth += 1
        elif is_sign(token, ")"):
            depth -= 1
            if depth == 0 and opened >= 0:
                return opened, token.start
    place = place_at(text, tokens[-1].start, tokens[-1].end)
    raise SqlError("the function has no body", hint="write CREATE FUNCTION dataset.name(…) AS (…)", place=place)


def _options(tokens: "Sequence[Token]") -> Iterator[tuple[int, int]]:
    """The characters of each OPTIONS (…). BigQuery takes them before the body, too."""
    from warehouse_refresh.warehouse.sql.statements import is_sign

    depth, first = 0, -1
    for token, after in pairwise([*tokens, tokens[-1]]):
        if depth == 0 and token.text.upper() == "OPTIONS" and is_sign(after, "("):
            first = token.start
        depth += is_sign(token, "(") - is_sign(token, ")")
        if depth == 0 and first >= 0 and is_sign(token, ")"):
            yield first, token.end + 1
            first = -1


def _arguments(sql: str) -> tuple[str, ...]:
    from warehouse_refresh.warehouse.sql.parser import argument_types

    return argument_types(sql)

"""Literals and CAST.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#literals
"""

import re

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.casts import cast_value
from warehouse.duckdb.translate.expressions import handles, only
from warehouse.duckdb.translate.literals import TEXT_READERS, numeric_sql
from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.text import bytes_sql, string_sql
from warehouse.duckdb.translate.typed import BOOL, FLOAT64, INT64, NUMERIC, STRING, Typed
from warehouse.sql.type_syntax import type_of
from warehouse.types import SqlType


@handles(exp.Null)
def null(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """NULL"""
    return Typed("NULL::BIGINT", INT64, t.NULL)


@handles(exp.Boolean)
def boolean_literal(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """TRUE, FALSE"""
    return Typed("true" if node.this else "false", BOOL)


@handles(exp.Literal)
def literal(node: exp.Expr, scope: Scope) -> Typed:
    """Numbers and strings."""
    text = str(node.this)
    if node.args.get("is_string"):
        return Typed(string_sql(text), STRING, text)
    if text.isdigit():
        return integer(int(text), node, scope)
    try:
        value = float(text)
    except ValueError:  # sqlglot takes 1e5+1 for one number
        unsupported(scope.script.text, node, f"number {text}", "write blanks around the operator")
    if value == float("inf"):
        wrong(scope.script.text, node, f"invalid floating point literal {text}")
    return Typed(f"{value!r}::DOUBLE", FLOAT64, value)


def integer(value: int, node: exp.Expr, scope: Scope) -> Typed:
    """An INT64 literal."""
    if not -(2**63) <= value < 2**63:
        wrong(scope.script.text, node, f"invalid integer literal {value}")
    return Typed(f"{value}::BIGINT" if value >= 0 else f"'{value}'::BIGINT", INT64, value)


@handles(exp.HexString)
def hexadecimal(node: exp.Expr, scope: Scope) -> Typed:
    """0x1F"""
    return integer(int(str(node.this), 16), node, scope)


@handles(exp.RawString)
def raw_string(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """r'…'"""
    return Typed(string_sql(str(node.this)), STRING, str(node.this))


_BYTES = re.compile(r"""[bB]('''|\"\"\"|'|")(.*)\1\Z""", re.DOTALL)

_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|([0-7]{3})|(.))", re.DOTALL)

_CHARACTERS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)) | {char: char for char in "\\?\"'`"}


@handles(exp.ByteString)
def byte_string(node: exp.Expr, scope: Scope) -> Typed:
    """b'…', read from the text itself: sqlglot has made one of \\xff and ÿ."""
    written = scope.script.text[int(node.meta["start"]) : int(node.meta["end"]) + 1] if "start" in node.meta else ""
    matched = _BYTES.match(written)
    if matched is None:
        unsupported(scope.script.text, node, f"bytes literal {written}")
    data, position = b"", 0
    for escape in _ESCAPE.finditer(matched[2]):
        data += matched[2][position : escape.start()].encode()
        position = escape.end()
        code = int(escape[1], 16) if escape[1] else int(escape[2], 8) if escape[2] else None
        if code is None and escape[3] not in _CHARACTERS:
            wrong(scope.script.text, node, f"illegal escape sequence {escape[0]}")
        data += bytes([code % 256]) if code is not None else _CHARACTERS[escape[3]].encode()
    return Typed(bytes_sql(data + matched[2][position:].encode()), t.BYTES)


@handles(exp.Cast, exp.TryCast)
def cast(node: exp.Expr, scope: Scope) -> Typed:
    """CAST(x AS type), SAFE_CAST(x AS type), and typed literals such as DATE '2024-01-31'"""
    only(node, scope, "this", "to", "safe", "_type")
    try:
        to = type_of(node.args["to"])
    except ValueError as error:
        wrong(scope.script.text, node, str(error))
    value = scope.compile(node.this)
    safe = isinstance(node, exp.TryCast)
    if isinstance(value.literal, str) and value.type == STRING and not to.parameters and to.name in TEXT_READERS:
        return text_literal(node, scope, value.literal, to, safe=safe)
    if isinstance(value.literal, str) and value.type == STRING and to == NUMERIC:
        return numeric_literal(node, scope, value.literal, safe=safe)
    for kind in (to, value.type):
        if kind.name in ("BIGNUMERIC", "GEOGRAPHY"):
            unsupported(scope.script.text, node, kind.name)
    done = cast_value(value, to, safe=safe)
    if done is not None:
        return Typed(done.sql, done.type)
    if {to.name, value.type.name} == {"INTERVAL", "STRING"}:
        unsupported(scope.script.text, node, f"CAST from {value.type} to {to}")
    reason = f"invalid cast from {value.type} to {to}"
    return wrong(scope.script.text, node, reason, "convert it with a function")


def numeric_literal(node: exp.Expr, scope: Scope, text: str, *, safe: bool) -> Typed:
    """A NUMERIC that stands in the text."""
    if _is_typed(node, scope) and len(text.strip().partition(".")[2].partition("e")[0]) > 9:
        wrong(scope.script.text, node, f"invalid NUMERIC literal {text!r}: more than nine digits after the point")
    found = numeric_sql(text)
    if found is None and not safe:
        wrong(scope.script.text, node, f"invalid NUMERIC {text!r}")
    return Typed(found or "NULL::DECIMAL(38,9)", NUMERIC)


def _is_typed(node: exp.Expr, scope: Scope) -> bool:
    """NUMERIC '1' and not CAST('1' AS NUMERIC), which sqlglot reads alike."""
    start = int(node.this.meta.get("start", 0))
    return scope.script.text[:start].rstrip().upper().endswith(("NUMERIC", "DECIMAL"))


def text_literal(node: exp.Expr, scope: Scope, text: str, to: SqlType, *, safe: bool) -> Typed:
    """A date or time that stands in the text: read now, since a mistake in it can be told now."""
    found = TEXT_READERS[to.name](text)
    if found is None and not safe:
        wrong(scope.script.text, node, f"{text!r} is not a {to}")
    return Typed(found or f"NULL::{t.duckdb_type(to)}", to)

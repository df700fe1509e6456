"""Literals.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#literals
"""

import re

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate import literals
from warehouse_refresh.warehouse.duckdb.translate.nodes import Literal
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.literals import CONSTANT, FloatLiteral
from warehouse_refresh.warehouse.types import BOOL, BYTES, INT64


def null(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """NULL"""
    return literals.null(INT64)


def boolean(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """TRUE, FALSE"""
    return Typed(Literal(bool(node.this)), BOOL, CONSTANT)


def literal(node: exp.Expr, scope: Scope) -> Typed:
    """Numbers and strings."""
    text = str(node.this)
    if node.args.get("is_string"):
        return literals.string(text)
    if text.isdigit():
        return integer_literal(int(text), node, scope)
    try:
        value = FloatLiteral(text)
    except ValueError:  # sqlglot takes 1e5+1 for one number
        unsupported(scope.script.text, node, f"the number {text}", "write blanks around the operator")
    return literals.floating(value)


def integer_literal(value: int, node: exp.Expr, scope: Scope) -> Typed:
    """An INT64 literal. Raises SqlError if it is out of range."""
    if not -(2**63) <= value < 2**63:
        wrong(scope.script.text, node, f"invalid integer literal {value}")
    return literals.integer(value)


def hexadecimal(node: exp.Expr, scope: Scope) -> Typed:
    """0x1F"""
    return integer_literal(int(str(node.this), 16), node, scope)


def raw_string(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """r'…'"""
    return literals.string(str(node.this))


def adjacent(node: exp.Expr, scope: Scope) -> Typed:
    """'a' 'b': literals that stand beside each other are one.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#string_and_bytes_literals"""
    values = [scope.compile(part).literal for part in node.expressions]
    if not all(isinstance(value, str) for value in values):
        unsupported(scope.script.text, node, "BYTES literals that stand beside each other", "write ||")
    return literals.string("".join(map(str, values)))


_BYTES = re.compile(
    r"""(?:[bB]|(?P<raw>[rR][bB]|[bB][rR]))(?P<quote>'''|\"\"\"|'|")(?P<body>.*)(?P=quote)\Z""", re.DOTALL
)

_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|([0-7]{3})|(.))", re.DOTALL)

_CHARACTERS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)) | {char: char for char in "\\?\"'`"}


def byte_string(node: exp.Expr, scope: Scope) -> Typed:
    """b'…' or rb'…', read from the text itself: sqlglot has made one of \\xff and ÿ."""
    written = scope.script.text[int(node.meta["start"]) : int(node.meta["end"]) + 1] if "start" in node.meta else ""
    matched = _BYTES.match(written)
    if matched is None:
        unsupported(scope.script.text, node, f"the bytes literal {written}")
    body = matched["body"]
    if matched["raw"]:
        return Typed(Literal(body.encode()), BYTES, CONSTANT)
    data, position = b"", 0
    for escape in _ESCAPE.finditer(body):
        data += body[position : escape.start()].encode()
        position = escape.end()
        code = int(escape[1], 16) if escape[1] else int(escape[2], 8) if escape[2] else None
        if code is None and escape[3] not in _CHARACTERS:
            wrong(scope.script.text, node, f"illegal escape sequence {escape[0]}")
        data += bytes([code % 256]) if code is not None else _CHARACTERS[escape[3]].encode()
    return Typed(Literal(data + body[position:].encode()), BYTES, CONSTANT)

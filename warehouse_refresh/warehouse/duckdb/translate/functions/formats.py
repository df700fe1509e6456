"""FORMAT: each specifier as a DuckDB expression, put together when the query is translated.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements
"""

import re

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import STRING_OF_FLOAT64, to_string
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type
from warehouse_refresh.warehouse.duckdb.translate.expressions.intervals import STRING_OF_INTERVAL
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import MOST_BYTES, Functions, argument
from warehouse_refresh.warehouse.duckdb.translate.nodes import Chain, Literal, Node
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import BOOL, FLOAT64, INT64, INTERVAL, NUMERIC, STRING

SPECIFIER = re.compile(r"%([-+ 0#']*)(\d*)(?:\.(\d+))?([a-zA-Z%])")


def formatted(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """FORMAT(format, x, …) with %d, %s, %t, %f and their like; anything else is refused."""
    values = [argument(part, scope) for part in parts]
    if not values or not isinstance(values[0].literal, str):
        unsupported(scope.script.text, node, "FORMAT with a format that is not a literal")
    pieces = _taken_apart(node, scope, values[0].literal)
    specifiers = [piece for piece in pieces if isinstance(piece, re.Match)]
    if any(int(piece[place] or 0) > MOST_BYTES for piece in specifiers for place in (2, 3)):
        wrong(scope.script.text, node, f"FORMAT takes a width up to {MOST_BYTES}")
    if len(specifiers) != len(values) - 1:
        wrong(scope.script.text, node, f"FORMAT has {len(specifiers)} specifiers and {len(values) - 1} values")
    arguments = iter(values[1:])
    texts = [
        _piece(node, scope, piece, next(arguments)) if isinstance(piece, re.Match) else Literal(piece)
        for piece in pieces
    ]
    return Typed(Chain("||", tuple(texts)) if texts else Literal(""), STRING)


def _taken_apart(node: exp.Expr, scope: Scope, text: str) -> list[str | re.Match[str]]:
    """The format's plain texts and specifiers, in order."""
    pieces: list[str | re.Match[str]] = []
    position = 0
    for match in SPECIFIER.finditer(text):
        pieces += [text[position : match.start()], match if match[4] != "%" else "%"]
        position = match.end()
    pieces.append(text[position:])
    odd = next((piece for piece in pieces if isinstance(piece, str) and "%" in piece and piece != "%"), None)
    if odd is not None:
        unsupported(scope.script.text, node, f"FORMAT specifier in {odd!r}")
    return [piece for piece in pieces if piece]


def _piece(node: exp.Expr, scope: Scope, match: re.Match[str], value: Typed) -> Node:
    flags, width, precision, letter = match[1], match[2], match[3], match[4]
    if letter in "di":
        return _integer(node, scope, match, as_type(node, scope, f"FORMAT {match[0]}", value, INT64).node)
    if letter in "xXo" and not flags.strip("-0") and precision is None:
        number = as_type(node, scope, f"FORMAT {match[0]}", value, INT64).node
        template = "(CASE WHEN {x} < 0 THEN error('FORMAT') ELSE printf({f}, {x}) END)"
        return sql(template, x=number, f=Literal(f"%{flags}{width}{letter}"))
    if letter in "feEgG" and not set(flags) - set("-+ 0"):
        return _float(node, scope, match, value)
    if letter == "s":
        if value.is_null:
            wrong(scope.script.text, node, "FORMAT %s does not take NULL")
        text = as_type(node, scope, "FORMAT %s", value, STRING).node
        cut = sql(f"substring({{x}}, 1, {precision})", x=text) if precision else text
        return _padded(node, scope, flags, width, cut)
    if letter in "tT" and precision is None:
        found = printed(value) if letter == "t" else literal_of(value)
        if found is None:
            unsupported(scope.script.text, node, f"FORMAT {match[0]} of {value.type}")
        return _padded(node, scope, flags, width, sql("coalesce({x}, 'NULL')", x=found))
    return unsupported(scope.script.text, node, f"FORMAT {match[0]}")


def _integer(node: exp.Expr, scope: Scope, match: re.Match[str], number: Node) -> Node:
    flags, width = match[1], match[2]
    if match[3] is not None or "#" in flags:
        unsupported(scope.script.text, node, f"FORMAT {match[0]}")
    if "'" in flags:
        if set(flags) - {"'"}:
            unsupported(scope.script.text, node, f"FORMAT {match[0]}")
        return _padded(node, scope, "", width, sql("format('{{:,}}', {x})", x=number))
    return sql("printf({f}, {x})", f=Literal(f"%{flags}{width}d"), x=number)


def _float(node: exp.Expr, scope: Scope, match: re.Match[str], value: Typed) -> Node:
    if value.type == NUMERIC:
        digits = int(match[3]) if match[3] is not None else 6
        if match[4] != "f" or match[1] or digits > 9:
            unsupported(scope.script.text, node, f"FORMAT {match[0]} of NUMERIC")
        text = sql(f"CAST(CAST(round({{x}}, {digits}) AS DECIMAL(38,{digits})) AS VARCHAR)", x=value.node)
        return _padded(node, scope, "", match[2], text)
    number = as_type(node, scope, f"FORMAT {match[0]}", value, FLOAT64).node
    return sql("printf({f}, {x})", f=Literal(match[0]), x=number)


def _padded(node: exp.Expr, scope: Scope, flags: str, width: str, text: Node) -> Node:
    if set(flags) - {"-"}:
        unsupported(scope.script.text, node, f"FORMAT flags {flags!r} here")
    if not width:
        return text
    word = "rpad" if "-" in flags else "lpad"
    return sql(f"{word}({{x}}, greatest(length({{x}}), {width})::INTEGER, ' ')", x=text)


FLOAT_TEXT = "regexp_replace(" + STRING_OF_FLOAT64 + ", '^(-?[0-9]+)$', '\\1.0')"
"""A FLOAT64's text, with a point also where it is whole."""


def printed(value: Typed) -> Node | None:
    """%t: a value as people read it."""
    if value.type == FLOAT64:
        return sql(FLOAT_TEXT, x=value.node)
    if value.type.name in ("JSON", "STRUCT", "BYTES") or value.type.element is not None:
        return None
    text = to_string(value)
    return text.node if text is not None else None


def literal_of(value: Typed) -> Node | None:
    """%T: a value as SQL."""
    if value.type.name in ("DATE", "DATETIME", "TIMESTAMP", "TIME", "NUMERIC"):
        text = to_string(value)
        return sql(f"('{value.type} \"' || {{x}} || '\"')", x=text.node) if text is not None else None
    if value.type == INTERVAL:
        return sql(f"('INTERVAL \"' || {STRING_OF_INTERVAL} || '\" YEAR TO SECOND')", x=value.node)
    return printed(value) if value.type in (INT64, BOOL) else None


FUNCTIONS: Functions = {"FORMAT": formatted}

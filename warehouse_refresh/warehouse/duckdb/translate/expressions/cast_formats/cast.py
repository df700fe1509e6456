"""CAST(x AS type FORMAT format [AT TIME ZONE zone]), which `warehouse.sql.rewriting.tokens` writes as a call.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_functions#cast
https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements
"""

from collections.abc import Callable

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.cast_formats import binary, dates, numbers
from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import cast_value
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, fails
from warehouse_refresh.warehouse.duckdb.translate.expressions.chosen_formats import choice_of_calls, constant_text
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parts import INSTANTS, zone_of
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions
from warehouse_refresh.warehouse.duckdb.translate.literals import is_null, no_value
from warehouse_refresh.warehouse.duckdb.translate.nodes import Attempt, Literal, Node, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import UTC
from warehouse_refresh.warehouse.sql.coercion import NUMBERS, plain
from warehouse_refresh.warehouse.sql.type_syntax import type_of
from warehouse_refresh.warehouse.types import STRING, TIMESTAMP, SqlType

Converter = Callable[[str, SqlType, Node, Node], Node]
"""Converts with a format: the format, the type that is not STRING, the value, the time zone. Raises ValueError for a
format that GoogleSQL does not take."""


def cast_format(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """CAST or SAFE_CAST of a value, a format and perhaps a time zone."""
    choice = choice_of_calls(node, parts, 1)
    return scope.compile(choice) if choice is not None else _with_one_format(node, scope, parts)


def _with_one_format(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    cast = parts[0]
    if len(parts) < 2:
        wrong(scope.script.text, node, "FORMAT needs a format", "write FORMAT 'YYYY-MM-DD'")
    try:
        to = type_of(cast.args["to"])
    except ValueError as error:
        wrong(scope.script.text, node, str(error))
    value, text = scope.compile(cast.this), as_type(node, scope, "FORMAT", scope.compile(parts[1]), STRING)
    if value.is_null and plain(to) == STRING and len(parts) < 3:
        return no_value(STRING)
    converter = _converter(node, scope, value.type, plain(to), has_zone=len(parts) == 3)
    zone = zone_of(node, scope, "AT TIME ZONE", scope.compile(parts[2])) if len(parts) == 3 else UTC
    if is_null(text.node) or (is_null(value.node) and isinstance(zone, Literal)):  # no zone is an error all the same
        return no_value(plain(to))
    written = constant_text(parts[1], text, scope)
    if written is None:
        unsupported(scope.script.text, node, "CAST with a FORMAT that is not a literal")
    other = plain(to) if value.type == STRING else value.type
    is_safe = isinstance(cast, exp.TryCast)

    def converted(given: Node) -> Node:
        return _attempted(let(zone, lambda z: converter(written, other, given, z)), safe=is_safe)

    try:
        found = let(value.node, converted)
    except ValueError as error:
        return no_value(plain(to)) if is_safe else fails(plain(to), str(error), value.node, zone)
    return cast_value(Typed(found, plain(to)), to) or Typed(found, to)


def _attempted(node: Node, *, safe: bool) -> Node:
    return Attempt(node) if safe else node


def _converter(node: exp.Expr, scope: Scope, kind: SqlType, to: SqlType, *, has_zone: bool) -> Converter:
    """What converts between the types. Raises SqlError where a cast takes no format, or no time zone."""
    if has_zone and TIMESTAMP not in (kind, to):
        wrong(scope.script.text, node, f"AT TIME ZONE is not allowed in a cast from {kind} to {to}")
    if (kind.name, to) == ("BIGNUMERIC", STRING):
        unsupported(scope.script.text, node, "CAST(BIGNUMERIC AS STRING FORMAT …)", "use FORMAT('%.2f', x)")
    found = _CONVERTERS.get((kind.name, to.name))
    if found is None:
        wrong(scope.script.text, node, f"FORMAT is not allowed in a cast from {kind} to {to}")
    return found


_CONVERTERS: dict[tuple[str, str], Converter] = {
    ("BYTES", "STRING"): binary.to_text,
    ("STRING", "BYTES"): binary.from_text,
    **{(kind, "STRING"): dates.to_text for kind in INSTANTS},
    **{(kind, "STRING"): numbers.to_text for kind in NUMBERS if kind != "BIGNUMERIC"},
    **{("STRING", kind): dates.from_text for kind in INSTANTS},
}

FUNCTIONS: Functions = {"CAST$": cast_format}

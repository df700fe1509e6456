"""CAST, SAFE_CAST and typed literals.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_functions#cast
"""

from decimal import Decimal

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import cast_value
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature, only
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.ranges import range_type, to_range
from warehouse_refresh.warehouse.duckdb.translate.literals import constant, null
from warehouse_refresh.warehouse.duckdb.translate.queries.storing import has_limits
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import tokens_before, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, array_value, struct_value
from warehouse_refresh.warehouse.sql.coercion import keeps_arrays
from warehouse_refresh.warehouse.sql.literals import (
    READERS,
    BigNumeric,
    Constant,
    read_bignumeric,
    read_numeric,
    text_of_units,
)
from warehouse_refresh.warehouse.sql.type_syntax import type_of
from warehouse_refresh.warehouse.types import BIGNUMERIC, NUMERIC, STRING, SqlType


def cast(node: exp.Expr, scope: Scope) -> Typed:
    """CAST(x AS type), SAFE_CAST(x AS type), and typed literals such as DATE '2024-01-31'"""
    only(node, scope, "this", "to", "safe", "_type")
    if (ranges := range_type(node.args["to"])) is not None:
        return to_range(node, scope, scope.compile(node.this), ranges)
    return _cast(node, scope, _type_in(node, scope))


def _cast(node: exp.Expr, scope: Scope, to: SqlType) -> Typed:
    if to.element is not None and to.element.element is not None:
        wrong(scope.script.text, node, "an array cannot hold arrays", "put each in a STRUCT")
    if _is_constructor(node):
        return _constructed(node, scope, to)
    value = scope.compile(node.this)
    safe = isinstance(node, exp.TryCast)
    if isinstance(value.literal, str) and value.type == STRING and to in _READERS:
        found = _READERS[to](node, scope, value.literal, to)
        if found is not None or safe:
            return Typed(constant(found) if found is not None else null(to).node, to)
    for kind in (to, value.type):
        if kind.name == "GEOGRAPHY":
            unsupported(scope.script.text, node, kind.name)
    done = cast_value(value, to, safe=safe)
    if done is not None:
        return Typed(done.node, done.type)
    reason = f"invalid cast from {value.type} to {to}"
    return wrong(scope.script.text, node, reason, "convert it with a function")


def _type_in(node: exp.Expr, scope: Scope) -> SqlType:
    """The type to cast to. Raises SqlError, UnsupportedSql."""
    try:
        return type_of(node.args["to"])
    except ValueError as error:
        if "RANGE<" in str(error):
            unsupported(scope.script.text, node, "the type RANGE", "keep the start and the end in columns of their own")
        wrong(scope.script.text, node, str(error))


def _numeric_literal(node: exp.Expr, scope: Scope, text: str, to: SqlType) -> Constant | None:
    """A NUMERIC that stands in the text."""
    found = read_numeric(text)
    if found is None and _is_typed(node, scope):
        wrong(scope.script.text, node, f"invalid {to} {text!r}")
    if found is not None and _is_typed(node, scope) and found != Decimal(text.strip()):
        wrong(scope.script.text, node, f"invalid NUMERIC literal {text!r}: more than nine digits after the point")
    return found


def _bignumeric_literal(node: exp.Expr, scope: Scope, text: str, to: SqlType) -> Constant | None:
    """A BIGNUMERIC that stands in the text."""
    found = read_bignumeric(text)
    if found is None and _is_typed(node, scope):
        wrong(scope.script.text, node, f"invalid {to} {text!r}")
    if found is not None and _is_typed(node, scope) and Decimal(text_of_units(found)) != Decimal(text.strip()):
        wrong(scope.script.text, node, f"invalid BIGNUMERIC literal {text!r}: more than 38 digits after the point")
    return BigNumeric(found) if found is not None else None


def _is_typed(node: exp.Expr, scope: Scope) -> bool:
    """NUMERIC '1' and not CAST('1' AS NUMERIC), which sqlglot reads alike: a mistake in the second is an error only for
    the rows for which it is computed."""
    before = tokens_before(scope.script.text, node.this)
    return bool(before) and before[-1].text.upper() in _TYPED


_TYPED = {"NUMERIC", "DECIMAL", "BIGNUMERIC", "BIGDECIMAL", *READERS}


def _is_constructor(node: exp.Expr) -> bool:
    """ARRAY<INT64>[1] and not CAST([1] AS ARRAY<INT64>), which sqlglot reads alike, but for the FORMAT that it looks
    for: the elements only coerce."""
    return isinstance(node.this, exp.Array | exp.Tuple | exp.Struct) and "format" not in node.args


def _constructed(node: exp.Expr, scope: Scope, to: SqlType) -> Typed:
    """ARRAY<INT64>[1, 2], STRUCT<a INT64>(1)"""
    if has_limits(to):
        reason = "a type with a length or a precision cannot make a value"
        wrong(scope.script.text, node, reason, "write the type without it, or CAST")
    parts = [scope.compile(part) for part in node.this.expressions]
    kinds = [to.element] * len(parts) if to.element is not None else [field.type for field in to.fields]
    if len(parts) != len(kinds):
        wrong(scope.script.text, node, f"{to} takes {len(kinds)} values, not {len(parts)}")
    found = [as_type(node, scope, str(to), part, kind) for part, kind in zip(parts, kinds, strict=True)]
    if not all(keeps_arrays(part, kind) for part, kind in zip(parts, kinds, strict=True) if part.type.fields):
        return no_signature(node, scope, str(to), parts)
    made = array_value(found, to) if to.element is not None else struct_value(found, to)
    return Typed(made.node, to)  # of a value that has its type written out no part coerces any further


def _date_literal(node: exp.Expr, scope: Scope, text: str, to: SqlType) -> Constant | None:
    """A date or time that stands in the text."""
    found = READERS[to.name](text)
    if found is None and _is_typed(node, scope):
        wrong(scope.script.text, node, f"{text!r} is not a {to}")
    return found


_READERS = {
    NUMERIC: _numeric_literal,
    BIGNUMERIC: _bignumeric_literal,
    **{SqlType(name): _date_literal for name in READERS},
}
"""What reads a text that is cast, by the type: None where it holds no such value. Raises SqlError for a literal."""

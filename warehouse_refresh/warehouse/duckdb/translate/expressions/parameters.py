"""Query parameters, `@name`: their values are written out as constants of their types.

https://cloud.google.com/bigquery/docs/parameterized-queries
"""

from datetime import UTC
from typing import Any

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.literals import constant, integer, string
from warehouse_refresh.warehouse.duckdb.translate.nodes import Array, Literal, Node
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, array_value
from warehouse_refresh.warehouse.duckdb.types import duckdb_type, units_of
from warehouse_refresh.warehouse.errors import OnlyBigQuery, Place, place_at
from warehouse_refresh.warehouse.sql.coercion import plain
from warehouse_refresh.warehouse.sql.literals import Moment, Text, Whole
from warehouse_refresh.warehouse.sql.query import Variable
from warehouse_refresh.warehouse.types import INT64, STRING, SqlType


def parameter(node: exp.Expr, scope: Scope) -> Typed:
    """@name"""
    name = node.name
    if isinstance(node.this, exp.Parameter):
        raise OnlyBigQuery(
            f"only BigQuery has the system variable @@{node.this.name}",
            hint="write its value, or read a variable of the project: @name",
            place=_place(scope, f"@@{node.this.name}"),
        )
    if node.find_ancestor(exp.Pivot):
        unsupported(scope.script.text, node, f"variable in PIVOT or UNPIVOT (@{name})", "write the value out")
    found = scope.script.parameters.get(name.casefold())
    if found is None:
        wrong(scope.script.text, node, f"there is no value for @{name}")
    return found


def placeholder(node: exp.Expr, scope: Scope) -> Typed:
    """?"""
    return wrong(scope.script.text, node, "a parameter needs a name", "write @name instead of ?")


def _place(scope: Scope, written: str) -> Place | None:
    """Where the text first has it: sqlglot marks no parameter."""
    start = scope.script.text.find(written)
    return place_at(scope.script.text, start, start + len(written) - 1) if start >= 0 else None


def given(variable: Variable) -> Typed:
    """The value of a parameter. A STRING coerces to dates and times as a literal does, and numbers coerce no further
    than columns: https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules#coercion

    Raises UnsupportedSql for a type that DuckDB does not hold."""
    kind = plain(variable.type)
    if kind == STRING:
        return string(Text(variable.value))
    if kind == INT64:
        return integer(Whole(variable.value))
    if kind.element == INT64:  # coerces to arrays of other numbers, as one that is written out
        return array_value(map(integer, variable.value), kind)
    return Typed(_node(variable.value, kind), kind)


def _node(value: Any, kind: SqlType) -> Node:
    if kind.element is not None:
        return Array(tuple(_node(each, kind.element) for each in value), duckdb_type(kind))
    if kind.name == "BOOL":
        return Literal(bool(value))
    if kind.name == "TIMESTAMP":
        return constant(Moment(value.astimezone(UTC).replace(tzinfo=None), 0))
    duckdb_type(kind)  # raises UnsupportedSql
    if kind.name == "BIGNUMERIC":
        return Literal(units_of(value), "BIGNUM")
    return constant(value)

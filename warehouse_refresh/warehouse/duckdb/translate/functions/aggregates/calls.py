"""An aggregate call taken apart: its arguments, its modifiers, and the rows over which it runs.

https://cloud.google.com/bigquery/docs/reference/standard-sql/aggregate-function-calls
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    AggregateCall,
    Chain,
    FunctionCall,
    Literal,
    Node,
    Over,
    SortKey,
    Star,
    Struct,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.ordering import ordering, row_count
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.coercion import same
from warehouse_refresh.warehouse.types import (
    FLOAT64,
    SqlType,
)


@dataclass(slots=True)
class Call:
    """An aggregate call taken apart. `where` and `over` say over which rows it runs: those that PIVOT picks, or a
    window. `safe` asks for NULL where the aggregate itself fails, not where an argument does."""

    name: str
    values: list[Typed]
    distinct: bool = False
    nulls: str = ""
    order: list[SortKey] = field(default_factory=list)
    limit: int | None = None
    having: tuple[str, Typed] | None = None
    star: bool = False
    where: Node | None = None
    over: Over | None = None
    safe: bool = False

    def over_rows(self, name: str, *arguments: Node, where: Node | None = None) -> Node:
        """DuckDB's aggregate of this name over the call's rows, of these only those for which `where` holds."""
        if self.having is not None:
            return self._over_extreme_rows(name, arguments, where)
        tests = tuple([test for test in (self.where, where) if test is not None])
        both = Chain("AND", tests) if tests else None
        return AggregateCall(name, arguments, self.distinct, order=tuple(self.order), where=both, over=self.over)

    def _over_extreme_rows(self, name: str, arguments: tuple[Node, ...], where: Node | None) -> Node:
        """The aggregate over the rows of HAVING MAX or MIN, which are collected first."""
        side, by = self.having or ("", self.values[0])
        value = Literal(True) if isinstance(arguments[0], Star) else arguments[0]
        row = Struct((("y", by.node), ("v", value), ("w", where or Literal(True))))
        rows = AggregateCall("list", (row,), order=tuple(self.order), where=sql("{y} IS NOT NULL", y=by.node))
        found = sql(_EXTREME_FLOAT % side if by.type == FLOAT64 else _EXTREME % side, rows=rows)
        if self.distinct:
            found = sql("list_distinct({x})", x=found)
        if name == "list":
            return sql("CASE WHEN len({x}) > 0 THEN {x} END", x=found)
        return FunctionCall("list_aggregate", (found, Literal(name), *arguments[1:]))


_EXTREME = (
    "list_transform([coalesce({rows}, [])], lambda r_: list_transform([list_%s(list_transform(r_, lambda e_: e_.y))],"
    " lambda m_: list_transform(list_filter(r_, lambda e_: e_.y = m_ AND e_.w), lambda e_: e_.v))[1])[1]"
)
_EXTREME_FLOAT = _EXTREME.replace(  # NaN is the largest and the smallest, and equal to nothing
    "AND e_.w", "AND e_.w AND NOT list_contains(list_transform(r_, lambda i_: isnan(i_.y)), true)"
)


def taken_apart(node: exp.Expr, scope: Scope, where: Node | None, over: Over | None, *, safe: bool) -> Call:
    """The arguments and modifiers of an aggregate call: sqlglot nests the modifiers around the last argument."""
    found = Call(name_of(node), [], where=where, over=over, safe=safe)
    orders: list[exp.Expr] = []
    for part in node.expressions:
        inner = _without_modifiers(part, scope, found, orders)
        if isinstance(inner, exp.Distinct):
            found.distinct = True
            values = [_without_modifiers(value, scope, found, orders) for value in inner.expressions]
            found.values += [scope.compile(value) for value in values]
        elif isinstance(inner, exp.Star):
            found.star = True
        else:
            found.values.append(scope.compile(inner))
    for order in orders:
        found.order += ordering(order, scope, [])
    return found


def _without_modifiers(node: exp.Expr, scope: Scope, call: Call, orders: list[exp.Expr]) -> exp.Expr:
    """The argument itself, the modifiers around it put into `call`."""
    while isinstance(node, exp.Limit | exp.Order | exp.IgnoreNulls | exp.RespectNulls | exp.HavingMax):
        if isinstance(node, exp.Limit):
            call.limit = row_count(node.expression, scope, "LIMIT")
        elif isinstance(node, exp.Order):
            orders.append(node)
        elif isinstance(node, exp.HavingMax):
            call.having = ("max" if node.args.get("max") else "min"), scope.compile(node.expression)
        else:
            call.nulls = "IGNORE" if isinstance(node, exp.IgnoreNulls) else "RESPECT"
        if not node.this:
            wrong(scope.script.text, node, f"syntax error: {call.name} takes an argument before its modifiers")
        node = node.this
    return node


Handler = Callable[[exp.Expr, Scope, Call], Typed]
"""Compiles an aggregate call: the call, the names that it sees, the call taken apart."""


def one(node: exp.Expr, scope: Scope, call: Call, *kinds: SqlType) -> Typed:
    """The only argument, as the first of these types that it coerces to; of any type if none is given."""
    if len(call.values) != 1 or call.star:
        wrong(scope.script.text, node, f"{call.name} takes one argument")
    value = call.values[0]
    if not kinds:
        return value
    for kind in kinds:
        if same(value.type, kind):
            return value if not value.is_null else as_type(node, scope, call.name, value, kind)
    for kind in kinds:
        found = coerce(value, kind)
        if found is not None:
            return found
    return no_signature(node, scope, call.name, call.values)

"""Calls of aggregate functions: arguments, and the modifiers that sqlglot nests around them."""

from dataclasses import dataclass, field

from sqlglot import exp

from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.selects import OrderKey, ordering
from warehouse.duckdb.translate.syntax import name_of, unsupported
from warehouse.duckdb.translate.typed import Typed


@dataclass(slots=True)
class Call:
    """An aggregate call taken apart."""

    name: str
    values: list[Typed]
    distinct: bool = False
    nulls: str = ""
    order: list[OrderKey] = field(default_factory=list)
    limit: int | None = None
    having: tuple[str, Typed] | None = None
    star: bool = False


def taken_apart(node: exp.Expr, scope: Scope) -> Call:
    """The arguments and modifiers of an aggregate call: sqlglot nests the modifiers around the last argument."""
    found = Call(name_of(node), [])
    orders: list[exp.Expr] = []
    for part in node.expressions:
        inner = _without_modifiers(part, scope, found, orders)
        if isinstance(inner, exp.Distinct):
            found.distinct = True
            found.values += [scope.compile(value) for value in inner.expressions]
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
            limit = scope.compile(node.expression).literal
            if not isinstance(limit, int):
                unsupported(scope.script.text, node, "LIMIT that is not a number")
            call.limit = limit
        elif isinstance(node, exp.Order):
            orders.append(node)
        elif isinstance(node, exp.HavingMax):
            call.having = ("max" if node.args.get("max") else "min"), scope.compile(node.expression)
        else:
            call.nulls = "IGNORE" if isinstance(node, exp.IgnoreNulls) else "RESPECT"
        node = node.this
    return node

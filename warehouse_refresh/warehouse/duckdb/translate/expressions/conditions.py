"""NOT, AND, OR, CASE, IF and WITH.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conditional_expressions
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import boolean, common, only
from warehouse_refresh.warehouse.duckdb.translate.expressions.comparisons import compared
from warehouse_refresh.warehouse.duckdb.translate.literals import null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Case, Chain, Node, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import BOOL, INT64


def negation(node: exp.Expr, scope: Scope) -> Typed:
    """NOT x"""
    if isinstance(node.this, exp.Null):
        wrong(scope.script.text, node, "the operand of NOT cannot be literal NULL")
    return Typed(sql("(NOT {x})", x=boolean(node.this, scope, "NOT")), BOOL)


def connector(node: exp.Expr, scope: Scope) -> Typed:
    """x AND y, x OR y: chains are flat, since they may be long."""
    word = "AND" if isinstance(node, exp.And) else "OR"
    return Typed(Chain(word, tuple([boolean(part, scope, word) for part in node.flatten()])), BOOL)


def case(node: exp.Expr, scope: Scope) -> Typed:
    """CASE … WHEN … THEN … END"""
    only(node, scope, "this", "ifs", "default")
    branches = node.args["ifs"]
    tail = [node.args["default"]] if node.args.get("default") else []
    results = [scope.compile(branch.args["true"]) for branch in branches] + [scope.compile(last) for last in tail]
    kind, values = common(node, scope, "CASE", [*results, null(INT64)])
    if node.this is not None:
        subject = scope.compile(node.this)
        tests = [compared(branch, scope, "=", subject, scope.compile(branch.this)).node for branch in branches]
    else:
        tests = [boolean(branch.this, scope, "WHEN") for branch in branches]
    pairs = zip(tests, [value.node for value in values], strict=False)
    return Typed(Case(tuple(pairs), values[len(branches)].node), kind)


def if_(node: exp.Expr, scope: Scope) -> Typed:
    """IF(condition, x, y)"""
    if not node.args.get("false"):
        wrong(scope.script.text, node, "IF takes three arguments")
    test = boolean(node.this, scope, "IF")
    kind, (yes, no) = common(node, scope, "IF", [scope.compile(node.args["true"]), scope.compile(node.args["false"])])
    return Typed(Case(((test, yes.node),), no.node), kind)


def with_values(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:  # noqa: ARG001
    """WITH(a AS x, b AS y, z): z, in which a and b stand for x and y. The reader makes a STRUCT of what it holds."""
    *named, body = parts[0].expressions
    return _with_names(named, body, scope)


def _with_names(named: list[exp.Expr], body: exp.Expr, scope: Scope) -> Typed:
    if not named:
        return scope.compile(body)
    first, *rest = named
    if not isinstance(first, exp.Alias) and not isinstance(first.this, exp.Expr):
        wrong(scope.script.text, body, "a value of WITH(…) has no name", "write WITH(name AS value, …)")
    is_alias = isinstance(first, exp.Alias)
    name, value = first.alias if is_alias else first.this.name, first.this if is_alias else first.expression
    given = scope.compile(value)
    hidden = scope.lambdas.get(name.casefold())
    found: list[Typed] = []

    def of(node: Node) -> Node:
        scope.lambdas[name.casefold()] = Typed(node, given.type)
        found.append(_with_names(rest, body, scope))
        return found[0].node

    node = let(given.node, of)
    del scope.lambdas[name.casefold()]
    if hidden is not None:
        scope.lambdas[name.casefold()] = hidden
    return Typed(node, found[0].type)

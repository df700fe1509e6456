"""Subqueries in expressions.

https://cloud.google.com/bigquery/docs/reference/standard-sql/subqueries
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    AggregateCall,
    Array,
    FromItem,
    Item,
    Node,
    Select,
    SortKey,
)
from warehouse_refresh.warehouse.duckdb.translate.nodes import Column as ColumnNode
from warehouse_refresh.warehouse.duckdb.translate.queries.items.elements import elements_of
from warehouse_refresh.warehouse.duckdb.translate.queries.relations import reread
from warehouse_refresh.warehouse.duckdb.translate.scope import Output, Relation, Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, picked
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.types import BOOL, array_of


def scalar(node: exp.Expr, scope: Scope) -> Typed:
    """(SELECT …) as a value: NULL without a row, an error with two."""
    if not isinstance(node, exp.Subquery):
        wrong(scope.script.text, node, "a query that is a value must stand in parentheses", "write ((SELECT …))")
    bare = node.this if not node.args.get("with_") else node
    relation = scope.compiler.query(bare, scope)
    column, elements = _only_column(node, scope, relation), elements_of(relation.query)
    if elements is not None:
        return Typed(elements.one(), column.type)
    return picked(reread(column, "q$"), lambda value: sql("({q})", q=_only(value, column, relation)))


def _only(value: Node, column: Output, relation: Relation) -> Node:
    """The query of one column, which is read as the value."""
    is_read = value != column.of("q$").node
    return Select((Item(value, column.column),), FromItem(relation.query, "q$")) if is_read else relation.query


def _only_column(node: exp.Expr, scope: Scope, relation: Relation) -> Output:
    if len(relation.columns) != 1:
        reason = f"a subquery here has one column, not {len(relation.columns)}"
        wrong(scope.script.text, node, reason, "or SELECT AS STRUCT")
    return relation.columns[0]


def array_query(node: exp.Expr, scope: Scope) -> Typed:
    """ARRAY(SELECT …): empty where the query is."""
    relation = scope.compiler.query(node, scope, unordered=True)
    column = _only_column(node, scope, relation)
    if column.type.element is not None:
        wrong(scope.script.text, node, "an array cannot hold arrays", "SELECT AS STRUCT")
    kind, elements = array_of(column.type), elements_of(relation.query)
    if elements is not None and not relation.order and not elements.is_first:
        return Typed(elements.all(duckdb_type(kind)), kind)
    own = scope.script.alias()
    keys = [(ColumnNode(own, name), direction) for name, direction in relation.order]
    order = tuple([SortKey(key, direction, key) for key, direction in keys])
    listed = AggregateCall("list", (column.of(own).node,), order=order)
    values = Select((listed,), FromItem(relation.query, own))
    return Typed(sql("coalesce(({q}), {none})", q=values, none=Array((), duckdb_type(kind))), kind)


def one_column(node: exp.Expr, scope: Scope) -> tuple[Relation, Output]:
    """The query of x IN (SELECT …), with its only column."""
    inner = node.args["query"]
    bare = inner.this if isinstance(inner, exp.Subquery) and not inner.args.get("with_") else inner
    relation = scope.compiler.query(bare, scope)
    return relation, _only_column(node, scope, relation)


def listed(query: Node, value: Typed, *, distinct: bool = False) -> Typed:
    """A query's values, read by the alias q$, as an array: empty where the query is."""
    kind = array_of(value.type)
    values = Select((AggregateCall("list", (value.node,), distinct),), FromItem(query, "q$"))
    return Typed(sql("coalesce(({q}), {none})", q=values, none=Array((), duckdb_type(kind))), kind)


def exists(node: exp.Expr, scope: Scope) -> Typed:
    """EXISTS(SELECT …)"""
    query = scope.compiler.query(node.this, scope).query
    elements = elements_of(query)
    return Typed(sql("EXISTS ({q})", q=query) if elements is None else elements.any(), BOOL)

"""WITH queries that read themselves.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#recursive_cte_rules
"""

from collections.abc import Iterator
from typing import NoReturn

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import only
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Column,
    FromItem,
    Item,
    Literal,
    Name,
    Select,
    SetOperation,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.grouping import aggregates_in, windows_in
from warehouse_refresh.warehouse.duckdb.translate.scope import Relation, Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql

MOST_ROUNDS = 500
"""BigQuery ends a recursion after so many: https://cloud.google.com/bigquery/quotas#query_jobs"""


def references(cte: exp.Expr) -> list[exp.Table]:
    """Where a WITH query reads itself."""
    name = cte.alias.casefold()
    tables = (table for table in cte.this.find_all(exp.Table) if not table.db and table.name.casefold() == name)
    return [table for table in tables if not _is_hidden(table, cte)]


def _is_hidden(table: exp.Table, cte: exp.Expr) -> bool:
    """Whether an inner WITH query has the name."""
    clauses = [node.args["with_"] for node, _ in _around(table, cte.this) if node.args.get("with_")]
    return any(query.alias.casefold() == table.name.casefold() for clause in clauses for query in clause.expressions)


def _around(node: exp.Expr, top: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """The nodes around one up to `top`, each with the one in it that leads there."""
    while node is not top and node.parent is not None:
        yield node.parent, node
        node = node.parent


def base_and_step(cte: exp.Expr, scope: Scope) -> tuple[exp.Expr, exp.Expr, bool]:
    """The two parts of a query that reads itself, and whether UNION DISTINCT joins them. Raises SqlError for what
    GoogleSQL does not allow."""
    union = cte.this
    while isinstance(union, exp.Subquery) and union.is_wrapper:
        union = union.this
    if not isinstance(union, exp.Union):
        reason = f"{cte.alias} reads itself without a part that does not"
        wrong(scope.script.text, cte, reason, "write SELECT … UNION ALL SELECT … of which only the last one reads it")
    only(union, scope, "this", "expression", "distinct")
    if isinstance(union.this, exp.SetOperation) and not _is_alike(union.this, union):
        wrong(scope.script.text, cte, "different set operations follow each other", "put parentheses around each")
    step, found = union.expression, references(cte)
    for table in found:
        if not any(node is step for node, _ in _around(table, union)) and table is not step:
            wrong(scope.script.text, table, f"{cte.alias} may only read itself in the last query of its UNION")
    if len(found) > 1:
        wrong(scope.script.text, found[1], f"{cte.alias} may read itself only once", "keep one reference")
    _check_clauses(found[0], scope)
    _check_joins(list(found[0].args.get("joins") or ()), found[0], scope)
    for node, inner in _around(found[0], step):
        _check_around(node, inner, scope)
    return union.this, step, bool(union.args.get("distinct"))


def _is_alike(one: exp.Expr, other: exp.Expr) -> bool:
    return type(one) is type(other) and bool(one.args.get("distinct")) == bool(other.args.get("distinct"))


def _check_around(node: exp.Expr, inner: exp.Expr, scope: Scope) -> None:
    """Raises SqlError where `node`, of which `inner` reads the query itself, needs all of its rows at once."""
    _check_clauses(node, scope)
    if isinstance(node, exp.Select):
        _check_select(node, scope)
    if isinstance(node, exp.SetOperation) and node.args.get("distinct"):
        _refuse(node, scope, "DISTINCT")
    if isinstance(node, exp.With):
        _refuse(node, scope, "WITH")
    if isinstance(node, exp.Query) and not isinstance(node.parent, (exp.From, exp.Join, exp.Query, exp.CTE, exp.Paren)):
        _refuse(node, scope, "subquery in an expression")
    if isinstance(inner, exp.From | exp.Join) or isinstance(node, exp.Table | exp.Subquery):
        _check_joins(list(node.args.get("joins") or ()), inner, scope)


_CLAUSES = {"limit": "LIMIT", "order": "ORDER BY", "pivots": "PIVOT", "sample": "TABLESAMPLE"}


def _check_clauses(node: exp.Expr, scope: Scope) -> None:
    for part, what in _CLAUSES.items():
        if node.args.get(part):
            _refuse(node, scope, what)


def _check_select(node: exp.Select, scope: Scope) -> None:
    parts = [*node.expressions, *(node.args[name] for name in ("having", "qualify") if node.args.get(name))]
    if node.args.get("distinct") or node.args.get("group") or any(True for part in parts for _ in aggregates_in(part)):
        _refuse(node, scope, "DISTINCT, GROUP BY or aggregate function")
    if any(True for part in parts for _ in windows_in(part)):
        _refuse(node, scope, "window function")


def _check_joins(joins: list[exp.Expr], inner: exp.Expr, scope: Scope) -> None:
    """Raises SqlError where the rows of `inner`, which is one of the joins or comes before them, may be missing: on the
    right of LEFT JOIN, on the left of RIGHT JOIN, on both sides of FULL JOIN."""
    place = joins.index(inner) if isinstance(inner, exp.Join) else -1
    own = str(inner.args.get("side") or "").upper()
    later = {str(join.args.get("side") or "").upper() for join in joins[place + 1 :]}
    if own in ("LEFT", "FULL") or later & {"RIGHT", "FULL"}:
        _refuse(inner, scope, "outer join that fills its rows with NULL")


def _refuse(node: exp.Expr, scope: Scope, what: str) -> NoReturn:
    reason = f"the part of WITH RECURSIVE that reads itself has no {what}"
    wrong(scope.script.text, node, reason, "do it in the query that reads the result")


def bounded(own: str, base: Relation, step: Relation, *, distinct: bool) -> Relation:
    """The recursion as DuckDB runs it, with the number of each round beside its rows. It fails after MOST_ROUNDS."""
    names = [column.column for column in base.columns]
    first, rows = base.query, step.query
    following = [column.column for column in step.columns]
    if distinct:  # DuckDB would take rows of different rounds for different ones
        first = Select(_columns(names), FromItem(first, _ALIAS), distinct=True)
        known = Select(_columns(names), FromItem(Name(("recurring", own)), _ALIAS))
        rows = SetOperation("EXCEPT", (Select(_columns(following), FromItem(rows, _ALIAS)), known))
    number = sql(
        "({q})", q=Select((sql(_NEXT, i=Column("", _ROUND), message=_TOO_MANY),), FromItem(Name((own,)), _ALIAS))
    )
    start = Select((*_columns(names), Item(Literal(0, "BIGINT"), _ROUND)), FromItem(first, _ALIAS))
    after = Select((*_columns(following), Item(number, _ROUND)), FromItem(rows, _ALIAS))
    return Relation(SetOperation("UNION ALL", (start, after)), base.columns)


_ALIAS, _ROUND = "q$", "round$"  # no table and no column of BigQuery's has a name with $
_NEXT = f"CASE WHEN max({{i}}) >= {MOST_ROUNDS} THEN error({{message}}) ELSE max({{i}}) + 1 END"
_TOO_MANY = Literal(f"A recursive CTE has reached the maximum number of iterations: {MOST_ROUNDS}")


def _columns(names: list[str]) -> tuple[Item, ...]:
    return tuple(Item(Column("", name), name) for name in names)

"""Queries: WITH, set operations, and what stands in parentheses.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax
"""

from dataclasses import replace

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import castable
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import no_signature, only
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    FromItem,
    Item,
    Name,
    Node,
    Select,
    SetOperation,
    Star,
    With,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.matching import matched_by_name
from warehouse_refresh.warehouse.duckdb.translate.queries.ordering import limits, ordering
from warehouse_refresh.warehouse.duckdb.translate.queries.recursion import base_and_step, bounded, references
from warehouse_refresh.warehouse.duckdb.translate.queries.relations import (
    reread,
    unique,
    with_types,
    without_literals,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.selects import select
from warehouse_refresh.warehouse.duckdb.translate.scope import Named, Output, Range, Relation, Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import tokens_before, unread, unsupported, wrong
from warehouse_refresh.warehouse.sql.coercion import coerces, is_groupable, supertype
from warehouse_refresh.warehouse.sql.literals import FAILURE
from warehouse_refresh.warehouse.types import INT64, SqlType


def query(node: exp.Expr, scope: Scope, *, unordered: bool = False) -> Relation:
    """A query that sees the names of `scope`. `unordered` leaves its order to the reader, in `Relation.order`."""
    inner = Scope(scope.script, scope)
    named = with_queries(node, inner)
    if isinstance(node, exp.Subquery):
        found = _parenthesized(node, inner, unordered=unordered)
    elif isinstance(node, exp.Select):
        found = select(node, inner, unordered=unordered)
    elif isinstance(node, exp.SetOperation):
        found = set_operation(node, inner, unordered=unordered)
    else:
        unread(scope.script.text, node)
    if not named:
        return found
    clause = With(named, found.query, bool(node.args["with_"].args.get("recursive")))
    return replace(found, query=clause, columns=without_literals(found.columns))


def _parenthesized(node: exp.Subquery, scope: Scope, *, unordered: bool) -> Relation:
    only(node, scope, "this", "with_", "order", "limit", "offset")
    if not any(node.args.get(name) for name in ("order", "limit", "offset")):
        return query(node.this, scope, unordered=unordered)
    return sorted_relation(node, scope, query(node.this, scope), unordered=unordered)


def with_queries(node: exp.Expr, scope: Scope) -> tuple[tuple[str, Node], ...]:
    """The queries of WITH by their names in DuckDB; they are put into `scope`."""
    clause = node.args.get("with_")
    if clause is None:
        return ()
    found = []
    for cte in _in_order(clause):
        name, own = cte.alias.casefold(), scope.script.alias()
        if any(name == other.alias.casefold() for other in clause.expressions if other is not cte):
            wrong(scope.script.text, cte, f"two WITH queries are named {cte.alias}")
        alone = scope.apart()
        if clause.args.get("recursive") and references(cte):
            relation = recursive(cte, alone, own)
        else:
            relation = query(cte.this, alone)
        found.append((own, relation.query))
        scope.script.with_queries[own] = relation.query
        scope.queries[name] = _named(own, relation)
    return tuple(found)


def _in_order(clause: exp.Expr) -> list[exp.Expr]:
    """The WITH queries, each after those that it reads: with RECURSIVE one may read a later one."""
    waiting = list(clause.expressions)
    if not clause.args.get("recursive"):
        return waiting
    found: list[exp.Expr] = []
    while waiting:
        names = [cte.alias.casefold() for cte in waiting]
        later = {cte: [name for name in names if name != cte.alias.casefold()] for cte in waiting}
        ready = next((cte for cte in waiting if not any(_reads(cte.this, n) for n in later[cte])), waiting[0])
        waiting.remove(ready)
        found.append(ready)
    return found


def _reads(node: exp.Expr, name: str) -> bool:
    return any(not table.db and table.name.casefold() == name for table in node.find_all(exp.Table))


def _named(own: str, relation: Relation) -> Relation:
    """A WITH query as those after it see it: its columns are no literals any more, and rows are columns."""
    columns = tuple([replace(column, fields=None, is_hidden=False) for column in without_literals(relation.columns)])
    return Relation(Name((own,)), columns, relation.is_value)


def recursive(cte: exp.Expr, scope: Scope, own: str) -> Relation:
    """A WITH query that reads itself: its types are those of the part that does not."""
    base_node, step_node, distinct = base_and_step(cte, scope)
    base = query(base_node, scope)
    if base.is_value:
        unsupported(scope.script.text, cte, "SELECT AS VALUE in WITH RECURSIVE", "write SELECT … AS name")
    scope.queries[cte.alias.casefold()] = _named(own, base)
    step = query(step_node, scope)
    if len(base.columns) != len(step.columns):
        reason = f"WITH RECURSIVE: one part has {len(base.columns)} columns, the other {len(step.columns)}"
        wrong(scope.script.text, cte, reason, "let each give the same columns")
    kinds = [column.type for column in base.columns]
    for column, kind in zip(step.columns, kinds, strict=True):
        if not coerces(reread(column, "q$"), kind):
            reason = f"WITH RECURSIVE: a column is {kind} in the first part and {column.type} in the second"
            wrong(scope.script.text, cte, reason, "convert with CAST")
    return bounded(own, base, replace(step, query=with_types(step, kinds)), distinct=distinct)


def set_operation(node: exp.SetOperation, scope: Scope, *, unordered: bool) -> Relation:
    """UNION ALL, UNION DISTINCT, INTERSECT DISTINCT, EXCEPT DISTINCT"""
    modes = ("by_name", "side", "kind", "on")
    only(node, scope, "with_", "this", "expression", "distinct", "order", "limit", "offset", *modes)
    word = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}[type(node)]
    if word != "UNION" and not node.args.get("distinct"):
        unsupported(scope.script.text, node, f"{word} ALL", f"write {word} DISTINCT: BigQuery has no other")
    chain = _chain(node)
    if any(isinstance(part, exp.SetOperation) or _is_wrapped(part, scope) for part in chain):
        wrong(scope.script.text, node, "different set operations follow each other", "put parentheses around each")
    parts = [query(part, scope) for part in chain]
    parts = matched_by_name(node, scope, parts)
    kinds = _common_types(node, scope, word, parts)
    if word != "UNION" or node.args.get("distinct"):
        for kind in kinds:
            if not is_groupable(kind):
                unsupported(scope.script.text, node, f"{word} DISTINCT of {kind}")
    columns = tuple(Output(c.name, c.column, kind) for c, kind in zip(parts[0].columns, kinds, strict=True))
    sign = word if node.args.get("distinct") else f"{word} ALL"
    united = SetOperation(sign, tuple([with_types(part, kinds) for part in parts]))
    found = Relation(united, columns, parts[0].is_value, ranges=_ranges(parts[0], columns))
    if any(node.args.get(name) for name in ("order", "limit", "offset")):
        return sorted_relation(node, scope, found, unordered=unordered)
    return found


def _ranges(first: Relation, columns: tuple[Output, ...]) -> tuple[Range, ...]:
    """What the operators of a pipe after a set operation know: its columns, or values by the first query's name."""
    if first.is_value:
        return tuple([Range(part.alias, (), columns[0]) for part in first.ranges])
    return (Range("", tuple([(column.name, column) for column in columns]), None),)


def _chain(node: exp.SetOperation) -> list[exp.Expr]:
    """a UNION ALL b UNION ALL c as [a, b, c]: such chains may be hundreds long."""
    parts: list[exp.Expr] = []
    inner: exp.Expr = node
    while isinstance(inner, exp.SetOperation) and _operator(inner) == _operator(node):
        if inner is not node and any(inner.args.get(name) for name in ("with_", "order", "limit", "offset")):
            break
        parts.append(inner.expression)
        inner = inner.this
    return [inner, *reversed(parts)]


def _operator(node: exp.SetOperation) -> tuple[object, ...]:
    """What must be equal in set operations that follow each other."""
    args = node.args
    listed = tuple(part.name.casefold() for part in args.get("on") or ())
    return type(node), bool(args.get("distinct")), bool(args.get("by_name")), args.get("side"), args.get("kind"), listed


_SET_OPERATIONS = (TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT)


def _is_wrapped(part: exp.Expr, scope: Scope) -> bool:
    """Whether sqlglot, which knows that INTERSECT binds closer, has put parentheses where the text has none."""
    if not isinstance(part, exp.Subquery) or not isinstance(part.this, exp.SetOperation):
        return False
    tokens = _in_open_brackets([token.token_type for token in tokens_before(scope.script.text, part)])
    words = zip(tokens[-3::-1], tokens[-2::-1], tokens[::-1], strict=False)
    found = (
        after for word, how, after in words if word in _SET_OPERATIONS and how in (TokenType.ALL, TokenType.DISTINCT)
    )
    return next(found, None) == TokenType.SELECT


def _in_open_brackets(tokens: list[TokenType]) -> list[TokenType]:
    """The tokens that stand in no pair of brackets."""
    found: list[TokenType] = []
    depth = 0
    for token in reversed(tokens):
        depth = max(0, depth + (token == TokenType.R_PAREN) - (token == TokenType.L_PAREN))
        if depth == 0:
            found.append(token)
    return found[::-1]


def _common_types(node: exp.Expr, scope: Scope, word: str, parts: list[Relation]) -> list[SqlType]:
    """The common type of each column."""
    first = parts[0]
    for part in parts:
        if len(part.columns) != len(first.columns):
            reason = f"{word}: one query has {len(first.columns)} columns, another {len(part.columns)}"
            wrong(scope.script.text, node, reason, "let each give the same columns")
    kinds = []
    for index, column in enumerate(first.columns):
        values = [reread(part.columns[index], "q$") for part in parts]
        kind = supertype(values)
        if kind is None:
            no_signature(node, scope, f"{word}, column {column.name or index + 1},", values)
            raise AssertionError
        if any(value.literal is FAILURE for value in values) and not castable(INT64, kind):
            reason = f"{word}: ERROR(…) is an INT64 here, and cannot be {kind}"
            wrong(scope.script.text, node, reason, "write IF(TRUE, ERROR(…), value), which has the value's type")
        kinds.append(kind)
    return kinds


def sorted_relation(node: exp.Expr, scope: Scope, found: Relation, *, unordered: bool) -> Relation:
    """ORDER BY and LIMIT after a set operation or a query in parentheses: by its columns only."""
    own = scope.script.alias()
    found = replace(found, columns=without_literals(found.columns))
    inner = Scope(scope.script, scope)
    inner.set_aliases([Named(column.name, column.of(own)) for column in found.columns])
    keys = ordering(node.args.get("order"), inner, [column.of(own) for column in found.columns])
    limit, offset = limits(node, scope)
    source = FromItem(found.query, own)
    if unordered and keys and limit is None:
        taken = [column.column for column in found.columns]
        names = unique([*taken, *(f"o_{index}" for index in range(len(keys)))])[len(taken) :]
        hidden = [Item(key.key, name) for key, name in zip(keys, names, strict=True)]
        order = tuple((name, key.direction) for key, name in zip(keys, names, strict=True))
        return replace(found, query=Select((Star(own), *hidden), source), order=order)
    return replace(found, query=Select((Star(own),), source, order=tuple(keys), limit=limit, offset=offset))

"""Queries: WITH, set operations, subqueries in expressions.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax
"""

import re
from dataclasses import replace

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.coercion import coerce, supertype
from warehouse.duckdb.translate.expressions import common, handles, no_signature, only
from warehouse.duckdb.translate.scope import EXPRESSIONS, Named, Relation, Scope
from warehouse.duckdb.translate.selects import limits, ordering, select
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.text import quoted
from warehouse.duckdb.translate.typed import BOOL, Typed, duckdb_type
from warehouse.types import SqlType, array_of


def query(node: exp.Expr, scope: Scope, *, unordered: bool = False) -> Relation:
    """A query as DuckDB's text. `unordered` leaves its order to the reader, in `Relation.order`."""
    inner = Scope(scope.script, scope)
    if isinstance(node, exp.Subquery):
        return _parenthesized(node, inner, unordered=unordered)
    head = with_clause(node, inner)
    if isinstance(node, exp.Select):
        found = select(node, inner, unordered=unordered)
    elif isinstance(node, exp.SetOperation):
        found = set_operation(node, inner, unordered=unordered)
    else:
        unsupported(scope.script.text, node, f"{type(node).__name__} as a query")
    return replace(found, sql=head + found.sql)


EXPRESSIONS["query"] = query


def _parenthesized(node: exp.Subquery, scope: Scope, *, unordered: bool) -> Relation:
    only(node, scope, "this", "with_", "order", "limit", "offset")
    head = with_clause(node, scope)
    if not any(node.args.get(name) for name in ("order", "limit", "offset")):
        found = query(node.this, scope, unordered=unordered)
        return replace(found, sql=head + found.sql)
    found = sorted_relation(node, scope, query(node.this, scope), unordered=unordered)
    return replace(found, sql=head + found.sql)


def with_clause(node: exp.Expr, scope: Scope) -> str:
    """WITH, its queries put into `scope`; "" if there is none."""
    clause = node.args.get("with_")
    if clause is None:
        return ""
    parts = []
    for cte in clause.expressions:
        name, own = cte.alias.casefold(), scope.script.alias()
        if any(name == other.alias.casefold() for other in clause.expressions if other is not cte):
            wrong(scope.script.text, cte, f"two WITH queries are named {cte.alias}")
        if clause.args.get("recursive") and _reads(cte.this, name):
            relation = recursive(cte, scope, own)
        else:
            relation = query(cte.this, scope)
        parts.append(f"{own} AS ({relation.sql})")
        scope.queries[name] = Relation(
            own,
            tuple(Named(c.name, replace(c.value, literal=None, parts=())) for c in relation.columns),
            relation.is_value,
        )
    word = "WITH RECURSIVE" if clause.args.get("recursive") else "WITH"
    return f"{word} {', '.join(parts)} "


def _reads(node: exp.Expr, name: str) -> bool:
    return any(not table.db and table.name.casefold() == name for table in node.find_all(exp.Table))


def recursive(cte: exp.Expr, scope: Scope, own: str) -> Relation:
    """A WITH query that reads itself: its types are those of the part that does not."""
    union = cte.this
    if not isinstance(union, exp.Union) or _reads(union.this, cte.alias.casefold()):
        unsupported(scope.script.text, cte, "this form of WITH RECURSIVE", "write base UNION ALL step")
    only(union, scope, "this", "expression", "distinct")
    base = query(union.this, scope)
    scope.queries[cte.alias.casefold()] = Relation(
        own, tuple(Named(c.name, replace(c.value, literal=None, parts=())) for c in base.columns)
    )
    step = query(union.expression, scope)
    if [c.value.type for c in base.columns] != [c.value.type for c in step.columns]:
        unsupported(scope.script.text, cte, "WITH RECURSIVE whose two parts differ in their types", "convert with CAST")
    word = "UNION" if union.args.get("distinct") else "UNION ALL"
    return Relation(f"({base.sql}) {word} ({step.sql})", base.columns)


def set_operation(node: exp.SetOperation, scope: Scope, *, unordered: bool) -> Relation:
    """UNION ALL, UNION DISTINCT, INTERSECT DISTINCT, EXCEPT DISTINCT"""
    only(node, scope, "with_", "this", "expression", "distinct", "order", "limit", "offset")
    word = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}[type(node)]
    if word != "UNION" and not node.args.get("distinct"):
        unsupported(scope.script.text, node, f"{word} ALL", f"write {word} DISTINCT: BigQuery has no other")
    chain = _chain(node)
    if any(isinstance(part, exp.SetOperation) or _is_wrapped(part, scope) for part in chain):
        wrong(scope.script.text, node, "different set operations follow each other", "put parentheses around each")
    parts = [query(part, scope) for part in chain]
    if any(part.is_value for part in parts):
        unsupported(scope.script.text, node, f"{word} of SELECT AS STRUCT")
    columns, texts = aligned(node, scope, word, parts)
    if word != "UNION" or node.args.get("distinct"):
        for column in columns:
            if column.value.type.element is not None or column.value.type.name in ("JSON", "STRUCT"):
                unsupported(scope.script.text, node, f"{word} DISTINCT of {column.value.type}")
    sign = f" {word} " if node.args.get("distinct") else f" {word} ALL "
    found = Relation(sign.join(f"({text})" for text in texts), columns)
    if any(node.args.get(name) for name in ("order", "limit", "offset")):
        return sorted_relation(node, scope, found, unordered=unordered)
    return found


def _chain(node: exp.SetOperation) -> list[exp.Expr]:
    """a UNION ALL b UNION ALL c as [a, b, c]: such chains may be hundreds long."""
    parts: list[exp.Expr] = []
    inner: exp.Expr = node
    same = type(node), bool(node.args.get("distinct"))
    while isinstance(inner, exp.SetOperation) and (type(inner), bool(inner.args.get("distinct"))) == same:
        if inner is not node and any(inner.args.get(name) for name in ("with_", "order", "limit", "offset")):
            break
        parts.append(inner.expression)
        inner = inner.this
    return [inner, *reversed(parts)]


_BARE = re.compile(r"\b(ALL|DISTINCT)\s+SELECT\s[^()]*\Z", re.IGNORECASE)


def _is_wrapped(part: exp.Expr, scope: Scope) -> bool:
    """Whether sqlglot, which knows that INTERSECT binds closer, has put parentheses where the text has none."""
    if not isinstance(part, exp.Subquery) or not isinstance(part.this, exp.SetOperation):
        return False
    start = next((int(node.meta["start"]) for node in part.walk(bfs=False) if "start" in node.meta), 0)
    return _BARE.search(scope.script.text[:start]) is not None


def aligned(node: exp.Expr, scope: Scope, word: str, parts: list[Relation]) -> tuple[tuple[Named, ...], list[str]]:
    """The parts with each column as the common type; the first part's names."""
    first = parts[0]
    for part in parts:
        if len(part.columns) != len(first.columns):
            reason = f"{word}: one query has {len(first.columns)} columns, another {len(part.columns)}"
            wrong(scope.script.text, node, reason, "let each give the same columns")
    kinds = []
    for index, column in enumerate(first.columns):
        kind = supertype(part.columns[index].value for part in parts)
        if kind is None:
            values = [part.columns[index].value for part in parts]
            no_signature(node, scope, f"{word}, column {column.name or index + 1},", values)
            raise AssertionError
        kinds.append(kind)
    columns = tuple(Named(c.name, Typed(c.value.sql, kind)) for c, kind in zip(first.columns, kinds, strict=True))
    return columns, [_as_kinds(part, kinds) for part in parts]


def _as_kinds(part: Relation, kinds: list[SqlType]) -> str:
    if all(
        t.identical(c.value.type, kind) and not c.value.is_null for c, kind in zip(part.columns, kinds, strict=True)
    ):
        return part.sql
    casts = []
    for column, kind in zip(part.columns, kinds, strict=True):
        value = column.value
        found = coerce(value if value.literal is not None or value.parts else Typed(value.sql, value.type), kind)
        same = t.identical(value.type, kind) and not value.is_null
        casts.append(f"{value.sql if same or found is None else found.sql} AS {value.sql}")
    return f"SELECT {', '.join(casts)} FROM ({part.sql})"


def sorted_relation(node: exp.Expr, scope: Scope, found: Relation, *, unordered: bool) -> Relation:
    """ORDER BY and LIMIT after a set operation or a query in parentheses: by its columns only."""
    own = scope.script.alias()
    inner = Scope(scope.script, scope)
    inner.aliases = {c.name.casefold(): Typed(f"{own}.{c.value.sql}", c.value.type) for c in found.columns if c.name}
    outputs = [Typed(f"{own}.{c.value.sql}", c.value.type) for c in found.columns]
    keys = ordering(node.args.get("order"), inner, outputs)
    tail = limits(node, scope)
    if unordered and keys and not tail:
        hidden = "".join(f", {key.expression} AS o_{index}" for index, key in enumerate(keys))
        order = tuple(f"o_{index}{key.direction}" for index, key in enumerate(keys))
        return replace(found, sql=f"SELECT {own}.*{hidden} FROM ({found.sql}) AS {own}", order=order)
    by = f" ORDER BY {', '.join(map(str, keys))}" if keys else ""
    return replace(found, sql=f"SELECT {own}.* FROM ({found.sql}) AS {own}{by}{tail}")


@handles(exp.Subquery)
def scalar(node: exp.Expr, scope: Scope) -> Typed:
    """(SELECT …) as a value: NULL without a row, an error with two."""
    relation = query(node.this if not node.args.get("with_") else node, scope)
    column = _only_column(node, scope, relation)
    return Typed(f"({relation.sql})", column.value.type)


@handles(exp.Select, exp.Union)
def bare_scalar(node: exp.Expr, scope: Scope) -> Typed:
    """A scalar subquery whose parentheses sqlglot dropped."""
    relation = query(node, scope)
    return Typed(f"({relation.sql})", _only_column(node, scope, relation).value.type)


def _only_column(node: exp.Expr, scope: Scope, relation: Relation) -> Named:
    if len(relation.columns) != 1:
        wrong(
            scope.script.text,
            node,
            f"a subquery here has one column, not {len(relation.columns)}",
            "or SELECT AS STRUCT",
        )
    return relation.columns[0]


def array_query(node: exp.Expr, scope: Scope) -> Typed:
    """ARRAY(SELECT …): empty where the query is."""
    relation = query(node, scope, unordered=True)
    column = _only_column(node, scope, relation)
    kind = column.value.type
    if kind.element is not None:
        wrong(scope.script.text, node, "an array cannot hold arrays", "SELECT AS STRUCT")
    own = scope.script.alias()
    order = f" ORDER BY {', '.join(f'{own}.{key}' for key in relation.order)}" if relation.order else ""
    sql = f"(SELECT list({own}.{column.value.sql}{order}) FROM ({relation.sql}) AS {own})"
    return Typed(f"coalesce({sql}, []::{duckdb_type(array_of(kind))})", array_of(kind))


EXPRESSIONS["array_query"] = array_query


def in_query(node: exp.Expr, scope: Scope, value: Typed) -> Typed:
    """x IN (SELECT …)"""
    inner = node.args["query"]
    relation = query(inner.this if isinstance(inner, exp.Subquery) and not inner.args.get("with_") else inner, scope)
    column = _only_column(node, scope, relation).value
    kind, (one, _) = common(node, scope, "IN", [value, Typed(column.sql, column.type)])
    if kind.name in ("FLOAT64", "STRUCT", "JSON") or kind.element is not None:
        unsupported(scope.script.text, node, f"IN (SELECT …) of {kind}", "write EXISTS with a condition")
    return Typed(f"({one.sql} IN ({_as_kinds(relation, [kind])}))", BOOL)


EXPRESSIONS["in_query"] = in_query


def exists(node: exp.Expr, scope: Scope) -> Typed:
    """EXISTS(SELECT …)"""
    return Typed(f"EXISTS ({query(node.this, scope).sql})", BOOL)


EXPRESSIONS["exists"] = exists

__all__ = ["query", "quoted"]

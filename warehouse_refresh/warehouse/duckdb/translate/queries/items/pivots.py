"""PIVOT and UNPIVOT.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#pivot_operator
"""

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import common
from warehouse_refresh.warehouse.duckdb.translate.literals import string
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Array,
    Chain,
    Column,
    Field,
    FromItem,
    InParentheses,
    Item,
    Join,
    Name,
    Node,
    Select,
    Struct,
    walk,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.items.pivot_names import NAMED, leaves, names_of
from warehouse_refresh.warehouse.duckdb.translate.queries.relations import unique
from warehouse_refresh.warehouse.duckdb.translate.scope import Named, Output, Relation, Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import bare, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.coercion import same
from warehouse_refresh.warehouse.types import INT64, STRING, SqlType


def pivot(node: exp.Pivot, scope: Scope, relation: Relation, alias: str) -> Relation:
    """A relation with PIVOT or UNPIVOT as a new one."""
    if relation.is_value or any(part.element is not None for part in relation.ranges):
        word = "UNPIVOT" if node.args.get("unpivot") else "PIVOT"
        wrong(scope.script.text, node, f"{word} does not take rows that are values", "select their fields before it")
    inner = Scope(scope.script, scope.parent, scope.queries)
    source = inner.add(relation, alias)
    if len(node.args.get("fields") or ()) != 1:
        unsupported(scope.script.text, node, "this form of PIVOT")
    if node.args.get("unpivot"):
        return _unpivoted(node, inner, source, relation)
    return _pivoted(node, inner, source, relation)


def _pivoted(node: exp.Pivot, scope: Scope, source: Node, relation: Relation) -> Relation:
    field = node.args["fields"][0]
    subject = scope.compile(field.this)
    found = list[Named]()
    for item in field.expressions:
        wanted, name, alone = _value(item, scope, subject.type)
        where = sql("{a} IS NOT DISTINCT FROM {b}", a=subject.node, b=wanted.node)
        for part in node.expressions:
            prefix = part.alias if isinstance(part, exp.Alias) else ""
            if not prefix and len(node.expressions) > 1:
                wrong(scope.script.text, part, "each of several PIVOT expressions needs an alias")
            result = scope.compiler.aggregate(part.unalias(), scope, where=where)
            found.append(Named(f"{prefix}_{name}" if prefix else alone, result))
    used = {part for value in [subject, *(item.value for item in found)] for part in walk(value.node)}
    named = {column.name.casefold() for part in [field.this, *node.expressions] for column in _own_columns(part)}
    keys = [c for c in scope.columns() if c.value.node not in used and c.name.casefold() not in named]
    origins = _origins(scope, relation)
    _check_twins(node, scope, keys, [origins[name] for name in named if name in origins], origins)
    return _selected([*keys, *found], source, group=tuple([column.value.node for column in keys]))


def _own_columns(node: exp.Expr) -> Iterator[exp.Column]:
    """The columns that an expression names, its subqueries left out."""
    if isinstance(node, exp.Column):
        yield node
    elif not isinstance(node, exp.Query):
        for child in node.iter_expressions():
            yield from _own_columns(child)


def _selected(found: list[Named], source: Node, *, where: Node | None = None, group: tuple[Node, ...] = ()) -> Relation:
    names = unique([column.name for column in found])
    pairs = list(zip(found, names, strict=True))
    items = [Item(column.value.node, name) for column, name in pairs]
    columns = [Output(column.name, name, column.value.type) for column, name in pairs]
    return Relation(Select(tuple(items), source, where, group), tuple(columns))


def _value(item: exp.Expr, scope: Scope, type_: SqlType) -> tuple[Typed, str, str]:
    """A PIVOT value, the name that it gives its columns after an aggregate's alias, and the one that it gives alone."""
    has_alias = isinstance(item, exp.PivotAlias | exp.Alias)
    found = scope.compile(item.this if has_alias else item)
    value = coerce(found, type_)
    if value is None:
        wrong(scope.script.text, item, f"PIVOT: {found.type} cannot be compared with {type_}")
    if has_alias:
        return value, item.args["alias"].name, item.args["alias"].name
    for _, kind in leaves(value.node, type_):
        if kind.name not in NAMED and not found.is_null:
            wrong(scope.script.text, item, f"PIVOT: a value of type {kind} needs an alias", _ALIAS)
    return (value, *(names_of(value) or unsupported(scope.script.text, item, "PIVOT value without an alias", _ALIAS)))


_ALIAS = "write AS and a name after it"


def _unpivoted(node: exp.Pivot, scope: Scope, source: Node, relation: Relation) -> Relation:
    """UNPIVOT of one column at a time, or of several: `(v, w) FOR n IN ((a, b), (c, d))`."""
    field = node.args["fields"][0]
    names = _listed(node.expressions[0])
    read = [_listed(_without_label(item)) for item in field.expressions]
    if any(len(columns) != len(names) for columns in read):
        wrong(scope.script.text, node, f"UNPIVOT: each item of IN needs {len(names)} columns")
    for column in (column for columns in read for column in columns):
        if not isinstance(column, exp.Column | exp.Identifier):
            wrong(scope.script.text, node, "UNPIVOT: IN names columns", "compute them in a subquery before UNPIVOT")
    every = [column.name.casefold() for columns in read for column in columns]
    origins = _origins(scope, relation)
    if len({origins.get(name) for name in every}) < len(every):
        wrong(scope.script.text, node, "UNPIVOT: IN names a column twice")
    labels = _labels(field.expressions, read, scope)
    sides = [_of_one_type(node, scope, columns) for columns in zip(*read, strict=True)]
    pairs = [
        Struct((*((f"v{place}", value) for place, value in enumerate(values)), ("k", label.node)))
        for values, label in zip(zip(*(values for _, values in sides), strict=True), labels, strict=True)
    ]
    others = [column for column in scope.columns() if column.name.casefold() not in every]
    _check_twins(node, scope, others, [origins[name] for name in every if name in origins], origins)
    own = scope.script.alias()
    items = [Item(column.value.node, f"c{index}") for index, column in enumerate(others)]
    items.append(Item(sql("unnest({pairs})", pairs=Array(tuple(pairs), "")), "s"))
    rows = FromItem(Select(tuple(items), source), own)
    outputs = [
        Named(column.name, Typed(Column(own, f"c{index}"), column.value.type)) for index, column in enumerate(others)
    ]
    row = Column(own, "s")
    found = [Typed(Field(row, f"v{place}"), kind) for place, (kind, _) in enumerate(sides)]
    outputs += [Named(name.name, value) for name, value in zip(names, found, strict=True)]
    outputs.append(Named(field.this.name, Typed(Field(row, "k"), labels[0].type)))
    tests = Chain("OR", tuple([sql("{v} IS NOT NULL", v=value.node) for value in found]))
    return _selected(outputs, rows, where=None if node.args.get("include_nulls") else tests)


Origin = tuple[str, ...]
"""Where a column comes from: the FROM items through which it is handed on, and its name in the last one of them."""


def _origins(scope: Scope, relation: Relation) -> dict[str, Origin]:
    """The origins of a query's columns, by their names in small letters."""
    return {
        column.name.casefold(): _origin(scope.script.with_queries, relation.query, column.column)
        for column in relation.columns
    }


def _origin(known: Mapping[str, Node], query: Node, name: str) -> Origin:
    if isinstance(query, Name) and query.parts[0] in known:
        return _origin(known, known[query.parts[0]], name)
    if isinstance(query, Select):
        value = next((item.value for item in query.items if isinstance(item, Item) and item.alias == name), None)
        if isinstance(value, Column):
            read = [part for part in _from_items(query.source) if part.alias == value.table]
            return (value.table, *(_origin(known, read[0].query, value.name) if read else (value.name,)))
    return (name,)


def _from_items(source: Node | None) -> Iterator[FromItem]:
    if isinstance(source, FromItem):
        yield source
    elif isinstance(source, Join):
        yield from _from_items(source.left)
        yield from _from_items(source.right)
    elif isinstance(source, InParentheses):
        yield from _from_items(source.inner)


def _check_twins(
    node: exp.Expr,
    scope: Scope,
    kept: Sequence[Named],
    used: Sequence[Origin],
    origins: Mapping[str, Origin],
) -> None:
    """Raises UnsupportedSql for a column that PIVOT or UNPIVOT reads under one name and keeps under another one:
    GoogleSQL drops it, or not, by how its engine has planned the query."""
    for column in kept:
        if origins.get(column.name.casefold()) in used:
            hint = "select it once, or write an expression such as x + 0"
            unsupported(scope.script.text, node, f"PIVOT or UNPIVOT of a column with two names ({column.name})", hint)


def _listed(node: exp.Expr) -> list[exp.Expr]:
    """A column, or the columns of a list in parentheses."""
    return list(node.expressions) if isinstance(node, exp.Tuple) else [bare(node)]


def _without_label(item: exp.Expr) -> exp.Expr:
    found: exp.Expr = item.this if isinstance(item, exp.PivotAlias | exp.Alias) else item
    return found


def _of_one_type(node: exp.Expr, scope: Scope, columns: Sequence[exp.Expr]) -> tuple[SqlType, list[Node]]:
    values = [scope.compile(column) for column in columns]
    kind, found = common(node, scope, "UNPIVOT", values)
    if any(not same(value.type, kind) for value in values):
        wrong(scope.script.text, node, "UNPIVOT: the columns must have one type")
    return kind, [value.node for value in found]


def _labels(items: Sequence[exp.Expr], read: Sequence[Sequence[exp.Expr]], scope: Scope) -> list[Typed]:
    """What each item has in the column of names: a text or a number, by default its columns' names."""
    found = []
    for item, columns in zip(items, read, strict=True):
        if isinstance(item, exp.PivotAlias | exp.Alias):
            found.append(scope.compile(item.args["alias"]))
        else:
            found.append(string("_".join(column.name for column in columns)))
        if found[-1].type not in (STRING, INT64) or found[-1].literal is None:
            wrong(scope.script.text, item, "UNPIVOT: a name after AS is a STRING or an INT64", "write AS 'name'")
        if found[-1].type != found[0].type:
            wrong(scope.script.text, item, "UNPIVOT: the names after AS must have one type")
    return found

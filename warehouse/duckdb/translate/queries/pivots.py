"""PIVOT and UNPIVOT.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#pivot_operator
"""

from collections.abc import Iterator

from sqlglot import exp

from warehouse.duckdb.translate.coercion import coerce
from warehouse.duckdb.translate.expressions.checks import common
from warehouse.duckdb.translate.nodes import Array, Column, Field, FromItem, Item, Literal, Node, Select, Struct, walk
from warehouse.duckdb.translate.queries.relations import unique
from warehouse.duckdb.translate.scope import Named, Output, Relation, Scope
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.templates import sql
from warehouse.duckdb.translate.typed import Typed
from warehouse.sql.coercion import same
from warehouse.types import STRING


def pivot(node: exp.Pivot, scope: Scope, relation: Relation, alias: str) -> Relation:
    """A relation with PIVOT or UNPIVOT as a new one."""
    inner = Scope(scope.script, scope.parent, scope.queries)
    source = inner.add(relation, alias)
    if len(node.args.get("fields") or ()) != 1:
        unsupported(scope.script.text, node, "this form of PIVOT")
    if node.args.get("unpivot"):
        return _unpivoted(node, inner, source)
    return _pivoted(node, inner, source)


def _pivoted(node: exp.Pivot, scope: Scope, source: Node) -> Relation:
    field = node.args["fields"][0]
    subject = scope.compile(field.this)
    found = list[Named]()
    for item in field.expressions:
        value, name, alone = _value(item, scope)
        wanted = coerce(value, subject.type)
        if wanted is None:
            wrong(scope.script.text, item, f"PIVOT: {value.type} cannot be compared with {subject.type}")
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


def _value(item: exp.Expr, scope: Scope) -> tuple[Typed, str, str]:
    """A PIVOT value, the name that it gives its columns after an aggregate's alias, and the one that it gives alone."""
    node = item.this if isinstance(item, exp.PivotAlias | exp.Alias) else item
    value = scope.compile(node)
    if isinstance(item, exp.PivotAlias | exp.Alias):
        return value, item.args["alias"].name, item.args["alias"].name
    if isinstance(value.literal, str) and value.type == STRING and value.literal.replace("_", "a").isidentifier():
        return value, value.literal, value.literal
    if isinstance(value.literal, int) and value.literal >= 0:
        return value, str(value.literal), f"_{value.literal}"
    return unsupported(scope.script.text, item, "PIVOT value without an alias", "write AS and a name after it")


def _unpivoted(node: exp.Pivot, scope: Scope, source: Node) -> Relation:
    field = node.args["fields"][0]
    if len(node.expressions) != 1 or any(isinstance(item.unalias(), exp.Tuple) for item in field.expressions):
        unsupported(scope.script.text, node, "UNPIVOT of several columns at once")
    read = [item.this if isinstance(item, exp.PivotAlias | exp.Alias) else item for item in field.expressions]
    labels = [_label(item, scope) for item in field.expressions]
    values = [scope.compile(column) for column in read]
    kind, found = common(node, scope, "UNPIVOT", values)
    if any(not same(value.type, kind) for value in values):
        wrong(scope.script.text, node, "UNPIVOT: the columns must have one type")
    pairs = [Struct((("v", value.node), ("k", Literal(label)))) for value, label in zip(found, labels, strict=True)]
    used = {column.name.casefold() for column in read}
    others = [column for column in scope.columns() if column.name.casefold() not in used]
    own = scope.script.alias()
    items = [Item(column.value.node, f"c{index}") for index, column in enumerate(others)]
    items.append(Item(sql("unnest({pairs})", pairs=Array(tuple(pairs), "")), "s"))
    rows = FromItem(Select(tuple(items), source), own)
    outputs = [
        Named(column.name, Typed(Column(own, f"c{index}"), column.value.type)) for index, column in enumerate(others)
    ]
    row = Column(own, "s")
    outputs.append(Named(node.expressions[0].name, Typed(Field(row, "v"), kind)))
    outputs.append(Named(field.this.name, Typed(Field(row, "k"), STRING)))
    where = None if node.args.get("include_nulls") else sql("{v} IS NOT NULL", v=Field(row, "v"))
    return _selected(outputs, rows, where=where)


def _label(item: exp.Expr, scope: Scope) -> str:
    """The text that a column has in the column of names."""
    if not isinstance(item, exp.PivotAlias | exp.Alias):
        return str(item.name)
    label = item.args["alias"]
    if not (isinstance(label, exp.Literal) and label.args.get("is_string")):
        unsupported(scope.script.text, item, "UNPIVOT name that is not a STRING")
    return str(label.name)

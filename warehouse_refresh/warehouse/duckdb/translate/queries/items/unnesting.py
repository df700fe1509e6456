"""UNNEST: the elements of one array or of several ones as rows.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#unnest_operator
"""

from dataclasses import dataclass

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import only
from warehouse_refresh.warehouse.duckdb.translate.literals import null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Column, FromItem, FunctionCall, Item, Node, Select, reads
from warehouse_refresh.warehouse.duckdb.translate.queries.grouping import check_no_windows
from warehouse_refresh.warehouse.duckdb.translate.queries.items.elements import UNNEST
from warehouse_refresh.warehouse.duckdb.translate.scope import Named, Scope, Source, value_source
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.sql.rewriting.tokens import ZIP
from warehouse_refresh.warehouse.types import INT64, SqlType, array_of


def unnest(node: exp.Unnest, scope: Scope) -> Node:
    """UNNEST(array) [AS x] [WITH OFFSET [AS i]]"""
    only(node, scope, "expressions", "alias", "offset", "joins", "explode_array")
    check_no_windows(node.expressions[0], scope, "UNNEST")
    if name_of(node.expressions[0]) == ZIP:
        return _zipped(node, node.expressions[0].expressions, scope)
    value = scope.compile(node.expressions[0])
    alias = node.args.get("alias")
    columns = (alias.args.get("columns") or []) if alias else []
    name = columns[0].name if columns else (node.alias or _implied_alias(node, scope))
    return unnested(node, scope, value, name, _offset_of(node))


def _offset_of(node: exp.Unnest) -> str | None:
    """The name of the column that WITH OFFSET makes."""
    offset = node.args.get("offset")
    return offset.name if isinstance(offset, exp.Identifier) else "offset" if offset else None


def _implied_alias(node: exp.Unnest, scope: Scope) -> str:
    """`items` of `FROM orders, orders.items`; "" for `UNNEST(orders.items)`. sqlglot reads both alike."""
    path = node.expressions[0]
    if not isinstance(path, exp.Column | exp.Dot):
        return ""
    start = min((int(part.meta["start"]) for part in path.walk() if "start" in part.meta), default=0)
    return "" if scope.script.text[:start].rstrip().endswith("(") else path.name


def _element(node: exp.Expr, scope: Scope, value: Typed) -> SqlType:
    """The type of the array's elements. Raises SqlError for what is no array."""
    if value.type.element is None:
        reason = f"UNNEST takes an array, not {value.type}"
        wrong(scope.script.text, node, reason, "name an ARRAY, or make one: SPLIT(…), […]")
    return value.type.element


def unnested(node: exp.Expr, scope: Scope, value: Typed, alias: str, offset: str | None) -> Node:
    """An array's elements as rows, its names put into `scope`."""
    element = _element(node, scope, value)
    own = scope.script.alias()
    lateral = reads(value.node, scope.tables())
    source = value_source(alias, Typed(Column(own, "v"), element))
    array, inner = value.node, None
    if offset is not None and not array.cheap:  # it is read twice
        array, inner = Column("q$", "a"), FromItem(Select((Item(value.node, "a"),)), "q$")
    items = [Item(sql(UNNEST, a=array), "v")]
    if offset is not None:
        source.offset = offset
        source.columns.append(Named(offset, Typed(Column(own, "o"), INT64)))
        items.append(Item(sql("unnest({places})", places=sql("range(len({a}))", a=array)), "o"))
    scope.put(source)
    return FromItem(Select(tuple(items), inner), own, lateral)


# Several arrays


_ROWS = {
    "PAD": "{a}",
    "TRUNCATE": "list_slice({a}, 1, {shortest})",
    "STRICT": (
        "CASE WHEN {shortest} <> {longest} THEN error('Unnested arrays under STRICT mode must have equal lengths')"
        " ELSE {a} END"
    ),
}
"""What each mode makes of an array before DuckDB pads it with NULLs to the length of the longest."""


def _zipped(node: exp.Unnest, parts: list[exp.Expr], scope: Scope) -> Node:
    """UNNEST(a AS x, b AS y [, mode => 'TRUNCATE']): the n-th elements of all arrays are a row."""
    if node.args.get("alias"):
        reason = "UNNEST(array AS x, …) takes no alias after its parenthesis"
        wrong(scope.script.text, node, reason, "write an alias after each array, within the parenthesis")
    arrays = [_array(node, scope, part) for part in parts if not isinstance(part, exp.Kwarg)]
    mode = _ROWS[_mode(node, scope, [part for part in parts if isinstance(part, exp.Kwarg)])]
    own, read = scope.script.alias(), [Column("q$", f"a{index}") for index in range(len(arrays))]
    lengths = [sql("coalesce(len({a}), 0)", a=array) for array in read]
    longest, shortest = FunctionCall("greatest", tuple(lengths)), FunctionCall("least", tuple(lengths))
    lateral = any(reads(array.value.node, scope.tables()) for array in arrays)
    items = []
    for index, (array, column) in enumerate(zip(arrays, read, strict=True)):
        rows = sql(mode, a=column, shortest=shortest, longest=longest) if "{shortest}" in mode else column
        items.append(Item(sql("unnest({a})", a=rows), f"v{index}"))
        kind = _element(node, scope, array.value)
        scope.put(value_source(array.alias, Typed(Column(own, f"v{index}"), kind)))
    if (offset := _offset_of(node)) is not None:
        items.append(Item(sql("unnest(range({n}))", n=shortest if mode == _ROWS["TRUNCATE"] else longest), "o"))
        scope.put(Source("", [Named(offset, Typed(Column(own, "o"), INT64))], offset=offset))
    inner = Select(tuple([Item(array.value.node, column.name) for array, column in zip(arrays, read, strict=True)]))
    return FromItem(Select(tuple(items), FromItem(inner, "q$")), own, lateral)


@dataclass(frozen=True, slots=True)
class _Array:
    """One of several arrays: its value, and the name of its elements."""

    value: Typed
    alias: str


def _array(node: exp.Unnest, scope: Scope, part: exp.Expr) -> _Array:
    inner = part.this if isinstance(part, exp.Alias) else part
    value = scope.compile(inner)
    if value.is_null:
        value = null(array_of(INT64))
    _element(node, scope, value)
    is_path = isinstance(inner, exp.Column | exp.Dot)
    return _Array(value, part.alias or (inner.name if is_path else ""))


def _mode(node: exp.Unnest, scope: Scope, options: list[exp.Expr]) -> str:
    """How arrays of different lengths are put together."""
    if not options:
        return "PAD"
    value = options[0].expression
    if len(options) > 1 or options[0].this.name.casefold() != "mode":
        wrong(scope.script.text, node, "UNNEST takes arrays and one mode", "write mode => 'PAD'")
    if not isinstance(value, exp.Literal):
        unsupported(scope.script.text, node, "UNNEST with a mode that is not a literal")
    if value.name not in _ROWS:
        wrong(scope.script.text, node, f"UNNEST has no mode {value.name!r}", f"write one of {', '.join(_ROWS)}")
    return value.name

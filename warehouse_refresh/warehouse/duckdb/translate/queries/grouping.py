"""What a SELECT sees after it has grouped: the keys and the aggregates, nothing else.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#group_by_clause
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import only
from warehouse_refresh.warehouse.duckdb.translate.functions.known import AGGREGATE_NAMES
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    AggregateCall,
    Column,
    Field,
    FunctionCall,
    Item,
    Literal,
    Node,
    Select,
    SortKey,
    Struct,
    reads,
    rebuilt,
    walk,
)
from warehouse_refresh.warehouse.duckdb.translate.queries.ordering import is_literal, position_of
from warehouse_refresh.warehouse.duckdb.translate.queries.stars import (
    is_star_of_value,
    star_of,
    starred,
    struct_star,
    without_excepted,
)
from warehouse_refresh.warehouse.duckdb.translate.scope import Named, Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import bare, name_of, name_of_item, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import is_random, sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.sql.coercion import is_groupable
from warehouse_refresh.warehouse.types import INT64, SqlType


def is_aggregate(node: exp.Expr) -> bool:
    """Whether it is a call of an aggregate function, with or without SAFE."""
    call = node.this if isinstance(node, exp.SafeFunc) else node
    return isinstance(call, exp.Anonymous) and name_of(call) in AGGREGATE_NAMES


def aggregates_in(node: exp.Expr) -> Iterator[exp.Expr]:
    """The aggregate calls of an expression itself: not those of its subqueries, nor window functions."""
    waiting = [node]  # not by recursion: a chain of operators may be thousands long
    while waiting:
        found = waiting.pop()
        if is_aggregate(found):
            yield found
        elif isinstance(found, exp.Window):
            inner = found.this.this if isinstance(found.this, exp.SafeFunc) else found.this
            parts = [*inner.iter_expressions(), *(part for part in found.iter_expressions() if part is not found.this)]
            waiting += reversed(parts)
        elif not isinstance(found, exp.Query):
            waiting += reversed(list(found.iter_expressions()))


def windows_in(node: exp.Expr) -> Iterator[exp.Expr]:
    """The window functions of an expression itself, not those of its subqueries."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, exp.Window):
            yield found
        elif not isinstance(found, exp.Query):
            waiting += reversed(list(found.iter_expressions()))


def check_no_windows(node: exp.Expr, scope: Scope, clause: str) -> None:
    """Raises SqlError for a clause that holds a window function."""
    if found := next(windows_in(node), None):
        hint = "write QUALIFY" if clause in ("WHERE", "HAVING") else "compute it in a subquery first"
        wrong(scope.script.text, found, f"{clause} cannot hold a window function", hint)


class GroupedScope(Scope):
    """The names after grouping. `own` is the alias of the inner query that groups."""

    def __init__(self, base: Scope) -> None:
        super().__init__(base.script, base.parent, base.queries)
        self.base, self.own = base, base.script.alias()
        self.sources, self.listed, self.windows = base.sources, base.listed, base.windows
        self.keys: dict[Node, Typed] = {}
        self.computed: dict[Node, Typed] = {}
        self.sets: tuple[Node, ...] = ()
        self.named: set[tuple[int, str]] = set()  # the items of SELECT that GROUP BY names: all of a star have one node
        self._kinds: set[type[exp.Expr]] = set()
        self._items: dict[int, Typed] = {}

    def add_key(self, node: exp.Expr, value: Typed) -> Node:
        """Group by a value, which may be an item of SELECT; gives the key as the inner query's clauses name it."""
        kind = value.type
        if not is_groupable(kind):
            unsupported(self.script.text, node, f"GROUP BY of {kind}", "group by TO_JSON_STRING of it")
        key = self.keys.setdefault(value.node, Typed(Column(self.own, f"k${len(self.keys) + 1}"), kind))
        self._kinds.add(type(node))
        self._items[id(node)] = key
        return _by_name(key)

    def is_key(self, item: "ListItem") -> bool:
        """Whether GROUP BY names this item of SELECT."""
        return (id(item.node), item.name) in self.named

    def key_of_item(self, node: exp.Expr, value: Typed) -> Node | None:
        """A key of its own for an item of SELECT that is computed as another key is, as clauses name it."""
        if value.node not in self.keys or isinstance(value.node, Column | Field):
            return None
        if id(node) in self._items:
            return _by_name(self._items[id(node)])
        return self.add_key(node, Typed(sql("coalesce({x})", x=value.node), value.type))

    def keys_of(self, star: exp.Expr) -> list[Named]:
        """The fields that `.*` of an expression stands for, if they are keys themselves; else none."""
        if any(True for _ in aggregates_in(star.this)):
            return []
        columns = struct_star(star, self.base, self.base.compile(star.this))
        return columns if any(column.value.node in self.keys for column in columns) else []

    def compile(self, node: exp.Expr) -> Typed:
        if is_aggregate(node):
            return self.aggregate(node)
        return super().compile(node)

    def compile_whole(self, node: exp.Expr) -> Typed:
        """A whole item of SELECT or ORDER BY: what GROUP BY names by its alias or number, or what it has itself,
        written again. A subquery written again is another one, as in GoogleSQL."""
        node = bare(node)
        if id(node) in self._items:
            return self._items[id(node)]
        if type(node) in self._kinds and not isinstance(node, exp.Column):
            found = self._as_key(node)
            if found is not None:
                return (self._of_keys(node) or found) if self.sets else found
        return self.compile(node)

    def _of_keys(self, node: exp.Expr) -> Typed | None:
        """An expression computed from keys that are columns, if it reads nothing else, as GoogleSQL does it. The key
        that is written alike may be NULL in a grouping set that has these columns."""
        try:
            return self.compile(node)
        except SqlError:
            return None

    def _as_key(self, node: exp.Expr) -> Typed | None:
        if any(True for _ in aggregates_in(node)):
            return None
        try:
            return self.keys.get(self.base.compile(node).node)
        except SqlError:
            return None

    def aggregate(self, node: exp.Expr) -> Typed:
        """An aggregate, computed by the inner query."""
        value = self._grouping(node) if name_of(node) == "GROUPING" else self.compiler.aggregate(node, self.base)
        found = self._over_own_rows(value.node)
        if found in self.computed and is_random(found):  # DuckDB computes equal aggregates once
            hint = "compute each in a subquery of its own"
            unsupported(self.script.text, node, "aggregates of RAND() that are written alike", hint)
        return self._computed(found, value.type)

    def _computed(self, node: Node, kind: SqlType) -> Typed:
        """A column of the inner query."""
        return self.computed.setdefault(node, Typed(Column(self.own, f"a{len(self.computed) + 1}"), kind))

    def has_rows(self) -> Node:
        """Whether a group has rows: unlike DuckDB, GoogleSQL has no total of ROLLUP and the like over none."""
        return sql("{count} > 0", count=self._computed(sql("count(*)"), INT64).node)

    def _grouping(self, node: exp.Expr) -> Typed:
        """GROUPING(key): whether a row is over all values of the key."""
        if len(node.expressions) != 1:
            wrong(self.script.text, node, "GROUPING takes one argument")
        key = self._as_key(node.expressions[0])
        if key is None:
            wrong(self.script.text, node, "GROUPING takes what GROUP BY has", "write a key as it stands in GROUP BY")
        return Typed(sql("grouping({x})::BIGINT", x=_by_name(key)) if self.sets else sql("0::BIGINT"), INT64)

    def _over_own_rows(self, node: Node) -> Node:
        """An aggregate call with a column of its own FROM in it: without one DuckDB would take it for a call of the
        query around it, of which it has columns."""
        own = next(self.base.stored(), None) if self.base.is_correlated else None
        tables = self.base.tables() if own is not None else set()

        def anchored(part: Node) -> Node:
            if own is None or not isinstance(part, AggregateCall):
                return part
            if reads(part, tables) or not any(isinstance(inner, Column) for inner in walk(part)):
                return part
            values = [value for value in part.arguments if not isinstance(value, Literal)]
            anchors = {value: Field(Struct((("x", value), ("own", own))), "x") for value in values}
            order = [SortKey(anchors.get(key.key, key.key), key.direction, key.value) for key in part.order]
            arguments = tuple([anchors.get(value, value) for value in part.arguments])
            return replace(part, arguments=arguments, order=tuple(order))

        return rebuilt(node, anchored) if own is not None else node

    def find(self, node: exp.Expr, path: Sequence[str]) -> Typed | None:
        if (item := self.aliased(node, path)) is not None:
            return item
        if path[0].casefold() in self.lambdas:
            return super().find(node, path)
        for length in range(len(path), 0, -1):
            found = self.base.find(node, path[:length])
            if found is None or found.node not in self.keys:
                continue
            if length == len(path) or not isinstance(found.node, Struct):  # no column of a table that is a key
                return self.fields(node, self.keys[found.node], path[length:])
        found = self.base.find(node, path)
        if found is not None and isinstance(found.node, Field) and found.node.struct in self.keys:
            return self.field(node, self.keys[found.node.struct], path[-1])
        return self.seen(node, found, path) if found is not None else None

    def seen(self, node: exp.Expr, value: Typed, path: Sequence[str]) -> Typed:
        """A column of the tables, if it is a key; what reads none of them as it is."""
        if value.node not in self.keys:
            if not reads(value.node, self.base.tables()):
                return value
            name = ".".join(path)
            wrong(
                self.script.text,
                node,
                f"{name} is neither in GROUP BY nor in an aggregate function",
                f"add {name} to GROUP BY, or write ANY_VALUE({name})",
            )
        return self.keys[value.node]

    def inner(self, bare: Select) -> Select:
        """The query that groups and aggregates, of which `bare` has FROM and WHERE."""
        items = [
            Item(node, value.node.name)
            for node, value in [*self.keys.items(), *self.computed.items()]
            if isinstance(value.node, Column)
        ]
        # By position: DuckDB does not see that two lambdas whose parameters have other names are the same.
        positions = tuple([Literal(index + 1) for index in range(len(self.keys))])
        return replace(bare, items=tuple(items) or (sql("count(*)"),), group=self.sets or positions)


def _by_name(key: Typed) -> Node:
    """A key by its name alone: DuckDB would compute the expression of one key from another one, if it could."""
    return Column("", key.node.name) if isinstance(key.node, Column) else key.node


def grouped_scope(node: exp.Select, base: Scope) -> GroupedScope:
    """The scope of a SELECT that groups or aggregates."""
    scope = GroupedScope(base)
    group = node.args.get("group")
    if group is None:
        return scope
    only(group, base, "expressions", "all", "rollup", "cube", "grouping_sets")
    for name in ("rollup", "cube", "grouping_sets"):
        if group.args.get(name):
            unsupported(base.script.text, group, f"this form of {name.upper()}")
    parts = group.expressions
    if len(parts) > 1 and any(isinstance(part, exp.Tuple) and not part.expressions for part in parts):
        wrong(base.script.text, group, "GROUP BY () stands alone", "write GROUPING SETS")
    items = list_items(node, scope)
    if group.args.get("all"):
        _group_by_all(items, scope)
    keys = [_struct_key(part, scope) or _group_item(part, items, scope) for part in parts]
    if any(isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets) for part in parts):
        scope.sets = tuple(keys)
    _check_stars(items, scope)
    return scope


def _check_stars(items: "list[ListItem]", scope: GroupedScope) -> None:
    """Raises SqlError for `s.*` where GROUP BY has s.a: a star takes the keys that name its items."""
    for item in items:
        value = item.value
        if value is not None and isinstance(value.node, Field) and value.node in scope.keys and not scope.is_key(item):
            reason = f"{item.name} of .* is not in GROUP BY, which has a field of that name by its path"
            wrong(scope.script.text, item.node, reason, f"group by {item.name}, or select the path")


@dataclass(frozen=True, slots=True)
class ListItem:
    """A column of a SELECT list before grouping: its name, and its expression, or the `*` that stands for it, with its
    value."""

    name: str
    node: exp.Expr
    value: Typed | None = None

    def of(self, scope: Scope) -> Typed:
        """Its value over the tables. Raises SqlError."""
        return self.value or scope.compile(self.node)


def list_items(node: exp.Select, scope: GroupedScope) -> list[ListItem]:
    """The columns of a SELECT list, `*` written out. `.*` of an aggregate whose fields are not known before grouping is
    one item."""
    return [item for part in node.expressions for item in _items_of(part, scope)]


def _items_of(part: exp.Expr, scope: GroupedScope) -> list[ListItem]:
    if is_star_of_value(part):
        columns: list[Named] | None = _fields_of_value(part, scope)
        if columns is None:
            return [ListItem("", part)]
    elif (columns := starred(part, scope.base)) is None:
        return [ListItem(name_of_item(part), bare(part.unalias()))]
    star = star_of(part)
    new = {item.alias.casefold(): bare(item.this) for item in star.args.get("replace") or ()}
    alone = part.copy()
    star_of(alone).set("replace", None)
    return [
        ListItem(column.name, new[column.name.casefold()])
        if column.name.casefold() in new
        else ListItem(column.name, alone, column.value)
        for column in without_excepted(star, scope, columns)
    ]


def _fields_of_value(part: exp.Expr, scope: GroupedScope) -> list[Named] | None:
    """What `.*` of an expression stands for; None if that is known after grouping only."""
    try:
        has_aggregates = any(True for _ in aggregates_in(part.this))
        return struct_star(part, scope, (scope if has_aggregates else scope.base).compile(part.this))
    except SqlError:
        return None


def _group_by_all(items: list[ListItem], scope: GroupedScope) -> None:
    """GROUP BY ALL: by every item that reads a column and holds neither an aggregate nor a window function.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#group_by_all"""
    for item in items:
        if not any(True for found in (aggregates_in(item.node), windows_in(item.node)) for _ in found):
            value = item.of(scope.base)
            if reads(value.node, scope.base.tables()):
                scope.named.add((id(item.node), item.name))
                scope.add_key(item.node, value)


def _struct_key(part: exp.Expr, scope: GroupedScope) -> Node | None:
    """The key of GROUP BY (a, b), a STRUCT of columns: its fields are no items of SELECT. None for any other key."""
    if not isinstance(part, exp.Tuple) or not part.expressions:
        return None
    value = scope.base.compile(part)
    if is_literal(part, value):
        wrong(scope.script.text, part, "GROUP BY cannot hold a literal", "take out the parentheses")
    return scope.add_key(part, value)


def _group_item(part: exp.Expr, items: list[ListItem], scope: GroupedScope) -> Node:
    """A key, or ROLLUP, CUBE, GROUPING SETS of keys, as it stands in GROUP BY."""
    if isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets):
        word = {exp.Rollup: "ROLLUP", exp.Cube: "CUBE", exp.GroupingSets: "GROUPING SETS"}[type(part)]
        return FunctionCall(word, tuple([_in_set(inner, items, scope) for inner in part.expressions]))
    if isinstance(part, exp.Tuple):
        return FunctionCall("", tuple([_in_set(inner, items, scope) for inner in part.expressions]))
    part = bare(part)
    item = _named_by(part, items, scope)
    target = item.node if item is not None else part
    if any(True for _ in aggregates_in(target)):
        wrong(scope.script.text, part, "GROUP BY cannot hold an aggregate function")
    check_no_windows(target, scope, "GROUP BY")
    value = item.of(scope.base) if item is not None else scope.base.compile(part)
    if item is not None:
        scope.named.add((id(item.node), item.name))
    elif is_literal(part, value):
        wrong(scope.script.text, part, "GROUP BY cannot hold a literal", "take it out, or name an item of SELECT")
    return scope.add_key(target, value)


def _in_set(part: exp.Expr, items: list[ListItem], scope: GroupedScope) -> Node:
    """A key of a grouping set. Two items of SELECT that are computed alike are two keys there: each is NULL in the sets
    that have the other one alone."""
    named = None if isinstance(part, exp.Tuple | exp.Rollup | exp.Cube) else _named_by(bare(part), items, scope)
    if named is not None and (key := scope.key_of_item(named.node, named.of(scope.base))) is not None:
        return key
    return _group_item(part, items, scope)


def _named_by(part: exp.Expr, items: list[ListItem], scope: GroupedScope) -> ListItem | None:
    """The item of SELECT that a key names by its position or alias; None for any other key."""
    position = position_of(part)
    if position is not None:
        if any(is_star_of_value(item.node) and item.value is None for item in items[:position]):
            unsupported(
                scope.script.text, part, f"GROUP BY {position} after .* of an aggregate", "write the key's name"
            )
        if not 1 <= position <= len(items):
            wrong(scope.script.text, part, f"GROUP BY {position}: there are {len(items)} columns")
        return items[position - 1]
    if not isinstance(part, exp.Column) or part.args.get("table"):
        _check_path(part, items, scope)
        return None
    named = [item for item in items if item.name.casefold() == part.name.casefold()]
    if len(named) > 1:
        reason = f"{part.name} in GROUP BY is ambiguous: several columns of SELECT have that name"
        wrong(scope.script.text, part, reason, "give each its own alias, or write their numbers")
    return named[0] if named else None


def _check_path(part: exp.Expr, items: list[ListItem], scope: GroupedScope) -> None:
    """Raises SqlError for a path that begins with the name of an item: GoogleSQL takes it for a field of that item."""
    first = part
    while isinstance(first, exp.Dot):
        first = first.this
    name = first.parts[0].name if isinstance(first, exp.Column) else ""
    if name and any(item.name.casefold() == name.casefold() for item in items):
        reason = f"GROUP BY takes {name} for the item of SELECT with that name, and cannot group by a field of it"
        wrong(scope.script.text, part, reason, "give the item or the table another name, or write the item's number")

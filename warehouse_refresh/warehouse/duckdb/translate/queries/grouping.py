"""What a SELECT sees after it has grouped: the keys and the aggregates, nothing else.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#group_by_clause
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import only
from warehouse_refresh.warehouse.duckdb.translate.functions.known import AGGREGATE_NAMES
from warehouse_refresh.warehouse.duckdb.translate.nodes import Column, FunctionCall, Item, Literal, Node, Select, walk
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.sql.coercion import is_groupable


def is_aggregate(node: exp.Expr) -> bool:
    """Whether it is a call of an aggregate function, with or without SAFE."""
    call = node.this if isinstance(node, exp.SafeFunc) else node
    return isinstance(call, exp.Anonymous) and name_of(call) in AGGREGATE_NAMES


def aggregates_in(node: exp.Expr) -> Iterator[exp.Expr]:
    """The aggregate calls of an expression itself: not those of its subqueries, nor window functions."""
    if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
        return
    if isinstance(node, exp.Subquery):
        return
    if isinstance(node, exp.Window):
        inner = node.this
        for child in [*inner.iter_expressions(), *(c for c in node.iter_expressions() if c is not inner)]:
            yield from aggregates_in(child)
        return
    if is_aggregate(node):
        yield node
        return
    for child in node.iter_expressions():
        yield from aggregates_in(child)


def windows_in(node: exp.Expr) -> Iterator[exp.Expr]:
    """The window functions of an expression itself, not those of its subqueries."""
    if isinstance(node, exp.Window):
        yield node
    elif not isinstance(node, exp.Query):
        for child in node.iter_expressions():
            yield from windows_in(child)


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
        self._kinds: set[type[exp.Expr]] = set()

    def add_key(self, node: exp.Expr, value: Typed) -> None:
        """Group by a value."""
        kind = value.type
        if not is_groupable(kind):
            unsupported(self.script.text, node, f"GROUP BY of {kind}", "group by TO_JSON_STRING of it")
        self._kinds.add(type(node.unalias()))
        self.keys.setdefault(value.node, Typed(Column(self.own, f"k{len(self.keys) + 1}"), kind))

    def compile(self, node: exp.Expr) -> Typed:
        if is_aggregate(node):
            return self.aggregate(node)
        return super().compile(node)

    def compile_whole(self, node: exp.Expr) -> Typed:
        """A whole item of SELECT or ORDER BY, which may be what GROUP BY has, written again."""
        if type(node) in self._kinds and not isinstance(node, exp.Column):
            found = self._as_key(node)
            if found is not None:
                return found
        return self.compile(node)

    def _as_key(self, node: exp.Expr) -> Typed | None:
        if any(True for _ in aggregates_in(node)):
            return None
        try:
            return self.keys.get(self.base.compile(node).node)
        except SqlError:
            return None

    def aggregate(self, node: exp.Expr) -> Typed:
        """An aggregate, computed by the inner query."""
        value = self.compiler.aggregate(node, self.base)
        column = Column(self.own, f"a{len(self.computed) + 1}")
        return self.computed.setdefault(value.node, Typed(column, value.type))

    def find(self, node: exp.Expr, path: Sequence[str]) -> Typed | None:
        if path[0].casefold() in self.aliases:
            return self.fields(node, self.aliases[path[0].casefold()], path[1:])
        if path[0].casefold() in self.lambdas:
            return super().find(node, path)
        for length in range(len(path), 0, -1):
            found = self.base.find(node, path[:length])
            if found is not None and found.node in self.keys:
                return self.fields(node, self.keys[found.node], path[length:])
        found = self.base.find(node, path)
        return self.seen(node, found, path) if found is not None else None

    def seen(self, node: exp.Expr, value: Typed, path: Sequence[str]) -> Typed:
        """A column of the tables, if it is a key."""
        if value.node not in self.keys:
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
    if group.args.get("all"):
        _group_by_all(node, scope)
        return scope
    parts = group.expressions
    if len(parts) > 1 and any(isinstance(part, exp.Tuple) and not part.expressions for part in parts):
        wrong(base.script.text, group, "GROUP BY () stands alone", "write GROUPING SETS")
    items = [_group_item(part, node, scope) for part in group.expressions]
    if any(isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets) for part in group.expressions):
        scope.sets = tuple(items)
        _check_sets(group, scope)
    return scope


def _check_sets(group: exp.Expr, scope: GroupedScope) -> None:
    """Raises UnsupportedSql for a key made of another one: DuckDB computes it from that key, which may be NULL here."""
    for key in scope.keys:
        if any(part in scope.keys for part in walk(key) if part != key):
            what = "ROLLUP, CUBE or GROUPING SETS over an expression of another key"
            unsupported(scope.script.text, group, what, "compute the keys in a subquery before")


def _group_by_all(node: exp.Select, scope: GroupedScope) -> None:
    """GROUP BY ALL: by every item that holds no aggregate."""
    for part in node.expressions:
        if any(True for _ in aggregates_in(part)) or any(True for _ in windows_in(part)):
            continue
        if isinstance(part.unalias(), exp.Star):
            unsupported(scope.script.text, part, "GROUP BY ALL with *")
        value = scope.base.compile(part.unalias())
        if value.literal is not None:  # a constant is no key
            continue
        if not any(isinstance(inner, Column) for inner in walk(value.node)):
            unsupported(scope.script.text, part, "GROUP BY ALL with an expression that reads no column")
        scope.add_key(part, value)


def _group_item(part: exp.Expr, node: exp.Select, scope: GroupedScope) -> Node:
    """A key, or ROLLUP, CUBE, GROUPING SETS of keys, as it stands in GROUP BY."""
    if isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets):
        word = {exp.Rollup: "ROLLUP", exp.Cube: "CUBE", exp.GroupingSets: "GROUPING SETS"}[type(part)]
        return FunctionCall(word, tuple([_group_item(inner, node, scope) for inner in part.expressions]))
    if isinstance(part, exp.Tuple):
        return FunctionCall("", tuple([_group_item(inner, node, scope) for inner in part.expressions]))
    target = _group_target(part, node, scope)
    if any(True for _ in aggregates_in(target)):
        wrong(scope.script.text, part, "GROUP BY cannot hold an aggregate function")
    check_no_windows(target, scope, "GROUP BY")
    value = scope.base.compile(target)
    if value.literal is not None and not isinstance(part, exp.Literal):
        unsupported(scope.script.text, part, "GROUP BY of a literal")
    scope.add_key(target, value)
    return value.node


def _group_target(part: exp.Expr, node: exp.Select, scope: GroupedScope) -> exp.Expr:
    """What a key stands for: an item by its position or alias, or itself."""
    if isinstance(part, exp.Literal) and not part.args.get("is_string") and str(part.this).isdigit():
        position = int(part.this)
        if not 1 <= position <= len(node.expressions):
            wrong(scope.script.text, part, f"GROUP BY {position}: there are {len(node.expressions)} columns")
        item: exp.Expr = node.expressions[position - 1].unalias()
        return item
    if isinstance(part, exp.Column) and not part.args.get("table"):
        for item in node.expressions:
            if isinstance(item, exp.Alias) and item.alias.casefold() == part.name.casefold():
                target: exp.Expr = item.this
                return target
    return part

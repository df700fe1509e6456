"""Windows by what DuckDB does not take in PARTITION BY and ORDER BY of a window: whatever it counts as volatile, which
is RAND() and all that may fail by `error(…)`, and subqueries with windows. An inner query computes it for them."""

from dataclasses import replace

from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Column,
    FromItem,
    Item,
    Node,
    Over,
    Select,
    SortKey,
    rebuilt,
    walk,
)
from warehouse_refresh.warehouse.duckdb.translate.scope import Script
from warehouse_refresh.warehouse.duckdb.translate.templates import is_random, is_volatile


def with_plain_windows(select: Select, script: Script) -> Select:
    """The SELECT, its windows by columns of an inner query; as it is where DuckDB takes all their keys."""
    clauses = (*select.items, *select.order, *((select.qualify,) if select.qualify is not None else ()))
    if not any(_is_hard(key) for clause in clauses for key in _keys(clause)):
        return select
    inner = _Inner(script.alias(), select.source)
    items = tuple([rebuilt(item, inner.read) for item in select.items])
    order = tuple([SortKey(inner.of(key.key), key.direction, inner.of(key.value)) for key in select.order])
    qualify = inner.of(select.qualify) if select.qualify is not None else None
    listed = tuple([Item(value, name) for value, name in inner.columns])
    source = FromItem(Select(listed, select.source, select.where), inner.own)
    return replace(select, items=items, source=source, where=None, qualify=qualify, order=order)


def _is_hard(key: Node) -> bool:
    return is_volatile(key) or any(isinstance(part, Over) for part in walk(key))


def _keys(node: Node) -> list[Node]:
    windows = [part for part in walk(node) if isinstance(part, Over)]
    return [key for over in windows for key in (*over.partition, *[key.key for key in over.order])]


class _Inner:
    """The inner query: the windows' keys, and the columns that the outer one reads."""

    def __init__(self, own: str, source: Node | None) -> None:
        self.own = own
        self.columns: list[tuple[Node, str]] = []
        self._tables = {part.alias for part in walk(source) if isinstance(part, FromItem)} if source else set[str]()

    def of(self, node: Node) -> Node:
        """The node as the outer query has it."""
        return rebuilt(node, self.read)

    def read(self, node: Node) -> Node:
        """A column of the tables as one of the inner query's, a window with its keys as such; others as they are."""
        if isinstance(node, Column) and node.table in self._tables:
            return self._column(node)
        if isinstance(node, Over):
            order = [SortKey(self._key(key.key), key.direction, self._key(key.value)) for key in node.order]
            return replace(node, partition=tuple([self._key(key) for key in node.partition]), order=tuple(order))
        return node

    def _key(self, node: Node) -> Node:
        return self._column(node) if _is_hard(node) else self.of(node)

    def _column(self, node: Node) -> Node:
        for value, name in self.columns:
            if value is node or (value == node and not is_random(node)):
                return Column(self.own, name)
        self.columns.append((node, f"c{len(self.columns) + 1}"))
        return Column(self.own, self.columns[-1][1])

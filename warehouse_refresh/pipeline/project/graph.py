"""The dependencies between tables, as plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from warehouse_refresh.warehouse.names import TableName


@dataclass(frozen=True)
class Graph:
    """The tables to build. `dependencies` has for each one the tables of this graph that must be built before it. It
    has no cycles: check with `find_cycles` first."""

    dependencies: Mapping[TableName, frozenset[TableName]]

    @cached_property
    def dependents(self) -> dict[TableName, list[TableName]]:
        """For each table the tables that depend on it directly, in order of their names."""
        found: dict[TableName, list[TableName]] = {table: [] for table in self.dependencies}
        for table in sorted(self.dependencies):
            for dependency in self.dependencies[table]:
                found[dependency].append(table)
        return found

    @cached_property
    def order(self) -> list[TableName]:
        """Every table after its dependencies: level by level, and the most urgent first in each level."""
        return [table for level in self.levels for table in level]

    @cached_property
    def levels(self) -> list[list[TableName]]:
        """The tables in levels: first those without dependencies, then those that need only the levels before."""
        sorter = TopologicalSorter(self.dependencies)
        sorter.prepare()
        levels = []
        while sorter.is_active():
            ready = sorter.get_ready()
            sorter.done(*ready)
            levels.append(sorted(ready, key=self.urgency))
        return levels

    @cached_property
    def _heights(self) -> dict[TableName, int]:
        """For each table, the length of the longest chain of dependents that starts with it; 1 without dependents."""
        heights: dict[TableName, int] = {}
        for table in TopologicalSorter(self.dependents).static_order():
            heights[table] = 1 + max((heights[after] for after in self.dependents[table]), default=0)
        return heights

    def urgency(self, table: TableName) -> tuple[int, TableName]:
        """A sort key: the table with the longest chain of dependents comes first, then the names decide."""
        return (-self._heights[table], table)

    def upstream(self, table: TableName, steps: int | None = None) -> set[TableName]:
        """All tables that must be built before `table`, up to so many steps away."""
        return _reachable(table, self.dependencies, steps)

    def downstream(self, table: TableName, steps: int | None = None) -> set[TableName]:
        """All tables that `table` must be built before, up to so many steps away."""
        return _reachable(table, self.dependents, steps)

    def only(self, tables: Iterable[TableName]) -> "Graph":
        """The graph of `tables` alone. A table that depends on another one through tables that are left out still
        depends on it."""
        kept = set(tables)
        nearest: dict[TableName, frozenset[TableName]] = {}
        for table in self.order:
            nearest[table] = frozenset().union(
                *({near} if near in kept else nearest[near] for near in self.dependencies[table])
            )
        return Graph({table: nearest[table] for table in self.dependencies if table in kept})


def find_cycles(dependencies: Mapping[TableName, Iterable[TableName]]) -> list[list[TableName]]:
    """Cycles, each as a path `[a, b, a]`: a depends on b, and b on a. An empty list means that there are none.

    Of cycles that share a table only one is returned, so others may remain once these are removed.
    """
    rest = {table: set(needed) for table, needed in dependencies.items()}
    cycles = []
    while True:
        try:
            TopologicalSorter(rest).prepare()
        except CycleError as error:
            cycles.append(_from_smallest(error.args[1][::-1]))
            rest = {table: needed for table, needed in rest.items() if table not in cycles[-1]}
        else:
            return sorted(cycles)


def _from_smallest(cycle: list[TableName]) -> list[TableName]:
    start = cycle.index(min(cycle))
    return [*cycle[start:-1], *cycle[: start + 1]]


def _reachable(
    start: TableName, edges: Mapping[TableName, Iterable[TableName]], steps: int | None = None
) -> set[TableName]:
    found: set[TableName] = set()
    last = {start}
    while last and steps != 0:
        last = {near for table in last for near in edges[table]} - found
        found |= last
        steps = None if steps is None else steps - 1
    return found

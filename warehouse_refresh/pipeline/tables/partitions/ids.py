"""Up to which id a table has rows that is built by ranges of ids: its settings name a column of a raw table, `until`,
whose highest value is asked before anything is built."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import reads_of
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.builds.parts import MOST_RANGES, PartRecord, Ranges
from warehouse_refresh.warehouse.errors import SqlError, TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Variable, parse_query
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import INT64, Column

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.raw.loading.planning import LoadPlan

Source = tuple[TableName, str]
"""A table and one of its columns."""
HINT = 'name a column of a raw table that has the highest id, such as until = "raw.orders.id"'


def source_of(script: Script) -> Source | None:
    """The column that the settings of the script's table name, or None."""
    build = script.settings.says.build if script.settings is not None else None
    return build.source if build is not None else None


def sources_of(table: TableName, scripts: Mapping[TableName, Script]) -> set[Source]:
    """The columns up to whose highest id the table has rows: its own one, or those of the tables that it is built
    from."""
    return set(_sources(table, scripts, set()))


def _sources(table: TableName, scripts: Mapping[TableName, Script], seen: set[TableName]) -> Iterator[Source]:
    if table in seen or table not in scripts:
        return
    seen.add(table)
    if own := source_of(scripts[table]):
        yield own
        return
    for read in scripts[table].query.reads:
        yield from _sources(read.table, scripts, seen)


def ranges_of(script: Script) -> Ranges | None:
    """The ranges of ids that the table is built by; None if it is built otherwise."""
    build = script.settings.says.build if script.settings is not None else None
    unit = build.by_date.unit if build is not None else None
    return unit if isinstance(unit, Ranges) else None


def source_problems(script: Script, scripts: Mapping[TableName, Script]) -> Iterator[Problem]:
    """What is wrong with what says up to which id the table has rows, as far as the project's files tell."""
    if script.settings is None or ranges_of(script) is None:
        return
    own = source_of(script)
    if own is not None and own[0] in scripts:
        reason = f"a script builds {own[0]}, so that its highest id is not known when a refresh begins"
        yield script.settings.problem(("build", "until"), reason, HINT)
    elif own is not None and own[0] not in (inputs := _built_from(script.table, scripts)):
        reason = f"{script.table} is not built from {own[0]}"
        hint = did_you_mean(str(own[0]), [str(table) for table in inputs - scripts.keys()]) or HINT
        yield script.settings.problem(("build", "until"), reason, hint)
    elif not sources_of(script.table, scripts):
        reason = (
            f"nothing says up to which id {script.table} has rows: neither these settings nor those of what it reads"
        )
        yield script.settings.problem(("build",), reason, HINT)


def _built_from(table: TableName, scripts: Mapping[TableName, Script]) -> set[TableName]:
    """All tables that the table is built from, directly or through others."""
    found: set[TableName] = set()
    left = [table]
    while left:
        script = scripts.get(left.pop())
        new = reads_of(script) - found if script is not None else set()
        found |= new
        left += new
    return found


def column_problems(script: Script, columns_of: Callable[[TableName], tuple[Column, ...] | None]) -> Iterator[Problem]:
    """What is wrong with the column that the settings name, if the columns of its table are known."""
    own = source_of(script)
    columns = columns_of(own[0]) if own is not None else None
    if own is None or columns is None or script.settings is None:
        return
    kinds = {column.name.casefold(): column.type for column in columns}
    kind = kinds.get(own[1].casefold())
    if kind is None:
        hint = did_you_mean(own[1], [column.name for column in columns]) or HINT
        yield script.settings.problem(("build", "until"), f"{own[0]} has no column {own[1]}", hint)
    elif kind != INT64:
        reason = f"{own[1]} of {own[0]} is {kind}, and ids are INT64"
        yield script.settings.problem(("build", "until"), reason, HINT)


class HighestIds:
    """Asks a warehouse for the highest ids, for each column once, and the databases of which tables are loaded."""

    def __init__(
        self, warehouse: Warehouse, project: Project, cache: SqlCache | None, load: "LoadPlan | None" = None
    ) -> None:
        self._warehouse, self._project, self._cache, self._load = warehouse, project, cache, load
        self._found: dict[tuple[Source, int], int | None] = {}

    def of(self, script: Script, built: list[PartRecord]) -> int | None:
        """The highest id of which the script's table can have rows: that of its last range if no id is higher, so that
        the ranges never become fewer. Only ids from there on are looked for: that takes one partition of a table that
        is partitioned by them. None if there is no id, or if the table is built otherwise. `built` are the records to
        go on from. Raises Refused for too many ranges, and WarehouseError."""
        ranges = ranges_of(script)
        if ranges is None:
            return None
        last = max((one.interval.start for one in built if isinstance(one.interval.start, int)), default=None)
        first = ranges.start if last is None else last
        sources = sorted(sources_of(script.table, self._project.scripts))
        found = [last, *(self._asked(source, first) for source in sources)]
        highest = max((one for one in found if one is not None), default=None)
        if highest is not None and (highest - ranges.start) // ranges.step >= MOST_RANGES:
            raise Refused([_too_many(script, sources, highest, ranges)])
        return highest

    def _asked(self, source: Source, first: int) -> int | None:
        if (source, first) not in self._found:
            self._found[source, first] = max(self._highest(source, first), default=None)
        return self._found[source, first]

    def _highest(self, source: Source, first: int) -> Iterator[int]:
        """The highest id that the table has, and that of the rows which are loaded into it."""
        table, column = source
        is_loaded = self._load is not None and table in self._load.tables
        with suppress(*([TableNotFound, SqlError] if is_loaded else [])):  # a load creates it, or adds the column
            text = f"SELECT MAX(`{column}`) AS id FROM `{table.dataset}`.`{table.name}` WHERE `{column}` >= @start"
            query = parse_query(text, self._cache).within(self._project.own)
            answer = self._warehouse.fetch(query.given({"start": Variable("start", INT64, first)}), 1)
            yield from (value for (value,) in answer.rows if value is not None)
        if self._load is not None and is_loaded:
            from warehouse_refresh.pipeline.raw.loading.highest import highest_of

            brought = highest_of(self._load, table, column, first)
            yield from [] if brought is None else [brought]


def _too_many(script: Script, sources: list[Source], highest: int, ranges: Ranges) -> Problem:
    assert script.settings is not None  # noqa: S101 (for mypy)
    names = " and ".join(f"{table}.{column}" for table, column in sources)
    count = (highest - ranges.start) // ranges.step + 1
    reason = f"{names} goes up to {highest:,}, which makes {count:,} ranges: a table can have {MOST_RANGES:,}"
    return script.settings.problem(("build", "step"), reason, "write a larger step, and build all with --full")

"""Give the scripts of tables by date the partitions that a refresh builds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.tables.contract import own_columns
from warehouse_refresh.pipeline.tables.partitions.asked import Asked
from warehouse_refresh.pipeline.tables.partitions.due import (
    Why,
    due,
    due_in,
    ended,
    overlap,
    settled,
    stale,
    summary,
    with_later,
)
from warehouse_refresh.pipeline.tables.partitions.grain import ByDate, batches
from warehouse_refresh.pipeline.tables.partitions.ids import HighestIds
from warehouse_refresh.warehouse import QueryPlan, Warehouse
from warehouse_refresh.warehouse.builds.parts import Interval, PartRecord, Parts, Point
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.raw.loading.planning import LoadPlan


@dataclass(frozen=True, slots=True)
class DuePartitions:
    """The partitions of a table that a refresh builds, each with the reason, of how many; `whole` says that
    they replace all of the table. `stale` are those of an older version of the script, which are not built.
    `changed` says that what is there was built with other settings, so that only a full build can follow. `settled`
    are those that had ended when they were published. `highest` is the highest id, of ranges of ids."""

    table: TableName
    reasons: Mapping[Interval, Why]
    count: int
    whole: bool
    stale: tuple[Interval, ...]
    changed: bool = False
    settled: frozenset[Interval] = frozenset()
    highest: int | None = None

    def ended(self, partitions: Iterable[Interval]) -> frozenset[Interval]:
        """Those of the partitions that have all of their rows, but late ones."""
        return ended(partitions, self.highest)

    def lines(self) -> Iterator[str]:
        """What is built, for people."""
        yield summary(self.reasons, self.count)
        if self.whole:
            yield "the table is replaced whole"
        if self.changed:
            yield f"{self.fault}: {self.way_out}"
        if self.stale:
            several = f"{len(self.stale):,} partitions were" if len(self.stale) > 1 else "1 partition was"
            yield f"{several} built by an older version of the script, and stay: from {self.stale[0].start} on"
            first, last = _ends(self.stale)
            yield f"  to build them: refresh backfill {self.table} --from {first} --to {last}"

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "build": [{**_as_json(one), "why": why.value} for one, why in self.reasons.items()],
            "of": self.count,
            "whole": self.whole,
            "needs_full": self.changed,
            "stale": [_as_json(one) for one in self.stale],
        }

    @property
    def fault(self) -> str:
        """Why only a full build can follow."""
        return "its column, its key, its partitions or their start have changed since it was built"

    @property
    def way_out(self) -> str:
        """How to build a table whose settings have changed."""
        return f"build all of it with `refresh build --full {self.table}`"


def _ends(partitions: Sequence[Interval]) -> tuple[Point, Point]:
    """The first and the last date, or id, of the partitions."""
    first, last = partitions[0].start, partitions[-1]
    if isinstance(last.end, int):
        return first, last.end - 1
    first, last_start = (date(one.year, one.month, one.day) for one in (first, last.start) if not isinstance(one, int))
    return first, last_start


def _as_json(one: Interval) -> dict[str, Any]:
    return {name: point if isinstance(point, int) else point.isoformat() for name, point in asdict(one).items()}


def with_parts(
    graph: Graph,
    scripts: Mapping[TableName, Script],
    project: Project,
    warehouse: Warehouse,
    asked: Asked,
    moment: datetime,
    cache: SqlCache | None = None,
    load: "LoadPlan | None" = None,
) -> tuple[dict[TableName, Script], dict[TableName, DuePartitions]]:
    """The scripts of the graph with what is due at that moment or asked for, and what that is. By the scripts of the
    project, the tables by date are found that are not of the graph. Raises Refused for too many ranges of ids, and
    WarehouseError."""
    records: dict[TableName, list[PartRecord]] = {
        table: list(warehouse.partitions(table)) for table, script in project.scripts.items() if is_by_date(script)
    }
    planned, found = dict(scripts), dict[TableName, DuePartitions]()
    ids = HighestIds(warehouse, project, cache, load)
    for table in (table for table in graph.order if table in records):
        script = scripts[table]
        reads = {read.table for read in script.query.reads} - {table}
        inputs = [record for read in reads if read in records for record in records[read]]
        rebuilt = [one for read in reads if read in found for one in found[read].reasons]
        highest = ids.of(script, [] if asked.full else _as_said(script, records[table]))
        planned[table], found[table] = _planned(script, records[table], inputs, rebuilt, asked, moment, highest)
    return planned, found


def of_all(query: QueryPlan, due: DuePartitions) -> QueryPlan:
    """The plan of the queries for all partitions that are due, from that of the query for one of them. If a query reads
    all of its inputs and builds several partitions, these read less than it says."""
    if query.bytes_processed is None:
        return query
    return replace(query, bytes_processed=query.bytes_processed * len(due.reasons))


def is_by_date(script: Script) -> bool:
    """Whether the script's table is built by date."""
    return script.settings is not None and script.settings.says.build is not None


def _planned(
    script: Script,
    built: list[PartRecord],
    inputs: list[PartRecord],
    rebuilt: list[Interval],
    asked: Asked,
    moment: datetime,
    highest: int | None,
) -> tuple[Script, DuePartitions]:
    """The script with what is due of its table."""
    assert script.settings is not None and script.settings.says.build is not None  # noqa: S101, PT018
    settings = script.settings.says.build
    by_date = settings.by_date
    changed = not asked.full and len(_of(built, by_date)) < len(built)
    partitions = by_date.partitions(moment, highest)
    if asked.span is not None:
        partitions = [one for one in partitions if overlap(one, asked.span)]
    fingerprint = script.build.fingerprint
    if asked.full or changed:
        reasons = dict.fromkeys(partitions, Why.FULL)
    elif asked.span is not None:
        reasons = due_in(partitions, asked.again, built, inputs, rebuilt, fingerprint)
    else:
        reasons = due(by_date, built, inputs, rebuilt, moment, highest)
    if by_date.reads_itself and not asked.full and not changed:
        reasons = with_later(reasons, built)
    older = [one for one in stale(partitions, built, fingerprint) if one not in reasons]
    first = by_date.first.start
    joined = batches(reasons, by_date.batch) or [Interval(first, first)]  # an empty one: the columns are wanted
    # Where nothing is recorded, the table is not there, or somebody made it in another way: nothing of it is kept. A
    # backfill publishes it in steps, none of which is the whole table.
    whole = asked.full or (asked.span is None and not built and 0 < len(reasons) == len(partitions))
    of_grain = by_date.key, by_date.unit, own_columns(script)
    parts = Parts(by_date.column, settings.kind, tuple(reasons), tuple(joined), whole, *of_grain)
    planned = replace(script, build=replace(script.build, parts=parts))
    count = max(len(partitions), len(reasons))  # a backfill of a table that reads itself goes on after its span
    return planned, DuePartitions(
        script.table, reasons, count, asked.full, tuple(older), changed, settled(_of(built, by_date)), highest
    )


def _as_said(script: Script, built: list[PartRecord]) -> list[PartRecord]:
    """The partitions that were built as the settings of the script's table now say."""
    build = script.settings.says.build if script.settings is not None else None
    return _of(built, build.by_date) if build is not None else []


def _of(built: list[PartRecord], by_date: ByDate) -> list[PartRecord]:
    """The partitions that were built as the settings now say."""
    said = (by_date.column, by_date.key)
    return [record for record in built if (record.column, record.key) == said and by_date.has(record.interval)]

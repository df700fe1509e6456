"""The work of a refresh on its tables: what stages, checks and publishes them in the warehouse."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.outcomes import CheckResult
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import Problem
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.running.execution import BuildFailed, Progress, no_progress
from warehouse_refresh.warehouse import BuildContext, Built, Published, Staged, TableBuild, Warehouse
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.checks.run import Checker
    from warehouse_refresh.pipeline.raw.loading.loading import Loader


@dataclass(frozen=True)
class Builder:
    """Builds tables from their scripts, and raw tables with the `loader`, in the run of `context`. Implements Work.
    Raises BuildFailed, with file and line, for wrong SQL and for values that cannot be computed, and WarehouseError for
    anything else.

    `kept` are the tables that an earlier attempt of this run has staged, and that are not staged again. `checker` runs
    the checks, if there are any. `blocked` has the tables that a failed check of a source blocks, each with the reason.
    `versions` are those of the tables that the scripts read, as the tables are recorded to be built from them. `took`
    is what each table took in its last builds, and `seconds` what staging and checking takes it in this one.
    """

    scripts: Mapping[TableName, Script]
    warehouse: Warehouse
    context: BuildContext
    kept: Collection[TableName] = ()
    checker: "Checker | None" = None
    blocked: Mapping[TableName, str] = field(default_factory=dict)
    versions: Mapping[TableName, str] = field(default_factory=dict)
    loader: "Loader | None" = None
    took: dict[TableName, tuple[float, ...]] = field(default_factory=dict)
    seconds: dict[TableName, float] = field(default_factory=dict)

    def must_stage(self, table: TableName) -> bool:
        if table not in self.scripts:
            return True
        is_part = self.scripts[table].build.parts is not None
        return is_part or self.context.keep_previous or (self.checker is not None and self.checker.is_checked(table))

    def build(self, table: TableName, _progress: Progress = no_progress) -> Built:
        with self._placed(table) as script:
            self.warehouse.create_functions(script.query.functions)
            build = replace(self._with_inputs(table), took=self.took.get(table, ()))
            return self.warehouse.build(build, self.context)

    def stage(self, table: TableName, staged: Collection[TableName]) -> Built | None:
        if table in self.kept:
            return None
        with self._timed(table):
            return self._stage(table, staged)

    def _stage(self, table: TableName, staged: Collection[TableName]) -> Built:
        if table not in self.scripts and self.loader is not None:
            return self.loader.stage(table, staged, self.context)
        with self._placed(table) as script:
            built = self.warehouse.stage(script.build, staged, self.context)
            parts = script.build.parts
            return built if parts is None else replace(built, partitions=len(parts.partitions))

    def check(self, table: TableName) -> Sequence[CheckResult]:
        if self.checker is None:
            return ()
        with self._timed(table):
            return self.checker.check(table)

    def check_rest(self) -> Sequence[CheckResult]:
        return self.checker.check_rest() if self.checker is not None else ()

    def publish(self, tables: Sequence[TableName]) -> Published:
        builds = [self._with_seconds(self._with_inputs(table)) for table in tables]
        published = self.warehouse.publish(builds, self.context)
        self.took.update((build.table, build.took) for build in builds)
        if self.loader is not None:
            self.loader.note_published(tables)
        return published

    def discard(self, keep: Collection[TableName]) -> None:
        self.warehouse.discard(self.context, keep)

    def costs(self, built: Sequence[Built]) -> Sequence[Built]:
        return self.warehouse.costs(built)

    def note_failed(self, tables: Sequence[TableName]) -> None:
        self.warehouse.note_failed(tables)

    def _with_inputs(self, table: TableName) -> TableBuild:
        """What builds the table, with what it is built from. That is not known of what an earlier attempt has
        staged."""
        if table not in self.scripts and self.loader is not None:
            return self.loader.plan.builds[table]
        build = self.scripts[table].build
        if table in self.kept or build.inputs is not None:
            return build
        reads = [read.table for read in build.query.reads]
        return replace(build, inputs={read: self.versions[read] for read in reads if read in self.versions})

    def _with_seconds(self, build: TableBuild) -> TableBuild:
        """What builds the table, with what its last builds took, and this one unless an earlier attempt has staged
        it."""
        known = replace(build, took=self.took.get(build.table, ()))
        return known.after(self.seconds[build.table]) if build.table in self.seconds else known

    @contextmanager
    def _timed(self, table: TableName) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[table] = self.seconds.get(table, 0.0) + time.monotonic() - started

    @contextmanager
    def _placed(self, table: TableName) -> Iterator[Script]:
        """The table's script. Turns an SqlError in the block into BuildFailed with the script's file and line."""
        script = self.scripts[table]
        try:
            yield script
        except SqlError as error:
            place = error.place or script.build.query.start
            problem = Problem(script.path, place, error.reason, error.hint)
            raise BuildFailed(str(problem).removeprefix("error: ")) from error


def still_good(
    graph: Graph,
    builds: Mapping[TableName, TableBuild],
    staged: Mapping[TableName, Staged],
    together: Iterable[set[TableName]] = (),
) -> dict[TableName, Staged]:
    """The tables of `staged`, which earlier attempts of a run have staged or published, that need not be built again:
    their builds are the same, and so are all tables that they are built from. A staged view is built again, since it
    reads staged tables by names that they may have lost since; so is a table by date, since other partitions may be due
    now. Of those that belong `together`, since they were read at one moment, all are good or none."""
    good: dict[TableName, Staged] = {}
    torn = set[TableName]().union(*(tables for tables in together if not tables <= staged.keys()))
    for table in graph.order:
        found, build = staged.get(table), builds[table]
        if found is None or found.fingerprint != build.fingerprint or not graph.dependencies[table] <= good.keys():
            continue
        if table in torn:
            continue
        if found.is_published or not (build.is_view or build.parts):
            good[table] = found
    return good

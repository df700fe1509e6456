"""Backfill tables by date: build each one's partitions in steps, and publish each step before the next one begins."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.contract import STEP
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.refresh import Refresh, RefreshPlan, checker_of
from warehouse_refresh.pipeline.running.builder import Builder
from warehouse_refresh.pipeline.running.execution import Blocked, Progress, no_progress
from warehouse_refresh.pipeline.tables.partitions.steps import steps
from warehouse_refresh.warehouse import BuildContext, Built, Staged
from warehouse_refresh.warehouse.builds.parts import Interval, Parts, point_text
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.checks.run import Unit


RunStep = Callable[[str, Callable[[], Built]], Built]
"""Runs a step of that name, and returns what it returns."""


def plainly(_name: str, step: Callable[[], Built]) -> Built:
    """Run the step."""
    return step()


def backfill_of(
    refresh: Refresh,
    context: BuildContext,
    good: Mapping[TableName, Staged] | None = None,
    run_step: RunStep = plainly,
) -> "Backfill":
    """The Backfill for the run of `context`: see `Refresh.work`. Raises SelectionError if nothing can be backfilled."""
    need_by_date(refresh.plan)
    published = {table for table, found in (good or {}).items() if found.is_published}
    units = _without(refresh.plan.units, refresh.plan.due.keys() | published)
    checker = checker_of(units, refresh.warehouse, context) if units else None
    plan, records = refresh.plan, refresh.warehouse.records()
    versions = {**refresh.versions, **dict.fromkeys(plan.scripts, context.version)}
    versions |= {table: records[table].version for table in plan.due.keys() | published if table in records}
    kept = (good or {}).keys() - published
    made = (plan.scripts, refresh.warehouse, context, kept, checker, refresh.blocked, versions)
    return Backfill(*made, plan=plan, run_step=run_step, took=dict(refresh.took))


def need_by_date(plan: RefreshPlan, named: Iterable[str] = ()) -> None:
    """Raises SelectionError if one of the named tables is not built by date, or none of the plan is."""
    others = [name for name in named if TableName.parse(name) in plan.scripts.keys() - plan.due.keys()]
    if others or not plan.due:
        which = f"{others[0]} is not" if others else "none of these tables is"
        raise SelectionError(f"{which} built by date, so that it has no partitions: docs/by-date.md says how it can be")


@dataclass(frozen=True)
class Backfill(Builder):
    """Builds tables as a Builder does, and tables by date step by step. What a step has published stays if a later one
    fails or dies: the next backfill of these partitions does not build it again. Use it with Publishing.EACH."""

    versions: dict[TableName, str] = field(default_factory=dict)
    plan: RefreshPlan = field(kw_only=True)
    run_step: RunStep = field(default=plainly, kw_only=True)

    def must_stage(self, table: TableName) -> bool:
        return table not in self.plan.due and super().must_stage(table)

    def build(self, table: TableName, progress: Progress = no_progress) -> Built:
        """Build, check and publish the table. Raises Blocked for a failed check, and what a Builder raises."""
        parts = self.scripts[table].build.parts
        if parts is None:
            return super().build(table, progress)
        total = Built(None, seconds=0.0, partitions=0)
        for step in steps(parts):
            name = f"{table}{STEP}{_span(step)}"
            total = _sum(total, self.run_step(name, partial(self._step, table, step)))
            progress(f"{total.partitions:,} of {counted(len(parts.partitions), 'partition')}")
        return total

    def _step(self, table: TableName, step: Parts) -> Built:
        """Stage these partitions, check the table as it will be, and publish them."""
        work = self._work_of(table, step)
        try:
            built = work.stage(table, ())
            _need_passed(work.check(table), step)
            work.publish([table])
            self.versions[table] = work.context.version
        except BaseException:
            work.discard(())
            raise
        assert built is not None  # noqa: S101 (no earlier attempt has staged it)
        return built

    def _work_of(self, table: TableName, step: Parts) -> Builder:
        """Builds and checks a step, as a run of its own: so that each one is a job and a publication."""
        script = self.scripts[table]
        stepped = replace(script, build=replace(script.build, parts=step))
        start = point_text(step.partitions[0].start)
        context = replace(self.context, run=f"{self.context.run}/{table}/{start}")
        later = self.plan.graph.downstream(table)
        units = [unit for unit in self.plan.units if table in unit.needs and unit.needs.isdisjoint(later)]
        alone = [replace(unit, needs=frozenset({table})) for unit in self._units_of(table, step, units)]
        checker = checker_of(alone, self.warehouse, context) if alone else None
        return Builder({table: stepped}, self.warehouse, context, (), checker, versions=self.versions, took=self.took)

    def _units_of(self, table: TableName, step: Parts, units: "Iterable[Unit]") -> "Iterator[Unit]":
        """The units, of which those of the table's new partitions look at the step."""
        from warehouse_refresh.pipeline.checks.partitions import of_build  # imports msgspec

        found = of_build(step, self.plan.due[table])
        for unit in units:
            yield unit.for_parts(found) if unit.for_parts and table in unit.about else unit


def _need_passed(checks: Iterable[CheckResult], step: Parts) -> None:
    """Raises Blocked if a check of the step failed."""
    failed = [check.message for check in checks if check.verdict is Verdict.FAILED]
    if failed:
        raise Blocked(f"{'; '.join(failed)} (with the partitions of {_span(step)})")


def _span(step: Parts) -> Interval:
    return Interval(step.partitions[0].start, step.partitions[-1].end)


def _without(units: "Iterable[Unit]", tables: Collection[TableName]) -> "list[Unit]":
    """The units that need other tables than these, which are published when they run."""
    rest = [replace(unit, needs=unit.needs - set(tables)) for unit in units if unit.needs]
    return [unit for unit in rest if unit.needs]


def _sum(one: Built, other: Built) -> Built:
    """Both steps together, and the rows that the table has after the second one."""

    def added(a: int | None, b: int | None) -> int | None:
        return None if b is None else (a or 0) + b

    return replace(
        other,
        seconds=one.seconds + other.seconds,
        bytes_processed=added(one.bytes_processed, other.bytes_processed),
        bytes_billed=added(one.bytes_billed, other.bytes_billed),
        slot_milliseconds=added(one.slot_milliseconds, other.slot_milliseconds),
        partitions=added(one.partitions, other.partitions),
    )

"""What of a refresh is published, and what is said of the rest, without a warehouse."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from warehouse_refresh.pipeline.outcomes import CheckResult, Failure, Publishing, State, Verdict
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.running.builder import still_good
from warehouse_refresh.pipeline.running.execution import Execution, Progress, TableRun, only_checks_failed, run_here
from warehouse_refresh.warehouse import Built, Published, Staged, TableBuild
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query

A, B, C, D = (TableName("tmp", name) for name in "abcd")
GRAPH = Graph({A: frozenset(), B: frozenset({A}), C: frozenset({B}), D: frozenset()})
RIGHT = dict.fromkeys((A, B, C, D), State.BUILT)


@dataclass
class Scripted:
    """Work whose failures are given: scripts and checks that fail, warnings, and tables that an earlier attempt has
    staged. It notes what was staged over what, and what was published together."""

    failing: Collection[TableName] = ()
    checks: Mapping[TableName, Sequence[CheckResult]] = field(default_factory=dict)
    kept: Collection[TableName] = ()
    rest: Sequence[CheckResult] = ()
    blocked: Mapping[TableName, str] = field(default_factory=dict)
    publishing_fails: bool = False
    billed: int | None = None
    staged: dict[TableName, set[TableName]] = field(default_factory=dict)
    at_once: list[TableName] = field(default_factory=list)
    published: list[list[TableName]] = field(default_factory=list)
    left: list[TableName] = field(default_factory=list)

    def must_stage(self, table: TableName) -> bool:
        return table in self.checks

    def build(self, table: TableName, _progress: Progress) -> Built:
        if table in self.failing:
            raise WarehouseError("wrong")
        self.at_once.append(table)
        return Built(rows=1, seconds=0.5)

    def stage(self, table: TableName, staged: Collection[TableName]) -> Built | None:
        if table in self.failing:
            raise WarehouseError("wrong")
        self.staged[table] = set(staged)
        return None if table in self.kept else Built(rows=1, seconds=0.5)

    def check(self, table: TableName) -> Sequence[CheckResult]:
        assert table in self.staged
        return self.checks.get(table, ())

    def check_rest(self) -> Sequence[CheckResult]:
        return self.rest

    def publish(self, tables: Sequence[TableName]) -> Published:
        if self.publishing_fails:
            raise WarehouseError("the disk is full")
        self.published.append(list(tables))
        return Published(0.1, window=2.5)

    def discard(self, keep: Collection[TableName]) -> None:
        self.left = list(keep)

    def costs(self, built: Sequence[Built]) -> Sequence[Built]:
        return [replace(one, bytes_billed=self.billed) for one in built]

    def note_failed(self, tables: Sequence[TableName]) -> None:
        self.failed = list(tables)


def executed(work: Scripted, publishing: Publishing = Publishing.TOGETHER) -> Execution:
    execution = Execution(GRAPH, work, publishing=publishing)
    run_here(GRAPH, execution, workers=1)
    return execution


def states(execution: Execution) -> dict[TableName, State]:
    return {table: run.state for table, run in execution.runs.items()}


def fails(*tables: TableName, message: str = "3 rows are wrong") -> CheckResult:
    return CheckResult("unique id", Verdict.FAILED, message, tables=tables)


WARNING = CheckResult("row_count", Verdict.WARNING, "few rows")


def test_all_tables_are_published_at_once_at_the_end() -> None:
    work = Scripted()
    execution = executed(work)
    assert work.staged == {A: set(), D: {A}, B: {A, D}, C: {A, B, D}}
    assert [set(tables) for tables in work.published] == [{A, B, C, D}]
    assert states(execution) == RIGHT
    assert (execution.succeeded, only_checks_failed(execution.runs.values())) == (True, False)
    assert (
        execution.summary()
        == "4 of 4 tables built and published\nreaders could find new tables beside old ones for 2.50 s"
    )


def test_what_the_tables_have_cost_is_asked_at_the_end_also_of_one_that_is_not_published() -> None:
    execution = executed(Scripted(checks={B: [fails()]}, billed=7))
    billed = {table: run.built and run.built.bytes_billed for table, run in execution.runs.items()}
    assert billed == {**dict.fromkeys((A, B, D), 7), C: None}


def test_a_failed_script_leaves_its_old_table_and_all_behind_it() -> None:
    work = Scripted(failing={B})
    execution = executed(work)
    assert states(execution) == {A: State.BUILT, B: State.FAILED, C: State.NOT_RUN, D: State.BUILT}
    assert [set(tables) for tables in work.published] == [{A, D}]
    assert not only_checks_failed(execution.runs.values())
    assert execution.summary().splitlines()[2:] == ["failed: tmp.b: wrong", "not run: tmp.c: waits for tmp.b"]


def test_a_failed_check_blocks_its_table_and_all_behind_it() -> None:
    work = Scripted(checks={B: [fails(), WARNING]})
    execution = executed(work)
    assert states(execution) == {A: State.BUILT, B: State.BLOCKED, C: State.NOT_RUN, D: State.BUILT}
    assert execution.runs[B].failure is Failure.CHECK
    assert only_checks_failed(execution.runs.values())
    assert execution.summary().splitlines()[2:] == [
        "blocked: tmp.b: 3 rows are wrong",
        "not run: tmp.c: waits for tmp.b",
        "warning: tmp.b: few rows",
    ]


def test_a_check_of_another_table_blocks_only_that_one() -> None:
    work = Scripted(checks={D: [fails(A)]})  # a reference of `a` to `d`, say, which is built after it
    execution = executed(work)
    assert states(execution) == {A: State.BLOCKED, B: State.BLOCKED, C: State.BLOCKED, D: State.BUILT}


def test_what_a_check_of_a_source_blocks_is_not_built() -> None:
    work = Scripted(blocked={A: "raw.items is old"})
    execution = executed(work)
    assert states(execution) == {A: State.BLOCKED, B: State.NOT_RUN, C: State.NOT_RUN, D: State.BUILT}
    assert set(work.staged) == {D}
    assert only_checks_failed(execution.runs.values())


def test_a_warning_blocks_nothing_and_is_said() -> None:
    execution = executed(Scripted(checks={B: [WARNING]}))
    assert states(execution) == RIGHT
    assert execution.summary().splitlines()[-1] == "warning: tmp.b: few rows"


PASSED = CheckResult("row_count", Verdict.PASSED, "4 rows")


@pytest.mark.parametrize(
    ("checks", "sources", "counts"),
    [
        ({A: [PASSED]}, [], "4 of 4 tables built and published, 1 check passed"),
        ({A: [PASSED, WARNING], B: [PASSED]}, [], "4 of 4 tables built and published, 2 checks passed, 1 warning"),
        ({C: [PASSED, fails()]}, [PASSED], "4 of 4 tables built, 3 published, 2 checks passed, 1 check failed"),
        ({}, [WARNING, WARNING], "4 of 4 tables built and published, 2 warnings"),
    ],
)
def test_the_summary_counts_the_tables_and_the_checks_of_tables_and_sources(
    checks: Mapping[TableName, Sequence[CheckResult]], sources: list[CheckResult], counts: str
) -> None:
    of_sources = [replace(check, tables=(TableName("raw", "items"),)) for check in sources]
    execution = Execution(GRAPH, Scripted(checks=checks), source_checks=of_sources)
    run_here(GRAPH, execution, workers=1)
    first, *others = execution.summary().splitlines()
    assert first == counts
    warned = [check for check in sources if check.verdict is Verdict.WARNING]
    assert [line for line in others if "raw.items" in line] == ["warning: raw.items: few rows"] * len(warned)


def test_a_check_of_several_tables_blocks_them_all_and_what_was_built_from_them() -> None:
    work = Scripted(checks={C: [fails(A, C)]})
    execution = executed(work)
    assert states(execution) == {A: State.BLOCKED, B: State.BLOCKED, C: State.BLOCKED, D: State.BUILT}
    assert work.published == [[D]]
    assert execution.runs[B].reason == "built from tmp.a"
    assert only_checks_failed(execution.runs.values())


def test_a_check_that_reads_a_table_which_failed_still_blocks_the_other_one() -> None:
    work = Scripted(failing={B}, rest=[fails(B, D)])
    execution = executed(work)
    assert states(execution) == {A: State.BUILT, B: State.FAILED, C: State.NOT_RUN, D: State.BLOCKED}
    assert work.published == [[A]]


@pytest.mark.parametrize("work", [Scripted(failing={B}), Scripted(checks={B: [fails()]})])
def test_all_or_nothing(work: Scripted) -> None:
    execution = executed(work, Publishing.ALL)
    assert work.published == []
    assert states(execution)[A] is states(execution)[D] is State.BLOCKED
    assert re.match("[23] of 4 tables built, 0 published[,\n]", execution.summary())
    assert "REFRESH_PUBLISH=all" in execution.runs[D].reason
    assert executed(Scripted(), Publishing.ALL).succeeded


def test_each_table_is_published_as_soon_as_it_passes() -> None:
    work = Scripted(checks={A: [WARNING], B: [fails()]})
    execution = executed(work, Publishing.EACH)
    assert (work.published, work.at_once) == ([[A]], [D])
    assert states(execution) == {A: State.BUILT, B: State.BLOCKED, C: State.NOT_RUN, D: State.BUILT}
    assert work.staged == {A: set(), B: set()}


def test_tables_that_cannot_be_published_have_failed_and_stay_for_a_retry() -> None:
    work = Scripted(publishing_fails=True, checks={D: [fails()]})
    execution = executed(work)
    assert states(execution) == {A: State.FAILED, B: State.FAILED, C: State.FAILED, D: State.BLOCKED}
    assert execution.runs[A].failure is Failure.NOT_PUBLISHED
    assert "the disk is full" in execution.summary()
    assert work.left == []  # here nobody can retry
    execution.end(for_retry=True)
    assert work.left == [A, B, C]


def test_a_table_that_an_earlier_attempt_staged_is_published_with_the_others() -> None:
    work = Scripted(kept={A})
    execution = executed(work)
    assert states(execution) == {**RIGHT, A: State.BUILT_BEFORE}
    assert execution.summary().startswith("3 of 4 tables built and published, 1 built before\n")


def test_every_change_of_state_is_reported() -> None:
    seen: list[tuple[TableName, State]] = []

    def report(run: TableRun) -> None:
        seen.append((run.table, run.state))

    run_here(GRAPH, Execution(GRAPH, Scripted(), report), workers=3)
    for table in (A, B, C, D):
        assert [state for one, state in seen if one == table] == [
            State.BUILDING,
            State.BUILDING,
            State.STAGED,
            State.BUILT,
        ]


# What a retry need not build


def scripts(**texts: str) -> dict[TableName, Script]:
    tables = {TableName("tmp", name): text for name, text in texts.items()}
    return {
        table: Script(Path(f"{table.name}.sql"), TableBuild(table, parse_query(text), is_view="view" in text))
        for table, text in tables.items()
    }


BEFORE = scripts(a="SELECT 1 AS x", b="SELECT x FROM tmp.a", c="SELECT x FROM tmp.b", d="SELECT 2 AS x")


def builds(scripts: dict[TableName, Script]) -> dict[TableName, TableBuild]:
    return {table: script.build for table, script in scripts.items()}


def good(
    now: dict[TableName, Script],
    *left: TableName,
    published: Collection[TableName] = (),
    together: Collection[set[TableName]] = (),
) -> set[TableName]:
    staged = {
        table: Staged(script.build.fingerprint, is_published=table in published)
        for table, script in BEFORE.items()
        if table in left
    }
    return set(still_good(GRAPH, builds(now), staged, together))


def test_what_was_staged_is_not_built_again() -> None:
    assert good(BEFORE, A, B, D) == {A, B, D}


def test_what_has_changed_and_all_behind_it_is_built_again() -> None:
    assert good({**BEFORE, **scripts(b="SELECT x + 1 AS x FROM tmp.a")}, A, B, C, D) == {A, D}


def test_a_table_is_built_again_if_what_it_reads_was_not_staged() -> None:
    assert good(BEFORE, B, C, D) == {D}


def test_of_tables_that_were_read_together_all_are_good_or_none() -> None:
    assert good(BEFORE, A, D, together=[{A, D}]) == {A, D}
    assert good(BEFORE, A, B, C, D, together=[{A, B}]) == {A, B, C, D}
    assert good(BEFORE, A, D, together=[{A, B}]) == {D}


def test_a_staged_view_is_made_again_and_a_published_one_is_not() -> None:
    before = {**BEFORE, **scripts(d="SELECT 2 AS view")}
    view = {D: Staged(before[D].build.fingerprint)}
    assert still_good(GRAPH, builds(before), view) == {}
    published = {D: Staged(before[D].build.fingerprint, is_published=True)}
    assert set(still_good(GRAPH, builds(before), published)) == {D}

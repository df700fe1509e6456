"""`refresh check`: everything that is wrong, at once, without running anything."""

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.check import Checked, check_project
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import Problem, Severity, counted, errors_in
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.project.reads import tables_outside
from warehouse_refresh.pipeline.project.scripts import script_files
from warehouse_refresh.pipeline.raw.sources import Sources, declared_sources, stored_sources, with_stored_wildcards
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.tables.leftovers import left_over, leftovers
from warehouse_refresh.warehouse import Warehouse, connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.urls import project_of

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.checks.partitions import Checkable


def run(options: Namespace) -> int:
    """Print every problem, and answer the exit code: 0 clean, 1 warnings with --strict, 2 errors, 3 failed checks."""
    settings = settings_of(options)
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
        live = _check_live(project, settings, cache) if options.live else _Live(_check(project, cache))
    if options.json:
        print(json.dumps(_as_json(live, project), indent=2))
    else:
        scripts = len(script_files(settings.folder / settings.layout.res, settings.layout.raw))
        notes = [_own_project(project, settings), left_over(live.left or ()), *_of_tables(live)]
        print(_as_text(live.checked, scripts, notes))
    return _exit_code(live, strict=options.strict)


@dataclass(frozen=True)
class _Live:
    """The problems; and with --live the left-over tables in the warehouse, and the results of its tables' checks."""

    checked: Checked
    left: list[TableName] | None = None
    results: list[CheckResult] | None = None
    not_run: tuple[str, ...] = ()


def _check(project: Project, cache: SqlCache) -> Checked:
    return check_project(project, declared_sources(project, cache), cache)


def _check_live(project: Project, settings: RefreshSettings, cache: SqlCache) -> _Live:
    with connect(settings.warehouse_url, cache) as warehouse:
        project = replace(project, scripts=with_stored_wildcards(warehouse, project.scripts, project))
        sources = stored_sources(warehouse, project.scripts, project)
        checked = check_project(project, sources, cache)
        checked.problems.extend(_unpruned(project, sources, checked))
        left = leftovers(warehouse, project)
        if errors_in(checked.problems) or not project.has_checks:
            return _Live(checked, left)
        from warehouse_refresh.pipeline.checks.planning import plan_checks, tables_of
        from warehouse_refresh.pipeline.checks.run import run_now

        tables = {*project.scripts, *project.raw_settings, *tables_outside(project.scripts.values())}
        parts = _published_parts(project, warehouse)
        planned = plan_checks(project, tables_of(sources, {}), Graph({}), tables, cache, parts)
        return _Live(checked, left, run_now(planned.units, warehouse, settings.workers), planned.notes)


def _unpruned(project: Project, sources: Sources, checked: Checked) -> Iterator[Problem]:
    """Warnings of tables by date that read too much, where the engine knows the bytes."""
    if any(plan.bytes_processed is not None for plan in checked.plans.values()):
        from warehouse_refresh.pipeline.tables.partitions.pruning import pruning_problems

        yield from pruning_problems(project.scripts, sources, checked.plans)


def _published_parts(project: Project, warehouse: Warehouse) -> "dict[TableName, Checkable]":
    """What checks look at of the tables by date."""
    from warehouse_refresh.pipeline.checks.partitions import published

    files = {table: one.settings for table, one in project.scripts.items() if one.settings and one.settings.says.build}
    found = {table: published(file, warehouse.partitions(table)) for table, file in files.items()}
    return {table: one for table, one in found.items() if one is not None}


def _of_tables(live: _Live) -> Iterator[str]:
    """What the checks of the tables found: a line for each that did not pass, then how many there are."""
    yield "\n".join(live.not_run)
    if live.results:
        wrong = [result for result in live.results if result.verdict is not Verdict.PASSED]
        yield "\n".join(f"{result.verdict.value}: {result}" for result in wrong)
        count = Counter(result.verdict for result in live.results)
        yield f"checks of tables: {', '.join(f'{count[it]} {it.value}' for it in Verdict if count[it])}"


def _exit_code(live: _Live, *, strict: bool) -> int:
    severities = {problem.severity for problem in live.checked.problems}
    verdicts = {result.verdict for result in live.results or ()}
    if Severity.ERROR in severities:
        return 2
    if Verdict.FAILED in verdicts:
        return 3
    return 1 if (severities or Verdict.WARNING in verdicts) and strict else 0


def _own_project(project: Project, settings: RefreshSettings) -> str:
    """A line on the project that the scripts name, if no setting does; "" else."""
    if not project.own or project_of(settings.warehouse_url):
        return ""
    return f"{project.own} is taken for this project: the scripts name it, and `{project.own}.tmp.a` is tmp.a"


def _as_text(checked: Checked, scripts: int, notes: list[str]) -> str:
    """The problems, the notes that are not empty, then a line that counts the problems."""
    count = Counter(problem.severity for problem in checked.problems)
    found = ", ".join(counted(count[severity], severity.value) for severity in Severity if count[severity])
    lines = [str(problem) for problem in checked.problems]
    if checked.skipped:
        lines.append(f"not checked, since what they read is wrong or unknown: {', '.join(map(str, checked.skipped))}")
    lines += filter(None, notes)
    return "\n\n".join([*lines, f"{counted(scripts, 'script')} checked: {found or 'nothing is wrong'}"])


def _as_json(live: _Live, project: Project) -> dict[str, Any]:
    return {
        "problems": [_problem_as_json(problem) for problem in live.checked.problems],
        "not_checked": list(map(str, live.checked.skipped)),
        "project": project.own or None,
        "left_over": list(map(str, live.left)) if live.left is not None else None,
        "checks": [_result_as_json(result) for result in live.results] if live.results is not None else None,
    }


def _result_as_json(result: CheckResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "tables": list(map(str, result.tables)),
        "verdict": result.verdict.value,
        "message": result.message,
        "broken": result.broken,
        "rows": result.rows,
        "examples": list(result.examples),
        "query": result.query,
    }


def _problem_as_json(problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "file": str(problem.file),
        "line": place.line if place else None,
        "column": place.column if place else None,
        "length": place.length if place else None,
        "severity": problem.severity.value,
        "reason": problem.reason,
        "hint": problem.hint,
    }

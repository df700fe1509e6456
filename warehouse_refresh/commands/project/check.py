"""`refresh check`: everything that is wrong, at once, without running anything."""

import json
from argparse import Namespace
from collections import Counter
from dataclasses import replace
from typing import Any

from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.check import Checked, check_project
from warehouse_refresh.pipeline.leftovers import left_over, leftovers
from warehouse_refresh.pipeline.project.problems import Problem, Severity, counted
from warehouse_refresh.pipeline.project.project import Project, project_in, sql_cache
from warehouse_refresh.pipeline.project.scripts import script_files
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.sources import declared_sources, stored_sources, with_stored_wildcards
from warehouse_refresh.warehouse import connect, project_of
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache


def run(options: Namespace) -> int:
    """Print every problem, and answer the exit code: 0 clean, 1 warnings with --strict, 2 errors."""
    settings = settings_of(options)
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
        checked, left = _check_live(project, settings, cache) if options.live else (_check(project, cache), None)
    if options.json:
        print(json.dumps(_as_json(checked, project, left), indent=2))
    else:
        print(
            _as_text(
                checked,
                len(script_files(settings.folder / settings.layout.res, settings.layout.raw)),
                [_own_project(project, settings), left_over(left or ())],
            )
        )
    return _exit_code(checked.problems, strict=options.strict)


def _check(project: Project, cache: SqlCache) -> Checked:
    return check_project(project, declared_sources(project, cache))


def _check_live(project: Project, settings: RefreshSettings, cache: SqlCache) -> tuple[Checked, list[TableName]]:
    """What is wrong, and what is left over in the warehouse."""
    with connect(settings.warehouse_url, cache) as warehouse:
        project = replace(project, scripts=with_stored_wildcards(warehouse, project.scripts, project))
        checked = check_project(project, stored_sources(warehouse, project.scripts, project))
        return checked, leftovers(warehouse, project)


def _exit_code(problems: list[Problem], *, strict: bool) -> int:
    severities = {problem.severity for problem in problems}
    if Severity.ERROR in severities:
        return 2
    return 1 if severities and strict else 0


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


def _as_json(checked: Checked, project: Project, left: list[TableName] | None) -> dict[str, Any]:
    return {
        "problems": [_problem_as_json(problem) for problem in checked.problems],
        "not_checked": list(map(str, checked.skipped)),
        "project": project.own or None,
        "left_over": list(map(str, left)) if left is not None else None,
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

"""The tests of a project that are ready to run."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from warehouse_refresh.pipeline.check import Checked, check_scripts
from warehouse_refresh.pipeline.project.problems import Problem, Refused, errors_in
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reading import project_in
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.raw.sources import declared_sources
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.testing.cases import Case, Cases
from warehouse_refresh.pipeline.testing.reading import read_cases
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache


@dataclass(frozen=True)
class Ready:
    """A project, what the check of its scripts has found, the tests that are to be run, and the scripts' tables that
    were chosen."""

    project: Project
    checked: Checked
    cases: tuple[Case, ...]
    tables: frozenset[TableName]


def ready_cases(
    settings: RefreshSettings,
    cache: SqlCache | None = None,
    selectors: Iterable[str] = (),
    named: str = "",
    *,
    may_expect_nothing: bool = False,
) -> Ready:
    """The tests of the scripts that the selectors name, with `named` in their names. Raises Refused for tests that are
    wrong, or whose scripts are, and SelectionError if there are none. See `read_cases` for `may_expect_nothing`."""
    project = project_in(settings, cache)
    sources = declared_sources(project, cache)
    checked = check_scripts(project.scripts, sources, project.functions, project.unreadable)
    found = read_cases(project, sources, checked, cache, may_expect_nothing=may_expect_nothing)
    selectors = list(selectors)
    tables = set(project.chosen(selectors).dependencies) if selectors else set(project.scripts)
    _refuse_wrong(project, checked, found, tables)
    chosen = [case for case in found.cases if not tables.isdisjoint(case.scripts)]
    chosen = [case for case in chosen if named.casefold() in case.name.casefold()]
    if not found.cases and (errors := errors_in(project.problems)):
        raise Refused(errors)  # a script that cannot be read may have tests
    if not chosen:
        raise SelectionError(_nothing(found.cases, named, is_selected=bool(selectors)))
    return Ready(project, checked, tuple(chosen), frozenset(tables))


def _refuse_wrong(project: Project, checked: Checked, found: Cases, tables: Collection[TableName]) -> None:
    problems = list(found.problems)
    if not found.not_run.isdisjoint(tables):
        problems += errors_in([*project.problems, *checked.problems]) or _unknown(project, checked, found, tables)
    if problems:
        raise Refused(dict.fromkeys(problems))


def _unknown(project: Project, checked: Checked, found: Cases, tables: Collection[TableName]) -> list[Problem]:
    """Why there are tests that cannot be run, although there is no error."""
    named = ", ".join(sorted(map(str, found.not_run.intersection(tables))))
    reason = f"{named} cannot be tested, since it or what it reads is unknown"
    own = Problem(project.folder / project.layout.res, None, reason, "`refresh check` says more")
    return [*checked.problems, own]


def _nothing(cases: Collection[Case], named: str, *, is_selected: bool) -> str:
    if not cases:
        return "there are no tests: write res/DATASET/NAME.test.toml beside a script (docs/testing.md)"
    of = " of these tables" if is_selected else ""
    return f"no test{of} has {named!r} in its name" if named else f"there is no test{of}"

"""Find the scripts' own project: if it is `my-project`, `my-project.tmp.a` and `tmp.a` are the same table."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from warehouse_refresh.pipeline.project.problems import Problem
from warehouse_refresh.warehouse.sql.query import Query, Read, Statement

_SETTING = "WAREHOUSE_URL=duckdb:///path/to/file?project=PROJECT"
_LEAVE_OUT = "leave the project out: db_init/ creates tables in the scripts' own project"


def own_project(
    queries: Mapping[Path, Query], datasets: Collection[str], created_in: Iterable[str] = ()
) -> tuple[str, list[Problem]]:
    """The project that the scripts create their tables in, as `created_in` says ("" where a script does not name one),
    or else that their queries write before one of the `datasets`; "" if none does.

    If they write several projects, it is not clear which tables are the scripts' own: that is a problem.
    """
    creating = set(created_in) - {""}
    if len(creating) == 1:
        return creating.pop(), []
    first: dict[str, tuple[Path, Read]] = {}
    for path, query in queries.items():
        for read in query.names:
            if read.project and read.table.dataset in datasets:
                first.setdefault(read.project, (path, read))
    if len(first) < 2:
        return next(iter(first), ""), []
    path, read = list(first.values())[1]
    reason = f"the scripts name the datasets of res/ in several projects: {', '.join(first)}"
    return "", [Problem(path, read.place, reason, f"say which one is yours: {_SETTING}")]


def statements_within(
    project: str, scripts: Mapping[Path, Iterable[Statement]]
) -> tuple[dict[Path, list[Statement]], list[Problem]]:
    """The statements of db_init/'s scripts for the own project `project`, and a problem for each statement that names
    another one. If `project` is "", the first project that a statement names is taken."""
    named = [(path, one) for path, statements in scripts.items() for one in statements if one.project]
    own = project or next((one.project for _, one in named), "")
    problems = [
        Problem(
            path, one.start, f"{one.target} would be created in the project {one.project}, not in {own}", _LEAVE_OUT
        )
        for path, one in named
        if one.project != own
    ]
    return {path: [replace(one, own=own) for one in statements] for path, statements in scripts.items()}, problems

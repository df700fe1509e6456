"""Which project is the scripts' own: there, names such as `my-project.tmp.a` are what they are without it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.project.problems import Problem
from warehouse.sql.query import Query, Read, Statement

_SETTING = "WAREHOUSE_URL=duckdb:///path/to/file?project=PROJECT"
_LEAVE_OUT = "leave the project out: db_init/ makes tables of the scripts' own project"


def own_project(queries: Mapping[Path, Query], datasets: Collection[str]) -> tuple[str, list[Problem]]:
    """The project with which the queries of these files name one of the `datasets`, "" if none does.

    More than one is an error: nobody can tell then which tables are the scripts' own.
    """
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
    """The statements of db_init/'s scripts as ones of `project`, and what is wrong with the projects that they name.

    Where `project` is "", it is the first in which they create a table; they may name no other.
    """
    named = [(path, one) for path, statements in scripts.items() for one in statements if one.project]
    own = project or next((one.project for _, one in named), "")
    problems = [
        Problem(path, one.start, f"{one.target} is to be in the project {one.project}, not in {own}", _LEAVE_OUT)
        for path, one in named
        if one.project != own
    ]
    return {path: [replace(one, own=own) for one in statements] for path, statements in scripts.items()}, problems

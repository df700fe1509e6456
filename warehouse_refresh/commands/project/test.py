"""`refresh test`: run the unit tests of scripts."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_refresh.commands.selection import selection
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.project.problems import Refused, counted
from warehouse_refresh.pipeline.project.reading import sql_cache
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.testing.prepare import Ready, ready_cases
from warehouse_refresh.pipeline.testing.running import Result, run_cases
from warehouse_refresh.warehouse import Scratch, connect, scratches
from warehouse_refresh.warehouse.sql.cache import SqlCache

if TYPE_CHECKING:
    from warehouse_refresh.pipeline.testing.coverage import Covered


def run(options: Namespace) -> int:
    """Run the tests, show those that fail, and answer the exit code: 0 all passed, 1 some failed."""
    settings = settings_of(options)
    with sql_cache(settings.folder) as cache:
        if options.sample:
            _sample(options, settings, cache)
        ready = ready_cases(settings, cache, selection(options), options.named, may_expect_nothing=options.record)
        if options.sql:
            return _print_sql(ready)
        results = _results(ready, settings, cache, on_warehouse=options.on_warehouse)
        covered = _covered(ready, cache) if options.coverage else []
    recorded = _recorded(results, only_new=bool(options.sample)) if options.record else []
    failed = [result for result in results if not result.passed and result not in recorded]
    _show(failed)
    print(_summary(len(results), len(failed), len(recorded)))
    if covered:
        _print_coverage(covered)
    if options.junit and not _wrote_junit(Path(options.junit), results):
        return 2
    return 1 if failed else 0


def _sample(options: Namespace, settings: RefreshSettings, cache: SqlCache) -> None:
    """Write a test from real rows; it alone is run then, and what comes of it is recorded."""
    from warehouse_refresh.commands.project.sample import write_sample  # imports the parser

    table, options.named = write_sample(options, settings, cache)
    options.tables, options.record = [str(table)], True


def _results(ready: Ready, settings: RefreshSettings, cache: SqlCache, *, on_warehouse: bool) -> list[Result]:
    at_once = min(settings.workers if on_warehouse else os.cpu_count() or 1, len(ready.cases))
    with _on_warehouse(settings, cache) if on_warehouse else _in_memory(cache) as make:
        return list(run_cases(ready.cases, ready.project.scripts, make, at_once, cache))


@contextmanager
def _in_memory(cache: SqlCache) -> Iterator[Callable[[], Scratch]]:
    yield scratches(cache)


@contextmanager
def _on_warehouse(settings: RefreshSettings, cache: SqlCache) -> Iterator[Callable[[], Scratch]]:
    from warehouse_refresh.pipeline.testing.inlining import InlinedRows  # imports the parser

    with connect(settings.warehouse_url, cache) as warehouse:
        yield partial(InlinedRows, warehouse)


def _print_sql(ready: Ready) -> int:
    """Print the queries of the tests, with the given rows in them."""
    from warehouse_refresh.pipeline.testing.inlining import inlined
    from warehouse_refresh.pipeline.testing.running import query_of

    for case in ready.cases:
        print(f"-- {case.name}  ({case.where})")
        query = inlined(query_of(case, ready.project.scripts[case.scripts[0]]), case.given)
        print("".join(map(max, query.preamble or query.text, query.text)))
        for table in case.scripts[1:]:
            print(f"-- then {table}, over the rows that come of it")
    return 0


def _covered(ready: Ready, cache: SqlCache) -> "list[Covered]":
    from warehouse_refresh.pipeline.testing.coverage import coverage  # imports the parser

    with closing(scratches(cache)()) as scratch:
        return list(coverage(ready, scratch, cache))


def _print_coverage(covered: "list[Covered]") -> None:
    from warehouse_refresh.commands.terminal.covered import print_coverage

    print_coverage(covered)


def _recorded(results: list[Result], *, only_new: bool) -> list[Result]:
    """Write what came of tests as what they expect, and answer which ones were written."""
    from warehouse_refresh.pipeline.testing.recording import can_be_recorded, record  # imports tomlkit

    recorded = []
    for result in results:
        if not can_be_recorded(result) or (only_new and not result.case.is_new):
            continue
        try:
            record(result)
        except Refused as refused:
            print(refused, file=sys.stderr)
        else:
            recorded.append(result)
            case = result.case
            print(f"recorded: {case.table}: {case.name}  ({case.where}): {counted(len(result.got or ()), 'row')}")
    return recorded


def _show(failed: list[Result]) -> None:
    if failed:
        from warehouse_refresh.commands.terminal.differences import print_failure  # imports rich

        for result in failed:
            print_failure(result)


def _wrote_junit(path: Path, results: list[Result]) -> bool:
    from warehouse_refresh.pipeline.testing.junit import write_junit

    try:
        write_junit(path, results)
    except OSError as error:
        print(f"error: --junit {path}: {error.strerror}", file=sys.stderr)
        return False
    return True


def _summary(tests: int, failed: int, recorded: int) -> str:
    review = f"; {recorded} recorded: read the changes before you commit them" if recorded else ""
    if failed:
        return f"{failed} of {counted(tests, 'test')} failed{review}"
    return f"{counted(tests, 'test')} passed" if not recorded else f"{counted(tests - recorded, 'test')} passed{review}"

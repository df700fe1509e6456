"""`refresh test`: run the unit tests of scripts."""

import os
from argparse import Namespace

from warehouse_refresh.commands.selection import selection
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.project.project import sql_cache
from warehouse_refresh.pipeline.testing.prepare import Ready, ready_cases
from warehouse_refresh.pipeline.testing.running import Result, run_cases
from warehouse_refresh.warehouse import scratches
from warehouse_refresh.warehouse.sql.cache import SqlCache


def run(options: Namespace) -> int:
    """Run the tests, show those that fail, and answer the exit code: 0 all passed, 1 some failed."""
    settings = settings_of(options)
    with sql_cache(settings.folder) as cache:
        ready = ready_cases(settings, cache, selection(options), options.named)
        results = _results(ready, cache)
    failed = [result for result in results if not result.passed]
    if failed:
        from warehouse_refresh.commands.terminal.differences import print_failure  # imports rich

        for result in failed:
            print_failure(result)
    print(_summary(results))
    return 1 if failed else 0


def _results(ready: Ready, cache: SqlCache) -> list[Result]:
    at_once = min(os.cpu_count() or 1, len(ready.cases))
    return list(run_cases(ready.cases, ready.project.scripts, scratches(cache), at_once, cache))


def _summary(results: list[Result]) -> str:
    failed = sum(not result.passed for result in results)
    if failed:
        return f"{failed} of {counted(len(results), 'test')} failed"
    return f"{counted(len(results), 'test')} passed"

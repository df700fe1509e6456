"""What the commands that build print: lines as tables are done, then the summary."""

import json
import logging
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from warehouse_refresh.commands.terminal.lines import Lines
from warehouse_refresh.pipeline.outcomes import CheckResult
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.running.execution import Report, TableRun, only_checks_failed
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from warehouse_refresh.commands.terminal.view import View

ROWS_SHOWN = 5

logger = logging.getLogger(__name__)


@contextmanager
def shown(graph: Graph) -> Iterator[Report]:
    """A report that shows each table on the terminal, or prints a plain line where there is none."""
    started = time.monotonic()
    with _view(graph) as view:
        yield _harmless(view)
    print(f"{time.monotonic() - started:.2f} s")


def _harmless(report: Report) -> Report:
    """The same report; an error in it is shown, and does not fail the table that it reports."""

    def guarded(run: TableRun) -> None:
        try:
            report(run)
        except Exception:
            logger.exception("%s cannot be shown: this is a bug, please report it", run.table)

    return guarded


def _view(graph: Graph) -> "View | Lines":
    if not sys.stdout.isatty():
        return Lines(graph.order)
    from rich.console import Console

    from warehouse_refresh.commands.terminal.view import View

    return View(Console(), graph.order)


def say_for(options: Namespace) -> Callable[[str], None]:
    """What shows a message to people: `print`; with --json to stderr, since stdout has the document."""
    return partial(print, file=sys.stderr) if options.json else print


def as_json(
    runs: Collection[TableRun],
    source_checks: Collection[CheckResult],
    message: str,
    settings: RefreshSettings,
    *,
    succeeded: bool,
    prefect: str | None = None,
) -> str:
    """What a refresh did, for machines; `prefect` is the address of its run in Prefect's UI."""
    from warehouse_refresh.pipeline.report import document

    found = document(runs, source_checks, message, settings.price_per_tib, succeeded=succeeded)
    return json.dumps({**found, "prefect": prefect}, indent=2)


def exit_code(runs: Iterable[TableRun], *, succeeded: bool) -> int:
    """0 if every table was built and published, 3 if nothing but checks kept some from it, else 1."""
    return 0 if succeeded else 3 if only_checks_failed(runs) else 1


def show_rows(warehouse: Warehouse, table: TableName) -> None:
    """Print the first rows of `table`, or why they cannot be read: the refresh has ended well."""
    from rich.console import Console

    from warehouse_refresh.commands.terminal.view import rows_table

    try:
        names = [column.name for column in warehouse.columns(table)]
        rows = warehouse.first_rows(table, ROWS_SHOWN)
    except WarehouseError as error:
        print(f"the first rows of {table} cannot be shown: {error}")
        return
    console = Console()
    console.print(rows_table(str(table), names, rows, console.width))

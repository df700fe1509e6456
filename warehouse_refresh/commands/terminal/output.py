"""What the commands that build print: lines as tables are done, then the summary."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from warehouse_refresh.commands.terminal.lines import Lines
from warehouse_refresh.pipeline.execution import Execution, Report, TableRun, only_checks_failed
from warehouse_refresh.pipeline.project.graph import Graph
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


def finish(execution: Execution) -> int:
    """Print the summary. Returns the exit code: see `exit_code`."""
    print(execution.summary())
    return exit_code(execution.runs.values(), succeeded=execution.succeeded)


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

"""What the commands that build print: lines as tables are done, then the summary."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from flows.execution import Execution, Report
from flows.graph import Graph
from warehouse.engine import Warehouse
from warehouse.names import TableName

ROWS_SHOWN = 5


@contextmanager
def shown(graph: Graph) -> Iterator[Report]:
    """A report that shows each table on the terminal, or prints a plain line where there is none."""
    from rich.console import Console

    from flows.view import View

    started = time.monotonic()
    console = Console()
    with View(console, graph.order) as view:
        yield view
    console.print(f"{time.monotonic() - started:.2f} s", style="dim")


def finish(execution: Execution) -> int:
    """Print the summary; answer the exit code, 0 if every table was built and 1 if not."""
    print(execution.summary())
    return 0 if execution.succeeded else 1


def show_rows(warehouse: Warehouse, table: TableName) -> None:
    """Print the first rows of `table`."""
    from rich.console import Console

    from flows.view import rows_table

    names = [column.name for column in warehouse.columns(table)]
    console = Console()
    console.print(rows_table(str(table), names, warehouse.first_rows(table, ROWS_SHOWN), console.width))

"""Show what came of tests: the rows that differ as a table, cell by cell, in colour on a terminal."""

import shlex
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from warehouse_refresh.commands.terminal.view import cell
from warehouse_refresh.pipeline.testing.comparing import Difference, Values
from warehouse_refresh.pipeline.testing.running import Result

MOST_ROWS = 20
_PLAIN_WIDTH = 200


def print_failure(result: Result) -> None:
    """Print why a test failed, and the rows that differ."""
    if sys.stdout.isatty():
        _print_failure(Console(soft_wrap=True), result)
    else:
        print(failure_text(result))


def failure_text(result: Result) -> str:
    """Why a test failed, and the rows that differ, without colours; no line ends with blanks."""
    console = Console(width=_PLAIN_WIDTH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        _print_failure(console, result)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _print_failure(console: Console, result: Result) -> None:
    case = result.case
    title = f"failed: {' + '.join(map(str, case.scripts))}: {case.name}  ({case.where})"
    console.print(Text(title, "bold red"))
    console.print(Text(f"  {result.failure}"))
    if result.problem is not None:
        console.print(Text("  " + str(result.problem).replace("\n", "\n  ")))
    if result.differences:
        console.print(_table(result, marked=not console.is_terminal))
        left = len(result.differences) - MOST_ROWS
        if left > 0:
            console.print(Text(f"  and {left} more"))
    named = shlex.quote(case.name)
    console.print(Text(f"  its query: refresh test {case.table} -k {named} --sql", "dim"))
    console.print()


def _table(result: Result, *, marked: bool) -> Table:
    """The rows; `marked` puts what differs in brackets, for who sees no colour."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for column in result.columns:
        table.add_column(column.name, overflow="fold")
    for difference in result.differences[:MOST_ROWS]:
        for name, style, values in _lines(difference):
            wrong = difference.wrong if difference.wrong else frozenset(range(len(values)))
            cells = [_cell(value, style, index in wrong, marked) for index, value in enumerate(values)]
            table.add_row(Text(f"  {name}"), *cells)
    return table


def _lines(difference: Difference) -> Iterator[tuple[str, str, Values]]:
    """The lines of a difference: what it is, its colour, the values."""
    is_pair = difference.expected is not None and difference.got is not None
    if difference.expected is not None:
        yield "expected" if is_pair else "missing", "green", difference.expected
    if difference.got is not None:
        yield "got" if is_pair else "too much", "red", difference.got


def _cell(value: Any, style: str, is_wrong: bool, marked: bool) -> Text:
    text = cell(value)
    return Text(f"[{text}]" if marked and is_wrong else text, style if is_wrong else "")

"""What a terminal shows of a table while it is built, checked and published."""

import re
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from rich.console import Console

from warehouse_refresh.commands.terminal.lines import Lines, line_of
from warehouse_refresh.commands.terminal.view import View
from warehouse_refresh.pipeline.outcomes import CheckResult, Failure, State, Verdict
from warehouse_refresh.pipeline.running.execution import TableRun
from warehouse_refresh.warehouse import Built
from warehouse_refresh.warehouse.names import TableName

A, B = TableName("tmp", "a"), TableName("tmp", "b")
BUILT = Built(rows=25, seconds=0.02)
PASSED = CheckResult("row_count", Verdict.PASSED, "tmp.a has 25 rows")
WARNING = CheckResult("unique id", Verdict.WARNING, "2 of 25 rows of tmp.a have the same id", 2, 25, query="SELECT 1")
STAGED = TableRun(A, State.STAGED, BUILT, checks=(PASSED, WARNING))
BLOCKED = TableRun(B, State.BLOCKED, BUILT, "tmp.b has 25 rows", Failure.CHECK, (PASSED,))
SHOWN = (
    "✓ tmp.a  built               25 rows      0.02 s  2 checks\n"
    "  warning: 2 of 25 rows of tmp.a have the same id\n"
    "✗ tmp.b  blocked   tmp.b has 25 rows\n"
)


@pytest.mark.parametrize(
    ("run", "shown"),
    [
        (TableRun(A, State.WAITING), "· tmp.a  waiting "),
        (TableRun(A, State.BUILDING), "▸ tmp.a  building"),
        (TableRun(A, State.BUILDING, BUILT), "▸ tmp.a  checking            25 rows      0.02 s"),
        (TableRun(A, State.BUILT, BUILT), "✓ tmp.a  built               25 rows      0.02 s"),
        (
            TableRun(A, State.BUILT, BUILT, checks=(PASSED,)),
            "✓ tmp.a  built               25 rows      0.02 s  1 check",
        ),
    ],
)
def test_the_line_of_a_table_says_what_is_done_with_it(run: TableRun, shown: str) -> None:
    assert line_of(run, 5) == shown


def test_without_a_terminal_a_line_tells_of_each_table_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines([A, B]) as lines:
        for run in (TableRun(A, State.BUILDING), TableRun(A, State.BUILDING, BUILT), STAGED, BLOCKED):
            lines(run)
        lines(TableRun(A, State.BUILT, BUILT, checks=STAGED.checks))
    assert capsys.readouterr().out == SHOWN


def screen(printed: str) -> list[str]:
    """The lines of a terminal that got `printed`, without empty ones. It knows what rich uses to draw a picture over
    the last one."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", printed):
        if part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            column = 0
        elif part.startswith("\x1b"):
            row -= int(part[2:-1] or 1) if part.endswith("A") else 0
            lines[row] = "" if part.endswith("K") else lines[row]
        else:
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return [line for line in lines if line]


def test_a_terminal_says_that_tables_are_published_once_all_are_built() -> None:
    output = StringIO()
    with View(Console(file=output, force_terminal=True, color_system=None, width=80), [A, B]) as view:
        view(TableRun(A, State.BUILDING))
        view(STAGED)
        view(BLOCKED)
    assert re.search("publishing .* 2/2", output.getvalue())  # the last picture, which is wiped
    assert screen(output.getvalue()) == SHOWN.splitlines()


def test_the_picture_never_stands_between_the_lines_and_no_line_is_lost() -> None:
    """Several threads tell of tables while another one draws the picture, as often as it can."""
    tables = [TableName("tmp", f"t{number:03}") for number in range(200)]

    def build(mine: list[TableName]) -> None:
        for table in mine:
            view(TableRun(table, State.BUILDING))
            view(TableRun(table, State.BUILT, BUILT))

    output = StringIO()
    with (
        View(Console(file=output, force_terminal=True, color_system=None, width=80), tables, tick=0.0001) as view,
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(build, [tables[number::4] for number in range(4)]))
    assert sorted(screen(output.getvalue())) == [line_of(TableRun(table, State.BUILT, BUILT), 8) for table in tables]

"""The state of a table as a line of plain text."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from warehouse_refresh.pipeline.outcomes import State
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.running.execution import TableRun
from warehouse_refresh.warehouse.names import TableName

DONE = {State.STAGED, State.BUILT, State.BUILT_BEFORE, State.FAILED, State.BLOCKED, State.NOT_RUN}
_SIGNS = {
    State.WAITING: "·",
    State.BUILDING: "▸",
    State.STAGED: "✓",
    State.BUILT: "✓",
    State.BUILT_BEFORE: "✓",
    State.FAILED: "✗",
    State.BLOCKED: "✗",
    State.NOT_RUN: "–",
}


def width_of(tables: Iterable[TableName]) -> int:
    """The length of the longest table name."""
    return max((len(str(table)) for table in tables), default=0)


def line_of(run: TableRun, width: int, seconds: float = 0.0) -> str:
    """The line of a table, its name filled up to `width`; `seconds` is for how long it has been under way."""
    line = f"{_SIGNS[run.state]} {run.table!s:<{width}}  {_word(run):<8}"
    if run.built is not None and not run.reason:
        return "  ".join([line, f"{run.built.amount:>17}", f"{run.built.seconds:8.2f} s", *_checks(run)])
    if run.state is State.BUILDING:
        time = f"{seconds:.1f} s" if seconds else ""
        return f"{line}  {run.progress:>17}  {time:>9}".rstrip()
    return f"{line}  {run.reason}" if run.reason else line


def warnings_of(run: TableRun) -> list[str]:
    """A line for each warning of the table, to follow its own line."""
    return [f"  warning: {check.message}" for check in run.warnings]


def _word(run: TableRun) -> str:
    """The table's state in a word. It is `built` before it is published, since the summary says that all are."""
    if run.state is State.STAGED:
        return State.BUILT.value
    return "checking" if run.state is State.BUILDING and run.built is not None else run.state.value


def _checks(run: TableRun) -> list[str]:
    """`3 checks`, if the table has any. Which of them failed is said elsewhere."""
    return [counted(len(run.checks), "check")] if run.checks else []


class News:
    """Decides which states of a table get a line: the first one in which the table is done, and later only a different
    outcome."""

    def __init__(self) -> None:
        self._staged = set[TableName]()

    def is_new(self, run: TableRun) -> bool:
        """Whether to print a line for this state."""
        if run.state is State.STAGED:
            self._staged.add(run.table)
        elif run.state in (State.BUILT, State.BUILT_BEFORE) and run.table in self._staged:
            return False  # it is published now: its line is there
        return run.state in DONE


class Lines:
    """Prints a line for each table that is done; used without a terminal."""

    def __init__(self, tables: Iterable[TableName]) -> None:
        self._width = width_of(tables)
        self._closed = False
        self._news = News()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True  # what was interrupted is not news

    def __call__(self, run: TableRun) -> None:
        """Print the state of a table, if it is done or has got further."""
        if (run.progress or self._news.is_new(run)) and not self._closed:
            print("\n".join([line_of(run, self._width), *warnings_of(run)]), flush=True)

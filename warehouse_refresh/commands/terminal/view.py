"""Show a refresh on a terminal: a line for each table that is done, and the tables that are being built."""

import threading
import time
from decimal import Decimal
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from warehouse_refresh.commands.terminal.lines import DONE, News, line_of, warnings_of, width_of
from warehouse_refresh.pipeline.outcomes import State
from warehouse_refresh.pipeline.running.execution import TableRun
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.values.reading import numeric_text

_STYLES = {
    State.WAITING: "dim",
    State.BUILDING: "cyan",
    State.STAGED: "green",
    State.BUILT: "green",
    State.BUILT_BEFORE: "dim green",
    State.FAILED: "bold red",
    State.BLOCKED: "bold red",
    State.NOT_RUN: "yellow",
}
_MOST_LINES = 12
_TICK_SECONDS = 0.1


class View:
    """Shows the tables of a refresh on `console`; call it with each change, from any thread.

    It draws the picture itself every `tick` seconds, under one lock with the lines. rich's own thread would draw it
    while a line is between its rendering and its output: then lines of the picture stay on the screen, or others go.
    """

    def __init__(self, console: Console, tables: list[TableName], tick: float = _TICK_SECONDS) -> None:
        self._console = console
        self._width = width_of(tables)
        self._pending = {table: TableRun(table, State.WAITING) for table in tables}
        self._since: dict[TableName, float] = {}
        self._news = News()
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._progress.add_task("tables", total=len(tables))
        self._live = Live(console=console, get_renderable=self._picture, auto_refresh=False, transient=True)
        self._lock = threading.Lock()
        self._tick, self._ended = tick, threading.Event()
        self._drawer = threading.Thread(target=self._draw, name="view", daemon=True)

    def __enter__(self) -> Self:
        self._live.start()
        self._drawer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._drawer.join()
        with self._lock:
            self._live.stop()

    def _draw(self) -> None:
        while not self._ended.wait(self._tick):
            with self._lock:
                self._live.refresh()

    def __call__(self, run: TableRun) -> None:
        """Show the new state of a table."""
        with self._lock:
            if not self._ended.is_set():  # what was interrupted is not news
                self._show(run)

    def _show(self, run: TableRun) -> None:
        if run.state in DONE:
            if self._pending.pop(run.table, None):
                self._progress.advance(self._task)
                if not self._pending:
                    self._progress.update(self._task, description="publishing")
            if self._news.is_new(run):
                self._console.print(self._line(run), highlight=False, soft_wrap=True)
                for warning in warnings_of(run):
                    self._console.print(Text(warning, style="yellow"), highlight=False, soft_wrap=True)
        else:
            self._pending[run.table] = run
            self._since.setdefault(run.table, time.monotonic())

    def _line(self, run: TableRun) -> Text:
        seconds = time.monotonic() - self._since.get(run.table, time.monotonic())
        return Text(line_of(run, self._width, seconds), style=_STYLES[run.state])

    def _picture(self) -> Group:
        """The current work: the tables being built, then some of those that wait, and the progress bar."""
        under_way = sorted(self._pending.values(), key=lambda run: run.state is not State.BUILDING)
        lines = [self._line(run) for run in under_way[:_MOST_LINES]]
        if len(under_way) > _MOST_LINES:
            lines.append(Text(f"… and {len(under_way) - _MOST_LINES} more", style="dim"))
        return Group(*lines, self._progress)


def rows_table(title: str, columns: list[str], rows: list[tuple[object, ...]], width: int) -> Table:
    """Some rows of a table, in `width` characters: the longest values are cut so that the others are not."""
    texts = [[cell(value) for value in row] for row in rows]
    natural = [max([len(name), *(len(row[index]) for row in texts)]) for index, name in enumerate(columns)]
    picture = Table(title=title, title_justify="left")
    for name, room in zip(columns, _rooms(natural, width - 3 * len(columns) - 1), strict=True):
        picture.add_column(name, width=room, no_wrap=True, overflow="ellipsis")
    for row in texts:
        picture.add_row(*map(Text, row))
    return picture


def cell(value: object) -> str:
    """A value as a table of rows shows it."""
    if isinstance(value, Decimal):
        return numeric_text(value)
    return "NULL" if value is None else str(value)


def _rooms(natural: list[int], width: int) -> list[int]:
    """How many characters each column gets of `width`: what it needs, or an equal share of what the others leave."""
    rooms = [0] * len(natural)
    by_need = sorted(range(len(natural)), key=natural.__getitem__)
    for position, index in enumerate(by_need):
        rooms[index] = max(3, min(natural[index], width // (len(natural) - position)))
        width -= rooms[index]
    return rooms

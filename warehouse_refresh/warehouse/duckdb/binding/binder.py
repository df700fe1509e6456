"""Begins to bind queries, and says later what DuckDB has against them."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator

from warehouse_refresh.warehouse.duckdb.binding.empty_tables import EmptyTables, Task
from warehouse_refresh.warehouse.duckdb.binding.process import BindingProcess
from warehouse_refresh.warehouse.duckdb.failures import no_room, translation_fault
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, schema_sql, table_sql
from warehouse_refresh.warehouse.duckdb.translations import Translation
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.errors import UnsupportedSql
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.coercion import plain
from warehouse_refresh.warehouse.types import Column

MANY = 40
"""How many queries that wait are worth a process of their own, which takes 0.2 s to start on another core."""
logger = logging.getLogger("warehouse_refresh.warehouse.duckdb")


class Binder:
    """Binds queries in the order in which they are begun: a few when their answers are wanted, many meanwhile in a
    process of their own. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made_for: dict[TableName, tuple[Column, ...]] = {}
        self._schemas: set[str] = set()
        self._tasks: list[Task] = []
        self._faults: list[str] = []  # of the first tasks
        self._process: BindingProcess | None = None
        self._here: EmptyTables | None = None

    def begin(self, made: Translation) -> Callable[[], None]:
        """Begin to bind the query. Returns a function that waits for the answer: it raises TranslationFault unless
        DuckDB takes the query and makes the columns that it should. Nothing is executed. Raises SqlError for columns
        that a table cannot have."""
        sql = made.stored_sql()
        # A declared precision is the table's, not the query's.
        columns = tuple((column.name, duckdb_type(plain(column.type))) for column in made.columns)
        with self._lock:
            task = Task(sql, columns, tuple(self._setup(made)))
            self._tasks.append(task)
            self._hand_over(task)
            number = len(self._tasks) - 1
        return lambda: self._confirm(number)

    def close(self) -> None:
        """Release the tables in memory. The object is not used again."""
        with self._lock:
            if self._process is not None:
                self._process.close()
            if self._here is not None:
                self._here.close()

    def _confirm(self, number: int) -> None:
        with self._lock:
            while len(self._faults) <= number:
                self._faults.append(self._next_fault())
            fault, task = self._faults[number], self._tasks[number]
        if fault:
            logger.debug("%s: %s", fault, task.sql)  # DuckDB's words are about SQL that no user has written
            raise no_room() if "Max expression depth" in fault else translation_fault()

    def _next_fault(self) -> str:
        if self._process is not None:
            try:
                return self._process.fault()
            except OSError:
                self._process.close()
                self._process = None
        if self._here is None:
            self._here = EmptyTables()
            self._here.set_up(self._tasks[: len(self._faults)])
        return self._here.fault(self._tasks[len(self._faults)])

    def _hand_over(self, task: Task) -> None:
        """Give the task to the process; start one if this is the last of many."""
        if self._process is not None:
            self._process.ask(task)
        elif self._here is None and len(self._tasks) == MANY:
            try:
                self._process = BindingProcess()
            except OSError:  # too many processes: all are bound here
                return
            for waiting in self._tasks:
                self._process.ask(waiting)

    def _setup(self, made: Translation) -> Iterator[str]:
        """The statements that create what the query reads."""
        for table, columns in made.read.items():
            if self._made_for.get(table) == columns:
                continue
            if table.dataset not in self._schemas:
                yield f"CREATE SCHEMA IF NOT EXISTS {schema_sql(table.dataset)}"
                self._schemas.add(table.dataset)
            yield f"CREATE OR REPLACE TABLE {table_sql(table)} ({listed(columns)})"
            self._made_for[table] = columns


def listed(columns: Iterable[Column]) -> str:
    """The columns with their types, as CREATE TABLE lists them."""
    return ", ".join(f"{quoted(column.name)} {_type(column)}" for column in columns)


def _type(column: Column) -> str:
    """The column's type. No translated query names a column of a type that is not supported."""
    try:
        return duckdb_type(column.type)
    except UnsupportedSql:
        return "VARCHAR"

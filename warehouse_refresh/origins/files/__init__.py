"""Files that raw tables come from: CSV, NDJSON and Parquet, read by DuckDB."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import duckdb

from warehouse_refresh.origins import Described, OriginColumn, OriginError, Relation, Since
from warehouse_refresh.origins.files.forms import Form, faults_of, form_of
from warehouse_refresh.origins.files.places import File, find
from warehouse_refresh.origins.rooms import room
from warehouse_refresh.warehouse.duckdb.faults import reason
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, string_sql
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.types import STRING, Column, SqlType

_MOST_FAULTS = 20
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


@contextmanager
def open_files(folder: Path, credentials: Mapping[str, str]) -> Iterator["FilesSnapshot"]:
    """The files that paths from this folder on name; for some paths in buckets there are credentials."""
    with duckdb.connect(config=_SETTINGS) as reader, room("refresh-files-") as copies:
        reader.execute("SET TimeZone = 'UTC'")
        snapshot = FilesSnapshot(folder, copies, reader, credentials)
        try:
            yield snapshot
        finally:
            snapshot.close()


@dataclass
class FilesSnapshot:
    """Implements Snapshot: the files stay what they were when they were described, or it is an error. `turn` is held
    by whoever uses the `reader`. Files of buckets have their `copies` in a folder."""

    folder: Path
    copies: Path
    reader: duckdb.DuckDBPyConnection
    credentials: Mapping[str, str] = field(repr=False)
    turn: threading.Lock = field(default_factory=threading.Lock)
    open: list["FileRows"] = field(default_factory=list)
    is_closed: bool = False
    _forms: dict[str, tuple[list[File], Form]] = field(default_factory=dict)

    @property
    def note(self) -> str:
        return ""

    def tables(self) -> list[str]:
        """None: files are named one by one."""
        return []

    def describe(self, relation: Relation, wanted: Mapping[str, SqlType]) -> Described:
        files = find(self.folder, relation.file, self.copies, self.credentials.get(relation.file, ""))
        try:
            with self.turn:
                form = form_of(files, self.reader, files[-1:] if relation.file_column and wanted else files)
                types, refused = form.types(wanted)
        except duckdb.Error as error:
            faults = "\n".join(islice(faults_of(files), _MOST_FAULTS))
            raise OriginError(faults or f"{relation}: {reason(error)}") from error
        self._forms[relation.file] = files, form
        columns = [_column(name, types[name]) for name in _order(types, wanted if relation.file_column else ())]
        if relation.file_column:
            if relation.file_column in {**types, **refused}:
                raise OriginError(f"{relation.file} has a column {relation.file_column}: write another file_column")
            columns.append(_column(relation.file_column, STRING))
        return Described(tuple(columns), refused, None, sum(file.size for file in files))

    @contextmanager
    def reading(
        self,
        relation: Relation,
        columns: tuple[OriginColumn, ...],
        since: Since | None = None,  # noqa: ARG002 (files have no cursor)
    ) -> Iterator["FileRows"]:
        files, form = self._forms[relation.file]
        rows = FileRows(
            [file for file in files if file.name not in relation.without],
            form,
            [it.column for it in columns],
            relation.file_column,
        )
        self.open.append(rows)
        try:
            yield rows
        except OriginError as error:
            faults = rows.faults() if isinstance(error.__cause__, duckdb.Error) and not self.is_closed else []
            raise (OriginError("\n".join(faults)) if faults else error) from error
        finally:
            self.open.remove(rows)

    def close(self) -> None:
        self.is_closed = True
        for rows in list(self.open):
            rows.interrupt()


class FileRows:
    """Implements Rows: each file is a piece."""

    def __init__(self, files: list[File], form: Form, columns: list[Column], file_column: str) -> None:
        self._files, self._form, self._file_column = files, form, file_column
        self._columns = columns
        self._own = [column for column in columns if column.name != file_column]
        self._current: File | None = None
        self._is_stopped = False
        self._reader: duckdb.DuckDBPyConnection | None = None

    def parts(self) -> "list[FileRows]":
        return [self]

    def offer(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        self._reader = connection
        for file in self._files:
            if self._is_stopped:
                raise OriginError("the load was stopped")
            self._current = file
            file.check_unchanged()
            file.check_whole()
            name = f", {string_sql(file.name)} AS {quoted(self._file_column)}" if self._file_column else ""
            rows = self._form.rows_sql(file, self._own)
            connection.execute(f"CREATE OR REPLACE TEMP VIEW stream AS SELECT *{name} FROM ({rows})")
            yield
            file.check_unchanged()
            file.forget()
        if not self._files:
            listed = ", ".join(f"CAST(NULL AS {duckdb_type(it.type)}) AS {quoted(it.name)}" for it in self._columns)
            connection.execute(f"CREATE TEMP VIEW stream AS SELECT {listed} WHERE false")
            yield

    def check(self, count: int) -> None:
        """Nothing is left to check."""

    def faults(self) -> list[str]:
        """What is wrong in the file that is being read, and where."""
        return list(islice(self._form.faults(self._current, self._own), _MOST_FAULTS)) if self._current else []

    def interrupt(self) -> None:
        """End what reads them."""
        self._is_stopped = True
        if self._reader is not None:
            self._reader.interrupt()


def _order(names: Iterable[str], first: Iterable[str]) -> list[str]:
    """The names, beginning with those that are `first`: so a new file of many does not turn the columns around."""
    left = list(names)
    begin = [name for name in first if name in left]
    return [*begin, *(name for name in left if name not in begin)]


def _column(name: str, type_: SqlType) -> OriginColumn:
    """A column whose values arrive as what they are, or not at all."""
    return OriginColumn(Column(name, type_), "", quoted(name))

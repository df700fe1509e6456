"""The forms that files have: what each one's columns are, and the query of its rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import duckdb

from warehouse_refresh.origins import NotReadable, OriginError
from warehouse_refresh.origins.files import csv, ndjson, parquet
from warehouse_refresh.origins.files.places import File
from warehouse_refresh.origins.files.texts import known
from warehouse_refresh.warehouse.types import Column, SqlType
from warehouse_refresh.warehouse.values.parquet import ParquetColumn

_CSV, _NDJSON = frozenset((".csv", ".tsv")), frozenset((".ndjson", ".jsonl"))


class Form(Protocol):
    """Files of one form that have the same columns."""

    def types(self, wanted: Mapping[str, SqlType]) -> tuple[dict[str, SqlType], dict[str, str]]:
        """The type of each column, those of `wanted` with theirs; and those that cannot be read, with the reason.
        Raises OriginError."""

    def rows_sql(self, file: File, columns: Sequence[Column]) -> str:
        """The query of one file's rows in DuckDB's SQL. Raises OriginError for another file than those before."""

    def faults(self, file: File, columns: Sequence[Column]) -> Iterator[str]:
        """What is wrong in a file that DuckDB has refused, and where."""


def form_of(files: Sequence[File], reader: duckdb.DuckDBPyConnection, looked_at: Sequence[File]) -> Form:
    """The form of these files, by the endings of their names. Which columns there are, those that are `looked_at` say.
    Raises OriginError."""
    endings = {file.form for file in files}
    if len(endings) > 1:
        raise OriginError(f"files of several forms are no table: {', '.join(sorted(endings))}")
    if endings <= _CSV:
        return Csv(files, reader, looked_at, csv.names_of(looked_at[0]))
    if endings <= _NDJSON:
        return Ndjson(files, reader, ndjson.names_of(reader, looked_at))
    if endings == {".parquet"} and not any(file.is_gzip for file in files):
        return Parquet(parquet.columns_of(looked_at[0]))
    raise OriginError(
        f"{files[0].name}: the name ends in none of .csv, .tsv, .ndjson, .jsonl (each may have .gz), .parquet"
    )


def faults_of(files: Sequence[File]) -> Iterator[str]:
    """What is wrong in files that DuckDB has refused before their columns were known, and where."""
    for file in files:
        if file.form in _CSV:
            yield from csv.faults(file, ())
        elif file.form in _NDJSON:
            yield from ndjson.faults(file, (), None)


@dataclass(frozen=True)
class Csv:
    """Implements Form."""

    files: Sequence[File]
    reader: duckdb.DuckDBPyConnection
    looked_at: Sequence[File]
    names: Sequence[str]

    def types(self, wanted: Mapping[str, SqlType]) -> tuple[dict[str, SqlType], dict[str, str]]:
        for file in self.looked_at:
            csv.check_names(file, self.names)
        return _types(self.names, wanted, lambda left: csv.guess(self.reader, self.files, left))

    def rows_sql(self, file: File, columns: Sequence[Column]) -> str:
        csv.check_names(file, self.names)
        return csv.rows_sql(file, columns)

    def faults(self, file: File, columns: Sequence[Column]) -> Iterator[str]:
        return csv.faults(file, columns)


@dataclass(frozen=True)
class Ndjson:
    """Implements Form."""

    files: Sequence[File]
    reader: duckdb.DuckDBPyConnection
    names: Sequence[str]

    def types(self, wanted: Mapping[str, SqlType]) -> tuple[dict[str, SqlType], dict[str, str]]:
        return _types(self.names, wanted, lambda left: ndjson.guess(self.reader, self.files, left))

    def rows_sql(self, file: File, columns: Sequence[Column]) -> str:
        return ndjson.rows_sql(file, columns, self.names)

    def faults(self, file: File, columns: Sequence[Column]) -> Iterator[str]:
        return ndjson.faults(file, columns, self.names)


@dataclass(frozen=True)
class Parquet:
    """Implements Form."""

    columns: Sequence[ParquetColumn]

    def types(self, wanted: Mapping[str, SqlType]) -> tuple[dict[str, SqlType], dict[str, str]]:
        found, refused = dict[str, SqlType](), dict[str, str]()
        for own in self.columns:
            try:
                found[own.name] = parquet.type_of(own, wanted.get(own.name))
            except NotReadable as error:
                refused[own.name] = str(error)
        return found, refused

    def rows_sql(self, file: File, columns: Sequence[Column]) -> str:
        kinds: dict[str, Any] = {own.name: own.kind for own in self.columns}
        return parquet.rows_sql(file, columns, kinds)

    def faults(self, file: File, columns: Sequence[Column]) -> Iterator[str]:  # noqa: ARG002 (rows_sql has found them)
        return iter(())


def _types(
    names: Sequence[str], wanted: Mapping[str, SqlType], guess: Any
) -> tuple[dict[str, SqlType], dict[str, str]]:
    found, refused = dict[str, SqlType](), dict[str, str]()
    left = [name for name in names if name not in wanted]
    guessed = guess(left) if left else {}
    for name in names:
        try:
            found[name] = known(name, wanted[name]) if name in wanted else guessed[name]
        except NotReadable as error:
            refused[name] = str(error)
    return found, refused

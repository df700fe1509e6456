"""Parquet files, read by DuckDB whatever the warehouse is: each value exactly as it is, or refused.

https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#type_conversions
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from warehouse_refresh.warehouse import Append, Row, batches
from warehouse_refresh.warehouse.duckdb.faults import reason
from warehouse_refresh.warehouse.duckdb.translate.text import CATALOGUE, quoted, schema_sql, string_sql, table_sql
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column, SqlType, array_of, struct_of
from warehouse_refresh.warehouse.values.invalid import shown

_INTEGERS = ("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint")
_OF_INTEGERS = ("INT64", "NUMERIC", "FLOAT64", "STRING")
_MAY_BE: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(_INTEGERS, _OF_INTEGERS),
    **dict.fromkeys(("float", "double"), ("FLOAT64",)),
    "decimal": ("NUMERIC", "BIGNUMERIC"),
    "boolean": ("BOOL",),
    **dict.fromkeys(("varchar", "uuid", '"null"'), ("STRING",)),
    "blob": ("BYTES", "STRING"),
    "date": ("DATE",),
    **dict.fromkeys(("time", "time_ns"), ("TIME",)),
    **dict.fromkeys(("timestamp", "timestamp_ns"), ("DATETIME", "TIMESTAMP")),
    **dict.fromkeys(("timestamp with time zone", "timestamptz_ns"), ("TIMESTAMP",)),
}
"""The GoogleSQL types that may hold a DuckDB type's values; the first one is inferred."""
_HINTS = {
    "json": 'it is STRING if the settings say so: { type = "STRING" }',
    "map": "write it as a list of structs with a key and a value",
    "hugeint": "write it as a DECIMAL",
    "interval": "write months, days or seconds as a number",
}
_DAYS = "BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
_RANGES = {
    "DATE": f"{{x}} NOT {_DAYS}",
    "TIME": "{x} >= TIME '24:00:00'",
    "DATETIME": f"NOT isfinite({{x}}) OR CAST({{x}} AS DATE) NOT {_DAYS}",
    "TIMESTAMP": f"NOT isfinite({{x}}) OR CAST({{x}} AS DATE) NOT {_DAYS}",
}


class InvalidParquet(ValueError):
    """A file or a column that cannot be read; `hint` (may be empty) is what to do."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


@dataclass(frozen=True, slots=True)
class ParquetColumn:
    """A column as the file has it: `kind` is DuckDB's type, `odd` what the file says of it and DuckDB does not keep."""

    name: str
    kind: Any
    odd: str = ""

    def inferred(self) -> SqlType:
        """The type that holds the column's values. Raises InvalidParquet."""
        if self.odd:
            way = "microseconds" if "INT96" in self.odd else "at most 38 digits"
            raise InvalidParquet(f"{self.name}: {self.odd} would lose digits", f"write it with {way}, or as text")
        return _inferred(self.name, self.kind)

    def check(self, declared: SqlType) -> None:
        """Raise InvalidParquet unless the column's values may be of the declared type."""
        is_json = str(self.kind) == "JSON" and declared.name == "STRING"
        known = () if self.odd else _MAY_BE.get(_name(self.kind), ())
        if not is_json and declared.name not in known and self.inferred() != declared:
            found = f"{self.name} is {self.kind}, and cannot be {declared}"
            raise InvalidParquet(found, f"write {' or '.join(known) or self.inferred()}, and CAST it in a script")


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """A file's rows as columns of GoogleSQL's types: `sql` is the query of them in DuckDB's SQL."""

    path: Path
    columns: tuple[Column, ...]
    row_count: int
    sql: str


@dataclass(frozen=True, slots=True)
class BadValue:
    """A value that its column's type does not hold; rows count from 1."""

    row: int
    column: str
    detail: str


def parquet_columns(path: Path) -> list[ParquetColumn]:
    """The file's columns. Raises InvalidParquet for a file that is no Parquet file."""
    with _reading(path) as connection:
        schema = connection.execute(
            "SELECT name, coalesce(num_children, 0), type, precision FROM parquet_schema(?)", [_pattern(path)]
        ).fetchall()
        kinds = connection.sql(f"SELECT * FROM {_source(path)}").types
        return [ParquetColumn(name, kind, odd) for (name, odd), kind in zip(_top_level(schema[1:]), kinds, strict=True)]


def read_columns(path: Path, columns: Sequence[tuple[ParquetColumn, Column]]) -> ParquetFile:
    """The file with these columns of the table for its own. Raises InvalidParquet."""
    values = [f"{_value(quoted(own.name), own.kind, it.type)} AS {quoted(it.name)}" for own, it in columns]
    with _reading(path) as connection:
        [(rows,)] = connection.execute(f"SELECT count(*) FROM {_source(path)}").fetchall()
    found = tuple(it for _, it in columns)
    return ParquetFile(path, found, int(rows), f"SELECT {', '.join(values)} FROM {_source(path)}")


def bad_values(path: Path, columns: Sequence[tuple[ParquetColumn, Column]], most: int) -> list[BadValue]:
    """Up to `most` values that their columns' types do not hold exactly. Raises InvalidParquet."""
    checks = {it.name: _is_bad_column(own, it) for own, it in columns}
    with _reading(path) as connection:
        counts = ", ".join(f"count_if({check})" for check in checks.values())
        [found] = connection.execute(f"SELECT {counts} FROM {_source(path)}").fetchall()
        bad: list[BadValue] = []
        for (own, it), count in zip(columns, found, strict=True):
            if count and len(bad) < most:
                bad += _first_bad(connection, path, own, it, most - len(bad))
    return bad


def write_plain(file: ParquetFile, target: Path) -> None:
    """Write the rows to another Parquet file, with the types of `file.columns`. Raises WarehouseError."""
    try:
        with _connection() as connection:
            connection.execute(f"COPY ({file.sql}) TO {string_sql(str(target))} (FORMAT parquet)")
    except duckdb.Error as error:
        raise WarehouseError(f"{file.path} cannot be copied to {target.parent}: {reason(error)}") from error


def holds_exactly(kind: SqlType) -> bool:
    """Whether `write_rows` writes the type's values so that BigQuery reads them as that type."""
    inner = [field.type for field in kind.fields] if kind.element is None else [kind.element]
    return all(map(holds_exactly, inner)) if inner else kind.name in _WRITTEN


_WRITTEN = (
    *("INT64", "NUMERIC", "FLOAT64", "BOOL", "STRING", "BYTES"),
    *("DATE", "TIME", "DATETIME", "TIMESTAMP"),
)


def write_rows(columns: Sequence[Column], rows: Sequence[Row], target: Path) -> ParquetFile:
    """Write rows to a Parquet file. Raises WarehouseError."""
    from warehouse_refresh.warehouse.duckdb.append import append_rows  # imports the translator's nodes

    table = TableName("rows", "written")
    definitions = ", ".join(f"{quoted(column.name)} {duckdb_type(column.type)}" for column in columns)
    try:
        with _connection() as connection:
            connection.execute(f"ATTACH ':memory:' AS {CATALOGUE}; CREATE SCHEMA {schema_sql(table.dataset)}")
            connection.execute(f"CREATE TABLE {table_sql(table)} ({definitions})")
            for batch in batches(rows):
                append_rows(connection, table, tuple(columns), [Append(batch)])
            connection.execute(f"COPY {table_sql(table)} TO {string_sql(str(target))} (FORMAT parquet)")
    except duckdb.Error as error:
        raise WarehouseError(f"the rows cannot be written to {target.parent}: {reason(error)}") from error
    return ParquetFile(target, tuple(columns), len(rows), f"SELECT * FROM {_source(target)}")


@contextmanager
def _connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that fetches nothing from the internet."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


@contextmanager
def _reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with _connection() as connection:
            yield connection
    except duckdb.Error as error:
        text = reason(error).replace(str(path), path.name).partition(": ")[2].replace("\n", " ")
        raise InvalidParquet(f"the file cannot be read as Parquet: {text}", "write it anew") from error


def _pattern(path: Path) -> str:
    """The path as DuckDB reads it, where some characters stand for others."""
    return re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))


def _source(path: Path) -> str:
    return f"read_parquet({string_sql(_pattern(path))}, hive_partitioning = false)"


def _top_level(schema: Sequence[tuple[Any, ...]]) -> Iterator[tuple[str, str]]:
    """The name of each column, and what DuckDB does not keep of a type in it."""
    left = iter(schema)
    for name, children, type_, precision in left:
        odd = _odd(type_, precision)
        while children:
            _, more, type_, precision = next(left)
            odd = odd or _odd(type_, precision)
            children += more - 1
        yield name, odd


def _odd(type_: str | None, precision: int | None) -> str:
    if type_ == "INT96":
        return "a timestamp in nanoseconds (INT96)"
    return f"a DECIMAL of {precision} digits" if (precision or 0) > 38 else ""


def _name(kind: Any) -> str:
    return str(kind).lower() if kind.id not in ("decimal", "list", "struct") else str(kind.id)


def _inferred(name: str, kind: Any) -> SqlType:
    if kind.id == "list":
        if kind.children[0][1].id == "list":
            raise InvalidParquet(f"{name}: GoogleSQL has no array of arrays", "put each inner one into a struct")
        return array_of(_inferred(name, kind.children[0][1]))
    if kind.id == "struct":
        return struct_of(*(Column(field, _inferred(f"{name}.{field}", inner)) for field, inner in kind.children))
    if kind.id == "decimal":
        (_, precision), (_, scale) = kind.children
        return SqlType("NUMERIC" if scale <= 9 and precision - scale <= 29 else "BIGNUMERIC")
    if types := _MAY_BE.get(_name(kind)):
        return SqlType(types[0])
    hint = _HINTS.get(kind.id if kind.id == "map" else str(kind).lower(), "write it as another type")
    raise InvalidParquet(f"{name}: GoogleSQL has no type for {kind}", hint)


def _value(x: str, kind: Any, type_: SqlType) -> str:
    """The value as DuckDB stores the type, once `_is_bad` has refused what would change."""
    if type_.element is not None:
        inner = kind.children[0][1]
        each = x if _is_plain(inner) else f"list_transform({x}, lambda e: {_value('e', inner, type_.element)})"
        array = f"coalesce({each}, [])"  # a BIGNUMERIC stays a DECIMAL here
        return array if "BIGNUMERIC" in str(type_) else f"CAST({array} AS {duckdb_type(type_)})"
    if type_.name == "STRUCT":
        fields = zip(kind.children, type_.fields, strict=True)
        parts = [
            f"{quoted(name)} := {_value(f'struct_extract({x}, {string_sql(name)})', inner, it.type)}"
            for (name, inner), it in fields
        ]
        return f"CASE WHEN {x} IS NOT NULL THEN struct_pack({', '.join(parts)}) END"
    return _scalar(x, kind, type_)


def _scalar(x: str, kind: Any, type_: SqlType) -> str:
    if str(kind) == "BLOB" and type_.name == "STRING":
        return f"decode({x})"
    if type_.name == "BIGNUMERIC":
        return x
    if str(kind) == "TIMESTAMP_NS":
        x = f"CAST({x} AS TIMESTAMP)"
    return f"CAST({x} AS {duckdb_type(type_)})"


def _is_plain(kind: Any) -> bool:
    return kind.id not in ("list", "struct")


def _is_bad_column(own: ParquetColumn, column: Column) -> str:
    check = f"coalesce({_is_bad(quoted(own.name), own.kind, column.type)}, false)"
    return f"({check} OR {quoted(own.name)} IS NULL)" if column.required else check


def _is_bad(x: str, kind: Any, type_: SqlType) -> str:
    """Whether a type does not hold the value exactly; NULL or false for NULL."""
    if type_.element is not None:
        inner = _is_bad("e", kind.children[0][1], type_.element)
        return f"(list_count({x}) <> len({x}) OR list_bool_or(list_transform({x}, lambda e: {inner})))"
    if type_.name == "STRUCT":
        fields = zip(kind.children, type_.fields, strict=True)
        parts = [
            f"coalesce({_is_bad(f'struct_extract({x}, {string_sql(name)})', inner, it.type)}, false)"
            for (name, inner), it in fields
        ]
        return f"({' OR '.join(parts)})"
    return f"({' OR '.join(_faults(x, kind, type_))})"


def _faults(x: str, kind: Any, type_: SqlType) -> Iterator[str]:
    if type_.name in _RANGES:
        yield _RANGES[type_.name].format(x=x)
    if type_.name == "STRING":
        text = f"try(decode({x}))" if str(kind) == "BLOB" else f"CAST({x} AS VARCHAR)"
        yield f"({x} IS NOT NULL AND {text} IS NULL)"
        yield f"contains({text}, chr(0))"
        if type_.parameters:
            yield f"length({text}) > {type_.parameters[0]}"
        return
    if type_.name == "BYTES":
        yield f"octet_length({x}) > {type_.parameters[0]}" if type_.parameters else "false"
        return
    if type_.name != "BIGNUMERIC":
        target = "TIMESTAMP" if str(kind) == "TIMESTAMP_NS" else duckdb_type(type_)
        yield f"TRY_CAST(TRY_CAST({x} AS {target}) AS {kind}) IS DISTINCT FROM {x}"
    else:
        yield "false"


def _first_bad(
    connection: duckdb.DuckDBPyConnection, path: Path, own: ParquetColumn, column: Column, most: int
) -> Iterator[BadValue]:
    numbered = f"SELECT row_number() OVER () AS row_number_, * FROM {_source(path)}"
    rows = connection.execute(
        f"SELECT row_number_, CAST({quoted(own.name)} AS VARCHAR) FROM ({numbered}) WHERE {_is_bad_column(own, column)}"
        f" ORDER BY 1 LIMIT {most}"
    ).fetchall()
    for number, text in rows:
        if text is None:
            detail = "the column is REQUIRED, and the value is NULL"
        else:
            detail = f"{shown(text)} cannot be {column.type} unchanged"
        yield BadValue(number, own.name, detail)

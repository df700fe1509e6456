"""Storing rows in a DuckDB table, at most once for each key."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from warehouse_refresh.warehouse import Append, Outcome, Row
from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.translate.nodes import Column as ColumnNode
from warehouse_refresh.warehouse.duckdb.translate.nodes import render
from warehouse_refresh.warehouse.duckdb.translate.queries.storing import has_limits, stored_value
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, table_sql
from warehouse_refresh.warehouse.duckdb.types import duckdb_type, units_of
from warehouse_refresh.warehouse.errors import InvalidRow
from warehouse_refresh.warehouse.idempotency import DAYS_KEPT, outcome_of
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.types import Column, has_values

_KEYS = f"{OWN_DATASET}.append_keys"
_ROWS_FAULT = (
    duckdb.ConstraintException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.InvalidInputException,
)


def append_rows(
    cursor: duckdb.DuckDBPyConnection, table: TableName, columns: tuple[Column, ...], appends: Sequence[Append]
) -> list[Outcome]:
    """Store the rows of all `appends` that are new, in the transaction that `cursor` is in. Raises InvalidRow."""
    _check_names(columns, appends)
    outcomes = _claim_keys(cursor, table, appends)
    rows = [
        row
        for append, outcome in zip(appends, outcomes, strict=True)
        if outcome is Outcome.STORED
        for row in append.rows
    ]
    for written, group in _by_columns(columns, rows):
        _insert(cursor, table, written, group)
    return outcomes


def _by_columns(columns: tuple[Column, ...], rows: Sequence[Row]) -> Iterable[tuple[list[Column], list[Row]]]:
    """Group the rows by the columns to write. A column with a default is left out for rows that give it no value."""
    usual = [column for column in columns if has_values(column.type)]
    with_default = {column.name for column in usual if column.default}
    groups: dict[frozenset[str], list[Row]] = {}
    for row in rows:
        groups.setdefault(frozenset(with_default - row.keys()), []).append(row)
    for left_out, group in groups.items():
        yield [column for column in usual if column.name not in left_out] or usual[:1], group


def _check_names(columns: tuple[Column, ...], appends: Sequence[Append]) -> None:
    """Raise InvalidRow for a value of an unknown column, which would otherwise be lost."""
    known = {column.name for column in columns if has_values(column.type)}
    for append in appends:
        for row in append.rows:
            if unknown := row.keys() - known:
                raise InvalidRow(f"there is no column {min(unknown)} that takes values")


def _claim_keys(cursor: duckdb.DuckDBPyConnection, table: TableName, appends: Sequence[Append]) -> list[Outcome]:
    """The outcome of each append by the keys that are stored; stores the new keys."""
    keys = {append.key for append in appends if append.key is not None}
    known = _fingerprints(cursor, table, keys) if keys else {}
    new: dict[str, str] = {}
    outcomes = [outcome_of(append, known, new) for append in appends]
    if new:
        _note(cursor, table, new)
    return outcomes


def _fingerprints(cursor: duckdb.DuckDBPyConnection, table: TableName, keys: Iterable[str]) -> dict[str, str]:
    _create_keys(cursor)
    found = cursor.execute(
        f"SELECT key, fingerprint FROM {_KEYS} WHERE table_name = ? AND key IN (SELECT unnest(?))",
        [str(table), list(keys)],
    ).fetchall()
    return dict(found)


def _note(cursor: duckdb.DuckDBPyConnection, table: TableName, new: Mapping[str, str]) -> None:
    try:
        cursor.execute(
            f"INSERT INTO {_KEYS} SELECT ?, unnest(?), unnest(?), now()", [str(table), list(new), list(new.values())]
        )
    except duckdb.ConstraintException as error:  # another transaction has noted the key since we looked
        raise duckdb.TransactionException(str(error)) from error


def _create_keys(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {OWN_DATASET}")
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {_KEYS} (table_name VARCHAR, key VARCHAR, fingerprint VARCHAR,"
        " stored_at TIMESTAMP WITH TIME ZONE, PRIMARY KEY (table_name, key))"
    )
    cursor.execute(f"DELETE FROM {_KEYS} WHERE stored_at < now() - INTERVAL '{DAYS_KEPT} days'")


def _insert(
    cursor: duckdb.DuckDBPyConnection, table: TableName, columns: Sequence[Column], rows: Sequence[Row]
) -> None:
    """One statement for any number of rows: a list of values for each column, unnested side by side."""
    names = ", ".join(quoted(column.name) for column in columns)
    try:
        cursor.execute(
            f"INSERT INTO {table_sql(table)} ({names}) {_values(columns)}",
            [[_stored(column, row.get(column.name)) for row in rows] for column in columns],
        )
    except _ROWS_FAULT as error:
        raise InvalidRow(f"{table} does not take these rows: {_reason(error)}") from error


def _values(columns: Sequence[Column]) -> str:
    """The query of the values. It fails for a value longer than declared, and for NULL in a REQUIRED field."""
    lists = [f"unnest(CAST(? AS {duckdb_type(column.type)}[]))" for column in columns]
    if not any(has_limits(column.type) for column in columns):
        return f"SELECT {', '.join(lists)}"
    named = ", ".join(f"{values} AS v{index}" for index, values in enumerate(lists))
    checked = (render(stored_value(ColumnNode("", f"v{index}"), column.type)) for index, column in enumerate(columns))
    return f"SELECT {', '.join(checked)} FROM (SELECT {named})"


def _reason(error: duckdb.Error) -> str:
    """The reason of the error without values from rows, which DuckDB's own message may contain."""
    if isinstance(error, duckdb.ConstraintException):
        text = str(error).splitlines()[0].removeprefix("Constraint Error: ")
        return text if text.startswith("NOT NULL") else "a constraint of the table forbids them"
    return "a value does not fit its column's type"


def _stored(column: Column, value: Any) -> Any:
    """The value for DuckDB's client: text where it would guess a narrower type, [] for a NULL array."""
    if column.type.element is not None:
        return [_stored(Column("", column.type.element), item) for item in value or ()]
    if value is None:
        return None
    if column.type.name == "STRUCT":
        return {field.name: _stored(field, value.get(field.name)) for field in column.type.fields}
    write = _WRITERS.get(column.type.name)
    return write(value) if write is not None else value


def _interval(text: str) -> str:
    """GoogleSQL's canonical `[-]Y-M [-]D [-]H:M:S[.F]` as DuckDB reads it."""
    months, days, clock = text.split(" ")
    sign = "-" if months.startswith("-") else ""
    years, months = months.removeprefix("-").split("-")
    return f"{sign}{years} years {sign}{months} months {days} days {clock}"


_WRITERS: Mapping[str, Callable[[Any], str]] = {"NUMERIC": str, "BIGNUMERIC": units_of, "INTERVAL": _interval}

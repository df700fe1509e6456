"""Storing rows in a DuckDB table, at most once for each key."""

from collections.abc import Sequence
from typing import Any

import duckdb

from warehouse.duckdb.translate import duckdb_type, quoted
from warehouse.engine import Append, Outcome, Row
from warehouse.errors import InvalidRow
from warehouse.names import TableName
from warehouse.types import Column

KEYS_KEPT = "30 days"


def append_rows(
    cursor: duckdb.DuckDBPyConnection, table: TableName, columns: tuple[Column, ...], appends: Sequence[Append]
) -> list[Outcome]:
    """Store the rows of all `appends` that are new, in the transaction that `cursor` is in. Raises InvalidRow."""
    outcomes = [_claim_key(cursor, table, append) for append in appends]
    rows = [
        row
        for append, outcome in zip(appends, outcomes, strict=True)
        if outcome is Outcome.STORED
        for row in append.rows
    ]
    if rows:
        _insert(cursor, table, columns, rows)
    return outcomes


def _claim_key(cursor: duckdb.DuckDBPyConnection, table: TableName, append: Append) -> Outcome:
    if append.key is None:
        return Outcome.STORED
    _create_keys(cursor)
    key = [str(table), append.key]
    found = cursor.execute(
        "SELECT fingerprint FROM warehouse.append_keys WHERE table_name = ? AND key = ?", key
    ).fetchone()
    if found is not None:
        return Outcome.REPLAYED if found[0] == append.fingerprint else Outcome.KEY_REUSED
    cursor.execute("INSERT INTO warehouse.append_keys VALUES (?, ?, ?, now())", [*key, append.fingerprint])
    return Outcome.STORED


def _create_keys(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("CREATE SCHEMA IF NOT EXISTS warehouse")
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS warehouse.append_keys (table_name VARCHAR, key VARCHAR, fingerprint VARCHAR,"
        " stored_at TIMESTAMP WITH TIME ZONE, PRIMARY KEY (table_name, key))"
    )
    cursor.execute(f"DELETE FROM warehouse.append_keys WHERE stored_at < now() - INTERVAL '{KEYS_KEPT}'")


def _insert(
    cursor: duckdb.DuckDBPyConnection, table: TableName, columns: tuple[Column, ...], rows: Sequence[Row]
) -> None:
    """One statement for any number of rows: a list of values for each column, unnested side by side."""
    values = ", ".join(f"unnest(CAST(? AS {duckdb_type(column.type)}[]))" for column in columns)
    names = ", ".join(quoted(column.name) for column in columns)
    target = f"{quoted(table.dataset)}.{quoted(table.name)}"
    try:
        cursor.execute(
            f"INSERT INTO {target} ({names}) SELECT {values}",
            [[_stored(column, row.get(column.name)) for row in rows] for column in columns],
        )
    except (duckdb.ConstraintException, duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        raise InvalidRow(f"{table} does not take these rows: {str(error).splitlines()[0]}") from error


def _stored(column: Column, value: Any) -> Any:
    """What DuckDB's client is handed: text for what it would else guess a narrower type for, [] for a NULL array."""
    if column.type.element is not None:
        return [_stored(Column("", column.type.element), item) for item in value or ()]
    if value is not None and column.type.name in ("NUMERIC", "BIGNUMERIC"):
        return str(value)
    if value is not None and column.type.name == "INTERVAL":
        return _interval(value)
    return value


def _interval(text: str) -> str:
    """GoogleSQL's canonical `[-]Y-M [-]D [-]H:M:S[.F]` as DuckDB reads it."""
    months, days, clock = text.split(" ")
    sign = "-" if months.startswith("-") else ""
    years, months = months.removeprefix("-").split("-")
    return f"{sign}{years} years {sign}{months} months {days} days {clock}"

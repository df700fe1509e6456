"""Find wrong checks of a table from the columns that it will have, without reading rows."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from warehouse_refresh.pipeline.checks.declared import (
    AcceptedValues,
    Check,
    Checks,
    Declared,
    Fresh,
    NotNull,
    Path,
    References,
    Unique,
)
from warehouse_refresh.pipeline.checks.queries import literal
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import Column, SqlType
from warehouse_refresh.warehouse.values.invalid import InvalidValue

Fault = tuple[Path, str, str]
"""The keys in the settings file, the reason, and a hint what to do."""
ColumnsOf = Callable[[TableName], tuple[Column, ...] | None]
"""The columns of a table; None if the table does not exist or its columns are unknown."""

_NUMBERS = frozenset({"INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC"})
_MOMENTS = frozenset({"DATE", "DATETIME", "TIMESTAMP"})
_LISTED = frozenset({*_NUMBERS, *_MOMENTS, "BOOL", "STRING", "TIME"})
# https://cloud.google.com/bigquery/docs/reference/standard-sql/window-function-calls#def_window_spec
_NO_KEYS: Mapping[str, str] = {
    "ARRAY": "GoogleSQL cannot compare arrays",
    "STRUCT": "GoogleSQL cannot PARTITION BY a STRUCT",
    "JSON": "GoogleSQL cannot compare JSON",
    "GEOGRAPHY": "GoogleSQL cannot compare a GEOGRAPHY",
}


def faults_of(table: TableName, checks: Checks, columns: tuple[Column, ...], *, is_source: bool) -> Iterator[Fault]:
    """The faults of checks that the table's own columns show. `is_source`: no script builds the table."""
    known = {column.name.casefold(): column for column in columns}
    for declared in checks.listed():
        missing = [column for column in declared.columns if column.casefold() not in known]
        for column in missing:
            yield declared.path, f"{table} has no column {column}", _like(column, columns)
        if not missing:
            found = [known[column.casefold()] for column in declared.columns]
            yield from ((declared.path, *wrong) for wrong in _of_types(declared, found))
    if checks.row_count is not None and checks.row_count.change_at_most is not None:
        path = ("checks", "row_count", "change_at_most")
        if is_source:
            yield path, f"no refresh builds {table}, so there is nothing to compare it with", "delete it"
        elif checks.where:
            hint = "delete one of them"
            yield path, "where chooses some rows, and the published table is counted as a whole", hint


def faults_of_references(declared: Declared, table: TableName, own: Column, columns_of: ColumnsOf) -> Iterator[Fault]:
    """The faults of a reference: the other column does not exist, or the two columns cannot be compared."""
    assert isinstance(declared.check, References)  # noqa: S101 (for mypy)
    other, column = declared.check.target
    columns = columns_of(other)
    if columns is None:
        return
    found = next((it for it in columns if it.name.casefold() == column.casefold()), None)
    if found is None:
        yield declared.path, f"{other} has no column {column}", _like(column, columns)
    elif not _comparable(own.type, found.type):
        reason = f"{own.name} of {table} is {own.type}, and {declared.check.to} is {found.type}"
        yield declared.path, f"{reason}: they cannot be compared", "CAST one of them in its script"


def _of_types(declared: Declared, columns: list[Column]) -> Iterator[tuple[str, str]]:
    """The faults of the types of the columns that a check reads: reason and hint."""
    if isinstance(declared.check, AcceptedValues):
        yield from _of_values(columns[0], declared.check.values)
    for column in columns:
        if reason := _misfit(declared.check, column.type):
            yield f"{column.name} is {column.type}: {reason}", "name another column, or delete this check"


def _misfit(check: Check, kind: SqlType) -> str:
    """Why a check cannot be asked of a column of that type; "" if it can."""
    if isinstance(check, Unique | References):
        return _NO_KEYS.get(kind.name, "")
    if isinstance(check, NotNull) and kind.element is not None:
        return "a table's array is never NULL"
    if isinstance(check, Fresh) and kind.name not in _MOMENTS:
        return "only DATE, DATETIME and TIMESTAMP have an age"
    return ""


def _of_values(column: Column, values: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    if column.type.name not in _LISTED:
        yield f"{column.name} is {column.type}, and has no accepted values here", "write a query in res/checks/"
        return
    for value in values:
        if reason := _not_of(value, column.type):
            yield f"{column.name} is {column.type}, and cannot be {value!r}: {reason}", "write another value"


def _not_of(value: Any, kind: SqlType) -> str:
    """Why the type does not have this value; "" if it has it."""
    if isinstance(value, str) and kind.name in {"INT64", "FLOAT64", "BOOL"}:
        return "it is a text"
    try:
        literal(value, kind)
    except InvalidValue as error:
        return error.detail
    return ""


def _comparable(one: SqlType, other: SqlType) -> bool:
    """https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_rules"""
    return one.name == other.name or {one.name, other.name} <= _NUMBERS


def _like(name: str, columns: tuple[Column, ...]) -> str:
    names = [column.name for column in columns]
    return did_you_mean(name, names) or f"its columns: {', '.join(names)}"

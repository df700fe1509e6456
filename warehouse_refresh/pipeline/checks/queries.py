"""The one query in GoogleSQL that answers all checks of a table, and for each check a query that shows the rows.

The query reads the table once and answers one row: how many rows there are, and for each check how many break it, with
up to MOST_EXAMPLES of them. It reads only the columns that the checks name, and those of the first unique key, which
says which row an example is.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from warehouse_refresh.pipeline.checks.declared import (
    AcceptedValues,
    Check,
    Declared,
    Fresh,
    NotNull,
    References,
    RowCount,
    Unique,
)
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import FLOAT64, Column, SqlType
from warehouse_refresh.warehouse.values.json_text import parse_json
from warehouse_refresh.warehouse.values.reading import from_json, to_json

MOST_EXAMPLES = 5
_NAMED = frozenset({"NUMERIC", "BIGNUMERIC", "DATE", "TIME", "DATETIME", "TIMESTAMP"})
_NOT_SHOWN = frozenset({"ARRAY", "STRUCT", "JSON", "GEOGRAPHY"})


@dataclass(frozen=True, slots=True)
class Subject:
    """The table that is checked: its columns; a condition for the rows that are checked ("": all); the columns by
    which tables are partitioned that refuse a query without a filter on it, by table; and a condition for the rows that
    are new, if only these are checked."""

    table: TableName
    columns: tuple[Column, ...]
    where: str = ""
    filtered: Mapping[TableName, str] | None = None
    bounds: str = ""

    def type_of(self, column: str) -> SqlType:
        """The type of its column of that name."""
        return next(it.type for it in self.columns if it.name.casefold() == column.casefold())

    def condition(self, *also: str) -> str:
        """WHERE with the rows that are checked and other conditions; "" for all rows."""
        own = f"({self.where}\n)" if self.where else "" if self.bounds else self.any_partition(self.table)
        parts = [part for part in (own, self.bounds, *also) if part]
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def any_partition(self, table: TableName) -> str:
        """A filter that takes all rows of a table that cannot be read without one; "" for any other."""
        column = (self.filtered or {}).get(table)
        return f"({quoted(column)} IS NULL OR {quoted(column)} IS NOT NULL)" if column else ""


def query_text(subject: Subject, checks: Sequence[Declared]) -> str:
    """The query for `checks`, whose columns the table has. Its answer is one row, with the columns `n` (how many rows
    were checked), `now`, and for the check at index 3: `broken_3` and `examples_3` (an ARRAY of STRUCTs of columns), or
    `latest_3`."""
    names = {column.casefold(): column for each in checks for column in _shown(subject, checks, each)}
    values = {folded: f"v{number}" for number, folded in enumerate(names)}
    inner = [f"t.{quoted(names[folded])} AS {value}" for folded, value in values.items()]
    inner += [f"{text} AS {name}" for number, each in enumerate(checks) for name, text in _flags(subject, number, each)]
    outer = ["COUNT(*) AS n", "CURRENT_TIMESTAMP() AS now"]
    for number, each in enumerate(checks):
        outer += _counted(number, each.check, {it: values[it.casefold()] for it in _shown(subject, checks, each)})
    joins = [_join(subject, number, each) for number, each in enumerate(checks) if isinstance(each.check, References)]
    source = (
        f"(SELECT * FROM {path(subject.table)}{subject.condition()})" if subject.condition() else path(subject.table)
    )
    rows = f"SELECT {', '.join(inner or ['1 AS one'])}\n  FROM {source} AS t" + "".join(f"\n  {join}" for join in joins)
    return "SELECT\n  " + ",\n  ".join(outer) + f"\nFROM (\n  {rows}\n) AS checked"


def rows_text(subject: Subject, declared: Declared) -> str:
    """A query for the rows that break a check, as they are; for a check of the whole table, what it looks at."""
    table, columns = path(subject.table), [quoted(column) for column in declared.columns]
    match declared.check:
        case RowCount():
            return f"SELECT COUNT(*) AS n FROM {table}{subject.condition()}"
        case Fresh(column=column):
            return f"SELECT MAX({quoted(column)}) AS latest FROM {table}{subject.condition()}"
        case Unique():
            filled = subject.condition(*(f"{column} IS NOT NULL" for column in columns))
            again = f"COUNT(*) OVER (PARTITION BY {_keys(subject, declared, '')}) > 1"
            return f"SELECT * FROM {table}{filled} QUALIFY {again} ORDER BY {', '.join(columns)}"
        case NotNull():
            return f"SELECT * FROM {table}{subject.condition(f'{columns[0]} IS NULL')}"
        case AcceptedValues(values=values):
            return f"SELECT * FROM {table}{subject.condition(_not_in(subject, declared, values, columns[0]))}"
        case References() as reference:
            other, column = reference.target
            known = f"SELECT {quoted(column)} FROM {path(other)} WHERE {_filled(subject, other, column)}"
            column = columns[0]
            return f"SELECT * FROM {table}{subject.condition(f'{column} IS NOT NULL', f'{column} NOT IN ({known})')}"


def literal(value: Any, kind: SqlType) -> str:
    """A value of the settings file as a literal of a type. Raises InvalidValue if the type cannot hold it."""
    held = from_json(parse_json(json.dumps(_plain(value))), kind)
    text = json.dumps(to_json(held, kind), ensure_ascii=False)
    if kind.name in _NAMED:
        return f"{kind.name} {text}"
    return f"CAST({text} AS FLOAT64)" if kind.name == "FLOAT64" and text.startswith('"') else text


def path(table: TableName) -> str:
    """The table's name in a query."""
    return f"{quoted(table.dataset)}.{quoted(table.name)}"


def quoted(name: str) -> str:
    """A name in a query."""
    return f"`{name}`"


def _shown(subject: Subject, checks: Iterable[Declared], declared: Declared) -> Iterator[str]:
    """The columns of an example: those that break the check, and those that identify the row."""
    check = declared.check
    if isinstance(check, RowCount):
        return
    if not isinstance(check, NotNull):
        yield from declared.columns
    if isinstance(check, Unique | Fresh):
        return
    own = {column.casefold() for column in declared.columns}
    keys = (each.check.columns for each in checks if isinstance(each.check, Unique))
    plain = ((it.name,) for it in subject.columns if it.type.name not in _NOT_SHOWN)
    others = plain if isinstance(check, NotNull) else ()
    yield from next((key for key in (*keys, *others) if own.isdisjoint(map(str.casefold, key))), ())


def _flags(subject: Subject, number: int, declared: Declared) -> Iterator[tuple[str, str]]:
    """For each row whether it breaks the check, as `b3`, and for a unique key the row's number in its group."""
    columns = [f"t.{quoted(column)}" for column in declared.columns]
    match declared.check:
        case Unique():
            keys = _keys(subject, declared, "t.")
            filled = " AND ".join(f"{column} IS NOT NULL" for column in columns)
            yield f"b{number}", f"{filled} AND COUNT(*) OVER (PARTITION BY {keys}) > 1"
            yield f"n{number}", f"ROW_NUMBER() OVER (PARTITION BY {keys})"
        case NotNull():
            yield f"b{number}", f"{columns[0]} IS NULL"
        case AcceptedValues(values=values):
            yield f"b{number}", _not_in(subject, declared, values, columns[0])
        case References():
            yield f"b{number}", f"{columns[0]} IS NOT NULL AND r{number}.k IS NULL"


def _counted(number: int, check: Check, shown: Mapping[str, str]) -> Iterator[str]:
    """What the query answers about a check; `shown` has the columns of its examples, with their names in the query."""
    if isinstance(check, RowCount):
        return
    if isinstance(check, Fresh):
        yield f"MAX({shown[check.column]}) AS latest_{number}"
        return
    yield f"COUNTIF(b{number}) AS broken_{number}"
    if shown:
        # Of each key that rows share, one row is enough.
        chosen = f"b{number} AND n{number} = 1" if isinstance(check, Unique) else f"b{number}"
        row = ", ".join(f"{value} AS {quoted(column)}" for column, value in shown.items())
        array = f"ARRAY_AGG(IF({chosen}, STRUCT({row}), NULL) IGNORE NULLS LIMIT {MOST_EXAMPLES})"
        yield f"{array} AS examples_{number}"


def _keys(subject: Subject, declared: Declared, prefix: str) -> str:
    """The columns of a key, as PARTITION BY takes them. It takes no FLOAT64, whose text says as much: NaN is NaN."""
    names = {column: f"{prefix}{quoted(column)}" for column in declared.columns}
    is_float = {column: subject.type_of(column) == FLOAT64 for column in names}
    return ", ".join(
        f"CAST(IF({name} = 0, 0, {name}) AS STRING)" if is_float[column] else name for column, name in names.items()
    )


def _not_in(subject: Subject, declared: Declared, values: Iterable[Any], column: str) -> str:
    kind = subject.type_of(declared.columns[0])
    return f"{column} NOT IN ({', '.join(literal(value, kind) for value in values)})"


def _join(subject: Subject, number: int, declared: Declared) -> str:
    assert isinstance(declared.check, References)  # noqa: S101 (for mypy)
    other, column = declared.check.target
    known = f"SELECT DISTINCT {quoted(column)} AS k FROM {path(other)} WHERE {_filled(subject, other, column)}"
    return f"LEFT JOIN ({known}) AS r{number} ON r{number}.k = t.{quoted(declared.columns[0])}"


def _filled(subject: Subject, table: TableName, column: str) -> str:
    """A condition for the rows of a table that have a value in the column."""
    return " AND ".join(filter(None, [f"{quoted(column)} IS NOT NULL", subject.any_partition(table)]))


def _plain(value: Any) -> Any:
    """The value as JSON has it."""
    if isinstance(value, float):
        return value if value - value == 0 else str(value).replace("inf", "Infinity")
    return value.isoformat() if isinstance(value, date | datetime | time) else value

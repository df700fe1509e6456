"""Tables that are built by date, or by ranges of ids: the intervals of a column that a build computes, and the record
of what is built."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query, Variable
from warehouse_refresh.warehouse.types import Column, SqlType

Point = date | datetime | int
"""A DATE, a DATETIME (naive), a TIMESTAMP (aware, in UTC) or an INT64. All points of one table are of one of these
types."""


def point_text(point: Point) -> str:
    """The point as a text: in the notation of ISO 8601, or digits."""
    return str(point) if isinstance(point, int) else point.isoformat()


def point_in(text: str) -> Point:
    """The point of such a text."""
    if text.removeprefix("-").isdecimal():
        return int(text)
    return date.fromisoformat(text) if len(text) == len("2024-01-31") else datetime.fromisoformat(text)


MOST_RANGES = 10_000
"""As many partitions a table of BigQuery can have: https://cloud.google.com/bigquery/quotas#partitioned_tables"""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Partitions of `step` ids each, of which one begins at `start`."""

    start: int
    step: int

    def floor(self, point: Point) -> int:
        """The start of the partition that the id is in."""
        assert isinstance(point, int)  # noqa: S101 (for mypy)
        return point - (point - self.start) % self.step

    def next(self, start: Point) -> int:
        """The start of the partition after the one that begins at `start`."""
        assert isinstance(start, int)  # noqa: S101 (for mypy)
        return start + self.step


@dataclass(frozen=True, slots=True)
class Interval:
    """All points from `start` up to `end`, which is not in it any more."""

    start: Point
    end: Point

    def __str__(self) -> str:
        return f"{point_text(self.start)} up to {point_text(self.end)}"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a build computes of a table: the rows that have a value of `column`, of type `kind`, in the `partitions`.
    One query computes one of the `batches`, which together are the partitions; it reads the bounds of its batch as
    @start and @end. The rest of the table stays, unless `whole` says that these are all of its rows.

    Without a `key`, the rows of the partitions are replaced. With one, the table has one row for each value of the
    key's columns: the one with the greatest value of `column`, and of two with the same value that of this build.

    `unit` is how long a partition is: HOUR, DAY, MONTH or Ranges. `own` are the columns of the table that its query
    reads from itself, if it does. It finds the rows before its batch there, and the batches are built in order."""

    column: str
    kind: SqlType
    partitions: Sequence[Interval]
    batches: Sequence[Interval]
    whole: bool = False
    key: tuple[str, ...] = ()
    unit: str | Ranges = "DAY"
    own: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A partition that was published, by its column: by which run and when, and the fingerprint of the `TableBuild`.
    `key` is that of the `Parts`."""

    column: str
    interval: Interval
    fingerprint: str
    run: str
    at: datetime
    key: tuple[str, ...] = ()


def query_of(query: Query, interval: Interval, parts: Parts) -> Query:
    """The query for this interval, as @start and @end."""
    values = {variable.name.casefold(): variable for variable in query.variables}
    bounds = {"start": interval.start, "end": interval.end}
    return query.given(values | {name: Variable(name, parts.kind, value) for name, value in bounds.items()})


def outside_reason(table: TableName, parts: Parts, interval: Interval, value: str) -> str:
    """What is wrong with a row outside of the interval, which has this value of the column."""
    return f"the query gives a row for {table} in which {parts.column} is {value}, outside of {interval}"


def unmergeable_reason(table: TableName, parts: Parts, values: str) -> str:
    """What is wrong with rows that cannot be merged, which have these values of the key."""
    return (
        f"the query gives rows for {table} that cannot be merged by {', '.join(parts.key)}: {values} is NULL, or two"
        f" rows have it and the same {parts.column}"
    )


def need_same_columns(table: TableName, old: Iterable[Column], new: Iterable[Column]) -> None:
    """Raises SqlError if the new rows of a table have other columns than the published ones."""
    old_types, new_types = ({column.name: column.type for column in columns} for columns in (old, new))
    if old_types != new_types:
        names = dict.fromkeys(sorted(name for name, _ in old_types.items() ^ new_types.items()))
        raise SqlError(
            f"the query gives other columns than {table} has: {', '.join(names)}",
            hint=f"build all of it with `refresh build --full {table}`",
        )

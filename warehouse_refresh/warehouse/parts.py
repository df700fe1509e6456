"""Tables that are built by date: the intervals of a column that a build computes, and the record of what is built."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from warehouse_refresh.warehouse.types import SqlType

Point = date | datetime
"""A DATE, a DATETIME (naive) or a TIMESTAMP (aware, in UTC). All points of one table are of one of these types."""


@dataclass(frozen=True, slots=True)
class Interval:
    """All points from `start` up to `end`, which is not in it any more."""

    start: Point
    end: Point

    def __str__(self) -> str:
        return f"{self.start.isoformat()} up to {self.end.isoformat()}"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a build computes of a table: the rows that have a value of `column`, of type `kind`, in the `partitions`.
    One query computes one of the `batches`, which together are the partitions; it reads the bounds of its batch as
    @start and @end. The rest of the table stays, unless `whole` says that these are all of its rows.

    Without a `key`, the rows of the partitions are replaced. With one, the table has one row for each value of the
    key's columns: the one with the greatest value of `column`, and of two with the same value that of this build."""

    column: str
    kind: SqlType
    partitions: Sequence[Interval]
    batches: Sequence[Interval]
    whole: bool = False
    key: tuple[str, ...] = ()


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

"""The partitions of a table: intervals of an hour, a day or a month, without gaps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from warehouse_refresh.warehouse.parts import Interval, Point


class Grain(Enum):
    """How long a partition is."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    def floor(self, point: Point) -> Point:
        """The start of the partition that the point is in."""
        if self is Grain.MONTH:
            point = point.replace(day=1)
        if not isinstance(point, datetime):
            return point
        midnight_or_hour = point.replace(minute=0, second=0, microsecond=0)
        return midnight_or_hour if self is Grain.HOUR else midnight_or_hour.replace(hour=0)

    def next(self, start: Point) -> Point:
        """The start of the partition after the one that begins at `start`."""
        if self is Grain.MONTH:
            months = start.year * 12 + start.month
            return start.replace(year=months // 12, month=months % 12 + 1)
        return start + (timedelta(hours=1) if self is Grain.HOUR else timedelta(days=1))


@dataclass(frozen=True, slots=True)
class ByDate:
    """What `[build]` says: the `grain` of the partitions, the `column` that says which one a row is in, and the first
    point that the table has. The last `lookback` partitions before the current one are built again each time, since
    rows come late. One query builds up to `batch` partitions. With a `key`, rows are merged: see `Parts`.
    With `reads_itself`, a partition is built from those before it."""

    grain: Grain
    column: str
    start: Point
    lookback: int = 0
    batch: int = 1
    key: tuple[str, ...] = ()
    reads_itself: bool = False

    def has(self, interval: Interval) -> bool:
        """Whether the interval is one of its partitions, now or later."""
        start = interval.start
        is_same = isinstance(start, datetime) == isinstance(self.start, datetime)
        if not is_same or self.grain.floor(start) != start or self.grain.next(start) != interval.end:
            return False
        return start >= self.grain.floor(self.start)

    def partitions(self, now: datetime) -> list[Interval]:
        """All partitions from `start` up to the one that `now` (in UTC) is in."""
        return list(self._until(_like(self.start, now)))

    def _until(self, now: Point) -> Iterator[Interval]:
        start = self.grain.floor(self.start)
        while start <= now:
            end = self.grain.next(start)
            yield Interval(start, end)
            start = end


def _like(point: Point, now: datetime) -> Point:
    """The time in UTC as a value of the type that the point has."""
    if not isinstance(point, datetime):
        return now.astimezone(UTC).date()
    return now.astimezone(UTC) if point.tzinfo else now.astimezone(UTC).replace(tzinfo=None)


def batches(partitions: Iterable[Interval], most: int) -> list[Interval]:
    """The partitions, which are in order, with up to `most` neighbours joined into one."""
    found: list[Interval] = []
    size = 0
    for one in partitions:
        if found and size < most and found[-1].end == one.start:
            found[-1] = Interval(found[-1].start, one.end)
            size += 1
        else:
            found.append(one)
            size = 1
    return found

"""The partitions of a table: intervals of an hour, a day or a month, or ranges of ids, without gaps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum

from warehouse_refresh.warehouse.builds.parts import MOST_RANGES, Interval, Point, Ranges


class Grain(Enum):
    """How long a partition is."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    def floor(self, point: Point) -> Point:
        """The start of the partition that the point is in."""
        assert not isinstance(point, int)  # noqa: S101 (for mypy)
        if self is Grain.MONTH:
            point = point.replace(day=1)
        if not isinstance(point, datetime):
            return point
        midnight_or_hour = point.replace(minute=0, second=0, microsecond=0)
        return midnight_or_hour if self is Grain.HOUR else midnight_or_hour.replace(hour=0)

    def next(self, start: Point) -> Point:
        """The start of the partition after the one that begins at `start`."""
        assert not isinstance(start, int)  # noqa: S101 (for mypy)
        if self is Grain.MONTH:
            months = start.year * 12 + start.month
            return start.replace(year=months // 12, month=months % 12 + 1)
        return start + (timedelta(hours=1) if self is Grain.HOUR else timedelta(days=1))


@dataclass(frozen=True, slots=True)
class ByDate:
    """What `[build]` says: the `grain` of the partitions, the `column` that says which one a row is in, and the first
    date, time or id that the table has. The current partition has the present time, or the highest id. The `lookback`
    partitions before it are built again each time, since rows come late. One query builds up to `batch` partitions.
    With a `key`, rows are merged: see `Parts`. With `reads_itself`, a partition is built from those before it."""

    grain: Grain | Ranges
    column: str
    start: Point
    lookback: int = 0
    batch: int = 1
    key: tuple[str, ...] = ()
    reads_itself: bool = False

    @property
    def unit(self) -> str | Ranges:
        """The `unit` of its Parts."""
        return self.grain if isinstance(self.grain, Ranges) else self.grain.name

    @property
    def first(self) -> Interval:
        """The first partition."""
        start = self.grain.floor(self.start)
        return Interval(start, self.grain.next(start))

    def has(self, interval: Interval) -> bool:
        """Whether the interval is one of its partitions, now or later."""
        start = interval.start
        if type(start) is not type(self.start):
            return False
        if self.grain.floor(start) != start or self.grain.next(start) != interval.end:
            return False
        return place(start) >= place(self.first.start)

    def partitions(self, now: datetime, highest: int | None = None) -> list[Interval]:
        """All partitions from `start` up to that of `now` (in UTC), or of the `highest` id: none if there is no id."""
        last = highest if isinstance(self.start, int) else _like(self.start, now)
        return [] if last is None else list(self._until(last))

    def span(self, now: datetime) -> Interval | None:
        """From the first partition to the one that `now` is in, or all ranges of ids that there can be; None if there
        is no partition yet."""
        if isinstance(self.grain, Ranges):
            return Interval(self.start, self.grain.start + MOST_RANGES * self.grain.step)
        partitions = self.partitions(now)
        return Interval(partitions[0].start, partitions[-1].end) if partitions else None

    def _until(self, last: Point) -> Iterator[Interval]:
        one = self.first
        while place(one.start) <= place(last):
            yield one
            one = Interval(one.end, self.grain.next(one.end))


def place(point: Point) -> int:
    """Where the point is: an id, or the microseconds since 1970 in UTC, of a date those of its midnight."""
    if isinstance(point, int):
        return point
    if not isinstance(point, datetime):
        point = datetime(point.year, point.month, point.day, tzinfo=UTC)
    moment = point if point.tzinfo else point.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _like(point: date, now: datetime) -> date:
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

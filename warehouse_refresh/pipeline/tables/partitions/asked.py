"""What somebody asks a refresh to build of the tables by date, instead of what is due."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.pipeline.tables.partitions.grain import place
from warehouse_refresh.warehouse.builds.parts import Interval, Point


@dataclass(frozen=True, slots=True)
class Asked:
    """Build the partitions up to that of `moment` (None: now). With `full`, all of them, and replace the tables whole.
    With `span`, a backfill: those in it that are not built, or not with all that they are built from as it is now; with
    `again`, also those that were built before that moment."""

    full: bool = False
    moment: datetime | None = None
    span: Interval | None = None
    again: datetime | None = None


DUE = Asked()
"""Nothing: the refresh builds what is due."""


def span_of(first: str, last: str) -> Interval:
    """The interval from one date, time or id to another one, both in it. Raises SettingError."""
    start, last_point = _point(first), _point(last)
    if isinstance(start, int) != isinstance(last_point, int):
        raise SettingError(f"{first} and {last} are a date and an id: write two dates, or two ids")
    span = Interval(start, _after(last_point))
    if place(span.end) <= place(start):
        raise SettingError(f"the range from {first} to {last} ends before it starts: write the earlier one first")
    return span


def moment_of(text: str) -> datetime:
    """A moment; without a zone it is in UTC. Raises SettingError."""
    point = _point(text)
    if isinstance(point, int):
        raise SettingError(f"{text!r} is no time: write 2024-01-31T05:00")
    return _aware(point)


def _after(point: Point) -> Point:
    if isinstance(point, int):
        return point + 1
    return point + (timedelta(microseconds=1) if isinstance(point, datetime) else timedelta(days=1))


def _point(text: str) -> Point:
    if text.removeprefix("-").isdecimal():
        return int(text)
    try:
        return date.fromisoformat(text) if len(text) == len("2024-01-31") else datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingError(
            f'{text!r} is no date: write 2024-01-31, with an hour "2024-01-31T05:00", or an id'
        ) from error


def _aware(point: date) -> datetime:
    if not isinstance(point, datetime):
        return datetime(point.year, point.month, point.day, tzinfo=UTC)
    return point if point.tzinfo else point.replace(tzinfo=UTC)

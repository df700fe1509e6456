"""Which partitions a refresh builds, and why."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum

from warehouse_refresh.pipeline.tables.partitions.grain import ByDate, place
from warehouse_refresh.warehouse.builds.parts import Interval, PartRecord


class Why(Enum):
    """Why a partition is built."""

    MISSING = "not built yet"
    RECENT = "current or in the lookback"
    UNFINISHED = "current or in the lookback when last built"
    INPUT = "a table that it is built from has new rows for it"
    EARLIER = "built from earlier partitions that are built anew"
    STALE = "built by an older version of the script"
    AGAIN = "to be built again"
    FULL = "to be built anew, with the whole table"


def now() -> datetime:
    """The moment up to which partitions are built."""
    return datetime.now(UTC)


def due(
    by_date: ByDate,
    built: Iterable[PartRecord],
    inputs: Iterable[PartRecord],
    rebuilt: Iterable[Interval],
    moment: datetime,
    highest: int | None = None,
) -> dict[Interval, Why]:
    """The partitions to build, in order, each with the reason.

    `built` are the records of the table, `inputs` those of the tables by date that it is built from, and `rebuilt` the
    intervals of these that this refresh builds. A partition is due if it is missing, if it is the current one or in the
    lookback, or was so when the last one was built, since more rows may have come for it; or if an interval of an input
    that overlaps it was published after it or is built now.
    """
    times = {record.interval: record.at for record in built}
    partitions = by_date.partitions(moment, highest)
    first_recent = max(0, len(partitions) - 1 - by_date.lookback)
    last_built = max((index for index, one in enumerate(partitions) if one in times), default=0)
    news = _News(inputs, rebuilt)
    reasons: dict[Interval, Why] = {}
    for index, one in enumerate(partitions):
        if one not in times:
            reasons[one] = Why.MISSING
        elif index >= first_recent:
            reasons[one] = Why.RECENT
        elif index >= last_built - by_date.lookback or _was_open(one, times[one]):
            reasons[one] = Why.UNFINISHED
        elif news.are_for(one, times[one]):
            reasons[one] = Why.INPUT
    return reasons


def _was_open(one: Interval, at: datetime) -> bool:
    """Whether the partition had not ended when it was published. Of a range of ids nobody knows."""
    return not isinstance(one.end, int) and place(at) < place(one.end)


class _News:
    """What is newer in the tables by date that a table is built from."""

    def __init__(self, inputs: Iterable[PartRecord], rebuilt: Iterable[Interval]) -> None:
        self._published = [(record.interval, record.at) for record in inputs]
        self._now_built = list(rebuilt)

    def are_for(self, one: Interval, since: datetime) -> bool:
        """Whether an interval of an input that overlaps this one was published since, or is built now."""
        return any(overlap(one, other) for other in self._now_built) or any(
            at > since and overlap(one, other) for other, at in self._published
        )


def due_in(
    partitions: Iterable[Interval],
    again: datetime | None,
    built: Iterable[PartRecord],
    inputs: Iterable[PartRecord],
    rebuilt: Iterable[Interval],
    fingerprint: str,
) -> dict[Interval, Why]:
    """Those of the partitions that a backfill of them builds, in order, each with the reason: see `due` and `Asked`.
    What the backfill has built is none of them, so that another one goes on where it ended."""
    records, news = {record.interval: record for record in built}, _News(inputs, rebuilt)
    reasons: dict[Interval, Why] = {}
    for one in partitions:
        record = records.get(one)
        if record is None:
            reasons[one] = Why.MISSING
        elif record.fingerprint != fingerprint:
            reasons[one] = Why.STALE
        elif news.are_for(one, record.at):
            reasons[one] = Why.INPUT
        elif again is not None and record.at < again:
            reasons[one] = Why.AGAIN
    return reasons


def with_later(reasons: Mapping[Interval, Why], built: Iterable[PartRecord]) -> dict[Interval, Why]:
    """The partitions of a table that reads itself: also those that are built and come after one of them, or after one
    that was published later than they were."""
    found = dict(reasons)
    first = min((place(one.start) for one in reasons), default=None)
    newest: datetime | None = None
    for record in sorted(built, key=lambda record: place(record.interval.start)):
        is_later = first is not None and place(record.interval.start) > first
        if is_later or (newest is not None and record.at < newest):
            found.setdefault(record.interval, Why.EARLIER)
        newest = record.at if newest is None else max(newest, record.at)
    return dict(sorted(found.items(), key=lambda pair: place(pair[0].start)))


def stale(partitions: Sequence[Interval], built: Iterable[PartRecord], fingerprint: str) -> list[Interval]:
    """Those of the partitions that an older version of the script has built."""
    older = {record.interval for record in built if record.fingerprint != fingerprint}
    return [one for one in partitions if one in older]


def overlap(one: Interval, other: Interval) -> bool:
    """Whether a moment is in both intervals, also if one has dates and the other one times; or an id. No moment is an
    id."""
    if isinstance(one.start, int) != isinstance(other.start, int):
        return False
    return place(one.start) < place(other.end) and place(other.start) < place(one.end)


def ended(partitions: Iterable[Interval], highest: int | None = None) -> frozenset[Interval]:
    """Those of the partitions that have ended by now; of ranges of ids, those without the `highest` id."""
    last = place(now() if highest is None else highest)
    return frozenset(one for one in partitions if place(one.end) <= last)


def settled(built: Iterable[PartRecord]) -> frozenset[Interval]:
    """The recorded partitions that had ended when they were published: a range of ids if a later one is not newer."""
    found: set[Interval] = set()
    later: datetime | None = None
    for record in sorted(built, key=lambda record: place(record.interval.start), reverse=True):
        one = record.interval
        if not isinstance(one.end, int):
            is_settled = place(one.end) <= place(record.at)
        else:
            is_settled = later is not None and later <= record.at
        found |= {one} if is_settled else set()
        later = record.at if later is None else min(later, record.at)
    return frozenset(found)


def summary(reasons: Mapping[Interval, Why], of: int) -> str:
    """`3 of 31 partitions: 2 not built yet, 1 …`, for people."""
    values = list(reasons.values())
    counts = [f"{values.count(why):,} {why.value}" for why in Why if why in values]
    return f"{len(values):,} of {of:,} partitions" + (f": {', '.join(counts)}" if counts else "")

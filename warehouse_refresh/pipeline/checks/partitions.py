"""The checks of a table by date: a refresh looks at the partitions that it builds, since it has checked all others
when it built them.

Their queries read the bounds as @start and @end, so that their text is the same for each refresh.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from warehouse_refresh.pipeline.checks.declared import AcceptedValues, Declared, NotNull, References, RowCount, Unique
from warehouse_refresh.pipeline.checks.queries import Subject, path, quoted
from warehouse_refresh.pipeline.checks.results import name_of, verdict, wrong_count
from warehouse_refresh.pipeline.checks.run import Unit
from warehouse_refresh.pipeline.outcomes import CheckResult
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.tables.files import SettingsFile
from warehouse_refresh.pipeline.tables.partitions import due
from warehouse_refresh.pipeline.tables.partitions.planning import DuePartitions
from warehouse_refresh.warehouse import Answer
from warehouse_refresh.warehouse.builds.parts import Interval, PartRecord, Parts, Ranges, point_text, query_of
from warehouse_refresh.warehouse.types import DATE

MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Checkable:
    """What checks look at of a table by date: the `parts` that are built, or all of its rows if these are the whole
    table. `over` are the partitions that have ended, and `settled` those that had ended, too, when they were published:
    both have all of their rows, but late ones."""

    parts: Parts
    over: Collection[Interval] = ()
    settled: Collection[Interval] = ()

    @property
    def span(self) -> Interval:
        """From the first partition to the last one."""
        bounds = self.parts.partitions or self.parts.batches
        return Interval(bounds[0].start, bounds[-1].end)


def of_build(parts: Parts, found: DuePartitions) -> Checkable:
    """What is built now of a table, of that what is due."""
    return Checkable(parts, found.ended(parts.partitions), found.settled)


def first_of(file: SettingsFile) -> Checkable | None:
    """The first partition of the table, over which checks are planned where nothing is built; None if the table is not
    built by date."""
    build = file.says.build
    if build is None:
        return None
    first = (build.by_date.first,)
    return Checkable(Parts(build.column, build.kind, first, first, key=build.key, unit=build.by_date.unit))


def published(file: SettingsFile, records: Sequence[PartRecord]) -> Checkable | None:
    """All that is recorded of the table, as the whole of it; None if it is not built by date."""
    first = first_of(file)
    if first is None:
        return None
    found = tuple(record.interval for record in records)
    last = found[-1].start if found else None
    highest = last if isinstance(last, int) else None
    return Checkable(replace(first.parts, partitions=found, whole=True), due.ended(found, highest))


def divided(checks: Sequence[Declared], parts: Parts) -> tuple[list[Declared], list[Declared], list[Declared]]:
    """The checks of all rows, of the rows that are built, and of the number of rows in each partition. Merged rows
    leave the partitions of older ones, so that only their number in the whole table says something."""
    counts = [each for each in checks if isinstance(each.check, RowCount) and not parts.key]
    new = [] if parts.whole else [each for each in checks if _is_of_new_rows(each, parts.column)]
    return [each for each in checks if each not in counts and each not in new], new, counts


def _is_of_new_rows(declared: Declared, column: str) -> bool:
    """Whether the check finds a wrong row among the rows of its partition."""
    if isinstance(declared.check, Unique):
        return column.casefold() in map(str.casefold, declared.columns)
    return isinstance(declared.check, NotNull | AcceptedValues | References)


def new_rows(subject: Subject, column: str) -> Subject:
    """The rows of the subject between @start and @end."""
    return replace(subject, bounds=_bounds(column))


def counts_text(subject: Subject, parts: Parts) -> str:
    """The query that counts the rows of each partition between @start and @end that has some."""
    return _counts(replace(subject, bounds=_bounds(parts.column)), parts)


def _bounds(column: str) -> str:
    return f"{quoted(column)} >= @start AND {quoted(column)} < @end"


def _counts(subject: Subject, parts: Parts) -> str:
    is_start = (parts.kind, parts.unit) == (DATE, "DAY")
    column = quoted(parts.column)
    start = column if is_start else f"{parts.kind.name}_TRUNC({column}, {parts.unit})"
    if isinstance(parts.unit, Ranges):
        start = f"{column} - MOD({column} - ({parts.unit.start}), {parts.unit.step})"
    return f"SELECT {start} AS part, COUNT(*) AS n FROM {path(subject.table)}{subject.condition()} GROUP BY part"


def bounded(unit: Unit, found: Checkable) -> Unit:
    """The unit between the bounds of these partitions."""
    return replace(unit, query=query_of(unit.query, found.span, found.parts), for_parts=partial(bounded, unit))


def with_counts(unit: Unit, subject: Subject, declared: Declared, found: Checkable) -> Unit:
    """The unit, which counts the rows of partitions, for these ones."""
    assert isinstance(declared.check, RowCount)  # noqa: S101 (for mypy)
    read = partial(_read_counts, subject, declared, declared.check, found)
    compares = declared.check.change_at_most is not None and bool(found.settled)
    for_parts = partial(with_counts, unit, subject, declared)
    return replace(bounded(unit, found), read=read, compares=compares, for_parts=for_parts)


def _read_counts(
    subject: Subject, declared: Declared, check: RowCount, found: Checkable, answer: Answer, before: Answer | None
) -> list[CheckResult]:
    """What the check of the number of rows found in the partitions, one by one. `before` are the rows of those that are
    published, if the check asks for them."""
    wrong = list(_wrong(check, found, dict(answer.rows), dict(before.rows) if before else {}))
    count = len(found.parts.partitions)
    message = f"{len(wrong):,} of {counted(count, 'partition')} of {subject.table} {_have(len(wrong))} a wrong number"
    more = [*wrong[:MOST_SHOWN], *(["…"] if len(wrong) > MOST_SHOWN else [])]
    message = f"{message} of rows: {'; '.join(more)}" if wrong else f"{message} of rows"
    query = f"{_counts(subject, found.parts)} ORDER BY part"
    result = verdict(check.severity, passed=not wrong)
    shown = tuple(wrong[:MOST_SHOWN])
    return [CheckResult(name_of(declared), result, message, len(wrong), None, shown, query, (subject.table,))]


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _wrong(check: RowCount, found: Checkable, rows: dict[Any, int], before: dict[Any, int]) -> Iterator[str]:
    """What is wrong with each partition: `2024-03-01 has 0 rows, and …`. What lacks in one that is not over yet may
    still come."""
    for one in found.parts.partitions:
        count, earlier = rows.get(one.start, 0), before.get(one.start) if one in found.settled else None
        if reason := wrong_count(check, count, earlier, may_grow=one not in found.over):
            name = str(one) if isinstance(one.start, int) else point_text(one.start)
            yield f"{name} has {counted(count, 'row')}{reason}"

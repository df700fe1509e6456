"""Divide what is built of a table by date into steps, each published before the next one begins."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from warehouse_refresh.pipeline.tables.partitions.grain import place
from warehouse_refresh.warehouse.builds.parts import Interval, Parts

PARTITIONS_AT_ONCE = 32
"""So many partitions are a step, or one batch if that has more: what a backfill that dies has to build again."""


def steps(parts: Parts) -> Iterator[Parts]:
    """The parts in steps of whole batches, in order; none if there is nothing to build."""
    left = list(parts.partitions)
    batches: list[Interval] = []
    partitions: list[Interval] = []
    for batch in parts.batches:
        count = _count_in(batch, left)
        if batches and len(partitions) + count > PARTITIONS_AT_ONCE:
            yield replace(parts, partitions=tuple(partitions), batches=tuple(batches))
            batches, partitions = [], []
        batches.append(batch)
        partitions += left[:count]
        del left[:count]
    if partitions:
        yield replace(parts, partitions=tuple(partitions), batches=tuple(batches))


def _count_in(batch: Interval, partitions: Sequence[Interval]) -> int:
    """How many of the first partitions, which are in order, the batch has."""
    return next((number for number, one in enumerate(partitions) if place(one.end) > place(batch.end)), len(partitions))

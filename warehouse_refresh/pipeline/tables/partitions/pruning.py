"""Warn of scripts that read all partitions of their inputs for each one that they build: on BigQuery, this is what
ruins budgets. https://cloud.google.com/bigquery/docs/querying-partitioned-tables
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from warehouse_refresh.pipeline.check import known_columns
from warehouse_refresh.pipeline.checks.partitions import first_of
from warehouse_refresh.pipeline.project.problems import Problem, Severity
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.raw.sources import Sources
from warehouse_refresh.pipeline.settings import human_bytes
from warehouse_refresh.pipeline.tables.partitions import due
from warehouse_refresh.warehouse import QueryPlan
from warehouse_refresh.warehouse.builds.parts import Interval, query_of
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column

Columns = tuple[Column, ...]
ALLOWED = 10 * 2**20
"""BigQuery bills at least so much for each table that a query reads: https://cloud.google.com/bigquery/pricing"""


def pruning_problems(
    scripts: Mapping[TableName, Script], sources: Sources, plans: Mapping[TableName, QueryPlan]
) -> Iterator[Problem]:
    """A warning for each table by date whose query reads most of its bytes whatever the bounds are. Plans each of them
    twice; none where the engine does not know the bytes."""
    for table, script in scripts.items():
        if table in plans and plans[table].bytes_processed is not None:
            yield from _of_script(script, sources, plans)


def _not_stored(planned: Mapping[TableName, Columns], sources: Sources) -> dict[TableName, Columns]:
    """Those of the planned tables that are not stored so: no bytes are known of them."""
    found = {}
    for table, columns in planned.items():
        with suppress(TableNotFound):
            if sources.look_up is not None and sources.look_up(table) == columns:
                continue
        found[table] = columns
    return found


def _of_script(script: Script, sources: Sources, plans: Mapping[TableName, QueryPlan]) -> Iterator[Problem]:
    first = first_of(script.settings) if script.settings is not None else None
    if first is None or script.settings is None or script.settings.says.build is None:
        return
    span = script.settings.says.build.by_date.span(due.now())
    if span is None:
        return

    columns = _not_stored(known_columns(script, sources, plans), sources)

    def bytes_of(interval: Interval) -> int:
        return sources.planner.plan(query_of(script.query, interval, first.parts), columns).bytes_processed or 0

    always, of_all = bytes_of(Interval(span.start, span.start)), bytes_of(span)  # the first one is empty
    if always > ALLOWED and 2 * always > of_all:
        yield Problem(
            script.path,
            script.query.start,
            f"each query for partitions of {script.table} reads {human_bytes(always)} whatever @start and @end are, and"
            f" {human_bytes(of_all)} for all partitions at once",
            "compare the column by which its input is partitioned with @start and @end, without a function around it;"
            " partition that table if it is not",
            Severity.WARNING,
        )

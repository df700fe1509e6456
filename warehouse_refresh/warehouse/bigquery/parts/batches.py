"""The SQL that computes a batch of partitions.

One partition is the result of a query job that writes to `table$20240131`. Several partitions of one query, and rows
that are merged, are a MERGE: it takes old rows away and adds new ones in one statement.
https://cloud.google.com/bigquery/docs/managing-partitioned-table-data#write-to-partition
https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax#merge_statement
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from warehouse_refresh.warehouse import TableBuild
from warehouse_refresh.warehouse.bigquery.building.storage import result_span
from warehouse_refresh.warehouse.bigquery.queries.edits import Edit
from warehouse_refresh.warehouse.bigquery.schema import quoted
from warehouse_refresh.warehouse.builds.parts import (
    Interval,
    Parts,
    Point,
    outside_reason,
    point_text,
    unmergeable_reason,
)

_NAMES = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m"}


def partition_id(interval: Interval, parts: Parts) -> str:
    """What follows `$` in the name of a partition: a time, or the first id of a range."""
    start, unit = interval.start, parts.unit
    return start.strftime(_NAMES[unit]) if isinstance(unit, str) and not isinstance(start, int) else point_text(start)


def earlier_rows(parts: Parts, interval: Interval, path: str) -> str:
    """What a query reads in place of its own table, which is at `path`: the rows before the interval."""
    return f"(SELECT * FROM {path} WHERE {quoted(parts.column)} < {_literal(parts, interval.start)})"


def written_edits(build: TableBuild, parts: Parts, interval: Interval, inner: Sequence[Edit]) -> list[Edit]:
    """The `inner` edits of the query, within those that make it fail for a row outside of the interval."""
    start, end = result_span(build.query)
    inside = f"IF({_in_sql(parts, interval)}, {quoted(parts.column)}, {_outside_sql(build, parts, interval)})"
    return [Edit(start, start, _replaced(parts, inside)), *inner, Edit(end, end, ")")]


def merge_edits(
    build: TableBuild, parts: Parts, interval: Interval, inner: Sequence[Edit], path: str, columns: Iterable[str]
) -> list[Edit]:
    """The `inner` edits of the query, within those that make it a MERGE into the table at `path`, which has these
    `columns`."""
    start, end = result_span(build.query)
    names = [quoted(name) for name in columns]
    insert = f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({', '.join(f'built.{it}' for it in names)})"
    merge = f"MERGE {path} AS stored USING ("
    if not parts.key:
        inside = f"IF({_in_sql(parts, interval)}, {quoted(parts.column)}, {_outside_sql(build, parts, interval)})"
        old = f"WHEN NOT MATCHED BY SOURCE AND {_in_sql(parts, interval, 'stored.')} THEN DELETE"
        first = Edit(start, start, f"{merge}{_replaced(parts, inside)}")
        return [first, *inner, Edit(end, end, f")) AS built ON FALSE {old} {insert}")]
    column, key = quoted(parts.column), [quoted(name) for name in parts.key]
    latest = f"WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY {', '.join(key)} ORDER BY {column} DESC) = 1"
    same = " AND ".join(f"built.{name} = stored.{name}" for name in key)
    values = ", ".join(f"{name} = built.{name}" for name in names)
    update = f"WHEN MATCHED AND built.{column} >= stored.{column} THEN UPDATE SET {values}"
    first = Edit(start, start, f"{merge}SELECT * FROM ({_replaced(parts, _mergeable_sql(build, parts, interval))}")
    return [first, *inner, Edit(end, end, f")) {latest}) AS built ON {same} {update} {insert}")]


def _replaced(parts: Parts, value: str) -> str:
    return f"SELECT * REPLACE ({value} AS {quoted(parts.column)}) FROM ("


def _in_sql(parts: Parts, interval: Interval, of: str = "") -> str:
    column = f"{of}{quoted(parts.column)}"
    return f"{column} >= {_literal(parts, interval.start)} AND {column} < {_literal(parts, interval.end)}"


def _literal(parts: Parts, point: Point) -> str:
    if isinstance(point, int):
        return str(point)
    text = point.isoformat(sep=" ") if isinstance(point, datetime) else point.isoformat()
    return f"{parts.kind.name} '{text}'"


def _outside_sql(build: TableBuild, parts: Parts, interval: Interval) -> str:
    return _error_sql(outside_reason(build.table, parts, interval, "\0"), [_text_sql(parts.column)])


def _mergeable_sql(build: TableBuild, parts: Parts, interval: Interval) -> str:
    """The column's value, or an error for a row outside of the interval, or one that cannot be merged."""
    column, key = quoted(parts.column), [quoted(name) for name in parts.key]
    nulls = " OR ".join(f"{name} IS NULL" for name in key)
    twice = f"COUNT(*) OVER (PARTITION BY {', '.join([*key, column])}) > 1"
    reason = unmergeable_reason(build.table, parts, ", ".join("\0" for _ in key))
    return (
        f"CASE WHEN ({_in_sql(parts, interval)}) IS NOT TRUE THEN {_outside_sql(build, parts, interval)}"
        f" WHEN {nulls} OR {twice} THEN {_error_sql(reason, map(_text_sql, parts.key))} ELSE {column} END"
    )


def _text_sql(column: str) -> str:
    return f"IFNULL(SAFE_CAST({quoted(column)} AS STRING), 'NULL')"


def _error_sql(reason: str, values: Iterable[str]) -> str:
    """Fails with the reason, in which the values stand in place of its NULs."""
    words = [json.dumps(text) for text in reason.split("\0")]
    texts = [text for pair in zip(words, [*values, "''"], strict=True) for text in pair]
    return f"ERROR(CONCAT({', '.join(texts)}))"

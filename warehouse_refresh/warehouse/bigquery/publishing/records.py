"""Tables that a refresh has built and not published yet. They stand in a dataset of this tool's own, under names that
say which run staged which table; publishing makes clones of them, which costs nothing and is atomic for each table.

Before the first clone, a run records what it is going to publish, in a table of the same dataset. A record without the
label `done` is a publication that was cut off.
https://cloud.google.com/bigquery/docs/table-clones-intro
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from google.cloud.bigquery.table import TableListItem

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.bigquery.names import STAGING_DATASET
from warehouse_refresh.warehouse.bigquery.parts.records import parts_text
from warehouse_refresh.warehouse.bigquery.storing.parameters import Value
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import STRING

DONE = "done"
_NAME = re.compile(r"([0-9a-f]{12})_([0-9a-f]{16})_(\d+)_(.+)")
_PATH = re.compile(rf"(`[^`]+`)\.`{STAGING_DATASET}`\.`([^`]+)`")
_RECORD = re.compile(r"publication_([0-9a-f]{12})_[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Beside:
    """A staged table or view: what it will be, the run that staged it, by a hash of its id, and the fingerprint.
    `parts` is the `parts_text` of what is to be published, and `posted` what tells the rows that publishing keeps, as
    text; its name does not say that."""

    table: TableName
    run: str
    fingerprint: str
    is_view: bool = False
    parts: str = field(default="", compare=False)
    posted: str = field(default="", compare=False)

    @property
    def name(self) -> TableName:
        """What it is called until it is published."""
        dataset = self.table.dataset
        return TableName(STAGING_DATASET, f"{self.run}_{self.fingerprint}_{len(dataset)}_{dataset}_{self.table.name}")


@dataclass(frozen=True, slots=True)
class Record:
    """A table that records what a run publishes, and whether it has; `at` is when it was created, before anything was
    published."""

    name: TableName
    run: str
    is_done: bool
    at: datetime | None = None


def earlier(table: TableName, at: datetime, context: BuildContext) -> Beside:
    """Where the run of `context` stages a table as it was at the moment."""
    return Beside(table, run_hash(context.run), sha256(at.isoformat().encode()).hexdigest()[:16])


def beside(build: TableBuild, context: BuildContext) -> Beside:
    """Where the run of `context` stages this table."""
    posted = build.posted.as_text() if build.posted is not None else ""
    parts = parts_text(build.parts, context.run)
    return Beside(build.table, run_hash(context.run), build.fingerprint, build.is_view, parts, posted)


def run_hash(run: str) -> str:
    """A run's id in the names of the tables that it stages."""
    return sha256(run.encode()).hexdigest()[:12]


def over_published(text: str) -> str:
    """The text of a staged view with published tables in place of staged ones."""

    def published(path: re.Match[str]) -> str:
        found = _table_in(path[2])
        return f"{path[1]}.`{found.dataset}`.`{found.name}`" if found is not None else path[0]

    return _PATH.sub(published, text)


def _table_in(staged: str) -> TableName | None:
    """The table that a staged one, by its name, will be."""
    found = _NAME.fullmatch(staged)
    return TableName(found[4][: int(found[3])], found[4][int(found[3]) + 1 :]) if found else None


def staged_in(items: Iterable[TableListItem]) -> Iterator[Beside]:
    """The staged tables among the tables of the dataset."""
    for item in items:
        found, table = _NAME.fullmatch(item.table_id), _table_in(item.table_id)
        if found is not None and table is not None:
            yield Beside(table, found[1], found[2], item.table_type == "VIEW")


def records_in(items: Iterable[TableListItem]) -> Iterator[Record]:
    """The records of publications among the tables of the dataset."""
    for item in items:
        if found := _RECORD.fullmatch(item.table_id):
            yield Record(TableName(STAGING_DATASET, item.table_id), found[1], DONE in item.labels, item.created)


def record_of(places: Iterable[Beside]) -> Record:
    """The record of a publication of these tables, which one run has staged."""
    places = list(places)
    names = sha256("\n".join(place.name.name + place.parts for place in places).encode()).hexdigest()[:12]
    return Record(TableName(STAGING_DATASET, f"publication_{places[0].run}_{names}"), places[0].run, is_done=False)


def record_sql(places: Iterable[Beside]) -> tuple[str, list[Value]]:
    """The query whose result is the content of a record, and its parameters: the texts of parts may be long."""
    rows, values = [], []
    for number, place in enumerate(places):
        parts = f"@parts{number}" if place.parts else "''"
        values += [Value(parts[1:], STRING, place.parts)] if place.parts else []
        names = ",".join(map(json.dumps, (place.table.dataset, place.table.name, place.fingerprint)))
        rows.append(f"({number},{names},{place.is_view},{parts},{json.dumps(place.posted)})")
    kind = (
        "STRUCT<number INT64, dataset STRING, name STRING, fingerprint STRING, is_view BOOL, parts STRING,"
        " posted STRING>"
    )
    return f"SELECT * FROM UNNEST(ARRAY<{kind}>[{','.join(rows)}])", values


def places_of(run: str, rows: Iterable[tuple[Any, ...]]) -> list[Beside]:
    """The tables of a record, in the order of their dependencies, from its rows in any order. Records of earlier
    versions have no parts, or nothing of posted rows."""
    return [
        Beside(TableName(dataset, name), run, fingerprint, is_view, *parts)
        for _, dataset, name, fingerprint, is_view, *parts in sorted(rows)
    ]


def place_for(area: Mapping[TableName, Beside], build: TableBuild, context: BuildContext) -> Beside:
    """Where the table is staged. Raises WarehouseError if it is not."""
    place = beside(build, context)
    if area.get(build.table) != place:
        raise WarehouseError(f"{build.table} cannot be published: this run has not staged it")
    return place

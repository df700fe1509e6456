"""The catalogue as events of OpenLineage, for collectors such as Marquez or DataHub: one line of JSON for each event.

Each script is a job with the tables that it reads and the one that it builds: https://openlineage.io/docs/spec/object-model
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from warehouse_refresh import __version__
from warehouse_refresh.catalogue.document import Catalogue, ColumnEntry, TableEntry

Json = dict[str, Any]
_PRODUCER = f"urn:warehouse-refresh:{__version__}"
_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs"
_FACETS = {
    "schema": f"{_SPEC}/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
    "documentation": f"{_SPEC}/facets/1-1-0/DocumentationDatasetFacet.json#/$defs/DocumentationDatasetFacet",
    "columnLineage": f"{_SPEC}/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
    "sql": f"{_SPEC}/facets/1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet",
}


@dataclass(frozen=True, slots=True)
class Naming:
    """How tables are called, so that events of other programs mean the same ones: of BigQuery as
    https://openlineage.io/docs/spec/naming says, in DuckDB by the name of the project."""

    namespace: str
    prefix: str = ""

    def named(self, table: str) -> Json:
        """A table's name, as a dataset has it."""
        return {"namespace": self.namespace, "name": f"{self.prefix}{table}"}


def event_lines(catalogue: Catalogue, naming: Naming, at: datetime) -> Iterator[str]:
    """The events, sources first; `at` is when they are said to happen."""
    for table in catalogue.tables:
        kind = "JobEvent" if table.sql else "DatasetEvent"
        said = _job(table, naming, catalogue.project) if table.sql else {"dataset": _dataset(table, naming)}
        yield json.dumps({"eventTime": at.isoformat(), "producer": _PRODUCER, "schemaURL": f"{_EVENT}/{kind}", **said})


def _job(table: TableEntry, naming: Naming, project: str) -> Json:
    return {
        "job": {
            "namespace": project,
            "name": table.name,
            "facets": _facets(sql={"query": table.sql, "dialect": "bigquery"}),
        },
        "inputs": [naming.named(read) for read in table.reads],
        "outputs": [_dataset(table, naming)],
    }


def _dataset(table: TableEntry, naming: Naming) -> Json:
    fields = [{"name": one.name, "type": one.type, "description": one.description} for one in table.columns]
    ways = {one.name: {"inputFields": _inputs(one, naming)} for one in table.columns if one.comes_from}
    facets = _facets(
        schema={"fields": fields} if fields else {},
        documentation={"description": table.description} if table.description else {},
        columnLineage={"fields": ways} if ways else {},
    )
    return {**naming.named(table.name), "facets": facets}


def _inputs(column: ColumnEntry, naming: Naming) -> list[Json]:
    """The columns that it comes from. A column's name may have dots; a dataset's and a table's have none."""
    parts = [origin.split(".", 2) for origin in column.comes_from]
    return [{**naming.named(f"{dataset}.{table}"), "field": field} for dataset, table, field in parts]


def _facets(**facets: Json) -> Json:
    return {
        name: {"_producer": _PRODUCER, "_schemaURL": _FACETS[name], **said} for name, said in facets.items() if said
    }

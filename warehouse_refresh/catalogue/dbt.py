"""The catalogue in the shape of dbt's artifacts `manifest.json` and `catalog.json`, for tools that read these.

Each script is a model, each source a source and each check a test: https://docs.getdbt.com/reference/artifacts/dbt-artifacts.
A model's name has its dataset, `tmp.variants`, since two datasets may have tables of one name; its alias has not.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from warehouse_refresh.catalogue.document import Catalogue, CheckEntry, ColumnEntry, TableEntry

Json = dict[str, Any]
_SCHEMAS = "https://schemas.getdbt.com/dbt"
_VERSION = "1.11.6"
"""The dbt whose shape the artifacts have."""
_NOTHING = (
    *("macros", "docs", "exposures", "metrics", "groups", "selectors", "disabled", "group_map"),
    *("saved_queries", "semantic_models", "unit_tests", "functions"),
)
_TESTS = {"references": "relationships"}
"""Checks that dbt has by another name."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tables are: dbt's name for what runs them, such as `bigquery`, and the database ("": none is said)."""

    adapter: str
    database: str = ""

    def relation(self, table: TableEntry) -> str:
        """The table's full name, quoted as GoogleSQL does."""
        parts = [self.database] if self.database else []
        return ".".join(f"`{part}`" for part in [*parts, table.dataset, table.short_name])


def manifest(catalogue: Catalogue, place: Place, at: datetime) -> Json:
    """dbt's manifest.json, in version 12 of its schema; `at` is when it is said to be made."""
    made = _Manifest(catalogue, place)
    nodes, parents = made.nodes(), made.parents()
    return {
        "metadata": {
            **_metadata("manifest/v12", at),
            "project_name": catalogue.project,
            "adapter_type": place.adapter,
        },
        "nodes": nodes,
        "sources": {made.ids[table.name]: made.source(table) for table in catalogue.tables if table.kind == "source"},
        "parent_map": parents,
        "child_map": _turned_round(parents),
        **{name: {} for name in _NOTHING},
    }


def catalog(catalogue: Catalogue, place: Place, at: datetime) -> Json:
    """dbt's catalog.json: the columns of all tables, with their types."""
    ids = _ids(catalogue)
    found = {
        kind: {ids[table.name]: _catalogued(table, ids, place) for table in of_kind}
        for kind, of_kind in (
            ("nodes", [table for table in catalogue.tables if table.kind != "source"]),
            ("sources", [table for table in catalogue.tables if table.kind == "source"]),
        )
    }
    return {"metadata": _metadata("catalog/v1", at), **found, "errors": None}


class _Manifest:
    """The parts of a manifest."""

    def __init__(self, catalogue: Catalogue, place: Place) -> None:
        self._catalogue, self._place = catalogue, place
        self._tables = {table.name: table for table in catalogue.tables}
        self.ids = _ids(catalogue)

    def nodes(self) -> Json:
        """The models and the tests."""
        models = {self.ids[table.name]: self._model(table) for table in self._tables.values() if table.kind != "source"}
        return models | {test["unique_id"]: test for test in self._tests()}

    def parents(self) -> dict[str, list[str]]:
        """For each node and source those that it reads."""
        tables = {self.ids[table.name]: self._known(table.reads) for table in self._tables.values()}
        return tables | {test["unique_id"]: test["depends_on"]["nodes"] for test in self._tests()}

    def source(self, table: TableEntry) -> Json:
        """The entry of a table that no script builds."""
        return {
            **self._common(table, "source", [table.dataset, table.short_name]),
            "name": table.short_name,
            "source_name": table.dataset,
            "source_description": "",
            "identifier": table.short_name,
            "loader": "",
            **_described(table, self._place),
        }

    def _model(self, table: TableEntry) -> Json:
        return {
            **self._common(table, "model", [table.dataset, table.name]),
            "name": table.name,
            "alias": table.short_name,
            "checksum": _checksum(table.sql),
            "raw_code": table.sql,
            "compiled": True,
            "compiled_code": table.sql,
            **self._reads(table.reads),
            **_described(table, self._place),
            "config": {**_config(table), "materialized": table.kind},
        }

    def _tests(self) -> Iterator[Json]:
        for table in self._tables.values():
            yield from (self._test(table, check) for check in table.checks)

    def _test(self, table: TableEntry, check: CheckEntry) -> Json:
        kind = _TESTS.get(check.kind, check.kind)
        name = re.sub(r"\W+", "_", "_".join([kind, table.name, *check.columns]))
        mark = hashlib.sha256(f"{table.name} {check.rule}".encode()).hexdigest()[:10]
        to, _, field = check.to.rpartition(".")
        said: Json = {"column_name": check.columns[0] if len(check.columns) == 1 else None, "columns": check.columns}
        said |= {"values": list(check.values)} if check.values else {}
        said |= {"to": to, "field": field} if to else {}
        return {
            **self._common(table, "test", [table.dataset, name]),
            "name": name,
            "alias": name,
            "unique_id": f"test.{self._catalogue.project}.{name}.{mark}",
            "checksum": _checksum(""),
            "description": check.rule,
            "column_name": said["column_name"],
            "attached_node": self.ids[table.name],
            "test_metadata": {"name": kind, "kwargs": said},
            "config": {"severity": "WARN" if check.severity == "warning" else "ERROR"},
            **self._reads((table.name, *([to] if to else []))),
        }

    def _common(self, table: TableEntry, kind: str, way: list[str]) -> Json:
        """What all have: `way` leads to it below the project."""
        return {
            "database": self._place.database or None,
            "schema": table.dataset,
            "resource_type": kind,
            "package_name": self._catalogue.project,
            "path": table.file,
            "original_file_path": table.file,
            "unique_id": self.ids[table.name],
            "fqn": [self._catalogue.project, *way],
        }

    def _reads(self, names: tuple[str, ...]) -> Json:
        known = [self._tables[name] for name in names if name in self._tables]
        return {
            "refs": [{"name": one.name, "package": None, "version": None} for one in known if one.kind != "source"],
            "sources": [[one.dataset, one.short_name] for one in known if one.kind == "source"],
            "depends_on": {"macros": [], "nodes": self._known(names)},
        }

    def _known(self, names: tuple[str, ...]) -> list[str]:
        return [self.ids[name] for name in names if name in self.ids]


def _ids(catalogue: Catalogue) -> dict[str, str]:
    kinds = {table.name: "source" if table.kind == "source" else "model" for table in catalogue.tables}
    return {name: f"{kind}.{catalogue.project}.{name}" for name, kind in kinds.items()}


def _metadata(schema: str, at: datetime) -> Json:
    return {
        "dbt_schema_version": f"{_SCHEMAS}/{schema}.json",
        "dbt_version": _VERSION,
        "generated_at": at.isoformat(),
        "invocation_id": None,
        "env": {},
    }


def _described(table: TableEntry, place: Place) -> Json:
    return {
        "description": table.description,
        "columns": {column.name: _column(column) for column in table.columns},
        "tags": list(table.tags),
        "meta": _meta(table),
        "config": _config(table),
        "relation_name": place.relation(table),
    }


def _column(column: ColumnEntry) -> Json:
    required = [{"type": "not_null"}] if column.mode == "REQUIRED" else []
    return {
        "name": column.name,
        "description": column.description,
        "data_type": column.type,
        "constraints": required,
        "meta": {},
        "tags": [],
    }


def _config(table: TableEntry) -> Json:
    return {"enabled": True, "tags": list(table.tags), "meta": _meta(table)}


def _meta(table: TableEntry) -> Json:
    return {"owner": table.owner} if table.owner else {}


def _checksum(text: str) -> Json:
    return {"name": "sha256", "checksum": hashlib.sha256(text.encode()).hexdigest()}


def _turned_round(parents: Mapping[str, list[str]]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {name: [] for name in parents}
    for name, read in parents.items():
        for one in read:
            children[one].append(name)
    return children


def _catalogued(table: TableEntry, ids: Mapping[str, str], place: Place) -> Json:
    columns = {
        column.name: {"type": column.type, "index": number, "name": column.name, "comment": column.description or None}
        for number, column in enumerate(table.columns, 1)
    }
    return {
        "metadata": {
            "type": "VIEW" if table.kind == "view" else "BASE TABLE",
            "schema": table.dataset,
            "name": table.short_name,
            "database": place.database or None,
            "comment": table.description or None,
            "owner": table.owner or None,
        },
        "columns": columns,
        "stats": dict(_stats(table)),
        "unique_id": ids[table.name],
    }


def _stats(table: TableEntry) -> Iterator[tuple[str, Json]]:
    known = table.rows is not None
    about = {"label": "Has Stats?", "description": "Whether there are statistics for this table"}
    yield "has_stats", {"id": "has_stats", "value": known, "include": False, **about}
    if known:
        about = {"label": "# Rows", "description": "How many rows the table has"}
        yield "row_count", {"id": "row_count", "value": table.rows, "include": True, **about}

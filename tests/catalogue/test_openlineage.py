"""The events of OpenLineage fit the schemas that its authors publish, those of their facets too."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from tests.catalogue.catalogues import catalogue_of
from tests.conftest import ROOT
from warehouse_refresh.catalogue.openlineage import Naming, event_lines

_SCHEMAS = [json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("[A-Z]*.json")]
SCHEMAS: Registry[Any] = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in _SCHEMAS)
"""OpenLineage's own, by their addresses."""


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    naming = Naming("bigquery", "shop-project.")
    lines = event_lines(catalogue_of(ROOT), naming, datetime(2026, 11, 28, tzinfo=UTC))
    return [json.loads(line) for line in lines]


def check(content: object, schema: str) -> None:
    """Hold the content against the schema at an address."""
    formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator({"$ref": schema}, registry=SCHEMAS, format_checker=formats).validate(content)


def facets(found: object) -> Iterator[dict[str, Any]]:
    """All facets in an event."""
    if isinstance(found, dict):
        yield from (found.get("facets") or {}).values()
        for one in found.values():
            yield from facets(one)
    if isinstance(found, list):
        for one in found:
            yield from facets(one)


def test_each_event_and_facet_fits_the_schema_that_it_names(events: list[dict[str, Any]]) -> None:
    assert len(events) == 15
    for event in events:
        assert event["schemaURL"].endswith("/JobEvent" if "job" in event else "/DatasetEvent")
        check(event, event["schemaURL"])
        for facet in facets(event):
            check(facet, facet["_schemaURL"])
    kinds = {facet["_schemaURL"].rpartition("/")[2] for event in events for facet in facets(event)}
    assert {f"{kind}Facet" for kind in ("SchemaDataset", "ColumnLineageDataset", "SQLJob")} <= kinds


def test_a_script_is_a_job_with_its_tables_and_columns(events: list[dict[str, Any]]) -> None:
    [event] = [event for event in events if event.get("job", {}).get("name") == "tmp.variants"]
    assert {"namespace": "bigquery", "name": "shop-project.tmp.inventory_items"} in event["inputs"]
    [made] = event["outputs"]
    assert made["name"] == "shop-project.tmp.variants"
    assert "INT64" in [field["type"] for field in made["facets"]["schema"]["fields"] if field["name"] == "stock"]
    assert made["facets"]["columnLineage"]["fields"]["stock"]["inputFields"] == [
        {"namespace": "bigquery", "name": "shop-project.tmp.inventory_items", "field": "stock"}
    ]
    assert "SELECT" in event["job"]["facets"]["sql"]["query"]

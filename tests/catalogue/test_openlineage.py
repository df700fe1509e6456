"""The events of OpenLineage have the shape that https://openlineage.io/spec/2-0-2/OpenLineage.json asks for."""

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest

from tests.catalogue.catalogues import catalogue_of
from tests.conftest import ROOT
from warehouse_refresh.catalogue.openlineage import Naming, event_lines

URI, MOMENT = {"type": "string", "pattern": "^(https|urn):"}, {"type": "string", "format": "date-time"}
FACETS = {"additionalProperties": {"required": ["_producer", "_schemaURL"], "properties": {"_producer": URI}}}
NAMED = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS},
}
EVENT = {
    "required": ["eventTime", "producer", "schemaURL"],
    "properties": {
        "eventTime": MOMENT,
        "producer": URI,
        "schemaURL": URI,
        "job": NAMED,
        "dataset": NAMED,
        "inputs": {"type": "array", "items": NAMED},
        "outputs": {"type": "array", "items": NAMED},
    },
    "oneOf": [{"required": ["job"]}, {"required": ["dataset"]}],
    "not": {"required": ["run"]},
}


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    naming = Naming("bigquery", "shop-project.")
    lines = event_lines(catalogue_of(ROOT), naming, datetime(2026, 11, 28, tzinfo=UTC))
    return [json.loads(line) for line in lines]


def test_each_event_has_the_shape_of_its_kind(events: list[dict[str, Any]]) -> None:
    assert len(events) == 15
    for event in events:
        jsonschema.validate(event, EVENT)
        assert event["schemaURL"].endswith("/JobEvent" if "job" in event else "/DatasetEvent")


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

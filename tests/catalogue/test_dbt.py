"""dbt's artifacts fit the schemas that dbt publishes, and say what the catalogue says."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from tests.catalogue.catalogues import catalogue_of, of_tables
from tests.conftest import ROOT
from warehouse_refresh.catalogue.dbt import Place, catalog, manifest
from warehouse_refresh.catalogue.document import Catalogue, CheckEntry, TableEntry

MOMENT = datetime(2026, 11, 28, tzinfo=UTC)
PLACE = Place("bigquery", "shop-project")
CHECKS = (
    CheckEntry("unique: id", "error", "unique", ("id",)),
    CheckEntry("unique: id, sku", "error", "unique", ("id", "sku")),
    CheckEntry("state is one of a, b", "warning", "accepted_values", ("state",), ("a", "b")),
    CheckEntry("id is in raw.b.id", "error", "references", ("id",), to="raw.b.id"),
    CheckEntry("rows: at least 1", "error", "row_count"),
    CheckEntry("No order is an orphan.", "warning"),
)


def read(schema: str) -> Any:
    return json.loads((Path(__file__).parent / "schemas" / schema).read_text())


def check(content: object, schema: str) -> None:
    """Hold content against one of dbt's schemas, as JSON."""
    jsonschema.Draft202012Validator(read(schema)).validate(json.loads(json.dumps(content)))


@pytest.fixture(scope="module")
def shop() -> Catalogue:
    return catalogue_of(ROOT)


def test_the_artifacts_of_the_demonstration_fit_the_schemas_of_dbt(shop: Catalogue) -> None:
    check(manifest(shop, PLACE, MOMENT), "dbt-manifest-v12.json")
    counted = replace(shop, tables=tuple(replace(table, rows=7) for table in shop.tables))
    for one in (shop, counted):
        check(catalog(one, PLACE, MOMENT), "dbt-catalog-v1.json")


def test_models_and_sources_are_the_tables_with_their_links(shop: Catalogue) -> None:
    made = manifest(shop, PLACE, MOMENT)
    ids = {table.name: f"{'source' if table.kind == 'source' else 'model'}.shop.{table.name}" for table in shop.tables}
    for table in shop.tables:
        node = (made["sources"] if table.kind == "source" else made["nodes"])[ids[table.name]]
        assert (node["schema"], list(node["columns"])) == (table.dataset, [column.name for column in table.columns])
        assert made["parent_map"][ids[table.name]] == [ids[read] for read in table.reads]
        children = [one for one in made["child_map"][ids[table.name]] if not one.startswith("test.")]
        assert sorted(children) == sorted(ids[reader] for reader in table.read_by)
    variants = made["nodes"]["model.shop.tmp.variants"]
    assert variants["relation_name"] == "`shop-project`.`tmp`.`variants`"
    assert variants["columns"]["stock"]["constraints"] == [{"type": "not_null"}]
    assert variants["depends_on"]["nodes"] == made["parent_map"]["model.shop.tmp.variants"]
    assert {ref["name"] for ref in variants["refs"]} == {read for read in variants_reads(shop) if read[:4] == "tmp."}


def variants_reads(shop: Catalogue) -> tuple[str, ...]:
    [reads] = [table.reads for table in shop.tables if table.name == "tmp.variants"]
    return reads


def test_each_check_is_a_test_of_its_table() -> None:
    source = TableEntry("raw.b", "source", owner="shop@example.com")
    view = TableEntry("tmp.a", "view", checks=CHECKS, sql="SELECT 1 AS id")
    made = manifest(of_tables(source, view), Place("duckdb"), MOMENT)
    check(made, "dbt-manifest-v12.json")
    assert made["sources"]["source.shop.raw.b"]["meta"] == {"owner": "shop@example.com"}
    assert made["sources"]["source.shop.raw.b"]["database"] is None
    assert made["nodes"]["model.shop.tmp.a"]["config"]["materialized"] == "view"
    tests = {one["description"]: one for one in made["nodes"].values() if one["resource_type"] == "test"}
    assert list(tests) == [check.rule for check in CHECKS]
    assert {one["attached_node"] for one in tests.values()} == {"model.shop.tmp.a"}
    found = {rule: (one["test_metadata"]["name"], one["column_name"]) for rule, one in tests.items()}
    assert list(found.values()) == [
        ("unique", "id"),
        ("unique", None),
        ("accepted_values", "state"),
        ("relationships", "id"),
        ("row_count", None),
        ("query", None),
    ]
    relation = tests["id is in raw.b.id"]
    assert relation["depends_on"]["nodes"] == ["model.shop.tmp.a", "source.shop.raw.b"]
    assert relation["test_metadata"]["kwargs"]["field"] == "id"
    assert [one["config"]["severity"] for one in tests.values()] == ["ERROR"] * 2 + ["WARN"] + ["ERROR"] * 2 + ["WARN"]
    assert set(made["child_map"]["model.shop.tmp.a"]) == {one["unique_id"] for one in tests.values()}

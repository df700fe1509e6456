"""The demonstration data and its eight scripts: what each table promises in its first comment."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.origins.demonstration import make_project
from tests.origins.servers import Database
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL, Append, connect
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.names import TableName

GRAIN = {
    "tmp.inventory_items": ["sku_id"],
    "tmp.item_purchase_prices": ["sku_id"],
    "tmp.product_categories": ["category_id"],
    "tmp.product_images": ["external_id"],
    "tmp.variant_images": ["variant_id"],
    "tmp.variants": ["sku"],
    "tmp.products": ["id"],
    "final.products": ["id"],
}


def rows_of(table: str) -> list[dict[str, Any]]:
    with connect(DEFAULT_URL) as warehouse:
        names = [column.name for column in warehouse.columns(TableName.parse(table))]
        rows = warehouse.first_rows(TableName.parse(table), 10_000)
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.fixture
def built(demonstration: Path) -> Path:
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    return demonstration


def test_from_a_postgresql_it_is_the_same(
    built: Path, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", "")  # so that what is set there ends with the test
    monkeypatch.setenv("WAREHOUSE_URL", DEFAULT_URL)
    expected = rows_of("final.products")
    make_project(tmp_path / "from-postgres", database)
    assert main(["build", "--load"]) == 0
    assert rows_of("final.products") == expected
    monkeypatch.chdir(built)


@pytest.mark.usefixtures("built")
def test_each_table_keeps_its_grain() -> None:
    for table, key in GRAIN.items():
        counts = Counter(tuple(row[column] for column in key) for row in rows_of(table))
        assert counts, table
        assert max(counts.values()) == 1, table
        assert all(None not in values for values in counts), table


@pytest.mark.usefixtures("built")
def test_no_product_and_no_variant_is_lost() -> None:
    assert len(rows_of("final.products")) == len(rows_of("raw.products")) == 25
    assert len(rows_of("tmp.variants")) == len(rows_of("raw.variants")) == 60
    assert sum(len(row["variants"]) for row in rows_of("final.products")) == 60


@pytest.mark.usefixtures("built")
def test_no_join_is_dead() -> None:
    """Every column of final.products has values, and so has every field of its variants."""
    products = rows_of("final.products")
    for column in products[0]:
        assert any(row[column] for row in products), column
    variants = [variant for row in products for variant in row["variants"]]
    for field in variants[0]:
        assert any(variant[field] for variant in variants), field


@pytest.mark.usefixtures("built")
def test_the_demonstration_has_what_real_data_has() -> None:
    products = rows_of("final.products")
    assert any(not row["image_urls"] for row in products)
    assert any(not row["variants"] for row in products)
    assert any(not variant["purchase_prices"] for row in products for variant in row["variants"])
    assert any(
        len({price["batch_id"] for price in row["purchase_prices"] or []}) > 2 for row in rows_of("tmp.variants")
    )
    assert {row["type"] for row in products} == {"product", "sample"}
    assert {"product", "variant", "sample"} < {row["type"] for row in rows_of("raw.pictures")}
    text = " ".join(row["name"] for row in products)
    assert "'" in text
    assert '"' in text
    assert any(ord(character) > 0xFFFF for character in text)
    assert len({row["category"] for row in products}) == 6


@pytest.mark.usefixtures("built")
def test_pictures_go_to_their_own_kind_only() -> None:
    pictures = rows_of("raw.pictures")
    for product in rows_of("final.products"):
        for url in product["image_urls"]:
            assert {row["type"] for row in pictures if row["url"] == url} == {"product"}


@pytest.mark.usefixtures("built")
def test_a_posted_product_without_an_id_reaches_final_products() -> None:
    product = {"name": "banana lipstick", "category_id": 2, "external_id": 1001, "type": "product"}
    with connect(DEFAULT_URL) as warehouse:
        warehouse.append(TableName("raw", "products"), [Append([product])])
    assert main(["build"]) == 0
    [row] = [row for row in rows_of("final.products") if row["name"] == "banana lipstick"]
    assert (row["id"], row["category"], row["variants"]) == (None, "Make-up", [])
    assert row["image_urls"]
    assert len(rows_of("final.products")) == 26


FAULTS = {
    # where a script stands: what somebody writes in place of what, and what is found before readers see it
    "tmp/inventory_items": (
        ("GROUP BY sku_id", "GROUP BY sku_id, inventory_count"),
        "have the same sku_id as another row: ",
    ),
    "tmp/item_purchase_prices": (
        ("GROUP BY line_items.sku_id", "GROUP BY line_items.sku_id, items.batch_id"),
        "have the same sku_id as another row: ",
    ),
    "tmp/product_categories": (
        ("GROUP BY id", "CROSS JOIN UNNEST([1, 2]) AS again GROUP BY id, again"),
        "have the same category_id as another row: ",
    ),
    "tmp/product_images": (
        ("GROUP BY external_id", "GROUP BY external_id, url"),
        "have the same external_id as another row: ",
    ),
    "tmp/variant_images": (
        ("GROUP BY external_id", "GROUP BY external_id, url"),
        "have the same variant_id as another row: ",
    ),
    "tmp/products": (
        ("product_images.external_id = products.external_id", "product_images.external_id > products.external_id"),
        "have the same id as another row: ",
    ),
    "tmp/variants": (
        ("variant_images.variant_id = variants.id", "variant_images.variant_id > variants.id"),
        "have the same sku as another row: ",
    ),
    "final/products": (("GROUP BY product_id\n)", "GROUP BY product_id, sku\n)"), "have the same id as another row: "),
}


@pytest.mark.parametrize("together", [list(FAULTS)[:5], *([name] for name in list(FAULTS)[5:])])
def test_a_fault_in_any_script_is_found_before_readers_see_it(
    built: Path, together: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    for name in together:
        (old, new), _ = FAULTS[name]
        script = built / f"res/{name}.sql"
        assert old in script.read_text()
        script.write_text(script.read_text().replace(old, new))
    assert main(["build"]) == 3
    summary = capsys.readouterr().out
    for name in together:
        assert f"blocked: {name.replace('/', '.')}: " in summary
        assert FAULTS[name][1] in summary


@pytest.mark.usefixtures("built")
def test_init_keeps_raw_tables_that_have_rows(capsys: pytest.CaptureFixture[str]) -> None:
    table = TableName("raw", "categories")
    with connect(DEFAULT_URL) as warehouse:
        warehouse.append(table, [Append([{"id": 77, "category_name": "posted"}])])
    assert main(["init"]) == 0
    assert "raw.categories" in capsys.readouterr().out
    assert len(rows_of("raw.categories")) == 7
    assert main(["init", "--replace", "--yes"]) == 0
    assert len(rows_of("raw.categories")) == 6


def test_init_fills_a_raw_table_that_is_empty(demonstration: Path) -> None:
    with DuckDBWarehouse(demonstration / ".data/warehouse.duckdb") as warehouse:
        warehouse.create_datasets(["raw"])
        from warehouse_refresh.warehouse.sql.parser import parse_script

        warehouse.run_script(parse_script("CREATE TABLE raw.categories (id INT64, category_name STRING)"))
    assert main(["init"]) == 0
    assert len(rows_of("raw.categories")) == 6

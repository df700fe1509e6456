"""catalogue.json: what it says of a project's tables."""

import json

import jsonschema
import pytest

from tests.catalogue.catalogues import catalogue_of, column, entry
from tests.conftest import ROOT, Write
from warehouse_refresh.catalogue.collecting import collect
from warehouse_refresh.catalogue.document import Catalogue, as_json, document_schema
from warehouse_refresh.catalogue.pages import Pages
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.pipeline.raw.sources import declared_sources


@pytest.fixture(scope="module")
def shop() -> Catalogue:
    return catalogue_of(ROOT)


def test_the_demonstration_has_an_entry_for_each_table(shop: Catalogue) -> None:
    kinds = {table.name: table.kind for table in shop.tables}
    assert len(kinds) == 15
    assert kinds["raw.products"] == "source"
    assert kinds["tmp.variants"] == "table"


def test_a_table_comes_after_those_that_it_reads(shop: Catalogue) -> None:
    seen: set[str] = set()
    for table in shop.tables:
        assert seen.issuperset(table.reads)
        seen.add(table.name)


def test_reads_and_readers_are_the_same_links(shop: Catalogue) -> None:
    tables = shop.tables
    assert {(read, one.name) for one in tables for read in one.reads} == {
        (one.name, reader) for one in tables for reader in one.read_by
    }


def test_a_column_says_where_it_comes_from_and_who_reads_it(shop: Catalogue) -> None:
    stock = column(shop, "tmp.variants.stock")
    assert (stock.type, stock.mode) == ("INT64", "REQUIRED")
    assert stock.comes_from == ("tmp.inventory_items.stock",)
    assert stock.read_by == ("final.products.variants",)


def test_a_table_has_the_names_of_its_tests(shop: Catalogue, write: Write) -> None:
    assert len(entry(shop, "tmp.variants").tests) == 3
    folder = write(
        {
            "res/dependencies.toml": "",
            "db_init/a.sql": "CREATE TABLE raw.a (id INT64)",
            "res/tmp/b.sql": "SELECT id FROM raw.a",
            "res/tmp/b.tests/one/expected.csv": "id\n",
            "res/tmp/c.sql": "SELECT id FROM raw.a",
            "res/tmp/c.test.toml": '["both"]\nscript = ["tmp.b", "tmp.c"]\nexpected = []\n',
            "res/tmp/wrong.test.toml": "no TOML",
        }
    )
    found = {table.name: table.tests for table in catalogue_of(folder).tables if table.tests}
    assert found == {"tmp.b": ("one", "both"), "tmp.c": ("both",)}


def test_the_document_fits_its_schema(shop: Catalogue) -> None:
    jsonschema.validate(json.loads(as_json(shop)), document_schema())


SETTINGS = """
description = "one row for each order"
owner = "shop@example.com"
tags = ["daily"]

[columns]
id = "the order's number"

[storage]
cluster_by = ["id"]

[checks]
where = "id > 0"
unique = ["id", ["id", "moment"]]
not_null = [{ column = "id", at_least = 0.95, severity = "warning" }]
accepted_values = { state = ["open", "sent"] }
references = { id = "raw.a.id" }
row_count = { at_least = 1, at_most = 10, change_at_most = 0.5 }
fresh = { column = "moment", within = "24h" }
"""


def test_settings_are_said_in_words(write: Write) -> None:
    folder = write(
        {
            "res/dependencies.toml": "",
            "db_init/a.sql": "CREATE TABLE raw.a (id INT64 NOT NULL, moment TIMESTAMP, state STRING)",
            "res/tmp/orders.sql": "SELECT id, moment, state FROM raw.a",
            "res/tmp/orders.toml": SETTINGS,
            "res/checks/orphans.sql": "SELECT id FROM tmp.orders WHERE id IS NULL",
            "res/checks/orphans.toml": 'description = "No order is an orphan."\nseverity = "warning"',
        }
    )
    orders = entry(catalogue_of(folder), "tmp.orders")
    assert (orders.description, orders.owner, orders.tags) == ("one row for each order", "shop@example.com", ("daily",))
    assert orders.storage == ("clusters by id",)
    assert orders.columns[0].description == "the order's number"
    assert [(check.rule, check.severity) for check in orders.checks] == [
        ("unique: id, where id > 0", "error"),
        ("unique: id, moment, where id > 0", "error"),
        ("not null: id, in 95.0% of the rows at least, where id > 0", "warning"),
        ("state is one of open, sent, where id > 0", "error"),
        ("id is in raw.a.id, where id > 0", "error"),
        ("rows: at least 1, at most 10, a change of 50.0% at most, where id > 0", "error"),
        ("moment is at most 24h old, where id > 0", "error"),
        ("No order is an orphan.", "warning"),
    ]
    kinds = ["unique", "unique", "not_null", "accepted_values", "references", "row_count", "fresh", "query"]
    assert [check.kind for check in orders.checks] == kinds
    assert [check.columns for check in orders.checks[:2]] == [("id",), ("id", "moment")]
    assert (orders.checks[3].values, orders.checks[4].to) == (("open", "sent"), "raw.a.id")


IDS = """
SELECT id, day FROM raw.a WHERE id >= @start AND id < @end
AND id NOT IN (SELECT id FROM tmp.ids)
"""


def test_how_a_table_is_built_by_date_is_said_in_words(write: Write) -> None:
    by_day = 'by = "day"\ncolumn = "day"\nstart = "2026-01-01"\nlookback = 3\nmode = "merge"\nkey = ["id"]'
    by_range = 'by = "range"\ncolumn = "id"\nstart = 0\nstep = 1000\nuntil = "raw.a.id"\nreads_itself = true'
    folder = write(
        {
            "res/dependencies.toml": "",
            "db_init/a.sql": "CREATE TABLE raw.a (id INT64, day DATE)",
            "res/tmp/days.sql": "SELECT id, day FROM raw.a WHERE day >= @start AND day < @end",
            "res/tmp/days.toml": f"[build]\n{by_day}",
            "res/tmp/ids.sql": IDS,
            "res/tmp/ids.toml": f'[columns]\nid = {{ type = "INT64" }}\nday = {{ type = "DATE" }}\n[build]\n{by_range}',
        }
    )
    catalogue = catalogue_of(folder)
    assert entry(catalogue, "tmp.days").build == (
        "by day of day, from 2026-01-01 on",
        "again: the current day and the 3 before it",
        "a row replaces the one with the same id",
    )
    assert entry(catalogue, "tmp.ids").build == (
        "by ranges of 1,000 of id, from 0 on",
        "each is built from those before it",
    )


def test_what_a_create_statement_says_counts_too(write: Write) -> None:
    folder = write(
        {
            "res/dependencies.toml": "",
            "db_init/a.sql": "CREATE TABLE raw.a (id INT64)",
            "res/tmp/b.sql": 'CREATE VIEW tmp.b OPTIONS (description = "all of a") AS SELECT id FROM raw.a',
        }
    )
    view = entry(catalogue_of(folder), "tmp.b")
    assert (view.kind, view.description) == ("view", "all of a")


def test_a_table_of_bigquery_has_a_page_in_its_console(write: Write) -> None:
    folder = write({"res/dependencies.toml": "", "res/tmp/b.sql": "SELECT 1 AS one"})
    project = read_project(folder)
    [table] = collect(project, declared_sources(project), "shop", "bigquery://mine?location=EU").tables
    page = "https://console.cloud.google.com/bigquery?project=mine&p=mine&d=tmp&t=b&page=table"
    assert table.console == page
    shown = Pages(Catalogue(1, "shop", (table,))).table(table).decode()
    assert f'href="{page.replace("&", "&amp;")}" rel="noreferrer"' in shown


def test_a_table_that_cannot_be_planned_has_no_columns(write: Write) -> None:
    folder = write(
        {
            "res/dependencies.toml": "",
            "db_init/a.sql": "CREATE TABLE raw.a (id INT64)",
            "res/tmp/b.sql": "SELECT nothing FROM raw.a",
        }
    )
    assert entry(catalogue_of(folder), "tmp.b").columns == ()


def test_files_that_are_wrong_are_refused(write: Write) -> None:
    folder = write({"res/dependencies.toml": '[tmp]\na = ["tmp.b"]', "res/tmp/a.sql": "SELECT 1 AS x"})
    with pytest.raises(Refused, match=r"tmp\.b"):
        catalogue_of(folder)

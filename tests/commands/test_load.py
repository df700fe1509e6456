"""`refresh load`: raw tables from a real PostgreSQL, into DuckDB, and into BigQuery's emulator."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from tests.conftest import Write
from tests.origins.servers import Database
from tests.origins.shop import PROJECT
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.reading import project_in
from warehouse_refresh.pipeline.raw.loading.findings import connection_findings
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName

PEOPLE, ORDERS, SUMS = TableName("raw", "people"), TableName("raw", "orders"), TableName("final", "sums")


def rows(table: TableName, url: str = DEFAULT_URL) -> list[tuple[Any, ...]]:
    with connect(url) as warehouse:
        return sorted(warehouse.first_rows(table, 100))


@pytest.mark.parametrize("engine", ["duckdb", "bigquery"])
def test_the_tables_that_name_a_source_are_loaded_and_scripts_read_them(
    engine: str, shop: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = DEFAULT_URL if engine == "duckdb" else request.getfixturevalue("bigquery_url")
    monkeypatch.setenv("WAREHOUSE_URL", url)
    assert main(["build", "--load"]) == 0
    digest = sha256(b"pepperada@example.com").hexdigest()
    assert rows(PEOPLE, url) == [(1, "A", digest), (2, "B", None)]
    paid = datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert rows(ORDERS, url) == [(10, 1, Decimal("19.99"), paid), (11, 2, Decimal(5), None)]
    assert [float(row[1]) for row in rows(SUMS, url)] == [19.99, 5]
    shop.run("UPDATE orders SET price = 6 WHERE id = 11")
    assert main(["load"]) == 0
    assert main(["build"]) == 0
    assert [float(row[1]) for row in rows(SUMS, url)] == [19.99, 6]
    with connect(url) as warehouse:
        assert [column.name for column in warehouse.columns(PEOPLE)] == ["id", "name", "email"]
        assert warehouse.tables("raw") == [ORDERS, PEOPLE]


def test_a_load_replaces_what_was_there_and_a_failed_check_keeps_it(
    shop: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load"]) == 0
    shop.run(
        "DELETE FROM orders; INSERT INTO people VALUES (3, 'Cy', NULL, NULL);"
        " INSERT INTO orders VALUES (12, 3, 1, NULL)"
    )
    assert main(["load", "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed[printed.index("{") :])["succeeded"] is True
    assert [row[0] for row in rows(ORDERS)] == [12]
    shop.run("ALTER TABLE orders DROP CONSTRAINT orders_pkey; INSERT INTO orders VALUES (12, 3, 1, NULL)")
    assert main(["load"]) == 3
    assert "12" in capsys.readouterr().out
    assert len(rows(ORDERS)) == 1
    assert [row[0] for row in rows(PEOPLE)] == [1, 2, 3]


def test_before_a_load_checks_say_how_to_get_the_tables(shop: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    told = capsys.readouterr().out
    assert "the columns of raw.orders are not known without its database" in told
    assert "`refresh load raw.orders`, then check against the warehouse with --live" in told
    assert main(["build"]) == 2
    assert "load it from its database first: `refresh load raw.orders`, or add --load" in capsys.readouterr().err
    assert shop.run("SELECT count(*) FROM orders").strip() == "2"


def test_what_reads_a_loaded_table_is_stale_after_a_load(shop: Database, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load"]) == 0
    assert main(["build", "stale"]) == 0
    assert main(["build", "stale"]) == 0
    assert "nothing to build" in capsys.readouterr().out
    shop.run("UPDATE orders SET price = price + 1 WHERE id = 10")
    assert main(["load", "raw.orders"]) == 0
    assert main(["build", "stale"]) == 0
    assert [float(row[1]) for row in rows(SUMS)] == [20.99, 5]


def test_a_refresh_loads_what_is_selected_of_its_graph_and_a_plan_says_how_much(
    shop: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.run("ANALYZE")
    assert main(["plan", "--load"]) == 0
    planned = capsys.readouterr().out
    assert "  final.sums  (after raw.orders)" in planned
    assert "    loads: people of shop: about 2 rows, " in planned
    assert "    loads: the query of shop: about 2 rows, " in planned
    assert main(["plan", "--load", "--json", "raw.*"]) == 0
    [orders, people] = json.loads(capsys.readouterr().out)["tables"]
    assert (people["table"], people["about_rows"], orders["about_rows"]) == ("raw.people", 2, 2)
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.tables("raw") == []
    assert main(["build", "--load", "raw.people"]) == 0
    assert main(["build", "--load", "+final.sums"]) == 0
    assert "2 of 2 tables built" in capsys.readouterr().out
    assert main(["build", "stale"]) == 0
    assert "nothing to build" in capsys.readouterr().out
    shop.run("UPDATE orders SET person = 2; ALTER TABLE orders DROP CONSTRAINT orders_pkey; UPDATE orders SET id = 1")
    assert main(["build", "--load", "stale"]) == 3
    told = capsys.readouterr().out
    assert "not run: final.sums: waits for raw.orders" in told
    assert [float(row[1]) for row in rows(SUMS)] == [19.99, 5]
    assert main(["build", "--load", "--env", "me"]) == 2
    assert "the environment me reads production's raw tables" in capsys.readouterr().err


def test_only_what_is_selected_is_loaded_and_only_its_database_is_asked(
    shop: Database, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    other = '\n[connections.other]\nurl_from = "NOT_SET"\n'
    write({"refresh.toml": PROJECT["refresh.toml"] + other})
    write({"res/raw/more.toml": '[source]\nconnection = "other"\ntable = "x"\n'})
    assert main(["load", "raw.people"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.tables("raw") == [PEOPLE]
    assert main(["load", "--select", "raw.more"]) == 2
    assert "NOT_SET is not set: it has the URL of the connection other" in capsys.readouterr().err
    assert shop.url not in capsys.readouterr().err


def test_a_value_that_cannot_be_kept_fails_its_table_and_the_other_one_is_published(
    shop: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.run("INSERT INTO orders VALUES (12, 1, 'NaN', 'infinity')")
    assert main(["load"]) == 1
    printed = capsys.readouterr().out
    assert "res/raw/orders.toml" in printed
    assert "paid: 1 value is no TIMESTAMP: infinite, or outside of the years 1 to 9999" in printed
    assert "price: 1 value is no NUMERIC" in printed
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.tables("raw") == [PEOPLE]


def test_a_column_that_is_new_is_taken_and_one_that_is_gone_or_changed_blocks(
    shop: Database, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load"]) == 0
    shop.run("ALTER TABLE people ADD age int4")
    assert main(["load", "raw.people"]) == 0
    assert "raw.people gets a new column: age INT64" in capsys.readouterr().out
    shop.run("ALTER TABLE people DROP age, ALTER id TYPE numeric(5)")
    assert main(["load", "raw.people"]) == 2
    refused = capsys.readouterr().err
    assert "raw.people: the column age is gone from the source" in refused
    assert "raw.people: id is INT64, and the source now gives NUMERIC" in refused
    assert len(rows(PEOPLE)[0]) == 4
    taking = PROJECT["res/raw/people.toml"].replace('table = "people"', 'table = "people"\nchanges = "take"')
    write({"res/raw/people.toml": taking})
    assert main(["load", "raw.people"]) == 0
    assert len(rows(PEOPLE)[0]) == 3


def test_the_doctor_tries_each_connection(
    shop: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_settings()
    [found] = connection_findings(settings, project_in(settings))
    assert str(found).startswith("ok       connection shop    it answers, and gives raw.orders, raw.people")
    shop.run("CREATE ROLE guest LOGIN; ALTER TABLE people OWNER TO CURRENT_USER; DROP TABLE orders")
    monkeypatch.setenv("SHOP_URL", shop.url.replace("user=shop", "user=guest"))
    [found] = connection_findings(settings, project_in(settings))
    shop.run("DROP ROLE guest")
    assert "the user may not read people" in found.detail
    assert 'relation "public.orders" does not exist' in found.detail
    main(["doctor"])
    assert "missing  connection shop" in capsys.readouterr().out


@pytest.mark.usefixtures("shop")
def test_what_is_wrong_in_the_files_is_found_before_anything_is_loaded(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    source = '[source]\nconnection = "shop"\n'
    write(
        {
            "res/raw/a.toml": '[source]\nconnection = "shp"\ntable = "people"\n',
            "res/raw/people.csv": "id\n1\n",
            "refresh.toml": '[connections.shop]\nurl_from = "SHOP_URL"\n',
        }
    )
    assert main(["load"]) == 2
    refused = capsys.readouterr().err
    assert "res/raw/a.toml:2:1: refresh.toml has no section [connections.shp]" in refused
    assert "did you mean shop" in refused
    assert "people.csv has rows for raw.people, which is loaded from a database" in refused
    assert "a hash without a secret salt can be guessed" in refused
    write(
        {
            **PROJECT,
            "res/raw/people.csv": "",
            "res/raw/a.toml": f'{source}table = "nope"\n',
            "res/raw/b.toml": f'{source}table = "people"\nexclude = ["nam"]\n[columns]\nid = {{ type = "DATE" }}\n',
        }
    )
    assert main(["load"]) == 2
    refused = capsys.readouterr().err
    assert "there is no table nope" in refused
    assert "people has no column nam" in refused
    assert "it is int4, and cannot be DATE" in refused
    write({"res/raw/a.toml": source, "res/final/sums.toml": f'{source}table = "people"\n'})
    assert main(["check"]) == 2
    told = capsys.readouterr().out
    assert "a source is either a table or a query" in told
    assert "final.sums is built by its script, and cannot be loaded from a database, too" in told


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[connections]\nshop = 1", "connections.shop is a section"),
        ("[connections.shop]", "connections.shop needs the name of a variable"),
        (
            '[connections.shop]\nurl_from = "postgresql://me:secret@host/shop"',
            "takes the name of an environment variable",
        ),
        ('[connections.shop]\nurl_from = "A"\nreaders = 0', "write a whole number of at least 1"),
        ('[connections.shop]\nurl_from = "A"\nreader = 1', "there is no setting connections.shop.reader"),
        ('[connections.shop]\nurl_from = "A"\ncredentials_block = "b"', "has a URL, and credentials_block is"),
    ],
)
def test_connections_are_read_strictly_and_have_no_secrets(
    write: Write, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write({"refresh.toml": text})
    assert main(["load"]) == 2
    told = capsys.readouterr().err
    assert reason in told
    assert "secret@" not in told


def test_without_a_table_that_names_a_source_there_is_nothing_to_load(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({"res/final/x.sql": "SELECT 1 AS one", "res/dependencies.toml": ""})
    assert main(["load"]) == 2
    assert "no table has a source" in capsys.readouterr().err


def test_nothing_is_loaded_while_the_settings_of_a_raw_table_are_wrong(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        {
            "a.csv": "id\n1\n",
            "res/raw/a.toml": '[source]\nfile = "a.csv"\n',
            "res/raw/b.toml": '[source]\nfiel = "b.csv"\n',
            "res/final/x.sql": "SELECT id FROM raw.a",
            "res/dependencies.toml": "",
        }
    )
    assert main(["load"]) == 2
    told = capsys.readouterr()
    assert "res/raw/b.toml:2:1: there is no setting fiel in source" in told.err
    assert "built" not in told.out
    write({"res/raw/b.toml": "[source\n"})
    assert main(["load", "raw.a"]) == 2
    assert "res/raw/b.toml" in capsys.readouterr().err


def test_settings_for_a_whole_database_are_written_and_can_be_loaded(
    shop: Database, write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run(
        """CREATE SCHEMA old; CREATE TABLE old.orders (id int4); CREATE TABLE "odd name" (id int4);
        CREATE TYPE pair AS (a int4, b int4); CREATE TABLE pairs (id int4, p pair, "a-b" int4);
        CREATE TABLE hidden (id int4); CREATE ROLE reader LOGIN;
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; REVOKE SELECT ON hidden FROM reader;
        GRANT USAGE ON SCHEMA old TO reader; GRANT SELECT ON old.orders TO reader"""
    )
    folder = write({"refresh.toml": 'name = "shop"\n', "res/raw/people.toml": PROJECT["res/raw/people.toml"]})
    (folder / "res/raw/orders.toml").unlink()
    (folder / "res/final/sums.sql").unlink()
    url = shop.url.replace("user=shop", "user=reader")
    name = url.split("/")[3].split("?")[0]
    assert main(["source", "add", url]) == 0
    told = capsys.readouterr().out
    wrote = [line.partition("res/raw/")[2] for line in told.splitlines() if line.startswith("wrote")]
    assert sorted(wrote) == ["odd name.toml", "old_orders.toml", "pairs.toml", "public_orders.toml"]
    assert "left public.people out: there is people.toml" in told
    assert "hidden" not in told
    assert (folder / "refresh.toml").read_text().count(url) == 0
    assert (
        '"p", # GoogleSQL has no type for pair\n    "a-b", # BigQuery has no such name'
        in (folder / "res/raw/pairs.toml").read_text()
    )
    monkeypatch.setenv(f"{name.upper()}_URL", url)
    (folder / "res/raw/people.toml").unlink()
    assert main(["load"]) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert [table.name for table in warehouse.tables("raw")] == [
            path.removesuffix(".toml") for path in sorted(wrote)
        ]
    assert main(["source", "add", name]) == 0
    assert "wrote res/raw/people.toml" in capsys.readouterr().out
    assert main(["source", "add", url]) == 2
    assert "already: name it instead of the URL" in capsys.readouterr().err
    assert main(["source", "add", "nope"]) == 2
    shop.run("DROP OWNED BY reader; DROP ROLE reader")

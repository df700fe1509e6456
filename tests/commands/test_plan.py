"""`refresh plan`: what a refresh would do, told without doing it."""

import json
from collections.abc import Mapping

import duckdb
import pytest

import warehouse_refresh.commands.project.plan
from tests.commands.test_check import ERROR, GOOD
from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.commands.project.plan import human_dollars
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.pipeline.refresh import RefreshPlan
from warehouse_refresh.pipeline.settings import human_bytes, read_settings
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.warehouse import DEFAULT_URL, QueryPlan, connect
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Query
from warehouse_refresh.warehouse.types import Column
from warehouse_refresh.warehouse.urls import duckdb_file

A, B = TableName("tmp", "a"), TableName("final", "b")


class Metered(DuckDBWarehouse):
    """The embedded engine with figures that only BigQuery has: each query reads half a TiB, and those that read a table
    that is not there yet do not know of more."""

    def plan(self, query: Query, stand_ins: Mapping[TableName, tuple[Column, ...]]) -> QueryPlan:
        return QueryPlan(super().plan(query, stand_ins).columns, 2**39, estimate=bool(stand_ins))


def test_it_tells_order_and_columns_and_builds_nothing(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD)
    assert main(["init"]) == 0
    capsys.readouterr()
    assert main(["plan"]) == 0
    assert capsys.readouterr().out == (
        "step 1: 1 table\n"
        "  tmp.a\n"
        "    columns: id INT64, price NUMERIC\n"
        "    why: it is not there, or nothing is recorded of what has built it\n"
        "\n"
        "step 2: 1 table\n"
        "  final.b  (after tmp.a)\n"
        "    columns: id INT64, cost NUMERIC\n"
        "    why: it is not there, or nothing is recorded of what has built it\n"
        "\n"
        "2 tables in 2 steps, up to 1 at once\n"
    )
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.tables("tmp") == warehouse.tables("final") == []


def test_it_tells_how_long_the_refresh_takes_by_its_last_builds(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**GOOD, "res/tmp/c.sql": "SELECT 1 AS x"})
    assert [main(["init"]), main(["build"]), main(["build"])] == [0, 0, 0]
    with connect(DEFAULT_URL) as warehouse:
        took = warehouse.durations()
    assert [len(took[table]) for table in (A, B)] == [2, 2]
    with duckdb.connect(duckdb_file(DEFAULT_URL)) as database:
        database.execute("UPDATE _warehouse.durations SET took = if(name = 'c', '1', '1 60 1.5')")
    capsys.readouterr()
    assert main(["plan"]) == 0
    assert "\ntakes about 3.0 s by the last builds; the longest chain: tmp.a, final.b\n" in capsys.readouterr().out
    assert main(["plan", "--json", "--select", "tmp.c"]) == 0
    expected = json.loads(capsys.readouterr().out)["expected"]
    assert expected == {"seconds": 1.0, "longest_chain": ["tmp.c"]}


def test_json_says_the_same(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD)
    main(["init"])
    capsys.readouterr()
    assert main(["plan", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [(table["table"], table["step"], table["after"]) for table in printed["tables"]] == [
        ("tmp.a", 1, []),
        ("final.b", 2, ["tmp.a"]),
    ]
    assert printed["tables"][1]["columns"] == [{"name": "id", "type": "INT64"}, {"name": "cost", "type": "NUMERIC"}]
    assert (printed["bytes"], printed["cost_usd"], printed["is_estimate"]) == (None, None, False)


def test_bytes_and_cost_are_told_where_the_engine_has_them(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(GOOD)
    main(["init"])
    capsys.readouterr()
    monkeypatch.setattr(
        warehouse_refresh.commands.project.plan, "connected", lambda *_: Metered(folder / ".data" / "warehouse.duckdb")
    )
    monkeypatch.setenv("REFRESH_PRICE_PER_TIB", "5")
    assert main(["plan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines if "reads" in line] == [
        "reads: 512.0 GiB, $2.50",
        "reads: ≥ 512.0 GiB, ≥ $2.50",
        "reads ≥ 1.0 TiB, ≥ $5.00 at $5 per TiB",
    ]
    assert lines[-1].startswith("≥: an estimate")


def test_a_selection_is_planned_alone(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD)
    main(["init"])
    assert main(["plan", "--select", "final.b"]) == 2
    assert "build it first: --select +tmp.a" in capsys.readouterr().err
    assert main(["plan", "--select", "tmp.a"]) == 0
    end = "  final.b: it is not there, or nothing is recorded of what has built it\n"
    assert capsys.readouterr().out.endswith(f"1 table in 1 step, up to 1 at once\n\nnot in it: 1 table\n{end}")


def test_a_refresh_that_cannot_succeed_has_no_plan(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**GOOD, **ERROR})
    main(["init"])
    assert main(["plan"]) == 2
    assert "there is no column prize" in capsys.readouterr().err


def test_the_sum_is_unknown_only_if_every_figure_is(write: Write) -> None:
    graph = Graph({A: frozenset(), B: frozenset({A})})
    project = read_project(write({"res/tmp/a.sql": "SELECT 1 AS x"}))
    assert RefreshPlan(graph, {}, {A: QueryPlan(()), B: QueryPlan(())}, project).bytes_processed is None
    assert RefreshPlan(graph, {}, {A: QueryPlan((), 0), B: QueryPlan((), 3)}, project).bytes_processed == 3


def test_figures_are_for_people() -> None:
    assert [human_bytes(number) for number in (0, 1023, 1024, 1536 * 2**10, 2**40)] == [
        *("0 B", "1023 B", "1.0 KiB", "1.5 MiB", "1.0 TiB")
    ]
    assert [human_dollars(amount) for amount in (0, 0.002, 0.01, 1234.5)] == ["$0", "< $0.01", "$0.01", "$1,234.50"]


@pytest.mark.parametrize("price", ["-1", "six", "1e9", "nan", "٣"])
def test_a_price_that_is_none_is_refused(price: str) -> None:
    with pytest.raises(SettingError, match="REFRESH_PRICE_PER_TIB"):
        read_settings({"REFRESH_PRICE_PER_TIB": price})

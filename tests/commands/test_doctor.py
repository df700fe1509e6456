"""`refresh doctor`: every line says what is there or what puts it right."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.conftest import Write, free_port
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.findings import fine, note, project_findings, wrong


@pytest.fixture
def no_server() -> Iterator[str]:
    """Prefect's settings name a server that does not run."""
    url = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: url}):
        yield url


def test_a_finding_is_a_line_with_what_puts_it_right_below() -> None:
    assert str(fine("settings", "all of them")) == "ok       settings           all of them"
    assert str(wrong("worker", "none is online", "refresh worker")).splitlines() == [
        "missing  worker             none is online",
        "                            do: refresh worker",
    ]
    assert "do:" not in str(note("webhook", "not set"))


def test_a_server_that_does_not_answer_and_tables_that_are_not_there_are_missing(
    demonstration: Path, no_server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "ok       scripts            8 scripts, no errors" in told
    assert "missing  sources            not there: raw.categories" in told
    assert "do: refresh init" in told
    assert f"missing  Prefect server     none answers at {no_server}" in told
    assert "do: refresh server" in told
    assert told.endswith("\n2 missing\n")
    assert not list(demonstration.glob(".data/*.duckdb")) or "changed nothing"


def test_wrong_scripts_and_settings_are_told_and_the_rest_is_looked_at_all_the_same(
    write: Write, no_server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"res/tmp/a.sql": "SELECT 1 AS x, FROM", "res/dependencies.toml": ""})
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "missing  scripts            1 errors, the first:" in told
    assert "res/tmp/a.sql:1" in told
    assert no_server in told

    monkeypatch.setenv("REFRESH_PRICE_PER_TIB", "much")
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "missing  settings           REFRESH_PRICE_PER_TIB is 'much': write a price in USD, such as 6.25" in told
    assert no_server in told


def test_a_script_of_db_init_counts_whatever_the_case_of_its_ending(write: Write) -> None:
    for ending in ("SQL", "sql"):
        folder = write({f"db_init/orders.{ending}": "CREATE TABLE raw.orders (id INT64)", "res/raw/orders": ""})
        write({"res/tmp/a.sql": "SELECT id FROM raw.orders", "res/dependencies.toml": ""})
        assert any("do: refresh init" in str(finding) for finding in project_findings())
        (folder / f"db_init/orders.{ending}").unlink()
    assert not any("do: refresh init" in str(finding) for finding in project_findings())

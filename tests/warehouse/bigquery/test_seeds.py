"""Files with rows that are loaded into BigQuery by a process that dies."""

from pathlib import Path

import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy
from tests.warehouse.bigquery.killed import killed_before
from warehouse_refresh.pipeline.raw.db_init import Filled, initialise
from warehouse_refresh.pipeline.raw.seeds import read_seed
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.names import TableName

X = TableName("raw", "x")
STEPS = 40
"""More than the requests that one load makes."""


def fill(warehouse: BigQueryWarehouse, path: Path, rows: str) -> Filled:
    path.write_text(rows)
    path.with_suffix(".toml").write_text(
        '[columns.id]\ntype = "BIGNUMERIC"\n'
    )  # inserted: the proxy passes on no files
    return initialise(warehouse, path.parent / "db_init", ["raw"], seeds=[read_seed(X, path)])


def replacing(proxy: Proxy) -> int:
    """The number of requests before the one that replaces the table."""
    asked = [str(each.body.get("configuration", {}).get("query", {}).get("query", "")) for each in proxy.recorded]
    return next(number for number, text in enumerate(asked) if "CREATE OR REPLACE TABLE `raw`.`x`" in text)


def killed(settings: BigQuerySettings, proxy: Proxy, path: Path, rows: str, step: int) -> None:
    """Load the file in a process that is killed before its request number `step`."""
    with killed_before(step, settings, proxy) as (warehouse, _):
        fill(warehouse, path, rows)


def check(warehouse: BigQueryWarehouse, path: Path) -> None:
    """Whatever the killed process has done, the next one loads its file, and the one after that another file."""
    again = fill(warehouse, path, "id\n2\n3\n")
    assert again.changed == [], "rows look as if somebody had posted them"
    assert sorted(warehouse.first_rows(X, 9)) == [(2,), (3,)]
    assert fill(warehouse, path, "id\n4\n") == Filled([X], [], [])


def test_a_load_is_one_job_with_its_note_whenever_the_process_dies(
    settings: BigQuerySettings, proxy: Proxy, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    with BigQueryWarehouse(settings, QUICK) as warehouse:
        fill(warehouse, path, "id\n0\n")
        proxy.recorded.clear()
        fill(warehouse, path, "id\n1\n")
        first = replacing(proxy)
        for step in (first + 1, first + 2):
            killed(settings, proxy, path, "id\n2\n3\n", step)
            check(warehouse, path)


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "id\n1\n"], ids=["first load", "changed file"])
def test_a_load_that_is_cut_off_anywhere_leaves_no_rows_that_look_posted(
    settings: BigQuerySettings, proxy: Proxy, tmp_path: Path, before: str
) -> None:
    path = tmp_path / "x.csv"
    for step in range(STEPS):
        with BigQueryWarehouse(settings, QUICK) as warehouse:
            warehouse.create_datasets(["raw"])
            warehouse.drop(X)
            if before:
                fill(warehouse, path, before)
            killed(settings, proxy, path, "id\n2\n3\n", step)
            check(warehouse, path)

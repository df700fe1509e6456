"""Load jobs that BigQuery refuses: the error says why, and the table is as it was."""

from pathlib import Path

import duckdb
import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy, Refusal
from warehouse_refresh.pipeline.raw.db_init import initialise
from warehouse_refresh.pipeline.raw.seeds import Seed, read_seed
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.errors import NotAllowed, WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

X = TableName("raw", "x")


def seed(folder: Path, number: int, ending: str = ".parquet") -> Seed:
    path = folder / f"x{ending}"
    if ending == ".csv":
        path.write_text(f"id\n{number}\n")
        return read_seed(X, path)
    duckdb.connect().execute(f"COPY (SELECT {number} AS id) TO '{path}' (FORMAT parquet)")
    return read_seed(X, path)


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Refusal(403, "accessDenied"), NotAllowed),
        (Refusal(400, "invalid", "the file has too many columns"), WarehouseError),
    ],
    ids=["not allowed", "refused"],
)
def test_a_file_that_bigquery_does_not_take_leaves_the_table(
    proxy: Proxy, bigquery_project: str, tmp_path: Path, ending: str, fault: Refusal, error: type[Exception]
) -> None:
    with (
        BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), QUICK) as through,
        BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=f"http://{proxy.upstream}"), QUICK) as quiet,
    ):
        initialise(quiet, tmp_path / "db_init", ["raw"], seeds=[seed(tmp_path, 1, ending)])
        proxy.decide = lambda _, path: fault if "/upload/" in path else None
        with pytest.raises(error):
            initialise(through, tmp_path / "db_init", ["raw"], seeds=[seed(tmp_path, 2, ending)])
        assert quiet.first_rows(X, 9) == [(1,)]
        assert [table.name for table in quiet.tables(OWN_DATASET)] == ["loads"], "nothing is left behind"

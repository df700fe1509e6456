"""docs/constructs.md: each row's example is read and planned for BigQuery, and built on DuckDB.

For BigQuery nothing is sent: the row says what this tool does with the script, which is all that can be known here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Write
from warehouse_refresh.pipeline.check import check_project
from warehouse_refresh.pipeline.project.problems import Severity
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.pipeline.raw.db_init import initialise
from warehouse_refresh.pipeline.raw.sources import declared_sources, stored_sources, with_stored_wildcards
from warehouse_refresh.warehouse import BuildContext, Warehouse, connect
from warehouse_refresh.warehouse.names import TableName

X = TableName("tmp", "x")
SOURCES = """
CREATE TABLE raw.orders (id INT64, day DATE, amount NUMERIC);
CREATE TABLE raw.events_20240101 (id INT64, name STRING);
"""


@dataclass(frozen=True)
class Row:
    name: str
    example: str
    on_bigquery: str
    on_duckdb: str


def rows() -> Iterator[Row]:
    for line in (ROOT / "docs/constructs.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 4 and cells[1].startswith("`"):
            yield Row(cells[0], cells[1].strip("` ") if cells[1][1] != "`" else cells[1][2:-2].strip(), *cells[2:])


ROWS = list(rows())


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("constructs")
    (folder / "db_init").mkdir()
    (folder / "db_init/sources.sql").write_text(SOURCES)
    with connect(f"duckdb:///{folder}/a.duckdb?project=my-project") as warehouse:
        initialise(warehouse, folder / "db_init", ["raw", "tmp"])
        yield warehouse


def reason_on_bigquery(folder: Path) -> str:
    """The first error of a check without a warehouse, where what only BigQuery has is a warning; "runs" without any."""
    project = read_project(folder, "my-project")
    problems = check_project(project, declared_sources(project)).problems
    return next((problem.reason for problem in problems if problem.severity is Severity.ERROR), "runs")


def reason_on_duckdb(folder: Path, warehouse: Warehouse) -> str:
    project = read_project(folder, "my-project")
    scripts = with_stored_wildcards(warehouse, project.scripts, project)
    checked = check_project(project, stored_sources(warehouse, scripts, project))
    if checked.problems:
        return checked.problems[0].reason
    warehouse.build(scripts[X].build, BuildContext("run"))
    return "runs"


def test_the_page_has_its_rows() -> None:
    assert len(ROWS) > 80
    assert len({row.example for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_construct_is_treated_as_the_page_says(write: Write, warehouse: Warehouse, row: Row) -> None:
    folder = write({"res/tmp/x.sql": row.example, "res/dependencies.toml": "", "db_init/sources.sql": SOURCES})
    assert reason_on_bigquery(folder).startswith(row.on_bigquery)
    assert reason_on_duckdb(folder, warehouse).startswith(row.on_duckdb)

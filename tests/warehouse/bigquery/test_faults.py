"""Faults over the wire: through all of them a run builds every table exactly once, and stores every row exactly once.

The real client talks to the emulator through a proxy that refuses, cuts, delays and repeats about a third of all
requests. What was carried out is counted by the emulator, not by us.
"""

import json
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Fault, Proxy, by_seed
from warehouse_refresh.warehouse import Append, BuildContext, Built, Outcome, TableBuild
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

POSTS = TableName("raw", "posts")
RUNS_OF_A_TEST = 10


def carried_out(endpoint: str, project: str) -> list[dict[str, Any]]:
    """The jobs that the emulator has run."""
    with urllib.request.urlopen(f"{endpoint}/emulator/jobs?project={project}", timeout=600) as answer:
        return [job for job in json.load(answer) if job["carriedOut"]]


def refresh(warehouse: BigQueryWarehouse, seed: int, attempt: int = 1) -> list[Built]:
    """Three tables, the last one made of the others; one in five has a job that fails for a passing reason."""
    context = BuildContext(run=f"run-{seed}", attempt=attempt)
    failing = "/* emulator: fail backendError 1 */" if seed % 5 == 0 else ""
    scripts = {
        f"left_{seed}": f"SELECT n FROM raw.numbers {failing}",
        f"right_{seed}": f"SELECT n * 2 AS n FROM raw.numbers -- {seed}",
        f"both_{seed}": f"SELECT n FROM tmp.left_{seed} UNION ALL SELECT n FROM tmp.right_{seed}",
    }

    def build(name: str) -> Built:
        return warehouse.build(TableBuild(TableName("tmp", name), parse_query(scripts[name])), context)

    first, second, last = scripts
    with ThreadPoolExecutor(2) as pool:
        return [*pool.map(build, [first, second]), build(last)]


def store(warehouse: BigQueryWarehouse, seed: int) -> list[Outcome]:
    """A row with a key, and two without."""
    keyed = Append([{"run": seed, "what": "keyed"}], key=f"key-{seed}", fingerprint="same")
    return warehouse.append(POSTS, [keyed, Append([{"run": seed, "what": "a"}, {"run": seed, "what": "b"}])])


@pytest.mark.parametrize(
    "first",
    [
        *range(0, 20, RUNS_OF_A_TEST),
        *(pytest.param(first, marks=pytest.mark.slow) for first in range(20, 1000, RUNS_OF_A_TEST)),
    ],
)
def test_nothing_is_built_or_stored_twice_whatever_the_network_does(
    proxy: Proxy, bigquery_endpoint: str, bigquery_project: str, first: int
) -> None:
    with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=bigquery_endpoint), QUICK) as quiet:
        quiet.create_datasets(["raw", "tmp"])
        quiet.run_script(
            parse_script(
                "CREATE TABLE raw.numbers (n INT64) AS SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3;"
                "CREATE TABLE raw.posts (run INT64, what STRING)"
            )
        )
        seeds = range(first, first + RUNS_OF_A_TEST)
        for seed in seeds:
            proxy.decide = by_seed(seed)
            with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), QUICK) as warehouse:
                assert [built.rows for built in refresh(warehouse, seed)] == [3, 3, 6]
                assert store(warehouse, seed) == [Outcome.STORED, Outcome.STORED]
            if seed % 3 == 0:  # as if that process had died before it told anybody, and the run were retried
                with BigQueryWarehouse(BigQuerySettings(bigquery_project, endpoint=proxy.url), QUICK) as another:
                    assert [built.rows for built in refresh(another, seed, attempt=2)] == [3, 3, 6]
        posts = Counter((row[0], row[1]) for row in quiet.first_rows(POSTS, 1000))
    jobs = carried_out(bigquery_endpoint, bigquery_project)
    targets = Counter(job["configuration"]["query"].get("destinationTable", {}).get("tableId") for job in jobs)
    del targets[None]
    assert targets == {f"{name}_{seed}": 1 for seed in seeds for name in ("left", "right", "both")}
    assert posts == {(seed, what): 1 for seed in seeds for what in ("keyed", "a", "b")}
    assert {request.fault for request in proxy.recorded} >= set(Fault)

"""Publishing on a DuckDB file: what a process that is killed leaves, and what staging costs of the disk."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehouse_refresh.warehouse import BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.storage import Storage

# A refresh of a table, a view of it, and a table that reads both, is killed before its first statement, then another
# one before its second, and so on, until one ends. After each death another process says what it finds, and clears up.
# Each of them is a fork of a process that has not opened DuckDB, which is quicker than to start Python anew.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from tests.warehouse.duckdb.killed import Killed
from warehouse_refresh.warehouse import Append, BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

import warehouse_refresh.warehouse.duckdb.append
import warehouse_refresh.warehouse.duckdb.translate.entry

PATH = Path(sys.argv[1])
A, V, C = TABLES = [TableName("tmp", name) for name in "avc"]

def builds(run):
    # what is a table in one run is a view in the next
    return [
        TableBuild(A, parse_query(f"SELECT {run} AS run, COUNT(*) AS n FROM raw.items")),
        TableBuild(V, parse_query("SELECT run FROM tmp.a"), is_view=run % 2 == 0),
        TableBuild(C, parse_query("SELECT a.run AS a, v.run AS v FROM tmp.a AS a CROSS JOIN tmp.v AS v")),
    ]

def refresh(run, step=0):
    context = BuildContext(f"run {run}")
    with Killed(PATH) as warehouse:
        warehouse.step = step
        warehouse.recover("", print)
        done = builds(run)
        for number, build in enumerate(done):
            warehouse.stage(build, {before.table for before in done[:number]}, context)
        warehouse.publish(done, context)
        warehouse.discard(context)

def look():
    with DuckDBWarehouse(PATH) as warehouse:
        warehouse.append(TableName("raw", "items"), [Append([{"x": 1}])])  # as the API does meanwhile
        seen = [list(warehouse.first_rows(table, 9)[0]) for table in TABLES]
        listed = [table.name for table in warehouse.tables("tmp")]
        warehouse.recover("", print)
        with warehouse._database.cursor() as cursor:
            [[all_]] = cursor.execute("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'tmp'").fetchall()
            [[views]] = cursor.execute("SELECT count(*) FROM duckdb_views() WHERE schema_name = 'tmp'").fetchall()
        rows = warehouse.row_count(TableName("raw", "items"))
    print(json.dumps({"seen": seen, "listed": listed, "there": all_ + views, "rows": rows}), flush=True)

def forked(work, *arguments):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        work(*arguments)
        code = 0
    finally:
        os._exit(code)

def begin():
    with DuckDBWarehouse(PATH) as warehouse:
        warehouse.create_datasets(["raw", "tmp"])
        warehouse.run_script(parse_script("CREATE TABLE raw.items (x INT64)"))
    refresh(0)

builds(0)  # imports the parser, for all forks
assert forked(begin) == 0
step = 1
while (code := forked(refresh, step, step)) == -signal.SIGKILL:
    assert forked(look) == 0
    step += 1
assert code == 0, code
assert forked(look) == 0
"""


def test_a_refresh_that_is_killed_before_any_statement_has_published_all_or_nothing(tmp_path: Path) -> None:
    code = [sys.executable, "-c", KILLED, str(tmp_path / "warehouse.duckdb")]
    done = subprocess.run(code, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    looks: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(looks) > 10
    for number, look in enumerate(looks, 1):
        (a, n), (v,), both = look["seen"]
        assert (v, both) == (a, [a, a])
        assert (n, look["rows"]) == (max(a - 1, 0), number)
        assert (look["listed"], look["there"]) == (["a", "c", "v"], 3)
    published = [look["seen"][0][0] for look in looks]
    assert published == sorted(published)
    assert published[-1] == len(looks)
    assert published[-2] < len(looks) - 1  # a refresh that was killed in its publication has published nothing


def test_disk_space_of_a_refresh_is_at_most_twice_what_its_tables_take(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    table = TableName("tmp", "big")
    sizes = []
    for run in range(6):
        context = BuildContext(f"run {run}")
        build = TableBuild(
            table,
            parse_query(
                f"SELECT FARM_FINGERPRINT(CAST(x * {run + 2} AS STRING)) AS mark"
                " FROM UNNEST(GENERATE_ARRAY(1, 150000)) AS x"
            ),
        )
        with DuckDBWarehouse(path) as warehouse:
            warehouse.create_datasets(["tmp"])
            warehouse.stage(build, (), context)
            warehouse.publish([build], context)
        sizes.append(sum(file.stat().st_size for file in tmp_path.glob("warehouse.duckdb*")))
    assert max(sizes) <= 2.1 * sizes[0]


def test_what_settings_say_of_tables_and_views_is_there_after_ten_publications_and_is_changed_alone(
    tmp_path: Path,
) -> None:
    storage = Storage(description="one's", column_descriptions=(("x", "the x"),), required=("x",))
    view_storage = Storage(description="a view", column_descriptions=(("x", "its x"),))
    table, view = TableName("tmp", "a"), TableName("tmp", "v")
    expected = {"a": "one's", "a.x": "the x", "v": "a view", "v.x": "its x"}
    for said, runs in ((storage, range(10)), (replace(storage, description="another"), range(10, 11))):
        with DuckDBWarehouse(tmp_path / "warehouse.duckdb") as warehouse:
            warehouse.create_datasets(["tmp"])
            for number in runs:
                context = BuildContext(f"run {number}")
                builds = [
                    TableBuild(table, parse_query(f"SELECT {number} AS x"), storage=said),
                    TableBuild(view, parse_query("SELECT x FROM tmp.a"), is_view=True, storage=view_storage),
                ]
                warehouse.stage(builds[0], (), context)
                warehouse.stage(builds[1], {table}, context)
                warehouse.publish(builds, context)
                assert warehouse.columns(table)[0].required
        assert comments(tmp_path / "warehouse.duckdb") == {**expected, "a": said.description}


def comments(path: Path) -> dict[str, str]:
    """The comments on the tables, the views and their columns."""
    with duckdb.connect(path) as connection:
        found = connection.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'tmp' UNION ALL "
            "SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'tmp' UNION ALL "
            "SELECT concat(table_name, '.', column_name), comment FROM duckdb_columns() WHERE schema_name = 'tmp'"
        )
        return dict(found.fetchall())


def test_a_row_without_a_required_value_fails_the_table_before_it_is_published(tmp_path: Path) -> None:
    table = TableName("tmp", "a")
    wrong = TableBuild(table, parse_query("SELECT CAST(NULL AS INT64) AS x"), storage=Storage(required=("x",)))
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb") as warehouse:
        warehouse.create_datasets(["tmp"])
        warehouse.build(TableBuild(table, parse_query("SELECT 1 AS x")), BuildContext("before"))
        with pytest.raises(SqlError, match="REQUIRED"):
            warehouse.stage(wrong, (), BuildContext("run"))
        assert warehouse.staged(BuildContext("run")) == {}
        assert warehouse.first_rows(table, 2) == [(1,)]

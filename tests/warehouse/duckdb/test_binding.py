"""What DuckDB would reject is refused before anything runs, in our words."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import wait_until
from warehouse_refresh.warehouse import Planner, offline_planner
from warehouse_refresh.warehouse.duckdb import translations
from warehouse_refresh.warehouse.duckdb.binding import process
from warehouse_refresh.warehouse.duckdb.binding.binder import MANY, Binder
from warehouse_refresh.warehouse.duckdb.translations import Translation
from warehouse_refresh.warehouse.errors import Place, TranslationFault
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.types import Column, parse_type

TABLE = TableName("raw", "t")
QUERY = "\n  SELECT x FROM `raw.t`"


def columns(**types: str) -> tuple[Column, ...]:
    return tuple(Column(name, parse_type(type_)) for name, type_ in types.items())


@pytest.fixture
def planner() -> Planner:
    return offline_planner()


@pytest.mark.parametrize(
    "wrong",
    [
        'SELECT "nosuch" AS "x" FROM "warehouse"."raw"."t"',
        'SELECT nosuch("x") AS "x" FROM "warehouse"."raw"."t"',
        'SELECT "x" FROM "warehouse"."raw"."nosuch"',
        'SELECT "x" FRM "warehouse"."raw"."t"',
        'SELECT "x"::INTEGER AS "x" FROM "warehouse"."raw"."t"',
        'SELECT "x" AS "X" FROM "warehouse"."raw"."t"',
        'SELECT "x", 1 AS "y" FROM "warehouse"."raw"."t"',
    ],
)
def test_a_wrong_translation_is_a_bug_of_ours_with_the_querys_place(
    planner: Planner, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Translation(wrong, columns(x="INT64"), {TABLE: columns(x="INT64")})
    monkeypatch.setattr(translations, "_translate", lambda *_: made)
    plan = planner.plan(parse_query(QUERY), {TABLE: columns(x="INT64")})
    for _ in range(2):
        with pytest.raises(TranslationFault) as caught:
            plan.confirm()
    assert str(caught.value) == (
        "the embedded engine cannot run this query as it should: this is a bug of this tool: please report it with the"
        " script; BigQuery runs it"
    )
    assert caught.value.place == Place(2, 3, 1)


@pytest.mark.parametrize("fails", ["REGEXP_CONTAINS('a', '(')", "1 / 0 > 1", "ERROR('no')", "CAST('a' AS INT64)"])
def test_what_fails_only_as_it_runs_is_no_such_bug(planner: Planner, fails: str) -> None:
    plan = planner.plan(parse_query(f"SELECT {fails} AS y"), {})
    plan.confirm()
    assert len(plan.columns) == 1


def test_a_table_may_have_other_columns_the_next_time(planner: Planner) -> None:
    for type_ in ("INT64", "STRING", "INT64"):
        assert planner.plan(parse_query(QUERY), {TABLE: columns(x=type_)}).columns == columns(x=type_)


def test_a_column_of_a_type_without_values_here_is_in_nobodys_way(planner: Planner) -> None:
    table = columns(place="GEOGRAPHY", x="INT64")
    assert planner.plan(parse_query(QUERY), {TABLE: table}).columns == columns(x="INT64")


def begun(binder: Binder, count: int, wrong: set[int]) -> list[Callable[[], None]]:
    """Queries over one table, whose columns change on the way, those of `wrong` with an unknown column."""
    confirmations = []
    for number in range(count):
        column = "x" if number < count / 2 else "y"
        table = Column(column, parse_type("INT64"))
        sql = f'SELECT "{"nosuch" if number in wrong else column}" AS "{column}" FROM "warehouse"."raw"."t"'
        confirmations.append(binder.begin(Translation(sql, (table,), {TABLE: (table,)})))
    return confirmations


def refused(confirmations: list[Callable[[], None]]) -> set[int]:
    found = set()
    for number, confirm in enumerate(confirmations):
        try:
            confirm()
        except TranslationFault:
            found.add(number)
    return found


WRONG = {0, 7, MANY - 1, MANY, 2 * MANY, 3 * MANY - 1}
DIES_AFTER_FIVE = """
import sys
from warehouse_refresh.warehouse.duckdb.binding.empty_tables import EmptyTables
answered = []
fault = EmptyTables.fault
def five_times(tables, task):
    answered.append(task)
    return fault(tables, task) if len(answered) < 6 else sys.exit()
EmptyTables.fault = five_times
from warehouse_refresh.warehouse.duckdb.binding.process import bind_all
bind_all()
"""


@pytest.mark.parametrize("code", [process._CODE, "raise SystemExit", DIES_AFTER_FIVE], ids=["whole", "dead", "dying"])
def test_many_queries_are_bound_in_a_process_of_their_own_whatever_happens_to_it(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_CODE", code)
    binder = Binder()
    confirmations = begun(binder, 3 * MANY, WRONG)
    assert refused(confirmations) == refused(confirmations) == WRONG
    binder.close()


def test_many_queries_are_bound_where_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nosuch/python")
    binder = Binder()
    assert refused(begun(binder, 3 * MANY, WRONG)) == WRONG
    binder.close()


def test_a_binder_that_nobody_asks_can_be_closed() -> None:
    for count in (0, 1, 3 * MANY):
        binder = Binder()
        begun(binder, count, set())
        binder.close()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="it finds the process in /proc, as Linux has it")
def test_the_process_ends_when_the_one_that_started_it_is_killed() -> None:
    starts = (
        "import os, signal; from warehouse_refresh.warehouse.duckdb.binding.process import BindingProcess;"
        "one = BindingProcess(); print(one._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", starts], capture_output=True, text=True, check=False)
    wait_until(lambda: not _words_of(int(done.stdout)))


def _words_of(process_id: int) -> bytes:
    """The command line of a process; none of one that has ended."""
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""

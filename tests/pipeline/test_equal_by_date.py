"""Tables by date equal one full build, whatever happens: late rows, refreshes of some tables, deaths, retries.

A death cuts a refresh off from its warehouse, before a statement on DuckDB, before a request on BigQuery. So nothing
that it does afterwards has an effect, as if its process were killed.
"""

import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.conftest import Write
from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy, Refusal
from tests.warehouse.duckdb.killed import count_statements
from warehouse_refresh.pipeline.outcomes import Publishing
from warehouse_refresh.pipeline.refresh import plan_refresh
from warehouse_refresh.pipeline.running.builder import Builder, still_good
from warehouse_refresh.pipeline.running.execution import Execution, run_here
from warehouse_refresh.pipeline.settings import RefreshSettings
from warehouse_refresh.pipeline.tables.partitions.asked import Asked
from warehouse_refresh.warehouse import BuildContext, Warehouse
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

LOOKBACK = 2
FIRST = date(2024, 2, 27)
BUILD = f'[build]\nby = "day"\ncolumn = "day"\nstart = "{FIRST}"\n'
IN_DAY = "WHERE day >= @start AND day < @end"
PROJECT = {
    "db_init/raw.sql": "CREATE TABLE raw.events (id INT64, day DATE)",
    "res/raw/events": "",
    "res/tmp/events.sql": f"SELECT id, day FROM `raw.events` {IN_DAY}",
    "res/tmp/events.toml": f"{BUILD}lookback = {LOOKBACK}\n",
    "res/tmp/latest.sql": f"SELECT MOD(id, 5) AS key, MAX(id) AS id, day FROM `tmp.events` {IN_DAY} GROUP BY 1, 3",
    "res/tmp/latest.toml": f'{BUILD}mode = "merge"\nkey = ["key"]\nbatch = 3\n',
    "res/final/days.sql": f"SELECT day, COUNT(*) AS n FROM `tmp.events` {IN_DAY} GROUP BY day",
    "res/final/days.toml": f"{BUILD}batch = 2\n",
    "res/final/months.sql": "SELECT DATE(EXTRACT(YEAR FROM day), EXTRACT(MONTH FROM day), 1) AS month, SUM(n) AS n"
    f" FROM `final.days` {IN_DAY} GROUP BY month",
    "res/final/months.toml": BUILD.replace('"day"\nc', '"month"\nc').replace('"day"', '"month"'),
    "res/final/totals.sql": "SELECT day, COUNT(*) + IFNULL((SELECT MAX(n) FROM `final.totals`), 0) AS n"
    f" FROM `tmp.events` {IN_DAY} GROUP BY day",
    "res/final/totals.toml": f'{BUILD}reads_itself = true\n[columns]\nn = {{ type = "INT64" }}\n',
    "res/dependencies.toml": '[tmp]\nlatest = ["tmp.events"]\n'
    '[final]\ndays = ["tmp.events"]\ntotals = ["tmp.events"]\nmonths = ["final.days"]\n',
}
BY_IDS = '[build]\nby = "range"\ncolumn = "day"\nstart = 0\nstep = 10\n'
OF_IDS = {
    **{name: text.replace(BUILD, BY_IDS) for name, text in PROJECT.items()},
    "db_init/raw.sql": "CREATE TABLE raw.events (id INT64, day INT64)",
    "res/tmp/events.toml": f'{BY_IDS}lookback = {LOOKBACK}\nuntil = "raw.events.day"\n',
    "res/final/months.sql": "SELECT day - MOD(day, 30) AS month, SUM(n) AS n"
    f" FROM `final.days` {IN_DAY} GROUP BY month",
    "res/final/months.toml": BY_IDS.replace('"day"', '"month"').replace("step = 10", "step = 30"),
}
"""The same tables by ranges of ten ids, each of which is a day."""
TABLES = [TableName.parse(name) for name in ("tmp.events", "tmp.latest", "final.days", "final.months", "final.totals")]
SELECTIONS = [[], ["tmp.events"], ["tmp.events+"], ["final.days+"], ["tmp.latest"], ["+final.days"]]
Rows = list[tuple[Any, ...]]


class Dead(BaseException):
    """The process is cut off from its warehouse."""


class Engine(Protocol):
    """An empty warehouse to attack."""

    def connect(self, steps: int | None = None) -> AbstractContextManager[Warehouse]:
        """The warehouse, which is cut off after so many steps."""

    def check(self) -> None:
        """Check what was done to it."""


@dataclass(frozen=True)
class OnDuckDB:
    """A file."""

    path: Path

    @contextmanager
    def connect(self, steps: int | None = None) -> Iterator[Warehouse]:
        with suppress(Dead), _CutOff(self.path, steps) as opened:
            yield opened

    def check(self) -> None:
        with duckdb.connect(self.path) as file:
            assert file.execute("FROM duckdb_tables() WHERE starts_with(table_name, '~staged')").fetchall() == []


class _CutOff(DuckDBWarehouse):
    """Raises Dead at each statement after so many."""

    def __init__(self, path: Path, steps: int | None) -> None:
        super().__init__(path)
        self._steps, self._done = steps, count()
        count_statements(self._database, self._count)

    def _count(self) -> None:
        if self._steps is not None and next(self._done) >= self._steps:
            raise Dead


@dataclass(frozen=True)
class OnBigQuery:
    """A project of the emulator, behind a proxy."""

    proxy: Proxy
    endpoint: str
    project: str

    @contextmanager
    def connect(self, steps: int | None = None) -> Iterator[Warehouse]:
        done = count()

        def decide(_method: str, _path: str) -> Refusal | None:
            return Refusal(400, "invalid", "killed") if steps is not None and next(done) >= steps else None

        self.proxy.decide = decide
        waits = QUICK if steps is None else replace(QUICK, total=0.3, cancel=0.1)
        try:
            with (
                suppress(*([] if steps is None else [WarehouseError])),
                BigQueryWarehouse(BigQuerySettings(self.project, endpoint=self.proxy.url), waits) as opened,
            ):
                yield opened
        finally:
            self.proxy.decide = lambda _method, _path: None

    def check(self) -> None:
        """No job that builds something has succeeded twice: its name is its id without the number of the try."""
        with urllib.request.urlopen(f"{self.endpoint}/emulator/jobs?project={self.project}", timeout=600) as answer:
            jobs = [job for job in json.load(answer) if job["carriedOut"] and "errorResult" not in job["status"]]
        names = Counter(job["jobReference"]["jobId"].rpartition("-")[0] for job in jobs)
        assert {name: times for name, times in names.items() if times > 1 and name.startswith("refresh-")} == {}


class Refreshes(RuleBasedStateMachine):
    """What happens to a project by date in some days, or by ids in some ranges of them."""

    engine: Engine
    folder: Path
    fresh: Callable[[], Engine]
    is_by_ids: bool

    @initialize()
    def begin(self) -> None:
        """The first day, without rows."""
        self.engine = type(self).fresh()
        self.today, self.ids, self.runs = 0, count(1), count(1)
        self.died: tuple[str, int, list[str], bool] | None = None
        with self.engine.connect() as warehouse:
            warehouse.create_datasets(["raw", "tmp", "final"])
            warehouse.run_script(parse_script((OF_IDS if self.is_by_ids else PROJECT)["db_init/raw.sql"]))

    @rule(late=st.integers(0, LOOKBACK), number=st.integers(1, 3))
    def rows_arrive(self, late: int, number: int) -> None:
        """Some rows of today or of a day in the lookback."""
        day = max(0, self.today - late)
        where = str(10 * day + late) if self.is_by_ids else f"DATE '{FIRST + timedelta(days=day)}'"
        values = ", ".join(f"({next(self.ids)}, {where})" for _ in range(number))
        with self.engine.connect() as warehouse:
            warehouse.run_script(parse_script(f"INSERT INTO raw.events (id, day) VALUES {values}"))

    @rule(days=st.integers(1, 4), is_refreshed=st.booleans())
    def days_pass(self, days: int, is_refreshed: bool) -> None:
        """A refresh of the events runs each day, or none does."""
        for _ in range(days):
            if is_refreshed:
                self.refresh(["tmp.events"])
            self.today += 1

    @rule(selection=st.sampled_from(SELECTIONS), each=st.booleans())
    def some_tables_are_refreshed(self, selection: list[str], each: bool) -> None:
        """A refresh as it should be."""
        if self.can_be_read(selection):
            self.refresh(selection, each=each)

    @rule(selection=st.sampled_from(SELECTIONS), each=st.booleans(), steps=st.integers(0, 90))
    def a_refresh_dies(self, selection: list[str], each: bool, steps: int) -> None:
        """A refresh that is cut off from the warehouse."""
        if self.can_be_read(selection):
            run = self.refresh(selection, each=each, steps=steps)
            self.died = run, 2, selection, each

    @rule()
    def what_died_is_retried(self) -> None:
        """The next attempt of the last run that died."""
        if self.died is not None:
            run, attempt, selection, each = self.died
            self.refresh(selection, each=each, run=run, attempt=attempt)
            self.died = run, attempt + 1, selection, each

    def can_be_read(self, selection: list[str]) -> bool:
        """Whether the tables are there that the selection reads and does not build."""
        with self.engine.connect() as warehouse:
            built = warehouse.tables("tmp") + warehouse.tables("final")
        return {"tmp.events", "final.days"} <= {str(table) for table in built} or selection in ([], ["tmp.events"])

    def refresh(
        self,
        selection: list[str],
        *,
        each: bool = False,
        steps: int | None = None,
        run: str = "",
        attempt: int = 1,
        full: bool = False,
    ) -> str:
        """Refresh as `refresh build` or a retry of the flow does, and return the run's id."""
        run = run or f"run {next(self.runs)}"
        context = BuildContext(run, attempt)
        moment = datetime(FIRST.year, FIRST.month, FIRST.day, 12, tzinfo=UTC) + timedelta(days=self.today)
        with self.engine.connect(steps) as warehouse:
            warehouse.recover(run, lambda _line: None)
            plan = plan_refresh(RefreshSettings(self.folder), selection, warehouse, None, Asked(full, moment))
            good = still_good(plan.graph, plan.builds, warehouse.staged(context) if attempt > 1 else {})
            published = {table for table, found in good.items() if found.is_published}
            builder = Builder(plan.scripts, warehouse, context, good.keys() - published)
            execution = Execution(plan.graph, builder, publishing=Publishing.EACH if each else Publishing.TOGETHER)
            execution.built_before(sorted(published))
            run_here(plan.graph.only(plan.graph.dependencies.keys() - published), execution, 1)
            assert execution.succeeded or steps is not None, execution.summary()
        return run

    def rows(self) -> list[Rows]:
        """The rows of all tables."""
        with self.engine.connect() as warehouse:
            return [sorted(warehouse.first_rows(table, 10_000)) for table in TABLES]

    def teardown(self) -> None:
        """After one more refresh, the tables are as a full build makes them."""
        if not hasattr(self, "today"):
            return
        self.refresh([])
        found = self.rows()
        self.refresh([], full=True)
        assert found == self.rows()
        self.engine.check()


def attacked(write: Write, fresh: Callable[[], Engine], examples: int, steps: int, *, is_by_ids: bool) -> None:
    """Runs the machine."""
    folder = write(OF_IDS if is_by_ids else PROJECT)
    of_class = {"folder": folder, "fresh": staticmethod(fresh), "is_by_ids": is_by_ids}
    machine = type("Machine", (Refreshes,), of_class)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize(
    ("is_by_ids", "examples"),
    [
        (False, 2),
        (True, 1),
        pytest.param(False, 40, marks=pytest.mark.slow),
        pytest.param(True, 40, marks=pytest.mark.slow),
    ],
)
def test_equal_to_a_full_build_on_duckdb(write: Write, tmp_path: Path, is_by_ids: bool, examples: int) -> None:
    attacked(write, lambda: OnDuckDB(tmp_path / f"{token_hex(4)}.duckdb"), examples, 10, is_by_ids=is_by_ids)


@pytest.mark.parametrize(
    ("is_by_ids", "examples"),
    [
        (False, 1),
        pytest.param(False, 12, marks=pytest.mark.slow),
        pytest.param(True, 12, marks=pytest.mark.slow),
    ],
)
def test_equal_to_a_full_build_on_bigquery(
    write: Write, proxy: Proxy, bigquery_endpoint: str, is_by_ids: bool, examples: int
) -> None:
    def fresh() -> Engine:
        return OnBigQuery(proxy, bigquery_endpoint, f"test-{token_hex(8)}")

    attacked(write, fresh, examples, 8, is_by_ids=is_by_ids)

"""What readers see while refreshes publish, fail their checks and are killed: always one healthy set of one run."""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy, Refusal
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.running.builder import Builder
from warehouse_refresh.pipeline.running.execution import Execution, run_here
from warehouse_refresh.warehouse import BuildContext, Published, TableBuild
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query

DEPENDENCIES = {"a": "", "b": "a", "v": "b", "c": "av", "d": "", "e": "cd"}
"""Each table holds the number of the run that built it, and the number that it found in each table that it reads.
`v` is a view."""
State = Mapping[str, int]
"""The run that built each published table."""

# Runs refreshes one after the other, each a fork of its own, while another fork reads all tables in one query and posts
# rows. Which checks fail, and before which statement a refresh is killed, is random. Prints what came of each run, then
# what was read.
SCRIPT = """
import json, os, random, signal, sys
from pathlib import Path
from tests.warehouse.duckdb.killed import Killed
import warehouse_refresh.warehouse.duckdb.append
import warehouse_refresh.warehouse.duckdb.translate.entry
from warehouse_refresh.pipeline.running.builder import Builder
from warehouse_refresh.pipeline.running.execution import Execution, run_here
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.warehouse import Append, BuildContext, TableBuild
from warehouse_refresh.warehouse.duckdb.engine import DuckDBWarehouse
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query

FOLDER, DEPENDENCIES, SEED, RUNS = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
PATH, STOP, SEEN = FOLDER / "warehouse.duckdb", FOLDER / "stop", FOLDER / "seen"
ITEMS = TableName("raw", "items")
READS = {TableName("tmp", one): [TableName("tmp", two) for two in read] for one, read in DEPENDENCIES.items()}
GRAPH = Graph({table: frozenset(reads) for table, reads in READS.items()})
LOOK = parse_query("SELECT " + ", ".join(f"TO_JSON_STRING({one})" for one in DEPENDENCIES) + " FROM "
                   + " CROSS JOIN ".join(f"tmp.{one}" for one in DEPENDENCIES))

def script(name, run):
    read = DEPENDENCIES[name]
    columns = ", ".join([f"{run} AS run", *(f"{one}.run AS {one}" for one in read)])
    sql = f"SELECT {columns}" + (" FROM " + " CROSS JOIN ".join(f"tmp.{one}" for one in read) if read else "")
    table = TableName("tmp", name)
    return Script(Path(f"{name}.sql"), TableBuild(table, parse_query(sql), is_view=name == "v"))

class Checked(Builder):
    failing = ()
    def check(self, table):
        if table.name not in self.failing:
            return []
        answer = self.warehouse.fetch(parse_query(f"SELECT run FROM {table}"), 1, {table}, self.context)
        return [CheckResult("of the test", Verdict.FAILED, f"run {answer.rows[0][0]}")]

def refresh(run, failing, step):
    scripts = {TableName("tmp", name): script(name, run) for name in DEPENDENCIES}
    with Killed(PATH) as warehouse, warehouse.refresh_lock("a test", print):
        warehouse.step = step
        warehouse.recover("", print)
        warehouse.create_datasets(["tmp"])
        work = Checked(scripts, warehouse, BuildContext(f"run {run}"))
        object.__setattr__(work, "failing", failing)
        run_here(GRAPH, Execution(GRAPH, work), 2)

def read_all():
    posted = 0
    with DuckDBWarehouse(PATH) as warehouse, SEEN.open("w") as seen:
        while not STOP.exists():
            print(json.dumps([json.loads(row) for row in warehouse.fetch(LOOK, 1).rows[0]]), file=seen)
            warehouse.append(ITEMS, [Append([{"x": posted}])])
            posted += 1
        assert warehouse.row_count(ITEMS) == posted, "a row was lost"

def look():
    with DuckDBWarehouse(PATH) as warehouse:
        print(json.dumps([json.loads(row) for row in warehouse.fetch(LOOK, 1).rows[0]]), flush=True)

def begin():
    with DuckDBWarehouse(PATH) as warehouse:
        warehouse.create_datasets(["raw"])
        warehouse.run_script(parse_script("CREATE TABLE raw.items (x INT64)"))
    refresh(0, (), 0)

def fork(work, *arguments):
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work(*arguments)
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)

def end(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

assert end(fork(begin)) == 0
reader = fork(read_all)
pick = random.Random(SEED)
for run in range(1, RUNS + 1):
    failing = [name for name in DEPENDENCIES if pick.random() < 0.15]
    code = end(fork(refresh, run, failing, pick.choice([0, pick.randrange(1, 45)])))
    assert code in (0, -signal.SIGKILL), code
    print(json.dumps({"run": run, "failing": failing, "killed": code != 0}), flush=True)
    assert end(fork(look)) == 0
STOP.touch()
assert end(reader) == 0
"""


@dataclass(frozen=True)
class Run:
    """A refresh: its number, the tables whose checks fail, whether it was killed, and what was published after it."""

    number: int
    failing: frozenset[str]
    killed: bool
    after: list[dict[str, int]]


def healthy(failing: frozenset[str]) -> Iterator[str]:
    """The tables that pass their checks and are built from such only."""
    found = set[str]()
    for table, read in DEPENDENCIES.items():
        if table not in failing and found.issuperset(read):
            found.add(table)
            yield table


def rows(state: State) -> list[dict[str, int]]:
    """What readers find in each table: a table is built from what its own run has built, and a view shows what there
    is now."""
    return [
        {"run": state[table], **{one: state[one] if table == "v" else state[table] for one in read}}
        for table, read in DEPENDENCIES.items()
    ]


def mistakes(runs: list[Run], seen: list[list[dict[str, int]]]) -> Iterator[str]:
    """What of the runs and of what was read is not as promised."""
    state: State = dict.fromkeys(DEPENDENCIES, 0)
    states = [rows(state)]
    for run in runs:
        published = {**state, **dict.fromkeys(healthy(run.failing), run.number)}
        if run.after == rows(published):
            state = published
        elif not run.killed or run.after != rows(state):
            yield f"after run {run.number} readers find {run.after}; before it {rows(state)}"
        states.append(rows(state))
    position = 0
    for found in seen:
        later = [number for number in range(position, len(states)) if states[number] == found]
        if not later:
            yield f"a reader found {found}, which is no state, or is an older one than it had seen before"
        else:
            position = later[0]


@pytest.mark.parametrize(
    ("number", "seed"), [(8, 3), *(pytest.param(200, seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_what_is_published_is_always_one_healthy_set_of_one_run(tmp_path: Path, number: int, seed: int) -> None:
    arguments = [str(tmp_path), json.dumps(DEPENDENCIES), str(seed), str(number)]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    lines: list[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    runs = [
        Run(run["run"], frozenset(run["failing"]), run["killed"], after)
        for run, after in zip(lines[::2], lines[1::2], strict=True)
    ]
    assert {run.killed for run in runs} == {bool(run.failing) for run in runs} == {True, False}
    seen = [json.loads(line) for line in (tmp_path / "seen").read_text().splitlines()]
    assert len({json.dumps(found) for found in seen}) > number // 4
    assert list(mistakes(runs, seen)) == []


def test_a_mixture_of_two_runs_would_be_found() -> None:
    first, second = (dict.fromkeys(DEPENDENCIES, number) for number in (0, 1))
    run = Run(1, frozenset(), killed=False, after=rows(second))
    assert not list(mistakes([run], [rows(first), rows(second)]))
    assert list(mistakes([run], [rows(second), rows(first)]))
    assert list(mistakes([run], [rows({**second, "e": 0})]))
    assert list(mistakes([Run(1, frozenset("b"), killed=False, after=rows(second))], []))
    assert list(mistakes([Run(1, frozenset(), killed=True, after=rows({**first, "a": 1}))], []))


# On BigQuery, where tables are published one by one within a moment


Rows = list[dict[str, int]]
GRAPH = Graph(
    {TableName("tmp", one): frozenset(TableName("tmp", two) for two in of) for one, of in DEPENDENCIES.items()}
)
LOOK = parse_query(
    "SELECT "
    + ", ".join(
        f"{one}.{column}" + f" AS {one}_{column}" for one, of in DEPENDENCIES.items() for column in ("run", *of)
    )
    + " FROM "
    + " CROSS JOIN ".join(f"tmp.{one}" for one in DEPENDENCIES)
)


@dataclass
class Death:
    """When a process dies: before the request with this number, counted from its start or from its publication; never
    for 0. From then on nothing that it sends gets through."""

    after: int
    in_publication: bool
    counts: bool = field(init=False)
    sent: int = 0

    def __post_init__(self) -> None:
        self.counts = not self.in_publication

    def decide(self, _method: str, _path: str) -> Refusal | None:
        self.sent += self.counts
        return Refusal(400, "invalid", "killed") if self.has_come else None

    @property
    def has_come(self) -> bool:
        return 0 < self.after <= self.sent


class Mortal(BigQueryWarehouse):
    """It dies when its `death` says so."""

    death: Death

    def publish(self, builds: Sequence[TableBuild], context: BuildContext) -> Published:
        self.death.counts = True
        return super().publish(builds, context)


@dataclass(frozen=True)
class Checked(Builder):
    """A check fails for each of the tables in `failing`."""

    failing: Collection[str] = ()

    def check(self, table: TableName) -> list[CheckResult]:
        return [CheckResult("of the test", Verdict.FAILED, "no")] if table.name in self.failing else []


def script(name: str, run: int) -> Script:
    read = DEPENDENCIES[name]
    sql = f"SELECT {', '.join([f'{run} AS run', *(f'{one}.run AS {one}' for one in read)])}"
    sql += f" FROM {' CROSS JOIN '.join(f'tmp.{one}' for one in read)}" if read else ""
    return Script(Path(f"{name}.sql"), TableBuild(TableName("tmp", name), parse_query(sql), is_view=name == "v"))


def refresh_once(settings: BigQuerySettings, run: int, failing: Collection[str], death: Death) -> None:
    waits = QUICK if death.after == 0 else replace(QUICK, total=0.3, cancel=0.1)
    scripts = {table: script(table.name, run) for table in GRAPH.order}
    with suppress(WarehouseError), Mortal(settings, waits) as warehouse:
        warehouse.death = death
        work = Checked(scripts, warehouse, BuildContext(f"run {run}"), failing=failing)
        run_here(GRAPH, Execution(GRAPH, work), 2)


def read_all(warehouse: BigQueryWarehouse) -> Rows:
    values = iter(warehouse.fetch(LOOK, 1).rows[0])
    return [{column: next(values) for column in ("run", *of)} for of in DEPENDENCIES.values()]


def recovered(settings: BigQuerySettings) -> Rows:
    """What readers find after the next start has cleared up."""
    with BigQueryWarehouse(settings, QUICK) as warehouse:
        warehouse.recover("", lambda _line: None)
        return read_all(warehouse)


def within_window(before: State, after: State) -> list[list[dict[str, int]]]:
    """For each table what readers may find of it while `after` is published in place of `before`: all of the one or of
    the other. A view shows what there is."""
    of_view = [{"run": state["v"], "b": other["b"]} for state, other in product((before, after), repeat=2)]
    both = zip(DEPENDENCIES, rows(before), rows(after), strict=True)
    return [of_view if table == "v" else [old, new] for table, old, new in both]


def mistakes_in_windows(runs: list[Run], seen: list[tuple[int, Rows]]) -> Iterator[str]:
    """What of the runs is not as promised, and of what was read: each time while a run, by its number, was not
    recovered from."""
    state: State = dict.fromkeys(DEPENDENCIES, 0)
    windows = {}
    for run in runs:
        published = {**state, **dict.fromkeys(healthy(run.failing), run.number)}
        windows[run.number] = within_window(state, published)
        if run.after == rows(published):
            state = published
        elif not run.killed or run.after != rows(state):
            yield f"after run {run.number} readers find {run.after}; before it {rows(state)}"
    for number, found in seen:
        if not all(one in allowed for one, allowed in zip(found, windows[number], strict=True)):
            yield f"during run {number} a reader found {found}"


@pytest.mark.parametrize(("number", "seed"), [(5, 13), pytest.param(200, 1, marks=pytest.mark.slow)])
def test_on_bigquery_a_mixture_of_two_runs_is_seen_for_a_moment_and_never_stays(
    proxy: Proxy, bigquery_endpoint: str, bigquery_project: str, number: int, seed: int
) -> None:
    settings = BigQuerySettings(bigquery_project, endpoint=proxy.url)
    direct = BigQuerySettings(bigquery_project, endpoint=bigquery_endpoint)
    with BigQueryWarehouse(direct, QUICK) as warehouse:
        warehouse.create_datasets(["tmp"])
    refresh_once(settings, 0, (), Death(0, in_publication=False))
    pick, runs = random.Random(seed), list[Run]()
    seen: list[tuple[int, Rows]] = []
    current, ended = [1], threading.Event()

    def watch() -> None:
        with BigQueryWarehouse(direct, QUICK) as warehouse:
            while not ended.is_set():
                before = current[0]
                found = read_all(warehouse)
                if current[0] == before:  # otherwise nobody can say in which of the two it was
                    seen.append((before, found))

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        for run in range(1, number + 1):
            current[0] = run
            failing = frozenset(name for name in DEPENDENCIES if pick.random() < 0.15)
            death = Death(pick.choice([0, pick.randrange(1, 25)]), in_publication=pick.random() < 0.7)
            proxy.decide = death.decide
            refresh_once(settings, run, failing, death)
            proxy.decide = lambda _method, _path: None
            runs.append(Run(run, failing, death.has_come, recovered(direct)))
    finally:
        ended.set()
        reader.join()
    assert {run.killed for run in runs} == {bool(run.failing) for run in runs} == {True, False}
    assert len({seen_during for seen_during, _ in seen}) > number // 2
    assert list(mistakes_in_windows(runs, seen)) == []


def test_a_mixture_that_stays_would_be_found() -> None:
    first, second = (dict.fromkeys(DEPENDENCIES, number) for number in (0, 1))
    mixed = {**second, "e": 0}
    run = Run(1, frozenset(), killed=True, after=rows(second))
    assert not list(mistakes_in_windows([run], [(1, rows(first)), (1, rows(mixed)), (1, rows(second))]))
    assert list(mistakes_in_windows([replace(run, after=rows(mixed))], []))
    assert list(mistakes_in_windows([run, replace(run, number=2, after=rows(second))], [(2, rows(mixed))]))
    assert list(
        mistakes_in_windows(
            [Run(1, frozenset("b"), killed=False, after=rows({**first, "a": 1, "d": 1}))],
            [(1, rows({**first, "b": 1}))],
        )
    )
    broken = [{**one, "a": 7} if "a" in one else one for one in rows(first)]
    assert list(mistakes_in_windows([run], [(1, broken)]))

"""What readers see while refreshes publish, fail their checks and are killed: always one healthy set of one run."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
from contextlib import contextmanager
from pathlib import Path
import warehouse_refresh.warehouse.duckdb.append
import warehouse_refresh.warehouse.duckdb.translate.entry
from warehouse_refresh.pipeline.execution import Builder, Execution, run_here
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

class Deadly:
    def __init__(self, cursor, killed):
        self._cursor, self._killed = cursor, killed
    def __getattr__(self, name):
        if name in ("execute", "begin", "commit"):
            self._killed()
        return getattr(self._cursor, name)

class Killed(DuckDBWarehouse):
    step = 0
    def _killed(self):
        self.step -= 1
        if self.step == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    @contextmanager
    def _cursor(self):
        with super()._cursor() as cursor:
            yield Deadly(cursor, self._killed)

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
    ("number", "seed"), [(15, 3), *(pytest.param(200, seed, marks=pytest.mark.slow) for seed in (1, 2))]
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

"""How close a refresh comes to the best possible: scripts that only sleep, in a random graph, over some workers.

    python -m benchmarks.makespan threads|prefect [--seed 1] [--scripts 60] [--workers 8] [--skewed [--unknown]]

Nobody can be faster than the longest chain of dependencies, nor than all the work spread evenly: that is the bound.
What comes closest to it of many orders tried out is the best that is known. Each seed is another graph. With
`--skewed`, most scripts are short, a few are long, and each build takes up to a third more or less than the last one:
the schedule knows what the last five took, unless `--unknown` is said. Prints the makespan and its ratio to the best
known. For `prefect` a server must run where PREFECT_API_URL says.
"""

import argparse
import heapq
import json
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from warehouse_refresh.pipeline.outcomes import CheckResult
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.running.execution import Execution, Progress, ignore, run_here
from warehouse_refresh.pipeline.running.schedule import Expected, expected_seconds, seconds_left
from warehouse_refresh.warehouse import Built, Published
from warehouse_refresh.warehouse.names import TableName

Seconds = Mapping[TableName, float]
ORDERS_TRIED = 2000


def random_project(scripts: int, seed: int) -> tuple[Graph, Seconds]:
    """A graph in which each script depends on up to three before it, and how long each sleeps: 0.1 to 1 s."""
    pick = random.Random(seed)
    graph = _random_graph(pick, scripts, most=3)
    return graph, {table: pick.uniform(0.1, 1) for table in graph.dependencies}


def skewed_project(scripts: int, seed: int) -> tuple[Graph, Seconds, Mapping[TableName, Sequence[float]]]:
    """A wider graph, how long each script sleeps, most 0.05 to 0.5 s and none more than 2 s, and what it slept in its
    last five builds."""
    pick = random.Random(seed)
    graph = _random_graph(pick, scripts, most=2)
    usual = {table: min(0.2 * pick.lognormvariate(0, 1), 1.5) for table in graph.dependencies}
    builds = [{table: time * pick.uniform(0.75, 1.33) for table, time in usual.items()} for _ in range(6)]
    return graph, builds[-1], {table: [build[table] for build in builds[:-1]] for table in usual}


def _random_graph(pick: random.Random, scripts: int, most: int) -> Graph:
    """Each script depends on up to `most` before it."""
    tables = [TableName("tmp", f"t{number:03}") for number in range(scripts)]
    return Graph(
        {
            table: frozenset(pick.sample(tables[:number], min(number, pick.randrange(most + 1))))
            for number, table in enumerate(tables)
        }
    )


def bound(graph: Graph, seconds: Seconds, workers: int) -> float:
    """The time under which no schedule can be: the longest chain, or all the work over all workers."""
    return max(max(seconds_left(graph, seconds).values()), sum(seconds.values()) / workers)


def best_known(graph: Graph, seconds: Seconds, workers: int, seed: int = 8, tried: int = ORDERS_TRIED) -> float:
    """The makespan of the best of many schedules that give each free worker a ready script at once."""
    pick = random.Random(seed)
    chains = seconds_left(graph, seconds)
    orders = [chains] + [
        {table: chain * pick.uniform(0.8, 1.2) for table, chain in chains.items()} for _ in range(tried)
    ]
    return min(list_schedule(graph, seconds, workers, order) for order in orders)


def list_schedule(graph: Graph, seconds: Seconds, workers: int, urgency: Mapping[TableName, float]) -> float:
    """The makespan when each free worker takes the most urgent ready script."""
    waits_for = {table: len(needed) for table, needed in graph.dependencies.items()}
    ready = [(-urgency[table], table) for table, count in waits_for.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, TableName]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            _, table = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[table], table))
        now, done = heapq.heappop(running)
        for after in graph.dependents[done]:
            waits_for[after] -= 1
            if not waits_for[after]:
                heapq.heappush(ready, (-urgency[after], after))
    return now


def through_threads(graph: Graph, execution: Execution, workers: int, expected: Seconds) -> None:
    """As `refresh build` does."""
    run_here(graph, execution, workers, Expected(expected))


def through_prefect(graph: Graph, execution: Execution, workers: int, expected: Seconds) -> None:
    """As the flow does."""
    from prefect import flow
    from prefect.task_runners import ThreadPoolTaskRunner

    from warehouse_refresh.flows.flow import run_graph
    from warehouse_refresh.flows.patches import send_events_in_batches

    send_events_in_batches()
    runner: Any = ThreadPoolTaskRunner(max_workers=workers)
    flow(name="makespan", task_runner=runner)(lambda: run_graph(graph, execution, workers, Expected(expected)))()


class OnlyBuilt:
    """Work that builds with a function, checks nothing and publishes nothing. It stands for a warehouse, where only the
    order of the tables counts."""

    def __init__(self, build: Callable[[TableName], Built]) -> None:
        self._build = build
        self.blocked: Mapping[TableName, str] = {}

    def build(self, table: TableName, _progress: Progress) -> Built:
        """Build it."""
        return self._build(table)

    def must_stage(self, _table: TableName) -> bool:
        """No table is."""
        return False

    def stage(self, table: TableName, _staged: Collection[TableName]) -> Built:
        """Build it."""
        return self._build(table)

    def check(self, _table: TableName) -> Sequence[CheckResult]:
        """No checks."""
        return ()

    def check_rest(self) -> Sequence[CheckResult]:
        """No checks."""
        return ()

    def publish(self, _tables: Sequence[TableName]) -> Published:
        """Nothing is published."""
        return Published(0.0)

    def discard(self, _keep: Collection[TableName]) -> None:
        """Nothing was staged."""

    def costs(self, built: Sequence[Built]) -> Sequence[Built]:
        """They cost nothing."""
        return built

    def note_failed(self, _tables: Sequence[TableName]) -> None:
        """Nothing is recorded."""


def makespan(run: Callable[[Graph, Execution, int], None], graph: Graph, seconds: Seconds, workers: int) -> float:
    """Seconds from the first script's start to the last one's end."""
    starts: list[float] = []
    ends: list[float] = []

    def sleep(table: TableName) -> Built:
        starts.append(time.monotonic())
        time.sleep(seconds[table])
        ends.append(time.monotonic())
        return Built(rows=0, seconds=seconds[table])

    run(graph, Execution(graph, OnlyBuilt(sleep), ignore), workers)
    if len(ends) != len(graph.dependencies):
        raise SystemExit("not every script was run")
    return max(ends) - min(starts)


WAYS = {"threads": through_threads, "prefect": through_prefect}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scripts", type=int, default=60)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--skewed", action="store_true")
    parser.add_argument("--unknown", action="store_true")
    options = parser.parse_args()
    expected: Seconds = {}
    if options.skewed:
        graph, seconds, took = skewed_project(options.scripts, options.seed)
        expected = {} if options.unknown else expected_seconds(dict.fromkeys(seconds, 1), took)
    else:
        graph, seconds = random_project(options.scripts, options.seed)
    best = best_known(graph, seconds, options.workers)
    span = makespan(partial(WAYS[options.way], expected=expected), graph, seconds, options.workers)
    least = bound(graph, seconds, options.workers)
    print(json.dumps({"seed": options.seed, "makespan": span, "best": best, "bound": least, "ratio": span / best}))


if __name__ == "__main__":
    main()

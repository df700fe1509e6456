"""How close a refresh comes to the best possible: scripts that only sleep, in a random graph, over some workers.

    python -m benchmarks.makespan [--scripts 60] [--workers 8] [--runs 3]

Nobody can be faster than the longest chain of dependencies, nor than all the work spread evenly: that is the bound.
What comes closest to it of many orders tried out is the best that is known. Each run has another graph; what is printed
for each way of running are the makespans and their ratios to the best known, the median last.
"""

import argparse
import heapq
import os
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.prefect_server import prefect_server
from flows.build_command import run_here
from flows.execution import Execution, ignore
from flows.graph import Graph
from warehouse.engine import Built
from warehouse.names import TableName

Seconds = Mapping[TableName, float]
ORDERS_TRIED = 2000


def random_project(scripts: int, seed: int) -> tuple[Graph, Seconds]:
    """A graph in which each script depends on up to three before it, and how long each sleeps: 0.1 to 1 s."""
    pick = random.Random(seed)
    tables = [TableName("tmp", f"t{number:03}") for number in range(scripts)]
    dependencies = {
        table: frozenset(pick.sample(tables[:number], min(number, pick.randrange(4))))
        for number, table in enumerate(tables)
    }
    return Graph(dependencies), {table: pick.uniform(0.1, 1) for table in tables}


def bound(graph: Graph, seconds: Seconds, workers: int) -> float:
    """The time under which no schedule can be: the longest chain, or all the work over all workers."""
    return max(max(_chains(graph, seconds).values()), sum(seconds.values()) / workers)


def best_known(graph: Graph, seconds: Seconds, workers: int, seed: int = 8) -> float:
    """The makespan of the best of many schedules that give each free worker a ready script at once."""
    pick = random.Random(seed)
    chains = _chains(graph, seconds)
    orders = [chains] + [
        {table: chain * pick.uniform(0.8, 1.2) for table, chain in chains.items()} for _ in range(ORDERS_TRIED)
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


def through_threads(graph: Graph, execution: Execution, workers: int) -> None:
    """As `refresh build` does."""
    run_here(graph, execution, workers)


def through_prefect(graph: Graph, execution: Execution, workers: int) -> None:
    """As the flow does. Prefect is to be imported after the environment says where its server is."""
    from prefect import flow
    from prefect.task_runners import ThreadPoolTaskRunner

    from flows.refresh import run_graph

    runner: Any = ThreadPoolTaskRunner(max_workers=workers)
    flow(name="makespan", task_runner=runner)(lambda: run_graph(graph, execution, workers))()


def makespan(run: Callable[[Graph, Execution, int], None], graph: Graph, seconds: Seconds, workers: int) -> float:
    """Seconds from the first script's start to the last one's end."""
    starts: list[float] = []
    ends: list[float] = []

    def sleep(table: TableName) -> Built:
        starts.append(time.monotonic())
        time.sleep(seconds[table])
        ends.append(time.monotonic())
        return Built(rows=0, seconds=seconds[table])

    run(graph, Execution(graph, sleep, ignore), workers)
    if len(ends) != len(graph.dependencies):
        raise SystemExit("not every script was run")
    return max(ends) - min(starts)


def _chains(graph: Graph, seconds: Seconds) -> dict[TableName, float]:
    """For each table the seconds of the longest chain that starts with it."""
    chains: dict[TableName, float] = {}
    for table in reversed(graph.order):
        chains[table] = seconds[table] + max((chains[after] for after in graph.dependents[table]), default=0)
    return chains


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scripts", type=int, default=60)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    projects = [random_project(options.scripts, seed) for seed in range(1, options.runs + 1)]
    bests = [best_known(graph, seconds, options.workers) for graph, seconds in projects]
    bounds = [bound(graph, seconds, options.workers) for graph, seconds in projects]
    print(f"{options.scripts} scripts that sleep 0.1 to 1 s, {options.workers} workers")
    print("bound", *(f"{least:.2f} s" for least in bounds), sep="  ")
    print("best known", *(f"{best:.2f} s" for best in bests), sep="  ")
    with prefect_server() as environment:
        os.environ |= environment | {"PREFECT_LOGGING_LEVEL": "ERROR"}
        for run in (through_threads, through_prefect):
            spans = [makespan(run, graph, seconds, options.workers) for graph, seconds in projects]
            ratios = [span / best for span, best in zip(spans, bests, strict=True)]
            print(run.__name__, *(f"{span:.2f} s" for span in spans), sep="  ")
            print(" ratio to the best known", *(f"{ratio:.3f}" for ratio in ratios), sep="  ", end="")
            print(f"; median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()

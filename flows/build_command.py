"""`refresh build`: the same schedule as the flow's, over threads of this process."""

import uuid
from argparse import Namespace
from concurrent.futures import Future, ThreadPoolExecutor

from flows.execution import Execution, builder
from flows.graph import Graph
from flows.output import finish, shown
from flows.preparation import ready
from flows.schedule import Schedule, returned, run_in_order, run_in_parallel
from flows.settings import read_settings
from warehouse.engine import BuildContext, Built
from warehouse.names import TableName


def run(options: Namespace) -> int:
    """Build, show what happens, and answer the exit code."""
    settings = read_settings()
    with ready(settings, options.select, "`refresh build`", print) as refresh:
        graph = refresh.prepared.graph
        build = builder(refresh.prepared.project.scripts, refresh.warehouse, BuildContext(run=uuid.uuid4().hex))
        with shown(graph) as report:
            execution = Execution(graph, build, report)
            run_here(graph, execution, 1 if options.in_order else settings.workers)
    return finish(execution)


def run_here(graph: Graph, execution: Execution, workers: int) -> None:
    """Run `execution` over `graph` in this process: one table after the other, or over a pool of threads."""
    schedule = run_in_order(graph, execution.build) if workers == 1 else _run_in_threads(graph, execution, workers)
    execution.not_run(schedule.not_run)


def _run_in_threads(graph: Graph, execution: Execution, workers: int) -> Schedule[Future[Built]]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="build")

    def submit(table: TableName, _dependencies: list[Future[Built]]) -> Future[Built]:
        return pool.submit(execution.build, table)

    try:
        return run_in_parallel(graph, submit, returned, workers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

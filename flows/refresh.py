"""The Prefect flow `refresh`: one task run for each table, submitted as soon as its dependencies are done."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as PrefectState
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.artifacts import GRAPH_KEY, TABLE_KEY, facts, graph_markdown, table_rows
from flows.execution import BuildFailed, Execution, Report, builder, ignore
from flows.graph import Graph
from flows.notify import tell_of_failure
from flows.preparation import Prepared, prepare_refresh
from flows.problems import Refused
from flows.records import completed_tables, this_flow_run
from flows.schedule import Schedule, run_in_parallel
from flows.select import SelectionError
from flows.settings import Settings, read_settings
from flows.version import scripts_version
from warehouse.engine import BuildContext, Warehouse
from warehouse.errors import WarehouseError
from warehouse.exclusive import UNDER_WAY, one_at_a_time
from warehouse.names import TableName
from warehouse.url import connect

Future = PrefectFuture[Any]
_report: ContextVar[Report] = ContextVar("report", default=ignore)


@contextmanager
def reported_to(report: Report) -> Iterator[None]:
    """Tell `report` of every change in refreshes that this process runs inside the `with` block."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


@flow(
    name="refresh",
    description="Builds the tables of res/ in the order of their dependencies.",
    task_runner=cast("TaskRunner[Future]", ThreadPoolTaskRunner[Any](max_workers=read_settings().workers)),
    validate_parameters=True,
    on_failure=[tell_of_failure],
    on_crashed=[tell_of_failure],
)
def refresh(select: list[str] | None = None, in_order: bool = False) -> PrefectState[Any]:
    """Build all tables, or those that are selected. A retried run builds what did not complete before.

    Args:
        select: Only these tables, one on a line: tmp.variants, +tmp.variants (and what it is built from), tmp.variants+
            (and what is built from it), tmp.* (a whole dataset). All tables if there is none.
        in_order: Build one table after the other, not several at once.
    """
    settings = read_settings()
    warehouse = connect(settings.warehouse_url)
    try:
        with one_at_a_time(settings.warehouse_url, lambda: get_run_logger().info(UNDER_WAY)):
            prepared = prepare_refresh(settings.folder, select or [], warehouse)
            return _run(prepared, warehouse, settings, 1 if in_order else settings.workers)
    except (Refused, SelectionError, WarehouseError) as error:
        return Failed(message=str(error))
    except BaseException:
        warehouse.cancel()  # the run was cancelled, or is broken: nothing must go on in its name
        raise
    finally:
        warehouse.close()


def _run(prepared: Prepared, warehouse: Warehouse, settings: Settings, workers: int) -> PrefectState[Any]:
    flow_run = this_flow_run()
    context = BuildContext(run=str(flow_run.id), attempt=flow_run.run_count, labels=_labels(flow_run))
    build = builder(prepared.project.scripts, warehouse, context)
    execution = Execution(prepared.graph, build, _report.get())
    run_graph(prepared.graph, execution, workers)
    _record(execution, prepared.graph, settings)
    message = execution.summary()
    return Completed(message=message) if execution.succeeded else Failed(message=message)


def run_graph(graph: Graph, execution: Execution, workers: int) -> None:
    """Run `execution` over `graph` through Prefect's task runner, `workers` tables at once. To be called inside a flow
    whose task runner has as many."""

    @task(name="build", task_run_name="{table}", cache_policy=NO_CACHE, persist_result=False)
    def build(table: str) -> PrefectState[Any]:
        try:
            built = execution.build(TableName.parse(table))
        except BuildFailed as error:
            return Failed(message=str(error))
        return Completed(message=f"{built.rows} rows in {built.seconds:.2f} s")

    def submit(table: TableName, dependencies: list[Future]) -> Future:
        return cast("Future", build.submit(table=str(table), return_state=False, wait_for=dependencies))

    done = completed_tables(this_flow_run()) & set(graph.dependencies)
    execution.built_before(sorted(done))
    schedule = run_in_parallel(graph.only(set(graph.dependencies) - done), submit, _completed, workers)
    execution.not_run(schedule.not_run)
    _show_not_run(schedule, submit)


def _show_not_run(schedule: Schedule[Future], submit: Any) -> None:
    """Have Prefect list the tables that were not run too: each goes to NotReady, behind the task run that failed."""
    for table, failed in schedule.not_run.items():
        submit(table, [schedule.results[blamed] for blamed in failed]).wait()


def _completed(future: Future) -> bool:
    future.wait()
    return future.state.is_completed()


def _labels(flow_run: FlowRun) -> dict[str, str]:
    labels = {"flow_run": flow_run.id, "deployment": flow_run.deployment_id}
    return {name: str(value) for name, value in labels.items() if value}


def _record(execution: Execution, graph: Graph, settings: Settings) -> None:
    """Keep what became of each table with the run. A refresh is not failed by a server that does not take it."""
    try:
        rows = table_rows(execution.runs.values(), settings.price_per_tib)
        create_table_artifact(key=TABLE_KEY, table=rows, description=execution.summary())
        told = facts(this_flow_run(), scripts_version(settings.folder))
        create_markdown_artifact(key=GRAPH_KEY, markdown=graph_markdown(graph, execution.runs, told))
    except Exception:
        get_run_logger().exception("the tables' states could not be recorded")

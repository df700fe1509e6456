"""The Prefect flow `refresh`: one task run for each table, submitted as soon as its dependencies are done."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as PrefectState
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.execution import BuildFailed, Execution, Report, TableRun, builder, ignore
from flows.graph import Graph
from flows.preparation import Prepared, prepare_refresh
from flows.problems import Refused
from flows.records import completed_tables, this_flow_run
from flows.schedule import Schedule, run_in_parallel
from flows.select import SelectionError
from flows.settings import read_settings
from warehouse.engine import BuildContext, Warehouse
from warehouse.errors import WarehouseError
from warehouse.names import TableName
from warehouse.url import connect

ARTIFACT_KEY = "refresh"

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
)
def refresh(select: list[str] | None = None, in_order: bool = False) -> PrefectState[Any]:
    """Build all tables, or those that `select` names (`tmp.variants`, `+tmp.variants`, `tmp.variants+`, `tmp.*`).

    With `in_order`, one table is built after the other. A retried run builds what did not complete before.
    """
    settings = read_settings()
    warehouse = connect(settings.warehouse_url)
    try:
        prepared = prepare_refresh(settings.folder, select or [], warehouse)
        return _run(prepared, warehouse, in_order=in_order)
    except (Refused, SelectionError, WarehouseError) as error:
        return Failed(message=str(error))
    except BaseException:
        warehouse.cancel()  # the run was cancelled, or is broken: nothing must go on in its name
        raise
    finally:
        warehouse.close()


def _run(prepared: Prepared, warehouse: Warehouse, *, in_order: bool) -> PrefectState[Any]:
    flow_run = this_flow_run()
    context = BuildContext(run=str(flow_run.id), attempt=flow_run.run_count, labels=_labels(flow_run))
    build = builder(prepared.project.scripts, warehouse, context)
    execution = Execution(prepared.graph, build, _report.get())
    run_graph(prepared.graph, execution, in_order=in_order)
    _record(execution)
    message = execution.summary()
    return Completed(message=message) if execution.succeeded else Failed(message=message)


def run_graph(graph: Graph, execution: Execution, *, in_order: bool = False) -> None:
    """Run `execution` over `graph` through Prefect's task runner. To be called inside a flow."""

    @task(name="build", task_run_name="{table}", cache_policy=NO_CACHE, persist_result=False)
    def build(table: str) -> PrefectState[Any]:
        try:
            built = execution.build(TableName.parse(table))
        except BuildFailed as error:
            return Failed(message=str(error))
        return Completed(message=f"{built.rows} rows in {built.seconds:.2f} s")

    def submit(table: TableName, dependencies: list[Future]) -> Future:
        future: Future = build.submit(table=str(table), return_state=False, wait_for=dependencies)
        if in_order:
            future.wait()
        return future

    done = completed_tables(this_flow_run()) & set(graph.dependencies)
    execution.built_before(sorted(done))
    schedule = run_in_parallel(graph.only(set(graph.dependencies) - done), submit, _completed)
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


def _record(execution: Execution) -> None:
    """Keep what became of each table with the run. A refresh is not failed by a server that does not take it."""
    try:
        create_table_artifact(
            key=ARTIFACT_KEY,
            table=[_artifact_row(run) for run in execution.runs.values()],
            description=execution.summary(),
        )
    except Exception:
        get_run_logger().exception("the tables' states could not be recorded")


def _artifact_row(run: TableRun) -> dict[str, Any]:
    built = run.built
    return {
        "table": str(run.table),
        "state": run.state.value,
        "rows": built.rows if built else None,
        "bytes": built.bytes_processed if built else None,
        "cost": None,
        "seconds": round(built.seconds, 3) if built else None,
        "job": built.job_link if built else None,
        "error": run.reason or None,
    }

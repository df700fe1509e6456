"""The Prefect flow: one task run for each table, submitted as soon as its dependencies are built."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

from prefect import Flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as PrefectState
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.transactions import CommitMode, transaction

from warehouse_refresh.flows.artifacts import GRAPH_KEY, facts, graph_markdown
from warehouse_refresh.flows.heartbeat import RunCancelled, heartbeats
from warehouse_refresh.flows.notify import post_failure
from warehouse_refresh.flows.open_tasks import end_open_tasks
from warehouse_refresh.flows.patches import send_events_in_batches, switched_on
from warehouse_refresh.flows.patches.table_states import built_state
from warehouse_refresh.flows.records import patiently, this_flow_run, wait_until_recorded
from warehouse_refresh.pipeline.contract import ARTIFACT, BLOCKED, CHECKS_ARTIFACT, PUBLISH, STAGED, names_of
from warehouse_refresh.pipeline.outcomes import Publishing, State
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import Refused
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.project.variables import as_json, given_as_json
from warehouse_refresh.pipeline.refresh import Loads, Refresh, cleared_on_error, start_refresh
from warehouse_refresh.pipeline.report import check_rows, table_rows
from warehouse_refresh.pipeline.running.builder import still_good
from warehouse_refresh.pipeline.running.execution import Blocked, BuildFailed, Execution, Report, TableRun
from warehouse_refresh.pipeline.running.schedule import NOTHING, Expected, ScheduleResult, run_in_parallel
from warehouse_refresh.pipeline.settings import RefreshSettings, of_environment
from warehouse_refresh.pipeline.settings_file import SettingError
from warehouse_refresh.pipeline.tables.partitions.asked import Asked, span_of
from warehouse_refresh.pipeline.tables.partitions.backfill import backfill_of
from warehouse_refresh.pipeline.version import scripts_version
from warehouse_refresh.warehouse import BuildContext, Built
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.values.json_text import parse_json

Future = PrefectFuture[Any]


RETURN_OF_THE_SERVER = 600.0
"""When Prefect's server is away at the end of a run: how many seconds to keep trying to record the tables' states."""


@dataclass(frozen=True, slots=True)
class Started:
    """A refresh that this process has already started, and the function to call at each change of a table's state."""

    refresh: Refresh
    report: Report


class PlainFlow(Flow[..., PrefectState[Any]]):
    """A flow whose parameters have JSON's types. To write these as JSON, Prefect's own way imports FastAPI, which takes
    a tenth of a second."""

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters as they are; as Prefect writes them, if one has another type."""
        try:
            return cast("dict[str, Any]", json.loads(json.dumps(parameters)))
        except (TypeError, ValueError):
            return super().serialize_parameters(parameters)


def refresh_flow(settings: RefreshSettings, started: Started | None = None) -> Flow[..., PrefectState[Any]]:
    """The flow that builds the tables of the project in `settings`.

    In a deployment the flow starts the refresh itself. `refresh run` starts it before it imports Prefect, so that wrong
    scripts are reported at once, and passes it as `started`.
    """

    def refresh(
        select: list[str] | None = None,
        in_order: bool = False,
        variables: dict[str, Any] | None = None,
        full: bool = False,
        backfill_from: str | int | None = None,
        backfill_to: str | int | None = None,
        backfill_again: bool = False,
        load: bool = False,
        env: str | None = None,
    ) -> PrefectState[Any]:
        """Build all tables, or the selected ones. A retry builds only the tables that did not complete before.

        Args:
            select: Build only these tables, one on a line: tmp.variants, +tmp.variants (and all that it is built from),
                tmp.variants+ (and all that are built from it), tmp.* (a dataset), path:res/tmp (a folder), tag:daily,
                stale (what has changed), not:tmp.variants (all but this one). Leave it empty to build all tables.
            in_order: Build one table at a time.
            variables: Values that replace those of refresh.toml, by name: {"day": "2026-01-31"}.
            full: Build tables by date anew, with all their partitions.
            backfill_from: Build the partitions of tables by date from this date, such as 2026-01-01, or this id, up to
                backfill_to.
            backfill_to: The last date, or id, which is in it.
            backfill_again: Build also those that are built already.
            load: Load the raw tables that come from a database first. Then `select` may name them, too: raw.orders+.
            env: Build in this environment, such as alice. Leave it empty to build in that of the settings, else in
                production.
        """
        workers = 1 if in_order else settings.workers
        try:
            used = _with_values(of_environment(settings, env), variables or {})
            if "task_events" in switched_on():
                send_events_in_batches()
            with heartbeats():
                keep_values(used)
                if started is None:
                    asked = _asked(backfill_from, backfill_to, full=full, again=backfill_again)
                    return _start_and_run(used, select or [], workers, asked, Loads.FIRST if load else Loads.NONE)
                return _run_started(started, used, workers)
        except (Refused, SelectionError, SettingError, WarehouseError) as error:
            return Failed(message=str(error))
        except RunCancelled as error:
            return Cancelled(message=str(error))

    return PlainFlow(
        refresh,
        name=names_of(settings.folder).flow,
        description="Builds the tables of res/ in the order of their dependencies.",
        task_runner=cast("TaskRunner[Future]", ThreadPoolTaskRunner[Any](max_workers=settings.workers)),
        validate_parameters=True,
        on_failure=[post_failure],
        on_crashed=[post_failure, end_open_tasks],
        on_cancellation=[end_open_tasks],
    )


def _with_values(settings: RefreshSettings, values: dict[str, Any]) -> RefreshSettings:
    """The settings, with some variables' values replaced by `values`, which have JSON's types. Raises SettingError."""
    given = given_as_json(settings.variables, parse_json(json.dumps(values)))
    return replace(settings, variables={**settings.variables, **given})


def _asked(first: str | int | None, last: str | int | None, *, full: bool, again: bool) -> Asked:
    """What the run builds of tables by date. The time for which it was scheduled is its date, also of a retry: it
    builds partitions up to that of this time. Raises SettingError."""
    if (first is None) != (last is None):
        raise SettingError("a backfill has two ends: write both backfill_from and backfill_to")
    scheduled = this_flow_run().expected_start_time or datetime.now(UTC)
    moment = datetime.fromtimestamp(scheduled.timestamp(), UTC)
    if first is None or last is None:
        return Asked(full, moment)
    return Asked(full, moment, span_of(str(first), str(last)), moment if again else None)


def keep_values(settings: RefreshSettings) -> None:
    """Record the values of all variables and the environment as parameters of the run, so that a retry uses the same
    ones even if the settings have changed."""
    run = this_flow_run()
    kept = {"variables": as_json(settings.variables), "env": settings.environment}
    changed = {name: value for name, value in kept.items() if value != (run.parameters.get(name) or type(value)())}
    if changed and run.run_count <= 1:
        run.parameters = {**run.parameters, **changed}
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.id, parameters=run.parameters)


def _start_and_run(
    settings: RefreshSettings, select: list[str], workers: int, asked: Asked, loads: Loads
) -> PrefectState[Any]:
    if asked.span is not None and loads is not Loads.NONE:
        raise SettingError("a backfill loads nothing: write either load or backfill_from")
    who = f"the run {this_flow_run().name}"
    with start_refresh(settings, select, who, get_run_logger().info, str(this_flow_run().id), asked, loads) as refresh:
        execution = _run(refresh, settings, workers, _progress_logged(), is_backfill=asked.span is not None)
    return _ended(execution, settings, RETURN_OF_THE_SERVER)


def _run_started(started: Started, settings: RefreshSettings, workers: int) -> PrefectState[Any]:
    # Cancel the jobs here, not only outside the flow: Prefect raises an exception only once its tasks have ended.
    with cleared_on_error(started.refresh):
        return _ended(_run(started.refresh, settings, workers, started.report), settings, patience=0)


def _progress_logged() -> Report:
    """A report that logs how far a table is that is built in steps."""
    logger = get_run_logger()

    def report(run: TableRun) -> None:
        if run.progress:
            logger.info("%s: %s", run.table, run.progress)

    return report


def _run(
    refresh: Refresh, settings: RefreshSettings, workers: int, report: Report, *, is_backfill: bool = False
) -> Execution:
    flow_run, plan = this_flow_run(), refresh.plan
    context = BuildContext(str(flow_run.id), flow_run.run_count, _labels(flow_run), settings.keep_previous)
    before = refresh.warehouse.staged(context) if context.attempt > 1 else {}
    good = still_good(plan.graph, plan.builds, before, plan.load.together if plan.load is not None else ())
    published = {table for table, found in good.items() if found.is_published}
    work = backfill_of(refresh, context, good, _as_task_run) if is_backfill else refresh.work(context, good)
    publishing = Publishing.EACH if is_backfill else settings.publishing
    execution = Execution(plan.graph, work, report, publishing, plan.owners, refresh.source_checks)
    execution.built_before(sorted(published))
    run_graph(plan.graph.only(plan.graph.dependencies.keys() - published), execution, workers, refresh.expected)
    execution.end(for_retry=True)
    return execution


def _ended(execution: Execution, settings: RefreshSettings, patience: float) -> PrefectState[Any]:
    """Record the state of each table, and return the run's final state. If Prefect's server is away, keep trying for
    `patience` seconds: without a server Prefect could not record the final state either."""
    try:
        patiently(lambda: _record(execution, settings), patience)
    except Exception:  # the tables are built: a server that records nothing must not fail the refresh
        get_run_logger().exception("the tables' states could not be recorded")
    message = execution.summary()
    return Completed(message=message) if execution.succeeded else Failed(message=message)


def run_graph(graph: Graph, execution: Execution, workers: int, expected: Expected = NOTHING) -> None:
    """Build the tables of `graph` with Prefect's task runner, up to `workers` at once. Then publish the healthy ones in
    a task run of its own. Call it inside a flow whose task runner has at least `workers` threads."""
    patches = switched_on()

    @task(name="build", task_run_name="{table}", cache_policy=NO_CACHE, persist_result=False)
    def build(table: str) -> PrefectState[Any]:
        try:
            run = execution.build(TableName.parse(table))
        except BuildFailed as error:
            return Failed(message=str(error), name=BLOCKED if isinstance(error, Blocked) else "Failed")
        name = STAGED if run.state is State.STAGED else "Completed"
        return built_state(run.amount, name, is_patched="table_states" in patches)

    def submit(table: TableName, dependencies: list[Future]) -> Future:
        return cast("Future", build.submit(table=str(table), return_state=False, wait_for=dependencies))

    logging.getLogger("prefect.task_runs").setLevel(logging.WARNING)  # the state of a task run says as much
    schedule = run_in_parallel(graph, submit, _completed, execution.pace(workers, expected), expected.seconds)
    execution.not_run(schedule.not_run)
    _show_not_run(schedule, submit)
    if execution.in_state(State.STAGED):
        _publish(execution)


def _as_task_run(name: str, step: Callable[[], Built]) -> Built:
    """Run a step of a backfill as a task run within that of its table. Raises what the step raises."""
    made: list[Built] = []
    errors: list[Exception] = []

    @task(name="partitions", task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
    def partitions() -> PrefectState[Any]:
        try:
            made.append(step())
        except (BuildFailed, WarehouseError) as error:
            errors.append(error)
            return Failed(message=str(error), name=BLOCKED if isinstance(error, Blocked) else "Failed")
        return Completed(message=made[0].amount)

    with transaction(
        commit_mode=CommitMode.EAGER
    ):  # else Prefect rolls it back with the table's, when a later one fails
        partitions(return_state=True)
    if errors:
        raise errors[0]
    return made[0]


def _publish(execution: Execution) -> None:
    @task(name=PUBLISH, task_run_name=PUBLISH, cache_policy=NO_CACHE, persist_result=False)
    def publish() -> PrefectState[Any]:
        try:
            published = execution.publish()
        except BuildFailed as error:
            return Failed(message=str(error))
        count = len(execution.in_state(State.BUILT, State.BUILT_BEFORE))
        message = f"{count} tables in {published.seconds:.2f} s" if published else "nothing: no table is healthy"
        return Completed(message=message)

    publish(return_state=True)


def _show_not_run(schedule: ScheduleResult[Future], submit: Any) -> None:
    """Submit the tables that were not run after the task runs that failed, so that Prefect shows them as NotReady."""
    for table, failed in schedule.not_run.items():
        submit(table, [schedule.results[blamed] for blamed in failed]).wait()


def _completed(future: Future) -> bool:
    future.wait()
    return future.state.is_completed()


def _labels(flow_run: FlowRun) -> dict[str, str]:
    labels = {"flow_run": flow_run.id, "deployment": flow_run.deployment_id}
    return {name: str(value) for name, value in labels.items() if value}


def _record(execution: Execution, settings: RefreshSettings) -> None:
    rows = table_rows(execution.runs.values(), settings.price_per_tib)
    create_table_artifact(key=ARTIFACT, table=rows, description=execution.summary())
    if checks := check_rows(execution.runs.values(), execution.source_checks):
        create_table_artifact(key=CHECKS_ARTIFACT, table=checks, description="the results of the tables' checks")
    shown = facts(this_flow_run(), scripts_version(settings.folder, res=settings.layout.res))
    create_markdown_artifact(key=GRAPH_KEY, markdown=graph_markdown(execution.graph, execution.runs, shown))
    wait_until_recorded(this_flow_run(), len(execution.runs) + (execution.published is not None))

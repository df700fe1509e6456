"""The flow, on a real Prefect server with its real task runner."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import State, StateDetails, TaskRun, TaskRunResult
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings
from prefect.states import AwaitingRetry, Cancelling, Completed
from prefect.task_runners import ThreadPoolTaskRunner

from tests.conftest import Write
from tests.operation.installation import wait_for, webhook
from tests.pipeline.graphs import graphs
from tests.pipeline.test_schedule import Recorder
from tests.pipeline.works import OnlyBuilt
from warehouse_refresh.flows.flow import Started, refresh_flow, run_graph
from warehouse_refresh.flows.recorded import address_of, run_recorded
from warehouse_refresh.flows.records import read_all, this_flow_run, wait_until_recorded
from warehouse_refresh.pipeline.contract import PUBLISH
from warehouse_refresh.pipeline.outcomes import CheckResult, Verdict
from warehouse_refresh.pipeline.outcomes import State as TableState
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.scripts import read_datasets
from warehouse_refresh.pipeline.raw.db_init import initialise
from warehouse_refresh.pipeline.refresh import start_refresh
from warehouse_refresh.pipeline.running.builder import Builder
from warehouse_refresh.pipeline.running.execution import Execution, ignore
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import DEFAULT_URL, Built, connect
from warehouse_refresh.warehouse.names import TableName

FINAL = TableName("final", "products")
VARIANTS = "res/tmp/variants.sql"


@pytest.mark.usefixtures("prefect_api")
@pytest.mark.parametrize("workers", [1, 2, 16])
def test_any_graph_with_any_failures_runs_as_promised(workers: int) -> None:
    """Every script starts after its dependencies ended, nothing starts after a failure, and nothing hangs."""

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(graphs(most=7), st.data())
    def any_graph(graph: Graph, data: st.DataObject) -> None:
        build = Recorder(frozenset(data.draw(st.sets(st.sampled_from(sorted(graph.dependencies)), max_size=2))))
        execution = run_with_recorder(graph, build, workers)
        for name, run in execution.runs.items():
            assert all(
                build.ended[needed] <= build.started[name]
                for needed in graph.dependencies[name]
                if name in build.started
            )
            blamed = graph.upstream(name) & build.failing & set(build.started)
            expected = TableState.FAILED if name in build.failing else TableState.BUILT
            assert run.state is (TableState.NOT_RUN if blamed else expected)
            assert (name in build.started) == (not blamed)

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=workers))  # type: ignore[arg-type]  # Prefect's own annotation
    def many_graphs() -> None:
        any_graph()

    many_graphs()


def run_with_recorder(graph: Graph, build: Recorder, workers: int) -> Execution:
    def built(name: TableName) -> Built:
        build(name)
        return Built(rows=0, seconds=0.0, waited=float(int(name.name[1:]) % 10))  # so that the pace changes

    execution = Execution(graph, OnlyBuilt(built))
    run_graph(graph, execution, workers)
    return execution


@pytest.fixture
def filled(demonstration: Path, prefect_api: str) -> Path:  # noqa: ARG001 (a fixture cannot be marked)
    """The demonstration with its raw tables."""
    with connect(DEFAULT_URL) as warehouse:
        initialise(warehouse, demonstration / "db_init", read_datasets(demonstration / "res"))
    return demonstration


def run(**parameters: Any) -> State[Any]:
    state: State[Any] = refresh_flow(read_settings())(return_state=True, **parameters)
    return state


def flow_run_id(state: State[Any]) -> UUID:
    assert state.state_details.flow_run_id is not None
    return state.state_details.flow_run_id


def task_runs(state: State[Any], count: int) -> dict[str, TaskRun]:
    """The task runs of the flow run's tables by name, when the server has recorded `count` in their last state."""
    with get_client(sync_client=True) as client:
        only = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id(state)]))
        while True:
            found = read_all(client.read_task_runs, flow_run_filter=only)
            done = [
                run
                for run in found
                if run.name != PUBLISH and run.state and (run.state.is_final() or run.state.name == "NotReady")
            ]
            if len(done) >= count:
                return {run.name: run for run in done}


def artifact_rows(state: State[Any]) -> dict[str, dict[str, Any]]:
    return {row["table"]: row for row in artifact_of(state, "refresh")}


def artifact_of(state: State[Any], key: str) -> list[dict[str, Any]]:
    with get_client(sync_client=True) as client:
        [artifact] = client.read_artifacts(
            artifact_filter=ArtifactFilter(
                key=ArtifactFilterKey(any_=[key]), flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id(state)])
            )
        )
    assert isinstance(artifact.data, str)
    return list(json.loads(artifact.data))


def rows_of(table: TableName) -> list[tuple[Any, ...]]:
    with connect(DEFAULT_URL) as warehouse:
        return sorted(warehouse.first_rows(table, 1000))


@pytest.mark.usefixtures("filled")
def test_each_table_is_a_task_run_with_its_name_and_a_row_of_the_artifact() -> None:
    state = run()
    assert state.is_completed()
    assert state.message == "8 of 8 tables built and published, 25 checks passed"
    runs = task_runs(state, 8)
    rows = artifact_rows(state)
    assert (
        set(runs)
        == set(rows)
        == {
            "tmp.inventory_items",
            "tmp.item_purchase_prices",
            "tmp.product_categories",
            "tmp.product_images",
            "tmp.variant_images",
            "tmp.variants",
            "tmp.products",
            "final.products",
        }
    )
    assert rows["tmp.variants"]["rows"] == 60
    assert rows["final.products"]["state"] == "built"
    message = runs["final.products"].state
    assert message is not None
    assert str(message.message).startswith("25 rows in ")


@pytest.mark.usefixtures("filled")
def test_prefect_knows_of_each_table_which_it_waited_for_and_how_long_it_took() -> None:
    runs = task_runs(run(), 8)
    waited_for = {
        name: {str(cast("TaskRunResult", upstream).id) for upstream in found.task_inputs.get("wait_for", [])}
        for name, found in runs.items()
    }
    assert waited_for == {name: set() for name in runs} | {
        "tmp.products": {str(runs[name].id) for name in ("tmp.product_categories", "tmp.product_images")},
        "tmp.variants": {
            str(runs[name].id) for name in ("tmp.inventory_items", "tmp.item_purchase_prices", "tmp.variant_images")
        },
        "final.products": {str(runs[name].id) for name in ("tmp.products", "tmp.variants")},
    }
    for found in runs.values():
        assert found.expected_start_time is not None
        assert found.start_time is not None
        assert found.end_time is not None
        assert found.expected_start_time <= found.start_time < found.end_time
        assert found.total_run_time == found.end_time - found.start_time
        assert found.run_count == 1


@pytest.mark.usefixtures("prefect_api")
def test_each_of_many_quick_tables_is_on_record_with_the_time_it_took() -> None:
    tables = [TableName("tmp", f"t{number:03}") for number in range(200)]
    graph = Graph({table: frozenset(tables[:number][-1:]) for number, table in enumerate(tables)})

    def build_all() -> State[Any]:
        run_graph(graph, Execution(graph, OnlyBuilt(lambda _: Built(rows=1, seconds=0.0))), workers=8)
        wait_until_recorded(this_flow_run(), len(tables))
        return Completed()

    runner: Any = ThreadPoolTaskRunner(max_workers=8)
    runs = task_runs(flow(name="many", task_runner=runner)(build_all)(return_state=True), len(tables))
    assert {found.state_name for found in runs.values()} == {"Staged"}
    for found in runs.values():
        assert found.start_time is not None
        assert found.end_time is not None
        assert found.total_run_time == found.end_time - found.start_time


@pytest.mark.usefixtures("filled")
def test_a_refresh_that_has_returned_has_every_task_run_on_record() -> None:
    state = run()
    with get_client(sync_client=True) as client:
        found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id(state)])))
    assert {task_run.name for task_run in found if task_run.state_name != "Staged"} == {PUBLISH}
    [publishing] = [task_run.state for task_run in found if task_run.name == PUBLISH]
    assert publishing is not None
    assert (publishing.is_completed(), str(publishing.message).partition(" in ")[0]) == (True, "8 tables")
    assert len(found) == 9


def test_the_log_tells_of_the_run_and_of_failed_tables_only(filled: Path) -> None:
    (filled / VARIANTS).write_text("SELECT CAST('x' AS INT64) AS id")
    (filled / VARIANTS).with_suffix(".toml").unlink()  # it declares columns
    state = run(select=["tmp.variants", "tmp.product_categories"])
    of_this_run = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id(state)]))
    with get_client(sync_client=True) as client:

        def whole_log() -> list[str]:
            messages = [log.message for log in client.read_logs(of_this_run)]
            return messages if any("1 of 2 tables built" in message for message in messages) else []

        messages = wait_for(whole_log)
    assert any("tmp/variants.sql" in message and message.startswith("Finished in state Failed") for message in messages)
    assert not any("Completed" in message for message in messages)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("in_order", [False, True])
def test_two_runs_give_equal_tables(in_order: bool) -> None:
    run(in_order=in_order)
    before = rows_of(FINAL)
    run()
    assert rows_of(FINAL) == before


@pytest.mark.usefixtures("filled")
def test_select_builds_the_selected_tables_only() -> None:
    state = run(select=["+tmp.products"])
    assert str(state.message).startswith("3 of 3 tables built and published")
    assert set(task_runs(state, 3)) == {"tmp.products", "tmp.product_categories", "tmp.product_images"}


def test_a_failed_script_leaves_its_old_table_and_is_told_with_what_was_not_run(filled: Path) -> None:
    run()
    before = rows_of(FINAL)
    fails_when_run = (
        (filled / VARIANTS).read_text().replace("IFNULL(inventory_items.stock, 0)", "CAST(variants.name AS INT64)")
    )
    (filled / VARIANTS).write_text(fails_when_run)
    state = run()
    assert state.is_failed()
    message = str(state.message)
    assert message.startswith("6 of 8 tables built and published, ")
    assert "failed: tmp.variants: res/tmp/variants.sql" in message
    assert "not run: final.products: waits for tmp.variants" in message
    runs = task_runs(state, 8)
    assert {name: run.state_name for name, run in runs.items() if run.state_name != "Staged"} == {
        "tmp.variants": "Failed",
        "final.products": "NotReady",
    }
    rows = artifact_rows(state)
    assert rows["tmp.variants"]["error"]
    assert (rows["final.products"]["state"], rows["tmp.products"]["state"]) == ("not run", "built")
    assert rows_of(FINAL) == before
    assert len(rows_of(TableName("tmp", "variants"))) == 60


@pytest.mark.usefixtures("filled")
def test_a_failed_check_blocks_its_table_and_is_told_with_the_rows_that_break_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = run()
    assert before.is_completed()
    broken = CheckResult("unique sku", Verdict.FAILED, "2 of 60 rows", 2, 60, ("'A'", "'B'"), "SELECT 1")
    few = CheckResult("row_count", Verdict.WARNING, "few rows")

    def check(_work: Builder, table: TableName) -> list[CheckResult]:
        return {"variants": [few, broken], "products": [few]}.get(table.name, [])

    monkeypatch.setattr(Builder, "check", check)
    state = run()
    assert state.is_failed()
    assert str(state.message).startswith(
        "7 of 8 tables built, 6 published, 5 checks passed, 2 warnings, 1 check failed\n"
    )
    assert "blocked: tmp.variants: 2 of 60 rows" in str(state.message)
    runs = task_runs(state, 8)
    found = {name: run.state_name for name, run in runs.items()}
    assert (found["tmp.variants"], found["final.products"], found["tmp.products"]) == ("Blocked", "NotReady", "Staged")
    rows = artifact_rows(state)
    assert rows["tmp.variants"]["state"] == "blocked"
    assert rows["tmp.variants"]["checks"] == "1 warning, 1 failed"
    [first, *others] = artifact_of(state, "refresh-checks")
    assert (first["table"], first["result"], first["examples"]) == ("tmp.variants", "failed", "'A'\n'B'")
    assert [row["result"] for row in others] == ["warning", "warning", *["passed"] * 5]  # of raw tables, too


@pytest.mark.usefixtures("prefect_api")
def test_the_owner_of_a_blocked_table_is_told_by_the_run_its_artifact_and_the_webhook(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"res/dependencies.toml": "", "res/tmp/a.sql": "SELECT x FROM UNNEST([1, 1]) AS x"})
    write({"res/tmp/a.toml": "owner = 'shop@example.com'\n[checks]\nunique = ['x']"})
    messages: list[dict[str, Any]] = []
    with webhook(messages) as address:
        monkeypatch.setenv("REFRESH_WEBHOOK_URL", address)
        state = run()
    reason = "2 of 2 rows of tmp.a have the same x as another row: 1\n  owner: shop@example.com"
    assert str(state.message) == f"1 of 1 tables built, 0 published, 1 check failed\nblocked: tmp.a: {reason}"
    assert artifact_rows(state)["tmp.a"]["error"] == reason
    [told] = messages
    assert told["blocked"] == [{"table": "tmp.a", "reason": reason}]
    assert reason in told["text"]


def test_a_retried_run_builds_only_what_did_not_complete(filled: Path) -> None:
    good = (filled / VARIANTS).read_text()
    (filled / VARIANTS).write_text(good.replace("variants.id AS sku", "CAST(variants.name AS INT64) AS sku"))
    state = run()
    assert state.is_failed()
    task_runs(state, 8)
    (filled / VARIANTS).write_text(good)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id(state), AwaitingRetry(), force=True)
        again = client.read_flow_run(flow_run_id(state))
    second = cast("State[Any]", run_flow(refresh_flow(read_settings()), flow_run=again, return_type="state"))
    assert str(second.message).startswith("2 of 8 tables built and published, 6 built before")
    assert second.is_completed()
    assert len(rows_of(FINAL)) == 25


@pytest.mark.usefixtures("prefect_api")
def test_a_run_builds_with_its_values_and_a_retry_keeps_them_all(write: Write) -> None:
    out = TableName("tmp", "a")
    project = {"res/tmp/a.sql": "SELECT @day AS day, CAST(@text AS INT64) AS x", "res/dependencies.toml": ""}
    write({**project, "refresh.toml": "[variables]\nday = 2026-01-31\ntext = 'none'\n"})
    state = run(variables={"day": "2026-02-28"})
    assert state.is_failed()
    task_runs(state, 1)
    with get_client(sync_client=True) as client:
        found = client.read_flow_run(flow_run_id(state))
        assert found.parameters["variables"] == {"day": "2026-02-28", "text": "none"}
        write({"refresh.toml": "[variables]\nday = 2027-01-01\ntext = '8'\n"})
        client.set_flow_run_state(found.id, AwaitingRetry(), force=True)
        again = client.read_flow_run(found.id)
    second = cast("State[Any]", run_flow(refresh_flow(read_settings()), flow_run=again, return_type="state"))
    assert second.is_failed()  # by the value of its first attempt
    assert run(variables={"day": "2026-02-28"}).is_completed()
    assert [(str(day), x) for day, x in rows_of(out)] == [("2026-02-28", 8)]


@pytest.mark.usefixtures("prefect_api")
def test_a_value_that_does_not_fit_fails_the_run_in_words(write: Write) -> None:
    write({"res/tmp/a.sql": "SELECT @day AS day", "res/dependencies.toml": ""})
    write({"refresh.toml": "[variables]\nday = 2026-01-31\n"})
    state = run(variables={"day": "soon"})
    assert (state.is_failed(), state.message) == (True, "the variable day: 'soon' is not DATE: write 2026-11-30")


@pytest.mark.usefixtures("prefect_api")
def test_a_refresh_that_cannot_succeed_touches_nothing(write: Write) -> None:
    write(
        {
            "res/tmp/a.sql": "SELECT * FROM `raw.never_created`",
            "res/raw/never_created": "",
            "res/tmp/b.sql": "SELECT 1 AS x",
            "res/dependencies.toml": "",
        }
    )
    state = run()
    assert state.is_failed()
    assert "res/tmp/a.sql:1:15: tmp.a reads raw.never_created, which does not exist in the warehouse" in str(
        state.message
    )
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.tables("tmp") == []


@pytest.mark.usefixtures("filled")
def test_runs_at_once_on_one_file_do_not_disturb_each_other() -> None:
    contexts = [copy_context(), copy_context()]
    with ThreadPoolExecutor(2) as pool:
        states = list(pool.map(lambda context: context.run(run), contexts))
    assert [str(state.message).startswith("8 of 8 tables built and published") for state in states] == [True, True]
    assert len(rows_of(FINAL)) == 25


def test_the_address_of_a_run_is_the_uis_where_no_setting_says_where_the_server_is() -> None:
    """As for somebody who has just cloned this: it led into the API, which has no such page."""
    run = uuid4()
    with temporary_settings(restore_defaults={PREFECT_API_URL, PREFECT_UI_URL}):
        address = address_of(Completed(state_details=StateDetails(flow_run_id=run)))
    assert address == f"http://127.0.0.1:4200/runs/flow-run/{run}"


@pytest.mark.usefixtures("filled", "prefect_api")
def test_a_run_in_a_terminal_that_is_cancelled_just_before_its_end_is_cancelled_at_once() -> None:
    """Else it would be Cancelling until Prefect gives up on a worker, and the command could not say why it failed."""

    def cancelled_before_its_end(**parameters: Any) -> State[Any]:
        state: State[Any] = refresh_flow(settings, Started(started, ignore))(**parameters)
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(flow_run_id(state), Cancelling(), force=True)
            return client.read_flow_run(flow_run_id(state)).state or state

    settings = read_settings()
    with start_refresh(settings, [], "the test", print) as started:
        state = run_recorded(cancelled_before_its_end, [], variables={}, in_order=False)
    message = "the run was cancelled in Prefect, while its last tables were built"
    assert (state.is_cancelled(), state.message) == (True, message)

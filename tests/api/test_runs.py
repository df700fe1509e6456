"""POST /run and GET /run/<id>, against a real Prefect server whose worker is the test."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_API_URL, temporary_settings
from prefect.states import (
    AwaitingConcurrencySlot,
    AwaitingRetry,
    Cancelled,
    Completed,
    Crashed,
    Failed,
    Late,
    Pending,
    Running,
    Scheduled,
    to_state_create,
)

from tests.api.conftest import Served, api_over, raw_tables
from tests.api.prefect_parts import Deployment, deployed
from tests.conftest import Write
from tests.waiting import wait_until
from warehouse_refresh.api.runs import idempotency, prefect_client
from warehouse_refresh.api.runs.idempotency import delete_old_keys, run_key
from warehouse_refresh.flows.surplus import cover_surplus
from warehouse_refresh.pipeline.contract import COVERED, SILENT
from warehouse_refresh.pipeline.outcomes import CheckResult, Failure, Verdict
from warehouse_refresh.pipeline.outcomes import State as TableState
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.selectors import Named, SelectionError, select
from warehouse_refresh.pipeline.report import table_rows
from warehouse_refresh.pipeline.running.execution import TableRun
from warehouse_refresh.warehouse import Built
from warehouse_refresh.warehouse.names import TableName


@pytest.fixture
def api(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with api_over(raw_tables(tmp_path_factory.mktemp("w") / "w.duckdb"), deployment=deployment.name) as it:
        yield it


def ask(api: Served, target: str = "/run", **headers: str) -> dict[str, Any]:
    """The run that a client gets. While Prefect has too much to do, it asks again as the answer tells it."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    for _ in range(30):
        answer = api.client.post(target, headers=sent)
        if answer.status_code != 503 or answer.json()["code"] != "prefect-unavailable":
            break
        time.sleep(int(answer.headers["retry-after"]))
    assert answer.status_code == 202, answer.text
    run: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/run/{run['id']}"
    return run


def test_a_run_is_asked_for(api: Served, deployment: Deployment) -> None:
    run = ask(api, X_Request_ID="banana-1")
    stored = deployment.run(run["id"])
    assert stored.deployment_id == deployment.id
    assert "request:banana-1" in stored.tags
    assert (run["state"], run["select"], run["started"], run["ended"]) == ("Scheduled", [], None, None)


@pytest.mark.parametrize("waiting", [Scheduled, Late, AwaitingConcurrencySlot, Pending])
def test_a_run_that_has_not_started_serves_further_requests(
    api: Served, deployment: Deployment, waiting: type[Any]
) -> None:
    run = ask(api)
    is_pending = waiting is Pending
    deployment.move(run["id"], waiting() if is_pending else waiting(scheduled_time=datetime.now(UTC)))
    assert ask(api)["id"] == run["id"]


@pytest.mark.parametrize("later", [Running, Completed, Failed, Crashed])
def test_a_run_that_has_started_serves_no_further_request(
    api: Served, deployment: Deployment, later: type[Any]
) -> None:
    run = ask(api)
    deployment.move(run["id"], Running())
    deployment.move(run["id"], later())
    following = ask(api)
    assert following["id"] != run["id"]
    assert ask(api)["id"] == following["id"]


def test_a_run_that_will_be_retried_serves_no_further_request(api: Served, deployment: Deployment) -> None:
    run = ask(api)
    deployment.move(run["id"], Running())
    deployment.move(run["id"], AwaitingRetry())
    assert ask(api)["id"] != run["id"]


def test_a_run_whose_machine_was_lost_before_it_started_serves_no_further_request(
    api: Served, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ask(api)
    deployment.move(run["id"], Pending())
    monkeypatch.setattr(
        "warehouse_refresh.api.runs.run_queue.START_OF_A_CONTAINER", timedelta(0)
    )  # the server sets a state's time itself
    assert ask(api)["id"] != run["id"]


def test_a_run_that_a_person_asked_for_serves_too_but_not_tomorrows(api: Served, deployment: Deployment) -> None:
    create = deployment.prefect.create_flow_run_from_deployment
    tomorrows = create(deployment.id, state=Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=1)))
    persons = create(deployment.id)
    assert ask(api)["id"] == str(persons.id)
    deployment.move(str(persons.id), Running())
    assert ask(api)["id"] not in {str(persons.id), str(tomorrows.id)}


def test_a_run_of_a_schedule_serves_no_request_since_it_goes_with_its_schedule(
    api: Served, deployment: Deployment
) -> None:
    scheduled = deployment.schedule_a_run()
    run = ask(api)
    deployment.end_schedules()
    assert scheduled.id not in {it.id for it in deployment.runs()}
    assert api.client.get(f"/run/{run['id']}").json()["state"] == "Scheduled"


def test_a_waiting_run_is_found_among_however_many(
    api: Served, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefect_client, "PAGE", 2)
    for table in ("tmp.a", "tmp.b", "tmp.c", "tmp.d"):
        deployment.prefect.create_flow_run_from_deployment(deployment.id, parameters={"select": [table]})
    on_the_last_page = min(run.id for run in deployment.runs())  # Prefect lists the greatest ids first
    deployment.prefect.update_flow_run(on_the_last_page, parameters={"select": []})
    assert ask(api)["id"] == str(on_the_last_page)


def test_a_request_takes_no_longer_for_the_runs_that_were_asked_for_before(
    api: Served, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(12):
        run = ask(api)
        deployment.move(run["id"], Running())
        deployment.move(run["id"], Completed())
    asked_of_prefect = []
    create = PrefectClient.create_flow_run_from_deployment

    async def counted(*arguments: Any, **named: Any) -> Any:
        asked_of_prefect.append(named)
        return await create(*arguments, **named)

    monkeypatch.setattr(PrefectClient, "create_flow_run_from_deployment", counted)
    ask(api)
    assert len(asked_of_prefect) == 1


def test_requests_at_the_same_instant_get_one_run_from_two_apis(
    api: Served, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = ask(api)
    deployment.move(first["id"], Running())
    with api_over(raw_tables(tmp_path_factory.mktemp("w") / "w.duckdb"), deployment=deployment.name) as other:
        together = threading.Barrier(32)

        def one(number: int) -> str:
            together.wait()
            return str(ask([api, other][number % 2])["id"])

        with ThreadPoolExecutor(32) as threads:
            ids = set(threads.map(one, range(32)))
    assert len(ids) == 1
    assert {str(run.id) for run in deployment.runs()} == {first["id"], *ids}


def test_a_waiting_run_of_another_selection_becomes_a_full_refresh(api: Served, deployment: Deployment) -> None:
    variants = ask(api, "/run?select=tmp.variants")
    assert deployment.run(variants["id"]).parameters["select"] == ["tmp.variants"]
    assert ask(api, "/run?select=tmp.variants")["select"] == ["tmp.variants"]
    widened = ask(api, "/run?select=tmp.products")
    assert (widened["id"], widened["select"]) == (variants["id"], [])
    assert deployment.run(variants["id"]).parameters == {"select": [], "in_order": False}
    assert ask(api, "/run?select=final.*")["id"] == variants["id"]


def test_a_run_about_to_start_with_another_selection_is_left_alone(api: Served, deployment: Deployment) -> None:
    variants = ask(api, "/run?select=tmp.variants")
    deployment.move(variants["id"], Pending())
    products = ask(api, "/run?select=tmp.products")
    assert products["id"] != variants["id"]
    assert deployment.run(variants["id"]).parameters["select"] == ["tmp.variants"]
    assert deployment.run(products["id"]).parameters["select"] == ["tmp.products"]


@pytest.mark.parametrize("selector", ["tmp.v*", "*", "+tmp.*_prices", "tmp.[ab]*", "tmp.item-prices", "tmp.prix_été"])
def test_a_selection_may_be_any_that_the_command_line_takes(api: Served, selector: str) -> None:
    assert api.client.post("/run", params={"select": selector}).json()["select"] == [selector]


def test_a_selection_of_several_tables_serves_each(api: Served) -> None:
    both = ask(api, "/run?select=tmp.variants&select=%2Btmp.products")
    assert both["select"] == ["+tmp.products", "tmp.variants"]
    assert ask(api, "/run?select=tmp.variants")["select"] == both["select"]


def test_a_key_gets_its_run_again_even_when_that_has_ended(api: Served, deployment: Deployment) -> None:
    run = ask(api, Idempotency_Key="banana")
    deployment.move(run["id"], Running())
    deployment.move(run["id"], Completed())
    assert ask(api, Idempotency_Key="banana")["id"] == run["id"]
    assert ask(api, Idempotency_Key="lipstick")["id"] != run["id"]


def test_a_key_that_joined_a_waiting_run_gets_it_again(api: Served, deployment: Deployment) -> None:
    run = ask(api)
    assert ask(api, Idempotency_Key="banana")["id"] == run["id"]
    deployment.move(run["id"], Running())
    assert ask(api, Idempotency_Key="banana")["id"] == run["id"]


def test_a_key_whose_run_was_deleted_gets_another(api: Served, deployment: Deployment) -> None:
    run = ask(api, Idempotency_Key="banana")
    deployment.prefect.delete_flow_run(UUID(run["id"]))
    following = ask(api, Idempotency_Key="banana")
    assert following["id"] != run["id"]
    assert ask(api, Idempotency_Key="banana")["id"] == following["id"]


def test_a_key_gets_one_run_from_two_apis_at_the_same_instant(
    api: Served, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """While a worker takes up what waits, so that the two see different runs."""
    keys = [f"key-{number}" for number in range(12)]
    with (
        api_over(raw_tables(tmp_path_factory.mktemp("w") / "w.duckdb"), deployment=deployment.name) as other,
        ThreadPoolExecutor(8) as threads,
    ):

        def of_key(which: Served, key: str) -> str:
            return str(ask(which, Idempotency_Key=key)["id"])

        asked = {(key, each): threads.submit(of_key, each, key) for key in keys for each in (api, other)}
        while not all(answer.done() for answer in asked.values()):
            _work_off(deployment)
        for key in keys:
            assert (
                len({*(asked[key, each].result() for each in (api, other)), of_key(api, key), of_key(other, key)}) == 1
            )


def test_keys_leave_nothing_on_the_run_and_are_deleted_when_they_are_old(
    api: Served, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"key-{number}" for number in range(5)]
    names = {run_key(deployment.id, key, []).name for key in keys}
    run = ask(api, Idempotency_Key=keys[0])
    tags = deployment.run(run["id"]).tags
    for key in keys[1:]:
        ask(api, Idempotency_Key=key)
    assert deployment.run(run["id"]).tags == tags
    assert _kept(deployment, names) == names
    _delete_old_keys(deployment)
    assert _kept(deployment, names) == names
    monkeypatch.setattr(idempotency, "PAGE", 2)
    monkeypatch.setattr(idempotency, "KEPT", timedelta(0))
    _delete_old_keys(deployment)
    assert _kept(deployment, names) == set()


def test_old_keys_are_deleted_while_nobody_asks(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(idempotency, "SECONDS_BETWEEN_CLEANINGS", 0.1)
    monkeypatch.setattr(idempotency, "KEPT", timedelta(0))
    with api_over(raw_tables(tmp_path / "w.duckdb"), deployment=deployment.name) as it:
        ask(it, Idempotency_Key="banana")
        name = run_key(deployment.id, "banana", []).name
        wait_until(lambda: _kept(deployment, {name}) == set())


def _delete_old_keys(deployment: Deployment) -> None:
    async def delete() -> None:
        async with get_client() as client:
            await delete_old_keys(client, deployment.id)

    asyncio.run(delete())


def _kept(deployment: Deployment, names: set[str]) -> set[str]:
    """Those of `names` that are still variables of Prefect's."""
    return {name for name in names if deployment.prefect.read_variable_by_name(name) is not None}


@pytest.mark.parametrize("keys", [["a", "b", "c", "d"], [None] * 4])
def test_however_many_ask_while_prefect_hangs_each_is_answered_in_its_time(
    keys: list[str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request waits for the ones before it: 503 comes long before Prefect's client would give one up."""
    monkeypatch.setattr("warehouse_refresh.api.runs.run_queue.LONGEST_ASK", 0.5)
    monkeypatch.setattr("warehouse_refresh.api.runs.prefect_client.CALL_SECONDS", 1000.0)
    with ExitStack() as stack:
        hanging = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}/api"
        stack.enter_context(temporary_settings({PREFECT_API_URL: url, PREFECT_API_REQUEST_TIMEOUT: 1000.0}))
        api = stack.enter_context(api_over(raw_tables(tmp_path / "w.duckdb")))
        threads = stack.enter_context(ThreadPoolExecutor(len(keys)))
        answers = list(threads.map(lambda key: api.client.post("/run", headers=_key_header(key)), keys))
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "prefect-unavailable")
        assert int(answer.headers["retry-after"]) >= 1


def _key_header(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key} if key else {}


def test_a_key_of_another_selection_is_refused(api: Served) -> None:
    ask(api, "/run?select=tmp.variants", Idempotency_Key="banana")
    answer = api.client.post("/run", headers={"Idempotency-Key": "banana"})
    assert (answer.status_code, answer.json()["code"]) == (422, "key-reused")


def test_every_accepted_request_is_followed_by_a_refresh_that_starts_after_it(
    api: Served, deployment: Deployment
) -> None:
    """Clients ask all the time while a worker takes up what waits: each run that is promised starts after the asking,
    and never do two wait."""
    stop = threading.Event()
    started: dict[str, datetime] = {}
    with ThreadPoolExecutor(4) as threads:
        clients = [threads.submit(_ask_until, stop, api) for _ in range(4)]
        waiting: list[int] = []
        while sum(waiting) < 4:
            waiting.append(_work_off(deployment, started))
        stop.set()
    _work_off(deployment, started)
    asked = [it for client in clients for it in client.result()]
    assert max(waiting) == 1
    assert len({identity for _, identity in asked}) >= 4
    for moment, identity in asked:
        assert started[identity] >= moment


def _ask_until(stop: threading.Event, api: Served) -> list[tuple[datetime, str]]:
    """When a refresh was asked for, and the run that was promised."""
    asked = []
    while not stop.is_set():
        moment = datetime.now(UTC)
        asked.append((moment, ask(api)["id"]))
    return asked


def _work_off(deployment: Deployment, started: dict[str, datetime] | None = None) -> int:
    """Run what waits, and note in `started` when each began; gives how many runs waited.

    Prefect's own `start_time` is no witness: the worker writes it before the server accepts the state, and until then
    the run still waits. No worker runs a flow before the server has accepted Pending.
    """
    waiting = [run for run in deployment.runs() if run.state is not None and run.state.is_scheduled()]
    for run in waiting:
        deployment.move(str(run.id), Pending())
        if started is not None:
            started[str(run.id)] = datetime.now(UTC)
        for state in (Running, Completed):
            deployment.move(str(run.id), state())
    return len(waiting)


SECRET = "Bad int64 value: Rosé Water Toner in SELECT price FROM raw.orders, /srv/res/tmp/products.sql"
"""What Prefect may know of a failure, and the API shows to nobody."""


def test_a_run_shows_its_tables_from_the_artifact(api: Served, deployment: Deployment) -> None:
    run = ask(api)
    few = CheckResult("row_count", Verdict.WARNING, SECRET)
    built = TableRun(TableName("tmp", "variants"), TableState.BUILT, Built(rows=25, seconds=0.12), checks=(few,))
    failed = TableRun(TableName("tmp", "products"), TableState.FAILED, reason=SECRET, failure=Failure.QUERY)
    not_run = TableRun(TableName("final", "all"), TableState.NOT_RUN, reason=SECRET, failure=Failure.NOT_RUN)
    table = json.dumps(table_rows([built, failed, not_run], price_per_tib=6.25))
    artifact = ArtifactCreate(key="refresh", type="table", data=table, flow_run_id=deployment.run(run["id"]).id)
    deployment.prefect.request("POST", "/artifacts/", json=artifact.model_dump(mode="json", exclude_unset=True))
    deployment.move(run["id"], Running())
    deployment.move(run["id"], Failed(message=SECRET))
    answer = api.client.get(f"/run/{run['id']}")
    shown = answer.json()
    assert [(it["table"], it["state"], it["rows"], it["failure"], it["error"]) for it in shown["tables"]] == [
        ("final.all", "not run", None, "not-run", Failure.NOT_RUN.sentence),
        ("tmp.products", "failed", None, "query-failed", Failure.QUERY.sentence),
        ("tmp.variants", "built", 25, None, None),
    ]
    assert shown["state"] == "Failed"
    assert shown["message"] == (
        "1 of 3 tables built and published; failed: tmp.products; not run: final.all; warnings: tmp.variants"
    )
    assert shown["started"] <= shown["ended"]
    assert not _leaks(answer.text)


def _leaks(text: str) -> list[str]:
    return [word for word in ("Rosé", "Ros\\u00e9", "int64", "SELECT", "raw.orders", "/srv") if word in text]


STATES: dict[str, State[None]] = {
    "tmp.a": Completed(message="1,025 rows, 3 partitions built"),
    "tmp.a: 2024-03-01 up to 2024-03-03": Completed(message="25 rows, 2 partitions built"),
    "tmp.b": Failed(message=SECRET),
    "tmp.c": Running(message=SECRET),
    "tmp.d": Pending(name="NotReady", message=SECRET),
    "tmp.e": Pending(),
    "tmp.f": Crashed(message=SECRET),
    "tmp.g": Cancelled(message=SECRET),
    "tmp.h": Completed(name="Staged", message="3 rows in 0.12 s"),
    "tmp.i": Failed(name="Blocked", message=SECRET),
}


def test_a_run_without_an_artifact_shows_its_task_runs(api: Served, deployment: Deployment) -> None:
    run = ask(api)
    for number, (name, state) in enumerate(STATES.items()):
        task = {"name": name, "flow_run_id": run["id"], "task_key": "build", "dynamic_key": str(number)}
        with_state = {**task, "state": to_state_create(state).model_dump(mode="json")}
        deployment.prefect.request("POST", "/task_runs/", json=with_state).raise_for_status()
    deployment.move(run["id"], Running())
    states = {"tmp.a": ("built", 1025, None), "tmp.b": ("failed", None, "unknown"), "tmp.c": ("building", None, None)}
    states |= {"tmp.d": ("not run", None, "not-run"), "tmp.e": ("waiting", None, None)}
    states |= {"tmp.f": ("failed", None, "lost"), "tmp.g": ("failed", None, "cancelled")}
    states |= {"tmp.h": ("staged", 3, None), "tmp.i": ("blocked", None, "check-failed")}
    answer = api.client.get(f"/run/{run['id']}")
    assert _states(answer.json()) == states
    assert [table["partitions"] for table in answer.json()["tables"]] == [3, *[None] * 8]
    assert not _leaks(answer.text)
    deployment.move(run["id"], Crashed(message=SECRET))
    lost = dict.fromkeys(["tmp.c", "tmp.e"], ("failed", None, "lost")) | {"tmp.h": ("failed", 3, "lost")}
    answer = api.client.get(f"/run/{run['id']}")
    assert _states(answer.json()) == {**states, **lost}
    assert not _leaks(answer.text)


def test_the_tables_of_a_cancelled_run_that_were_not_published_were_cancelled(
    api: Served, deployment: Deployment
) -> None:
    run = ask(api)
    tasks: dict[str, State[None]] = {"tmp.a": Completed(name="Staged", message="3 rows in 0.12 s"), "tmp.b": Running()}
    for name, state in tasks.items():
        task = {"name": name, "flow_run_id": run["id"], "task_key": name, "dynamic_key": "0"}
        with_state = {**task, "state": to_state_create(state).model_dump(mode="json")}
        deployment.prefect.request("POST", "/task_runs/", json=with_state).raise_for_status()
    deployment.move(run["id"], Running())
    deployment.move(run["id"], Cancelled(message=SECRET))
    found = _states(api.client.get(f"/run/{run['id']}").json())
    assert found == {"tmp.a": ("failed", 3, "cancelled"), "tmp.b": ("failed", None, "cancelled")}


def test_tables_of_a_run_without_an_artifact_are_built_once_they_are_published(
    api: Served, deployment: Deployment
) -> None:
    run = ask(api)
    tasks: dict[str, State[None]] = {"tmp.a": Completed(name="Staged", message="3 rows in 0.12 s")}
    for name, state in {**tasks, "publish": Completed()}.items():
        task = {"name": name, "flow_run_id": run["id"], "task_key": name, "dynamic_key": "0"}
        with_state = {**task, "state": to_state_create(state).model_dump(mode="json")}
        deployment.prefect.request("POST", "/task_runs/", json=with_state).raise_for_status()
    deployment.move(run["id"], Running())
    deployment.move(run["id"], Crashed(message=SECRET))
    assert _states(api.client.get(f"/run/{run['id']}").json()) == {"tmp.a": ("built", 3, None)}


def _states(shown: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {it["table"]: (it["state"], it["rows"], it["failure"]) for it in shown["tables"]}


def nothing_selected(selector: str) -> str:
    """What a refresh says whose selector names no table."""
    b = TableName.parse("tmp.b")
    with pytest.raises(SelectionError) as error:
        select(Graph({b: frozenset()}), [selector], Named({b: "res/tmp/b.sql"}))
    return str(error.value)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (Completed(message="2 of 2 tables built"), "0 of 0 tables built and published"),
        (Failed(message=SECRET), "Nothing was built; Prefect shows why."),
        (
            Failed(message=nothing_selected("tmp.bb")),
            "Nothing was built: tmp.bb: no script builds tmp.bb; did you mean tmp.b?",
        ),
        (Failed(message=nothing_selected("path:res/tmp/bb.sql")), "Nothing was built; Prefect shows why."),
        (Crashed(message=SECRET), "The process of the run ended before the run did."),
        (Cancelled(message=SECRET), "The run was cancelled."),
        (Running(message=SECRET), None),
    ],
)
def test_a_runs_message_is_of_fixed_words(
    api: Served, deployment: Deployment, state: State[None], message: str | None
) -> None:
    run = ask(api)
    deployment.move(run["id"], Running())
    deployment.move(run["id"], state)
    answer = api.client.get(f"/run/{run['id']}")
    assert answer.json()["message"] == message
    assert not _leaks(answer.text)
    assert not _leaks(api.client.post("/run", headers={"Prefer": "wait=1"}).text)


def test_what_a_run_did_needs_the_token_where_asking_for_it_does(deployment: Deployment, tmp_path: Path) -> None:
    url = raw_tables(tmp_path / "w.duckdb")
    with api_over(url, deployment=deployment.name, token="secret") as api:
        bearer = {"Authorization": "Bearer secret"}
        run = api.client.post("/run", headers=bearer).json()
        answer = api.client.get(f"/run/{run['id']}")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert api.client.get(f"/run/{run['id']}", headers=bearer).json()["id"] == run["id"]


def test_an_unknown_run_and_another_flows_run_are_not_found(api: Served, deployment: Deployment) -> None:
    with deployed(str(deployment.prefect.api_url)) as other:
        foreign = other.prefect.create_flow_run_from_deployment(other.id)
    for identity in [str(uuid4()), str(foreign.id)]:
        answer = api.client.get(f"/run/{identity}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-run")


def test_waiting_ends_with_the_run(api: Served, deployment: Deployment) -> None:
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(api.client.post, "/run", headers={"Prefer": "wait=50"})
        while not (runs := deployment.runs()):
            time.sleep(0.05)
        deployment.move(str(runs[0].id), Running())
        deployment.move(str(runs[0].id), Completed())
    shown = answer.result()
    assert shown.status_code == 200
    assert (shown.json()["state"], shown.json()["tables"]) == ("Completed", [])
    assert shown.headers["preference-applied"] == "wait=50"
    assert shown.headers["location"] == f"/run/{runs[0].id}"


def test_waiting_ends_when_the_time_is_over(api: Served) -> None:
    answer = api.client.post("/run", headers={"Prefer": "respond-async, wait=1"})
    assert (answer.status_code, answer.json()["state"]) == (202, "Scheduled")


def test_a_missing_deployment_is_told_apart_from_a_missing_server(prefect_server: str, tmp_path: Any) -> None:
    url = raw_tables(tmp_path / "w.duckdb")
    with deployed(prefect_server), api_over(url, deployment="refresh/nowhere") as api:
        answer = api.client.post("/run")
        assert (answer.status_code, answer.json()["code"]) == (503, "deployment-missing")
        assert "refresh/nowhere" in answer.json()["detail"]
        ready = api.client.get("/health/ready")
        assert [it["code"] for it in ready.json()["missing"]] == ["deployment-missing"]


def test_a_server_that_does_not_answer_is_told(tmp_path: Any) -> None:
    with ExitStack() as stack:
        stack.enter_context(temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}))
        api = stack.enter_context(api_over(raw_tables(tmp_path / "w.duckdb")))
        answers = [api.client.post("/run"), api.client.get(f"/run/{uuid4()}")]
        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (503, "prefect-unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert api.client.get("/health/ready").status_code == 503
        assert api.client.get("/health/live").status_code == 200


def test_the_api_is_ready_when_both_its_sides_are(api: Served) -> None:
    assert api.client.get("/health/ready").json() == {"status": "ok"}


def test_a_run_that_another_covers_is_answered_with_that_one(api: Served, deployment: Deployment) -> None:
    waits, surplus = ask(api), deployment.prefect.create_flow_run_from_deployment(deployment.id)
    cover_surplus(deployment.prefect, deployment.id)
    assert deployment.run(str(surplus.id)).state_name == COVERED
    deployment.move(waits["id"], Running())
    shown = api.client.get(f"/run/{surplus.id}").json()
    assert (shown["id"], shown["state"]) == (waits["id"], "Running")


def test_waiting_goes_on_while_it_is_in_doubt_whether_a_run_lives(api: Served, deployment: Deployment) -> None:
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(api.client.post, "/run", headers={"Prefer": "wait=50"})
        while not (runs := deployment.runs()):
            time.sleep(0.05)
        states: list[State[None]] = [Running(), Crashed(name=SILENT), Running(), Completed()]
        for state in states:
            deployment.move(str(runs[0].id), state)
    assert answer.result().json()["state"] == "Completed"


@pytest.fixture
def declared(write: Write) -> None:
    """A project with variables."""
    write({"refresh.toml": "[variables]\nday = 2026-01-31\nleast = 2\n"})


@pytest.mark.usefixtures("declared")
def test_values_of_variables_become_parameters_of_the_run(api: Served, deployment: Deployment) -> None:
    answer = api.client.post("/run", json={"variables": {"Day": "2026-02-28", "least": "7"}})
    assert answer.status_code == 202, answer.text
    assert answer.json()["variables"] == {"day": "2026-02-28", "least": 7}
    stored = deployment.run(answer.json()["id"])
    assert stored.parameters["variables"] == {"day": "2026-02-28", "least": 7}
    assert api.client.get(f"/run/{stored.id}").json()["variables"] == {"day": "2026-02-28", "least": 7}
    assert "variables" not in deployment.run(ask(api)["id"]).parameters


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize(
    ("values", "detail"),
    [
        ({"dayy": "2026-02-28"}, "there is no variable of this name; did you mean day?"),
        ({"day": "soon"}, "'soon' is not DATE: write 2026-11-30"),
        ({"least": 1.5}, "'1.5' is not INT64"),
        ({"least": None}, "a variable cannot be NULL"),
    ],
)
def test_values_that_do_not_fit_are_refused(
    api: Served, deployment: Deployment, values: dict[str, Any], detail: str
) -> None:
    answer = api.client.post("/run", json={"variables": values})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-variables")
    assert detail in answer.json()["detail"]
    assert deployment.runs() == []


@pytest.mark.usefixtures("declared")
def test_a_waiting_run_serves_requests_with_its_values_only(api: Served, deployment: Deployment) -> None:
    def with_day(day: str, target: str = "/run") -> str:
        return str(api.client.post(target, json={"variables": {"day": day}}).json()["id"])

    plain, first, second = ask(api)["id"], with_day("2026-01-01"), with_day("2026-01-02")
    assert len({plain, first, second}) == 3
    assert (ask(api)["id"], with_day("2026-01-01"), with_day("2026-01-02")) == (plain, first, second)
    assert with_day("2026-01-02", "/run?select=tmp.variants") == second
    assert [deployment.run(run).parameters["select"] for run in (plain, first, second)] == [[], [], []]
    with temporary_settings({PREFECT_API_REQUEST_TIMEOUT: 60.0}):
        cover_surplus(deployment.prefect, deployment.id)
    assert [deployment.run(run).state_name for run in (plain, first, second)] == ["Scheduled"] * 3


@pytest.mark.usefixtures("declared")
def test_a_key_belongs_to_its_values(api: Served) -> None:
    def of_key(day: str, target: str = "/run") -> int:
        body = {"variables": {"day": day}}
        return api.client.post(target, json=body, headers={"Idempotency-Key": "banana"}).status_code

    asked = [of_key("2026-01-01"), of_key("2026-01-01", "/run?load=false"), of_key("2026-01-02")]
    assert [*asked, of_key("2026-01-01", "/run?load=true")] == [202, 202, 422, 422]


def test_a_run_that_loads_serves_those_who_ask_for_that(api: Served, deployment: Deployment) -> None:
    plain, loading = ask(api), api.client.post("/run?load=true&select=raw.orders%2B").json()
    assert (plain["load"], loading["load"], plain["id"] != loading["id"]) == (False, True, True)
    parameters = deployment.run(loading["id"]).parameters
    assert (parameters["select"], parameters["load"]) == (["raw.orders+"], True)
    assert "load" not in deployment.run(plain["id"]).parameters
    assert api.client.post("/run?load=true&select=raw.orders%2B").json()["id"] == loading["id"]
    assert api.client.get(f"/run/{loading['id']}").json()["load"] is True

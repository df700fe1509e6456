"""At most one run waits: what is asked for too much is covered by what waits, and nothing that was promised is lost."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import AwaitingRetry, Pending, Running, Scheduled

from tests.api.prefect_parts import Deployment, deployed
from warehouse_refresh.flows import records, surplus
from warehouse_refresh.flows.surplus import cover_surplus
from warehouse_refresh.pipeline.contract import COVERED, COVERED_BY_TAG


@pytest.fixture
def deployment(prefect_server: str) -> Iterator[Deployment]:
    with deployed(prefect_server) as it:
        yield it


def asked_for(deployment: Deployment, *select: str, late: int = 1, **others: Any) -> FlowRun:
    """A run that somebody has asked for, due `late` seconds ago."""
    due: State[None] = Scheduled(scheduled_time=datetime.now(UTC) - timedelta(seconds=late))
    return deployment.prefect.create_flow_run_from_deployment(
        deployment.id, parameters={"select": list(select), **others}, state=due
    )


def states(deployment: Deployment, *runs: FlowRun) -> list[str]:
    return [str(deployment.run(str(run.id)).state_name) for run in runs]


def test_of_runs_that_wait_the_first_is_kept_and_the_others_name_it(deployment: Deployment) -> None:
    first, second, third = (asked_for(deployment) for _ in range(3))
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, first, second, third) == ["Scheduled", COVERED, COVERED]
    assert f"{COVERED_BY_TAG}{first.id}" in deployment.run(str(third.id)).tags


def test_what_is_too_much_at_once_is_covered_the_next_time(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that does this has to say in between that it is alive."""
    monkeypatch.setattr(surplus, "_AT_ONCE", 1)
    first, second, third = (asked_for(deployment, late=late) for late in (900, 600, 300))
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, first, second, third) == ["Scheduled", COVERED, "Scheduled"]
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, first, second, third) == ["Scheduled", COVERED, COVERED]


def test_all_that_waits_is_looked_at_however_much_it_is(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "PAGE", 2)
    runs = [asked_for(deployment, late=600 - number) for number in range(5)]
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, *runs) == ["Scheduled", *[COVERED] * 4]


def test_what_is_due_goes_by_the_servers_clock(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's clock is taken to be five minutes ahead of this machine's."""
    waits, later = asked_for(deployment), asked_for(deployment, late=-240)
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, waits, later) == ["Scheduled", "Scheduled"]
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    monkeypatch.setattr(surplus, "server_time", lambda _: ahead)
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, waits, later) == ["Scheduled", COVERED]


def test_a_run_covers_what_it_builds_and_no_more(deployment: Deployment) -> None:
    products, variants, both = (asked_for(deployment, *select) for select in (["tmp.p"], ["tmp.v"], ["tmp.p", "tmp.v"]))
    again = asked_for(deployment, "tmp.v")
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, products, variants, both, again) == ["Scheduled", "Scheduled", "Scheduled", COVERED]
    backfill = asked_for(deployment, "tmp.p", backfill_from="2026-01-01", backfill_to="2026-01-31")
    everything = asked_for(deployment)
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, products, variants, both, everything) == [COVERED, COVERED, COVERED, "Scheduled"]
    assert states(deployment, backfill) == ["Scheduled"]


def test_a_run_of_a_schedule_is_covered_and_covers_nobodys_run_since_it_goes_with_its_schedule(
    deployment: Deployment,
) -> None:
    products, scheduled = asked_for(deployment, "tmp.p"), deployment.schedule_a_run()
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, products, scheduled) == ["Scheduled", "Scheduled"]
    everything = asked_for(deployment, late=0)
    cover_surplus(deployment.prefect, deployment.id)
    deployment.end_schedules()
    assert states(deployment, products, scheduled, everything) == [COVERED, COVERED, "Scheduled"]


def test_runs_of_tomorrow_retries_and_runs_that_have_begun_are_left_alone(deployment: Deployment) -> None:
    first = asked_for(deployment)
    tomorrows, pending, running, retried = asked_for(deployment, late=-86400), *(asked_for(deployment) for _ in "123")
    moves: list[tuple[FlowRun, Any]] = [
        (pending, Pending()),
        (running, Running()),
        (retried, Running()),
        (retried, AwaitingRetry(scheduled_time=datetime.now(UTC))),
    ]
    for run, state in moves:
        deployment.move(str(run.id), state)
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, first, tomorrows, pending, running, retried) == [
        "Scheduled",
        "Scheduled",
        "Pending",
        "Running",
        "AwaitingRetry",
    ]


def meanwhile(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let this happen once it is decided that a run is covered, just before it is."""
    update = deployment.prefect.update_flow_run

    def update_later(*arguments: Any, **named: Any) -> Any:
        monkeypatch.undo()
        happens()
        return update(*arguments, **named)

    monkeypatch.setattr(deployment.prefect, "update_flow_run", update_later)


def test_a_run_whose_coverer_began_meanwhile_waits_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have begun before the last request that got the other run."""
    first, second = asked_for(deployment), asked_for(deployment)
    meanwhile(deployment, monkeypatch, lambda: deployment.move(str(first.id), Running()))
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, first, second) == ["Running", "Scheduled"]


def test_a_run_that_began_meanwhile_goes_on(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own process would run beside the next one, if it waited again."""
    first, second = asked_for(deployment), asked_for(deployment)
    meanwhile(deployment, monkeypatch, lambda: deployment.move(str(second.id), Running()))
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, first, second) == ["Scheduled", "Running"]


def test_a_run_that_the_api_widens_meanwhile_waits_again(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request for everything got it, and the one that covers it builds one table."""
    first, second = asked_for(deployment, "tmp.v"), asked_for(deployment, "tmp.v")
    prefect = deployment.prefect
    meanwhile(deployment, monkeypatch, lambda: prefect.update_flow_run(second.id, parameters={"select": []}))
    cover_surplus(prefect, deployment.id)
    assert states(deployment, first, second) == ["Scheduled", "Scheduled"]


def test_a_run_that_is_covered_a_second_time_names_the_last_one_only(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (asked_for(deployment, late=late) for late in (600, 900, 300))
    meanwhile(deployment, monkeypatch, lambda: deployment.move(str(second.id), Running()))
    cover_surplus(deployment.prefect, deployment.id)  # by the second, which begins
    cover_surplus(deployment.prefect, deployment.id)
    assert states(deployment, first, second, third) == ["Scheduled", "Running", COVERED]
    named = [tag for tag in deployment.run(str(third.id)).tags if tag.startswith(COVERED_BY_TAG)]
    assert named == [f"{COVERED_BY_TAG}{first.id}"]

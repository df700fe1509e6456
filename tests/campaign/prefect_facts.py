"""What Prefect's server knows, asked over its REST API, which does not depend on this process's settings."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx

PAGE = 200


class PrefectFacts:
    """Prefect's API at `url` (…/api)."""

    def __init__(self, url: str) -> None:
        self.url = url

    def deployment(self) -> dict[str, Any]:
        """The deployment for this machine."""
        [found] = [it for it in self._post("/deployments/filter", {}) if it["name"] == "warehouse"]
        return dict(found)

    def name_of(self, deployment: dict[str, Any]) -> str:
        """A deployment's whole name."""
        flow = self._get(f"/flows/{deployment['flow_id']}")
        return f"{flow['name']}/{deployment['name']}"

    def trigger(self, deployment: str, select: list[str]) -> str:
        """Ask for a run, as the UI does; answers its id."""
        body = {"parameters": {"select": select}, "state": {"type": "SCHEDULED"}}
        return str(self._post(f"/deployments/{deployment}/create_flow_run", body)["id"])

    def cancel(self, run: str) -> None:
        """Cancel a run, as the UI does."""
        self._post(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})

    def start_schedule(self, deployment: str, seconds: float) -> str:
        """Let a schedule ask for a run every so many seconds; answers the schedule's id."""
        body = [{"schedule": {"interval": seconds}, "active": True}]
        return str(self._post(f"/deployments/{deployment}/schedules", body)[0]["id"])

    def end_schedule(self, deployment: str, schedule: str) -> None:
        """Take a schedule away, with the runs that it has asked for and that are not due."""
        httpx.delete(f"{self.url}/deployments/{deployment}/schedules/{schedule}", timeout=30).raise_for_status()

    def runs(self, *states: str) -> list[dict[str, Any]]:
        """All flow runs, or those in states of these types."""
        body = {"flow_runs": {"state": {"type": {"any_": list(states)}}}} if states else {}
        return list(self._pages("/flow_runs/filter", body))

    def begun(self, run: str) -> str | None:
        """When a run first ran. Its `start_time` may also be the moment at which it crashed before it did."""
        states = self._get(f"/flow_run_states/?flow_run_id={run}")
        return min((state["timestamp"] for state in states if state["type"] == "RUNNING"), default=None)

    def tasks(self) -> list[dict[str, Any]]:
        """All task runs."""
        return list(self._pages("/task_runs/filter", {}))

    def slots(self, deployment: dict[str, Any]) -> list[str]:
        """The places that are taken: by runs under way, and in the deployment's limit if it has one."""
        runs = [f"{run['state_name']} {run['id']}" for run in self.runs("PENDING", "RUNNING", "CANCELLING")]
        limit = deployment["global_concurrency_limit"]
        if limit and (taken := self._get(f"/v2/concurrency_limits/{limit['name']}")["active_slots"]):
            runs.append(f"{taken} of {limit['name']}")
        return runs

    def _pages(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        offset = 0
        while page := self._post(path, {**body, "limit": PAGE, "offset": offset}):
            yield from page
            offset += len(page)

    def _post(self, path: str, body: Any) -> Any:
        answer = httpx.post(self.url + path, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _get(self, path: str) -> Any:
        answer = httpx.get(self.url + path, timeout=60)
        answer.raise_for_status()
        return answer.json()


def seconds(text: str | None) -> float | None:
    """The time of day (seconds since 1970) that Prefect writes as text."""
    return datetime.fromisoformat(text).timestamp() if text else None

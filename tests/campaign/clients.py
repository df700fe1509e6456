"""Clients of the API: they send rows and ask for refreshes, note every answer, and try again as a client should."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from tests.campaign.history import Recorder
from tests.campaign.plan import SELECTIONS
from tests.campaign.project import COLUMNS, RAW
from tests.campaign.rows import LOST, NOBODY

TIMEOUT = 90.0
NOTES = ("", "plain", "ünï cødé", "a & b = c?", "'; --", "line\nbreak", "😀")


@dataclass(frozen=True, slots=True)
class Rows:
    """A request to store rows of one raw table."""

    name: str
    table: str
    rows: list[list[Any]]
    many: bool
    key: str | None
    good: bool

    def body(self) -> list[dict[str, Any]]:
        """The rows as JSON objects; where they are bad, the last one has a value that is none of its type."""
        objects = [dict(zip(COLUMNS, row, strict=True)) for row in self.rows]
        if not self.good:
            objects[-1]["number"] = "many"
        return objects


class Client:
    """One client, with requests that its seed determines. `apis` are the URLs of the API's processes, by name."""

    def __init__(self, number: int, seed: int, apis: dict[str, str], recorder: Recorder) -> None:
        self.number, self._random = number, Random(f"{seed} client {number}")
        self._apis, self._recorder = apis, recorder
        self._http = httpx.Client(timeout=TIMEOUT)
        self._sent = 0

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send_rows(self, over: threading.Event, give_up: threading.Event, pause: float) -> None:
        """Send rows until the campaign is over; what was begun with a key is finished, unless it is time to give up."""
        while not over.is_set():
            self._store(self._some_rows(), give_up)
            over.wait(self._random.uniform(0, 2 * pause))

    def ask_for_refreshes(self, over: threading.Event, pause: float) -> None:
        """Ask for refreshes until the campaign is over; each request with a key is made at every API."""
        while not over.is_set():
            self._sent += 1
            name, select = f"{self.number}.{self._sent}", self._random.choice(SELECTIONS)
            key = f"run-{name}" if self._random.random() < 0.4 else None
            wait = self._random.choice([0, 0, 0, 3])
            for _ in range(3 if key else 1):
                self.ask(name, select, key, wait)
            over.wait(self._random.uniform(0, 2 * pause))

    def ask(self, name: str, select: Sequence[str], key: str | None = None, wait: int = 0) -> str | None:
        """Ask for a refresh; answers the run's id if that was accepted."""
        api = self._random.choice([*self._apis])
        headers = {**({"Idempotency-Key": key} if key else {}), **({"Prefer": f"wait={wait}"} if wait else {})}
        facts = {"request": name, "api": api, "key": key, "select": list(select), "wait": wait}
        with self._recorder.span("ask", **facts) as found:
            found.update(
                self._post(f"{self._apis[api]}/run", params=[("select", it) for it in select], headers=headers)
            )
            run = found.pop("body", {}).get("id")
            found["run"] = run
        return str(run) if found["status"] in (200, 202) else None

    def _store(self, rows: Rows, give_up: threading.Event) -> None:
        """Send the rows; with a key, until the answer is definite."""
        unknown = False
        while True:
            status, code = self._try(rows)
            unknown |= status in (LOST, 500) or code == "outcome-unknown"
            done = status not in (LOST, NOBODY, 409, 429, 500, 503)
            patient = rows.key and (unknown or self._random.random() < 0.7)
            if done or not patient or give_up.is_set():
                return
            time.sleep(self._random.uniform(0.1, 1.5))

    def _try(self, rows: Rows) -> tuple[int, str]:
        api = self._random.choice([*self._apis])
        headers = {"Idempotency-Key": rows.key} if rows.key else {}
        url = f"{self._apis[api]}/{rows.table}"
        what = {"json": rows.body()} if rows.many else {"params": rows.body()[0]}
        facts = {name: getattr(rows, name) for name in ("table", "rows", "key", "good")}
        with self._recorder.span("rows", request=rows.name, api=api, **facts) as found:
            found.update(self._post(url, headers=headers, **what))
            found.pop("body", None)
        return found["status"], found["code"]

    def _some_rows(self) -> Rows:
        self._sent += 1
        random, name = self._random, f"{self.number}.{self._sent}"
        many = random.random() < 0.4
        rows = [self._row(index) for index in range(random.randint(1, 40) if many else 1)]
        key = f"rows-{name}" if random.random() < 0.5 else None
        return Rows(name, random.choice(RAW), rows, many, key, good=random.random() < 0.9)

    def _row(self, index: int) -> list[Any]:
        identity = (self.number * 1_000_000 + self._sent) * 100 + index
        return [identity, f"c{self.number}", self._random.randint(-(10**6), 10**6), self._random.choice(NOTES)]

    def _post(self, url: str, **request: Any) -> dict[str, Any]:
        """What became of a request: status, problem code, and the body if it is an object."""
        try:
            answer = self._http.post(url, **request)
        except httpx.ConnectError:
            return {"status": NOBODY, "code": ""}
        except httpx.HTTPError as error:
            return {"status": LOST, "code": type(error).__name__}
        try:
            body = answer.json()
        except ValueError:
            return {"status": answer.status_code, "code": "not JSON"}
        body = body if isinstance(body, dict) else {}
        return {"status": answer.status_code, "code": body.get("code", ""), "body": body}

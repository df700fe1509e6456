"""One refresh of a project's warehouse at a time: a lease, kept as the description of the table `_warehouse.refresh`.

BigQuery changes a table's description only if the table's etag matches the request's If-Match. So if two processes take
the lease at the same time, one gets it. This costs nothing and starts no job:
https://cloud.google.com/python/docs/reference/bigquery/latest/google.cloud.bigquery.client.Client#google_cloud_bigquery_client_Client_update_table

- The holder renews the lease three times in its term (`Waits.lease`).
- A waiting process takes the lease when it has seen no renewal for a whole term. Its clock goes on while the machine
  sleeps.
- A holder that could not renew in time starts no job before it has renewed. It stops if another process has the lease.
- The next holder first cancels the jobs that the last one left behind, which it finds by their label, and waits until
  they have ended.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud import bigquery

from warehouse_refresh.warehouse.bigquery.errors import GOOGLE_ERRORS, google_errors
from warehouse_refresh.warehouse.bigquery.jobs import Jobs
from warehouse_refresh.warehouse.bigquery.settings import Waits
from warehouse_refresh.warehouse.errors import NotAllowed, WarehouseError

TABLE = "refresh"
LABEL = "lease"
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: MONOTONIC goes on while it sleeps


class Lease:
    """The right to refresh, for one refresh of this process. `make` creates the table when it is missing."""

    def __init__(self, jobs: Jobs, waits: Waits, table: bigquery.TableReference, make: Callable[[], None]) -> None:
        self.token = secrets.token_hex(8)
        self._jobs, self._waits, self._reference, self._make = jobs, waits, table, make
        self._table = bigquery.Table(table)
        self._holder = self._lost = ""
        self._written_at = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def held(self, holder: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Hold the lease inside the block; see `Warehouse.refresh_lock`. Raises WarehouseError."""
        self._holder = holder
        with google_errors():
            last = self._take(on_wait)
        over = threading.Event()
        thread = threading.Thread(target=self._keep, args=[over], name="lease", daemon=True)
        thread.start()
        left = last.text  # if we stop before those jobs have ended, the next one must find them
        try:
            self._end_jobs_of(last)
            left = ""
            yield
        finally:
            over.set()
            thread.join(self._waits.cancel)  # it may be waiting for a service that does not answer
            self._give_back(left)

    def check(self) -> None:
        """Raise WarehouseError unless the lease is ours, for long enough to start a job."""
        if not self._lost and _now() - self._written_at > self._waits.lease / 2:
            with google_errors():
                self._renew()
        if self._lost:
            raise WarehouseError(self._lost)

    def _take(self, on_wait: Callable[[str], None]) -> "_Written":
        """Take the lease. Returns what the last holder had written."""
        seen, since, has_said = "", 0.0, False
        while True:
            self._read()
            text = self._table.description or ""
            if text != seen:
                seen, since = text, _now()
            last = _written(text)
            if (not last.token or _now() - since > self._waits.lease) and self._write():
                return last
            if last.token and not has_said:
                on_wait(last.holder)
                has_said = True
            self._pause()

    def _keep(self, over: threading.Event) -> None:
        while not over.wait(self._waits.lease / 3) and not self._lost:
            with suppress(*GOOGLE_ERRORS):  # the next renewal, or `check`, tries again
                self._renew()

    def _renew(self) -> None:
        with self._lock:
            if self._lost or self._write():
                return
            other = _written(self._table.description).holder or "it does not say whose"
            self._lost = f"another refresh has taken over ({other}), since this one did not renew its lease in time"
        self._jobs.cancel()

    def _write(self) -> bool:
        """Write that the lease is ours. False if another process has written since we read the table."""
        text = json.dumps({"holder": self._holder, "token": self.token, "written": secrets.token_hex(4)})
        while True:
            began = _now()
            try:
                self._replace(text)
            except PreconditionFailed:
                self._read()
                if _written(self._table.description).token != self.token:
                    return False
                if self._table.description != text:
                    continue  # ours, but changed since we read it
            self._written_at = began
            return True

    def _give_back(self, left: str) -> None:
        if not self._lost:
            with suppress(*GOOGLE_ERRORS):  # if this fails, the next holder waits for a term
                self._replace(left or None)

    def _replace(self, text: str | None) -> None:
        """Set the description if the table has not changed since we read it. Raises PreconditionFailed."""
        self._table.description = text
        self._table = self._jobs.client.update_table(
            self._table, ["description"], retry=self._jobs.retry, timeout=self._waits.request
        )

    def _read(self) -> None:
        try:
            self._table = self._get()
        except NotFound:
            self._make()
            self._table = self._get()

    def _get(self) -> bigquery.Table:
        return self._jobs.client.get_table(self._reference, retry=self._jobs.retry, timeout=self._waits.request)

    def _end_jobs_of(self, last: "_Written") -> None:
        """Cancel the jobs that the last holder left behind, and wait until they have ended."""
        while last.token and (left := self._jobs_of(last.token)):
            for job in left:
                with suppress(*GOOGLE_ERRORS):  # another account's job: wait for it
                    self._jobs.client.cancel_job(job.job_id, location=job.location, timeout=self._waits.request)
            self._pause()

    def _jobs_of(self, token: str) -> list[bigquery.QueryJob]:
        """The running jobs with this token, also those of other accounts if this one may list them."""
        for all_users in (True, False):
            with suppress(NotAllowed), google_errors():
                under_way = [
                    job
                    for state in ("pending", "running")
                    for job in self._jobs.client.list_jobs(
                        all_users=all_users, state_filter=state, retry=self._jobs.retry, timeout=self._waits.request
                    )
                ]
                return [job for job in under_way if (job.labels or {}).get(LABEL) == token]
        return []

    def _pause(self) -> None:
        self._jobs.check_not_cancelled()
        time.sleep(self._waits.lease / 30)


@dataclass(frozen=True, slots=True)
class _Written:
    """The table's description: its text, and the lease's holder and token in it, all empty if nobody holds it."""

    text: str = ""
    holder: str = ""
    token: str = ""


def _written(text: str | None) -> _Written:
    """Read the table's description. A text that is no lease means that nobody holds it."""
    try:
        found = json.loads(text or "{}")
        return _Written(text or "", str(found["holder"]), str(found["token"]))
    except (ValueError, KeyError, TypeError):
        return _Written()


def _now() -> float:
    return time.clock_gettime(_CLOCK)

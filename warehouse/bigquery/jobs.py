"""Query jobs under ids of our own: sent once, found again, waited for, cancelled.

A job's id is its name with a number: `refresh-…-1`. BigQuery refuses an id that it has seen (409), in a project and
location for about six months, so that asking twice is one job. A job that failed stays failed, so the next try takes
the next number: https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import cast

from google.api_core.exceptions import Conflict, NotFound
from google.api_core.retry import Retry, exponential_sleep_generator
from google.cloud import bigquery

from warehouse.bigquery.errors import (
    ASK_AGAIN,
    GOOGLE_ERRORS,
    google_errors,
    job_error,
    may_pass,
    refused,
    translated,
)
from warehouse.bigquery.settings import Settings, Waits
from warehouse.errors import Cancelled, OutcomeUnknown, Transient

_TRIES = 3  # jobs of one call; each one that failed for a passing reason is followed by another


@dataclass(frozen=True, slots=True)
class Finished:
    """A job that ended well. `ours` says that this call started it, and did not find it from an earlier one."""

    job: bigquery.QueryJob
    ours: bool


class Jobs:
    """The query jobs that one process has started."""

    def __init__(self, client: bigquery.Client, settings: Settings, waits: Waits) -> None:
        self.client, self._settings, self._waits = client, settings, waits
        self._cancelled = threading.Event()
        self._under_way: set[str] = set()
        # The only layer that repeats requests: Google's own Retry (growing waits with jitter, bounded in time).
        self.retry = self._retry(self._goes_on, waits.total)
        # A 409 says that the job exists, though jobs.get may not know it yet:
        # https://github.com/googleapis/python-bigquery/issues/2134
        self._retry_after_409 = self._retry(
            lambda error: isinstance(error, NotFound) or self._goes_on(error), min(waits.total, 10.0)
        )
        self._retry_cancel = self._retry(may_pass, waits.cancel)

    def check_not_cancelled(self) -> None:
        """Raises Cancelled after `cancel()`."""
        if self._cancelled.is_set():
            raise Cancelled("the work was cancelled")

    def run(self, name: str, sql: str, config: bigquery.QueryJobConfig, attempt: int = 1) -> Finished:
        """Run the SQL as the job that the name determines, or find that job and wait for it.

        The job of an earlier `attempt` is used if it has ended well or still runs: its answer was lost. Raises what
        the job failed of; Cancelled; OutcomeUnknown if it cannot be found out what became of it.
        """
        try:
            for number in range(1, attempt):
                earlier = self._earlier(f"{name}-{number}", sql)
                if earlier is not None:
                    return Finished(earlier, ours=False)
            return self._run(name, sql, config, attempt)
        except Transient:
            self.check_not_cancelled()
            raise

    def dry_run(self, sql: str) -> bigquery.QueryJob:
        """What BigQuery makes of the SQL, without running it; costs nothing."""
        self.check_not_cancelled()
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False, use_legacy_sql=False)
        with google_errors():
            return self.client.query(
                sql, job_config=config, retry=self.retry, timeout=self._waits.request, job_retry=None
            )

    def cancel(self) -> None:
        """Cancel every job that is under way, and wait briefly until they have ended. Later calls raise Cancelled."""
        self._cancelled.set()
        ids = list(self._under_way)
        for job_id in ids:
            self._stop(job_id)
        deadline = time.monotonic() + self._waits.cancel
        while time.monotonic() < deadline and any(self._runs(job_id) for job_id in ids):
            time.sleep(self._waits.poll)

    def _run(self, name: str, sql: str, config: bigquery.QueryJobConfig, first: int) -> Finished:
        call = secrets.token_hex(8)
        config.labels = {**config.labels, "call": call}
        pauses = exponential_sleep_generator(self._waits.first, self._waits.longest, 2.0)
        tries = 0
        for number in count(first):
            with self._under_way_as(f"{name}-{number}") as job_id:
                job = self._send(job_id, sql, config)
                ours = job.labels.get("call") == call
                if not ours and job.error_result:
                    continue  # it failed before we came
                self._wait(job)
            if not job.error_result:
                return Finished(job, ours)
            tries += 1
            if job.error_result.get("reason") not in ASK_AGAIN or tries >= _TRIES:
                raise job_error(job.error_result)
            self._cancelled.wait(next(pauses))
        raise AssertionError("count() does not end")

    def _earlier(self, job_id: str, sql: str) -> bigquery.QueryJob | None:
        """The job, waited for, if it exists, ran this very SQL and did not fail."""
        with self._under_way_as(job_id), _found_out(job_id):
            try:
                job = self._get(job_id, self.retry)
            except NotFound:
                return None
            self._wait(job)
        return None if job.error_result or job.query != sql else job

    def _send(self, job_id: str, sql: str, config: bigquery.QueryJobConfig) -> bigquery.QueryJob:
        """The job with this id, which this call or an earlier one has started."""
        self.check_not_cancelled()
        try:
            return self.client.query(
                sql,
                job_config=config,
                job_id=job_id,
                retry=self.retry,
                timeout=self._waits.request,
                job_retry=None,  # it would send the SQL again under another id
            )
        except Conflict:
            with _found_out(job_id):
                return self._get(job_id, self._retry_after_409)
        except GOOGLE_ERRORS as error:
            return self._sent_all_the_same(job_id, error)

    def _sent_all_the_same(self, job_id: str, error: Exception) -> bigquery.QueryJob:
        """The job, if it was started although sending it ended in an error."""
        try:
            return self._get(job_id, self.retry)
        except NotFound:
            raise translated(error) from error
        except GOOGLE_ERRORS as unknown:
            if refused(error):
                raise translated(error) from error
            raise OutcomeUnknown(f"the connection to BigQuery broke while it was sent the job {job_id}") from unknown

    def _wait(self, job: bigquery.QueryJob) -> None:
        """Until the job has ended, well or not. Raises Cancelled if it ended, or did not soon, after `cancel()`."""
        pause = self._waits.poll
        while job.state != "DONE":
            if self._cancelled.wait(pause):
                self._wait_for_stop(job)
            with _found_out(job.job_id):
                job.reload(retry=self.retry, timeout=self._waits.request)
            pause = min(pause * 1.5, self._waits.poll_longest)
        if job.error_result:
            self.check_not_cancelled()

    def _wait_for_stop(self, job: bigquery.QueryJob) -> None:
        self._stop(job.job_id)
        deadline = time.monotonic() + self._waits.cancel
        while self._runs(job.job_id):
            if time.monotonic() > deadline:
                self.check_not_cancelled()
            time.sleep(self._waits.poll)

    @contextmanager
    def _under_way_as(self, job_id: str) -> Iterator[str]:
        """While this lasts, `cancel()` cancels the job; so does what interrupts it (Ctrl-C, the end of the process)."""
        self._under_way.add(job_id)
        try:
            yield job_id
        except Exception:
            raise
        except BaseException:
            self._stop(job_id)
            raise
        finally:
            self._under_way.discard(job_id)

    def _stop(self, job_id: str) -> None:
        with suppress(*GOOGLE_ERRORS):
            self.client.cancel_job(
                job_id, location=self._settings.location, retry=self._retry_cancel, timeout=self._waits.request
            )

    def _get(self, job_id: str, retry: Retry) -> bigquery.QueryJob:
        job = self.client.get_job(job_id, location=self._settings.location, retry=retry, timeout=self._waits.request)
        return cast(bigquery.QueryJob, job)

    def _runs(self, job_id: str) -> bool:
        try:
            return bool(self._get(job_id, self._retry_cancel).state != "DONE")
        except GOOGLE_ERRORS:
            return False

    def _goes_on(self, error: Exception) -> bool:
        return may_pass(error) and not self._cancelled.is_set()

    def _retry(self, predicate: Callable[[Exception], bool], total: float) -> Retry:
        return Retry(predicate, self._waits.first, self._waits.longest, 2.0, timeout=total)


@contextmanager
def _found_out(job_id: str) -> Iterator[None]:
    """Raises OutcomeUnknown if what became of the job cannot be found out."""
    try:
        yield
    except GOOGLE_ERRORS as error:
        meaning = translated(error)
        if isinstance(meaning, Transient):
            raise OutcomeUnknown(f"the connection to BigQuery broke while the job {job_id} was under way") from error
        raise meaning from error

"""Query jobs under ids of our own: sent once, found again, waited for, cancelled.

A job's id is its name with a number: `refresh-…-1`. Within a project and location, BigQuery refuses an id that it has
seen in the last six months (409), so a request that is sent twice starts one job. A failed job cannot be started again,
so the next try takes the next number: https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid
"""

import secrets
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from google.api_core.exceptions import Conflict, NotFound
from google.api_core.retry import Retry, exponential_sleep_generator
from google.cloud import bigquery
from google.cloud.bigquery.table import RowIterator

from warehouse_refresh.warehouse.bigquery.client import ask, jobs_between, results, rows_of
from warehouse_refresh.warehouse.bigquery.errors import (
    GOOGLE_ERRORS,
    google_errors,
    is_conflict,
    job_error,
    may_pass,
    may_succeed_soon,
    refused,
    translated,
)
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings, Waits
from warehouse_refresh.warehouse.bigquery.storing.parameters import Value
from warehouse_refresh.warehouse.errors import Cancelled, OutcomeUnknown, Transient, WarehouseError

Job = bigquery.QueryJob | bigquery.LoadJob
Page = Mapping[str, Any]
"""The first rows of a job's result, as BigQuery answers them."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that are wanted of a result: at most `limit`, or all."""

    limit: int | None


_TRIES = 3  # jobs that one call sends: another one after a passing fault
_IDS = 100  # ids that one call looks at: it skips those of jobs that failed in earlier calls


class Jobs:
    """The query jobs that one process has started."""

    def __init__(self, client: bigquery.Client, settings: BigQuerySettings, waits: Waits) -> None:
        self.client, self._settings, self._waits = client, settings, waits
        self._cancelled = threading.Event()
        self._under_way: set[str] = set()
        self._asked: set[str] = set()  # the labels of queries whose jobs are not known yet
        self._delays: dict[str, float] = {}  # by job, from the first try to send it until one was taken
        self._took: dict[str, float] = {}  # by job, from then until it had ended
        # The only layer that repeats requests: Google's own Retry (growing waits with jitter, bounded in time).
        self.retry = self._retry(may_pass, waits.total)
        # A running job goes on even if a request about it fails, so a 401, 404 or quota error is retried, too.
        self._retry_poll = self._retry(_is_of_google, waits.total)
        self._retry_search = self._retry(lambda error: _is_of_google(error) and not _is_missing(error), waits.total)
        # A 409 says that the job exists, though jobs.get may not know it yet:
        # https://github.com/googleapis/python-bigquery/issues/2134
        self._retry_after_409 = self._retry(_is_of_google, min(waits.total, 10.0))
        # `cancel()` does not stop this one: cancelling uses it.
        self._retry_cancel = Retry(
            lambda error: _is_of_google(error) and not _is_missing(error),
            waits.first,
            waits.longest,
            2.0,
            timeout=waits.cancel,
        )

    def waited(self, job: bigquery.QueryJob) -> float:
        """How many seconds passed until BigQuery had taken the job, after refusals that were not its fault, and until
        it ran."""
        queued = (job.started - job.created).total_seconds() if job.started and job.created else 0.0
        return self._delays.get(job.job_id, 0.0) + queued

    def seconds(self, jobs: Sequence[bigquery.QueryJob]) -> float:
        """How many seconds passed from the start of the first of these jobs to the end of the last one; as it was seen
        here where BigQuery was not asked."""
        started, ended = ([at for job in jobs if (at := getattr(job, name))] for name in ("started", "ended"))
        if started and ended:
            return float((max(ended) - min(started)).total_seconds())
        return sum(self._took.get(job.job_id, 0.0) for job in jobs)

    def with_costs(self, jobs: Sequence[bigquery.QueryJob]) -> dict[str, bigquery.QueryJob]:
        """These jobs, which have ended, by their ids, with what they have cost; of several it is asked for at once.
        Those of which BigQuery does not say it are left out. `cancel()` does not stop this."""
        created = [job.created for job in jobs if job.created]
        wanted, found = {job.job_id for job in jobs}, dict[str, bigquery.QueryJob]()
        with suppress(*GOOGLE_ERRORS):
            if len(created) > 1:
                for job in jobs_between(
                    self.client, min(created), max(created), self._retry_cancel, self._waits.request
                ):
                    if job.job_id in wanted and job.ended:
                        found[job.job_id] = job
                    if len(found) == len(wanted):
                        break
            for job_id in sorted(wanted - found.keys()):
                found[job_id] = self._get(job_id, self._retry_cancel)
        return found

    def check_not_cancelled(self) -> None:
        """Raise Cancelled if `cancel()` was called."""
        if self._cancelled.is_set():
            raise Cancelled("the work was cancelled")

    def run(self, name: str, sql: str, config: bigquery.QueryJobConfig, attempt: int = 1) -> bigquery.QueryJob:
        """Run the SQL as the job with this name, or find that job and wait for it.

        If the job of an earlier `attempt` has succeeded or still runs, that job is the result: only its answer was
        lost. Raises the job's error as WarehouseError, Cancelled, or OutcomeUnknown if BigQuery does not say how it
        ended.
        """
        return self._found_or_run(name, sql, config, attempt, None)[0]

    def run_for_page(
        self, name: str, sql: str, config: bigquery.QueryJobConfig, attempt: int = 1
    ) -> tuple[bigquery.QueryJob, Page | None]:
        """As `run`, but what the job has cost is asked later, by `with_costs`; what it has waited for is known. Also
        returns what BigQuery has said of the result when the job ended, without rows. None if the job was found, or was
        done when it was sent."""
        job, page = self._found_or_run(name, sql, config, attempt, Rows(0))
        if not job.started:  # it was in a queue when BigQuery took it
            self._look(job)
        return job, page

    def finish(self, name: str, sql: str, config: bigquery.QueryJobConfig) -> None:
        """Run the SQL as the job with this name, and wait for its end, but do not ask what it did and cost. Raises what
        `run` raises."""
        self._found_or_run(name, sql, config, 1, Rows(0))

    def answer(self, name: str, sql: str, config: bigquery.QueryJobConfig, limit: int | None = None) -> RowIterator:
        """The rows of the SQL (of a script: of its last statement), at most `limit`, with their `schema`. Raises what
        `run` raises."""
        job, page = self._found_or_run(name, sql, config, 1, Rows(limit))
        return self._rows(job, page, limit)

    def ask(self, sql: str, config: bigquery.QueryJobConfig, limit: int | None = None) -> RowIterator:
        """As `answer`, for a query that only reads: one request does if it ends within some seconds. BigQuery chooses
        the job's id, so a label finds it until then, and after a lost answer another job is the answer."""
        done = self._asked_for(sql, config, limit)
        if done is None:
            return self.answer(f"query-{secrets.token_hex(16)}", sql, config, limit)
        return self._rows(done[0], done[1] or None, limit)

    def repeat(self, name: str, sql: str, config: bigquery.QueryJobConfig) -> tuple[datetime, datetime] | None:
        """As `finish`, for statements that change nothing when they are carried out once more: one request does if they
        end within some seconds. Returns when they began and ended, by BigQuery's clock, if it says so."""
        try:
            done = self._asked_for(sql, config, 0, str(uuid.uuid4()))
        except Transient:
            self.check_not_cancelled()
            done = None
        if done is None:
            self.finish(name, sql, config)
            return None
        return _time_of(done[1])

    def _asked_for(
        self, sql: str, config: bigquery.QueryJobConfig, limit: int | None, request_id: str = ""
    ) -> tuple[bigquery.QueryJob, Page] | None:
        """Run the SQL by the request that answers when it has ended. None if a job of our own is to run it: only
        jobs.insert has priorities, and a fault of the moment is repeated there."""
        if config.priority == bigquery.QueryPriority.BATCH:
            return None
        call = secrets.token_hex(16)
        config.labels = {**config.labels, "call": call}
        self.check_not_cancelled()
        with google_errors(), self._asked_as(call):
            seconds, timeout = self._waits.long_poll, self._waits.request
            page = self.retry(ask)(self.client, sql, config, limit, seconds, timeout, request_id)
        job = bigquery.QueryJob.from_api_repr(_resource(page["jobReference"], sql), self.client)
        if not page["jobComplete"]:
            with self._under_way_as(job.job_id):
                page = self._wait(job, Rows(limit)) or {}
            if job.error_result and may_succeed_soon(job.error_result):
                return None
            if job.error_result:
                raise job_error(job.error_result)
        return job, page

    def _found_or_run(
        self, name: str, sql: str, config: bigquery.QueryJobConfig, attempt: int, rows: Rows | None
    ) -> tuple[bigquery.QueryJob, Page | None]:
        try:
            for number in range(1, attempt):
                earlier = self._earlier(f"{name}-{number}", sql)
                if earlier is not None:
                    return earlier, None
            return self._run(name, sql, config, attempt, rows)
        except Transient:
            self.check_not_cancelled()
            raise

    def _rows(self, job: bigquery.QueryJob, page: Page | None, limit: int | None) -> RowIterator:
        with self._or_unknown(job.job_id):
            if page is None:
                ask = self._retry_poll(results)
                page = ask(self.client, job, limit, self._waits.long_poll, self._waits.request)
            return rows_of(self.client, job, page, limit, self.retry, self._waits.request)

    def dry_run(self, sql: str, parameters: Sequence[Value] = ()) -> bigquery.QueryJob:
        """A dry run of the SQL with these query parameters: its columns and bytes, or its error. It costs nothing."""
        self.check_not_cancelled()
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False, use_legacy_sql=False)
        config.query_parameters = list(parameters)
        with google_errors():
            return self.client.query(
                sql, job_config=config, retry=self.retry, timeout=self._waits.request, job_retry=None
            )

    def load(self, file: Path, table: bigquery.TableReference, config: bigquery.LoadJobConfig) -> None:
        """Send the file, and wait until it is loaded. Raises the job's error as WarehouseError, Cancelled, or
        OutcomeUnknown."""
        self.check_not_cancelled()
        with self._under_way_as(f"load-{secrets.token_hex(16)}") as job_id:
            job = self._send_file(job_id, file, table, config)
            self._wait(job)
        if job.error_result:
            raise job_error(job.error_result)

    def cancel(self) -> None:
        """Cancel every job that is under way, and wait briefly until they have ended. Later calls raise Cancelled."""
        self._cancelled.set()
        self._stop(*self._under_way, *self._jobs_of({*self._asked}))

    def _run(
        self, name: str, sql: str, config: bigquery.QueryJobConfig, first: int, rows: Rows | None = None
    ) -> tuple[bigquery.QueryJob, Page | None]:
        call = secrets.token_hex(8)
        config.labels = {**config.labels, "call": call}
        pauses = exponential_sleep_generator(self._waits.first, self._waits.longest, 2.0)
        tries, conflict, began = 0, False, time.monotonic()
        deadline = began + self._waits.total
        for number in range(first, first + _IDS):
            with self._under_way_as(f"{name}-{number}") as job_id:
                job = self._send(job_id, sql, config)
                self._delays[job_id] = time.monotonic() - began
                ours = job.labels.get("call", call) == call  # a job without labels counts as ours
                if not ours and job.error_result:
                    continue  # it failed in an earlier call
                sent = time.monotonic()
                page = self._wait(job, rows)
                self._took[job_id] = time.monotonic() - sent
            if not job.error_result:
                return job, page
            conflict = is_conflict(job.error_result)  # with others' jobs: there may be many, so tries are not counted
            tries += not conflict
            enough = time.monotonic() > deadline if conflict else tries >= _TRIES
            if enough or not may_succeed_soon(job.error_result):
                raise job_error(job.error_result)
            self._cancelled.wait(min(next(pauses), self._waits.poll_longest) if conflict else next(pauses))
        if conflict:
            raise job_error(job.error_result)
        raise WarehouseError(f"the {_IDS} jobs from {name}-{first} on have all failed: look at them in the console")

    def _earlier(self, job_id: str, sql: str) -> bigquery.QueryJob | None:
        """Wait for the job with this id. Returns it if it exists, ran the same SQL and succeeded."""
        with self._under_way_as(job_id), self._or_unknown(job_id):
            try:
                job = self._get(job_id, self._retry_search)
            except NotFound:
                return None
            self._wait(job)
        return None if job.error_result or job.query != sql else job

    def _send(self, job_id: str, sql: str, config: bigquery.QueryJobConfig) -> bigquery.QueryJob:
        """Start the job with this id, or find it if an earlier call has started it."""
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
            with self._or_unknown(job_id):
                return self._get(job_id, self._retry_after_409)
        except GOOGLE_ERRORS as error:
            return self._find_after_error(job_id, error)

    def _send_file(
        self, job_id: str, file: Path, table: bigquery.TableReference, config: bigquery.LoadJobConfig
    ) -> Job:
        """Start the job with this id, or find it if a try whose answer was lost has started it."""
        try:
            with file.open("rb") as content:
                return self.client.load_table_from_file(
                    content,
                    table,
                    job_id=job_id,
                    location=self._settings.location,
                    job_config=config,
                    timeout=self._waits.request,
                )
        except Conflict:
            with self._or_unknown(job_id):
                return self._get(job_id, self._retry_after_409)
        except GOOGLE_ERRORS as error:
            return self._find_after_error(job_id, error)

    def _find_after_error(self, job_id: str, error: Exception) -> bigquery.QueryJob:
        """The job, if it was started although sending it ended in an error: BigQuery may have carried out a try whose
        answer was lost. After a refusal that is unlikely, so it is looked for only once."""
        try:
            return self._get(job_id, self.retry if refused(error) else self._retry_search)
        except NotFound:
            raise translated(error) from error
        except GOOGLE_ERRORS as unknown:
            if refused(error):
                raise translated(error) from error
            self._stop(job_id)
            raise OutcomeUnknown(f"the connection to BigQuery broke while the job {job_id} was being sent") from unknown

    def _wait(self, job: Job, rows: Rows | None = None) -> Page | None:
        """Wait until the job has succeeded or failed. If only its `rows` are asked for, the first of them are enough:
        then it is not looked at once more, and its costs are unknown. Returns what was said last of the result. Raises
        Cancelled if `cancel()` was called meanwhile."""
        pause, page = self._waits.poll, None
        while job.state != "DONE":
            page = self._until_ended(job, rows.limit if rows else 0)
            if page is not None and page["jobComplete"] and rows:
                return page
            if page is None or not page["jobComplete"]:
                self._cancelled.wait(pause)
            if page is None or page["jobComplete"]:
                self._look(job)
                pause = min(pause * 1.5, self._waits.poll_longest)
        if job.error_result:
            self.check_not_cancelled()
        return page

    def _until_ended(self, job: Job, limit: int | None) -> Page | None:
        """What BigQuery says as soon as the job has ended, or while it runs on. None if that cannot be asked: the job
        has failed, the request has, a file is loaded, or `cancel()` was called."""
        page: Page | None = None
        if isinstance(job, bigquery.QueryJob) and not self._cancelled.is_set():
            with suppress(*GOOGLE_ERRORS):
                page = results(self.client, job, limit, self._waits.long_poll, self._waits.request)
        return None if self._cancelled.is_set() else page

    def _look(self, job: Job) -> None:
        """Ask for the job's state."""
        if self._cancelled.is_set():
            self._stop(job.job_id)
        with self._or_unknown(job.job_id):
            job.reload(retry=self._retry_poll, timeout=self._waits.request)
        if job.state != "DONE":
            self.check_not_cancelled()

    @contextmanager
    def _under_way_as(self, job_id: str) -> Iterator[str]:
        """Inside the block, `cancel()` cancels the job, and so does an interrupt (Ctrl-C, the end of the process)."""
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

    @contextmanager
    def _asked_as(self, call: str) -> Iterator[None]:
        """As `_under_way_as`, for a query whose job bears the label."""
        self._asked.add(call)
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self._stop(*self._jobs_of({call}))
            raise
        finally:
            self._asked.discard(call)

    def _jobs_of(self, calls: Collection[str]) -> list[str]:
        """The ids of the running jobs with one of these labels."""
        found = []
        for state in ("pending", "running") if calls else ():
            with suppress(*GOOGLE_ERRORS):
                listed = self.client.list_jobs(
                    state_filter=state, retry=self._retry_cancel, timeout=self._waits.request
                )
                found += [job.job_id for job in listed if (job.labels or {}).get("call") in calls]
        return found

    @contextmanager
    def _or_unknown(self, job_id: str) -> Iterator[None]:
        """Raise OutcomeUnknown if a request about the job fails. The job is cancelled then, so that it does not replace
        a table that was reported as failed."""
        try:
            yield
        except GOOGLE_ERRORS as error:
            self._stop(job_id)
            meaning = translated(error)
            raise OutcomeUnknown(
                f"the job {job_id} was under way, and BigQuery did not say how it ended: {meaning}"
            ) from error

    def _stop(self, *job_ids: str) -> None:
        """Cancel the jobs, and wait briefly until they have ended."""
        for job_id in job_ids:
            with suppress(*GOOGLE_ERRORS):
                self.client.cancel_job(
                    job_id, location=self._settings.location, retry=self._retry_cancel, timeout=self._waits.request
                )
        deadline = time.monotonic() + self._waits.cancel
        while time.monotonic() < deadline and any(map(self._runs, job_ids)):
            time.sleep(self._waits.poll)

    def _get(self, job_id: str, retry: Retry) -> bigquery.QueryJob:
        job = self.client.get_job(job_id, location=self._settings.location, retry=retry, timeout=self._waits.request)
        return cast(bigquery.QueryJob, job)

    def _runs(self, job_id: str) -> bool:
        try:
            return bool(self._get(job_id, self._retry_cancel).state != "DONE")
        except GOOGLE_ERRORS:
            return False

    def _retry(self, predicate: Callable[[Exception], bool], total: float) -> Retry:
        """A Retry that ends with `cancel()`."""
        return Retry(
            lambda error: predicate(error) and not self._cancelled.is_set(),
            self._waits.first,
            self._waits.longest,
            2.0,
            timeout=total,
        )


def _resource(reference: Mapping[str, str], sql: str) -> dict[str, Any]:
    """A query job of which no more is known."""
    return {"jobReference": dict(reference), "configuration": {"query": {"query": sql}}}


def _time_of(page: Page) -> tuple[datetime, datetime] | None:
    """When a query began and ended, if the page says so: both are milliseconds."""
    moments = [int(page[name]) / 1000 for name in ("startTime", "endTime") if name in page]
    if len(moments) < 2:
        return None
    return datetime.fromtimestamp(moments[0], UTC), datetime.fromtimestamp(moments[1], UTC)


def _is_of_google(error: Exception) -> bool:
    return isinstance(error, GOOGLE_ERRORS)


def _is_missing(error: Exception) -> bool:
    return isinstance(error, NotFound)

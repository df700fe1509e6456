"""Starts the BigQuery emulator and mends what it gets wrong; runs in the emulator's own virtual environment.

Mended, so that the engine meets what the real service does:
- jobs run in the background: jobs.insert answers RUNNING, jobs.cancel stops them, an id used twice is refused (409),
  and a job is found again with its configuration, labels and location;
- a query job writes to its destination, see dispositions.py; bytes are counted, and held against the cap;
- SQL, tables and parameters: see mending.py; multi-statement transactions: see transactions.py; tables that are
  changed on a condition: see etags.py.

For the tests, a comment in a query makes a job behave: `/* emulator: hold */` runs until it is cancelled,
`/* emulator: fail REASON n */` fails the first n jobs with this text. `GET /emulator/jobs?project=` lists what was
carried out; `POST /emulator/pace?project=&seconds=&slots=` sets how long each job of the project takes, and that no
more than so many run at once: the others are PENDING. Prints the URL when it listens, and ends when its standard input
does: with the tests, however they end.
"""

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb_extensions
import fastapi.dependencies.utils
import fastapi.routing
import sqlglot
from bqemulator.api import app as emulator_app
from bqemulator.api.routes import jobs as routes
from bqemulator.config import Settings
from bqemulator.domain.errors import DomainError
from bqemulator.server import EmulatorServer
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlglot import exp
from sqlglot.errors import ErrorLevel

from tests.emulator import etags
from tests.emulator.dispositions import OtherColumns, keep_layout_of_clone, replaced_by_clone, statements_in, write
from tests.emulator.information import answer_to, check, is_assertion, is_question
from tests.emulator.mending import (
    alter,
    declare,
    field_resource,
    keep_comment,
    lay_out,
    mend_sql,
    mend_tables,
    mended,
    named_alike,
    read_partitions,
    rows_of,
    typed,
)
from tests.emulator.quickening import quicken
from tests.emulator.transactions import Aborted, is_transaction, run_transaction

MINIMUM_BILLED = 10 * 2**20  # for each table that a query reads: https://cloud.google.com/bigquery/pricing
JOBS: dict[tuple[str, str], "Job"] = {}
REQUESTED: dict[tuple[str, str], "Job"] = {}
"""By project and requestId, the query of a request that may be sent again."""
PACE: dict[str, float] = {}
SLOTS: dict[str, asyncio.Semaphore] = {}
router = APIRouter()


@dataclass
class Job:
    """A query job, from its insertion on."""

    project: str
    job_id: str
    location: str
    config: dict[str, Any]
    state: str = "RUNNING"
    error: dict[str, str] | None = None
    carried_out: bool = False
    query_statistics: dict[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    started: float = 0.0
    ended: float = 0.0
    task: Any = None

    def end(self, error: dict[str, str] | None = None) -> None:
        self.state, self.error, self.ended = "DONE", error, time.time()

    def resource(self) -> dict[str, Any]:
        created = int(self.created * 1000)
        status: dict[str, Any] = {"state": self.state}
        if self.error:
            status.update(errorResult=self.error, errors=[self.error])
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{self.location}.{self.job_id}",
            "jobReference": {"projectId": self.project, "jobId": self.job_id, "location": self.location},
            "configuration": {"jobType": "QUERY", **self.config},
            "status": status,
            "statistics": {
                "creationTime": str(created),
                **({"startTime": str(max(created, int(self.started * 1000)))} if self.started else {}),
                **({"endTime": str(int(self.ended * 1000))} if self.ended else {}),
                "query": self.query_statistics,
            },
        }


@router.post("/bigquery/v2/projects/{project}/jobs")
async def insert(project: str, request: Request) -> Any:
    body = await request.json()
    config, reference = body["configuration"], body.get("jobReference", {})
    job_id, context = reference.get("jobId", f"job-{len(JOBS)}"), request.app.state.context
    if (project, job_id) in JOBS:
        return refusal(409, "duplicate", f"Already Exists: Job {project}:{job_id}")
    job = Job(project, job_id, reference.get("location") or "US", config)
    if config.get("dryRun"):
        return await dry_run(job, context)
    JOBS[project, job_id] = job
    if (slots := SLOTS.get(project)) is not None and slots.locked():
        job.state = "PENDING"
    else:
        job.started = time.time()
    job.task = asyncio.create_task(carry_out(job, context))
    return job.resource()


@router.post("/bigquery/v2/projects/{project}/queries")
async def query(project: str, request: Request) -> Any:
    """A job with an id of the service's own: https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query"""
    asked = await request.json()
    location, known = asked.get("location") or "US", (project, asked.get("requestId") or f"request {len(JOBS)}")
    if known not in REQUESTED:
        job_id = f"job_{len(JOBS)}"
        job = JOBS[project, job_id] = Job(project, job_id, location, {"query": asked, "labels": asked["labels"]})
        job.task = asyncio.create_task(carry_out(job, request.app.state.context))
        REQUESTED[known] = job
    job, limit = REQUESTED[known], asked.get("maxResults", 10_000)
    answer = await results(request, project, job.job_id, location, asked["timeoutMs"], limit)
    said = {name: value for name, value in job.resource()["statistics"].items() if name != "query"}
    return {**answer, **said} if isinstance(answer, dict) else answer


@router.get("/bigquery/v2/projects/{project}/jobs")
async def list_jobs(  # the parameters of jobs.list
    project: str,
    stateFilter: str = "",  # noqa: N803
    minCreationTime: int = 0,  # noqa: N803
    maxCreationTime: int = sys.maxsize,  # noqa: N803
    maxResults: int = 10_000,  # noqa: N803
    pageToken: int = 0,  # noqa: N803
) -> Any:
    """The last one comes first: https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/list"""
    ours = (job for job in reversed(JOBS.values()) if job.project == project)
    found = [job.resource() for job in ours if minCreationTime <= int(job.created * 1000) <= maxCreationTime]
    wanted = [job for job in found if stateFilter.upper() in ("", job["status"]["state"])]
    page = [{**job, "state": job["status"]["state"]} for job in wanted[pageToken : pageToken + maxResults]]
    more = {"nextPageToken": str(pageToken + maxResults)} if len(wanted) > pageToken + maxResults else {}
    return {"kind": "bigquery#jobList", "jobs": page, **more}


@router.get("/bigquery/v2/projects/{project}/jobs/{job_id}")
async def get(project: str, job_id: str, location: str = "US") -> Any:
    job = JOBS.get((project, job_id))
    if job is None or job.location != location:
        return refusal(404, "notFound", f"Not found: Job {project}:{location}.{job_id}")
    return job.resource()


@router.get("/bigquery/v2/projects/{project}/queries/{job_id}")
async def results(  # the parameters of getQueryResults
    request: Request,
    project: str,
    job_id: str,
    location: str = "US",
    timeoutMs: int = 10_000,  # noqa: N803
    maxResults: int = 10_000,  # noqa: N803
    startIndex: int = 0,  # noqa: N803
    pageToken: str | None = None,  # noqa: N803
) -> Any:
    """Answers once the job has ended, or after the time: https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/getQueryResults"""
    job = JOBS.get((project, job_id))
    if job is None or job.location != location:
        return refusal(404, "notFound", f"Not found: Job {project}:{location}.{job_id}")
    await asyncio.wait([job.task], timeout=timeoutMs / 1000)
    if job.state != "DONE":
        return {"jobComplete": False, "jobReference": job.resource()["jobReference"]}
    if job.error:
        return refusal(400, job.error["reason"], job.error["message"])
    if (target := job.config.get("query", {}).get("destinationTable")) and not maxResults:
        return {**written_to(project, target, request), "jobReference": job.resource()["jobReference"]}
    if job_id not in routes.JOB_RESULTS:
        return {"jobComplete": True, "jobReference": job.resource()["jobReference"], "totalRows": "0"}
    answer = routes.get_query_results(project, job_id, None, maxResults, startIndex, pageToken)
    return {**answer, "jobReference": job.resource()["jobReference"]}


def written_to(project: str, target: dict[str, str], request: Request) -> dict[str, Any]:
    """What is said, without rows, of the result of a job that has written to the table."""
    context = request.app.state.context
    table = context.catalog.get_table(project, target["datasetId"], target["tableId"].partition("$")[0])
    if table is None:
        return {"jobComplete": True}
    schema = {"fields": [field_resource(field) for field in table.schema_.fields]}
    return {"jobComplete": True, "schema": schema, "totalRows": str(rows_of(table, context))}


@router.post("/bigquery/v2/projects/{project}/jobs/{job_id}/cancel")
async def cancel(project: str, job_id: str, location: str = "US") -> Any:
    job = JOBS.get((project, job_id))
    if job is None or job.location != location:
        return refusal(404, "notFound", f"Not found: Job {project}:{location}.{job_id}")
    if job.state != "DONE":
        job.task.cancel()
        job.end({"reason": "stopped", "message": "Job execution was cancelled: User requested cancellation"})
    return {"kind": "bigquery#jobCancelResponse", "job": job.resource()}


@router.post("/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}:testIamPermissions")
async def may(request: Request) -> Any:
    """Everybody may do everything here."""
    return await request.json()


@router.post("/emulator/pace")
async def pace(project: str, seconds: float, slots: int = 1_000_000) -> None:
    PACE[project], SLOTS[project] = seconds, asyncio.Semaphore(slots)


@router.get("/emulator/jobs")
async def carried_out(project: str) -> list[dict[str, Any]]:
    return [{**job.resource(), "carriedOut": job.carried_out} for job in JOBS.values() if job.project == project]


async def dry_run(job: Job, context: Any) -> Any:
    parameters = job.config["query"].get("queryParameters") or []
    query = mended(typed(named_alike(job.config["query"]["query"], parameters), parameters))
    answer = await routes._dry_run_response(
        project_id=job.project,
        job_id=job.job_id,
        bq_sql=query,
        query_params=None,
        ctx=context,
        caller=None,
        wire_shape="insert",
    )
    job.query_statistics = {**statistics(job, context), "schema": answer["schema"]}
    job.end()
    return job.resource()


async def carry_out(job: Job, context: Any) -> None:
    text = job.config["query"]["query"]
    if "/* emulator: hold */" in text:
        await asyncio.Event().wait()
    try:
        job.query_statistics = statistics(job, context)
        error = asked_error(job, text) or over_budget(job)
        if error is None:
            await begun(job, text, context)
    except Aborted as conflict:
        message = f"Query error: Transaction is aborted due to concurrent update against table: {conflict}"
        error = {"reason": "invalidQuery", "message": message}
    except OtherColumns as differing:
        error = {"reason": "invalid", "message": str(differing)}
    except DomainError as failed:
        error = {"reason": failed.bq_reason, "message": failed.message, "location": "query"}
    except Exception as failed:
        error = {"reason": "invalid", "message": f"the emulator failed: {failed!r}"}
    job.end(error)


async def begun(job: Job, text: str, context: Any) -> None:
    job.state = "PENDING"
    async with SLOTS.get(job.project) or contextlib.nullcontext():
        job.state, job.started, job.carried_out = "RUNNING", time.time(), True
        await run(job, text, context)


async def run(job: Job, text: str, context: Any) -> None:
    settings, seconds = job.config["query"], PACE.get(job.project, 0.0)
    if is_transaction(text):
        parameters = settings.get("queryParameters", [])
        await run_transaction(job.project, job.job_id, text, parameters, context, seconds)
        alter(job.project, text, context)
        return
    await asyncio.sleep(seconds)
    for statement in statements_in(text):
        await run_statement(job, statement, context)


async def run_statement(job: Job, text: str, context: Any) -> None:
    settings = job.config["query"]
    target, parameters = settings.get("destinationTable"), settings.get("queryParameters") or []
    if is_assertion(text):
        check(text, context)
        return
    if replaced_by_clone(text, context):
        return
    if is_question(text):
        text, parameters = answer_to(text, parameters, context), []
    text = mended(named_alike(text, parameters))
    if target:
        await write(job.job_id, text, parameters, target, settings["writeDisposition"], context)
        if settings["writeDisposition"] == "WRITE_TRUNCATE" and "$" not in target["tableId"]:
            lay_out((job.project, target["datasetId"], target["tableId"]), settings, context)
    else:
        await routes.execute_query_job(job.project, job.job_id, text, parameters, context)
        keep_layout_of_clone(text)
    declare(job.project, text, context)
    keep_comment(text, context)


def asked_error(job: Job, text: str) -> dict[str, str] | None:
    asked = re.search(r"/\* emulator: fail (\w+) (\d+) \*/", text)
    same = [other for other in JOBS.values() if other.project == job.project and other.config["query"]["query"] == text]
    if asked and sum(other.error is not None for other in same) < int(asked[2]):
        return {"reason": asked[1], "message": f"the tests asked for {asked[1]}"}
    return None


def over_budget(job: Job) -> dict[str, str] | None:
    billed, limit = int(job.query_statistics["totalBytesBilled"]), int(job.config["query"]["maximumBytesBilled"])
    if billed > limit:
        message = f"Query exceeded limit for bytes billed: {limit}. {billed} or higher required."
        return {"reason": "bytesBilledLimitExceeded", "message": message}
    return None


def statistics(job: Job, context: Any) -> dict[str, Any]:
    """As BigQuery counts: eight bytes for each value of the partitions that are read, and ten megabytes at least for
    each table."""
    tables = [
        context.catalog.get_table(job.project, node.db, node.name)
        for tree in sqlglot.parse(job.config["query"]["query"], dialect="bigquery", error_level=ErrorLevel.IGNORE)
        for node in (tree.find_all(exp.Table) if tree is not None and not isinstance(tree, exp.Create) else ())
    ]
    config = job.config["query"]
    sizes = [
        8 * rows_of(table, context, read_partitions(table, config)) * len(table.schema_.fields)
        for table in tables
        if table is not None
    ]
    return {
        "totalBytesProcessed": str(sum(sizes)),
        "totalBytesBilled": str(sum(max(size, MINIMUM_BILLED) for size in sizes)),
        "totalSlotMs": "1",
        "cacheHit": False,
    }


def refusal(code: int, reason: str, message: str) -> JSONResponse:
    error = {"code": code, "message": message, "errors": [{"reason": reason, "message": message}]}
    return JSONResponse({"error": error}, status_code=code)


async def call(function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
    return function(*arguments, **named)


def in_front_of(theirs: APIRouter, ours: APIRouter) -> APIRouter:
    both = APIRouter()
    both.include_router(ours)
    both.include_router(theirs)
    return both


def mend_routes() -> None:
    """Put our routes first. All run in one thread: threads would share one connection to DuckDB, and
    read each other's results."""
    for module in (fastapi.routing, fastapi.dependencies.utils):
        vars(module)["run_in_threadpool"] = call
    emulator_app.tables_router = in_front_of(emulator_app.tables_router, etags.router)
    emulator_app.jobs_router = in_front_of(emulator_app.jobs_router, router)


async def serve() -> None:
    server = EmulatorServer(Settings(rest_port=0, grpc_port=0, log_level="critical", enable_format_extensions=False))
    await server.start()
    mend_tables(server._context)
    print(f"listening on {server.rest_url}", flush=True)
    with Path(os.devnull).open("w") as nowhere:  # nobody reads on, and a full pipe would block
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    duckdb_extensions.import_extension("spatial")
    mend_routes()
    mend_sql()
    quicken()
    asyncio.run(serve())

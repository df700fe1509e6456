"""Create Google's client, with the credentials and the endpoint of the settings."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import google.auth
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import bigquery
from google.cloud.bigquery.table import RowIterator
from requests.adapters import HTTPAdapter

from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.errors import NotAllowed, WarehouseError

JOBS_IN_A_PAGE = 1000
"""As many jobs are listed in one answer, if BigQuery gives so many."""


def open_client(settings: BigQuerySettings) -> bigquery.Client:
    """A client for the settings' project. Raises NotAllowed if there are no credentials, WarehouseError if the named
    block cannot be read."""
    client = bigquery.Client(
        project=settings.project,
        location=settings.location,
        credentials=_credentials(settings),
        client_options=ClientOptions(api_endpoint=settings.endpoint) if settings.endpoint else None,
    )
    # The default pool has ten connections, and warns when an eleventh thread needs one.
    client._http.mount(settings.endpoint or "https://", HTTPAdapter(pool_maxsize=128))
    return client


def _credentials(settings: BigQuerySettings) -> Any:
    if settings.plain_http:
        return AnonymousCredentials()
    if settings.credentials is not None:
        return _of_block(settings.credentials)
    try:
        credentials, _ = google.auth.default()
    except DefaultCredentialsError as error:
        raise NotAllowed(
            "there are no Google credentials: run `gcloud auth application-default login`, set "
            "GOOGLE_APPLICATION_CREDENTIALS, or name a GcpCredentials block with credentials= in WAREHOUSE_URL"
        ) from error
    return credentials


def _of_block(name: str) -> Any:
    """The credentials of Prefect's block `gcp-credentials/name`."""
    from prefect_gcp.credentials import GcpCredentials  # slow to import, and seldom needed

    try:
        block = GcpCredentials.load(name, _sync=True)
        return block.get_credentials_from_service_account()
    except ValueError as error:
        raise WarehouseError(
            f"the credentials block gcp-credentials/{name} cannot be used: is it saved in the Prefect server that "
            f"PREFECT_API_URL names? ({error})"
        ) from error


def row_access_policies(
    client: bigquery.Client, table: bigquery.TableReference, retry: Retry, timeout: float
) -> list[str]:
    """The ids of the table's row access policies. The client library has no method for them:
    https://cloud.google.com/bigquery/docs/reference/rest/v2/rowAccessPolicies/list"""
    request = {"method": "GET", "path": f"{table.path}/rowAccessPolicies", "timeout": timeout}
    answer = retry(client._connection.api_request)(**request)
    return [policy["rowAccessPolicyReference"]["policyId"] for policy in answer.get("rowAccessPolicies", [])]


def results(
    client: bigquery.Client, job: bigquery.QueryJob, limit: int | None, seconds: float, timeout: float
) -> Mapping[str, Any]:
    """What BigQuery says of the job's result, with its first page of at most `limit` rows: once the job has ended, or
    after about so many seconds. The client library's own method asks twice, and without rows first:
    https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/getQueryResults"""
    asked = {"location": job.location, "timeoutMs": int(seconds * 1000), "formatOptions.useInt64Timestamp": True}
    if limit is not None:
        asked["maxResults"] = limit
    path = f"/projects/{job.project}/queries/{job.job_id}"
    answer: Mapping[str, Any] = client._connection.api_request(
        method="GET", path=path, query_params=asked, timeout=timeout
    )
    return answer


def ask(
    client: bigquery.Client,
    sql: str,
    config: bigquery.QueryJobConfig,
    limit: int | None,
    seconds: float,
    timeout: float,
    request_id: str = "",
) -> Mapping[str, Any]:
    """Run a query, and answer as `results` does, with the reference of its job: once it has ended, or after about so
    many seconds. A request with the `request_id` of an earlier one is no second query, for a quarter of an hour. Raises
    what Google's client raises, for a query that fails, too:
    https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query"""
    settings = config.to_api_repr()
    of_query = ("useLegacySql", "queryParameters", "parameterMode", "maximumBytesBilled")
    asked = {
        **{name: value for name, value in settings["query"].items() if name in of_query},
        "query": sql,
        "labels": settings.get("labels", {}),
        "location": client.location,
        "timeoutMs": int(seconds * 1000),
        "formatOptions": {"useInt64Timestamp": True},
        **({"requestId": request_id} if request_id else {}),
    }
    if limit is not None:
        asked["maxResults"] = limit
    path = f"/projects/{client.project}/queries"
    answer: Mapping[str, Any] = client._connection.api_request(method="POST", path=path, data=asked, timeout=timeout)
    return answer


def jobs_between(
    client: bigquery.Client, first: datetime, last: datetime, retry: Retry, timeout: float
) -> Iterator[bigquery.QueryJob]:
    """The query jobs of this account that were created between both moments and have ended, without what they were to
    do. The client library's own method has them answered with their SQL:
    https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/list"""
    asked: dict[str, Any] = {
        "projection": "minimal",
        "stateFilter": "done",
        "minCreationTime": int(first.timestamp() * 1000),
        "maxCreationTime": int(last.timestamp() * 1000) + 1,
        "maxResults": JOBS_IN_A_PAGE,
    }
    while True:
        request = {"method": "GET", "path": f"/projects/{client.project}/jobs", "timeout": timeout}
        answer = retry(client._connection.api_request)(**request, query_params=asked)
        for found in answer.get("jobs", ()):
            known = {name: found[name] for name in ("jobReference", "statistics") if name in found}
            yield bigquery.QueryJob.from_api_repr({**known, "configuration": {"query": {"query": ""}}}, client)
        if "nextPageToken" not in answer:
            return
        asked["pageToken"] = answer["nextPageToken"]


def rows_of(
    client: bigquery.Client,
    job: bigquery.QueryJob,
    page: Mapping[str, Any],
    limit: int | None,
    retry: Retry,
    timeout: float,
) -> RowIterator:
    """The rows of a result whose first page this is; more pages are asked for as they are needed."""
    return RowIterator(
        client=client,
        api_request=retry(partial(client._connection.api_request, timeout=timeout)),
        path=f"/projects/{job.project}/queries/{job.job_id}",
        schema=page.get("schema", {}).get("fields", ()),
        max_results=limit,
        extra_params={"location": job.location, "formatOptions.useInt64Timestamp": True},
        first_page_response=page,
    )

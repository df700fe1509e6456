"""Translate BigQuery's errors into the warehouse's, by what a person or a caller can do about them.

Reasons: https://cloud.google.com/bigquery/docs/error-messages
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests.exceptions
from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError, TooManyRequests
from google.auth.exceptions import GoogleAuthError, TransportError

from warehouse_refresh.warehouse.errors import (
    Cancelled,
    NotAllowed,
    OverBudget,
    Place,
    SqlError,
    TableNotFound,
    Transient,
    WarehouseError,
)
from warehouse_refresh.warehouse.names import TableName


class ResourcesExceeded(SqlError):
    """The query needs more memory or time than BigQuery gives one."""


OUTAGES = frozenset(
    {
        "backendError",
        "internalError",
        "badGateway",
        "jobBackendError",
        "jobInternalError",
        "tableUnavailable",
        "blocked",
    }
)
LIMITS = frozenset({"rateLimitExceeded", "jobRateLimitExceeded", "quotaExceeded"})
_PASS_SOON = OUTAGES | LIMITS - {"quotaExceeded"}  # a quota takes longer to come back
# Two transactions, or DML statements, that change one table at the same time:
# https://cloud.google.com/bigquery/docs/troubleshoot-queries
_CONFLICT = re.compile(r"due to concurrent update", re.IGNORECASE)
# The queue of a table's DML statements is full. BigQuery calls it "Resources exceeded …", but no query is at fault.
_DML_QUEUE = re.compile(r"too many DML statements outstanding", re.IGNORECASE)

_ROLES = {
    "bigquery.jobs.create": "roles/bigquery.jobUser on the project",
    "bigquery.jobs.get": "roles/bigquery.jobUser on the project",
    "bigquery.datasets.create": "roles/bigquery.user on the project",
    "bigquery.datasets.get": "roles/bigquery.dataViewer on the dataset",
    "bigquery.rowAccessPolicies.list": "a role with that permission, such as roles/bigquery.dataOwner on the dataset,",
    "bigquery.tables.get": "roles/bigquery.dataViewer on the dataset",
    "bigquery.tables.getData": "roles/bigquery.dataViewer on the dataset",
    "bigquery.tables.list": "roles/bigquery.dataViewer on the dataset",
    "bigquery.tables.create": "roles/bigquery.dataEditor on the dataset",
    "bigquery.tables.update": "roles/bigquery.dataEditor on the dataset",
    "bigquery.tables.updateData": "roles/bigquery.dataEditor on the dataset",
}
_TRANSPORT = (requests.exceptions.RequestException, ConnectionError, TransportError)
GOOGLE_ERRORS = (GoogleAPICallError, RetryError, GoogleAuthError, requests.exceptions.RequestException, ConnectionError)
"""What Google's client raises when a request fails."""


@contextmanager
def google_errors() -> Iterator[None]:
    """Raise the exceptions of Google's client as WarehouseError."""
    try:
        yield
    except GOOGLE_ERRORS as error:
        raise translated(error) from error


def translated(error: Exception) -> WarehouseError:
    """The WarehouseError for an exception of Google's client."""
    if isinstance(error, RetryError) and error.cause is not None:
        return translated(error.cause)
    if isinstance(error, requests.exceptions.SSLError):
        return WarehouseError("the TLS certificate of BigQuery's endpoint is not accepted")
    if isinstance(error, _TRANSPORT):
        return Transient("BigQuery cannot be reached: the connection failed")
    if isinstance(error, GoogleAuthError) and _is_passing(error):
        return Transient("Google's sign-in service has a passing fault", retry_after=5.0)
    if isinstance(error, GoogleAuthError):
        return NotAllowed("Google refuses the credentials: sign in again, or check the credentials block and its key")
    if isinstance(error, GoogleAPICallError):
        return _of_call(error)
    return Transient("BigQuery did not answer in time")


def job_error(result: Mapping[str, Any]) -> WarehouseError:
    """The WarehouseError for a failed job's `status.errorResult`."""
    reason, message = str(result.get("reason", "")), _first_paragraph(str(result.get("message", "")))
    return _BY_REASON.get(reason, WarehouseError)(message)


def may_succeed_soon(result: Mapping[str, Any]) -> bool:
    """Whether to send the job again at once after this `status.errorResult`."""
    return result.get("reason") in _PASS_SOON or is_conflict(result)


def is_conflict(result: Mapping[str, Any]) -> bool:
    """Whether the job failed because another one changed the same table at the same time."""
    return bool(_CONFLICT.search(str(result.get("message", ""))))


def may_pass(error: Exception) -> bool:
    """Whether to send the same request again at once: after a passing fault, but not when the day's quota is used up or
    the request is too large."""
    if not isinstance(error, GOOGLE_ERRORS):
        return False
    return isinstance(translated(error), Transient) and _reason(error) != "quotaExceeded" and not _is_too_large(error)


def refused(error: Exception) -> bool:
    """Whether it is certain that BigQuery did not carry out the request."""
    return isinstance(error, GoogleAPICallError) and 400 <= (error.code or 500) < 500


def _of_call(error: GoogleAPICallError) -> WarehouseError:
    message = _first_paragraph(re.sub(r"^\w+ https?://\S+: ", "", error.message or "no reason given"))
    if _is_too_large(error):
        return Transient(f"BigQuery takes no request of this size: {message}", retry_after=60.0)
    make = _BY_REASON.get(_reason(error)) or _by_status(error)
    return make(message)


def _is_too_large(error: Exception) -> bool:
    return isinstance(error, GoogleAPICallError) and error.code == 413


def _is_passing(error: GoogleAuthError) -> bool:
    """Whether signing in may work the next time. An exception of the metadata server's client is not marked as
    retryable, but a connection error is its cause."""
    return bool(error.retryable) or isinstance(error.__cause__, TransportError)


def _reason(error: Exception) -> str:
    details = error.errors if isinstance(error, GoogleAPICallError) else ()
    first = details[0] if details else {}
    return str(first.get("reason", "")) if isinstance(first, Mapping) else ""


def _by_status(error: GoogleAPICallError) -> Callable[[str], WarehouseError]:
    if isinstance(error, TooManyRequests):
        return _limited
    if isinstance(error, NotFound):
        return _not_found
    if (error.code or 500) in (401, 403):
        return _not_allowed
    return _outage if (error.code or 500) >= 500 else WarehouseError


def _sql_error(message: str) -> WarehouseError:
    if _CONFLICT.search(message):
        return Transient(f"another job changed the table at the same time: {message}")
    at = re.search(r" at \[(\d+):(\d+)\]", message)
    place = Place(int(at[1]), int(at[2])) if at else None
    reason, _, hint = (message.replace(at[0], "", 1) if at else message).partition("; Did you mean ")
    return SqlError(reason, hint=f"did you mean {hint}" if hint else "", place=place)


def _not_allowed(message: str) -> WarehouseError:
    named = re.findall(r"bigquery\.[a-zA-Z]+\.[a-zA-Z]+", message)
    missing = [f"{_ROLES[permission]} gives {permission}" for permission in named if permission in _ROLES]
    if "billing" in message.lower():
        missing.append("enable billing for the project; the sandbox allows neither INSERT nor other DML")
    elif not missing:
        missing.append("needed: roles/bigquery.jobUser on the project, roles/bigquery.dataEditor on the datasets")
    return NotAllowed(f"{message.rstrip('.')}. {'; '.join(dict.fromkeys(missing))}")


def _over_budget(message: str) -> WarehouseError:
    numbers = re.findall(r"\d{4,}", message)
    if len(numbers) != 2:
        return OverBudget(f"{message}: raise maximum_bytes_billed in WAREHOUSE_URL, or let the query read less")
    limit, needed = map(int, numbers)
    return OverBudget(
        f"the query would bill {needed:,} bytes and the limit is {limit:,}: raise maximum_bytes_billed in "
        "WAREHOUSE_URL, or let the query read fewer columns or partitions"
    )


def _not_found(message: str) -> WarehouseError:
    found = re.search(r"Table \S+?[:.](\w+)\.([^\s.]+)(?= was not found|$)", message)
    if found:
        return TableNotFound(TableName(found[1], found[2]))
    if "Dataset" in message and "location" in message:
        return WarehouseError(f"{message}: is location= in WAREHOUSE_URL the datasets' location?")
    return WarehouseError(message)


def _limited(message: str) -> WarehouseError:
    if re.search(r"custom quota|per day|free query bytes", message, re.IGNORECASE):
        return OverBudget(f"{message}: the project's own quota is used up (IAM & Admin, Quotas), the job was not run")
    return Transient(f"BigQuery asks for a pause: {message}", retry_after=10.0, limited=True)


def _outage(message: str) -> WarehouseError:
    return Transient(f"BigQuery has a passing fault: {message}", retry_after=5.0)


def _stopped(message: str) -> WarehouseError:
    return Cancelled(message or "the job was cancelled")


def _exhausted(message: str) -> WarehouseError:
    if _DML_QUEUE.search(message):
        return _limited(message)
    return ResourcesExceeded(
        message, hint="let the query do less at once: fewer columns, no global ORDER BY, smaller joins"
    )


def _first_paragraph(message: str) -> str:
    """The message without the location, job id and query that the client adds below it."""
    return message.split("\n\n")[0].strip()


_BY_REASON: dict[str, Callable[[str], WarehouseError]] = {
    **dict.fromkeys(OUTAGES, _outage),
    **dict.fromkeys(LIMITS, _limited),
    **dict.fromkeys(("invalidQuery", "invalid"), _sql_error),
    **dict.fromkeys(("accessDenied", "billingNotEnabled", "forbidden", "authError", "required"), _not_allowed),
    "bytesBilledLimitExceeded": _over_budget,
    "notFound": _not_found,
    "resourcesExceeded": _exhausted,
    "stopped": _stopped,
}

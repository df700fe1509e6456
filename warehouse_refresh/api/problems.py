"""All errors are answered as application/problem+json, with a stable `type` and `code` for each kind of error.

https://www.rfc-editor.org/rfc/rfc9457
"""

import logging
import math
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from warehouse_refresh.warehouse.errors import (
    InvalidRow,
    NotAllowed,
    OutcomeUnknown,
    OverBudget,
    TableNotFound,
    Transient,
    Unavailable,
    WarehouseError,
)

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 1000
KINDS = {
    "bad-request": (400, "The request cannot be read"),
    "invalid-json": (400, "The body is not JSON"),
    "invalid-key": (400, "The Idempotency-Key is not usable"),
    "unauthorized": (401, "A token is needed"),
    "forbidden-origin": (403, "Pages of other sites may not do this"),
    "not-found": (404, "There is nothing here"),
    "unknown-table": (404, "There is no such raw table"),
    "unknown-run": (404, "There is no such run"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "request-timeout": (408, "The request took too long to come in"),
    "key-in-use": (409, "The first request with this Idempotency-Key is still under way"),
    "loaded-table": (409, "The table's rows come from a database"),
    "body-too-large": (413, "The body is too large"),
    "too-many-rows": (413, "There are too many rows in one request"),
    "too-many-values": (413, "There are too many values in one request"),
    "uri-too-long": (414, "The request's target is too long"),
    "unsupported-media-type": (415, "The body's content type is not supported"),
    "invalid-rows": (422, "The rows cannot be stored"),
    "invalid-selection": (422, "The selection cannot be read"),
    "invalid-variables": (422, "The variables cannot be used"),
    "key-reused": (422, "The Idempotency-Key was used for another request"),
    "rate-limited": (429, "Too many requests"),
    "quota-exceeded": (429, "The warehouse's quota is used up for the moment"),
    "headers-too-large": (431, "The request's headers are too large"),
    "internal-error": (500, "Something went wrong on our side"),
    "overloaded": (503, "The API has too much to do at the moment"),
    "not-ready": (503, "Something is missing"),
    "warehouse-unavailable": (503, "The warehouse cannot be used right now"),
    "warehouse-refused": (503, "The warehouse does not let the API do this"),
    "outcome-unknown": (503, "The connection broke; the rows may or may not have been stored"),
    "prefect-unavailable": (503, "Prefect cannot be reached"),
    "deployment-missing": (503, "Prefect has no such deployment"),
}
STATUS_CODES = {
    400: "bad-request",
    401: "unauthorized",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "unsupported-media-type",
    429: "rate-limited",
}
_REPAIR_PAUSE = 60.0  # seconds; a person has to fix the cause
_QUOTA_PAUSE = 600.0  # seconds; a quota of the day takes longer to come back than one of the moment
HEADERS_KEPT = frozenset({"allow", "retry-after", "www-authenticate"})

logger = logging.getLogger("warehouse_refresh.api")
request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered."""


class ApiProblem(Exception):
    """An error as the client sees it. `more` are additional members of the JSON body."""

    def __init__(self, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.title = KINDS[code]
        self.code, self.detail, self.headers, self.more = code, detail, dict(headers or {}), more

    def body(self) -> dict[str, Any]:
        """The members of RFC 9457, then `code`, `request_id` and what this kind of error adds."""
        return {
            "type": f"urn:warehouse-refresh:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id.get(),
            **self.more,
        }


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says how long to wait, in whole seconds, at least one."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def problem_of(error: Exception) -> ApiProblem:
    """Return the client's view of an exception. Anything unexpected is an internal error without details."""
    if isinstance(error, ApiProblem):
        return error
    if isinstance(error, WarehouseError):
        return _of_warehouse(error)
    if isinstance(error, HTTPException) and error.status_code in STATUS_CODES:
        kept = {name: value for name, value in (error.headers or {}).items() if name.lower() in HEADERS_KEPT}
        code = STATUS_CODES[error.status_code]
        return ApiProblem(code, KINDS[code][1], headers=kept)
    return ApiProblem("internal-error", "The fault is in the log under the request_id.")


def answer_problem(_: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """Litestar's handler of all exceptions."""
    problem = problem_of(error)
    if problem.status == 500:
        logger.error("request %s failed", request_id.get(), exc_info=error)
    elif isinstance(error, WarehouseError):
        logger.warning("request %s: %s", request_id.get(), _with_causes(error))
    return Response(problem.body(), status_code=problem.status, media_type=MEDIA_TYPE, headers=problem.headers)


def _with_causes(error: BaseException) -> str:
    """The error and its causes. The causes quote the engine, so this text is for the log only."""
    cause = error.__cause__
    return f"{error} <- {_with_causes(cause)}" if isinstance(cause, WarehouseError) else str(error)


def _of_warehouse(error: WarehouseError) -> ApiProblem:
    if isinstance(error, TableNotFound):
        return ApiProblem("unknown-table", str(error))
    if isinstance(error, InvalidRow):
        return ApiProblem(
            "invalid-rows", str(error), errors=[{"attribute": "", "code": "refused", "detail": str(error)}]
        )
    if isinstance(error, OutcomeUnknown):
        detail = "Send the same request again with the same Idempotency-Key to find out; without a key, look first."
        return ApiProblem("outcome-unknown", detail, headers=retry_after(error.retry_after))
    if isinstance(error, Transient):
        code = "quota-exceeded" if error.limited else "warehouse-unavailable"
        return ApiProblem(code, "Nothing was stored. Try again later.", headers=retry_after(error.retry_after))
    if isinstance(error, Unavailable):
        detail = f"Nothing was stored. The warehouse needs somebody's help: {error.fault}."
        return ApiProblem("warehouse-unavailable", detail, headers=retry_after(_REPAIR_PAUSE))
    if isinstance(error, OverBudget):
        return ApiProblem("quota-exceeded", "Nothing was stored. Try again later.", headers=retry_after(_QUOTA_PAUSE))
    code = "warehouse-refused" if isinstance(error, NotAllowed) else "internal-error"
    return ApiProblem(code, "Nothing was stored. The reason is in the log under the request_id.")

"""BigQuery's errors are told apart, by messages that the service is known to send: it cannot be reached here."""

import json
from typing import Any

import pytest
import requests
from google.api_core.exceptions import GoogleAPICallError, RetryError, from_http_response
from google.auth.exceptions import RefreshError, TransportError

from warehouse_refresh.warehouse.bigquery.errors import job_error, may_pass, may_succeed_soon, translated
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


def failed(reason: str, message: str) -> WarehouseError:
    return job_error({"reason": reason, "message": message, "location": "query"})


def refused(status: int, reason: str, message: str) -> GoogleAPICallError:
    """What Google's client makes of an HTTP answer."""
    response = requests.Response()
    response.status_code = status
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}
    response._content = json.dumps({"error": error}).encode()
    response.request = requests.Request("POST", "https://bigquery.googleapis.com/bigquery/v2/x").prepare()
    exception: GoogleAPICallError = from_http_response(response)
    return exception


def test_wrong_sql_has_its_place_and_the_hint() -> None:
    error = failed("invalidQuery", "Unrecognized name: nme; Did you mean name? at [12:8]")
    assert isinstance(error, SqlError)
    assert (error.reason, error.hint, error.place) == (
        "Unrecognized name: nme",
        "did you mean name?",
        Place(12, 8),
    )


def test_wrong_sql_without_a_place_is_still_wrong_sql() -> None:
    error = failed("invalidQuery", "Division by zero: 1 / 0")
    assert isinstance(error, SqlError)
    assert (str(error), error.place) == ("Division by zero: 1 / 0", None)


@pytest.mark.parametrize("separator", [".", ":"])
def test_a_missing_table_is_named(separator: str) -> None:
    error = failed("notFound", f"Not found: Table my-project{separator}raw.orders was not found in location EU")
    assert isinstance(error, TableNotFound)
    assert str(error.table) == "raw.orders"


def test_a_missing_dataset_points_to_the_location() -> None:
    error = failed("notFound", "Not found: Dataset my-project:raw was not found in location US")
    assert "is location= in WAREHOUSE_URL the datasets' location?" in str(error)


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (
            "Access Denied: Project p: User does not have bigquery.jobs.create permission in project p.",
            "roles/bigquery.jobUser on the project gives bigquery.jobs.create",
        ),
        (
            "Access Denied: Table p:raw.orders: Permission bigquery.tables.getData denied on table p:raw.orders",
            "roles/bigquery.dataViewer on the dataset gives bigquery.tables.getData",
        ),
        (
            "Access Denied: Dataset p:tmp: Permission bigquery.tables.create denied on dataset p:tmp",
            "roles/bigquery.dataEditor on the dataset gives bigquery.tables.create",
        ),
        ("Access Denied: nobody says why", "roles/bigquery.jobUser on the project, roles/bigquery.dataEditor"),
    ],
)
def test_what_is_not_allowed_names_the_missing_role(message: str, role: str) -> None:
    for error in (failed("accessDenied", message), translated(refused(403, "accessDenied", message))):
        assert isinstance(error, NotAllowed)
        assert role in str(error)


def test_the_sandbox_is_named_where_billing_is_missing() -> None:
    message = "Billing has not been enabled for this project. DML queries are not allowed in the free tier."
    error = failed("billingNotEnabled", message)
    assert isinstance(error, NotAllowed)
    assert "enable billing for the project" in str(error)


def test_over_budget_says_how_many_bytes_and_which_setting() -> None:
    message = "Query exceeded limit for bytes billed: 10485760. 20971520 or higher required."
    error = failed("bytesBilledLimitExceeded", message)
    assert isinstance(error, OverBudget)
    assert "would bill 20,971,520 bytes and the limit is 10,485,760: raise maximum_bytes_billed" in str(error)


def test_a_quota_of_the_day_is_a_budget_and_one_of_the_moment_passes() -> None:
    daily = failed("quotaExceeded", "Custom quota exceeded: Your usage exceeded the custom quota for QueryUsagePerDay")
    assert isinstance(daily, OverBudget)
    moment = failed("quotaExceeded", "Quota exceeded: Your table exceeded quota for imports or query appends per table")
    assert isinstance(moment, Transient)
    assert moment.limited


@pytest.mark.parametrize(
    ("status", "reason", "limited"),
    [
        (429, "rateLimitExceeded", True),
        (403, "rateLimitExceeded", True),
        (500, "internalError", False),
        (502, "badGateway", False),
        (503, "backendError", False),
        (503, "something new", False),
        (429, "something new", True),
        (413, "something new", False),
    ],
)
def test_passing_faults_are_worth_another_try(status: int, reason: str, limited: bool) -> None:
    fault = refused(status, reason, "try again")
    error = translated(fault)
    assert isinstance(error, Transient)
    assert error.limited is limited
    assert may_pass(fault) is (status != 413)  # the same request would be as large


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "invalidQuery"), (404, "notFound"), (403, "accessDenied"), (401, "authError"), (409, "duplicate")],
)
def test_what_will_not_pass_is_not_tried_again(status: int, reason: str) -> None:
    assert not may_pass(refused(status, reason, "no"))


def test_a_quota_is_not_waited_for_by_repeating_the_request() -> None:
    assert not may_pass(refused(403, "quotaExceeded", "Quota exceeded"))


@pytest.mark.parametrize(
    "error",
    [requests.ConnectionError("reset"), requests.ReadTimeout("slow"), TransportError("dns"), ConnectionResetError()],
)
def test_a_lost_connection_may_pass(error: Exception) -> None:
    assert isinstance(translated(error), Transient)
    assert may_pass(error)


def test_a_refused_certificate_and_refused_credentials_do_not_pass() -> None:
    assert not may_pass(requests.exceptions.SSLError("self-signed"))
    error = translated(RefreshError("invalid_grant: Token has been expired or revoked."))
    assert isinstance(error, NotAllowed)
    assert "sign in again" in str(error)


def test_a_passing_fault_of_the_sign_in_is_not_a_reason_to_sign_in_again() -> None:
    of_metadata_server = RefreshError("TransportError: …")
    of_metadata_server.__cause__ = TransportError("no answer")
    for fault in (RefreshError("internal_failure", retryable=True), of_metadata_server):
        assert isinstance(translated(fault), Transient)
        assert may_pass(fault)


@pytest.mark.parametrize(
    ("reason", "message", "limited", "soon"),
    [
        ("resourcesExceeded", "Resources exceeded …: Too many DML statements outstanding against table t", True, False),
        ("invalidQuery", "Query error: Transaction is aborted due to concurrent update against table t", False, True),
        ("invalidQuery", "Could not serialize access to table t due to concurrent update", False, True),
        ("quotaExceeded", "Quota exceeded: Your table exceeded quota for total number of dml jobs", True, False),
        ("rateLimitExceeded", "Exceeded rate limits: too many table dml insert operations", True, True),
    ],
)
def test_what_others_do_to_the_table_is_not_the_querys_fault(
    reason: str, message: str, limited: bool, soon: bool
) -> None:
    error = failed(reason, message)
    assert isinstance(error, Transient)
    assert error.limited is limited
    assert may_succeed_soon({"reason": reason, "message": message}) is soon


def test_a_query_that_is_too_much_is_wrong_sql() -> None:
    assert isinstance(failed("resourcesExceeded", "Resources exceeded during query execution"), SqlError)


def test_a_bug_is_never_taken_for_a_passing_fault() -> None:
    assert not may_pass(TypeError("a bug"))


def test_what_the_client_gave_up_on_is_what_it_met_last() -> None:
    error = translated(RetryError("Timeout of 120s exceeded", refused(429, "rateLimitExceeded", "slow down")))
    assert isinstance(error, Transient)
    assert error.limited


def test_a_stopped_job_was_cancelled() -> None:
    assert isinstance(failed("stopped", "Job execution was cancelled: User requested cancellation"), Cancelled)


def test_the_clients_footer_is_not_shown() -> None:
    message = "Syntax error: Unexpected end of script at [1:7]\n\nLocation: EU\nJob ID: abc\n\n  1:SELECT"
    error: Any = failed("invalidQuery", message)
    assert str(error) == "Syntax error: Unexpected end of script"


def test_the_requests_url_is_not_shown() -> None:
    error = translated(refused(400, "invalid", "Invalid value for location: moon"))
    assert "googleapis.com" not in str(error)
    assert "Invalid value for location: moon" in str(error)

"""Every bad request gets its own clear answer, and stores nothing."""

import json

import pytest

from tests.api.bad_requests import ALL, Bad
from tests.api.conftest import Served


@pytest.mark.parametrize("bad", ALL, ids=str)
def test_a_bad_request_is_told_what_is_wrong_and_stores_nothing(api: Served, bad: Bad) -> None:
    before = api.rows()
    answer = api.client.request(bad.method, bad.target, content=bad.body, headers=bad.headers)
    problem = json.loads(answer.content)
    assert (answer.status_code, problem["code"]) == (bad.status, bad.code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == bad.status
    assert problem["type"] == f"urn:warehouse-refresh:problem:{bad.code}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    if bad.faults is not None:
        faults = [(fault.get("row"), fault["attribute"], fault["code"]) for fault in problem["errors"]]
        assert sorted(faults, key=str) == sorted(bad.faults, key=str)
        assert all(fault["detail"] for fault in problem["errors"])
    assert api.rows() == before
    for inner in ["traceback", "insert into", "select *", ".duckdb", ".py", "/tmp/"]:
        assert inner not in answer.text.lower()


def test_there_are_many_of_them() -> None:
    assert len(ALL) >= 80
    assert len({str(bad) for bad in ALL}) > 150

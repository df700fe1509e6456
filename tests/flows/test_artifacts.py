"""What a run leaves for people to read."""

from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from warehouse_refresh.flows.artifacts import facts, graph_markdown, trigger
from warehouse_refresh.pipeline.outcomes import Failure, State
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.report import table_rows
from warehouse_refresh.pipeline.running.execution import TableRun
from warehouse_refresh.warehouse import Built
from warehouse_refresh.warehouse.names import TableName

A, B, C = (TableName("tmp", name) for name in "abc")
GRAPH = Graph({A: frozenset(), B: frozenset({A}), C: frozenset({B})})
RUNS = {
    A: TableRun(
        A, State.BUILT, Built(rows=1200, seconds=0.5, bytes_processed=10, bytes_billed=2**30, job_link="https://job")
    ),
    B: TableRun(B, State.FAILED, reason="wrong", failure=Failure.QUERY),
    C: TableRun(C, State.NOT_RUN, reason="waits for tmp.b", failure=Failure.NOT_RUN),
}


def test_a_table_has_its_state_rows_bytes_cost_seconds_and_job() -> None:
    first, second, third = table_rows(RUNS.values(), price_per_tib=6.25)
    assert first == {
        "table": "tmp.a",
        "state": "built",
        "rows": 1200,
        "partitions": None,
        "bytes": 10,
        "cost": 0.006104,
        "seconds": 0.5,
        "checks": None,
        "job": "https://job",
        "failure": None,
        "error": None,
    }
    assert (second["state"], second["failure"], second["error"]) == ("failed", "query-failed", "wrong")
    assert (third["failure"], third["error"], third["cost"]) == ("not-run", "waits for tmp.b", None)


def test_an_engine_that_bills_nothing_has_no_cost() -> None:
    [row] = table_rows([TableRun(A, State.BUILT, Built(rows=1, seconds=1.0))], price_per_tib=6.25)
    assert row["cost"] is None
    assert row["bytes"] is None


def test_the_graph_is_a_picture_with_the_states() -> None:
    lines = graph_markdown(GRAPH, RUNS, {"scripts": "res 123"}).splitlines()
    assert lines[0] == "- scripts: res 123"
    assert '  t0["tmp.a<br>1,200 rows, 0.50 s"]:::BUILT' in lines
    assert '  t1["tmp.b<br>failed"]:::FAILED' in lines
    assert "  t0 --> t1" in lines
    assert "  t1 --> t2" in lines
    assert [line.split()[1] for line in lines if "classDef" in line] == ["BUILT", "FAILED", "NOT_RUN"]


def flow_run(**fields: object) -> FlowRun:
    return FlowRun.model_validate({"id": uuid4(), "flow_id": uuid4(), "run_count": 1, **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"deployment_id": uuid4(), "auto_scheduled": True}, "the schedule"),
        ({"deployment_id": uuid4(), "tags": ["api", "request:abc"]}, "the API, request abc"),
        ({"deployment_id": uuid4()}, "somebody, in Prefect's UI or on its command line"),
        ({"deployment_id": uuid4(), "run_count": 3}, "somebody, in Prefect's UI or on its command line; attempt 3"),
    ],
)
def test_who_started_the_run_is_told(fields: dict[str, object], expected: str) -> None:
    assert trigger(flow_run(**fields)) == expected


def test_a_run_without_a_deployment_was_started_in_a_terminal() -> None:
    assert trigger(flow_run()).endswith("in a terminal")


def test_the_parameters_are_told() -> None:
    assert facts(flow_run(parameters={"select": ["tmp.a"]}), "v")["parameters"] == '`{"select": ["tmp.a"]}`'

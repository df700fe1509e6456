"""GET /catalogue/failures.json: where scripts failed, underlined, for the page of runs; and what it never says."""

from collections.abc import Iterator

import pytest
from prefect.states import Failed, Running

from tests.api.conftest import Served, api_over, with_tables
from tests.api.prefect_parts import Deployment
from tests.api.test_live_runs import add_table
from tests.api.test_states import record
from tests.conftest import Write
from warehouse_refresh.api.pages.failures import Fault, faults_in
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.contract import ARTIFACT
from warehouse_refresh.warehouse import DEFAULT_URL

PATH = "/catalogue/failures.json"
FILES = {
    "res/dependencies.toml": '[tmp]\nc = ["tmp.b"]\n',
    "db_init/a.sql": "CREATE TABLE raw.people (id INT64, email STRING)",
    "res/raw/people.toml": "[columns]\nemail = { personal = true }\n",
    "res/tmp/a.sql": "SELECT 1 AS id,\n\tERROR('no') AS x\n",
    "res/tmp/b.sql": "SELECT id FROM raw.people WHERE id > 0 AND CAST(email AS INT64) > 0\n",
    "res/tmp/c.sql": "SELECT id FROM tmp.b\n",
}
UNDERLINED = "res/tmp/a.sql:2:2: no\n  2 | \tERROR('no') AS x\n    | \t^^^^^^^^^^^\n  owner: somebody"


def quoted(file: str) -> str:
    return f"{file}:1:44: Bad int64 value: anna@example.com\n  1 | … CAST(email AS INT64) > 0\n    |   ^^^^"


@pytest.fixture
def api(deployment: Deployment, write: Write) -> Iterator[Served]:
    write(FILES)
    with api_over(with_tables(DEFAULT_URL), deployment=deployment.name) as it:
        yield it


def test_a_fault_is_underlined_and_quotes_nothing_personal(api: Served, deployment: Deployment) -> None:
    run = api.client.post("/run").json()["id"]
    deployment.move(run, Running())
    add_table(deployment, run, "tmp.a", Running(), Failed(message=UNDERLINED))
    place = {"file": "res/tmp/a.sql", "line": 2, "column": 2, "text": "\tERROR('no') AS x", "start": 1, "length": 11}
    expected = {**place, "table": "tmp.a", "reason": "no"}
    assert api.client.get(PATH, params={"run": run}).json() == [expected]
    rows = [{"table": "tmp.a", "error": UNDERLINED}, {"table": "tmp.b", "error": quoted("res/tmp/b.sql")}]
    rows += [
        {"table": "tmp.c", "error": "waits for tmp.b"},
        {"table": "raw.people", "error": "secret /etc/x.sql:1:1: y"},
    ]
    record(deployment, run, ARTIFACT, [{**row, "state": "failed", "failure": "query-failed"} for row in rows])
    deployment.move(run, Failed(message="secret"))
    found = api.client.get(PATH, params={"run": run})
    assert [(one["table"], one.get("reason")) for one in found.json()] == [("tmp.a", "no"), ("tmp.b", None)]
    promised = [
        api.client.get(f"/run/{run}").text,
        api.client.get("/run").text,
        api.client.get("/catalogue/state.json").text,
    ]
    with api.client.stream("GET", f"/run/{run}", headers={"Accept": "text/event-stream"}) as answer:
        promised += list(answer.iter_lines())
    said = "".join(promised) + found.text
    assert [word for word in ("anna", "secret") if word in said] == []
    assert [word for word in ("ERROR(", "CAST", "res/tmp") if word in "".join(promised)] == []


def test_a_run_that_was_refused_says_where(api: Served, deployment: Deployment) -> None:
    run = api.client.post("/run").json()["id"]
    deployment.move(run, Running())
    refused = f"error: {UNDERLINED}\nerror: res/raw/people.toml:1:1: secret\n  1 | secret\n    | ^^^^^^"
    deployment.move(run, Failed(message=refused))
    [fault] = api.client.get(PATH, params={"run": run}).json()
    assert (fault["file"], fault["reason"], "table" in fault) == ("res/tmp/a.sql", "no", False)
    unknown = api.client.get(PATH, params={"run": "none"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-run")


def test_what_refresh_says_is_what_is_read(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**FILES, "res/tmp/c.sql": "SELECT id,\n  ids\nFROM tmp.b\n"})
    assert main(["check"]) == 2
    [fault] = faults_in(capsys.readouterr().out, "", may_quote=True)
    assert (fault.file, fault.line, fault.text[fault.start :][: fault.length]) == ("res/tmp/c.sql", 2, "ids")
    assert "ids" in fault.reason


@pytest.mark.parametrize(
    "message",
    [
        "",
        "no place",
        "/etc/res/tmp/a.sql:1:1: absolute\n  1 | x\n    | ^",
        "res/raw/a.csv:1:1: rows\n  1 | x\n    | ^",
        "res/tmp/a.sql:1:1: no excerpt",
        "res/tmp/a.sql:2:1: of another line\n  1 | x\n    | ^",
    ],
)
def test_nothing_else_is_read(message: str) -> None:
    assert list(faults_in(message, "", may_quote=True)) == []


def test_each_of_several_problems_is_read() -> None:
    one = "error: res/tmp/a.sql:1:1: in\ntwo lines\n  1 | x y\n    | ^\n  help: write z"
    other = "error: res/dependencies.toml:12:5: b\n  12 |     x\n     |     ^"
    assert list(faults_in(f"{one}\n{other}", "", may_quote=True)) == [
        Fault("res/tmp/a.sql", 1, 1, "x y", 0, 1, "", "in\ntwo lines", "write z"),
        Fault("res/dependencies.toml", 12, 5, "    x", 4, 1, "", "b"),
    ]

"""The catalogue of tables on BigQuery: their state, their profile, their first rows, and what other tools read."""

import json
from pathlib import Path

import pytest

from tests.api.conftest import api_over
from tests.conftest import Write
from warehouse_refresh.commands.main import main

FILES = {
    "res/dependencies.toml": '[tmp]\nb = ["tmp.a"]\nc = ["tmp.a"]\n',
    "db_init/a.sql": """
CREATE TABLE raw.people (id INT64, email STRING);
INSERT INTO raw.people (id, email) VALUES (1, 'anna@example.com'), (2, NULL);
""",
    "res/raw/people.toml": "[columns]\nemail = { personal = true }\n",
    "res/tmp/a.sql": "SELECT id, email AS mail FROM raw.people\n",
    "res/tmp/b.sql": "SELECT IF(COUNT(*) = 2, ERROR('no'), 1) AS x FROM tmp.a\n",
    "res/tmp/c.sql": "SELECT id FROM tmp.a\n",
}


def test_a_catalogue_knows_what_bigquery_knows(
    write: Write, folder: Path, bigquery_url: str, bigquery_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", bigquery_url)
    write(FILES)
    assert (main(["init"]), main(["build"])) == (0, 1)
    write({"res/tmp/c.sql": "SELECT id + 1 AS id FROM tmp.a\n"})
    with api_over(bigquery_url, deployment="nobody/has-this", first_rows=5) as api:
        states = api.client.get("/catalogue/state.json").json()["tables"]
        rows = api.client.get("/catalogue/rows.json", params={"table": "tmp.a"}).json()
        page = api.client.get("/catalogue/tmp.a.html").text
    found = {name: (one.get("is_failed", False), bool(one.get("stale"))) for name, one in states.items()}
    assert found == {"tmp.a": (False, False), "tmp.b": (True, True), "tmp.c": (False, True)}
    assert states["tmp.a"]["published"]
    assert (rows["columns"], sorted(rows["rows"]), rows["hidden"]) == (["id"], [["1"], ["2"]], ["mail"])
    assert f"https://console.cloud.google.com/bigquery?project={bigquery_project}&amp;" in page
    assert main(["docs", "--profile", "--rows", "1"]) == 0
    tables = {one["name"]: one for one in json.loads((folder / "site/catalogue.json").read_text())["tables"]}
    assert (tables["tmp.a"]["rows"], tables["tmp.b"]["rows"]) == (2, None)
    assert [column["null_share"] for column in tables["tmp.a"]["columns"]] == [0, 0.5]
    assert (len(tables["tmp.a"]["first_rows"]["rows"]), tables["tmp.b"]["first_rows"]) == (1, None)
    assert "anna" not in "".join(path.read_text() for path in (folder / "site").rglob("*") if path.is_file())
    model = json.loads((folder / "site/dbt/manifest.json").read_text())["nodes"][f"model.{folder.name}.tmp.a"]
    assert model["relation_name"] == f"`{bigquery_project}`.`tmp`.`a`"
    assert f'"name": "{bigquery_project}.tmp.a"' in (folder / "site/openlineage.ndjson").read_text()

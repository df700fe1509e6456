"""GET /catalogue/rows.json: the first rows of a table, where the settings show them, and never personal ones.

Who may read them is in test_pages.py."""

import pytest

from tests.api.conftest import api_over
from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import DEFAULT_URL

PATH = "/catalogue/rows.json"
PEOPLE = {
    "db_init/raw.sql": """
CREATE TABLE raw.people (id INT64, email STRING, tags ARRAY<STRING>);
CREATE TABLE raw.letters (id INT64, text STRING);
INSERT INTO raw.people VALUES (1, 'anna@example.com', ['a', 'b']);
INSERT INTO raw.letters VALUES (7, 'dear anna');
""",
    "res/raw/people.toml": "[columns]\nemail = { personal = true }\n",
    "res/raw/letters.toml": "private = true\n",
    "res/tmp/people.sql": "SELECT id, UPPER(email) AS mail, tags, NULL AS nothing FROM raw.people\n",
    "res/tmp/letters.sql": "SELECT id, text, LENGTH(text) AS long, 'x' AS x FROM raw.letters\n",
    "res/tmp/letters.toml": "[columns]\nlong = { personal = false }\n",
    "res/tmp/unbuilt.sql": "SELECT 1 AS one\n",
    "res/tmp/view.sql": "CREATE VIEW tmp.view AS SELECT id, mail FROM tmp.people\n",
    "res/dependencies.toml": '[tmp]\nview = ["tmp.people"]\n',
}


@pytest.fixture
def people(write: Write) -> None:
    write(PEOPLE)
    assert main(["init"]) == 0
    assert main(["build", "tmp.people", "tmp.letters", "tmp.view"]) == 0


@pytest.mark.usefixtures("people")
def test_personal_and_private_values_are_in_no_answer() -> None:
    with api_over(DEFAULT_URL, deployment="nobody/has-this", first_rows=20) as api:
        found = {
            table: api.client.get(PATH, params={"table": table})
            for table in (
                "raw.people",
                "tmp.people",
                "tmp.view",
                "tmp.letters",
                "raw.letters",
                "tmp.unbuilt",
                "tmp.none",
            )
        }
        pages = [api.client.get(f"/catalogue/{table}.html").text for table in ("raw.people", "raw.letters")]
    rows = {table: answer.json() for table, answer in found.items() if answer.status_code == 200}
    assert rows == {
        "raw.people": {"columns": ["id", "tags"], "rows": [["1", '["a","b"]']], "hidden": ["email"]},
        "tmp.people": {
            "columns": ["id", "tags", "nothing"],
            "rows": [["1", '["a","b"]', None]],
            "hidden": ["mail"],
        },
        "tmp.view": {"columns": ["id"], "rows": [["1"]], "hidden": ["mail"]},
        "tmp.letters": {"columns": ["long", "x"], "rows": [["9", "x"]], "hidden": ["id", "text"]},
    }
    said = {table: answer.json()["detail"] for table, answer in found.items() if table not in rows}
    assert {answer.status_code for table, answer in found.items() if table in said} == {404}
    assert said == {
        "raw.letters": "The table is marked as private: no page shows its rows.",
        "tmp.unbuilt": "The table is not built yet.",
        "tmp.none": "The catalogue has no such table.",
    }
    assert "read-rows" in pages[0]
    assert "marked as private" in pages[1]
    assert "read-rows" not in pages[1]


@pytest.mark.usefixtures("people")
def test_rows_are_off_unless_the_settings_show_them() -> None:
    with api_over(DEFAULT_URL, deployment="nobody/has-this") as api:
        assert api.client.get(PATH, params={"table": "tmp.people"}).status_code == 404
        assert "API_FIRST_ROWS" in api.client.get("/catalogue/tmp.people.html").text

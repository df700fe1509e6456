"""The catalogue's pages, as the API serves them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.api.conftest import served
from tests.conftest import Write
from warehouse_refresh.api.app import create_app
from warehouse_refresh.api.settings import ApiSettings
from warehouse_refresh.warehouse import DEFAULT_URL, connect


@pytest.fixture
def project(write: Write) -> Path:
    write({"res/dependencies.toml": "", "db_init/a.sql": "CREATE TABLE raw.a (id INT64)"})
    return write({"res/tmp/b.sql": "SELECT id FROM `raw.a`", "res/raw/a": ""})


def client(settings: ApiSettings) -> Iterator[httpx.Client]:
    with served(create_app(settings, connect(DEFAULT_URL))) as url, httpx.Client(base_url=url, timeout=60) as found:
        yield found


@pytest.fixture
def pages(project: Path) -> Iterator[httpx.Client]:
    assert project
    yield from client(ApiSettings())


def test_the_first_page_leads_to_the_others_and_their_files(pages: httpx.Client) -> None:
    first = pages.get("/")
    assert first.status_code == 200
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    for path in ("tmp.b.html", "tmp.b.id.html", "style.css", "search.js", "index.js"):
        found = pages.get(f"/catalogue/{path}")
        assert found.status_code == 200, path
        assert found.headers["x-content-type-options"] == "nosniff"
    assert "tmp.b" in pages.get("/catalogue/raw.a.html").text
    document = pages.get("/catalogue/catalogue.json")
    assert document.headers["content-type"] == "application/json"
    assert [table["name"] for table in document.json()["tables"]] == ["raw.a", "tmp.b"]


def test_a_page_that_is_none_is_a_problem(pages: httpx.Client) -> None:
    for path in ("tmp.c.html", "", "../catalogue.json", "%2e%2e/refresh.toml"):
        answer = pages.get(f"/catalogue/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_pages_follow_the_files_and_stay_while_these_are_wrong(pages: httpx.Client, project: Path) -> None:
    assert "SELECT" in pages.get("/catalogue/tmp.b.html").text
    (project / "res/dependencies.toml").write_text('[tmp]\nb = ["tmp.nothing"]')
    assert pages.get("/").status_code == 200
    (project / "res/dependencies.toml").write_text("")
    (project / "res/tmp/c.sql").write_text("SELECT 1 AS one")
    while "tmp.c.html" not in pages.get("/").text:  # the files are looked at once a second
        pass


READ = ("/", "/catalogue/tmp.b.html", "/catalogue/state.json", "/catalogue/rows.json?table=raw.nothing", "/run")
"""What is read of the catalogue; the last two have rows (404: no such table) and runs (503: no Prefect)."""


@pytest.mark.parametrize(
    ("settings", "without", "with_token"),
    [
        ({}, [200, 200, 200, 404, 503], [200, 200, 200, 404, 503]),
        ({"token": "secret"}, [401] * 5, [200, 200, 200, 404, 503]),
        ({"token": "secret", "pages": "public"}, [200, 200, 200, 401, 401], [200, 200, 200, 404, 503]),
        ({"token": "secret", "pages": "off"}, [404, 404, 404, 401, 401], [404, 404, 404, 404, 503]),
    ],
    ids=["no token", "token", "public", "off"],
)
def test_reading_is_public_or_behind_the_token_as_settings_say(
    project: Path, settings: dict[str, Any], without: list[int], with_token: list[int]
) -> None:
    assert project
    read = ApiSettings.model_validate({"deployment": "nobody/has-this", "first_rows": 20, **settings})
    ways = [None, httpx.BasicAuth("anybody", "wrong"), httpx.BasicAuth("anybody", "secret")]
    [found] = [[[one.get(path, auth=way).status_code for path in READ] for way in ways] for one in client(read)]
    assert found == [without, without, with_token]


def test_a_browser_is_asked_for_the_token_and_programs_are_not(project: Path) -> None:
    assert project
    of_a_page = {"X-Requested-With": "catalogue"}
    sent = {"Basic": 401, "Basic !": 401, "Basic w6kgc2VjcmV0": 401, "Digest x": 401, "Basic OsOpIHNlY3JldA==": 200}
    settings = (ApiSettings(token=SecretStr("é secret")), ApiSettings(token=SecretStr("é secret"), pages="public"))
    found = []
    for each in settings:
        for one in client(each):
            found.append([one.get("/"), one.get("/run", headers=of_a_page), one.get("/run"), one.post("/a?id=1")])
            if each is settings[0]:
                headers = [{"Authorization": text} for text in sent]
                assert [one.get("/", headers=header).status_code for header in headers] == list(sent.values())
    [asked, not_asked] = found
    basic = 'Basic realm="catalogue", charset="UTF-8"'
    assert [one.headers.get("www-authenticate") for one in asked] == [basic, basic, "Bearer", "Bearer"]
    assert [one.headers.get("www-authenticate") for one in not_asked] == [None, "Bearer", "Bearer", "Bearer"]


def test_a_project_that_is_wrong_has_no_pages(write: Write) -> None:
    write({"res/dependencies.toml": '[tmp]\nb = ["tmp.nothing"]'})
    [answer] = [one.get("/") for one in client(ApiSettings())]
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert "refresh check" in answer.json()["detail"]

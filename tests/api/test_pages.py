"""The catalogue's pages, as the API serves them."""

from collections.abc import Iterator
from pathlib import Path

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


def test_with_a_token_nobody_sees_them_unless_the_settings_say_so(project: Path) -> None:
    assert project
    token = SecretStr("secret")
    settings = [
        ApiSettings(token=token),
        ApiSettings(token=token, pages="off"),
        ApiSettings(token=token, pages="public"),
    ]
    found = [one.get("/").status_code for each in settings for one in client(each)]
    assert found == [404, 404, 200]


def test_a_project_that_is_wrong_has_no_pages(write: Write) -> None:
    write({"res/dependencies.toml": '[tmp]\nb = ["tmp.nothing"]'})
    [answer] = [one.get("/") for one in client(ApiSettings())]
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert "refresh check" in answer.json()["detail"]

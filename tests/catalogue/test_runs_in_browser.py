"""The page of runs, in a real browser, against a real Prefect server whose worker is the test."""

from collections.abc import Iterator

import pytest
from prefect.states import Completed, Failed, Running
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.api.conftest import Served, api_over, with_tables
from tests.api.prefect_parts import Deployment, deployed
from tests.api.test_live_runs import add_table
from tests.catalogue.browser import browser as browser
from tests.conftest import Write
from warehouse_refresh.warehouse import DEFAULT_URL


@pytest.fixture
def deployment(prefect_server: str) -> Iterator[Deployment]:
    with deployed(prefect_server) as it:
        yield it


@pytest.fixture
def api(deployment: Deployment, write: Write) -> Iterator[Served]:
    write({"res/dependencies.toml": '[tmp]\nb = ["tmp.a"]', "db_init/a.sql": "CREATE TABLE raw.products (id INT64)"})
    write({"res/tmp/a.sql": "SELECT id FROM raw.products", "res/tmp/b.sql": "SELECT id FROM tmp.a"})
    write({"res/tmp/c.sql": "SELECT id FROM raw.products"})
    with api_over(with_tables(DEFAULT_URL), deployment=deployment.name) as it:
        yield it


def wait_for_text(browser: Chrome, name: str, text: str) -> None:
    WebDriverWait(browser, 60).until(lambda it: text in it.find_element(By.ID, name).text)


def test_a_run_is_followed_from_the_button_to_its_end(browser: Chrome, api: Served, deployment: Deployment) -> None:
    browser.get(f"{api.url}/catalogue/runs.html")
    wait_for_text(browser, "summary", "none yet")
    browser.find_element(By.ID, "select").send_keys("+tmp.b tmp.c", Keys.ENTER)
    wait_for_text(browser, "summary", "Scheduled")
    [run] = deployment.runs()
    assert run.parameters["select"] == ["+tmp.b", "tmp.c"]
    deployment.move(str(run.id), Running())
    add_table(deployment, str(run.id), "tmp.a", Running(), Completed(message="25 rows in 1 s"))
    add_table(deployment, str(run.id), "tmp.c", Running(), Failed(message="secret"))
    add_table(deployment, str(run.id), "tmp.b", Running())
    wait_for_text(browser, "timeline", "tmp.b building")
    add_table(deployment, str(run.id), "tmp.b", Completed(message="25 rows in 1 s"))
    deployment.move(str(run.id), Failed(message="secret"))
    wait_for_text(browser, "runs", "Failed")
    wait_for_text(browser, "summary", "failed: tmp.c")
    critical = {
        item.text.partition(" ")[0] for item in browser.find_elements(By.CSS_SELECTOR, "#timeline li:has(.tag)")
    }
    assert critical == {"tmp.a", "tmp.b"}
    link = browser.find_element(By.CSS_SELECTOR, "#summary a").get_attribute("href") or ""
    assert link.endswith(f"/runs/flow-run/{run.id}")


def test_prefect_out_of_reach_is_said(browser: Chrome, write: Write) -> None:
    write(
        {
            "res/dependencies.toml": "",
            "db_init/a.sql": "CREATE TABLE raw.products (id INT64)",
            "res/tmp/a.sql": "SELECT 1 AS x",
        }
    )
    with api_over(with_tables(DEFAULT_URL), deployment="nobody/has-this") as api:
        browser.get(f"{api.url}/catalogue/runs.html")
        WebDriverWait(browser, 60).until(lambda it: it.find_element(By.CSS_SELECTOR, "#answer .problem"))

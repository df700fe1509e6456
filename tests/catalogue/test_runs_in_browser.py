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
from tests.api.test_states import record
from tests.catalogue.browser import broken_rules, press
from tests.catalogue.browser import browser as browser
from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.contract import ARTIFACT, CHECKS_ARTIFACT
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
    write({"res/raw/orders.toml": '[source]\nconnection = "shop"\ntable = "orders"\n'})
    with api_over(with_tables(DEFAULT_URL), deployment=deployment.name) as it:
        yield it


COST = {"seconds": 0.5, "bytes": 52_400_000, "cost": 0.000298}
UNDERLINED = """res/tmp/c.sql:1:8: there is no column ids
  1 | SELECT ids FROM raw.products
    |        ^^^
  help: did you mean id?"""
"""What the flow says of a table whose SQL is wrong."""


def wait_for_text(browser: Chrome, name: str, text: str) -> None:
    WebDriverWait(browser, 60).until(lambda it: text in it.find_element(By.ID, name).text)


def test_a_run_is_followed_from_the_button_to_its_end(browser: Chrome, api: Served, deployment: Deployment) -> None:
    browser.get(f"{api.url}/catalogue/runs.html")
    wait_for_text(browser, "summary", "none yet")
    browser.find_element(By.ID, "load").send_keys(Keys.SPACE)
    browser.find_element(By.ID, "select").send_keys("+tmp.b tmp.c", Keys.ENTER)
    wait_for_text(browser, "summary", "Scheduled")
    [run] = deployment.runs()
    assert (run.parameters["select"], run.parameters["load"]) == (["+tmp.b", "tmp.c"], True)
    deployment.move(str(run.id), Running())
    add_table(deployment, str(run.id), "tmp.a", Running(), Completed(message="25 rows in 1 s"))
    add_table(deployment, str(run.id), "tmp.c", Running(), Failed(message=UNDERLINED))
    add_table(deployment, str(run.id), "tmp.b", Running())
    wait_for_text(browser, "timeline", "tmp.b building")
    add_table(deployment, str(run.id), "tmp.b", Completed(message="25 rows in 1 s"))
    deployment.move(str(run.id), Failed(message="secret"))
    wait_for_text(browser, "runs", "Failed")
    wait_for_text(browser, "summary", "failed: tmp.c")
    wait_for_text(browser, "timeline", "res/tmp/c.sql:1:8 there is no column ids")
    assert browser.find_element(By.TAG_NAME, "mark").text == "ids"
    critical = {
        item.text.partition(" ")[0] for item in browser.find_elements(By.CSS_SELECTOR, "#timeline li:has(.tag)")
    }
    assert critical == {"tmp.a", "tmp.b"}
    link = browser.find_element(By.CSS_SELECTOR, "#summary a").get_attribute("href") or ""
    assert link.endswith(f"/runs/flow-run/{run.id}")
    assert list(broken_rules(browser)) == []
    tables_and_their_builds_are_shown(browser, api, deployment, str(run.id))


def tables_and_their_builds_are_shown(browser: Chrome, api: Served, deployment: Deployment, first: str) -> None:
    """The table's page has its builds; the runs are those of the walk and one more."""
    second = api.client.post("/run").json()["id"]
    for run, rows in ((first, 20), (second, 25)):
        record(deployment, run, ARTIFACT, [{"table": "tmp.a", "state": "built", "rows": rows, **COST}])
        record(deployment, run, CHECKS_ARTIFACT, [{"table": "tmp.a", "check": "unique id", "result": "passed"}])
    deployment.move(second, Completed())
    browser.get(f"{api.url}/catalogue/tmp.a.html")
    wait_for_text(browser, "state", "rows: 25 last")
    for shown in ("bytes: 52.4 MB last", "cost: $0.000298 last"):
        assert shown in browser.find_element(By.ID, "state").text
    for opened in browser.find_elements(By.CSS_SELECTOR, "#state summary"):
        press(opened)
    assert "unique id" in browser.find_element(By.ID, "state").text
    assert list(broken_rules(browser)) == []
    press(browser.find_element(By.CSS_SELECTOR, f"#state a[href$='{first}']"))
    wait_for_text(browser, "summary", "1 of 1 tables built")


def test_without_prefect_the_first_page_says_how_tables_stand(browser: Chrome, write: Write) -> None:
    write({"res/dependencies.toml": '[tmp]\nb = ["tmp.a"]', "db_init/a.sql": "CREATE TABLE raw.products (id INT64)"})
    write({"res/tmp/a.sql": "SELECT id FROM raw.products"})
    write({"res/tmp/b.sql": "SELECT IF(COUNT(*) = 1, ERROR('no'), 1) AS x FROM tmp.a"})
    write({"res/tmp/c.sql": "SELECT 1 AS x"})
    with api_over(with_tables(DEFAULT_URL), deployment="nobody/has-this", first_rows=5) as api:
        assert api.client.post("/products?id=77").status_code == 201
        assert main(["build"]) == 1
        write({"res/tmp/c.sql": "SELECT 2 AS x"})
        browser.get(api.url)
        wait_for_text(browser, "state", "failed: 1 table")
        shown = {one.text.partition("\n")[0] for one in browser.find_elements(By.CSS_SELECTOR, "li:has(.live)")}
        assert {text.partition(" published")[0] for text in shown} == {"a up to date", "b failed", "c stale"}
        for opened in browser.find_elements(By.CSS_SELECTOR, "#state summary"):
            press(opened)
        assert "its script, its settings or its variables have changed" in browser.find_element(By.ID, "state").text
        assert list(broken_rules(browser)) == []
        rows_are_shown_to_who_asks(browser, api)
        browser.get(f"{api.url}/catalogue/runs.html")
        WebDriverWait(browser, 60).until(lambda it: it.find_element(By.CSS_SELECTOR, "#answer .problem"))


def rows_are_shown_to_who_asks(browser: Chrome, api: Served) -> None:
    """With the keyboard: past the header, to the button, and on to the rows, which may be wider than the page."""
    browser.get(f"{api.url}/catalogue/tmp.a.html")
    for keys in (Keys.TAB, Keys.ENTER):
        browser.switch_to.active_element.send_keys(keys)
    while browser.switch_to.active_element.get_attribute("id") != "read-rows":
        browser.switch_to.active_element.send_keys(Keys.TAB)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    wait_for_text(browser, "rows-shown", "77")
    assert list(broken_rules(browser)) == []
    browser.get(f"{api.url}/catalogue/tmp.b.html")
    press(browser.find_element(By.ID, "read-rows"))
    wait_for_text(browser, "rows-said", "not built yet")

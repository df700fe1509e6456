"""No rule of axe-core is broken on any kind of page, in light and dark, narrow and wide.

axe/ holds https://github.com/dequelabs/axe-core 4.14.1 as its authors publish it, with its licence (MPL-2.0).
"""

from pathlib import Path

import pytest
from pydantic import SecretStr
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.catalogue.browser import browser as browser
from tests.catalogue.test_form_in_browser import PAGE, answer, open_form, serve, submit
from tests.conftest import Write

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text()
PAGES = ("/", PAGE, "/catalogue/tmp.b.html", "/catalogue/tmp.b.id.html", "/catalogue/runs.html")
WIDTHS = (360, 1400)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_is_broken(browser: Chrome, write: Write, scheme: str) -> None:
    wanted = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
    broken = []
    for api in serve(write, token=SecretStr("secret"), pages="public"):
        for page in PAGES:
            browser.get(f"{api.url}{page}")
            if page == PAGE:  # with an error beside a field
                open_form(browser, api)
                browser.find_element(By.ID, "token").send_keys("secret")
                submit(browser)
                answer(browser, "problem")
            for width in WIDTHS:
                browser.set_window_size(width, 1200)
                broken += [(page, width, found) for found in broken_rules(browser)]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert broken == []


def broken_rules(browser: Chrome) -> list[str]:
    browser.execute_script(AXE)
    found = browser.execute_async_script("axe.run().then(arguments[0])")
    return [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in found["violations"]]

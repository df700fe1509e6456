"""A real browser, Chromium, without a window."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService, Keys
from selenium.webdriver.remote.webelement import WebElement

_SWITCHES = (
    *("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "disable-dev-shm-usage"),
)

LOOKS: tuple[tuple[int, str, dict[str, list[str]]], ...] = (
    (360, "light", {}),
    (1400, "light", {}),
    (1400, "dark", {"runOnly": ["color-contrast"]}),
)
"""Widths and schemes, with what axe is asked for: in the dark only the colours differ."""


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """The browser, one for all tests of a process. Tests that need it are skipped where it is not installed."""
    if not _program() or not _driver():
        pytest.skip("NOT TESTED IN A BROWSER: install chromium and chromedriver (Debian: chromium chromium-driver)")
    with chromium(tmp_path_factory.mktemp("browser")) as started:
        yield started


@contextmanager
def chromium(folder: Path) -> Iterator[Chrome]:
    """A new browser, whose own files are in the folder."""
    options = ChromeOptions()
    options.binary_location = _program()
    for switch in _SWITCHES:
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = Chrome(options, ChromeService(_driver(), env={**os.environ, "SE_OFFLINE": "true"}))
    started.set_page_load_timeout(120)
    try:
        yield started
    finally:
        started.quit()


def _program() -> str:
    return shutil.which("chromium") or shutil.which("google-chrome") or ""


def _driver() -> str:
    return shutil.which("chromedriver") or ""


def press(element: WebElement) -> None:
    """Press Enter on a button, a link or a summary. A click goes to a place of the page, where something else may be by
    then: a page grows as it reads what it shows."""
    element.send_keys(Keys.ENTER)


def broken_rules(browser: Chrome) -> Iterator[str]:
    """The rules of axe-core that the page breaks, each with the look in which it does.

    axe/ holds https://github.com/dequelabs/axe-core 4.14.1 as its authors publish it, with its licence (MPL-2.0)."""
    browser.execute_script((Path(__file__).parent / "axe" / "axe.min.js").read_text())
    for width, scheme, options in LOOKS:
        wanted = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
        show_at(browser, width)
        found = browser.execute_async_script(
            "axe.run(arguments[0]).then(arguments[1])", {**options, "preload": False, "resultTypes": ["violations"]}
        )
        address = f"{browser.current_url} {width} {scheme}"
        yield from (f"{address} {rule['id']}: {rule['nodes'][0]['html']}" for rule in found["violations"])
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    show_at(browser, None)


def show_at(browser: Chrome, width: int | None) -> None:
    """Show the page as in a window of this width; None: as the window is. That is quicker than another window."""
    if width is None:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        return
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

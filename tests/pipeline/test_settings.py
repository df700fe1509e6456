"""refresh.toml, and the environment variables that win over it."""

from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.contract import project_name
from warehouse_refresh.pipeline.outcomes import Publishing
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.pipeline.settings_file import Layout, SettingError
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.names import TableName

FULL = """\
name = "shop"
warehouse = "duckdb:///shop.duckdb"
workers = 3
publish = "all"
price_per_tib = 5.5

[folders]
scripts = "models"
init = "seeds"

[datasets]
raw = "source"
default = "source"

[api]
rate_limit = 7
"""


def test_a_project_without_the_file_has_the_defaults(folder: Path) -> None:
    settings = read_settings({})
    assert (settings.workers, settings.price_per_tib, settings.layout) == (8, 6.25, Layout())
    assert settings.publishing is Publishing.TOGETHER
    assert project_name(folder, {}) == folder.name


def test_the_file_says_it_and_a_variable_wins(write: Write) -> None:
    folder = write({"refresh.toml": FULL, "pyproject.toml": '[project]\nname = "other"'})
    settings = read_settings({})
    assert (settings.warehouse_url, settings.workers, settings.price_per_tib) == ("duckdb:///shop.duckdb", 3, 5.5)
    assert settings.layout == Layout("models", "seeds", "source", "source")
    assert settings.publishing is Publishing.ALL
    assert read_settings({"REFRESH_PUBLISH": "each"}).publishing is Publishing.EACH
    assert project_name(folder, {}) == "shop"
    environment = {"WAREHOUSE_URL": "duckdb:///b", "REFRESH_WORKERS": "4", "REFRESH_PRICE_PER_TIB": "1"}
    settings = read_settings(environment)
    assert (settings.warehouse_url, settings.workers, settings.price_per_tib) == ("duckdb:///b", 4, 1.0)
    assert project_name(folder, {"REFRESH_PROJECT": "third"}) == "third"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("worker = 3", "refresh.toml: there is no setting worker; did you mean workers?"),
        ("workers = 'three'", "refresh.toml: workers is 'three': write a number"),
        ("workers = true", "refresh.toml: workers is True: write a number"),
        ("workers = 0", "REFRESH_WORKERS is '0'"),
        ("publish = 'later'", "REFRESH_PUBLISH is 'later': write together or all or each"),
        ("keep_previous = 'yes'", "refresh.toml: keep_previous is 'yes': write true or false"),
        ("warehouse = 3", "refresh.toml: warehouse is 3: write text in quotes"),
        ("name = ''", "refresh.toml: name is '': write text in quotes"),
        ("folders = 'res'", "refresh.toml: folders is a section: write [folders]"),
        ("[folders]\nscript = 'a'", "refresh.toml: there is no setting folders.script; did you mean scripts?"),
        ("[folders]\nscripts = '../a'", "refresh.toml: folders.scripts is '../a': write a name"),
        ("[folders]\nscripts = '/a'", "refresh.toml: folders.scripts is '/a': write a name"),
        ("[datasets]\nraw = 3", "refresh.toml: datasets.raw is 3: write a name"),
        ("[datasets]\ndefault = 'a.b'", "refresh.toml: datasets.default is 'a.b': write a dataset's name"),
        ("workers = ", "refresh.toml is not TOML: "),
        ("workers = \xe9", "refresh.toml is not TOML: "),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_clear_message(
    write: Write, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    write({"refresh.toml": text, "res/tmp/a.sql": "SELECT 1 AS x", "res/dependencies.toml": ""})
    with pytest.raises(SettingError):
        read_settings({})
    for command in ("build", "check", "plan", "init", "sync", "graph"):
        assert main([command]) == 2
        assert capsys.readouterr().err.startswith(f"error: {message}")


def test_a_project_may_name_its_folders_and_its_raw_dataset(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(
        {
            "refresh.toml": FULL,
            "seeds/orders.sql": "CREATE TABLE source.orders (id INT64) AS SELECT 3",
            "models/stage/orders.sql": "SELECT id FROM `source.orders`",
            "models/mart/total.sql": "SELECT SUM(id) AS total FROM `stage.orders`",
        }
    )
    assert main(["sync"]) == 0
    assert (folder / "models/dependencies.toml").is_file()
    for command in ("check", "init", "build", "plan", "graph"):
        assert main([command]) == 0, capsys.readouterr()
    with connect("duckdb:///shop.duckdb") as warehouse:
        assert warehouse.first_rows(TableName("mart", "total"), 2) == [(3,)]
    assert not (folder / "res").exists()

"""A file that cannot be read is one problem, for every command that reads it: nothing that follows from it is
reported, too."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main

SHOP = {
    "refresh.toml": '[connections.shop]\nurl_from = "SHOP_URL"\n',
    "db_init/shop.sql": "CREATE TABLE raw.orders (id INT64) AS SELECT 1;\nCREATE TABLE tmp.days (day INT64);\n",
    "db_init/more.sql": "CREATE TABLE raw.stores (store INT64);",
    "res/raw/countries.csv": "code,name\nDE,Germany\n",
    "res/raw/countries.toml": '[columns.code]\ndescription = "two letters"\n',
    "res/raw/orders.toml": 'description = "what customers ordered"\n',
    "res/raw/customers.toml": '[columns.id]\ntype = "INT64"\n[source]\nconnection = "shop"\ntable = "customers"\n',
    "res/functions/twice.sql": "CREATE FUNCTION functions.twice(x INT64) AS (x * 2);\n",
    "res/functions/fourfold.sql": "CREATE FUNCTION functions.fourfold(x INT64) AS (functions.twice(x) * 2);\n",
    "res/checks/negative.sql": "SELECT id FROM `tmp.orders` WHERE id < 0",
    "res/checks/negative.toml": 'description = "ids count from 1"\n',
    "res/tmp/orders.sql": "SELECT functions.fourfold(id) AS id FROM `raw.orders`, `raw.stores`",
    "res/tmp/orders.toml": '[checks]\nunique = ["id"]\n',
    "res/tmp/orders.test.toml": '[fourfold]\ngiven."raw.orders" = [{ id = 1 }]\nexpected = []\n',
    "res/final/lands.sql": "SELECT code, id FROM `raw.countries`, `tmp.orders`, `tmp.days`",
    "res/dependencies.toml": '[final]\nlands = ["tmp.orders", "tmp.days"]\n',
}
Break = Callable[[Path, pytest.MonkeyPatch], None]


def _is_not_utf8(path: Path, _: pytest.MonkeyPatch) -> None:
    path.write_bytes(path.read_bytes() + b"\xff")


def _leads_nowhere(path: Path, _: pytest.MonkeyPatch) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _is_forbidden(path: Path, patch: pytest.MonkeyPatch) -> None:
    """A file without read permission, also for root, who may read all files."""
    for owner in (Path, os):
        patch.setattr(owner, "open", _refusing(owner.open, path.resolve()))


def _refusing(opened: Callable[..., object], path: Path) -> Callable[..., object]:
    def refuse(asked: str | Path, *arguments: object, **named: object) -> object:
        if Path(asked).resolve() == path:
            raise PermissionError(13, "Permission denied", str(asked))
        return opened(asked, *arguments, **named)

    return refuse


def _reports(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    """The exit code, which is 2 if there is an error, and the problems that the command prints: where each is."""
    code = main([*arguments])
    printed = capsys.readouterr()
    found = re.findall(r"^(error|warning): ([^:\s]+)", printed.out + printed.err, re.MULTILINE)
    assert code == (2 if "error" in {severity for severity, _ in found} else 0)
    return code, [where for _, where in found]


def _found(folder: Path, name: str, spoil: Break, capsys: pytest.CaptureFixture[str], *command: str) -> list[str]:
    """The files of the problems that a command reports while the file `name` is spoilt."""
    with pytest.MonkeyPatch.context() as patch:
        spoil(folder / name, patch)
        _, where = _reports(capsys, *command)
    (folder / name).unlink()
    (folder / name).write_text(SHOP[name])
    return [Path(each).name for each in where]


def test_a_file_that_is_not_utf8_is_one_problem(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(SHOP)
    assert _reports(capsys, "check") == (0, [])
    assert {name: _found(folder, name, _is_not_utf8, capsys, "check") for name in SHOP} == {
        name: [Path(name).name] for name in SHOP
    }


@pytest.mark.parametrize("spoil", [_leads_nowhere, _is_forbidden])
@pytest.mark.parametrize(
    "name", ["refresh.toml", "db_init/shop.sql", "res/raw/countries.toml", "res/dependencies.toml"]
)
def test_a_file_that_cannot_be_read_is_one_problem(
    write: Write, spoil: Break, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _found(write(SHOP), name, spoil, capsys, "check") == [Path(name).name]


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [_is_not_utf8, _leads_nowhere, _is_forbidden])
def test_whatever_cannot_be_read_is_one_problem_of_every_command(
    write: Write, spoil: Break, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(SHOP)
    assert _reports(capsys, "init") == _reports(capsys, "build") == (0, [])
    for command in ["check"], ["check", "--live"], ["plan"], ["build"], ["init"], ["test"]:
        for name in SHOP:
            found = _found(folder, name, spoil, capsys, *command)
            assert found == [Path(name).name] or (found == [] and command != ["check"]), (command, name)


def test_a_refresh_is_refused_for_the_script_that_may_create_what_it_reads(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(SHOP)
    assert _reports(capsys, "init") == (0, [])
    for command in "plan", "build":
        assert _found(folder, "db_init/shop.sql", _is_not_utf8, capsys, command) == ["shop.sql"]
        assert _found(folder, "res/functions/twice.sql", _is_not_utf8, capsys, command) == ["twice.sql"]


def test_tests_of_a_script_that_cannot_be_read_are_not_missing(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _found(write(SHOP), "res/tmp/orders.sql", _leads_nowhere, capsys, "test") == ["orders.sql"]


def test_a_name_that_no_unreadable_script_has_is_reported_all_the_same(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**SHOP, "res/tmp/orders.sql": "SELECT 1 AS id FROM `tmp.dayz`, `raw.stores`"})
    assert _found(Path(), "db_init/shop.sql", _is_not_utf8, capsys, "check") == ["shop.sql", "orders.sql"]
    assert _found(Path(), "db_init/shop.sql", _leads_nowhere, capsys, "check") == ["shop.sql"]


def test_what_follows_from_a_wrong_statement_is_not_reported(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**SHOP, "db_init/shop.sql": SHOP["db_init/shop.sql"].replace("id INT64", "id INTEGR")})
    assert _reports(capsys, "check")[1] == ["db_init/shop.sql"]

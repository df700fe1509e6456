"""TABLE, --select and --exclude on the command line."""

import io
import json
from pathlib import Path

import pytest

from warehouse_refresh.commands.main import main

ALL = {
    "tmp.product_categories",
    "tmp.product_images",
    "tmp.variant_images",
    "tmp.inventory_items",
    "tmp.item_purchase_prices",
    "tmp.products",
    "tmp.variants",
    "final.products",
}
pytestmark = pytest.mark.usefixtures("demonstration")


@pytest.fixture
def built(demonstration: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    capsys.readouterr()
    return demonstration


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> set[str]:
    assert main(["plan", "--json", *arguments]) == 0
    return {table["table"] for table in json.loads(capsys.readouterr().out)["tables"]}


@pytest.mark.usefixtures("built")
def test_tables_are_named_in_whatever_way_is_shortest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("changed.txt").write_text("# what the pull request changes\ntmp.variants tmp.products # two\n\nfinal.*\n")
    three = {"tmp.variants", "tmp.products", "final.products"}
    assert planned(capsys) == ALL
    assert planned(capsys, "tmp.variants") == {"tmp.variants"}
    assert planned(capsys, "tmp.variants", "--select", "tmp.products", "final.*") == three
    assert planned(capsys, "@changed.txt") == three
    assert planned(capsys, "--select", "@changed.txt", "--exclude", "final.products") == three - {"final.products"}
    assert planned(capsys, "--exclude", "@changed.txt") == ALL - three
    assert planned(capsys, "path:res/final", "1+final.products,tmp.v*") == {"final.products", "tmp.variants"}
    monkeypatch.setattr("sys.stdin", io.StringIO("tmp.variants\n"))
    assert planned(capsys, "@-") == {"tmp.variants"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["@nowhere.txt"], "error: @nowhere.txt cannot be read: No such file or directory"),
        (["@empty.txt"], "error: @empty.txt selects nothing: name a table in each line"),
        (["@latin.txt"], "error: @latin.txt cannot be read: it is not UTF-8"),
        (["--exclude", ""], "error: --select 'not:' selects nothing"),
        (["--exclude", "*"], "error: --select not:*: nothing is left to build"),
        (["--exclude", "tmp.variant"], "no script builds tmp.variant; did you mean tmp.variants?"),
        (["tmp.variant", "--exclude", "tmp.variants"], "no script builds tmp.variant; did you mean tmp.variants?"),
    ],
)
def test_what_selects_nothing_is_an_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.txt").write_text("# nothing\n\n")
    Path("latin.txt").write_bytes("été".encode("latin-1"))
    for command in ("plan", "build", "graph"):
        assert main([command, *arguments]) == 2
        assert message in capsys.readouterr().err


def test_a_build_takes_its_tables_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    assert main(["build", "+tmp.variants", "--exclude", "tmp.variants"]) == 0
    printed = capsys.readouterr().out
    assert "3 of 3 tables built" in printed
    assert "tmp.inventory_items" in printed

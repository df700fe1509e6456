"""The pages under docs/ lead somewhere, and their commands do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from warehouse_refresh.commands.main import main
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.names import TableName

PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "deploy/README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading_of_it(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not link.startswith("https://"):
            path, _, heading = link.partition("#")
            target = (page.parent / path) if path else page
            assert target.exists(), link
            assert not heading or heading in _headings(target), link


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_every_package_is_told_where_things_are(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    packages = [folder.name for folder in (ROOT / "warehouse_refresh").iterdir() if (folder / "__init__.py").exists()]
    assert [name for name in packages if not re.search(rf"^ *{name}/ +\S", text, re.MULTILINE)] == []


def test_the_run_books_backup_is_a_copy_of_every_table(demonstration: Path) -> None:
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    [command] = re.findall(r"\$ (flock .* \.venv/bin/python .*)\n", (ROOT / "docs/runbook.md").read_text())
    subprocess.run(["sh", "-c", command.replace(".venv/bin/python", sys.executable)], check=True, cwd=demonstration)
    with connect("duckdb:///.data/warehouse.duckdb") as warehouse, connect("duckdb:///backup.duckdb") as backup:
        for table in [TableName("raw", "products"), TableName("tmp", "variants"), TableName("final", "products")]:
            assert sorted(map(str, backup.first_rows(table, 100))) == sorted(map(str, warehouse.first_rows(table, 100)))
            assert backup.columns(table) == warehouse.columns(table)


def _headings(page: Path) -> set[str]:
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}

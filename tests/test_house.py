"""How the house is built: imports run one way, and no file grows out of its room."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

ALLOWED = {
    "warehouse": {"warehouse"},
    "pipeline": {"pipeline"},
    "flows": {"flows", "pipeline", "warehouse"},
    "api": {"api", "pipeline", "warehouse"},
}
MODULES = [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_run_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    assert imported(path) & set(ALLOWED) <= ALLOWED[package]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_is_one_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300

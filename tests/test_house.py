"""The layout: which package may import which, and how many modules a folder holds. docs/architecture.md draws it."""

import ast
from pathlib import Path

import pytest

from tests.conftest import PACKAGE

# What each package may import of the others; the longest name that fits decides.
MAY_IMPORT = {
    "warehouse": {"warehouse"},
    "origins": {"origins", "warehouse"},
    "pipeline": {"pipeline", "origins", "warehouse"},
    "pipeline.contract": set(),
    "flows": {"flows", "pipeline", "warehouse"},
    "catalogue": {"catalogue", "pipeline", "warehouse"},
    "commands": {"commands", "catalogue", "flows", "pipeline", "warehouse"},
    "api": {
        "api",
        "catalogue",
        "pipeline.contract",
        "pipeline.outcomes",
        "pipeline.project.problems",
        "pipeline.project.selectors",
        "pipeline.settings_file",
        "pipeline.project.variables",
        "pipeline.tables.files",
        "warehouse",
    },
}
MAY_IMPORT_LIBRARY = {
    "prefect": {"flows", "api", "origins.blocks"},
    "rich": {"commands"},
    "litestar": {"api"},
    "adbc_driver_manager": {"origins"},
    "adbc_driver_postgresql": {"origins"},
    "adbc_driver_sqlite": {"origins"},
    "pymysql": {"origins"},
    "obstore": {"origins"},
}
PACKAGES = ("warehouse", "origins", "pipeline", "catalogue", "flows", "commands", "api")
MOST_MODULES = 16
MODULES = [path for package in PACKAGES for path in sorted((PACKAGE / package).rglob("*.py"))]
FOLDERS = sorted({path.parent for path in MODULES})


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it; `from a import b` counts as both `a` and `a.b`."""
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module or ""}
    return names


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def allowed(module: str) -> set[str]:
    return MAY_IMPORT[max((package for package in MAY_IMPORT if is_within(module, package)), key=len)]


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_run_one_way(path: Path) -> None:
    root = f"{PACKAGE.name}."
    ours = {name.removeprefix(root) for name in imported(path) if name.startswith(root)}
    wrong = {name for name in ours if not any(is_within(name, package) for package in allowed(dotted(path)))}
    assert not wrong


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_library_is_used_where_it_belongs(path: Path) -> None:
    used = {name.split(".")[0] for name in imported(path)} & set(MAY_IMPORT_LIBRARY)
    assert all(any(is_within(dotted(path), room) for room in MAY_IMPORT_LIBRARY[library]) for library in used)


@pytest.mark.parametrize("folder", FOLDERS, ids=dotted)
def test_a_folder_can_be_taken_in_at_a_glance(folder: Path) -> None:
    modules = [path for path in folder.iterdir() if path.suffix == ".py" or (path.is_dir() and list(path.glob("*.py")))]
    assert len(modules) <= MOST_MODULES

"""Which tables' files differ from those at a commit of git."""

import subprocess
from pathlib import Path

from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.settings_file import NAME
from warehouse_refresh.warehouse.names import TableName


def tables_of_commit(project: Project, commit: str) -> set[TableName]:
    """The tables whose script, settings file or functions were changed since the project left the history of `commit`;
    with another refresh.toml also those whose scripts have variables. Raises SelectionError."""
    changed = changed_files(project.folder, commit)
    functions = {
        name for name, one in project.functions.items() if one.path.relative_to(project.folder).as_posix() in changed
    }
    found = {table for table, path in project.files.items() if {path, _settings_of(path)} & changed}
    for table, script in project.scripts.items():
        has_other_values = NAME in changed and script.query.parameters
        if has_other_values or any(function.name in functions for function in script.query.functions):
            found.add(table)
    return found


def changed_files(folder: Path, commit: str) -> set[str]:
    """The paths of the files in `folder`, from there on, that were added, changed or deleted since the work in it left
    the history of `commit`, whether they are committed or not. Raises SelectionError."""
    _git(folder, commit, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    base = _git(folder, commit, "merge-base", commit, "HEAD").strip()
    tracked = _git(folder, commit, "diff", "--name-only", "-z", "--relative", base, "--", ".")
    new = _git(folder, commit, "ls-files", "-z", "--others", "--exclude-standard", "--", ".")
    return {path for path in f"{tracked}\0{new}".split("\0") if path}


def _settings_of(path: str) -> str:
    return f"{path.rpartition('.')[0]}.toml"


def _git(folder: Path, commit: str, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 (`commit` begins with no dash: see the selectors' grammar)
            ["git", "-C", folder, *arguments],  # noqa: S607 (the user's own git)
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        raise SelectionError(f"--select git:{commit}: there is no git here") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[:1] or ["git knows no such commit, or it has no history with this one"]
        raise SelectionError(f"--select git:{commit}: {said[0]}; in CI, fetch the whole history")
    return done.stdout

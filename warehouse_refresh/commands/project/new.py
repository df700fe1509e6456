"""`refresh new FOLDER`: a small project that runs at once."""

import shlex
from argparse import Namespace
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from warehouse_refresh.pipeline.contract import project_name
from warehouse_refresh.pipeline.project.problems import Problem, Refused

_RENAMED = {"gitignore": ".gitignore"}  # under its own name it would hide files of this repository from git


def run(options: Namespace) -> int:
    """Create the folder with the project, say what to do next, and answer the exit code. Raises Refused if the folder
    has files already, ProjectNameError."""
    folder = Path(options.folder)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise Refused([Problem(folder, None, "this folder is not empty", "name a new folder")])
    name = project_name(folder, {})
    ours = files("warehouse_refresh.commands.project")
    _write(ours / "template", folder, name)
    if options.example:
        _write(ours / "examples" / options.example, folder, name)
    print(f"created {folder}: a project named {name}")
    print(f"\n  cd {shlex.quote(options.folder)}\n  refresh init\n  refresh build")
    return 0


def _write(source: Traversable, target: Path, name: str) -> None:
    """Copy a file or a folder of the template, with the project's name in it. Raises Refused."""
    try:
        if source.is_file():
            target.write_text(source.read_text(encoding="utf-8").replace("{{name}}", name), encoding="utf-8")
            return
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused([Problem(target, None, f"this cannot be written: {error.strerror}")]) from error
    for each in source.iterdir():
        _write(each, target / _RENAMED.get(each.name, each.name), name)

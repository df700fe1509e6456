"""Read the files and folders that people write. A file that cannot be read becomes a Problem, not a stack trace."""

import os
import re
import stat
import unicodedata
from collections.abc import Callable
from pathlib import Path

from warehouse_refresh.pipeline.project.problems import Problem, Refused
from warehouse_refresh.warehouse.errors import Place, SqlError
from warehouse_refresh.warehouse.names import TableName

_PLAIN = re.compile(r"[A-Za-z0-9_ -]{1,300}")
_DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}")


def read_text(path: Path) -> str:
    """The text of a file that people write. Raises SqlError if it cannot be read or is not UTF-8."""
    content = _content(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode("utf-8", errors="replace")) + 1
        raise SqlError(
            f"the file is not UTF-8: byte 0x{content[error.start]:02x}",
            hint="save it as UTF-8",
            place=Place(before.count(b"\n") + 1, column),
        ) from error


def _content(path: Path) -> bytes:
    """The bytes of a file. Not Path.is_file and Path.read_bytes: for a thousand scripts they take 10 ms longer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for its writer
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return file.readall()
    except OSError as error:
        check_is_file(path)
        raise SqlError(f"the file cannot be read: {error.strerror}", hint="see its permissions") from error
    check_is_file(path)
    raise SqlError("the file was replaced while it was read", hint="run this again")


def loose_text(path: Path) -> str:
    """What can be read of a file's text, with U+FFFD for what is not UTF-8; "" if nothing can."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def is_there(path: Path) -> bool:
    """Whether a folder has an entry of that name: also a link that leads nowhere, which cannot be read."""
    return os.path.lexists(path)


def check_is_file(path: Path) -> None:
    """Raise SqlError for a folder, for a link that leads nowhere, and for a pipe: reading it would wait for ever."""
    if not path.is_file():
        if not is_there(path):
            raise SqlError("the file was deleted while it was read", hint="run this again")
        raise SqlError(f"this is {_kind(path)}, not a file", hint="replace it with a file, or delete it")


def res_folder(folder: Path, name: str = "res") -> Path:
    """The folder of a project's scripts. Raises Refused if there is none."""
    res = folder / name
    if not res.is_dir():
        hint = "run this in the project's folder; `refresh new FOLDER` creates a project"
        raise Refused([Problem(res, None, "there is no such folder", hint)])
    return res


def listed(folder: Path, wanted: Callable[[str], bool] = bool) -> list[Path]:
    """The sorted paths in a folder, without hidden files, of those names that are wanted. Raises Refused for a folder
    that cannot be read."""
    return [folder / name for name in names_in(folder, wanted)]


def names_in(folder: Path, wanted: Callable[[str], bool] = bool) -> list[str]:
    """The names of `listed`. Raises Refused for a folder that cannot be read."""
    try:
        # Not Path.glob, and no path for each name: it takes 0.1 s for a thousand scripts, and a folder is listed often.
        found = (entry.name for entry in os.scandir(folder))
        return sorted(name for name in found if not name.startswith(".") and wanted(name))
    except OSError as error:
        reason = f"the folder cannot be read: {error.strerror}"
        raise Refused([Problem(folder, None, reason, "see its permissions")]) from error


def is_sql(name: str) -> bool:
    """Whether a file is a script by its name's ending, `.sql` or `.SQL`."""
    return name.lower().endswith(".sql")


def is_plain(name: str) -> bool:
    """Whether a name has no ending: it may be that of a folder which groups files, or of a source."""
    return "." not in name


def folders_in(folder: Path) -> list[Path]:
    """The folders in a dataset's folder that only group its files. Links are none: they may lead in a circle."""
    return [path for path in listed(folder, is_plain) if path.is_dir() and not path.is_symlink()]


def name_problem(table: TableName, path: Path) -> Problem | None:
    """Why BigQuery does not allow a table of that name, None if it does:
    https://cloud.google.com/bigquery/docs/tables#table_naming and
    https://cloud.google.com/bigquery/docs/datasets#dataset-naming"""
    if not _DATASET.fullmatch(table.dataset):
        reason = f"{table.dataset!r} cannot be a dataset's name: it takes letters from A to Z, digits and _"
        return Problem(path.parent, None, reason, "rename the folder")
    wrong = "" if _PLAIN.fullmatch(table.name) else next(filter(_is_foreign, table.name), "")
    if not wrong:
        return None
    reason = f"{wrong!r} cannot be in a table's name: it takes letters, digits, _, - and spaces"
    return Problem(path, None, reason, "rename the file")


def _is_foreign(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] not in "LMN" and category not in ("Pc", "Pd", "Zs")


def _kind(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    return "a link that leads nowhere" if path.is_symlink() and not path.exists() else "something else"

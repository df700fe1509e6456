"""Notes about SQL texts, kept from one process to the next, so that a text that has not changed is not read again.

Reading a thousand scripts takes longer than building their small tables. A note is kept by its text, and forgotten when
the code that makes notes changes.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

_LIBRARIES = ("duckdb-", "sqlglot-", "sqlglotc-")


class _Notes:
    """Notes by key; adds to `used` the keys of those that were used or are new."""

    def __init__(self, found: dict[str, Any], used: set[str]) -> None:
        self._found, self._used = found, used
        self.is_changed = False

    def get(self, key: str) -> Any:
        self._used.add(key)
        return self._found.get(key)

    def set(self, key: str, value: Any) -> None:
        self._used.add(key)
        self._found[key] = value
        self.is_changed = True

    def worth_keeping(self) -> dict[str, Any]:
        """All notes, or only the used ones when more than half are unused."""
        used = {key: self._found[key] for key in list(self._used) if key in self._found}
        return used if len(self._found) > 2 * len(used) else self._found


class SqlCache:
    """Notes about SQL texts, as JSON values, by their kind and the text. They are known inside the `with` block, and
    kept in the file at `path` from one process to the next. What an earlier block of the same cache used counts as used
    in a later one: a refresh that plans in the first and checks in the second keeps the notes of both.

    Safe to use from several threads. I/O errors are ignored: then the texts are read again. `made_by` identifies the
    version of the code that writes the notes; notes of another version are ignored.
    """

    def __init__(self, path: Path, made_by: str) -> None:
        self._path, self._made_by = path, made_by
        self._notes: _Notes | None = None
        self._used: set[str] = set()

    def __enter__(self) -> Self:
        self._notes = _Notes(_read(self._path, self._made_by), self._used)
        return self

    def __exit__(self, *error: object) -> None:
        notes, self._notes = self._notes, None
        if notes is not None and notes.is_changed:
            _write(self._path, self._made_by, notes.worth_keeping())

    def recall(self, kind: str, text: str) -> Any:
        """The note about the text; None if there is none, and outside of the block."""
        notes = self._notes
        return notes.get(_key(kind, text)) if notes is not None else None

    def note(self, kind: str, text: str, value: Any) -> None:
        """Note what reading the text has found."""
        notes = self._notes
        if notes is not None:
            notes.set(_key(kind, text), value)


def open_cache(path: Path) -> SqlCache:
    """The cache in the file at `path`, for notes of the code in warehouse/ as it is now."""
    return SqlCache(path, code_in(Path(__file__).parents[1]))


def code_in(folder: Path) -> str:
    """A hash of the code in `folder` and of the versions of the libraries that read SQL."""
    return sha256(repr((sorted(_files(str(folder))), _versions())).encode()).hexdigest()


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    """The path, time and size of each module. Not Path.rglob, which takes three times as long."""
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _files(entry.path)
        elif entry.name.endswith(".py"):
            found = entry.stat()
            yield entry.path, found.st_mtime_ns, found.st_size


def _versions() -> list[str]:
    """By the names of the libraries' folders: importlib.metadata takes 20 ms to import."""
    found = find_spec("sqlglot")
    if found is None or found.origin is None:
        return []
    packages = Path(found.origin).parent.parent
    return sorted(path.name for path in packages.glob("*.dist-info") if path.name.startswith(_LIBRARIES))


def _key(kind: str, text: str) -> str:
    return f"{kind} {sha256(text.encode()).hexdigest()}"


def _read(path: Path, made_by: str) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_bytes())
        return dict(kept["notes"]) if kept["made_by"] == made_by else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _write(path: Path, made_by: str, notes: dict[str, Any]) -> None:
    """Replace the file at once: a process that reads it at the same time finds the old notes or the new ones.

    The draft has one name, so that processes that are killed leave one at most. While another process writes its own,
    nothing is written.
    """
    draft = path.with_name(f"{path.name}.draft")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(draft.stat(), os.fstat(file.fileno())):
                return  # another process has made it the file since it was opened
            file.truncate(0)
            file.write(json.dumps({"made_by": made_by, "notes": notes}))
            file.flush()
            draft.replace(path)

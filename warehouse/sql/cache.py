"""What earlier processes have found out about SQL texts, so that a text that has not changed is not read again.

Reading a thousand scripts takes longer than building their small tables. Notes are made by text, and forgotten when
the code that made them changes: a note says what reading the text would say.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_LIBRARIES = ("duckdb-", "sqlglot-", "sqlglotc-")


class _Notes:
    """Notes by key, and which of them were asked for or are new."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._found = found
        self._used: set[str] = set()
        self.is_changed = False

    def get(self, key: str) -> Any:
        self._used.add(key)
        return self._found.get(key)

    def set(self, key: str, value: Any) -> None:
        self._used.add(key)
        self._found[key] = value
        self.is_changed = True

    def worth_keeping(self) -> dict[str, Any]:
        """All, or without those that nobody has asked for, once these are more than half."""
        used = {key: self._found[key] for key in list(self._used) if key in self._found}
        return used if len(self._found) > 2 * len(used) else self._found


class Memory:
    """Notes, as JSON values, by their kind and the text that they are about. Knows nothing outside of `kept_in`.

    `made_by` tells the code that makes them from any other.
    """

    def __init__(self, made_by: str) -> None:
        self._made_by = made_by
        self._notes: _Notes | None = None

    @contextmanager
    def kept_in(self, path: Path) -> Iterator[None]:
        """Know inside this block what is noted in the file at `path`, and write it there at the end.

        A file that cannot be read or written is done without. One block at a time: of two in two threads one may
        know less.
        """
        self._notes = notes = _Notes(_read(path, self._made_by))
        try:
            yield
        finally:
            self._notes = None
            if notes.is_changed:
                _write(path, self._made_by, notes.worth_keeping())

    def recall(self, kind: str, text: str) -> Any:
        """What was noted; None if nothing was."""
        notes = self._notes
        return notes.get(_key(kind, text)) if notes is not None else None

    def note(self, kind: str, text: str, value: Any) -> None:
        """Note what reading the text has found."""
        notes = self._notes
        if notes is not None:
            notes.set(_key(kind, text), value)


def code_in(folder: Path) -> str:
    """What changes when the code in `folder` or one of the libraries that read SQL does."""
    files = sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*.py"))
    return sha256(repr((files, _versions())).encode()).hexdigest()


def _versions() -> list[str]:
    """By the names of the libraries' folders: importlib.metadata takes 20 ms to import."""
    found = find_spec("sqlglot")
    if found is None or found.origin is None:
        return []
    packages = Path(found.origin).parent.parent
    return sorted(path.name for path in packages.glob("*.dist-info") if path.name.startswith(_LIBRARIES))


memory = Memory(code_in(Path(__file__).parent))
"""That of this process. The code is looked at as early as that: its files may change while the process runs."""


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
            json.dump({"made_by": made_by, "notes": notes}, file)
            file.flush()
            draft.replace(path)

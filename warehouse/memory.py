"""What earlier processes have found out about SQL texts, so that a text that has not changed is not read again.

Reading a thousand scripts takes longer than building their small tables. Notes are made by text, and forgotten when
the code that made them changes: a note says what reading the text would say.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_CODE = Path(__file__).parent
_LIBRARIES = ("duckdb-", "sqlglot-", "sqlglotc-")


class Memory:
    """Notes, as JSON values, by their kind and the text that they are about. Knows nothing outside of `kept_in`."""

    def __init__(self) -> None:
        self._notes: dict[str, Any] | None = None
        self._used: set[str] = set()
        self._is_new = False

    @contextmanager
    def kept_in(self, path: Path) -> Iterator[None]:
        """Know inside this block what is noted in the file at `path`, and write it there at the end.

        A file that cannot be read or written is done without.
        """
        made_by = _made_by()
        self._notes, self._used, self._is_new = _read(path, made_by), set(), False
        try:
            yield
        finally:
            if self._is_new:
                _write(path, made_by, self._worth_keeping(self._notes))
            self._notes = None

    def recall(self, kind: str, text: str) -> Any:
        """What was noted; None if nothing was."""
        return self._notes.get(self._used_key(kind, text)) if self._notes is not None else None

    def note(self, kind: str, text: str, value: Any) -> None:
        """Note what reading the text has found."""
        if self._notes is not None:
            self._notes[self._used_key(kind, text)] = value
            self._is_new = True

    def _used_key(self, kind: str, text: str) -> str:
        key = f"{kind} {sha256(text.encode()).hexdigest()}"
        self._used.add(key)
        return key

    def _worth_keeping(self, notes: dict[str, Any]) -> dict[str, Any]:
        """The notes without those that nobody has asked for, once these are more than half."""
        used = {key: notes[key] for key in self._used if key in notes}
        return used if len(notes) > 2 * len(used) else notes


memory = Memory()
"""That of this process."""


def _made_by() -> str:
    """What changes when the code that reads SQL does: its files as they are now, and the libraries it stands on."""
    files = sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in _CODE.rglob("*.py"))
    return sha256(repr((files, _versions())).encode()).hexdigest()


def _versions() -> list[str]:
    """By the names of the libraries' folders: importlib.metadata takes 20 ms to import."""
    found = find_spec("sqlglot")
    packages = Path(found.origin).parent.parent if found is not None and found.origin else _CODE.parent
    return sorted(path.name for path in packages.glob("*.dist-info") if path.name.startswith(_LIBRARIES))


def _read(path: Path, made_by: str) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_bytes())
        return dict(kept["notes"]) if kept["made_by"] == made_by else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _write(path: Path, made_by: str, notes: dict[str, Any]) -> None:
    """Replace the file at once: a process that reads it at the same time finds the old notes or the new ones."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
            json.dump({"made_by": made_by, "notes": notes}, file)
        Path(file.name).replace(path)

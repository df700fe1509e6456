"""Problems in the files that people write: what is wrong, where, and how to fix it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from warehouse_refresh.warehouse.errors import Place, SqlError

LONGEST_LINE = 160
"""How many characters of a line are shown."""


class Severity(Enum):
    """An error stops a refresh; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the `file` (a path that the user can open), the `place` in it (None: the whole file), the `reason`,
    which says what is wrong, and the `hint`, which says how to fix it (may be empty). `text` is what the user wrote,
    if it stands in no file."""

    file: Path
    place: Place | None
    reason: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    text: str | None = None

    @property
    def position(self) -> tuple[str, int, int, str]:
        """A sort key: file, line, column."""
        place = self.place or Place(0, 0)
        return (str(self.file), place.line, place.column, self.reason)

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place else str(self.file)
        lines = [f"{self.severity.value}: {where}: {self.reason}", *self._underlined()]
        if self.hint:
            lines.append(f"  help: {self.hint}")
        return "\n".join(lines)

    def _underlined(self) -> list[str]:
        """The line of the file, with the place underlined."""
        line = _line(self.file, self.place.line, self.text) if self.place else None
        if line is None or self.place is None:
            return []
        number = str(self.place.line)
        line, column = _around(line, self.place.column)
        marks = max(1, min(self.place.length, len(line) - column + 1))
        lead = "".join("\t" if character == "\t" else " " for character in line[: column - 1])
        return [f"  {number} | {line}", f"  {' ' * len(number)} | {lead}{'^' * marks}"]


class Refused(Exception):
    """The refresh is refused before anything runs: `problems` says why, in order of file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.position)
        super().__init__("\n".join(map(str, self.problems)))


def errors_in(problems: Iterable[Problem]) -> list[Problem]:
    """The `problems` that stop a refresh, without the warnings."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def sql_problem(file: Path, error: SqlError, severity: Severity = Severity.ERROR) -> Problem:
    """The problem for an error that the parser or an engine raised about the script `file`."""
    return Problem(file, error.place, error.reason, error.hint, severity)


def counted(number: int, word: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def and_others(number: int) -> str:
    """` (so do 2 other scripts)`, where a problem is shown at the first script that has it; "" if no other has it."""
    if not number:
        return ""
    return f" (so {'does 1 other script' if number == 1 else f'do {number} other scripts'})"


def _around(line: str, column: int) -> tuple[str, int]:
    """The part of a line that is shown, near `column` if the line is long, and the column in that part (from 1)."""
    if len(line) <= LONGEST_LINE:
        return line, column
    start = max(0, min(column - 1 - LONGEST_LINE // 2, len(line) - LONGEST_LINE))
    shown = line[start : start + LONGEST_LINE]
    before, after = "…" if start else "", "…" if start + LONGEST_LINE < len(line) else ""
    return f"{before}{shown}{after}", column - start + len(before)


def _line(file: Path, number: int, text: str | None) -> str | None:
    if text is None:
        try:
            text = file.read_text(encoding="utf-8-sig", errors="replace")
        except OSError:
            return None
    lines = text.split("\n")
    return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else None

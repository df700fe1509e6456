"""What `refresh doctor` finds: one line for each thing that a refresh needs."""

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """Whether a refresh can do without."""

    FINE = "ok"
    NOTE = "note"  # it works, and could be better
    WRONG = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: what it is, how it is, and the command that mends it (may be empty)."""

    subject: str
    health: Health
    detail: str
    mend: str = ""

    def __str__(self) -> str:
        first, *rest = self.detail.splitlines() or [""]
        lines = [f"{self.health.value:<8} {self.subject:<18} {first}", *(f"{'':28}{line}" for line in rest)]
        if self.mend and self.health is not Health.FINE:
            lines.append(f"{'':28}do: {self.mend}")
        return "\n".join(lines)


def fine(subject: str, detail: str) -> Finding:
    """Something is as it should be."""
    return Finding(subject, Health.FINE, detail)


def note(subject: str, detail: str, mend: str = "") -> Finding:
    """Something works, and could be better."""
    return Finding(subject, Health.NOTE, detail, mend)


def wrong(subject: str, detail: str, mend: str = "") -> Finding:
    """Something is missing, and a refresh fails or is never started without it."""
    return Finding(subject, Health.WRONG, detail, mend)

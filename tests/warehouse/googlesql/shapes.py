"""Reading shapes.txt."""

from dataclasses import dataclass
from pathlib import Path

QUERIES = ("SELECT", "WITH", "FROM", "(SELECT", "(FROM")


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape as written, its topic, its query, and whether FLOAT64 is compared to 14 digits only."""

    topic: str
    text: str
    sql: str
    rough: bool

    @property
    def is_expression(self) -> bool:
        """Whether the query is the text itself as the one column of d.one."""
        return self.sql == f"SELECT {self.text} FROM d.one"


FILE = Path(__file__).with_name("shapes.txt")


def shapes() -> list[Shape]:
    """The shapes of shapes.txt, in order."""
    topic, lines = "", list[tuple[str, str]]()
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            topic = line[3:]
        elif line.startswith(" ") and lines:
            lines[-1] = topic, f"{lines[-1][1]}\n{line}"
        elif line and not line.startswith("#"):
            lines.append((topic, line))
    return [_shape(topic, text) for topic, text in lines]


def by_topic() -> dict[str, list[Shape]]:
    """The shapes of each topic, in order."""
    found: dict[str, list[Shape]] = {}
    for shape in shapes():
        found.setdefault(shape.topic, []).append(shape)
    return found


def _shape(topic: str, text: str) -> Shape:
    written = text.removeprefix("~ ")
    return Shape(topic, written, _query(written), text.startswith("~ "))


def _query(text: str) -> str:
    if text.startswith("@"):
        table, _, expression = text[1:].partition(": ")
        return f"SELECT id, {expression} AS x FROM d.{table} ORDER BY id"
    is_query = text.upper().startswith(QUERIES) and not text.upper().startswith(("(SELECT SUM", "(SELECT MAX"))
    return text if is_query else f"SELECT {text} FROM d.one"

"""What Google's engine has said of each shape, in known.txt: that it rejects the query, that it fails as it runs, or a
hash of its answer. To ask it takes three times as long as all the rest of a comparison.

A record only ever confirms: where our answer has another hash, or a shape has no record, the engine is asked. What was
said with another version of the package, or over other tables, counts for nothing.
`python -m tests.warehouse.googlesql.page` asks what is new; a slow test asks everything again.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from tests.warehouse.googlesql.compare import keys
from tests.warehouse.googlesql.oracle import Rejected
from tests.warehouse.googlesql.shapes import Shape
from tests.warehouse.googlesql.values import Answer

FILE = Path(__file__).with_name("known.txt")
ASKED = ("oracle.py", "tables.py")  # how the engine is asked, and over which tables
REJECTED, FAILS = "rejected", "fails"


def known() -> dict[str, str]:
    """What the engine said of each shape, by the shape's key; nothing if it was asked in another way."""
    first, *lines = FILE.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ") for line in lines) if first == asked_how() else {}


def write(said: Mapping[str, str]) -> None:
    """Keep what the engine said."""
    lines = [asked_how(), *sorted(f"{key} {what}" for key, what in said.items())]
    FILE.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def asked_how() -> str:
    """The package's version, and a hash of what asks it."""
    texts = [FILE.with_name(name).read_text(encoding="utf-8") for name in ASKED]
    return f"# zetasql {version('zetasql')} {_hash(texts)}"


def key_of(shape: Shape) -> str:
    """What the shape is known by."""
    return _hash([shape.sql, str(shape.rough)])


def said_of(shape: Shape, answer: Answer | Rejected) -> str:
    """What is kept of the engine's answer."""
    if isinstance(answer, Rejected):
        return REJECTED if answer.analysis else FAILS
    columns = [(column.name, str(column.type)) for column in answer.columns]
    return _hash([repr(columns), repr(keys(shape.sql, answer, rough=shape.rough))])


def recalled(shape: Shape, found: Answer | Exception, said: Mapping[str, str]) -> Answer | Rejected | None:
    """What the engine said of the shape, as far as it matters beside what ours has `found`; None if it is not known."""
    what = said.get(key_of(shape))
    if isinstance(found, Answer):
        return found if what == said_of(shape, found) else None
    if what in (REJECTED, FAILS):
        return Rejected("known.txt says so", analysis=what == REJECTED)
    return Answer((), []) if what else None


def _hash(texts: Iterable[str]) -> str:
    return sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:12]

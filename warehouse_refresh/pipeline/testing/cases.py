"""What a test of scripts is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from warehouse_refresh.pipeline.project.files import read_text
from warehouse_refresh.pipeline.project.problems import Problem
from warehouse_refresh.pipeline.project.toml_places import place_in
from warehouse_refresh.pipeline.project.variables import Variables
from warehouse_refresh.warehouse import Given, Row
from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import Column

TOLERANCE = 1e-9
"""How far two FLOAT64 may lie apart, as a share of the larger one."""
Columns = tuple[Column, ...]
Keys = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The rows expected, and the columns that are compared."""

    columns: Columns
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Case:
    """One test, which stands in its file under `keys`: the tables whose scripts it runs, one after the other, and all
    tables that these read, with the rows given for them. `made` are the columns of what each script makes. It expects
    rows, or an error with some words. `now` is the moment at which the scripts run; without one, they see the real
    time. A new one has nothing that is expected yet."""

    name: str
    path: Path
    keys: Keys
    scripts: tuple[TableName, ...]
    given: Mapping[TableName, Given]
    made: Mapping[TableName, Columns]
    expected: Expected | None = None
    error: str = ""
    now: datetime | None = None
    variables: Variables = field(default_factory=dict)
    in_order: bool = False
    tolerance: float = TOLERANCE
    is_new: bool = False

    @property
    def place(self) -> Place | None:
        """Where it stands in its file; None for a folder without one."""
        return place_of(self.path, self.keys)

    @property
    def table(self) -> TableName:
        """The table whose rows are expected."""
        return self.scripts[-1]

    @property
    def where(self) -> str:
        """Its file and line."""
        place = self.place
        return f"{self.path}:{place.line}" if place else str(self.path)


def place_of(path: Path, keys: Keys) -> Place | None:
    """Where these keys stand in a file; None for a folder."""
    return place_in(read_text(path).replace("\r\n", "\n"), keys) if path.is_file() else None


@dataclass(frozen=True, slots=True)
class Cases:
    """The tests of a project, in the order of their files; what is wrong with the files; and the tables of scripts that
    have tests and cannot be run, since the scripts or what they read is wrong or unknown."""

    cases: tuple[Case, ...] = ()
    problems: tuple[Problem, ...] = ()
    not_run: frozenset[TableName] = frozenset()

"""What is recorded in the warehouse of the tables that runs have published: what built each, and from what."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from warehouse_refresh.warehouse.names import TableName

Inputs = Mapping[TableName, str]
"""The version of each table that a query reads. One that is left out has no version that can be known."""


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """What has built a table: the fingerprint of its `TableBuild` ("": not known), the `version` that the table got
    with it, its inputs (None: not known), and `made_by`, the engine with its version. `is_failed` says that the last
    run that wanted to build it has not published it. `published_as` is the fingerprint with which it was published
    last, whatever has changed it since."""

    fingerprint: str
    version: str
    inputs: Inputs | None
    made_by: str
    is_failed: bool = False
    published_as: str = field(default="", compare=False)


_SECONDS_KEPT = 5
"""Of so many builds the seconds are kept: one of them that took unusually long does not change the median."""


def seconds_as_text(seconds: Sequence[float]) -> str:
    """The seconds of the last builds that count, as text, for a column of a table: `0.12 0.1`."""
    return " ".join(f"{one:.6g}" for one in seconds[-_SECONDS_KEPT:])


def seconds_from_text(text: str | None) -> tuple[float, ...]:
    """The seconds from their text."""
    return tuple(map(float, (text or "").split()))


def inputs_as_json(inputs: Inputs | None) -> str | None:
    """The inputs as text, for a column of a table."""
    if inputs is None:
        return None
    return json.dumps([[table.dataset, table.name, version] for table, version in sorted(inputs.items())])


def inputs_from_json(text: str | None) -> Inputs | None:
    """The inputs from their text."""
    return None if text is None else {TableName(dataset, name): version for dataset, name, version in json.loads(text)}

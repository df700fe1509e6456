"""What a script defines: a table or a view, its query, and how it is stored.

A script is a query, or CREATE TABLE … AS or CREATE VIEW … AS with one. Before it may stand DECLARE, SET and CREATE TEMP
FUNCTION: the preamble. Only scripts that the cache does not know are
read: importing the parser takes longer than a refresh of eight known scripts.
"""

import re
from dataclasses import asdict, astuple, dataclass
from typing import Any

from warehouse_refresh.warehouse.errors import Place
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import ListedColumn
from warehouse_refresh.warehouse.storage import PLAIN, Partition, Storage

_MORE = re.compile(r"(?:\s|--[^\n]*+|\#[^\n]*+|/\*.*?\*/)*+(?:CREATE|DECLARE|SET|DROP)\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Definition:
    """A script: the text of its query and that of its preamble, each with blanks in place of the rest of the script;
    whether it defines a view, how the table is stored, the name that it gives it (its last parts, and where), empty
    if it gives none, and the columns that it lists."""

    query_text: str
    preamble: str = ""
    name: tuple[str, ...] = ()
    place: Place | None = None
    is_view: bool = False
    storage: Storage = PLAIN
    listed: tuple[ListedColumn, ...] = ()

    @property
    def project(self) -> str:
        """The project in the name that it gives the table; "" if it names none."""
        return self.name[-3] if len(self.name) > 2 else ""


def parse_definition(text: str, cache: SqlCache | None = None) -> Definition:
    """Read a script; a text that the `cache` knows is not parsed again. Raises SqlError."""
    if not _MORE.match(text):
        return Definition(text)
    noted = cache.recall("definition", text) if cache else None
    if noted is not None:
        return _from_json(noted)
    from warehouse_refresh.warehouse.sql.definition_reader import read_definition

    found = read_definition(text)
    if cache:
        cache.note("definition", text, _as_json(found))
    return found


def _as_json(found: Definition) -> dict[str, Any]:
    place = astuple(found.place) if found.place else None
    return {**asdict(found), "place": place, "listed": list(map(astuple, found.listed))}


def _from_json(noted: dict[str, Any]) -> Definition:
    storage = noted["storage"]
    partition = storage["partition"]
    if partition is not None:
        integers = partition["integers"]
        partition = Partition(partition["column"], partition["unit"], tuple(integers) if integers else None)
    names = {key: tuple(storage[key]) for key in ("cluster_by", "required")}
    pairs = {key: tuple(map(tuple, storage[key])) for key in ("labels", "column_descriptions", "policy_tags")}
    return Definition(
        noted["query_text"],
        noted["preamble"],
        tuple(noted["name"]),
        Place(*noted["place"]) if noted["place"] else None,
        noted["is_view"],
        Storage(**{**storage, **names, **pairs, "partition": partition}),
        tuple(_listed_from_json(*one) for one in noted["listed"]),
    )


def _listed_from_json(name: str, kind: str, required: bool, text: str, place: list[int]) -> ListedColumn:
    return ListedColumn(name, kind, required, text, Place(*place))

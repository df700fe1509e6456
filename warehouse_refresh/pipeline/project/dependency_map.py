"""res/dependencies.toml: which tables must be built before which, as people declared it, with line numbers."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warehouse_refresh.pipeline.project.files import is_there, read_text
from warehouse_refresh.pipeline.project.problems import Problem, sql_problem
from warehouse_refresh.pipeline.project.toml_places import places_of
from warehouse_refresh.warehouse.errors import Place, SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache

_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_SHAPE = 'write [dataset], then lines such as name = ["dataset.other"]'


@dataclass(frozen=True, slots=True)
class Declared:
    """A dependency as declared, and where."""

    table: TableName
    place: Place


@dataclass(frozen=True, slots=True)
class Entry:
    """A table of the map with its declared dependencies, in the order of the file."""

    table: TableName
    place: Place
    dependencies: tuple[Declared, ...]


def read_map(path: Path, cache: SqlCache | None = None) -> tuple[list[Entry], list[Problem]]:
    """The entries of the map at `path`, and everything that is wrong with their form. A map that the `cache` knows is
    not read again: with a thousand scripts that takes as long as to read them."""
    if not is_there(path):
        return [], [Problem(path, None, "there is no dependency map", "`refresh sync` writes it from the SQL")]
    try:
        text = read_text(path).replace("\r\n", "\n")
    except SqlError as error:
        return [], [sql_problem(path, error)]
    noted = cache.recall("map", text) if cache else None
    if noted is not None:
        return [_from_json(entry) for entry in noted], []
    entries, problems = _read(path, text)
    if cache and not problems:
        cache.note("map", text, list(map(_as_json, entries)))
    return entries, problems


def _as_json(entry: Entry) -> list[Any]:
    return [entry.table, _place(entry.place), [[one.table, _place(one.place)] for one in entry.dependencies]]


def _place(place: Place) -> list[int]:
    return [place.line, place.column, place.length]


def _from_json(noted: list[Any]) -> Entry:
    table, place, needed = noted
    return Entry(TableName(*table), Place(*place), tuple(Declared(TableName(*one), Place(*at)) for one, at in needed))


def _read(path: Path, text: str) -> tuple[list[Entry], list[Problem]]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [], [toml_problem(path, text, error, _SHAPE)]
    except RecursionError:
        return [], [Problem(path, None, "lists are nested too deeply in the map", _SHAPE)]
    return _Reader(path, text).read(document)


class _Reader:
    """Turns the parsed document into entries, and collects its problems."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._places = path, places_of(text)
        self._problems: list[Problem] = []

    def read(self, document: dict[str, Any]) -> tuple[list[Entry], list[Problem]]:
        entries = list(self._entries(document))
        return entries, self._problems

    def _entries(self, document: dict[str, Any]) -> Iterator[Entry]:
        for dataset, tables in document.items():
            if not isinstance(tables, dict):
                self._complain((dataset,), f"{dataset} is not a dataset's section", _SHAPE)
                continue
            for name, dependencies in tables.items():
                if isinstance(dependencies, list):
                    yield self._entry(TableName(dataset, name), dependencies)
                else:
                    self._complain((dataset, name), f"{dataset}.{name} is not a list of tables", _SHAPE)

    def _entry(self, table: TableName, values: list[Any]) -> Entry:
        key = (table.dataset, table.name)
        found: dict[TableName, Declared] = {}
        for index, value in enumerate(values):
            place = self._places.get((*key, index), Place(1))
            dependency = self._dependency(table, value, place)
            if dependency in found:
                self._complain_at(place, f"{table} lists {dependency} twice", "delete one of them")
            elif dependency is not None:
                found[dependency] = Declared(dependency, place)
        return Entry(table, self._places.get(key, Place(1)), tuple(found.values()))

    def _dependency(self, table: TableName, value: Any, place: Place) -> TableName | None:
        try:
            return TableName.parse(value)
        except (ValueError, AttributeError):
            self._complain_at(place, f"{table} lists {value!r}, which is not a table's name", 'write "dataset.table"')
            return None

    def _complain(self, key: tuple[str, ...], reason: str, hint: str) -> None:
        self._complain_at(self._places.get(key, Place(1)), reason, hint)

    def _complain_at(self, place: Place, reason: str, hint: str) -> None:
        self._problems.append(Problem(self._path, place, reason, hint))


def toml_problem(path: Path, text: str, error: tomllib.TOMLDecodeError, hint: str) -> Problem:
    """The problem of a file that is not TOML."""
    found = _POSITION.search(str(error))
    line, column = (found.group(1), found.group(2)) if found else (None, None)
    place = Place(int(line), int(column)) if line and column else Place(text.rstrip().count("\n") + 1)
    return Problem(path, place, f"this is not TOML: {_POSITION.sub('', str(error))}", hint)


def declared_edges(scripts: Iterable[TableName], entries: Iterable[Entry]) -> dict[TableName, frozenset[TableName]]:
    """For each script's table, the tables of other scripts that the map puts before it."""
    built = set(scripts)
    declared = {entry.table: {it.table for it in entry.dependencies} - {entry.table} for entry in entries}
    return {table: frozenset(declared.get(table, set()) & built) for table in scripts}

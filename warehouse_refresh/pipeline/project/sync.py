"""`refresh sync`: update the dependency map from the tables that the scripts read."""

import os
from collections.abc import Mapping
from pathlib import Path

import tomlkit
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, Array, Table

from warehouse_refresh.pipeline.project.dependency_map import read_map
from warehouse_refresh.pipeline.project.files import read_text
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.project.problems import Problem, Refused, errors_in, sql_problem
from warehouse_refresh.pipeline.project.reads import (
    find_read_cycles,
    read_cycle_problem,
    read_edges,
    reads_in,
    reads_of,
    with_wildcards,
)
from warehouse_refresh.pipeline.project.scripts import Script, read_scripts
from warehouse_refresh.pipeline.settings_file import DEFAULT_LAYOUT, Layout
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName

HEADER = """\
# Which table is built from which: table = the tables that must be built before it.
# A script that is not named here reads raw tables only. `refresh sync` writes this from the SQL.
"""
_LONGEST_LINE = 100
Section = AbstractTable | OutOfOrderTableProxy


def sync_map(res: Path, path: Path, own: str = "", layout: Layout = DEFAULT_LAYOUT) -> tuple[str, str]:
    """The text of the map at `path` as it is now, and updated from the scripts under `res`.

    `own` is the project of the scripts' own tables, if a setting names it; `layout` names the dataset without scripts
    and the default one.

    Missing dependencies are added, and those
    that the script does not read are removed. Comments, order and layout of the rest stay, and so do raw tables that a
    script reads. Raises Refused for a script or a map that cannot be read, and for scripts that read each other in a
    cycle.
    """
    scripts = _readable_scripts(res, own, layout)
    try:
        old = read_text(path) if path.exists() else ""
        lines = old.replace("\r\n", "\n")
        document = tomlkit.parse(lines or HEADER)
        _sync_sections(document, scripts)
    except (SqlError, TOMLKitError, LookupError, RecursionError, _WrongShape) as error:
        # tomlkit answers IndexError for some sections that are written in several parts
        hint = "write each dataset's section once, with its tables below it"
        unreadable = Problem(path, None, f"the map cannot be edited: {error}", hint)
        raise Refused(read_map(path)[1] or [unreadable]) from error
    new = tomlkit.dumps(document)
    return old, new.replace("\n", "\r\n") if lines != old else new


class _WrongShape(Exception):
    """The map is not made of sections with lists of tables."""


def _readable_scripts(res: Path, own: str, layout: Layout) -> dict[TableName, Script]:
    files = read_scripts(res, own, layout=layout)
    scripts = with_wildcards(files.scripts, set(files.scripts))
    problems = errors_in(files.problems)
    for script in scripts.values():
        try:
            _ = script.query.reads
        except SqlError as error:
            problems.append(sql_problem(script.path, error))
    problems += [read_cycle_problem(scripts, cycle) for cycle in find_read_cycles(scripts)]
    if problems:
        raise Refused(problems)
    return scripts


def _sync_sections(document: tomlkit.TOMLDocument, scripts: Mapping[TableName, Script]) -> None:
    for dataset, section in document.items():
        if not isinstance(section, Section):
            raise _WrongShape
        for name in list(section):
            _sync_entry(section, TableName(dataset, name), scripts)
    for table in _in_order(scripts):
        names = _dependencies(table, scripts)
        if names and table.name not in document.get(table.dataset, {}):
            _add_entry(document, table, names)


def _in_order(scripts: Mapping[TableName, Script]) -> list[TableName]:
    """The tables, grouped by dataset: first the dataset whose tables are built first."""
    order = Graph(read_edges(scripts))
    datasets = list(dict.fromkeys(table.dataset for table in order.order))
    return sorted(scripts, key=lambda table: (datasets.index(table.dataset), table))


def _sync_entry(
    section: AbstractTable | OutOfOrderTableProxy, table: TableName, scripts: Mapping[TableName, Script]
) -> None:
    array = section[table.name]
    if not isinstance(array, Array):
        raise _WrongShape
    if table not in scripts:
        del section[table.name]
        return
    reads = {str(read) for read in reads_of(scripts[table]) - {table}}
    kept: set[str] = set()
    superfluous = []
    for index, item in enumerate(array.unwrap()):
        if not isinstance(item, str) or item in kept or item not in reads:
            superfluous.append(index)
        else:
            kept.add(item)
    for index in reversed(superfluous):
        del array[index]
    _extend(array, table, [name for name in _dependencies(table, scripts) if name not in kept])


def _dependencies(table: TableName, scripts: Mapping[TableName, Script]) -> list[str]:
    """The tables that the map must list for `table`, in the order of the script's text. Raw tables are optional."""
    return [str(read.table) for read in reads_in(scripts[table]) if read.table in scripts and read.table != table]


def _extend(array: Array, table: TableName, names: list[str]) -> None:
    for name in names:
        array.append(name)
    is_one_line = "\n" not in array.as_string()
    if names and is_one_line and len(f"{table.name} = {array.as_string()}") > _LONGEST_LINE:
        array.multiline(True)


def _add_entry(document: tomlkit.TOMLDocument, table: TableName, names: list[str]) -> None:
    """Add a line for a table that the map does not name, after the last line of its section and before the comments
    that follow."""
    section = document.setdefault(table.dataset, tomlkit.table())
    array = tomlkit.array()
    _extend(array, table, names)
    entries = section.value.body if isinstance(section, Table) else []
    last = max((index for index, (key, _) in enumerate(entries) if key is not None), default=len(entries) - 1)
    rest = entries[last + 1 :]
    del entries[last + 1 :]
    section[table.name] = array
    entries.extend(rest)


def write_map(path: Path, text: str) -> None:
    """Replace the map atomically: readers see the old text or the new one. Raises Refused."""
    target = Path(os.path.realpath(path))  # a link stays a link
    beside = target.with_name(f"{target.name}.new")
    try:
        beside.write_bytes(text.encode())
        beside.replace(target)
    except OSError as error:
        reason = f"the map cannot be written: {error.strerror}"
        raise Refused([Problem(path, None, reason, "see the permissions of its folder")]) from error

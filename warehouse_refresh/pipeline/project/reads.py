"""What scripts read: the tables, who reads each, and scripts that read each other in a cycle."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from warehouse_refresh.pipeline.project.graph import find_cycles
from warehouse_refresh.pipeline.project.problems import Problem, and_others
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.warehouse.errors import SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Read


def with_wildcards(scripts: Mapping[TableName, Script], known: Collection[TableName]) -> dict[TableName, Script]:
    """The scripts, with the tables of `known` that match their wildcard tables, except the table of the script
    itself."""
    return {
        table: replace(script, build=replace(script.build, query=script.query.matched({*known} - {table})))
        if any(read.table.name.endswith("*") for read in script.query.names)
        else script
        for table, script in scripts.items()
    }


def reads_in(script: Script) -> tuple[Read, ...]:
    """What the script reads; nothing if it names a table without its dataset, which `read_project` reports."""
    try:
        return script.query.reads
    except SqlError:
        return ()


def reads_of(script: Script) -> frozenset[TableName]:
    """The tables that the script reads (`reads_in`)."""
    try:
        return script.query.tables
    except SqlError:
        return frozenset()


def readers_of(scripts: Mapping[TableName, Script]) -> dict[TableName, list[tuple[Script, Read]]]:
    """For each table that scripts read, the scripts with the first place in each, in the order of the scripts."""
    found: dict[TableName, list[tuple[Script, Read]]] = {}
    for script in scripts.values():
        for read in reads_in(script):
            found.setdefault(read.table, []).append((script, read))
    return found


def read_problem(readers: list[tuple[Script, Read]], what: str, hint: str) -> Problem:
    """The one problem of a table that scripts read: where the first one reads it, and how many others do."""
    script, read = readers[0]
    reason = f"{script.table} reads {read.table}, {what}{and_others(len(readers) - 1)}"
    return Problem(script.path, read.place, reason, hint)


def tables_outside(scripts: Collection[Script]) -> set[TableName]:
    """The tables that `scripts` read and none of them builds."""
    return {table for script in scripts for table in reads_of(script)} - {script.table for script in scripts}


def read_edges(scripts: Mapping[TableName, Script]) -> dict[TableName, frozenset[TableName]]:
    """For each script's table, the tables of other scripts that it reads."""
    return {
        table: frozenset(read for read in reads_of(script) if read in scripts and read != table)
        for table, script in scripts.items()
    }


def find_read_cycles(scripts: Mapping[TableName, Script]) -> list[list[TableName]]:
    """Cycles of scripts that read each other, as `find_cycles` returns them. A script that reads itself is not
    counted."""
    return find_cycles(read_edges(scripts))


def read_cycle_problem(scripts: Mapping[TableName, Script], cycle: list[TableName]) -> Problem:
    """The problem for scripts that read each other in a cycle, for which no map can be right."""
    first, second = scripts[cycle[0]], cycle[1]
    [place] = [read.place for read in reads_in(first) if read.table == second]
    path = " -> ".join(map(str, cycle))
    return Problem(first.path, place, f"the scripts read each other in a cycle: {path}", "take one of these reads out")

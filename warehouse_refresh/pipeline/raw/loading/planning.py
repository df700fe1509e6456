"""Plan the load of raw tables: open a snapshot of each database, and ask it what it has of each table."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from warehouse_refresh.origins import Described, OriginError, Snapshot, open_files, open_snapshot
from warehouse_refresh.origins.moment import Moment
from warehouse_refresh.pipeline.project.problems import Problem, Refused, errors_in
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.scripts import source_folders
from warehouse_refresh.pipeline.raw.loading.changing import CURSORS, Change, staged_query
from warehouse_refresh.pipeline.raw.loading.sources import (
    Loaded,
    address_of,
    credentials_of,
    limits_of,
    loaded_tables,
    salt_of,
)
from warehouse_refresh.pipeline.raw.seeds import bad_names
from warehouse_refresh.pipeline.settings_file import Connection
from warehouse_refresh.pipeline.tables.settings import storage_of
from warehouse_refresh.warehouse import TableBuild, Warehouse
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import OWN_DATASET, TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import STRING, TIMESTAMP, Column, SqlType


@dataclass(frozen=True)
class LoadPlan:
    """The raw tables that a refresh loads, and what each one's database says of it. Moments and salts are by the
    name of the connection. Of the tables of `changed` only that is read, of all others all rows. `had` are the columns
    that tables have now to which rows are posted. The `cache` knows the queries of earlier loads."""

    tables: Mapping[TableName, Loaded]
    described: Mapping[TableName, Described]
    moments: Mapping[str, Moment]
    salts: Mapping[str, str]
    changed: Mapping[TableName, Change] = field(default_factory=dict)
    had: Mapping[TableName, frozenset[str]] = field(default_factory=dict)
    cache: SqlCache | None = None

    @property
    def owners(self) -> dict[TableName, str]:
        """Whom to ask about each table, where its settings say it."""
        return {table: one.file.says.owner for table, one in self.tables.items()}

    @property
    def columns(self) -> dict[TableName, tuple[Column, ...]]:
        """Each table's columns after the load."""
        return {
            table: (*(it.column for it in found.columns), *_posted_columns(self.tables[table]))
            for table, found in self.described.items()
        }

    @property
    def builds(self) -> dict[TableName, TableBuild]:
        """What stages each table, from where its rows land."""
        return {table: self._build(table) for table in self.tables}

    @property
    def together(self) -> list[set[TableName]]:
        """The tables of each connection: they are of one moment, so a retry loads all of them again or none."""
        names = {one.place for one in self.tables.values() if one.place}
        return [*(self.of(name) for name in sorted(names)), *({table} for table in sorted(self.of("")))]

    def of(self, place: str) -> set[TableName]:
        """The tables that come from this connection, or from files."""
        return {table for table, one in self.tables.items() if one.place == place}

    def close(self) -> None:
        """Let go of all databases; what is still read of them fails. May be called twice."""
        for moment in self.moments.values():
            moment.close()

    @property
    def was_lost(self) -> bool:
        """Whether a connection was lost after some of its tables had been read: a load of all may work now."""
        return any(moment.was_lost for moment in self.moments.values())

    def fingerprint(self, table: TableName) -> str:
        """16 hex digits that differ where what is read of the source would differ, if the source stayed the same."""
        source = self.tables[table].source
        columns = [(column.name, str(column.type)) for column in self.columns[table]]
        read: tuple[object, ...] = (
            source.connection,
            source.table,
            source.query,
            sorted(source.mask.items()),
            sorted(columns) if source.file else columns,  # files may have them in any order
            *((source.file, source.file_column) if source.file else ()),
        )
        return sha256(repr((read, self.salts[source.connection])).encode()).hexdigest()[:16]

    def _build(self, table: TableName) -> TableBuild:
        one, text = self.tables[table], staged_query(self, table, landed(table), landed_keys(table))
        storage, fingerprint = storage_of(one.file.says), self.fingerprint(table)
        query = parse_query(text, self.cache)
        return TableBuild(table, query, storage=storage, known_as=fingerprint, posted=one.posted)


def _posted_columns(one: Loaded) -> tuple[Column, ...]:
    """The column that tells posted rows, of a table to which rows may be posted."""
    return (Column(one.posted.column, TIMESTAMP),) if one.posted is not None else ()


def landed(table: TableName) -> TableName:
    """Where the table's rows are until they are staged."""
    return TableName(OWN_DATASET, f"load_{table.dataset}_{table.name}")


def landed_keys(table: TableName) -> TableName:
    """Where all keys of its source are until it is staged, to find the rows that are gone."""
    return TableName(OWN_DATASET, f"keys_{table.dataset}_{table.name}")


def tables_with_source(project: Project, connections: Mapping[str, Connection]) -> dict[TableName, Loaded]:
    """The project's raw tables that come from a database. Raises Refused, also if one cannot be told: a settings file
    of a raw table is wrong."""
    folders = source_folders(project.folder / project.layout.res, project.layout.raw)
    if wrong := errors_in(one for one in project.file_problems if one.file.parent in folders):
        raise Refused(wrong)
    found = loaded_tables(project.raw_settings, connections, folders)
    if any(one.source.file for one in found.values()):
        declared = _declared(project)
        return {table: replace(one, declared=declared.get(table, {})) for table, one in found.items()}
    return found


def _declared(project: Project) -> dict[TableName, dict[str, SqlType]]:
    """The types of the columns of the tables that db_init/ creates."""
    from warehouse_refresh.pipeline.raw.init_scripts import has_init_scripts, read_init_scripts
    from warehouse_refresh.pipeline.raw.raw_columns import declared_columns  # imports the parser

    folder = project.folder / project.layout.db_init
    if not has_init_scripts(folder):
        return {}
    columns = declared_columns(read_init_scripts(folder, project.own), None).columns
    return {
        table: {column.name: replace(column.type, parameters=()) for column in found}
        for table, found in columns.items()
    }


def plan_load(stack: ExitStack, tables: Mapping[TableName, Loaded], cache: SqlCache | None = None) -> LoadPlan:
    """Open a snapshot of each database for as long as the `stack`, and ask it about its tables. Raises Refused with all
    that cannot be read, SettingError for a variable that is not set, OriginError for a database that does not
    answer."""
    salts = {name: salt_of(name, one) for name, one in _connections(tables).items()}
    databases = {one.place: one.connection for one in tables.values() if one.place}
    urls = {name: address_of(name, connection) for name, connection in databases.items()}
    moments = {
        name: stack.enter_context(Moment(partial(open_snapshot, urls[name], limits_of(connection))))
        for name, connection in databases.items()
    }
    if any(one.source.file for one in tables.values()):
        credentials = credentials_of(tables.values())
        moments[""] = stack.enter_context(Moment(partial(open_files, Path.cwd(), credentials)))
    described: dict[TableName, Described] = {}
    problems: list[Problem] = []
    for table, one in tables.items():
        try:
            described[table] = described_of(one, moments[one.place].snapshot)
        except Refused as error:
            problems += error.problems
        except OriginError as error:
            problems.append(one.file.problem(("source",), str(error)))
    if problems:
        raise Refused(problems)
    return LoadPlan(tables, described, moments, salts, cache=cache)


def _connections(tables: Mapping[TableName, Loaded]) -> dict[str, Connection]:
    return {one.source.connection: one.connection for one in tables.values()}


def described_of(one: Loaded, snapshot: Snapshot) -> Described:
    """The columns to read. Raises Refused for those that cannot be, and for settings of a column that is not there."""
    source = one.source
    found = snapshot.describe(one.relation, {**one.wanted, **dict.fromkeys(source.mask, STRING)})
    names = [*(it.column.name for it in found.columns), *found.refused]
    problem = one.file.problem
    problems = [
        problem(("source", "table" if source.table else "file" if source.file else "query"), f"{name}: {reason}")
        for name, reason in found.refused.items()
        if name not in source.exclude
    ]
    for key, listed in (("exclude", source.exclude), ("mask", source.mask)):
        problems += [
            problem(("source", key), f"{one.relation} has no column {name}", did_you_mean(name, names))
            for name in listed
            if name not in names
        ]
    kept = tuple(it for it in found.columns if it.column.name not in source.exclude)
    left = [it.column.name for it in kept]
    if source.posted_column in left:
        reason = f"{one.relation} has a column {source.posted_column} itself: choose another name"
        problems.append(problem(("source", "posted_column"), reason))
    problems += [
        problem(("columns", name), f"{one.relation} gives no column {name}", did_you_mean(name, left))
        for name in one.file.says.columns
        if name not in [*left, source.posted_column]
    ]
    needed = [("cursor", source.cursor)] if source.cursor else []
    problems += [
        problem(("source", key), f"{one.relation} gives no column {name}", did_you_mean(name, left))
        for key, name in (*needed, *(("key", name) for name in source.key))
        if name not in left
    ]
    problems += [
        problem(
            ("source", "cursor"), f"{it.column.name} is {it.column.type}, which is no cursor: numbers and dates are"
        )
        for it in kept
        if it.column.name == source.cursor and it.column.type not in CURSORS
    ]
    wrong = bad_names(one.file.path, left)
    problems += [problem(("source",), it.reason, "leave it out (exclude), or rename it in a query") for it in wrong]
    if not kept and not problems:
        problems.append(problem(("source", "exclude"), "no column is left", "leave fewer out"))
    if problems:
        raise Refused(problems)
    return replace(found, columns=kept)


def changes(plan: LoadPlan, warehouse: Warehouse) -> list[str]:
    """How the columns of the tables change, for people. Raises Refused for those that are gone or have another type,
    where the settings do not take that."""
    notes, problems = list[str](), list[Problem]()
    for table, one in plan.tables.items():
        try:
            before = {column.name: column.type for column in warehouse.columns(table)}
        except TableNotFound:
            continue
        now = {column.name: column.type for column in plan.columns[table]}
        notes += [f"{table} gets a new column: {name} {kind}" for name, kind in now.items() if name not in before]
        for change, is_gone in _lost(before, now):
            is_possible = one.posted is None or is_gone
            if one.source.changes == "take" and is_possible:
                notes.append(f"{table}: {change}")
            else:
                hint = 'write changes = "take" if that is meant: scripts may need the column'
                if not is_possible:
                    hint = "posted rows have values of the old type: change the type of the table's column first"
                problems.append(one.file.problem(("source",), f"{table}: {change}", hint))
    if problems:
        raise Refused(problems)
    return notes


def _lost(before: Mapping[str, SqlType], now: Mapping[str, SqlType]) -> Iterator[tuple[str, bool]]:
    """Each column that is gone or has another type, in words, and whether it is gone."""
    for name, kind in before.items():
        if name not in now:
            yield f"the column {name} is gone from the source", True
        elif now[name] != kind:
            yield f"{name} is {kind}, and the source now gives {now[name]}", False

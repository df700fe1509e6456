"""The tables that scripts read and no script builds: their columns, from db_init/ or from the warehouse."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from warehouse_refresh.pipeline.project.files import listed
from warehouse_refresh.pipeline.project.problems import Problem, Refused, Severity
from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import read_problem, readers_of, tables_outside, with_wildcards
from warehouse_refresh.pipeline.project.scripts import Script, source_folders
from warehouse_refresh.pipeline.raw.init_scripts import Created, Declared, read_init_scripts, texts_of
from warehouse_refresh.pipeline.tables.files import SEEDS
from warehouse_refresh.warehouse import Planner, Warehouse, offline_planner
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.suggest import Suggestions
from warehouse_refresh.warehouse.types import Column, columns_as_json, columns_from_json


@dataclass(frozen=True)
class Sources:
    """Tables that no script builds, and the planner of queries that read them.

    `columns` has the columns of tables that the planner cannot look up itself. A script that reads a table of `unknown`
    cannot be planned. `problems` are the problems of the sources. `unsupported` is the severity of SQL that only
    BigQuery can run. `look_up` finds the columns of any table of the warehouse, if there is one; it raises
    TableNotFound.
    """

    planner: Planner
    columns: Mapping[TableName, tuple[Column, ...]] = field(default_factory=dict)
    unknown: Collection[TableName] = ()
    problems: Collection[Problem] = ()
    unsupported: Severity = Severity.ERROR
    look_up: Callable[[TableName], tuple[Column, ...]] | None = None

    def columns_of(self, table: TableName) -> tuple[Column, ...] | None:
        """The columns of a table that no script builds; None if they are not known, or if it is not there."""
        if table in self.columns or self.look_up is None:
            return self.columns.get(table)
        try:
            return self.look_up(table)
        except TableNotFound:
            return None


def declared_sources(project: Project, cache: SqlCache | None = None) -> Sources:
    """The sources as the scripts in db_init/ create them; no warehouse is needed."""
    declared, created = _declared(project, cache)
    columns = declared.columns
    seed_problems, wrong_seeds = _add_seeds(project, columns, cache)
    outside = tables_outside(project.scripts.values())
    unknown = outside - set(columns)
    reported = {table for table in outside - project.sources if table.dataset in _datasets(project.sources)}
    reported |= {table for table in unknown if created.hiding(table)} | {*declared.wrong} | wrong_seeds
    return Sources(
        offline_planner(cache),
        columns,
        unknown,
        [
            *declared.problems,
            *seed_problems,
            *project.undeclared,
            *_without_columns(project, unknown - reported),
        ],
        Severity.WARNING,
    )


def _declared(project: Project, cache: SqlCache | None) -> tuple[Declared, Created]:
    """The columns of the tables that db_init/ creates, and the tables. Without faults they are noted in the `cache`: to
    import the parser takes longer than to check eight known scripts."""
    folder = project.folder / project.layout.db_init
    texts = texts_of(folder) if cache is not None else None
    noted = cache.recall("declared", project.own + texts) if cache is not None and texts is not None else None
    if noted is not None:
        found = {TableName(dataset, name): columns_from_json(columns) for dataset, name, columns in noted["columns"]}
        return Declared(found), Created(frozenset(TableName(*name) for name in noted["tables"]))
    from warehouse_refresh.pipeline.raw.raw_columns import declared_columns

    scripts = read_init_scripts(folder, project.own)
    declared = declared_columns(scripts, cache)
    if cache is not None and texts is not None and declared.can_be_noted and not scripts.created.unread:
        columns = [[*table, columns_as_json(found)] for table, found in declared.columns.items()]
        noted = {"columns": columns, "tables": sorted(scripts.created.tables)}
        cache.note("declared", project.own + texts, noted)
    return declared, scripts.created


def _add_seeds(
    project: Project, columns: dict[TableName, tuple[Column, ...]], cache: SqlCache | None
) -> tuple[list[Problem], set[TableName]]:
    """Add the columns of the files with rows. Returns the problems of these files, and the tables of those that are
    wrong."""
    folders = source_folders(project.folder / project.layout.res, project.layout.raw)
    if not any(path.suffix.lower() in SEEDS for folder in folders for path in listed(folder)):
        return [], set()
    from warehouse_refresh.pipeline.raw.seeds import (  # imports what reads values, which a refresh does not need
        seed_columns,
        seed_files,
    )

    files, problems = seed_files(folders)
    wrong = set()
    for table, path in files.items():
        try:
            columns.setdefault(table, seed_columns(table, path, cache))
        except Refused as refused:
            problems += refused.problems
            wrong.add(table)
    return problems, wrong


def stored_sources(
    warehouse: Warehouse,
    scripts: Mapping[TableName, Script],
    project: Project,
    loaded: Mapping[TableName, tuple[Column, ...]] | None = None,
) -> Sources:
    """The sources of some of the project's `scripts` as the warehouse has them now, but for those that are `loaded`
    before, which will have these columns. Raises WarehouseError."""
    columns = loaded or {}
    wanted = tables_outside(scripts.values()) - columns.keys()
    existing = {table for dataset in sorted(_datasets(wanted)) for table in warehouse.tables(dataset)}
    missing = wanted - existing
    problems = list(_missing(scripts, missing, existing, project))
    return Sources(warehouse, columns, unknown=missing, problems=problems, look_up=warehouse.columns)


def with_stored_wildcards(
    warehouse: Warehouse, scripts: Mapping[TableName, Script], project: Project
) -> dict[TableName, Script]:
    """The scripts, with the tables that match their wildcard tables: those in the warehouse, and those that scripts
    build. Raises WarehouseError."""
    names = [read.table for script in scripts.values() for read in script.query.names]
    datasets = sorted({table.dataset for table in names if table.name.endswith("*")})
    if not datasets:
        return dict(scripts)
    stored = {table for dataset in datasets for table in warehouse.tables(dataset)}
    return with_wildcards(scripts, stored | set(project.scripts))


def _datasets(tables: Iterable[TableName]) -> set[str]:
    return {table.dataset for table in tables}


def _without_columns(project: Project, unknown: set[TableName]) -> Iterator[Problem]:
    """A warning for each source whose columns are not known, at the first place that reads it."""
    left = unknown - _broken(project) - set(project.unreadable)
    for table, readers in readers_of(project.scripts).items():
        if table in left:
            script, read = readers[0]
            known_from, way = "from db_init/", "write its CREATE TABLE in db_init/, or"
            if _is_loaded(table, project):
                known_from, way = "without its database", f"`refresh load {table}`, then"
            rest = "so what depends on it is not checked any further"
            reason = f"the columns of {table} are not known {known_from}, {rest}"
            hint = f"{way} check against the warehouse with --live"
            yield Problem(script.path, read.place, reason, hint, Severity.WARNING)


def _is_loaded(table: TableName, project: Project) -> bool:
    """Whether the table's settings name the database that its rows come from."""
    return table in project.raw_settings and project.raw_settings[table].says.source is not None


def _broken(project: Project) -> set[TableName]:
    """Tables that no script builds, not even an unreadable one, although scripts build their dataset. `read_project`
    reports them."""
    outside = tables_outside(project.scripts.values()) - set(project.unreadable)
    return {table for table in outside if table.dataset in _datasets(project.scripts)}


def _missing(
    scripts: Mapping[TableName, Script],
    missing: Collection[TableName],
    existing: Collection[TableName],
    project: Project,
) -> Iterator[Problem]:
    """A problem for each source that is missing, unless `read_project` has reported it."""
    like = Suggestions(map(str, existing))
    left = set(missing) - (_broken(project) - project.sources)
    for table, readers in readers_of(scripts).items():
        if table in left:
            yield read_problem(readers, "which does not exist in the warehouse", _way_to_create(table, like, project))


def _way_to_create(table: TableName, like: Suggestions, project: Project) -> str:
    if table in project.scripts or table in project.unreadable:
        return f"build it first: --select +{table}"
    if _is_loaded(table, project):
        return f"load it from its database first: `refresh load {table}`, or add --load"
    return like.did_you_mean(str(table)) or "`refresh init` creates the tables that db_init/ has scripts for"

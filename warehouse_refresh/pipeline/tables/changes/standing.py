"""Compare what is published with the scripts and the rows as they are now. What cannot be known counts as changed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import reads_of, tables_outside
from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.raw.sources import with_stored_wildcards
from warehouse_refresh.warehouse import Warehouse
from warehouse_refresh.warehouse.builds.normal_form import normal_form, what_may_differ
from warehouse_refresh.warehouse.builds.records import BuildRecord
from warehouse_refresh.warehouse.names import TableName

NEVER = BuildRecord("", "", None, "")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a table stands. `changed` says in what its script, settings or engine differ from what has built the
    published table, and `stale` why a build may give other rows; "" if nothing does. `is_failed` says that the last
    refresh of it has not published it. `run` is the one that published it ("": not known)."""

    changed: str = ""
    stale: str = ""
    is_failed: bool = False
    run: str = ""

    def is_in(self, state: str) -> bool:
        """Whether the selector `changed`, `stale` or `failed` names it."""
        return {"changed": bool(self.changed), "stale": bool(self.stale), "failed": self.is_failed}[state]

    @property
    def why(self) -> str:
        """What there is to say, for people."""
        reason = self.stale or "nothing has changed since it was published"
        return f"{reason}; the last refresh of it failed" if self.is_failed else reason


def finder(project: Project, warehouse: Warehouse) -> Callable[[str], Collection[TableName]]:
    """Answers which tables a selector such as `stale` or `git:main` names. The warehouse is looked into at the first
    question about it."""
    look = cache(lambda: standings(project, warehouse))

    def found(state: str) -> Collection[TableName]:
        if state.startswith("git:"):
            return project.named.found(state)
        return {table for table, standing in look().items() if standing.is_in(state)}

    return found


def standings(project: Project, warehouse: Warehouse) -> dict[TableName, Standing]:
    """How each table of the project stands, dependencies first. Raises WarehouseError."""
    scripts = with_stored_wildcards(warehouse, project.scripts, project)
    records = warehouse.records()
    versions = known_versions(project, warehouse, tables_outside(scripts.values()) | scripts.keys(), records)
    loads = {table: records[table].version for table in project.raw_settings if table in records}
    found: dict[TableName, Standing] = {}
    for table in project.over().order:
        if table in scripts:
            record = records.get(table, NEVER)
            changed = _changed(scripts[table], record, warehouse.made_by)
            stale = changed or next(_reasons(scripts[table], record, versions, loads, found), "")
            found[table] = Standing(changed, stale, record.is_failed, record.version.partition("/")[0])
    return found


def known_versions(
    project: Project, warehouse: Warehouse, tables: Collection[TableName], records: Mapping[TableName, BuildRecord]
) -> dict[TableName, str]:
    """The versions of the tables, as far as they can be known: of those that scripts build from the `records`, of the
    others as the warehouse has them now. Raises WarehouseError."""
    built = {*project.scripts, *project.unreadable}
    versions = dict(warehouse.versions([table for table in tables if table not in built]))
    return versions | {one: records[one].version for one in built if one in records and records[one].fingerprint}


def _changed(script: Script, record: BuildRecord, made_by: str) -> str:
    if not record.fingerprint:
        return "it is not there, or nothing is recorded of what has built it"
    if record.fingerprint != script.build.fingerprint:
        return "its script, its settings or its variables have changed since it was published"
    if record.made_by != made_by:
        return f"it was built by {record.made_by}, and this is {made_by}"
    return ""


def _reasons(
    script: Script,
    record: BuildRecord,
    versions: Mapping[TableName, str],
    loads: Mapping[TableName, str],
    before: Mapping[TableName, Standing],
) -> Iterator[str]:
    """Why a build by the same script may give other rows. `loads` has the run that has loaded each raw table last: that
    is its version for what the same run has built from it. `before` has the tables that the script reads."""
    yield from _unknown(script)
    if record.inputs is None:
        yield "it was published by a retry, and nothing is recorded of what it was built from"
        return
    for read in sorted(reads_of(script)):
        if read in before and before[read].stale:
            yield f"{read} is stale"
        elif read not in record.inputs or read not in versions:
            yield f"nobody knows whether {read} has changed"
        elif record.inputs[read] not in (versions[read], loads.get(read)):
            yield f"{read} {'was published' if read in before else 'has changed'} since"


def _unknown(script: Script) -> Iterator[str]:
    """What a script reads that may differ each time."""
    query = script.query
    texts = [query.preamble, query.text, *(function.text for function in query.functions)]
    if word := next(filter(None, (what_may_differ(normal_form(text)) for text in texts)), ""):
        yield f"{word} may answer something else each time"
    if other := next((read for read in query.names if not query.is_own(read.project)), None):
        yield f"nobody knows whether {other.project}.{other.table} has changed"
    if script.settings is not None and script.settings.says.build is not None:
        yield "it is built by date, and the last partitions are always due"

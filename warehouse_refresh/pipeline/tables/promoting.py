"""Publish in production what an environment has built, without building it again where nothing has changed since."""

from collections.abc import Mapping
from dataclasses import replace

from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.refresh import Refresh
from warehouse_refresh.pipeline.tables.changes.standing import standings
from warehouse_refresh.warehouse import BuildContext
from warehouse_refresh.warehouse.builds.environment import Environment
from warehouse_refresh.warehouse.builds.records import BuildRecord, Inputs
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query


def with_copies(refresh: Refresh, environment: Environment, context: BuildContext) -> Refresh:
    """The refresh of production with copies of the environment's tables, for those that a build there would give the
    same rows. Views and tables by date are built as ever. Raises WarehouseError."""
    plan = refresh.plan
    standing, records = standings(plan.project, environment), environment.records()
    scripts = {
        table: script
        if standing[table].stale or script.build.is_view or script.build.parts is not None
        else _copy(script, environment.stored(table), _inputs(records[table], plan.scripts, context))
        for table, script in plan.scripts.items()
    }
    return replace(refresh, plan=replace(plan, scripts=scripts))


def _copy(script: Script, stored: TableName, inputs: Inputs | None) -> Script:
    build = script.build
    query = parse_query(f"SELECT * FROM `{stored.dataset}`.`{stored.name}`").within(build.query.own)
    query = replace(query, listed=build.query.listed)
    copy = replace(build, query=query, known_as=build.fingerprint, inputs=inputs, copy_of=stored)
    return replace(script, build=copy)


def _inputs(record: BuildRecord, built: Mapping[TableName, Script], context: BuildContext) -> Inputs | None:
    """What the environment's table was built from; what is promoted with it has the version of this run."""
    if record.inputs is None:
        return None
    return {table: context.version if table in built else version for table, version in record.inputs.items()}

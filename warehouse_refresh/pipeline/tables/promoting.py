"""Publish in production what an environment has built, without building it again where nothing has changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from warehouse_refresh.pipeline.project.scripts import Script
from warehouse_refresh.pipeline.refresh import Refresh
from warehouse_refresh.pipeline.tables.changes.standing import standings
from warehouse_refresh.warehouse import BuildContext, Warehouse
from warehouse_refresh.warehouse.builds.environment import Environment
from warehouse_refresh.warehouse.builds.records import BuildRecord, Inputs
from warehouse_refresh.warehouse.errors import Cancelled, Transient, Unavailable, WarehouseError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import parse_query


def with_copies(refresh: Refresh, environment: Environment, context: BuildContext) -> Refresh:
    """The refresh of production with copies of the environment's tables, for those that a build there would give the
    same rows. Views and tables by date are built as ever. Raises WarehouseError, also if they cannot be read there."""
    plan = refresh.plan
    standing, records = standings(plan.project, environment), environment.records()
    scripts = {
        table: script
        if standing[table].stale or script.build.is_view or script.build.parts is not None
        else _copy(script, environment.stored(table), _inputs(records[table], plan.scripts, context))
        for table, script in plan.scripts.items()
    }
    _need_readable(refresh.warehouse, [script for script in scripts.values() if script.build.copy_of is not None])
    return replace(refresh, plan=replace(plan, scripts=scripts))


def _need_readable(production: Warehouse, copies: Sequence[Script]) -> None:
    """Raise WarehouseError if production cannot read the environment's tables, such as those of another region or those
    that this account may not read; one table of each dataset is tried:
    https://cloud.google.com/bigquery/docs/table-clones-create"""
    for script in {script.table.dataset: script for script in copies}.values():
        try:
            production.plan(script.build.query, {}).confirm()
        except (Transient, Unavailable, Cancelled):
            raise
        except WarehouseError as error:
            message = f"production cannot read {script.build.copy_of}: {error}. Nothing was published"
            raise WarehouseError(message) from error


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

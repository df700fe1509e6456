"""The peers' own ways to build a table a day at a time: dbt's microbatches and SQLMesh's models by time range."""

from datetime import date, timedelta
from pathlib import Path

from benchmarks.commands import Command
from benchmarks.peers import python_of, reset, write

BATCH = 31
"""So many days SQLMesh builds by one query. A microbatch of dbt is one day."""
_DBT_PROJECT = """
name: benchmark
version: "1.0"
profile: benchmark
flags: {send_anonymous_usage_stats: false}
"""
_DBT_PROFILES = """
benchmark:
  target: dev
  outputs:
    dev: {type: duckdb, path: warehouse.duckdb, schema: tmp, threads: 8}
"""
_DBT_SOURCES = """
sources:
  - name: raw
    tables:
      - name: events
        config: {event_time: seen}
"""
_QUERY = """
SELECT CAST(seen AS DATE) AS day, page, COUNT(*) AS views, COUNT(DISTINCT visitor) AS visitors
FROM {source}
{where}GROUP BY 1, 2
"""
_DBT_CONFIG = (
    "{{{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='day', batch_size='day',"
    " begin='{first}', lookback=0) }}}}\n"
)
_SQLMESH_CONFIG = """
gateways:
  local:
    connection: {type: duckdb, database: warehouse.duckdb}
default_gateway: local
model_defaults: {dialect: duckdb}
disable_anonymized_analytics: true
"""
_SQLMESH_MODEL = """
MODEL (
  name tmp.days,
  kind INCREMENTAL_BY_TIME_RANGE (time_column (day, '%Y-%m-%d'), batch_size {batch}),
  start '{first}',
  end '{last}',
  cron '@daily'
);
"""


def dbt(folder: Path, first: date, days: int) -> Command:
    """dbt with the whole range, into a warehouse that has the raw table alone. It builds no later day."""
    write(folder / "dbt_project.yml", _DBT_PROJECT)
    write(folder / "profiles.yml", _DBT_PROFILES)
    write(folder / "models/sources.yml", _DBT_SOURCES)
    query = _QUERY.format(source="{{ source('raw', 'events') }}", where="")
    write(folder / "models/days.sql", _DBT_CONFIG.format(first=first) + query)
    last = first + timedelta(days=days)
    words = ["run", "--event-time-start", str(first), "--event-time-end", str(last)]
    environment = {"DBT_PROFILES_DIR": ".", "TZ": "UTC"}
    program = python_of("dbt").parent / "dbt"
    return Command("dbt, a microbatch for each day", [program, *words], folder, environment, lambda: reset(folder))


def sqlmesh(folder: Path, first: date, days: int) -> Command:
    """SQLMesh with the whole range, into a warehouse that has the raw table alone."""
    write(folder / "config.yaml", _SQLMESH_CONFIG)
    where = "WHERE seen BETWEEN @start_ts AND @end_ts\n"
    model = _SQLMESH_MODEL.format(batch=BATCH, first=first, last=first + timedelta(days=days - 1))
    write(folder / "models/days.sql", model + _QUERY.format(source="raw.events", where=where))
    words = ["plan", "--auto-apply", "--no-prompts"]
    program = python_of("sqlmesh").parent / "sqlmesh"
    name = f"SQLMesh, batch_size {BATCH}"
    return Command(name, [program, *words], folder, {"MAX_FORK_WORKERS": "2", "TZ": "UTC"}, lambda: reset(folder))

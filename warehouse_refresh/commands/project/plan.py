"""`refresh plan`: what a refresh would do, without doing it."""

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from warehouse_refresh.commands.selection import selection
from warehouse_refresh.commands.variables import settings_of
from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.project.reading import sql_cache
from warehouse_refresh.pipeline.refresh import Loads, RefreshPlan, connected, plan_refresh
from warehouse_refresh.pipeline.running.schedule import forecast
from warehouse_refresh.pipeline.settings import cost, human_bytes
from warehouse_refresh.pipeline.tables.changes.standing import Standing, standings
from warehouse_refresh.pipeline.tables.leftovers import left_over, leftovers
from warehouse_refresh.pipeline.tables.partitions.asked import Asked
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.storage import storage_words
from warehouse_refresh.warehouse.types import Column


def run(options: Namespace) -> int:
    """Print the plan, and answer the exit code. Raises Refused for a refresh that cannot succeed."""
    settings = settings_of(options)
    loads, asked = Loads.FIRST if options.load else Loads.NONE, Asked(full=options.full)
    with sql_cache(settings.folder) as cache, connected(settings, cache) as warehouse, ExitStack() as stack:
        plan = plan_refresh(
            settings, selection(options, settings.select), warehouse, cache, asked, loads=loads, stack=stack
        )
        standing = standings(plan.project, warehouse)
        left = leftovers(warehouse, plan.project)
        storage = {table: warehouse.storage_changes(script.build) for table, script in plan.scripts.items()}
        expected = _forecast(plan, warehouse.durations(), settings.workers)
    price = settings.price_per_tib
    if options.json:
        shown = _as_json(plan, price, storage, standing)
        print(json.dumps({**shown, "expected": expected, "left_over": list(map(str, left))}, indent=2))
    else:
        text = "\n".join(_as_text(plan, price, storage, standing, expected))
        print("\n".join(filter(None, [text, left_over(left)])))
    return 0


def _forecast(plan: RefreshPlan, took: Mapping[TableName, Sequence[float]], workers: int) -> dict[str, Any] | None:
    """How long the refresh takes by the last builds of its tables; None if none of them was ever built."""
    if plan.graph.dependencies.keys().isdisjoint(took):
        return None
    found = forecast(plan.graph, plan.seconds(took), workers)
    if found is None:
        return None
    return {"seconds": round(found.seconds, 3), "longest_chain": list(map(str, found.chain))}


Changes = Mapping[TableName, Sequence[str]]
"""By table, what `Warehouse.storage_changes` says."""


Standings = Mapping[TableName, Standing]
"""How each table of the project stands to what is published."""


def _as_text(
    plan: RefreshPlan, price: float, storage: Changes, standing: Standings, expected: Mapping[str, Any] | None
) -> Iterator[str]:
    """The tables by step, then the sums. A table need not wait for the others of the step before it."""
    for number, tables in enumerate(plan.graph.levels, start=1):
        yield f"step {number}: {counted(len(tables), 'table')}{' at once' if len(tables) > 1 else ''}"
        for table in tables:
            yield from _table_lines(plan, table, price)
            if table not in plan.scripts:
                continue
            yield f"    why: {standing[table].why}"
            if table in plan.due:
                yield from (f"    {line}" for line in plan.due[table].lines())
            yield from _storage_lines(plan, table, storage[table])
        yield ""
    widest = max(map(len, plan.graph.levels), default=0)
    steps = counted(len(plan.graph.levels), "step")
    yield f"{counted(len(plan.graph.dependencies), 'table')} in {steps}, up to {widest} at once"
    if expected is not None:
        chain = ", ".join(expected["longest_chain"])
        yield f"takes about {expected['seconds']:.1f} s by the last builds; the longest chain: {chain}"
    yield from _sums(plan, price)
    yield from _checks(plan, price)
    yield from _not_in_it(plan, standing)


def _not_in_it(plan: RefreshPlan, standing: Standings) -> Iterator[str]:
    """The tables that the plan leaves out, and what there is to say of each."""
    left = [table for table in standing if table not in plan.scripts]
    if left:
        yield f"\nnot in it: {counted(len(left), 'table')}"
        yield from (f"  {table}: {standing[table].why}" for table in left)


def _checks(plan: RefreshPlan, price: float) -> Iterator[str]:
    """How many queries answer the checks of the tables, and what they read."""
    if plan.units:
        known = [unit.bytes_processed for unit in plan.units if unit.bytes_processed is not None]
        reads = f", which read {_amount(sum(known), price, estimate=plan.is_estimate)}" if known else ""
        queries = "1 query" if len(plan.units) == 1 else f"{len(plan.units)} queries"
        yield f"checks of tables: {queries}{reads}"
    yield from plan.notes


def _table_lines(plan: RefreshPlan, table: TableName, price: float) -> Iterator[str]:
    after = ", ".join(map(str, sorted(plan.graph.dependencies[table])))
    yield f"  {table}" + (f"  (after {after})" if after else "")
    yield f"    columns: {', '.join(f'{column.name} {column.type}' for column in _columns(plan, table))}"
    if table not in plan.queries:
        yield f"    loads: {_reads(plan, table)}"
        return
    query = plan.queries[table]
    if query.bytes_processed is not None:
        yield f"    reads: {_amount(query.bytes_processed, price, estimate=query.estimate)}"


def _columns(plan: RefreshPlan, table: TableName) -> Sequence[Column]:
    if plan.load is not None and table in plan.load.tables:
        return plan.load.columns[table]
    return plan.queries[table].columns


def _reads(plan: RefreshPlan, table: TableName) -> str:
    """`public.orders of shop: about 1,200 rows, 88.0 KiB (an estimate of the database)`."""
    assert plan.load is not None  # noqa: S101 (a table without a query is loaded)
    one, found = plan.load.tables[table], plan.load.described[table]
    rows = None if found.rows is None else counted(found.rows, "row")
    known = [text for text in (rows, found.bytes and human_bytes(found.bytes)) if text]
    amount = f"about {', '.join(known)} (an estimate of the database)" if known else "nobody knows how many rows"
    change = plan.load.changed.get(table)
    if one.source.file:
        known_files = f"; of these not {counted(len(change.files), 'file')} that it has" if change else ""
        return f"{one.origin}: {human_bytes(found.bytes or 0)}{known_files}"
    since = (
        f"; of these only those with {change.since.column} from {change.since.value} on"
        if change and change.since
        else ""
    )
    compares = ", and all keys" if change and change.compares else ""
    return f"{one.origin}: {amount}{since}{compares}"


def _storage_lines(plan: RefreshPlan, table: TableName, changes: Sequence[str]) -> Iterator[str]:
    words = storage_words(plan.scripts[table].build.storage)
    if words:
        yield f"    storage: {'; '.join(words)}"
    yield from (f"    {change}" for change in changes)


def _sums(plan: RefreshPlan, price: float) -> Iterator[str]:
    if plan.bytes_processed is not None:
        amount = _amount(plan.bytes_processed, price, estimate=plan.is_estimate)
        yield f"reads {amount} at ${price:g} per TiB"
    if plan.bytes_processed is not None and plan.is_estimate:
        yield "≥: an estimate, since tables that this refresh makes are read too, and their size is not known yet"


def _amount(bytes_processed: int, price: float, *, estimate: bool) -> str:
    mark = "≥ " if estimate else ""
    return f"{mark}{human_bytes(bytes_processed)}, {mark}{human_dollars(cost(bytes_processed, price))}"


def human_dollars(amount: float) -> str:
    """`$0`, `< $0.01`, `$12.30`."""
    if amount == 0:
        return "$0"
    return f"${amount:,.2f}" if amount >= 0.01 else "< $0.01"


def _as_json(plan: RefreshPlan, price: float, storage: Changes, standing: Standings) -> dict[str, Any]:
    return {
        "tables": [
            {
                "table": str(table),
                "step": number,
                **_planned_as_json(plan, table, price, storage, standing),
            }
            for number, tables in enumerate(plan.graph.levels, start=1)
            for table in tables
        ],
        "not_in_it": [
            {"table": str(table), **_standing_as_json(one)}
            for table, one in standing.items()
            if table not in plan.scripts
        ],
        **_amount_as_json(plan.bytes_processed, price, estimate=plan.is_estimate),
    }


def _planned_as_json(
    plan: RefreshPlan, table: TableName, price: float, storage: Changes, standing: Standings
) -> dict[str, Any]:
    if table in plan.scripts:
        return {**_standing_as_json(standing[table]), **_table_as_json(plan, table, price, storage[table])}
    assert plan.load is not None  # noqa: S101 (a table without a script is loaded)
    one, found = plan.load.tables[table], plan.load.described[table]
    from_ = {"connection": one.source.connection, "source": str(one.relation)}
    return {
        "after": [],
        **from_,
        "columns": _columns_as_json(plan, table),
        "about_rows": found.rows,
        "about_bytes": found.bytes,
    }


def _columns_as_json(plan: RefreshPlan, table: TableName) -> list[dict[str, str]]:
    return [{"name": column.name, "type": str(column.type)} for column in _columns(plan, table)]


def _standing_as_json(standing: Standing) -> dict[str, Any]:
    states = {f"is_{state}": standing.is_in(state) for state in ("changed", "stale", "failed")}
    return {"why": standing.why, **states}


def _table_as_json(plan: RefreshPlan, table: TableName, price: float, changes: Sequence[str]) -> dict[str, Any]:
    query = plan.queries[table]
    return {
        "after": [str(dependency) for dependency in sorted(plan.graph.dependencies[table])],
        "columns": _columns_as_json(plan, table),
        **({"partitions": plan.due[table].as_json()} if table in plan.due else {}),
        "storage": storage_words(plan.scripts[table].build.storage),
        "storage_changes": list(changes),
        **_amount_as_json(query.bytes_processed, price, estimate=query.estimate),
    }


def _amount_as_json(bytes_processed: int | None, price: float, *, estimate: bool) -> dict[str, Any]:
    usd = None if bytes_processed is None else cost(bytes_processed, price)
    return {"bytes": bytes_processed, "cost_usd": usd, "is_estimate": estimate}

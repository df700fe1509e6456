"""`refresh plan`: what a refresh would do, without doing it."""

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.project.graph import Graph
from pipeline.project.problems import Refused, counted
from pipeline.project.project import read_project, remembered
from pipeline.project.selectors import select
from pipeline.refresh import missing_tables, plan_refresh
from pipeline.settings import Settings, read_settings
from warehouse import QueryPlan, connect, project_of
from warehouse.names import TableName

TIB = 2**40


@dataclass(frozen=True)
class RefreshPlan:
    """A refresh that would succeed as far as can be told: its graph, what each table's query would do, and the price of
    a TiB in USD."""

    graph: Graph
    plans: Mapping[TableName, QueryPlan]
    price_per_tib: float

    @property
    def bytes_processed(self) -> int | None:
        """What all queries would read together; None where the engine has no such figure."""
        known = [plan.bytes_processed for plan in self.plans.values() if plan.bytes_processed is not None]
        return sum(known) if known else None

    @property
    def is_estimate(self) -> bool:
        """Whether a table is read that does not exist yet, so that the bytes are a lower bound."""
        return any(plan.estimate for plan in self.plans.values())

    def cost(self, bytes_processed: int | None) -> float | None:
        """What reading so much costs, in USD, at the price on demand."""
        return None if bytes_processed is None else bytes_processed / TIB * self.price_per_tib


def run(options: Namespace) -> int:
    """Print the plan, and answer the exit code. Raises Refused for a refresh that cannot succeed."""
    settings = read_settings()
    with remembered(settings.folder):
        plan = _plan(settings, options.select)
    print(json.dumps(_as_json(plan), indent=2) if options.json else "\n".join(_as_text(plan)))
    return 0


def _plan(settings: Settings, selectors: list[str]) -> RefreshPlan:
    project = read_project(settings.folder, project_of(settings.warehouse_url))
    graph = select(project.graph, selectors)
    scripts = {table: project.scripts[table] for table in graph.order}
    with connect(settings.warehouse_url) as warehouse:
        problems = list(missing_tables(scripts.values(), set(scripts), warehouse))
        if problems:
            raise Refused(problems)
        planned = plan_refresh(scripts, warehouse)
    if planned.problems:
        raise Refused(planned.problems)
    return RefreshPlan(graph, planned.plans, settings.price_per_tib)


def _as_text(plan: RefreshPlan) -> Iterator[str]:
    """The tables by step, then the sums. A table need not wait for the others of the step before it."""
    for number, tables in enumerate(plan.graph.levels, start=1):
        yield f"step {number}: {counted(len(tables), 'table')}{' at once' if len(tables) > 1 else ''}"
        for table in tables:
            yield from _table_lines(plan, table)
        yield ""
    widest = max(map(len, plan.graph.levels), default=0)
    steps = counted(len(plan.graph.levels), "step")
    yield f"{counted(len(plan.plans), 'table')} in {steps}, up to {widest} at once"
    yield from _sums(plan)


def _table_lines(plan: RefreshPlan, table: TableName) -> Iterator[str]:
    after = ", ".join(map(str, sorted(plan.graph.dependencies[table])))
    yield f"  {table}" + (f"  (after {after})" if after else "")
    made = plan.plans[table]
    yield f"    columns: {', '.join(f'{column.name} {column.type}' for column in made.columns)}"
    if made.bytes_processed is not None:
        yield f"    reads: {_amount(plan, made.bytes_processed, estimate=made.estimate)}"


def _sums(plan: RefreshPlan) -> Iterator[str]:
    if plan.bytes_processed is not None:
        amount = _amount(plan, plan.bytes_processed, estimate=plan.is_estimate)
        yield f"reads {amount} at ${plan.price_per_tib:g} per TiB"
    if plan.bytes_processed is not None and plan.is_estimate:
        yield "≥: an estimate, since tables that this refresh makes are read too, and their size is not known yet"


def _amount(plan: RefreshPlan, bytes_processed: int, *, estimate: bool) -> str:
    mark = "≥ " if estimate else ""
    return f"{mark}{human_bytes(bytes_processed)}, {mark}{human_dollars(plan.cost(bytes_processed) or 0)}"


def human_bytes(number: int) -> str:
    """`512 B`, `1.5 MiB`."""
    for unit, size in (("TiB", TIB), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"


def human_dollars(amount: float) -> str:
    """`$0`, `< $0.01`, `$12.30`."""
    if amount == 0:
        return "$0"
    return f"${amount:,.2f}" if amount >= 0.01 else "< $0.01"


def _as_json(plan: RefreshPlan) -> dict[str, Any]:
    return {
        "tables": [
            {"table": str(table), "step": number, **_table_as_json(plan, table)}
            for number, tables in enumerate(plan.graph.levels, start=1)
            for table in tables
        ],
        **_amount_as_json(plan, plan.bytes_processed, estimate=plan.is_estimate),
    }


def _table_as_json(plan: RefreshPlan, table: TableName) -> dict[str, Any]:
    made = plan.plans[table]
    return {
        "after": [str(dependency) for dependency in sorted(plan.graph.dependencies[table])],
        "columns": [{"name": column.name, "type": str(column.type)} for column in made.columns],
        **_amount_as_json(plan, made.bytes_processed, estimate=made.estimate),
    }


def _amount_as_json(plan: RefreshPlan, bytes_processed: int | None, *, estimate: bool) -> dict[str, Any]:
    return {"bytes": bytes_processed, "cost_usd": plan.cost(bytes_processed), "is_estimate": estimate}

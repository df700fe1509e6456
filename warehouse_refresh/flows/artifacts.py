"""The artifacts of a flow run, for people to read in Prefect: the state of each table as a table and as a picture."""

import getpass
import json
import socket
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from warehouse_refresh.pipeline.contract import REQUEST_TAG
from warehouse_refresh.pipeline.execution import TableRun
from warehouse_refresh.pipeline.outcomes import CheckResult, State, Verdict
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.settings import cost
from warehouse_refresh.warehouse.names import TableName

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

GRAPH_KEY = "refresh-graph"

_COLOURS = {
    State.WAITING: "#eeeeee",
    State.BUILDING: "#cce5ff",
    State.STAGED: "#e2f0ff",
    State.BUILT: "#d4edda",
    State.BUILT_BEFORE: "#e8f5e9",
    State.FAILED: "#f8d7da",
    State.BLOCKED: "#f5c6cb",
    State.NOT_RUN: "#fff3cd",
}


def table_rows(runs: Iterable[TableRun], price_per_tib: float) -> list[dict[str, Any]]:
    """One row for each table. `cost` is in USD, at the price of a TiB (2**40 bytes) billed."""
    return [_row(run, price_per_tib) for run in runs]


def check_rows(runs: Iterable[TableRun]) -> list[dict[str, Any]]:
    """One row for each check, those that failed first, with up to five of the rows that break it, and the command that
    shows all if they are published."""
    order = [Verdict.FAILED, Verdict.WARNING, Verdict.PASSED]
    found = [(order.index(check.verdict), run.table, check) for run in runs for check in run.checks]
    found.sort(key=lambda one: one[:2])
    return [_check_row(table, check) for _, table, check in found]


def _check_row(table: TableName, check: CheckResult) -> dict[str, Any]:
    return {
        "table": str(table),
        "check": check.name,
        "result": check.verdict.value,
        "broken": check.broken,
        "rows": check.rows,
        "found": check.message,
        "examples": "\n".join(check.examples) or None,
        "see": check.command if check.query and check.broken and check.verdict is Verdict.WARNING else None,
    }


def graph_markdown(graph: Graph, runs: Mapping[TableName, TableRun], facts: Mapping[str, str]) -> str:
    """The facts about the run, and its graph as Mermaid, each table in the colour of its state."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join([*lines, "", "```mermaid", *_mermaid(graph, runs), "```"])


def facts(run: "FlowRun", version: str) -> dict[str, str]:
    """Who or what started the run, with which parameters, and the version of the scripts."""
    return {
        "started by": trigger(run),
        "parameters": f"`{json.dumps(run.parameters)}`",
        "scripts": version,
    }


def trigger(run: "FlowRun") -> str:
    """Who or what started the run."""
    started = _trigger(run)
    return f"{started}; attempt {run.run_count}" if run.run_count > 1 else started


def _trigger(run: "FlowRun") -> str:
    requests = [tag.removeprefix(REQUEST_TAG) for tag in run.tags if tag.startswith(REQUEST_TAG)]
    if run.auto_scheduled:
        return "the schedule"
    if requests:
        return f"the API, request {', '.join(requests)}"
    if run.created_by and run.created_by.display_value:
        return run.created_by.display_value
    if run.deployment_id:
        return "somebody, in Prefect's UI or on its command line"
    return f"{getpass.getuser()} on {socket.gethostname()}, in a terminal"


def _row(run: TableRun, price_per_tib: float) -> dict[str, Any]:
    built = run.built
    billed = built.bytes_billed if built else None
    return {
        "table": str(run.table),
        "state": run.state.value,
        "rows": built.rows if built else None,
        "bytes": built.bytes_processed if built else None,
        "cost": round(cost(billed, price_per_tib), 6) if billed is not None else None,
        "seconds": round(built.seconds, 3) if built else None,
        "checks": run.checks_text or None,
        "job": built.job_link if built else None,
        "failure": run.failure.value if run.failure else None,
        "error": run.reason or None,
    }


def _mermaid(graph: Graph, runs: Mapping[TableName, TableRun]) -> list[str]:
    nodes = {table: f"t{number}" for number, table in enumerate(graph.order)}
    lines = ["graph LR"]
    for table, node in nodes.items():
        run = runs[table]
        lines.append(f'  {node}["{table}<br>{_label(run)}"]:::{run.state.name}')
    for table, node in nodes.items():
        lines += [f"  {nodes[dependency]} --> {node}" for dependency in sorted(graph.dependencies[table])]
    states = {runs[table].state for table in nodes}
    return lines + [f"  classDef {state.name} fill:{_COLOURS[state]},color:#000" for state in State if state in states]


def _label(run: TableRun) -> str:
    if run.built is None:
        return run.state.value
    return f"{run.built.amount}, {run.built.seconds:.2f} s"

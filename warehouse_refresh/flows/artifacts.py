"""What the artifacts of a flow run say beside the rows of pipeline/report.py: the graph as a picture, and facts."""

import getpass
import json
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from warehouse_refresh.pipeline.contract import REQUEST_TAG
from warehouse_refresh.pipeline.outcomes import State
from warehouse_refresh.pipeline.project.graph import Graph
from warehouse_refresh.pipeline.running.execution import TableRun
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

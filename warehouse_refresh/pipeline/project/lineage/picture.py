"""The dependencies as a picture: tables as boxes, an arrow from each table to those that are built from it."""

import os
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from warehouse_refresh.pipeline.project.project import Project
from warehouse_refresh.pipeline.project.reads import reads_of
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.warehouse.extras import needs_extra
from warehouse_refresh.warehouse.names import TableName

_COLOURS = ["#dbeafe", "#dcfce7", "#fef3c7", "#fce7f3", "#ede9fe", "#ccfbf1"]
_SOURCE_COLOUR = "#e5e7eb"
_MANY = 200
"""With more tables than this, Graphviz gets less time to improve the layout: 1,000 tables take 5 s instead of 15."""
_MOST = 3_000
"""With as many tables Graphviz takes half a minute; 10,000 are not drawn within ten."""


@dataclass(frozen=True)
class Picture:
    """The data of a picture: for each table, the tables that it reads or that the map puts before it; and the path of
    each table's script. Tables without a script are sources."""

    edges: Mapping[TableName, Sequence[TableName]]
    files: Mapping[TableName, str]

    @property
    def tables(self) -> list[TableName]:
        """All tables; first those that are only read."""
        read = {table for reads in self.edges.values() for table in reads}
        return [*sorted(read - set(self.edges)), *self.edges]


def picture_of(project: Project, selectors: Iterable[str] = ()) -> Picture:
    """The picture of the selected tables, in the order of a refresh. Raises Refused, SelectionError."""
    order, declared = project.chosen(selectors).order, project.declared
    edges = {table: sorted((reads_of(project.scripts[table]) | declared[table]) - {table}) for table in order}
    return Picture(edges, project.files)


def dataset_mermaid(picture: Picture) -> str:
    """The picture of the datasets as Mermaid source: a box for each with its number of tables, and an arrow to each
    dataset that reads it, with the number of reads."""
    sizes = Counter(table.dataset for table in picture.tables)
    reads = Counter(
        (read.dataset, table.dataset)
        for table, all_reads in picture.edges.items()
        for read in all_reads
        if read.dataset != table.dataset
    )
    names = {dataset: f"d{number}" for number, dataset in enumerate(sizes, start=1)}
    boxes = [f'    {names[dataset]}["{dataset} ({size})"]' for dataset, size in sizes.items()]
    arrows = [f"    {names[one]} -->|{number}| {names[other]}" for (one, other), number in sorted(reads.items())]
    return "\n".join(["flowchart LR", *boxes, *arrows])


def mermaid(picture: Picture, marked: Collection[TableName] = ()) -> str:
    """The picture as Mermaid source, with some tables in colour: https://mermaid.js.org/syntax/flowchart.html"""
    names = _node_names(picture.tables)
    lines = ["flowchart LR"]
    for table, name in names.items():
        box = f'[("{table}")]' if table not in picture.files else f'["{table}"]'
        lines.append(f"    {name}{box}")
    lines += [f"    {names[read]} --> {names[table]}" for table, reads in picture.edges.items() for read in reads]
    if marked:
        lines += ["    classDef changed fill:#fef3c7,stroke:#d97706,color:#000"]
        lines += [f"    class {','.join(names[table] for table in picture.tables if table in marked)} changed"]
    return "\n".join(lines)


def svg(picture: Picture, folder: Path = Path()) -> bytes:
    """The picture as an SVG document for `folder`, drawn by Graphviz. Each table leads to its script. Raises
    SelectionError for too many tables."""
    _check_size(picture)
    with needs_extra("graph", "a picture as SVG"):
        from pygraphviz import AGraph

    tables = picture.tables
    datasets = list(dict.fromkeys(table.dataset for table in tables if table in picture.files))
    graph = AGraph(directed=True, rankdir="LR", nodesep="0.15", ranksep="0.8")
    if len(tables) > _MANY:
        graph.graph_attr.update(nslimit="0.5", nslimit1="0.5", mclimit="0.5")
    graph.node_attr.update(shape="box", style="rounded,filled", color="#9ca3af", fontname="Helvetica", fontsize="11")
    graph.edge_attr.update(color="#6b7280", arrowsize="0.6")
    for table in tables:
        colour = (
            _SOURCE_COLOUR if table not in picture.files else _COLOURS[datasets.index(table.dataset) % len(_COLOURS)]
        )
        file = picture.files.get(table)
        link = {"URL": os.path.relpath(file, folder), "tooltip": file} if file else {}
        graph.add_node(str(table), fillcolor=colour, **link)
    for table, reads in picture.edges.items():
        for read in reads:
            graph.add_edge(str(read), str(table))
    with _no_stderr():
        drawn: bytes = graph.draw(format="svg", prog="dot")
    return drawn


def _check_size(picture: Picture) -> None:
    if len(picture.tables) > _MOST:
        raise SelectionError(
            f"Graphviz cannot draw {len(picture.tables):,} tables in a useful time, but at most {_MOST:,}:"
            " choose some of them (`refresh graph --svg FILE +final.products`), or draw the datasets"
            " (`refresh graph --datasets`)"
        )


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Discard what is written to stderr: the fontconfig in pygraphviz's wheel warns of newer configuration files of the
    system. Graphviz's own errors are raised as exceptions all the same."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _node_names(tables: Iterable[TableName]) -> dict[TableName, str]:
    """A unique name for each table that Mermaid accepts."""
    names: dict[TableName, str] = {}
    taken: set[str] = set()
    for table in tables:
        plain = re.sub(r"\W", "_", f"{table.dataset}_{table.name}", flags=re.ASCII)
        candidates = (plain if number == 1 else f"{plain}_{number}" for number in count(1))
        names[table] = next(name for name in candidates if name not in taken)
        taken.add(names[table])
    return names

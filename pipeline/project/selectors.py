"""`--select`: tables and graph operators, as dbt users know them."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from pipeline.project.graph import Graph
from warehouse.names import TableName
from warehouse.suggest import did_you_mean


class SelectionError(Exception):
    """A selector that selects nothing."""


def select(graph: Graph, selectors: Iterable[str]) -> Graph:
    """The part of `graph` that any of `selectors` names; all of it without selectors.

    A selector is a table (`tmp.variants`) or a pattern (`tmp.*`), with `+` before it for everything that it is built
    from, and `+` after it for everything that is built from it. Several may stand in one string, with blanks between;
    one that is empty is a variable that was not set, and no wish for everything. Raises SelectionError.
    """
    texts = list(selectors)
    if not texts:
        return graph
    if empty := [text for text in texts if not text.strip(" \t\n+")]:
        raise SelectionError(
            f"--select {empty[0]!r} selects nothing: name a table or a pattern (tmp.*), or leave --select out"
        )
    wanted = [selector for text in texts for selector in text.split()]
    chosen: set[TableName] = set()
    for selector in wanted:
        chosen |= _tables_of(graph, selector)
    return graph.only(chosen)


def _tables_of(graph: Graph, selector: str) -> set[TableName]:
    pattern = selector.removeprefix("+").removesuffix("+")
    chosen = {table for table in graph.dependencies if fnmatchcase(str(table), pattern)}
    if not chosen:
        hint = did_you_mean(pattern, map(str, graph.dependencies)) or "`refresh graph` shows all tables"
        raise SelectionError(f"--select {selector}: no script builds {pattern}; {hint}")
    upstream = [graph.upstream(table) for table in chosen] if selector.startswith("+") else []
    downstream = [graph.downstream(table) for table in chosen] if selector.endswith("+") else []
    return chosen.union(*upstream, *downstream)

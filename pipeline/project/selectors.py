"""The grammar of `--select` and `?select=`: tables and graph operators, as dbt users know them."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from pipeline.project.graph import Graph
from warehouse.names import TableName
from warehouse.suggest import did_you_mean

FORMS = "tmp.variants, +tmp.variants, tmp.variants+ or tmp.v*"
# Of ASCII only letters, digits and _-.*?[]! may stand in a selector. The regular expressions are JavaScript's too.
_OTHERS = r'\u0000-\u0020"-)+,/:->@\\^`{-\u007f'
_ANY, _PLAIN = f"[^{_OTHERS}]", rf"[^{_OTHERS}.*?\[]"
SELECTOR = re.compile(rf"(\+?)({_PLAIN}+\.{_ANY}+|{_PLAIN}*[*?\[]{_ANY}*)(\+?)")
"""One selector: a table or a shell pattern, with an optional `+` before and after it."""


class SelectionError(Exception):
    """A selector that selects nothing."""


def select(graph: Graph, selectors: Iterable[str]) -> Graph:
    """The part of `graph` that the `selectors` name together; all of it if there are no selectors.

    A selector is a table (`tmp.variants`) or a pattern (`tmp.v*`). A `+` before it adds all tables that it is built
    from; a `+` after it adds all tables that are built from it. One string may hold several selectors, separated by
    blanks. An empty string is an error, since it usually comes from a variable that is not set. Raises SelectionError.
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
    match = SELECTOR.fullmatch(selector)
    before, pattern, after = match.groups() if match else ("", selector, "")
    chosen = {table for table in graph.dependencies if match and fnmatchcase(str(table), pattern)}
    if not chosen:
        hint = did_you_mean(pattern.strip("+"), map(str, graph.dependencies)) or "`refresh graph` shows all tables"
        raise SelectionError(f"--select {selector}: no script builds {pattern}; {hint}")
    upstream = [graph.upstream(table) for table in chosen] if before else []
    downstream = [graph.downstream(table) for table in chosen] if after else []
    return chosen.union(*upstream, *downstream)

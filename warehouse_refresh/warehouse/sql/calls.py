"""The calls of functions that belong to a dataset, such as `d.f(x)`."""

import re
from collections.abc import Iterator, Sequence

from sqlglot.dialects.bigquery import BigQuery
from sqlglot.tokenizer_core import Token

from warehouse_refresh.warehouse.errors import place_at
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.query import Call
from warehouse_refresh.warehouse.sql.rewriting.chained import opens, start_of_path, unchained

_BIGQUERY = BigQuery()
_BUILT_IN = frozenset({"SAFE", "NET", "KEYS", "AEAD", "HLL_COUNT", "KLL_QUANTILES"})
"""Words before the dot of a function of GoogleSQL's own."""
_MAY_CALL = re.compile(r"(?:\.\s*`?\w+`?|`)\s*\)?\s*\(")


def calls_in(text: str) -> tuple[Call, ...]:
    """The calls of functions whose names have a dataset: `d.f(x)`, `` `p.d.f`(x) ``; in the order of the text."""
    if not _MAY_CALL.search(text):
        return ()
    tokens = unchained(_BIGQUERY.tokenize(text))
    found = []
    for first, last, parts in paths_before_brackets(tokens):
        if parts[-2].upper() in _BUILT_IN:
            continue
        start, end = tokens[first].start, tokens[last].end
        name = TableName(parts[-2], parts[-1])
        found.append(Call(name, start, end + 1, place_at(text, start, end), ".".join(parts[:-2])))
    return tuple(sorted(found, key=lambda call: call.start))


def paths_before_brackets(tokens: Sequence[Token]) -> Iterator[tuple[int, int, list[str]]]:
    """The paths of two names or more before an opening bracket: the numbers of their first and last tokens, and their
    names."""
    for index, token in enumerate(tokens):
        if opens(token) and index:
            first = start_of_path(tokens, index - 1)
            names = "".join(part.text for part in tokens[first:index]).split(".")
            if len(names) > 1 and all(names):
                yield first, index - 1, names

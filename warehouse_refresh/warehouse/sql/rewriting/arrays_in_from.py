"""Arrays that FROM names by a path: `FROM orders AS o, o.items` reads the array of each row.

sqlglot tells them from tables as it parses. For that it copies and normalizes every table of every FROM, which takes
half of its time; here only the paths are looked at.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlglot import exp
from sqlglot.parsers.bigquery import BigQueryParser

_LOCK = threading.Lock()
Tree = TypeVar("Tree", bound=exp.Expr)


@contextmanager
def taken_for_tables() -> Iterator[None]:
    """Let sqlglot take arrays for tables meanwhile, by a setting of its dialect that all threads share; those that
    `with_arrays` is called for lose nothing by that."""
    with _LOCK:
        BigQueryParser.SUPPORTS_IMPLICIT_UNNEST = False
        try:
            yield
        finally:
            BigQueryParser.SUPPORTS_IMPLICIT_UNNEST = True


def with_arrays(tree: Tree) -> Tree:
    """The tree, with an UNNEST for each table that is an array of what FROM has named before it."""
    for join in reversed(list(tree.find_all(exp.Join))):  # an UNNEST has no name any more
        table = join.this
        is_path = isinstance(table, exp.Table) and len(table.parts) > 1 and not join.args.get("on")
        if is_path and table.parts[0].name.lower() in _named_before(join):
            table.replace(_unnested(table))
    return tree


def _named_before(join: exp.Join) -> Iterator[str]:
    """What the FROM that the join belongs to names before it, in small letters unless it is a table's own name.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#case_sensitivity"""
    select = join.parent
    source = select.args.get("from_") if isinstance(select, exp.Select) else None
    if select is None or source is None:
        return
    first = source.this
    is_own = isinstance(first, exp.Table) and first.db and not first.alias
    yield first.alias_or_name if is_own else first.alias_or_name.lower()
    for other in select.args["joins"]:
        if other is join:
            return
        yield other.this.alias_or_name.lower()


def _unnested(table: exp.Table) -> exp.Unnest:
    column = table.to_column()
    found = exp.Unnest(expressions=[column])
    alias = table.args.get("alias")
    if isinstance(alias, exp.TableAlias):
        column.replace(column.this)  # `to_column` gives the alias to the column
        exp.alias_(found, None, table=[alias.this], copy=False)
    return found

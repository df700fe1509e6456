"""Arrays that FROM names by a path are those that sqlglot would find by itself."""

import re
from contextlib import suppress

import pytest
from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import SqlglotError
from sqlglot.parsers.bigquery import BigQueryParser

from tests.warehouse.googlesql.shapes import shapes
from warehouse_refresh.warehouse.sql.rewriting.arrays_in_from import taken_for_tables, with_arrays

PATH = re.compile(r"(?:,|\bJOIN)\s+[\w`]+\s*\.\s*\w", re.IGNORECASE)
ARRAYS = [
    "SELECT * FROM d.orders AS o, o.items",
    "SELECT * FROM d.orders AS o, O.items AS i CROSS JOIN i.parts p",
    "SELECT * FROM d.orders, orders.items AS i",
    "SELECT * FROM d.Orders, orders.items AS i",
    "SELECT * FROM q LEFT JOIN q.items USING (id)",
    "SELECT * FROM q JOIN q.items ON TRUE, r.items",
    "SELECT (SELECT COUNT(*) FROM o.items, items.parts) FROM d.o, o.items.parts AS p",
    "SELECT * FROM (SELECT 1) AS x, x.y.z, d.other, other.z",
    "SELECT * FROM UNNEST([1]) AS u, u.a, `x.y`.z",
]


def parsed(text: str) -> list[exp.Expr | None] | None:
    dialect = BigQuery()
    try:
        return dialect.parser().parse(dialect.tokenize(text), text)
    except SqlglotError:
        return None


def described(tree: exp.Expr | None) -> list[tuple[object, ...]]:
    return [(type(node), node.args.keys(), node.meta) for node in tree.walk()] if tree is not None else []


def assert_same(text: str) -> None:
    theirs = parsed(text)
    with taken_for_tables():
        found = parsed(text)
    assert (theirs is None) == (found is None)
    if theirs is not None and found is not None:
        ours = [tree and with_arrays(tree) for tree in found]
        assert repr(ours) == repr(theirs)
        assert list(map(described, ours)) == list(map(described, theirs))


@pytest.mark.parametrize("text", ARRAYS)
def test_an_array_is_found_as_sqlglot_finds_it(text: str) -> None:
    assert_same(text)


def test_so_are_those_of_all_shapes() -> None:
    for text in [shape.sql for shape in shapes() if PATH.search(shape.sql)]:
        assert_same(text)


def test_sqlglot_finds_them_itself_again_afterwards() -> None:
    """Somebody else's code may use sqlglot in this process."""
    with suppress(SqlglotError), taken_for_tables():
        assert not BigQueryParser.SUPPORTS_IMPLICIT_UNNEST
        raise SqlglotError
    [tree] = parsed(ARRAYS[0]) or []
    assert tree is not None
    assert tree.find(exp.Unnest)

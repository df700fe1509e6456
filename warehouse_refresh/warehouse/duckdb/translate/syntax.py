"""Nodes of GoogleSQL's syntax tree: their names, their places in the text, and errors about them."""

from typing import Any, NoReturn

from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.tokenizer_core import Token

from warehouse_refresh.warehouse.errors import ForeignSource, OnlyBigQuery, Place, SqlError, UnsupportedSql, place_at

PREFIX = "f:"
"""What stands before the name of a call in the tree, so that sqlglot leaves the call alone."""

_BIGQUERY = BigQuery()


def name_of(node: exp.Expr) -> str:
    """The name of a call, in capitals. `rewriting/tokens.py` puts `$` after that of a STRING_AGG with HAVING."""
    name = str(node.this) if isinstance(node, exp.Anonymous) else ""
    return name.removeprefix(PREFIX).upper().replace("STRING_AGG$", "STRING_AGG")


def bare(node: exp.Expr) -> exp.Expr:
    """An expression without the parentheses around it."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def name_of_item(node: exp.Expr) -> str:
    """The name that an item of a SELECT list has: its alias, or the last name of a path, else "".
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#implicit_aliases"""
    if isinstance(node, exp.Alias):
        return node.alias
    inner = bare(node)
    last = inner.this if isinstance(inner, exp.Column) else inner.expression if isinstance(inner, exp.Dot) else None
    return last.name if isinstance(last, exp.Identifier) else ""


_SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Neg: "-"}


def called(node: exp.Expr) -> str:
    """The name of a call, CAST, or the sign of an arithmetic operator; "" for any other node."""
    return "CAST" if isinstance(node, exp.Cast) else _SIGNS.get(type(node)) or name_of(node)


def place_of(text: str, node: exp.Expr) -> Place | None:
    """Where a node stands in the text: its own mark, or that of the first marked one inside or around it."""
    around: Any = node
    while around is not None:
        for found in around.walk(bfs=False):
            if found.meta.get("end") is not None:
                return place_at(text, int(found.meta["start"]), int(found.meta["end"]))
        around = around.parent
    return None


def wrong(text: str, node: exp.Expr, reason: str, hint: str = "") -> NoReturn:
    """BigQuery does not accept this either."""
    raise SqlError(reason, hint=hint, place=place_of(text, node))


def unsupported(text: str, node: exp.Expr, what: str, hint: str = "") -> NoReturn:
    """BigQuery accepts this, and the embedded engine has no equal answer yet."""
    raise UnsupportedSql(
        f"the embedded engine does not know {what} yet", hint=hint or "BigQuery runs it", place=place_of(text, node)
    )


def unread(text: str, node: exp.Expr) -> NoReturn:
    """This tool does not know what such a node means here, nor whether BigQuery accepts it."""
    raise UnsupportedSql(
        f"the embedded engine does not know what {written(node)[:60]!r} means here",
        hint="if BigQuery takes it, this tool cannot answer it yet",
        place=place_of(text, node),
    )


def only_bigquery(text: str, node: exp.Expr, what: str, hint: str) -> NoReturn:
    """BigQuery accepts this, and no other engine can answer it. The hint says what to write instead."""
    raise OnlyBigQuery(f"only BigQuery has {what}", hint=hint, place=place_of(text, node))


def foreign_source(text: str, node: exp.Expr, what: str, hint: str) -> NoReturn:
    """Only BigQuery has this source. The hint says what to write instead."""
    raise ForeignSource(f"only BigQuery has {what}", hint=hint, place=place_of(text, node))


def unknown_function(text: str, call: exp.Expr) -> NoReturn:
    """No file of the project creates the function, whose name has a dataset."""
    name = call.sql("bigquery").partition("(")[0].replace("`", "").replace(PREFIX, "")
    hint = "put its CREATE FUNCTION into a file of the project, or write what it computes"
    only_bigquery(text, call, f"the function {name}", hint)


def tokens_before(text: str, node: exp.Expr) -> list[Token]:
    """The tokens of the text before the first mark of a node; none for a node without marks."""
    start = next((int(part.meta["start"]) for part in node.walk(bfs=False) if "start" in part.meta), 0)
    return [token for token in _BIGQUERY.tokenize(text) if token.start < start]


def written(node: exp.Expr) -> str:
    """A node as GoogleSQL, for messages."""
    found = node.copy()
    for call in found.find_all(exp.Anonymous):
        call.set("this", str(call.this).removeprefix(PREFIX))
    return found.sql("bigquery")

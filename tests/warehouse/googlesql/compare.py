"""One query, both engines: what came of it."""

import re
from dataclasses import dataclass
from typing import Any

import duckdb

from tests.warehouse.googlesql.engine import Engine
from tests.warehouse.googlesql.oracle import Oracle, Rejected
from tests.warehouse.googlesql.values import Answer, key
from warehouse_refresh.pipeline.project.variables import Variables
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.types import Column, SqlType


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kind` is "same", "refused", "both reject" or "different"; `detail` says why."""

    kind: str
    detail: str = ""


def compare(sql: str, oracle: Oracle, engine: Engine, *, rough: bool = False) -> Outcome:
    """Run the query in both engines; `rough` compares FLOAT64 to 14 digits."""
    return outcome(sql, asked(sql, oracle), tried(sql, engine), rough=rough)


def asked(sql: str, oracle: Oracle) -> Answer | Rejected:
    """What Google's engine says."""
    try:
        return oracle.answer(sql)
    except Rejected as error:
        return error


def tried(sql: str, engine: Engine, given: Variables | None = None) -> Answer | SqlError | duckdb.Error:
    """What our engine says, with these values of the query's parameters."""
    try:
        return engine.answer(sql, given)
    except (SqlError, duckdb.Error) as error:
        return error


def outcome(
    sql: str, expected: Answer | Rejected, found: Answer | SqlError | duckdb.Error, *, rough: bool = False
) -> Outcome:
    """What the two answers mean."""
    if isinstance(found, SqlError):
        return _refusal(found, expected)
    if isinstance(found, duckdb.Error):
        return _failure(found, expected)
    if isinstance(expected, Rejected):
        return Outcome("different", f"GoogleSQL rejects it: {expected}; DuckDB gives {found.rows[:3]}")
    return difference(sql, expected, found, rough=rough)


def _refusal(error: SqlError, expected: Answer | Rejected) -> Outcome:
    """The outcome of a query that was refused before it ran."""
    if isinstance(expected, Rejected) and (expected.analysis or not isinstance(error, UnsupportedSql)):
        return Outcome("both reject", str(error))
    if isinstance(error, UnsupportedSql):
        return Outcome("refused", str(error))
    return Outcome("different", f"GoogleSQL accepts it, but we say: {error}")


def _failure(error: duckdb.Error, expected: Answer | Rejected) -> Outcome:
    """What failed as the query ran. Where only the data tell, a refusal comes that late."""
    is_ours = isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException)
    if is_ours and "the embedded engine cannot" not in str(error):
        return Outcome("different", f"DuckDB cannot run it: {str(error)[:1500]}")
    if isinstance(expected, Rejected) and not expected.analysis:
        return Outcome("both reject", str(error))
    if "the embedded engine cannot" in str(error):
        return Outcome("refused", str(error))
    return Outcome("different", f"DuckDB fails: {str(error)[:1500]}")


def difference(sql: str, expected: Answer, found: Answer, *, rough: bool = False) -> Outcome:
    """Compare two answers strictly: columns, types, values; the order where the query orders."""
    if [_shape(c) for c in expected.columns] != [_shape(c) for c in found.columns]:
        return Outcome("different", f"columns are {_named(found.columns)}, should be {_named(expected.columns)}")
    theirs, ours = (keys(sql, answer, rough=rough) for answer in (expected, found))
    if theirs != ours:
        first = next((pair for pair in zip(theirs, ours, strict=False) if pair[0] != pair[1]), None)
        return Outcome(
            "different", f"{len(ours)} rows, should be {len(theirs)}; first difference (theirs, ours): {first}"
        )
    return Outcome("same")


def keys(sql: str, answer: Answer, *, rough: bool) -> list[tuple[Any, ...]]:
    """What stands for the answer's rows, in an order of their own unless the query orders them."""
    rows = [tuple(key(value, rough=rough) for value in row) for row in answer.rows]
    return rows if is_ordered(sql) else sorted(rows, key=repr)


def _shape(column: Column) -> tuple[str, str]:
    return column.name, _type(column.type)


def _type(type_: SqlType) -> str:
    return str(type_)


def _named(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"{column.name}: {column.type}" for column in columns)


TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|[()]|\|>|\w+""", re.DOTALL
)


def is_ordered(sql: str) -> bool:
    """Whether the query ends in an ORDER BY of its own. Of the pipe operators after it, only LIMIT keeps the order."""
    depth, last = 0, ""
    for token in TOKEN.findall(sql):
        depth += (token == "(") - (token == ")")
        if depth == 0 and not token.startswith(("--", "/*", "'", '"', "`")):
            last += f" {token.upper()}"
    tail = last.rpartition(" ORDER BY ")
    return bool(tail[1]) and " |>" not in tail[2].replace(" |> LIMIT", "")

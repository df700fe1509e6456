"""Set operations BY NAME and CORRESPONDING: the columns are matched by their names.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#by_name_or_corresponding
"""

from collections.abc import Sequence

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.literals import null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Column, FromItem, Item, Select
from warehouse_refresh.warehouse.duckdb.translate.scope import Output, Relation, Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import wrong
from warehouse_refresh.warehouse.sql.literals import NULL
from warehouse_refresh.warehouse.types import INT64


def matched_by_name(node: exp.SetOperation, scope: Scope, parts: Sequence[Relation]) -> list[Relation]:
    """The queries, each with the columns of the result, in its order: as they are without BY NAME. Raises SqlError."""
    if not node.args.get("by_name"):
        mode = str(node.args.get("side") or node.args.get("kind") or "").upper()
        if mode:
            wrong(scope.script.text, node, f"{mode} before a set operation needs BY NAME", "write BY NAME after ALL")
        return list(parts)
    found = [_by_name(node, scope, part) for part in parts]
    names = _names(node, scope, found)
    return [_arranged(part, names, columns) for part, columns in zip(parts, found, strict=True)]


def _by_name(node: exp.Expr, scope: Scope, part: Relation) -> dict[str, Output]:
    found: dict[str, Output] = {}
    for column in part.columns:
        if not column.name:
            wrong(scope.script.text, node, "BY NAME needs a name for each column", "give it one with AS")
        if column.name.casefold() in found:
            wrong(scope.script.text, node, f"BY NAME: two columns of a query are named {column.name}")
        found[column.name.casefold()] = column
    return found


def _names(node: exp.SetOperation, scope: Scope, found: Sequence[dict[str, Output]]) -> dict[str, str]:
    """The names of the result's columns, as they are written first, by their names in small letters."""
    side, kind = str(node.args.get("side") or "").upper(), str(node.args.get("kind") or "").upper()
    side = "FULL" if kind == "OUTER" and not side else side
    every = {name: column.name for columns in reversed(found) for name, column in columns.items()}
    ordered = dict.fromkeys(name for columns in found for name in columns)
    common = [name for name in ordered if all(name in columns for columns in found)]
    listed = [part.name.casefold() for part in node.args.get("on") or ()]
    if not common and not listed and side != "FULL":
        wrong(scope.script.text, node, "BY NAME: the queries have no column of the same name")
    if len(set(listed)) < len(listed):
        wrong(scope.script.text, node, "BY NAME ON lists a column twice")
    if side == "FULL":
        names = list(ordered)
    elif side == "LEFT":
        names = list(found[0])
    elif kind == "INNER":
        names = common
    else:
        names = _equal_names(node, scope, found, every, listed)
    for name in listed:
        must = found[:1] if side == "LEFT" else found
        has = any if side == "FULL" else all
        if not has(name in columns for columns in must):
            wrong(scope.script.text, node, f"BY NAME ON: column {name} is not in each of the queries")
    return {name: every[name] for name in listed or names}


def _equal_names(
    node: exp.Expr, scope: Scope, found: Sequence[dict[str, Output]], every: dict[str, str], listed: Sequence[str]
) -> list[str]:
    """Without FULL, LEFT or INNER the queries must have the same columns, or those that are listed and no others."""
    wanted = set(listed) or set(found[0])
    for columns in found:
        differing = sorted(wanted ^ set(columns))
        if differing:
            reason = f"BY NAME: column {every.get(differing[0], differing[0])} is in one of the queries only"
            wrong(scope.script.text, node, reason, "write FULL, LEFT or INNER before the set operation")
    return list(found[0])


def _arranged(part: Relation, names: dict[str, str], columns: dict[str, Output]) -> Relation:
    """The query with these columns, NULL for those that it does not have."""
    if list(names) == list(columns):
        return part
    items, outputs = [], []
    for name, written in names.items():
        known = columns.get(name)
        items.append(Item(Column("q$", known.column) if known is not None else null(INT64).node, written))
        if known is None:
            outputs.append(Output(written, written, INT64, NULL))
        else:
            outputs.append(Output(written, written, known.type, known.literal, known.parts, known.cast))
    return Relation(Select(tuple(items), FromItem(part.query, "q$")), tuple(outputs))

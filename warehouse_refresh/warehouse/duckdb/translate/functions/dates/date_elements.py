"""The elements of the formats of dates and times: a format is taken apart when the query is translated.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_elements_date_time
"""

import re

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import BadConstantError
from warehouse_refresh.warehouse.duckdb.translate.expressions.chosen_formats import constant_text
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parts import zone_of
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import argument
from warehouse_refresh.warehouse.duckdb.translate.literals import is_null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Node
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import UTC
from warehouse_refresh.warehouse.types import DATE, DATETIME, TIME, TIMESTAMP, SqlType

_ELEMENT = re.compile(r"(%(?:E4Y|E[\d*]S|Ez|E[YyCcxX]|O[deHImMSuUVwWy]|[-_][mdeHIMSjyUWVkl]|[a-zA-Z%]))")
PIECES = r"(?s)" + _ELEMENT.pattern.replace("(%", "%", 1)[:-1] + "|[^%]+|%.?"
"""What takes a format apart as a query runs: all its elements, texts, and what is no element."""
SHORT = {
    "%F": "%E4Y-%m-%d",
    "%T": "%H:%M:%S",
    "%D": "%m/%d/%y",
    "%R": "%H:%M",
    "%x": "%m/%d/%y",
    "%X": "%H:%M:%S",
    "%h": "%b",
    "%c": "%a %b %e %H:%M:%S %E4Y",
    "%r": "%I:%M:%S %p",
}
KINDS = ("DATE", "DATETIME", "TIME", "TIMESTAMP")
TEXTS = {"%%": "%", "%n": "\n", "%t": "\t"}
_DAY_CODES = frozenset([*"aAbBhCdDeFgGjmQUuVWwxyY", "E4Y"])
CLOCK_CODES = frozenset([*"HIklMpPrRSTX", "E*S", *(f"E{digits}S" for digits in range(10))])
ZONE_CODES = frozenset({"Z", "z", "Ez"})
MODIFIED = frozenset("YyCcxXdeHImMSuUVwW")
"""Elements that mean the same after %E or %O."""


def has_element(kind: SqlType, code: str) -> bool:
    """Whether a type has what the element says."""
    if code in ("c", "s"):
        return kind in (DATETIME, TIMESTAMP)
    if code in ZONE_CODES:
        return kind == TIMESTAMP
    return kind != TIME if code in _DAY_CODES else kind != DATE or code not in CLOCK_CODES


def _pieces(text: str) -> list[str]:
    """The elements of a format, and the texts between them."""
    return [piece for piece in _ELEMENT.split(text) if piece]


def is_element(piece: str) -> bool:
    """Whether it is one of the elements that a format may have, or what looks like one."""
    return _ELEMENT.fullmatch(piece) is not None


def pieces_of(node: exp.Expr, scope: Scope, part: exp.Expr, value: Typed) -> list[str] | None:
    """The pieces of the format; None if only the rows tell. Raises UnsupportedSql."""
    text = constant_text(part, value, scope)
    if text is None:
        return None
    pieces = _pieces(text)
    if pieces[-1:] and pieces[-1][-1] == "%" and pieces[-1] != "%%":
        if name_of(node).startswith("PARSE"):
            raise BadConstantError("a format cannot end with a single %")
        pieces[-1:] = [*filter(None, [pieces[-1][:-1]]), "%%"]
    odd = next((piece for piece in pieces if "%" in piece and not _ELEMENT.fullmatch(piece)), None)
    if odd is not None:
        unsupported(scope.script.text, node, f"{name_of(node)} with {odd[odd.index('%') :]}")
    return pieces


def written_out(pieces: list[str]) -> list[str]:
    """The pieces with each abbreviation written out."""
    return [part for piece in pieces for part in _pieces(SHORT.get(piece, piece))]


def arguments(node: exp.Expr, scope: Scope, parts: list[exp.Expr], kind: SqlType) -> tuple[list[Typed], Node]:
    """The arguments, and the time zone that may come after the first two of a TIMESTAMP's functions."""
    name = name_of(node)
    if len(parts) not in ((2, 3) if kind == TIMESTAMP or name in _OF_TIMESTAMPS else (2,)):
        wrong(scope.script.text, node, f"wrong number of arguments for {name}")
    values = [argument(part, scope) for part in parts]
    if len(values) == 3 and name in _OF_TIMESTAMPS and values[1].type != TIMESTAMP and not values[1].is_null:
        wrong(scope.script.text, node, f"{name} takes a time zone with a TIMESTAMP only")
    nothing = values[0] if is_null(values[0].node) else values[1]
    return values, zone_of(node, scope, name, values[2], nothing) if len(values) == 3 else UTC


_OF_TIMESTAMPS = ("FORMAT_DATE", "FORMAT_DATETIME")
"""What takes a TIMESTAMP and its time zone, too."""

"""FORMAT_DATE and its kin.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_elements_date_time
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type
from warehouse_refresh.warehouse.duckdb.translate.expressions.chosen_formats import choice_of_calls
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_elements import (
    CLOCK_CODES,
    KINDS,
    MODIFIED,
    SHORT,
    TEXTS,
    ZONE_CODES,
    arguments,
    has_element,
    pieces_of,
    written_out,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parts import of_kind
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions
from warehouse_refresh.warehouse.duckdb.translate.literals import is_null, no_value
from warehouse_refresh.warehouse.duckdb.translate.nodes import Chain, Literal, Node, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import UTC, local
from warehouse_refresh.warehouse.types import STRING, TIME, TIMESTAMP, SqlType


def format_date(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """FORMAT_DATE(format, x)"""
    if (choice := choice_of_calls(node, parts)) is not None and not scope.is_safe:
        return scope.compile(choice)
    name = name_of(node)
    kind = SqlType(name.partition("_")[2])
    values, zone = arguments(node, scope, parts, kind)
    value = values[1]
    if len(values) == 2:
        value = of_kind(node, scope, value, kind.name)
        kind = value.type
    else:
        kind = TIMESTAMP
        value = as_type(node, scope, name, value, kind)
    as_type(node, scope, name, values[0], STRING)
    if values[0].is_null or is_null(zone):
        return no_value(STRING)
    pieces = pieces_of(node, scope, parts[0], values[0])
    pieces = [text for piece in pieces for text in _formatted(node, scope, piece, kind)]

    def texts(moment: Node, clock: Node) -> Node:
        if all(not piece.startswith("%") or piece in TEXTS for piece in pieces):
            text = "".join(TEXTS.get(piece, piece) for piece in pieces)
            return sql("CASE WHEN {x} IS NOT NULL THEN {t} END", x=moment, t=Literal(text))
        return Chain("||", tuple([_element(piece, moment, clock) for piece in pieces]))

    def at_zone(moment: Node) -> Node:
        found = let(local_clock(moment, zone), lambda clock: texts(moment, clock))
        return found if isinstance(zone, Literal) else sql("CASE WHEN {z} IS NOT NULL THEN {t} END", z=zone, t=found)

    if kind == TIMESTAMP:
        text = unless_null([value.node], lambda n: at_zone(n[0]))
    else:
        clock = sql("(DATE '1970-01-01' + {x})", x=value.node) if kind == TIME else value.node
        text = let(clock, lambda clock: texts(clock, clock))
    return Typed(text, STRING)


def local_clock(moment: Node, zone: Node) -> Node:
    """What clocks show, with an offset of whole minutes: before 1900 zones had seconds too, which GoogleSQL drops."""
    clock = local(moment, zone)
    if zone == UTC:
        return clock
    return sql("(timezone('UTC', {x}) + to_minutes({m}))", x=moment, m=sql(AHEAD, x=moment, c=clock))


def _formatted(node: exp.Expr, scope: Scope, piece: str, kind: SqlType) -> list[str]:
    """The elements that one piece of a format stands for; a text stands for itself, as does an element that the type
    does not have. Raises UnsupportedSql."""
    code = piece[1:]
    if not piece.startswith("%"):
        return [piece]
    if code[0] in "-_" and has_element(kind, code[1:]):
        return [piece]
    if code[0] in "EO" and code[1:] in MODIFIED:
        return (
            _formatted(node, scope, "%E4Y" if code == "EY" else f"%{code[1:]}", kind)
            if has_element(kind, code[1:])
            else ["%%", code]
        )
    known = piece in SHORT or piece in TEXTS or code in _ELEMENTS or code in _PLAIN or code in CLOCK_CODES
    if not known:
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
    if not has_element(kind, code):
        return ["%%", code]
    return written_out([piece])


def _element(piece: str, moment: Node, clock: Node) -> Node:
    """One element of the format, or the text itself: of a time, and of what a clock shows then."""
    code = piece[1:]
    if not piece.startswith("%") or piece in TEXTS:
        return Literal(TEXTS.get(piece, piece))
    if code[0] in "-_":
        return _padded(code[0], _element(f"%{code[1:]}", moment, clock), 3 if code[1:] == "j" else 2)
    if code[0] == "E" and code[1].isdigit() and code[2] == "S":
        digits = int(code[1])
        return sql(
            f"({_SECONDS} || '.' || rpad(substr({_MICROS}, 1, {digits}), {digits}, '0'))" if digits else _SECONDS,
            x=clock,
        )
    if code in _OF_MOMENT:
        return sql(_OF_MOMENT[code], x=moment)
    if code in ZONE_CODES:
        return sql(_ELEMENTS[code], m=sql(AHEAD, x=moment, c=clock))
    return sql(_ELEMENTS.get(code) or f"strftime({{x}}, '%{code}')", x=clock)


def _padded(flag: str, number: Node, width: int) -> Node:
    """A number without zeros before it, or with blanks in their place. Google's documentation does not name these."""
    plain = sql("CAST(CAST(trim({x}) AS BIGINT) AS VARCHAR)", x=number)
    return plain if flag == "-" else sql(f"lpad({{x}}, {width}, ' ')", x=plain)


_PLAIN = frozenset("mdaAbBjUWVGuwyHIMSp")
_SECONDS = "strftime({x}, '%S')"
_MICROS = "printf('%06d', CAST(date_part('microsecond', {x}) AS BIGINT) % 1000000)"
_HOUR = "CAST(date_part('hour', {x}) AS BIGINT)"
AHEAD = "((epoch_us({c}) - epoch_us({x})) // 60000000)"
"""How many minutes a clock is ahead of UTC."""
_SIGN = "CASE WHEN {m} < 0 THEN '-' ELSE '+' END"
_OF_MOMENT = {"s": "CAST((epoch_us({x}) - (epoch_us({x}) % 1000000 + 1000000) % 1000000) // 1000000 AS VARCHAR)"}
_ELEMENTS = {
    **_OF_MOMENT,
    "Y": "CAST(date_part('year', {x}) AS VARCHAR)",
    "E4Y": "printf('%04d', CAST(date_part('year', {x}) AS BIGINT))",
    "C": "printf('%02d', CAST(date_part('year', {x}) AS BIGINT) // 100)",
    "g": "printf('%02d', CAST(date_part('isoyear', {x}) AS BIGINT) % 100)",
    "Q": "CAST(date_part('quarter', {x}) AS VARCHAR)",
    "e": "printf('%2d', CAST(date_part('day', {x}) AS BIGINT))",
    "k": f"printf('%2d', {_HOUR})",
    "l": f"printf('%2d', ({_HOUR} + 11) % 12 + 1)",
    "P": "lower(strftime({x}, '%p'))",
    "E*S": f"({_SECONDS} || regexp_replace(regexp_replace('.' || {_MICROS}, '0+$', ''), '[.]$', ''))",
    "z": f"({_SIGN} || printf('%02d%02d', abs({{m}}) // 60, abs({{m}}) % 60))",
    "Ez": f"({_SIGN} || printf('%02d:%02d', abs({{m}}) // 60, abs({{m}}) % 60))",
    "Z": (
        f"('UTC' || CASE WHEN {{m}} = 0 THEN '' WHEN {{m}} % 60 = 0 THEN {_SIGN} || CAST(abs({{m}}) // 60 AS VARCHAR)"
        f" ELSE {_SIGN} || printf('%02d%02d', abs({{m}}) // 60, abs({{m}}) % 60) END)"
    ),
}
"""%k, %l and %P as Google's documentation says: the reference engine has no answer to them."""


FUNCTIONS: Functions = dict.fromkeys([f"FORMAT_{kind}" for kind in KINDS], format_date)

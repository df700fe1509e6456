"""FORMAT_DATE and its kin.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_elements_date_time
"""

from collections.abc import Callable, Sequence

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type
from warehouse_refresh.warehouse.duckdb.translate.expressions.chosen_formats import choice_of_calls
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_elements import (
    CLOCK_CODES,
    KINDS,
    MODIFIED,
    PIECES,
    SHORT,
    TEXTS,
    ZONE_CODES,
    arguments,
    has_element,
    is_element,
    pieces_of,
    written_out,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parts import of_kind
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions
from warehouse_refresh.warehouse.duckdb.translate.literals import is_null, no_value
from warehouse_refresh.warehouse.duckdb.translate.nodes import Case, Chain, Literal, Node, each, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.text import REFUSAL
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import UTC, local
from warehouse_refresh.warehouse.types import STRING, TIME, TIMESTAMP, SqlType

_Texts = Callable[[Node, Node], Node]
"""The text of a time, and of what a clock shows then."""


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
    if pieces is None:
        from_data = _from_data(node, scope, kind)
        return Typed(unless_null([values[0].node], lambda n: _text(value, zone, kind, from_data(n[0]))), STRING)
    pieces = [text for piece in pieces for text in _formatted(node, scope, piece, kind)]

    def texts(moment: Node, clock: Node) -> Node:
        if all(not piece.startswith("%") or piece in TEXTS for piece in pieces):
            text = "".join(TEXTS.get(piece, piece) for piece in pieces)
            return sql("CASE WHEN {x} IS NOT NULL THEN {t} END", x=moment, t=Literal(text))
        return _elements(pieces, moment, clock)

    return Typed(_text(value, zone, kind, texts), STRING)


def _text(value: Typed, zone: Node, kind: SqlType, texts: _Texts) -> Node:
    """`texts` of a time, and of what a clock shows then."""

    def at_zone(moment: Node) -> Node:
        found = let(local_clock(moment, zone), lambda clock: texts(moment, clock))
        return found if isinstance(zone, Literal) else sql("CASE WHEN {z} IS NOT NULL THEN {t} END", z=zone, t=found)

    if kind == TIMESTAMP:
        return unless_null([value.node], lambda n: at_zone(n[0]))
    clock = sql("(DATE '1970-01-01' + {x})", x=value.node) if kind == TIME else value.node
    return let(clock, lambda clock: texts(clock, clock))


def _from_data(node: exp.Expr, scope: Scope, kind: SqlType) -> Callable[[Node], _Texts]:
    """The text in a format that only the rows tell, which is taken apart as the query runs: for each of its pieces,
    the one of all elements that it is."""
    known = [piece for piece in _EVERY if piece[1] not in "-_" or has_element(kind, piece[2:])]
    elements = [(piece, _formatted(node, scope, piece, kind)) for piece in known]

    def written(piece: Node, moment: Node, clock: Node) -> Node:
        branches = [
            (sql("{p} = {e}", p=piece, e=Literal(name)), _elements(parts, moment, clock)) for name, parts in elements
        ]
        return Case(tuple(branches), sql(_NO_ELEMENT, p=piece))

    def texts(format_: Node, moment: Node, clock: Node) -> Node:
        pieces = sql("regexp_extract_all({f}, {p})", f=format_, p=Literal(PIECES))
        found = each(pieces, lambda piece: written(piece, moment, clock))
        return sql("CASE WHEN {x} IS NOT NULL THEN array_to_string({t}, '') END", x=moment, t=found)

    return lambda format_: lambda moment, clock: texts(format_, moment, clock)


_NO_ELEMENT = (
    "CASE WHEN {p} = '%' OR NOT starts_with({p}, '%') THEN {p}"
    f" ELSE error('{REFUSAL} format a date with ' || {{p}}) END"
)


def _elements(pieces: Sequence[str], moment: Node, clock: Node) -> Node:
    return Chain("||", tuple([_element(piece, moment, clock) for piece in pieces]))


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
        if not has_element(kind, code[1:]):
            return ["%%", code]
        return [piece] if code == "EY" else _formatted(node, scope, f"%{code[1:]}", kind)
    known = piece in SHORT or piece in TEXTS or code in _ELEMENTS or code in _PLAIN or code in CLOCK_CODES
    if not known:
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
    if not has_element(kind, code):
        return ["%%", code]
    return ["%EY" if part == "%E4Y" and part != piece else part for part in written_out([piece])]


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
_FOUR_DIGITS = "printf('%04d', CAST(date_part('year', {x}) AS BIGINT))"
_HOUR = "CAST(date_part('hour', {x}) AS BIGINT)"
AHEAD = "((epoch_us({c}) - epoch_us({x})) // 60000000)"
"""How many minutes a clock is ahead of UTC."""
_SIGN = "CASE WHEN {m} < 0 THEN '-' ELSE '+' END"
_OF_MOMENT = {"s": "CAST((epoch_us({x}) - (epoch_us({x}) % 1000000 + 1000000) % 1000000) // 1000000 AS VARCHAR)"}
_ELEMENTS = {
    **_OF_MOMENT,
    "Y": "CAST(date_part('year', {x}) AS VARCHAR)",
    "E4Y": _FOUR_DIGITS,
    "EY": f"(CASE WHEN date_part('year', {{x}}) > 9999 THEN '+' ELSE '' END || {_FOUR_DIGITS})",  # by a zone's clocks
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

_CODES = sorted({*_ELEMENTS, *_PLAIN, *CLOCK_CODES, *(f"{flag}{code}" for flag in "EO" for code in MODIFIED)})
_WRITTEN = [*SHORT, *TEXTS, *(f"%{flag}{code}" for flag in ("", "-", "_") for code in _CODES)]
_EVERY = list(dict.fromkeys(filter(is_element, _WRITTEN)))
"""All elements that a format may have."""


FUNCTIONS: Functions = dict.fromkeys([f"FORMAT_{kind}" for kind in KINDS], format_date)

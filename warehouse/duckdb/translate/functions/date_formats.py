"""FORMAT_DATE, PARSE_DATE and their kin: the format is taken apart when the query is translated.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_elements_date_time
"""

import re
from dataclasses import dataclass

from sqlglot import exp

from warehouse.duckdb.translate.expressions.checks import as_type
from warehouse.duckdb.translate.functions.date_parts import zone_of
from warehouse.duckdb.translate.functions.definitions import Functions, argument
from warehouse.duckdb.translate.nodes import Chain, Literal, Node, let
from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.templates import sql
from warehouse.duckdb.translate.typed import Typed
from warehouse.duckdb.translate.zones import UTC, from_local, local
from warehouse.types import DATE, DATETIME, STRING, TIME, TIMESTAMP, SqlType

_ELEMENT = re.compile(r"(%(?:E\dY|E[\d*]S|Ez|[a-zA-Z%]))")
_SHORT = {
    "%F": "%E4Y-%m-%d",
    "%T": "%H:%M:%S",
    "%D": "%m/%d/%y",
    "%R": "%H:%M",
    "%x": "%m/%d/%y",
    "%X": "%H:%M:%S",
    "%h": "%b",
}
_PLAIN = frozenset({"m", "d", "a", "A", "b", "B", "j", "U", "W", "V", "G", "u", "w", "y", "H", "M", "S"})
_CLOCK = frozenset({"H", "M", "S", "I", "l", "k", "p", "P"})
_ZONE = frozenset({"Z", "z", "Ez", "s"})


def _pieces(text: str) -> list[str]:
    """The elements of a format, and the texts between them."""
    return [piece for piece in _ELEMENT.split(text) if piece]


def _format(node: exp.Expr, scope: Scope, value: Typed) -> list[str]:
    """The pieces of the format, its abbreviations written out. Raises UnsupportedSql."""
    if not isinstance(value.literal, str):
        unsupported(scope.script.text, node, f"{name_of(node)} with a format that is not a literal")
    pieces = [piece for written in _pieces(value.literal) for piece in _pieces(_SHORT.get(written, written))]
    odd = next((piece for piece in pieces if "%" in piece and not _ELEMENT.fullmatch(piece)), None)
    if odd is not None:
        unsupported(scope.script.text, node, f"{name_of(node)} with {odd[odd.index('%') :]}")
    return pieces


def _values(node: exp.Expr, scope: Scope, parts: list[exp.Expr], kind: SqlType) -> tuple[list[Typed], Node]:
    """The arguments, and the time zone that may come after the first two of a TIMESTAMP's functions."""
    name = name_of(node)
    if len(parts) not in ((2, 3) if kind == TIMESTAMP else (2,)):
        wrong(scope.script.text, node, f"wrong number of arguments for {name}")
    values = [argument(part, scope) for part in parts]
    return values, zone_of(node, scope, name, values[2]) if len(values) == 3 else UTC


# FORMAT_


def format_date(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """FORMAT_DATE(format, x)"""
    name = name_of(node)
    kind = SqlType(name.partition("_")[2])
    values, zone = _values(node, scope, parts, kind)
    pieces = _format(node, scope, values[0])
    value = values[1]
    if not (kind == DATE and value.type == DATETIME):
        value = as_type(node, scope, name, value, kind)
    if zone != UTC and any(piece[1:] in _ZONE for piece in pieces if piece.startswith("%")):
        unsupported(scope.script.text, node, f"{name} with %Z, %z or %s in another zone than UTC")
    for piece in pieces:
        _check_element(node, scope, piece, kind)
    clock = value.node
    if kind == TIMESTAMP:
        clock = local(clock, zone)
    if kind == TIME:
        clock = sql("(DATE '1970-01-01' + {x})", x=clock)
    if not pieces:
        return Typed(Literal(""), STRING)
    return Typed(let(clock, lambda x: Chain("||", tuple([_element(piece, x) for piece in pieces]))), STRING)


def _check_element(node: exp.Expr, scope: Scope, piece: str, kind: SqlType) -> None:
    """Raises UnsupportedSql for an element that this type does not have, or that is not known here."""
    code = piece[1:]
    if not piece.startswith("%") or code == "%":
        return
    is_clock = code in _CLOCK or code.endswith("S")
    missing = (kind == DATE and is_clock) or (kind == TIME and not is_clock) or (code in _ZONE and kind != TIMESTAMP)
    if missing or not (code in _SPECIAL or code in _PLAIN or re.fullmatch(r"E[1-6]S", code)):
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")


def _element(piece: str, clock: Node) -> Node:
    """One element of the format, or the text itself."""
    code = piece[1:]
    if not piece.startswith("%"):
        return Literal(piece)
    if re.fullmatch(r"E[1-6]S", code):
        return sql(f"({_SECONDS} || '.' || substr({_MICROS}, 1, {code[1]}))", x=clock)
    return sql(_SPECIAL.get(code) or f"strftime({{x}}, '%{code}')", x=clock)


_SECONDS = "strftime({x}, '%S')"
_MICROS = "printf('%06d', CAST(date_part('microsecond', {x}) AS BIGINT) % 1000000)"
_SPECIAL = {
    "%": "'%'",
    "Y": "CAST(date_part('year', {x}) AS VARCHAR)",
    "E4Y": "printf('%04d', CAST(date_part('year', {x}) AS BIGINT))",
    "Q": "CAST(date_part('quarter', {x}) AS VARCHAR)",
    "e": "printf('%2d', CAST(date_part('day', {x}) AS BIGINT))",
    "E*S": f"({_SECONDS} || regexp_replace(regexp_replace('.' || {_MICROS}, '0+$', ''), '[.]$', ''))",
    "s": "CAST(epoch_us({x}) // 1000000 AS VARCHAR)",
    "Z": "'UTC'",
    "z": "'+0000'",
    "Ez": "'+00:00'",
}

# PARSE_

_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september"]
_MONTHS += ["october", "november", "december"]
_MONTH = "((?i:" + "|".join([*_MONTHS, *(month[:3] for month in _MONTHS)]) + "))"
# What each element reads.
_READS = {
    "Y": r"(\d{1,4})",
    "y": r"(\d{2})",
    "m": r"(\d{1,2})",
    "d": r"(\d{1,2})",
    "e": r"(\d{1,2})",
    "H": r"(\d{1,2})",
    "M": r"(\d{1,2})",
    "S": r"(\d{1,2})",
    "b": _MONTH,
    "B": _MONTH,
    "E*S": r"(\d{1,2}(?:\.\d{1,6})?)",
    "z": r"([+-]\d{4})",
    "Ez": r"([+-]\d{2}:\d{2})",
}


def parse_date(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """PARSE_DATE(format, text)"""
    name = name_of(node)
    kind = SqlType(name.partition("_")[2])
    values, zone = _values(node, scope, parts, kind)
    text = as_type(node, scope, name, values[1], STRING).node
    if isinstance(values[0].literal, str) and "%F" in _pieces(values[0].literal):
        unsupported(scope.script.text, node, f"{name} with %F", "write %Y-%m-%d")
    pattern, codes = _pattern(node, scope, _format(node, scope, values[0]), kind)
    in_zone = kind == TIMESTAMP and not set(codes) & {"z", "Ez"}
    template = (
        "(CASE WHEN {x} IS NULL THEN NULL WHEN NOT regexp_matches({x}, {p}) THEN error('Failed to parse input string"
        f" for {name}: ' || {{x}}) ELSE {{v}} END)"
    )

    def parsed(found: Node) -> Node:
        value = _assembled(_Groups(found, Literal(pattern), codes), DATETIME if in_zone else kind)
        return sql(template, x=found, p=Literal(pattern), v=value)

    value = let(text, parsed)
    return Typed(from_local(value, zone) if in_zone else value, kind)


def _pattern(node: exp.Expr, scope: Scope, pieces: list[str], kind: SqlType) -> tuple[str, list[str]]:
    """The format as a regular expression, with what each of its groups holds."""
    pattern, codes = r"^\s*", list[str]()
    for index, piece in enumerate(pieces):
        if not piece.startswith("%") or piece == "%%":
            text = "%" if piece == "%%" else piece
            pattern += "".join(r"\s*" if char.isspace() else re.escape(char) for char in text)
            continue
        code = piece[1:]
        if code not in _READS or code in codes or (kind == DATE and code in ("H", "M", "S", "E*S", "z", "Ez")):
            unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
        if kind == TIME and code not in ("H", "M", "S", "E*S"):
            unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
        beside = pieces[index + 1 : index + 2]
        read = _READS[code]
        if beside and beside[0].startswith("%"):  # digits follow: all of its own have to be there
            read = read.replace("{1,2}", "{2}").replace("{1,4}", "{4}")
        pattern += read
        codes.append(code)
    return pattern + r"\s*$", codes


@dataclass(frozen=True, slots=True)
class _Groups:
    """What the groups of a pattern read in a text."""

    text: Node
    pattern: Node
    codes: list[str]

    def first_of(self, *codes: str) -> Node | None:
        """What the first of these elements that the format has read; None if it has none of them."""
        index = next((self.codes.index(code) + 1 for code in codes if code in self.codes), None)
        return sql(f"regexp_extract({{x}}, {{p}}, {index})", x=self.text, p=self.pattern) if index else None

    def number(self, *codes: str, default: int) -> Node:
        """The same as a number."""
        found = self.first_of(*codes)
        return sql("CAST({x} AS BIGINT)", x=found) if found is not None else Literal(default)


_MONTH_OF_NAME = f"list_position([{', '.join(repr(month[:3]) for month in _MONTHS)}], lower(substr({{x}}, 1, 3)))"
_YEAR_OF_TWO_DIGITS = "(CAST({x} AS BIGINT) + CASE WHEN {x} >= '69' THEN 1900 ELSE 2000 END)"
_OFFSET = (
    "CASE WHEN {o} = 'Z' THEN 0 ELSE (CAST(substr({o}, 2, 2) AS BIGINT) * 60 + CAST(right({o}, 2) AS BIGINT)) *"
    " CASE WHEN {o} LIKE '-%' THEN -1 ELSE 1 END END"
)


def _assembled(groups: _Groups, kind: SqlType) -> Node:
    """The groups put together."""
    if kind == DATE:
        return _day(groups)
    if kind == TIME:
        return _clock(groups)
    moment = sql("({d} + {t})", d=_day(groups), t=_clock(groups))
    offset = groups.first_of("z", "Ez")
    if kind == DATETIME or offset is None:
        return moment
    return sql("timezone('UTC', {x} - to_minutes({m}))", x=moment, m=sql(_OFFSET, o=offset))


def _day(groups: _Groups) -> Node:
    name, short_year = groups.first_of("b", "B"), groups.first_of("y")
    month = sql(_MONTH_OF_NAME, x=name) if name is not None else groups.number("m", default=1)
    year = groups.number("Y", default=1970)
    if short_year is not None:
        year = sql(_YEAR_OF_TWO_DIGITS, x=short_year)
    return sql("make_date({y}, {m}, {d})", y=year, m=month, d=groups.number("d", "e", default=1))


def _clock(groups: _Groups) -> Node:
    read = groups.first_of("S", "E*S")
    seconds = sql("CAST({x} AS DOUBLE)", x=read) if read is not None else Literal(0)
    hours, minutes = groups.number("H", default=0), groups.number("M", default=0)
    return sql("make_time({h}, {m}, {s})", h=hours, m=minutes, s=seconds)


_KINDS = ("DATE", "DATETIME", "TIME", "TIMESTAMP")

FUNCTIONS: Functions = {
    **dict.fromkeys((f"FORMAT_{kind}" for kind in _KINDS), format_date),
    **dict.fromkeys((f"PARSE_{kind}" for kind in _KINDS), parse_date),
}

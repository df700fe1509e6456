"""FORMAT_DATE, PARSE_DATE and their kin: the format is taken apart when the query is translated.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_elements_date_time
"""

import re
from dataclasses import dataclass

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type
from warehouse_refresh.warehouse.duckdb.translate.functions.date_arithmetic import checked
from warehouse_refresh.warehouse.duckdb.translate.functions.date_parts import of_kind, zone_of
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions, argument
from warehouse_refresh.warehouse.duckdb.translate.literals import is_null, null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Chain, Literal, Node, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import CHECKED, UTC, from_local, local
from warehouse_refresh.warehouse.types import DATE, DATETIME, STRING, TIME, TIMESTAMP, SqlType

_ELEMENT = re.compile(r"(%(?:E4Y|E[\d*]S|Ez|[-_][mdeHIMSjyUWVkl]|[a-zA-Z%]))")
_SHORT = {
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
_TEXTS = {"%%": "%", "%n": "\n", "%t": "\t"}
_DAY_CODES = frozenset([*"aAbBhCdDeFgGjmQUuVWwxyY", "E4Y"])
_CLOCK_CODES = frozenset([*"HIklMpPrRSTX", "E*S", *(f"E{digits}S" for digits in range(10))])
_ZONE_CODES = frozenset({"Z", "z", "Ez"})


def _has(kind: SqlType, code: str) -> bool:
    """Whether a type has what the element says."""
    if code in ("c", "s"):
        return kind in (DATETIME, TIMESTAMP)
    if code in _ZONE_CODES:
        return kind == TIMESTAMP
    return kind != TIME if code in _DAY_CODES else kind != DATE or code not in _CLOCK_CODES


def _pieces(text: str) -> list[str]:
    """The elements of a format, and the texts between them."""
    return [piece for piece in _ELEMENT.split(text) if piece]


def _format(node: exp.Expr, scope: Scope, value: Typed) -> list[str]:
    """The pieces of the format. Raises UnsupportedSql."""
    if not isinstance(value.literal, str):
        unsupported(scope.script.text, node, f"{name_of(node)} with a format that is not a literal")
    pieces = _pieces(value.literal)
    if pieces[-1:] and pieces[-1][-1] == "%" and pieces[-1] != "%%" and name_of(node).startswith("PARSE"):
        wrong(scope.script.text, node, "a format cannot end with a single %")
    odd = next((piece for piece in pieces if "%" in piece and not _ELEMENT.fullmatch(piece)), None)
    if odd is not None:
        unsupported(scope.script.text, node, f"{name_of(node)} with {odd[odd.index('%') :]}")
    return pieces


def _written_out(pieces: list[str]) -> list[str]:
    """The pieces with each abbreviation written out."""
    return [part for piece in pieces for part in _pieces(_SHORT.get(piece, piece))]


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
    value = values[1]
    if len(values) == 2:
        value = of_kind(node, scope, value, kind.name)
        kind = value.type
    else:
        value = as_type(node, scope, name, value, kind)
    if values[0].is_null:
        return null(STRING)
    pieces = _format(node, scope, values[0])
    pieces = [text for piece in pieces for text in _formatted(node, scope, piece, kind)]

    def texts(moment: Node, clock: Node) -> Node:
        if all(not piece.startswith("%") or piece in _TEXTS for piece in pieces):
            text = "".join(_TEXTS.get(piece, piece) for piece in pieces)
            return sql("CASE WHEN {x} IS NOT NULL THEN {t} END", x=moment, t=Literal(text))
        return Chain("||", tuple([_element(piece, moment, clock) for piece in pieces]))

    if kind == TIMESTAMP:
        text = let(value.node, lambda moment: let(local_clock(moment, zone), lambda clock: texts(moment, clock)))
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
    if code[0] in "-_" and _has(kind, code[1:]):
        return [piece]
    known = piece in _SHORT or piece in _TEXTS or code in _ELEMENTS or code in _PLAIN or code in _CLOCK_CODES
    if not known:
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
    if not _has(kind, code):
        return ["%%", code]
    return _written_out([piece])


def _element(piece: str, moment: Node, clock: Node) -> Node:
    """One element of the format, or the text itself: of a time, and of what a clock shows then."""
    code = piece[1:]
    if not piece.startswith("%") or piece in _TEXTS:
        return Literal(_TEXTS.get(piece, piece))
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
    if code in _ZONE_CODES:
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

# PARSE_

MONTH_NAMES = ["january", "february", "march", "april", "may", "june", "july", "august", "september"]
MONTH_NAMES += ["october", "november", "december"]
_MONTH = "((?i:" + "|".join([*MONTH_NAMES, *(month[:3] for month in MONTH_NAMES)]) + "))"
_DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
_DAY = "((?i:" + "|".join([*_DAYS, *(day[:3] for day in _DAYS)]) + "))"
_HALF = "((?i:am|pm))"
# How many digits each element reads at most.
_DIGITS = dict.fromkeys(["y", "C", "m", "d", "e", "H", "I", "k", "l", "M", "S", "E0S", "U", "W"], 2) | {"j": 3, "Y": 4}
# What each other element reads.
_READS = {
    "E4Y": r"(\d{4})",
    "Q": "([1-4])",
    "b": _MONTH,
    "B": _MONTH,
    "a": _DAY,
    "A": _DAY,
    "p": _HALF,
    "P": _HALF,
    "E*S": r"(\d{2}(?:\.\d+)?|\d\.\d+|\d)",
    **{f"E{digits}S": rf"(\d{{2}}(?:\.\d{{1,{digits}}})?|\d\.\d{{1,{digits}}}|\d)" for digits in range(1, 10)},
    "s": r"(-?\d{1,12})",
    "z": r"([+-]\d{2}(?:[0-5]\d)?)",
    "Ez": r"([+-]\d{2}(?::?[0-5]\d)?|Z)",
    "Z": r"(\S+)",
}
_SECOND_CODES = ("S", "E*S", *(f"E{digits}S" for digits in range(10)))
# Elements that say the same thing: where a format has several, it is refused, since the last one decides.
_RIVALS = (
    {"Y", "E4Y", "y"},
    {"Y", "E4Y", "C"},
    {"m", "b", "B", "j", "U", "W", "Q"},
    {"d", "e", "j", "U", "W", "Q"},
    {"a", "U", "W"},
    {"A", "U", "W"},
    {"H", "k", "I", "l"},
    set(_SECOND_CODES),
    {"z", "Ez", "Z"},
    {"p", "P"},
)


def parse_date(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """PARSE_DATE(format, text). BigQuery takes %F and %k here; the reference engine does not."""
    name = name_of(node)
    kind = SqlType(name.partition("_")[2])
    values, zone = _values(node, scope, parts, kind)
    text = as_type(node, scope, name, values[1], STRING).node
    if values[0].is_null or is_null(text):
        return null(kind)
    pattern, codes = _pattern(node, scope, _format(node, scope, values[0]), kind)
    in_zone = kind == TIMESTAMP and not set(codes) & {"z", "Ez", "s"}
    template = (
        "(CASE WHEN {x} IS NULL THEN NULL WHEN NOT regexp_matches({x}, {p}) THEN error('Failed to parse input string"
        f" for {name}: ' || {{x}}) ELSE {{v}} END)"
    )

    def parsed(found: Node) -> Node:
        groups = Groups(found, Literal(pattern), codes)
        value = _assembled(groups, DATETIME if in_zone else kind)
        if in_zone:
            named = groups.first_of("Z")
            value = from_local(value, zone if named is None else sql(CHECKED, z=named))
        return sql(template, x=found, p=Literal(pattern), v=checked(kind, value))

    if not in_zone:
        return Typed(let(text, parsed), kind)
    return Typed(unless_null([text, zone], lambda found: parsed(found[0])), kind)


def _pattern(node: exp.Expr, scope: Scope, pieces: list[str], kind: SqlType) -> tuple[str, list[str]]:
    """The format as a regular expression, with what each of its groups holds."""
    pattern, codes = r"^\s*", list[str]()
    for piece in pieces:
        code = piece[1:]
        if piece.startswith("%") and not _has(kind, code):
            wrong(scope.script.text, node, f"{piece} is not allowed in the format of {name_of(node)}")
    pieces = _written_out(pieces)
    for index, piece in enumerate(pieces):
        code = piece[1:]
        after = "".join(pieces[index + 1 :])
        if not piece.startswith("%") or piece in _TEXTS:
            pattern += "".join(r"\s*" if char.isspace() else re.escape(char) for char in _TEXTS.get(piece, piece))
            continue
        if code in codes or any(code in rivals and rivals & set(codes) for rivals in _RIVALS):
            unsupported(scope.script.text, node, f"{name_of(node)} with {piece} beside what says the same")
        if code not in _READS and code not in _DIGITS:
            unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
        if (code in ("s", "E*S") and _STARTS_WITH_DIGIT.match(after)) or (code == "Z" and not _SPACE.match(after)):
            unsupported(scope.script.text, node, f"{name_of(node)} with something right after {piece}")
        pattern += _reading(code, after)
        codes.append(code)
    return pattern + r"\s*$", codes


_SPACE = re.compile(r"$|\s|%[nt]")
_STARTS_WITH_DIGIT = re.compile(r"(\s|%[nt])*(\d|%[YyCmdeHIklMSUWjQs]|%E[\d*]S|%E4Y)")


def _reading(code: str, after: str) -> str:
    """The expression that reads one element. It takes all digits that it may, whether or not the rest then fits: where
    digits follow, fewer of them must end at a space."""
    if code not in _DIGITS:
        return _READS[code]
    most = _DIGITS[code] + (code == "Y" and not after.startswith("%"))
    digits = rf"(\d{{1,{most}}})"
    if _STARTS_WITH_DIGIT.match(after):
        digits = rf"(\d{{{most}}}|\d{{1,{most - 1}}}\s)"
    return rf"\s*{digits}" if code in ("k", "l") else digits


@dataclass(frozen=True, slots=True)
class Groups:
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


MONTH_OF_NAME = f"list_position([{', '.join(repr(month[:3]) for month in MONTH_NAMES)}], lower(substr({{x}}, 1, 3)))"
_YEAR_OF_TWO_DIGITS = "({x} + CASE WHEN {x} >= 69 THEN 1900 ELSE 2000 END)"
_OFFSET = (
    "CASE WHEN {o} = 'Z' THEN 0 ELSE (CAST(substr({o}, 2, 2) AS BIGINT) * 60 + CASE WHEN length({o}) > 3 THEN"
    " CAST(right({o}, 2) AS BIGINT) ELSE 0 END) * CASE WHEN {o} LIKE '-%' THEN -1 ELSE 1 END END"
)
_IN_RANGE = "CASE WHEN abs({m}) > 840 THEN error('Timezone offset out of valid range -14:00 to +14:00') ELSE {m} END"


def _assembled(groups: Groups, kind: SqlType) -> Node:
    """The groups put together."""
    seconds = groups.first_of("s")
    if seconds is not None and kind in (DATETIME, TIMESTAMP):
        moment = sql("make_timestamp(CAST({x} AS BIGINT) * 1000000)", x=seconds)
        return moment if kind == DATETIME else sql("timezone('UTC', {x})", x=moment)
    if kind == DATE:
        return _day(groups)
    if kind == TIME:
        return _clock(groups, "make_time({h}, {m}, {s})")
    moment = let(_day(groups), lambda day: _clock(groups, "({d} + make_time({h}, {m}, {s}))", d=day))
    offset = groups.first_of("z", "Ez")
    if kind == DATETIME or offset is None:
        return moment
    minutes = sql(_IN_RANGE, m=sql(_OFFSET, o=offset))
    return sql("timezone('UTC', {x} - to_minutes({m}))", x=moment, m=minutes)


def _year(groups: Groups) -> Node:
    century, short = groups.first_of("C"), groups.first_of("y")
    if century is not None:
        return sql("({c} * 100 + {y})", c=groups.number("C", default=0), y=groups.number("y", default=0))
    if short is not None:
        return sql(_YEAR_OF_TWO_DIGITS, x=groups.number("y", default=0))
    return groups.number("Y", "E4Y", default=1970)


_OF_DAY_NUMBER = (
    "CASE WHEN {n} < 1 OR {n} > date_part('doy', make_date({y}, 12, 31)) THEN error('Invalid day of the year: ' || {n})"
    " ELSE make_date({y}, 1, 1) + ({n} - 1)::INTEGER END"
)


def _day(groups: Groups) -> Node:
    year = _year(groups)
    if groups.first_of("j") is not None:
        return sql(_OF_DAY_NUMBER, y=year, n=groups.number("j", default=1))
    for code, first in (("U", 0), ("W", 1)):
        if groups.first_of(code) is not None:
            return sql(_OF_WEEK.format(first=first), y=year, n=groups.number(code, default=0))
    name = groups.first_of("b", "B")
    month = sql(MONTH_OF_NAME, x=name) if name is not None else groups.number("m", default=1)
    if groups.first_of("Q") is not None:
        month = sql("({q} * 3 - 2)", q=groups.number("Q", default=1))
    return sql("make_date({y}, {m}, {d})", y=year, m=month, d=groups.number("d", "e", default=1))


# The first day of a week: week 1 begins with the year's first Sunday or Monday.
_FIRST_WEEK = "(make_date({{y}}, 1, 1) + ((7 + {first} - date_part('dow', make_date({{y}}, 1, 1))) % 7)::INTEGER)"
_WEEK = _FIRST_WEEK + " + (({{n}} - 1) * 7)::INTEGER"
_OF_WEEK = (
    f"CASE WHEN {_WEEK} > make_date({{{{y}}}}, 12, 31) OR {_WEEK} + 6 < make_date({{{{y}}}}, 1, 1)"
    f" THEN error('Invalid week number: ' || {{{{n}}}}) ELSE {_WEEK} END"
)


def _hours(groups: Groups) -> Node:
    """Hours of 24, or of 12 with AM or PM."""
    if groups.first_of("I", "l") is None:
        hours = groups.number("H", "k", default=0)
        return sql("CASE WHEN {h} > 23 THEN error('Invalid hour: ' || {h}) ELSE {h} END", h=hours)
    half = groups.first_of("p", "P")
    after_noon = sql("CASE WHEN lower({p}) = 'pm' THEN 12 ELSE 0 END", p=half) if half is not None else Literal(0)
    return sql(_OF_TWELVE, h=groups.number("I", "l", default=12), p=after_noon)


_OF_TWELVE = "CASE WHEN {h} NOT BETWEEN 1 AND 12 THEN error('Invalid hour: ' || {h}) ELSE {h} % 12 + {p} END"


def _clock(groups: Groups, template: str, **more: Node) -> Node:
    """The template with hours, minutes and seconds. The 60th second of a minute is the next one's first."""
    hours, minutes = _hours(groups), groups.number("M", default=0)
    read = groups.first_of(*_SECOND_CODES)
    if read is None:
        return sql(template, h=hours, m=minutes, s=Literal(0), **more)
    leap = template.replace("{s}", "59")
    written = f"CASE WHEN {{s}} >= 60 AND {{s}} < 61 THEN {leap} + INTERVAL 1 SECOND ELSE {template} END"
    seconds = sql(r"CAST(regexp_extract({x}, '^\d+(\.\d{{1,6}})?') AS DOUBLE)", x=read)
    return sql(written, h=hours, m=minutes, s=seconds, **more)


_KINDS = ("DATE", "DATETIME", "TIME", "TIMESTAMP")

FUNCTIONS: Functions = {
    **dict.fromkeys((f"FORMAT_{kind}" for kind in _KINDS), format_date),
    **dict.fromkeys((f"PARSE_{kind}" for kind in _KINDS), parse_date),
}

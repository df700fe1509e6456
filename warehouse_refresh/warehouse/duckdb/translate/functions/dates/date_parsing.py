"""PARSE_DATE and its kin.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_elements_date_time
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import BadConstantError, as_type, fails
from warehouse_refresh.warehouse.duckdb.translate.expressions.chosen_formats import choice_of_calls
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_elements import (
    KINDS,
    MODIFIED,
    TEXTS,
    arguments,
    has_element,
    pieces_of,
    written_out,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parts import checked
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions
from warehouse_refresh.warehouse.duckdb.translate.literals import is_null, no_value
from warehouse_refresh.warehouse.duckdb.translate.nodes import Chain, FunctionCall, Literal, Node, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unsupported
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import CHECKED, from_local
from warehouse_refresh.warehouse.types import DATE, DATETIME, STRING, TIME, TIMESTAMP, SqlType

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
    "w": "([0-6])",
}
_FRACTIONS = ("E*S", *(f"E{digits}S" for digits in range(1, 10)))
_SECOND_CODES = ("S", "E0S", *_FRACTIONS)
# Elements that go together in one order only, or in a way that the reference engine does not know.
_RIVALS = ({"j", "U", "W"}, {"a", "U", "W"}, {"A", "U", "W"}, {"w", "U", "W"}, {"E4Y", "C"})
# Elements of which the last one counts; each must be right all the same.
_SAME = (
    {"Y", "E4Y", "y", "C"},
    {"m", "b", "B", "j", "U", "W", "Q"},
    {"d", "e", "j", "U", "W", "Q"},
    {"H", "k", "I", "l"},
    set(_SECOND_CODES),
    {"M"},
)
_RANGES = {
    **dict.fromkeys(("d", "e"), (1, 31)),
    **dict.fromkeys(("H", "k"), (0, 23)),
    **dict.fromkeys(("m", "I", "l"), (1, 12)),
    **dict.fromkeys(_SECOND_CODES, (0, 60)),
    "M": (0, 59),
    "Y": (0, 10000),
    "C": (0, 100),
}


def parse_date(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """PARSE_DATE(format, text). BigQuery takes %F and %k here; the reference engine does not."""
    if (choice := choice_of_calls(node, parts)) is not None and not scope.is_safe:
        return scope.compile(choice)
    name = name_of(node)
    kind = SqlType(name.partition("_")[2])
    values, zone = arguments(node, scope, parts, kind)
    as_type(node, scope, name, values[0], STRING)
    text = as_type(node, scope, name, values[1], STRING).node
    if values[0].is_null or is_null(text):
        return no_value(kind)
    try:
        pieces = pieces_of(node, scope, parts[0], values[0])
        if pieces is None:
            unsupported(scope.script.text, node, f"{name} with a format that is not a literal")
        read = _pattern(node, scope, pieces, kind)
    except BadConstantError as error:
        return fails(kind, str(error), text, zone)
    return Typed(_parsed(name, kind, text, zone, read), kind)


def _parsed(name: str, kind: SqlType, text: Node, zone: Node, read: tuple[str, list[str]]) -> Node:
    """What the text says, whose parts are `read` by a pattern into groups."""
    pattern, codes = read
    in_zone = kind == TIMESTAMP and "s" not in codes and _last_of(codes, "z", "Ez", "Z") in (None, "Z")
    failure = f"error('Failed to parse input string for {name}: ' || {{x}})"
    template = (
        f"(CASE WHEN {{x}} IS NULL THEN NULL WHEN NOT regexp_matches({{x}}, {{p}}) THEN {failure}"
        f" WHEN {{odd}} THEN {failure} ELSE {{v}} END)"
    )

    def parsed(found: Node) -> Node:
        groups = Groups(found, Literal(pattern), codes)
        value = _assembled(groups, DATETIME if in_zone else kind)
        if in_zone:
            named = groups.last_of("Z")
            value = from_local(value, zone if named is None else sql(CHECKED, z=named))
        for other in _other_zones(groups):
            value = sql("CASE WHEN {z} IS NOT NULL THEN {v} END", z=other, v=value)
        odd = Chain("OR", (Literal(value=False), *_out_of_range(groups)))
        return sql(template, x=found, p=Literal(pattern), odd=odd, v=checked(kind, value))

    if not in_zone:
        return let(text, parsed)
    if isinstance(zone, Literal) and zone.value is not None:
        return let(text, parsed)
    unless_no_zone = "CASE WHEN {z} IS NOT NULL THEN {v} END"
    return unless_null([text], lambda found: sql(unless_no_zone, z=zone, v=parsed(found[0])))


def _pattern(node: exp.Expr, scope: Scope, pieces: list[str], kind: SqlType) -> tuple[str, list[str]]:
    """The format as a regular expression, with what each of its groups holds."""
    for piece in pieces:
        if piece.startswith("%") and not has_element(kind, piece[1:]):
            raise BadConstantError(f"{piece} is not allowed in the format of {name_of(node)}")
    if {"%D", "%x", "%c"} & set(pieces) and {"%y", "%C"} & set(pieces):  # in the reference engine they are odd
        unsupported(scope.script.text, node, f"{name_of(node)} with %c, %D or %x beside %y or %C")
    pattern, codes = r"^\s*", list[str]()
    if not re.search("%c[0-9]", "".join(pieces)):
        pieces = [part for piece in pieces for part in (_PARSED_C if piece == "%c" else [piece])]
    pieces = [part for piece in pieces for part in (_PARSED_F if piece == "%F" else [piece])]
    pieces = [_UNMODIFIED.get(piece, piece) for piece in written_out(pieces)]
    for index, piece in enumerate(pieces):
        if not piece.startswith("%") or piece in TEXTS:
            pattern += "".join(r"\s*" if char.isspace() else re.escape(char) for char in TEXTS.get(piece, piece))
            continue
        after = "".join(pieces[index + 1 :])
        _check_element(node, scope, piece, after, codes)
        pattern += _reading(piece[1:], after)
        codes.append(piece[1:])
    if len(codes) > _MOST_GROUPS:
        unsupported(scope.script.text, node, f"{name_of(node)} with more than {_MOST_GROUPS} elements")
    return pattern + r"\s*$", codes


_UNMODIFIED = {"%EY": "%Y", "%Ey": "%y", "%EC": "%C"}
_PARSED_C = ["%a", " ", "%b", " ", "%e", " ", "%T", " ", "%Y"]
_PARSED_F = ["%Y", "-", "%m", "-", "%d"]  # years of fewer digits, too, unlike what FORMAT_DATE writes
_MOST_GROUPS = 9
"""How many groups of a pattern DuckDB gives."""


def _check_element(node: exp.Expr, scope: Scope, piece: str, after: str, before: Sequence[str]) -> None:
    """Raises UnsupportedSql for an element with this text after it and these elements before it."""
    code = piece[1:]
    if (code[0] == "O" and code[1:] in MODIFIED) or code in ("Ec", "Ex", "EX"):
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece}", f"write %{code[1:]}")
    if any(code in rivals and rivals & set(before) for rivals in _RIVALS):
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece} beside what says the same")
    if code not in _READS and code not in _DIGITS:
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
    is_open = code in _FRACTIONS and (after.startswith(".") or (code == "E*S" and _STARTS_WITH_DIGIT.match(after)))
    is_open = is_open or (code == "s" and not _SPACE.match(after) and bool(_STARTS_WITH_DIGIT.match(after)))
    if is_open or (code == "Z" and not _SPACE.match(after)):
        unsupported(scope.script.text, node, f"{name_of(node)} with something right after {piece}")


_SPACE = re.compile(r"$|\s|%[nt]")
_STARTS_WITH_DIGIT = re.compile(r"(\s|%[nt])*(\d|%[YyCmdeHIklMSUWjQs]|%E[\d*]S|%E4Y)")


def _reading(code: str, after: str) -> str:
    """The expression that reads one element. It takes all digits that it may, whether or not the rest then fits: where
    digits follow, fewer of them must end at a space of the format."""
    if code == "s" and _STARTS_WITH_DIGIT.match(after):
        return r"(-?\d{1,12})\s"
    if code in _FRACTIONS and _STARTS_WITH_DIGIT.match(after):
        return _fraction_reading(code, after)
    if code not in _DIGITS:
        return _READS[code]
    most = _DIGITS[code] + (code in ("Y", "C") and not after.startswith("%"))
    digits = rf"(\d{{1,{most}}})"
    if _STARTS_WITH_DIGIT.match(after):
        fewer = _SPACE.match(after) or after.startswith(("%k", "%l"))  # these skip blanks themselves
        digits = rf"(\d{{{most}}}|\d{{1,{most - 1}}}\s)" if fewer else rf"(\d{{{most}}})"
    return rf"\s*{digits}" if code in ("k", "l") else digits


def _fraction_reading(code: str, after: str) -> str:
    """The expression that reads seconds with a fraction before another number."""
    most = code[1:-1]
    full = rf"\d{{2}}(?:\.\d{{{most}}})?|\d\.\d{{{most}}}"
    fewer = rf"|\d{{1,2}}(?:\.\d{{1,{most}}})?\s" if _SPACE.match(after) else ""
    return f"({full}{fewer})"


@dataclass(frozen=True, slots=True)
class Groups:
    """What the groups of a pattern read in a text."""

    text: Node
    pattern: Node
    codes: list[str]

    def last_of(self, *codes: str) -> Node | None:
        """What the last of these elements that the format has read; None if it has none of them."""
        index = max((index for index, code in enumerate(self.codes) if code in codes), default=None)
        return self.read(index) if index is not None else None

    def read(self, index: int) -> Node:
        """What the element at this place of the format read."""
        return sql(f"regexp_extract({{x}}, {{p}}, {index + 1})", x=self.text, p=self.pattern)

    def number(self, *codes: str, default: int) -> Node:
        """What the last of these elements read, as a number."""
        found = self.last_of(*codes)
        return sql(_NUMBER, x=found) if found is not None else Literal(default)


_NUMBER = "CAST({x} AS BIGINT)"


def _last_of(codes: Sequence[str], *among: str) -> str | None:
    return next((code for code in reversed(codes) if code in among), None)


def _out_of_range(groups: Groups) -> list[Node]:
    """Tests of the elements that do not count in the end: whether one read a number that it cannot have."""
    codes = groups.codes
    if "s" not in codes and not any(sum(code in same for code in codes) > 1 for same in _SAME):
        return []
    wrong_number = "CAST(regexp_extract({x}, '^\\d+') AS BIGINT) NOT BETWEEN %d AND %d"
    return [sql(wrong_number % _RANGES[code], x=groups.read(i)) for i, code in enumerate(codes) if code in _RANGES]


MONTH_OF_NAME = f"list_position([{', '.join(repr(month[:3]) for month in MONTH_NAMES)}], lower(substr({{x}}, 1, 3)))"
_YEAR_OF_TWO_DIGITS = "({x} + CASE WHEN {x} >= 69 THEN 1900 ELSE 2000 END)"
_OFFSET = (
    "CASE WHEN {o} = 'Z' THEN 0 ELSE (CAST(substr({o}, 2, 2) AS BIGINT) * 60 + CASE WHEN length({o}) > 3 THEN"
    " CAST(right({o}, 2) AS BIGINT) ELSE 0 END) * CASE WHEN {o} LIKE '-%' THEN -1 ELSE 1 END END"
)
_IN_RANGE = "CASE WHEN abs({m}) > 840 THEN error('Timezone offset out of valid range -14:00 to +14:00') ELSE {m} END"


def _assembled(groups: Groups, kind: SqlType) -> Node:
    """The groups put together."""
    seconds = groups.last_of("s")
    if seconds is not None and kind in (DATETIME, TIMESTAMP):
        moment = sql("make_timestamp(CAST({x} AS BIGINT) * 1000000)", x=seconds)
        return moment if kind == DATETIME else sql("timezone('UTC', {x})", x=moment)
    if kind == DATE:
        return _day(groups)
    if kind == TIME:
        return _clock(groups, "make_time({h}, {m}, {s})")
    moment = let(_day(groups), lambda day: _clock(groups, "({d} + make_time({h}, {m}, {s}))", d=day))
    offset = groups.last_of("z", "Ez")
    if kind == DATETIME or offset is None:
        return moment
    minutes = sql(_IN_RANGE, m=sql(_OFFSET, o=offset))
    return sql("timezone('UTC', {x} - to_minutes({m}))", x=moment, m=minutes)


def _other_zones(groups: Groups) -> list[Node]:
    """The zones and offsets that do not count, since a later one or %s does. A wrong one fails all the same."""
    places = [index for index, code in enumerate(groups.codes) if code in ("z", "Ez", "Z")]
    if "s" not in groups.codes:
        places = places[:-1]
    reads = [(groups.codes[index], groups.read(index)) for index in places]
    return [sql(CHECKED, z=read) if code == "Z" else sql(_IN_RANGE, m=sql(_OFFSET, o=read)) for code, read in reads]


def _year(groups: Groups) -> Node:
    """The year by the last elements for it. %C and %y belong together, %Y stands alone."""
    year: Node = Literal(1970)
    century: Node | None = None
    short: Node | None = None
    for index, code in enumerate(groups.codes):
        if code not in ("Y", "E4Y", "C", "y"):
            continue
        number = sql(_NUMBER, x=groups.read(index))
        if code in ("Y", "E4Y"):
            year, century, short = number, None, None
            continue
        century, short = (number, short) if code == "C" else (century, number)
        if century is not None:
            year = sql("({c} * 100 + {y})", c=century, y=short or Literal(0))
        else:
            year = sql(_YEAR_OF_TWO_DIGITS, x=number)
    return year


_OF_DAY_NUMBER = (
    "CASE WHEN {n} < 1 OR {n} > date_part('doy', make_date({y}, 12, 31)) THEN error('Invalid day of the year: ' || {n})"
    " ELSE make_date({y}, 1, 1) + ({n} - 1)::INTEGER END"
)


def _day(groups: Groups) -> Node:
    """The day by the elements for it, one after the other: each sets the month, the day, or both."""
    year = _year(groups)
    month: Node = Literal(1)
    day: Node = Literal(1)
    whole: Node | None = None
    parts = False  # whether the month or the day was set after `whole`
    for index, code in enumerate(groups.codes):
        read = groups.read(index)
        if code in ("j", "U", "W"):
            template = _OF_DAY_NUMBER if code == "j" else _OF_WEEK.format(first=int(code == "W"))
            whole, parts = sql(template, y=year, n=sql(_NUMBER, x=read)), False
            year, month, day = [sql(f"date_part('{part}', {{x}})", x=whole) for part in ("year", "month", "day")]
        elif code in ("m", "b", "B", "Q"):
            month, parts = sql(_MONTHS_BY[code], x=read), True
            day = Literal(1) if code == "Q" else day
        elif code in ("d", "e"):
            day, parts = sql(_NUMBER, x=read), True
        elif code in ("Y", "E4Y", "C", "y"):  # that of a week's first day was the year before, maybe
            year, parts = _year(groups), True
    if whole is None:
        return sql("make_date({y}, {m}, {d})", y=year, m=month, d=day)
    if not parts:
        return whole
    template = "CASE WHEN {w} IS NOT NULL THEN make_date({y}, {m}, {d}) END"  # it fails where `whole` does
    return sql(template, w=whole, y=year, m=month, d=day)


_MONTHS_BY = {"m": _NUMBER, "b": MONTH_OF_NAME, "B": MONTH_OF_NAME, "Q": f"({_NUMBER} * 3 - 2)"}


# The first day of a week: week 1 begins with the year's first Sunday or Monday.
_FIRST_WEEK = "(make_date({{y}}, 1, 1) + ((7 + {first} - date_part('dow', make_date({{y}}, 1, 1))) % 7)::INTEGER)"
_WEEK = _FIRST_WEEK + " + (({{n}} - 1) * 7)::INTEGER"
_OF_WEEK = (
    f"CASE WHEN {_WEEK} > make_date({{{{y}}}}, 12, 31) OR {_WEEK} + 6 < make_date({{{{y}}}}, 1, 1)"
    f" THEN error('Invalid week number: ' || {{{{n}}}}) ELSE {_WEEK} END"
)


def _hours(groups: Groups) -> Node:
    """Hours of 24, or of 12 with AM or PM: the last element decides."""
    if _last_of(groups.codes, "I", "l", "H", "k") not in ("I", "l"):
        hours = groups.number("H", "k", default=0)
        return sql("CASE WHEN {h} > 23 THEN error('Invalid hour: ' || {h}) ELSE {h} END", h=hours)
    half = groups.last_of("p", "P")
    after_noon = sql("CASE WHEN lower({p}) = 'pm' THEN 12 ELSE 0 END", p=half) if half is not None else Literal(0)
    return sql(_OF_TWELVE, h=groups.number("I", "l", default=12), p=after_noon)


_OF_TWELVE = "CASE WHEN {h} NOT BETWEEN 1 AND 12 THEN error('Invalid hour: ' || {h}) ELSE {h} % 12 + {p} END"


def _clock(groups: Groups, template: str, **more: Node) -> Node:
    """The template with hours, minutes and seconds. The 60th second of a minute is the next one's first."""
    hours, minutes = _hours(groups), groups.number("M", default=0)
    if groups.last_of(*_SECOND_CODES) is None:
        return sql(template, h=hours, m=minutes, s=Literal(0), **more)
    leap = template.replace("{s}", "59")
    written = f"CASE WHEN {{s}} >= 60 AND {{s}} < 61 THEN {leap} + INTERVAL 1 SECOND ELSE {template} END"
    return sql(written, h=hours, m=minutes, s=_seconds(groups), **more)


def _seconds(groups: Groups) -> Node:
    """The whole seconds of the last element for them, with the last fraction that was read."""
    places = [index for index, code in enumerate(groups.codes) if code in _SECOND_CODES]
    if len(places) == 1:
        return sql(r"CAST(regexp_extract({x}, '^\d+(\.\d{{1,6}})?') AS DOUBLE)", x=groups.read(places[0]))
    whole = sql(r"regexp_extract({x}, '^\d+')", x=groups.read(places[-1]))
    fractions = [sql(r"nullif(regexp_extract({x}, '\.\d{{1,6}}'), '')", x=groups.read(at)) for at in reversed(places)]
    return sql("CAST({w} || {f} AS DOUBLE)", w=whole, f=FunctionCall("coalesce", (*fractions, Literal(""))))


FUNCTIONS: Functions = dict.fromkeys([f"PARSE_{kind}" for kind in KINDS], parse_date)

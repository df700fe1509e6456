"""Dates and times by a format such as 'YYYY-MM-DD HH24:MI:SS': to text and from text.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_date_time_as_string
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_formats import AHEAD, local_clock
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parsing import MONTH_NAMES, MONTH_OF_NAME, Groups
from warehouse_refresh.warehouse.duckdb.translate.functions.dates.date_parts import checked
from warehouse_refresh.warehouse.duckdb.translate.nodes import Chain, Literal, Node, let
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.zones import from_local, local
from warehouse_refresh.warehouse.errors import UnsupportedSql
from warehouse_refresh.warehouse.types import DATE, TIME, TIMESTAMP, SqlType

_YEARS = frozenset({"YYYY", "YYY", "YY", "Y", "RRRR", "RR", "Y,YYY"})
_MONTHS = frozenset({"MM", "MON", "MONTH"})
_DAYS = frozenset({"DDD", "DD", "D", "DAY", "DY"})
_HOURS = frozenset({"HH24", "HH12", "HH"})
_HALVES = frozenset({"A.M.", "P.M.", "AM", "PM"})
_FRACTIONS = frozenset(f"FF{digits}" for digits in range(1, 10))
_OF_DAY = _YEARS | _MONTHS | _DAYS
_OF_CLOCK = _HOURS | _HALVES | _FRACTIONS | {"MI", "SS", "SSSSS"}
_OF_ZONE = frozenset({"TZH", "TZM"})
_CODES = _OF_DAY | _OF_CLOCK | _OF_ZONE
_PIECE = re.compile(
    rf"(?P<code>{'|'.join(map(re.escape, sorted(_CODES, key=lambda code: (-len(code), code))))})|(?P<blank> +)"
    r"|(?P<mark>[-./,';:])|\"(?P<text>(?:[^\"\\]|\\.)*)\"",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a format: an element, whose `code` is in capitals and `text` as written; or a text, with no code.
    Blanks outside of quotes have the code " "."""

    code: str
    text: str


def _pieces(written: str, kind: SqlType) -> list[_Piece]:
    """The format taken apart. Raises ValueError for what GoogleSQL does not take in a format of that type."""
    found, position = list[_Piece](), 0
    while position < len(written):
        matched = _PIECE.match(written, position)
        if matched is None:
            raise ValueError(f"the format {written!r} has no element that a cast knows at {written[position:]!r}")
        code = " " if matched["blank"] else (matched["code"] or "").upper()
        if code in _CODES and not _has(kind, code):
            raise ValueError(f"{kind} has no format element {matched[0]}")
        text = matched["text"]
        found.append(_Piece(code, matched[0] if text is None else _unescaped(text)))
        position = matched.end()
    return found


def _has(kind: SqlType, code: str) -> bool:
    if code in _OF_ZONE:
        return kind == TIMESTAMP
    return kind != TIME if code in _OF_DAY else kind != DATE


def _unescaped(text: str) -> str:
    r"""A text in quotes: only \" and \\ may stand in it. Raises ValueError."""
    if not re.fullmatch(r"(?:[^\\]|\\[\"\\])*", text, re.DOTALL):
        raise ValueError(f'a text in a format takes \\" and \\\\ only: {text!r}')
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


# To text


_YEAR = "CAST(date_part('year', {x}) AS BIGINT)"
_TEXTS = {
    "YYYY": f"printf('%04d', {_YEAR})",
    "YYY": f"printf('%03d', {_YEAR} % 1000)",
    "YY": f"printf('%02d', {_YEAR} % 100)",
    "Y": f"CAST({_YEAR} % 10 AS VARCHAR)",
    "RRRR": f"printf('%04d', {_YEAR})",
    "RR": f"printf('%02d', {_YEAR} % 100)",
    "MONTH": "strftime({x}, '%B')",
    "MON": "strftime({x}, '%b')",
    "MM": "strftime({x}, '%m')",
    "DDD": "strftime({x}, '%j')",
    "DD": "strftime({x}, '%d')",
    "D": "CAST(date_part('dow', {x}) + 1 AS VARCHAR)",
    "DAY": "strftime({x}, '%A')",
    "DY": "strftime({x}, '%a')",
    "HH24": "strftime({x}, '%H')",
    "HH12": "strftime({x}, '%I')",
    "HH": "strftime({x}, '%I')",
    "MI": "strftime({x}, '%M')",
    "SS": "strftime({x}, '%S')",
    "SSSSS": (
        "printf('%05d', CAST(date_part('hour', {x}) * 3600 + date_part('minute', {x}) * 60 + date_part('second', {x})"
        " AS BIGINT))"
    ),
    **{code: f"rpad(substr(strftime({{x}}, '%f'), 1, {code[2]}), {code[2]}, '0')" for code in _FRACTIONS},
    "AM": "strftime({x}, '%p')",
    "PM": "strftime({x}, '%p')",
    "A.M.": "CASE WHEN date_part('hour', {x}) < 12 THEN 'A.M.' ELSE 'P.M.' END",
    "P.M.": "CASE WHEN date_part('hour', {x}) < 12 THEN 'A.M.' ELSE 'P.M.' END",
    "TZH": "(CASE WHEN {m} < 0 THEN '-' ELSE '+' END || printf('%02d', abs({m}) // 60))",
    "TZM": "printf('%02d', abs({m}) % 60)",
}
_NAMED = frozenset({"MONTH", "MON", "DAY", "DY"})


def to_text(written: str, kind: SqlType, value: Node, zone: Node) -> Node:
    """A date or time as STRING. Raises ValueError."""
    pieces = _pieces(written, kind)
    if "Y,YYY" in {piece.code for piece in pieces}:
        raise ValueError("the format element Y,YYY is for a cast from STRING only")
    if not any(piece.code in _CODES for piece in pieces):
        text = Literal("".join(piece.text for piece in pieces))
        return sql("CASE WHEN {x} IS NOT NULL THEN {t} END", x=value, t=text)
    moment = sql("(DATE '1970-01-01' + {x})", x=value) if kind == TIME else value
    if kind == TIMESTAMP:
        return let(moment, lambda instant: let(local_clock(instant, zone), lambda clock: _text(pieces, instant, clock)))
    clock = sql("CAST({x} AS TIMESTAMP)", x=moment) if kind == DATE else moment
    return let(clock, lambda found: _text(pieces, found, found))


def _text(pieces: Sequence[_Piece], instant: Node, clock: Node) -> Node:
    return Chain("||", tuple([_element(piece, instant, clock) for piece in pieces]))


def _element(piece: _Piece, instant: Node, clock: Node) -> Node:
    if piece.code not in _CODES:
        return Literal(piece.text)
    if piece.code in _OF_ZONE:
        return sql(_TEXTS[piece.code], m=sql(AHEAD, x=instant, c=clock))
    return sql(_in_case(_TEXTS[piece.code], piece), x=clock)


def _in_case(template: str, piece: _Piece) -> str:
    """The first two letters of the element say how names are written: MONTH, Month or month."""
    if piece.code not in _NAMED | _HALVES:
        return template
    if piece.text[0].islower():
        return f"lower({template})"
    return f"upper({template})" if piece.text[1].isupper() else template


# From text


_DIGITS = (
    dict.fromkeys(["YYYY", "RRRR"], 4)
    | dict.fromkeys(["YY", "RR", "MM", "DD", "HH24", "HH12", "HH", "MI", "SS", "TZM"], 2)
    | {"YYY": 3, "Y": 1, "SSSSS": 5, **{code: int(code[2]) for code in _FRACTIONS}}
)
"""How many digits each number has at most."""
_HALF = r"((?i:[ap]\.m\.))"
_READS = {
    "MONTH": f"((?i:{'|'.join(MONTH_NAMES)}))",
    "MON": f"((?i:{'|'.join(month[:3] for month in MONTH_NAMES)}))",
    "Y,YYY": "([0-9]{1,2},[0-9]{3})",
    "A.M.": _HALF,
    "P.M.": _HALF,
    "TZH": "",  # see _reading
}
"""What each other element reads."""
_ONE_OF = (_YEARS, _MONTHS, _HOURS, _FRACTIONS, _HALVES)
"""Of each of these a format may have one."""
_BLANK = r"[\s\p{Z}]"


def from_text(written: str, kind: SqlType, value: Node, zone: Node) -> Node:
    """A STRING as a date or time. Raises ValueError, UnsupportedSql."""
    pieces = _pieces(written, kind)
    codes = [piece.code for piece in pieces if piece.code in _CODES]
    _check_codes(codes)
    edge = _Piece(" ", "")
    read = "".join(map(_reading, [edge, *pieces], pieces, [*pieces[1:], edge]))
    pattern = Literal(f"^{_BLANK}*{read}{_BLANK}*$")

    def parsed(text: Node) -> Node:
        found = _assembled(Groups(text, pattern, codes), kind, zone)
        return sql(_CHECKED, x=text, p=pattern, v=checked(kind, found))

    return let(value, parsed)


_CHECKED = (
    "(CASE WHEN {x} IS NULL THEN NULL WHEN NOT regexp_matches({x}, {p}) THEN error('Failed to parse input timestamp"
    " string: ' || {x}) ELSE {v} END)"
)


def _check_codes(codes: Sequence[str]) -> None:
    """Raises ValueError for elements that GoogleSQL does not read, or not together."""
    for code in codes:
        if code not in _DIGITS and code not in _READS:
            raise ValueError(f"the format element {code} is for a cast to STRING only")
        if codes.count(code) > 1 or any(code in group and len(group & set(codes)) > 1 for group in _ONE_OF):
            raise ValueError(f"a format cannot have {code} beside what says the same")
    found = set(codes)
    if "SSSSS" in found and found & (_HOURS | _HALVES | {"MI", "SS"}):
        raise ValueError("a format cannot have SSSSS beside hours, minutes or seconds")
    if bool(found & {"HH12", "HH"}) != bool(found & _HALVES):
        raise ValueError("HH and HH12 need A.M. or P.M. in the format, and these need HH or HH12")


def _reading(before: _Piece, piece: _Piece, after: _Piece) -> str:
    """The expression that reads one piece. Blanks take all blanks that there are."""
    if piece.code == " ":
        if not before.text:
            raise ValueError("a format to read cannot begin with a blank: the text's are skipped before")
        return f"{_BLANK}+"
    if before.code == " " and piece.text[:1].isspace():
        raise UnsupportedSql(f"{_NO_FORMAT} blanks after blanks yet", hint="BigQuery runs it")
    if not piece.code:
        return re.escape(piece.text)
    if not after.code and after.text[:1].isdigit():
        raise UnsupportedSql(f"{_NO_FORMAT} digits after an element yet", hint="BigQuery runs it")
    return _element_read(before, piece.code, after)


_NO_FORMAT = "the embedded engine does not know FORMAT with"


def _element_read(before: _Piece, code: str, after: _Piece) -> str:
    """A number right before another one has all of its digits."""
    is_before_digits = after.code in (*_DIGITS, "Y,YYY")
    if code == "TZH":
        return f"([-+{'' if before.code == ' ' else ' '}][0-9]{'{2}' if is_before_digits else '{1,2}'})"
    if code in _READS:
        return _READS[code]
    most = _DIGITS[code]
    if is_before_digits:
        return f"([0-9]{{{most}}})"
    return f"([0-9]{{1,{most + (most == 4)}}})"  # a year of five digits is one with a zero before it


def _assembled(groups: Groups, kind: SqlType, zone: Node) -> Node:
    """The groups put together. What the text does not say is the current year and month, and the first day."""
    micros = _micros(groups)
    if kind == TIME:
        return sql("(TIME '00:00:00' + to_microseconds({n}))", n=micros)
    today = sql("CAST({x} AS DATE)", x=local(sql("now()"), zone))
    month = _month(groups, today)
    day = sql("make_date({y}, {m}, {d})", y=_year(groups, today), m=month, d=groups.number("DD", default=1))
    if kind == DATE:
        return day
    clock = sql("(CAST({d} AS TIMESTAMP) + to_microseconds({n}))", d=day, n=micros)
    if kind != TIMESTAMP:
        return clock
    if groups.last_of("TZH", "TZM") is None:
        return from_local(clock, zone)
    return sql("timezone('UTC', {x} - to_minutes({m}))", x=clock, m=_ahead(groups))


_OF_NOW = {"YYY": 1000, "YY": 100, "Y": 10}


def _year(groups: Groups, today: Node) -> Node:
    now = sql("date_part('year', {x})", x=today)
    for code, size in _OF_NOW.items():
        if code in groups.codes:
            return sql(f"({{now}} - {{now}} % {size} + {{n}})", now=now, n=groups.number(code, default=0))
    if "RR" in groups.codes:
        return sql("({n} + CASE WHEN {n} < 50 THEN 2000 ELSE 1900 END)", n=groups.number("RR", default=0))
    parted = groups.last_of("Y,YYY")
    if parted is not None:
        return sql("CAST(replace({x}, ',', '') AS BIGINT)", x=parted)
    return groups.number("YYYY", "RRRR", default=1970) if {"YYYY", "RRRR"} & set(groups.codes) else now


def _month(groups: Groups, today: Node) -> Node:
    name = groups.last_of("MONTH", "MON")
    if name is not None:
        return sql(MONTH_OF_NAME, x=name)
    return groups.number("MM", default=1) if "MM" in groups.codes else sql("date_part('month', {x})", x=today)


def _within(groups: Groups, code: str, least: int, most: int) -> Node:
    """The number that an element has read, 0 without the element."""
    template = f"CASE WHEN {{n}} BETWEEN {least} AND {most} THEN {{n}} ELSE error('Invalid {code}: ' || {{n}}) END"
    return sql(template, n=groups.number(code, default=0)) if code in groups.codes else Literal(0)


def _micros(groups: Groups) -> Node:
    """The microseconds since midnight."""
    hours = _within(groups, "HH24", 0, 23)
    half = groups.last_of(*_HALVES)
    if half is not None:
        twelve = _within(groups, "HH12" if "HH12" in groups.codes else "HH", 1, 12)
        hours = sql("({h} % 12 + CASE WHEN lower({p}) = 'p.m.' THEN 12 ELSE 0 END)", h=twelve, p=half)
    fraction = groups.last_of(*_FRACTIONS)
    micros = sql("CAST(substr(rpad({x}, 6, '0'), 1, 6) AS BIGINT)", x=fraction) if fraction is not None else Literal(0)
    return sql(
        "((({h} * 60 + {m}) * 60 + {s} + {d}) * 1000000 + {f})",
        h=hours,
        m=_within(groups, "MI", 0, 59),
        s=_within(groups, "SS", 0, 59),
        d=_within(groups, "SSSSS", 0, 86399),
        f=micros,
    )


def _ahead(groups: Groups) -> Node:
    """How many minutes the text is ahead of UTC."""
    hours, minutes = groups.last_of("TZH"), _within(groups, "TZM", 0, 59)
    if hours is None:
        return minutes
    return sql(_OFFSET, h=hours, m=minutes)


_OFFSET = (
    "CASE WHEN CAST(substr({h}, 2) AS BIGINT) * 60 + {m} > 840 THEN error('Invalid time zone: ' || {h}) ELSE"
    " (CAST(substr({h}, 2) AS BIGINT) * 60 + {m}) * CASE WHEN {h} LIKE '-%' THEN -1 ELSE 1 END END"
)

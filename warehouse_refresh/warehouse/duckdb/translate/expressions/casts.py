"""CAST and SAFE_CAST: what GoogleSQL converts into what, and how DuckDB does the same.

https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_functions#cast
"""

from warehouse_refresh.warehouse.duckdb.translate.coercion import (
    BIG_OF_INT64,
    BIG_OF_NUMERIC,
    InvalidLiteral,
    by_field,
    coerce,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.intervals import INTERVAL_OF_STRING, STRING_OF_INTERVAL
from warehouse_refresh.warehouse.duckdb.translate.nodes import Attempt, Node, each, let
from warehouse_refresh.warehouse.duckdb.translate.queries.storing import has_limits, within_limits
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.text import REFUSAL
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.translate.zones import BARE_OFFSET, BASE, CHECKED, FROM_LOCAL, NAME, SHIFT
from warehouse_refresh.warehouse.errors import UnsupportedSql
from warehouse_refresh.warehouse.sql.coercion import plain, takes_any_type
from warehouse_refresh.warehouse.sql.literals import EMPTY, FloatLiteral
from warehouse_refresh.warehouse.types import BIGNUMERIC, NUMERIC, STRING, SqlType


def _bad(kind: str) -> str:
    return f"error('Bad {kind} value: ' || {{x}})"


_HEX = r"0[xX]0*([0-9a-fA-F]{{1,16}})[\s\v]*$"
"""Before hexadecimal digits only blanks are skipped, after them line ends, too."""
_HEX_VALUE = (  # their size may be that of the smallest INT64
    f"(CAST('0x' || regexp_extract({{x}}, '{_HEX}', 1) AS HUGEINT) * CASE WHEN contains({{x}}, '-') THEN -1 ELSE 1 END)"
)
_INT64_OF_STRING = (
    r"CASE WHEN {x} IS NULL THEN NULL WHEN regexp_matches({x}, '^[\s\v]*[+-]?[0-9]+[\s\v]*$')"
    r" THEN CAST(trim({x}, E' \t\n\r\f\x0B') AS BIGINT)"
    rf" WHEN regexp_matches({{x}}, '^ *[+-]?{_HEX}') THEN CAST({_HEX_VALUE} AS BIGINT) ELSE " + _bad("int64") + " END"
)
_TRIMMED = r"regexp_replace({x}, '^[\s\v]*\+?|[\s\v]+$', '', 'g')"
_HEX_FLOAT = r"0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)([pP][+-]?[0-9]+)?[\s\v]*$"
_HEX_FLOAT_VALUE = (  # the digits as a whole number, times a power of 2, which one factor may not hold
    f"list_transform([{{{{'d': regexp_extract({{x}}, '{_HEX_FLOAT}', 1), 'p': greatest(least(CAST('0' ||"
    r" regexp_extract({x}, '[pP][+-]?([0-9]{{1,5}})', 1) AS BIGINT), 9999), 0) * CASE WHEN regexp_matches({x},"
    r" '[pP]-') THEN -1 ELSE 1 END}}], lambda h_: list_transform([{{'n': ltrim(replace(h_.d, '.', ''), '0'), 'p':"
    " h_.p - 4 * length(split_part(h_.d, '.', 2))}}], lambda h_: CASE WHEN h_.n = '' THEN 0.0::DOUBLE"
    f" WHEN length(h_.n) > 31 THEN error('{REFUSAL} read a hexadecimal number of more than 31 digits')"
    " ELSE CAST(CAST(CAST('0x' || h_.n AS HUGEINT) AS VARCHAR) AS DOUBLE) * pow(2.0::DOUBLE, h_.p // 2) *"
    " pow(2.0::DOUBLE, h_.p - h_.p // 2) END)[1])[1] * CASE WHEN regexp_matches({x},"
    r" '^[\s\v]*-') THEN -1 ELSE 1 END"
)
_FLOAT64_OF_STRING = (
    r"CASE WHEN {x} IS NULL THEN NULL WHEN regexp_matches({x},"
    r" '^[\s\v]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[\s\v]*$') THEN"
    rf" CAST({_TRIMMED} AS DOUBLE) WHEN regexp_matches({{x}}, '^[\s\v]*[+-]?{_HEX_FLOAT}') THEN {_HEX_FLOAT_VALUE}"
    rf" WHEN regexp_matches({{x}}, '^[\s\v]*[+-]?(?i:inf|infinity)[\s\v]*$') THEN CAST({_TRIMMED} AS DOUBLE)"
    r" WHEN regexp_matches({x}, '^[\s\v]*[+-]?(?i:nan)(\([0-9A-Za-z_]*\))?[\s\v]*$') THEN 'nan'::DOUBLE ELSE "
    + _bad("double")
    + " END"
)
_DIGITS = r"regexp_extract({x}, '([0-9]*)\.?[0-9]*[eE]', 1)"
_EXPONENT = "CAST(regexp_extract({x}, '[eE](.*)', 1) AS HUGEINT)"
_POINT_MOVED = (  # DuckDB rounds before it moves the point; GoogleSQL makes 0 of a number with an exponent below -9
    f"list_transform([{{{{'d': {_DIGITS} || regexp_extract({{x}}, '\\.([0-9]*)', 1), 'p': length({_DIGITS}) +"
    f" least(99, {_EXPONENT})::BIGINT}}}}], lambda p_:"
    f" CAST(CASE WHEN {{x}} LIKE '-%' THEN '-' ELSE '' END || CASE WHEN {_EXPONENT} < -9 THEN '0' WHEN p_.p <= 0"
    " THEN '0.' || repeat('0', -p_.p) || p_.d WHEN p_.p >= length(p_.d) THEN p_.d || repeat('0', p_.p - length(p_.d))"
    " ELSE substr(p_.d, 1, p_.p) || '.' || substr(p_.d, p_.p + 1) END AS DECIMAL(38,9)))[1]"
)
NUMERIC_OF_DIGITS = f"CASE WHEN contains(lower({{x}}), 'e') THEN {_POINT_MOVED} ELSE CAST({{x}} AS DECIMAL(38,9)) END"
"""A NUMERIC written as -12.5 or -1.25e1, with no plus sign before it and no blanks."""
_NUMERIC_OF_STRING = (
    r"CASE WHEN {x} IS NULL THEN NULL WHEN regexp_matches({x},"
    r" '^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$')"
    rf" THEN list_transform([regexp_replace({{x}}, '^\s*\+?|\s+$', '', 'g')], lambda t_:"
    rf" {NUMERIC_OF_DIGITS.replace('{x}', 't_')})[1] ELSE error('Invalid NUMERIC value: ' || {{x}}) END"
)
_BOOL_OF_STRING = (
    "CASE lower({x}) WHEN 'true' THEN true WHEN 'false' THEN false ELSE CASE WHEN {x} IS NULL THEN NULL::BOOLEAN ELSE "
    + _bad("bool")
    + " END END"
)
STRING_OF_FLOAT64 = (
    "CASE WHEN isnan({x}) THEN 'nan' WHEN {x} = 0 THEN '0' WHEN CAST(printf('%.15g', {x}) AS DOUBLE) = {x}"
    " THEN printf('%.15g', {x}) ELSE printf('%.17g', {x}) END"
)
STRING_OF_NUMERIC = "regexp_replace(CAST({x} AS VARCHAR), '\\.?0*$', '')"
_FRACTION = (  # three or six digits after the point, or none
    "CASE WHEN {micros} % 1000000 = 0 THEN '' WHEN {micros} % 1000 = 0"
    " THEN printf('.%03d', ({micros} % 1000000) // 1000) ELSE printf('.%06d', {micros} % 1000000) END"
)
_MICROS = "CAST(date_part('microsecond', {x}) AS BIGINT)"
FRACTION = _FRACTION.replace("{micros}", _MICROS)
STRING_OF_DATE = "strftime({x}, '%Y-%m-%d')"
STRING_OF_DATETIME = f"(strftime({{x}}, '%Y-%m-%d %H:%M:%S') || {FRACTION})"
STRING_OF_TIME = f"(substr(CAST({{x}} AS VARCHAR), 1, 8) || {FRACTION})"
STRING_OF_TIMESTAMP = f"(strftime(timezone('UTC', {{x}}), '%Y-%m-%d %H:%M:%S') || {FRACTION} || '+00')"
# The 60th second of a minute is the next one's first, where only a TIMESTAMP keeps its fraction.
_CLOCK = r"([01]?\d|2[0-3]):[0-5]?\d:([0-5]?\d|60)(\.\d{{1,6}})?"
_DAY = r"\d{{4}}-\d{{1,2}}-\d{{1,2}}"


def _parsed(pattern: str, sql: str, kind: str, quote: str = '"') -> str:
    return (
        f"CASE WHEN {{x}} IS NULL THEN NULL WHEN regexp_matches({{x}}, '^{pattern}$') THEN {sql}"
        f" ELSE error('Invalid {kind}{quote}' || {{x}} || '{quote}') END"
    )


DATE_OF_STRING = _parsed(_DAY, "CAST({x} AS DATE)", "date: ", "''")
TIME_OF_STRING = _parsed(
    _CLOCK,
    "make_time(CAST(split_part({x}, ':', 1) AS BIGINT), CAST(split_part({x}, ':', 2) AS BIGINT),"
    " least(CAST(split_part({x}, ':', 3) AS DOUBLE), 60)) + INTERVAL 0 SECOND",  # 24:00 is 00:00
    "time string ",
)
_SPLIT = r"regexp_extract({x}, '[Tt ](.*)$', 1)"
_DAY_OF = "CAST(regexp_extract({x}, '^[0-9-]+') AS DATE)"
_HAS_TIME = r"regexp_matches({x}, '[Tt ]\d')"
_HOUR, _MINUTE = (rf"CAST(regexp_extract({{x}}, '{before}(\d+):', 1) AS BIGINT)" for before in ("[Tt ]", ":"))
_SECONDS = r"CAST(regexp_extract({x}, ':\d+:([0-9.]+)', 1) AS DOUBLE)"
_TO_SECONDS = f"{_DAY_OF} + CASE WHEN {_HAS_TIME} THEN make_time({_HOUR}, {_MINUTE}, %s) ELSE TIME '00:00:00' END"
_OF_DATETIME = f"({_TO_SECONDS % f'least({_SECONDS}, 60)'})"
_MICROS_OF = f"CASE WHEN {_HAS_TIME} THEN CAST(round({_SECONDS} * 1000000) AS BIGINT) ELSE 0 END"
_OF_TIMESTAMP = f"({_TO_SECONDS % '0'} + to_microseconds({_MICROS_OF}))"


def _within_years(sql: str, message: str) -> str:
    """With an error for the one 60th second that would begin year 10000."""
    return f"CASE WHEN {{x}} LIKE '9999-12-31_23:59:60%' THEN error({message}) ELSE {sql} END"


_NO_DATETIME = "'Invalid datetime string: ' || {x}"
_NO_TIMESTAMP = "'Invalid timestamp: ' || {x}"
DATETIME_OF_STRING = _parsed(f"{_DAY}([Tt ]{_CLOCK})?", _within_years(_OF_DATETIME, _NO_DATETIME), "datetime string ")
_ZONE_AT_THE_END = f"regexp_extract({{x}}, '({NAME}|{BARE_OFFSET})$', 1)"
_IN_ZONE = (
    f"list_transform([struct_pack(c := {_OF_TIMESTAMP}, z := {CHECKED.replace('{z}', _ZONE_AT_THE_END)})], lambda l_:"
    f" list_transform([struct_pack(c := l_.c - {SHIFT.replace('{z}', 'l_.z')}, z := {BASE.replace('{z}', 'l_.z')})],"
    f" lambda m_: list_transform([{FROM_LOCAL.replace('{x}', 'm_.c').replace('{z}', 'm_.z')}], lambda t_: CASE WHEN"
    " t_ < TIMESTAMPTZ '0001-01-01 00:00:00+00' OR t_ > TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'"
    f" THEN error({_NO_TIMESTAMP}) ELSE t_ END)[1])[1])[1]"
)
_IN_UTC = _within_years(f"timezone('UTC', {_OF_TIMESTAMP})", _NO_TIMESTAMP)
TIMESTAMP_OF_STRING = _parsed(
    f"{_DAY}([Tt ]{_CLOCK}([Zz]|{BARE_OFFSET}| {NAME})?| {BARE_OFFSET})?",
    f"CASE WHEN regexp_matches({{x}}, '^{_DAY}([Tt ]{_CLOCK}[Zz]?)?$') THEN {_IN_UTC} ELSE {_IN_ZONE} END",
    "timestamp: ",
    "''",
)

# The digits of a double are written out in full: its tenth one decides, and a tie goes away from zero.
EXACT = (
    "CASE WHEN abs({x}) >= 9007199254740992 THEN CAST(CAST({x} AS HUGEINT) AS DECIMAL(38,9)) WHEN"
    " regexp_matches(printf('%.34f', {x}), '50{{24}}$') THEN CAST(CAST(printf('%.10f', {x}) AS DECIMAL(38,10)) AS"
    " DECIMAL(38,9)) ELSE CAST(printf('%.9f', {x}) AS DECIMAL(38,9)) END"
)

_SIDE = "CASE WHEN isinf(({x}).%s) THEN 'UNBOUNDED' ELSE %s END"


def _text_of_range(text: str) -> str:
    start, end = (_SIDE % (side, text.replace("{x}", f"({{x}}).{side}")) for side in ("start", "end"))
    return f"CASE WHEN {{x}} IS NOT NULL THEN '[' || {start} || ', ' || {end} || ')' END"


_OF_BIG = ("INT64", "NUMERIC", "FLOAT64", "STRING")

CASTS = {
    ("INT64", "FLOAT64"): "CAST({x} AS DOUBLE)",
    ("INT64", "NUMERIC"): "CAST({x} AS DECIMAL(38,9))",
    ("INT64", "BOOL"): "({x} <> 0)",
    ("INT64", "STRING"): "CAST({x} AS VARCHAR)",
    ("FLOAT64", "INT64"): "CAST(round({x}) AS BIGINT)",
    ("FLOAT64", "NUMERIC"): EXACT,
    ("FLOAT64", "STRING"): STRING_OF_FLOAT64,
    ("NUMERIC", "INT64"): "CAST({x} AS BIGINT)",
    ("NUMERIC", "FLOAT64"): "CAST(CAST({x} AS VARCHAR) AS DOUBLE)",
    ("NUMERIC", "STRING"): STRING_OF_NUMERIC,
    ("INT64", "BIGNUMERIC"): BIG_OF_INT64,
    ("NUMERIC", "BIGNUMERIC"): BIG_OF_NUMERIC,
    ("FLOAT64", "BIGNUMERIC"): "googlesql_bignumeric_of_float64({x})",
    ("STRING", "BIGNUMERIC"): "googlesql_bignumeric_of_string({x})",
    **{("BIGNUMERIC", to): f"googlesql_bignumeric_to_{to.lower()}({{x}})" for to in _OF_BIG},
    ("BOOL", "INT64"): "CAST({x} AS BIGINT)",
    ("BOOL", "STRING"): "CAST({x} AS VARCHAR)",
    ("STRING", "INT64"): _INT64_OF_STRING,
    ("STRING", "FLOAT64"): _FLOAT64_OF_STRING,
    ("STRING", "NUMERIC"): _NUMERIC_OF_STRING,
    ("STRING", "BOOL"): _BOOL_OF_STRING,
    ("STRING", "BYTES"): "encode({x})",
    ("STRING", "DATE"): DATE_OF_STRING,
    ("STRING", "TIME"): TIME_OF_STRING,
    ("STRING", "DATETIME"): DATETIME_OF_STRING,
    ("STRING", "TIMESTAMP"): TIMESTAMP_OF_STRING,
    ("BYTES", "STRING"): "decode({x})",
    ("DATE", "STRING"): STRING_OF_DATE,
    ("DATE", "DATETIME"): "CAST({x} AS TIMESTAMP)",
    ("DATE", "TIMESTAMP"): "timezone('UTC', CAST({x} AS TIMESTAMP))",
    ("DATETIME", "STRING"): STRING_OF_DATETIME,
    ("DATETIME", "DATE"): "CAST({x} AS DATE)",
    ("DATETIME", "TIME"): "CAST({x} AS TIME)",
    ("DATETIME", "TIMESTAMP"): "timezone('UTC', {x})",
    ("TIMESTAMP", "STRING"): STRING_OF_TIMESTAMP,
    ("TIMESTAMP", "DATE"): "CAST(timezone('UTC', {x}) AS DATE)",
    ("TIMESTAMP", "TIME"): "CAST(timezone('UTC', {x}) AS TIME)",
    ("TIMESTAMP", "DATETIME"): "timezone('UTC', {x})",
    ("TIME", "STRING"): STRING_OF_TIME,
    ("RANGE<DATE>", "STRING"): _text_of_range(STRING_OF_DATE),
    ("RANGE<DATETIME>", "STRING"): _text_of_range(STRING_OF_DATETIME),
    ("RANGE<TIMESTAMP>", "STRING"): _text_of_range(STRING_OF_TIMESTAMP),
    ("STRING", "INTERVAL"): INTERVAL_OF_STRING,
    ("INTERVAL", "STRING"): STRING_OF_INTERVAL,
}


def castable(kind: SqlType, to: SqlType) -> bool:
    """Whether GoogleSQL converts values of one type into another one."""
    if kind.element is not None and to.element is not None:
        return castable(kind.element, to.element)
    if kind.name == "STRUCT" and to.name == "STRUCT":
        pairs = zip(kind.fields, to.fields, strict=False)
        return len(kind.fields) == len(to.fields) and all(castable(one.type, other.type) for one, other in pairs)
    return _is_same_scalar(kind, to) or (kind.name, to.name) in CASTS


def _is_same_scalar(kind: SqlType, to: SqlType) -> bool:
    return kind.name == to.name and kind.element is None and kind.name != "STRUCT"


def cast_value(value: Typed, to: SqlType, *, safe: bool = False) -> Typed | None:
    """The value converted; None if there is no such conversion. `safe` gives NULL where the conversion fails; a value
    that is longer than `to` allows, or has more digits, is an error all the same."""
    simple = plain(to)
    found = _written_as(value, simple)
    if found is None:
        if not castable(value.type, simple):
            return None
        found = Typed(
            _safe_cast(value.node, value.type, simple) if safe else _cast(value.node, value.type, simple), simple
        )
    return Typed(_limited(found.node, to), simple) if has_limits(to) else found


def _written_as(value: Typed, to: SqlType) -> Typed | None:
    """What is written out, read as that type; None for any other value, and where it has to be converted."""
    is_number = to in (NUMERIC, BIGNUMERIC) and isinstance(value.literal, FloatLiteral)
    if not (takes_any_type(value) or value.literal is EMPTY or value.parts or is_number):
        return None
    try:
        return coerce(value, to)
    except InvalidLiteral:  # a cast of it fails only for the rows that are computed, and SAFE_CAST gives NULL
        return None


def _limited(node: Node, to: SqlType) -> Node:
    """A value of the type `to` without its limits, within them."""
    if not has_limits(to):
        return node
    if to.element is not None:
        element = to.element
        return each(node, lambda item: _limited(item, element))
    if to.name == "STRUCT":
        return by_field(node, to, plain(to), lambda field, limited, _: _limited(field, limited.type))
    return within_limits(node, to)


def _safe_cast(node: Node, kind: SqlType, to: SqlType) -> Node:
    """NULL where the conversion fails; an error in the value itself stays one."""
    if _is_unchanged(kind, to):
        return node
    if to.element is not None and to.element.name == "STRUCT":
        raise UnsupportedSql(
            "the embedded engine does not know SAFE_CAST of an array of STRUCT", hint="cast its elements"
        )
    if to.element is not None:
        return let(node, lambda value: let(Attempt(_cast(value, kind, to)), lambda made: sql(_WHOLE, v=value, m=made)))
    return let(node, lambda value: Attempt(_cast(value, kind, to)))


_WHOLE = "CASE WHEN list_count({m}) < list_count({v}) THEN NULL ELSE {m} END"
"""DuckDB's TRY makes NULL of an element that fails, and not of the array."""


def _is_unchanged(kind: SqlType, to: SqlType) -> bool:
    if kind.element is not None and to.element is not None:
        return _is_unchanged(kind.element, to.element)
    return _is_same_scalar(kind, to)


def _cast(node: Node, kind: SqlType, to: SqlType) -> Node:
    """The node of a type that is castable, converted."""
    if _is_unchanged(kind, to):
        return node
    if kind.element is not None and to.element is not None:
        element, wanted = kind.element, to.element
        return each(node, lambda item: _cast(item, element, wanted))
    if kind.name == "STRUCT":
        return by_field(node, kind, to, lambda field, old, new: _cast(field, old.type, new.type))
    return sql(CASTS[kind.name, to.name], x=node)


def to_string(value: Typed) -> Typed | None:
    """The value as CAST(… AS STRING) gives it."""
    return value if value.type == STRING else cast_value(value, STRING)

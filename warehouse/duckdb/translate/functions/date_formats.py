"""FORMAT_DATE, PARSE_DATE and their kin: the format is taken apart when the query is translated.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_elements_date_time
"""

import re

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.expressions import as_type
from warehouse.duckdb.translate.functions.dates import local
from warehouse.duckdb.translate.functions.registry import argument, function
from warehouse.duckdb.translate.literals import from_local
from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.text import bind, string_sql
from warehouse.duckdb.translate.typed import STRING, Typed
from warehouse.types import SqlType

ELEMENT = re.compile(r"%(E\dY|E[\d*]S|Ez|E?Q|[a-zA-Z%])")
SHORT = {"F": "%E4Y-%m-%d", "T": "%H:%M:%S", "D": "%m/%d/%y", "R": "%H:%M", "x": "%m/%d/%y", "X": "%H:%M:%S"}
PLAIN = {"m", "d", "a", "A", "b", "B", "j", "U", "W", "V", "G", "u", "w", "y", "H", "M", "S"}
CLOCK = {"H", "M", "S", "I", "l", "k", "p", "P"}
SECONDS = "strftime({x}, '%S')"
MICROS = "printf('%06d', CAST(date_part('microsecond', {x}) AS BIGINT) % 1000000)"


def _long(text: str) -> str:
    """The format with its abbreviations written out."""
    return re.sub(r"%([FTDRxXh])", lambda match: SHORT.get(match[1], "%b"), text)


@function("FORMAT_DATE", "FORMAT_DATETIME", "FORMAT_TIME", "FORMAT_TIMESTAMP")
def format_date(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """FORMAT_DATE(format, x)"""
    name = name_of(node)
    kind = SqlType(name.partition("_")[2])
    if len(parts) not in ((2, 3) if kind == t.TIMESTAMP else (2,)):
        wrong(scope.script.text, node, f"wrong number of arguments for {name}")
    values = [argument(part, scope) for part in parts]
    text = _format(node, scope, values[0])
    value = values[1]
    if not (kind == t.DATE and value.type == t.DATETIME):
        value = as_type(node, scope, name, value, kind)
    sql = value.sql
    if kind == t.TIMESTAMP:
        zone = as_type(node, scope, name, values[2], STRING).sql if len(values) == 3 else "'UTC'"
        sql = local(value, zone)
        if zone != "'UTC'" and re.search(r"%(Z|z|Ez|s)", text):
            unsupported(scope.script.text, node, f"{name} with %Z, %z or %s in another zone than UTC")
    if kind == t.TIME:
        sql = f"(DATE '1970-01-01' + {sql})"
    pieces = [_element(node, scope, piece, kind) for piece in _pieces(text)]
    return Typed(f"({bind(' || '.join(pieces) or chr(39) * 2, x=sql)})", STRING)


def _format(node: exp.Expr, scope: Scope, value: Typed) -> str:
    if not isinstance(value.literal, str):
        unsupported(scope.script.text, node, f"{name_of(node)} with a format that is not a literal")
    return _long(value.literal)


def _pieces(text: str) -> list[str]:
    return [piece for piece in re.split(r"(%(?:E\dY|E[\d*]S|Ez|[a-zA-Z%]))", text) if piece]


def _element(node: exp.Expr, scope: Scope, piece: str, kind: SqlType) -> str:
    """One element as a DuckDB text of {x}."""
    if not piece.startswith("%"):
        return string_sql(piece).replace("{", "{{").replace("}", "}}")
    code = piece[1:]
    clock = code in CLOCK or code.endswith("S")
    if code != "%" and ((kind == t.DATE and clock) or (kind == t.TIME and not clock)):
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
    if code in ("Z", "z", "Ez", "s") and kind != t.TIMESTAMP:
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
    if re.fullmatch(r"E[1-6]S", code):
        return f"({SECONDS} || '.' || substr({MICROS}, 1, {code[1]}))"
    if code not in SPECIAL and code not in PLAIN:
        unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
    return SPECIAL.get(code) or f"strftime({{x}}, '%{code}')"


SPECIAL = {
    "%": "'%'",
    "Y": "CAST(date_part('year', {x}) AS VARCHAR)",
    "E4Y": "printf('%04d', CAST(date_part('year', {x}) AS BIGINT))",
    "Q": "CAST(date_part('quarter', {x}) AS VARCHAR)",
    "e": "printf('%2d', CAST(date_part('day', {x}) AS BIGINT))",
    "E*S": f"({SECONDS} || regexp_replace(regexp_replace('.' || {MICROS}, '0+$', ''), '[.]$', ''))",
    "s": "CAST(epoch_us({x}) // 1000000 AS VARCHAR)",
    "Z": "'UTC'",
    "z": "'+0000'",
    "Ez": "'+00:00'",
}
MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september"]
MONTHS += ["october", "november", "december"]
# What each element reads: the pattern of its text, and how it counts.
READS = {
    "Y": r"(\d{1,4})",
    "y": r"(\d{2})",
    "m": r"(\d{1,2})",
    "d": r"(\d{1,2})",
    "e": r"(\d{1,2})",
    "H": r"(\d{1,2})",
    "M": r"(\d{1,2})",
    "S": r"(\d{1,2})",
    "b": "((?i:" + "|".join([*MONTHS, *(month[:3] for month in MONTHS)]) + "))",
    "E*S": r"(\d{1,2}(?:\.\d{1,6})?)",
    "z": r"([+-]\d{4})",
    "Ez": r"([+-]\d{2}:\d{2})",
}
READS["B"] = READS["b"]


@function("PARSE_DATE", "PARSE_DATETIME", "PARSE_TIME", "PARSE_TIMESTAMP")
def parse_date(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """PARSE_DATE(format, text)"""
    name = name_of(node)
    kind = SqlType(name.partition("_")[2])
    if len(parts) not in ((2, 3) if kind == t.TIMESTAMP else (2,)):
        wrong(scope.script.text, node, f"wrong number of arguments for {name}")
    values = [argument(part, scope) for part in parts]
    text = as_type(node, scope, name, values[1], STRING).sql
    zone = as_type(node, scope, name, values[2], STRING).sql if len(values) == 3 else "'UTC'"
    if isinstance(values[0].literal, str) and "%F" in values[0].literal:
        unsupported(scope.script.text, node, f"{name} with %F", "write %Y-%m-%d")
    pattern, codes = _pattern(node, scope, _format(node, scope, values[0]), kind)
    zoned = kind == t.TIMESTAMP and not set(codes) & {"z", "Ez"}
    sql = _assembled(codes, t.DATETIME if zoned else kind, pattern)
    failure = f"error('Failed to parse input string for {name}: ' || {{x}})"
    checked = (
        f"CASE WHEN {{x}} IS NULL THEN NULL WHEN NOT regexp_matches({{x}}, {_quoted(pattern)}) THEN {failure} ELSE"
        f" {sql} END"
    )
    parsed = f"({bind(checked, x=text)})"
    return Typed(from_local(parsed, zone) if zoned else parsed, kind)


def _quoted(pattern: str) -> str:
    return string_sql(pattern).replace("{", "{{").replace("}", "}}")


def _pattern(node: exp.Expr, scope: Scope, text: str, kind: SqlType) -> tuple[str, list[str]]:
    """The format as a regular expression, with what each of its groups holds."""
    pattern, codes = r"^\s*", []
    pieces = _pieces(text)
    for index, piece in enumerate(pieces):
        if not piece.startswith("%"):
            pattern += "".join(r"\s*" if char.isspace() else re.escape(char) for char in piece)
            continue
        code = piece[1:]
        if code not in READS or code in codes or (kind == t.DATE and code in ("H", "M", "S", "E*S", "z", "Ez")):
            unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
        if kind == t.TIME and code not in ("H", "M", "S", "E*S"):
            unsupported(scope.script.text, node, f"{name_of(node)} with {piece}")
        beside = pieces[index + 1 : index + 2]
        read = READS[code]
        if beside and beside[0].startswith("%"):  # digits follow: all of its own have to be there
            read = read.replace("{1,2}", "{2}").replace("{1,4}", "{4}")
        pattern += read
        codes.append(code)
    return pattern + r"\s*$", codes


def _assembled(codes: list[str], kind: SqlType, pattern: str) -> str:
    """The groups put together."""

    def group(*names: str) -> str:
        index = next((codes.index(name) + 1 for name in names if name in codes), 0)
        return f"regexp_extract({{x}}, {_quoted(pattern)}, {index})" if index else ""

    def number(*names: str, default: int) -> str:
        return f"CAST({group(*names)} AS BIGINT)" if group(*names) else str(default)

    month = number("m", default=1)
    if group("b", "B"):
        names = "[" + ", ".join(f"'{name[:3]}'" for name in MONTHS) + "]"
        month = f"list_position({names}, lower(substr({group('b', 'B')}, 1, 3)))"
    year = number("Y", default=1970)
    if group("y"):
        year = f"(CAST({group('y')} AS BIGINT) + CASE WHEN {group('y')} >= '69' THEN 1900 ELSE 2000 END)"
    day = f"make_date({year}, {month}, {number('d', 'e', default=1)})"
    seconds = f"CAST({group('S', 'E*S')} AS DOUBLE)" if group("S", "E*S") else "0"
    clock = f"make_time({number('H', default=0)}, {number('M', default=0)}, {seconds})"
    if kind == t.DATE:
        return day
    if kind == t.TIME:
        return clock
    local_time = f"({day} + {clock})"
    if kind == t.DATETIME:
        return local_time
    offset = group("z", "Ez")
    minutes = (
        f"CASE WHEN {offset} = 'Z' THEN 0 ELSE (CAST(substr({offset}, 2, 2) AS BIGINT) * 60 + CAST(right({offset}, 2)"
        f" AS BIGINT)) * CASE WHEN {offset} LIKE '-%' THEN -1 ELSE 1 END END"
    )
    return f"timezone('UTC', {local_time} - to_minutes({minutes}))"

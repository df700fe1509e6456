"""DuckDB's errors about values and about its own SQL, in BigQuery's words.

Errors from an `error(…)` of a translation already have BigQuery's words and a place in the script: see
`translate.text`. This module has the other errors, with the operators and functions that can cause them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from warehouse_refresh.warehouse.duckdb.client import duckdb
from warehouse_refresh.warehouse.duckdb.python_functions import is_missing
from warehouse_refresh.warehouse.duckdb.translate.text import REFUSAL, read_mark
from warehouse_refresh.warehouse.errors import Place, SqlError, TranslationFault, UnsupportedSql

_OF_VALUES = (
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.InvalidInputException,
    duckdb.ConstraintException,
)
_OF_OUR_SQL = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.InvalidTypeException,
    duckdb.NotImplementedException,
)
ABOUT_SQL = (*_OF_VALUES, *_OF_OUR_SQL)
"""The errors that are about a query or its values, not about the file."""
_CLASS = re.compile(r"\A(?:[A-Z]\w*(?: [a-zA-Z]\w*)* Error|Invalid type): ")
_NOISE = re.compile(r" when casting from source column .*| Use TRY\(.*| You might want to add .*", re.DOTALL)
_WRAPPED = re.compile(
    r"\APython exception occurred while executing the UDF: \w+: "
    r"|\AError parsing json: refused: "  # see `translate.text.refusing`
    r"|\AUnable to transform python value of type '(?=in )|(?<=\S)' to DuckDB LogicalType\Z"  # see `python_functions`
)
_DATES = "DATE DATETIME TIMESTAMP CAST"
_SHIFTS = "DATE_ADD DATE_SUB DATETIME_ADD DATETIME_SUB TIMESTAMP_ADD TIMESTAMP_SUB + -"
_WORDS = (
    (r"in (\S+): (.*)", r"\2", r"\1"),  # from a Python function: see `python_functions.by_name`
    (r"Overflow in \w+ of INT\d+ \((-?\d+ (.) -?\d+)\).*", r"int64 overflow: \1", r"\2"),
    (r"Overflow in negation of .*", "int64 overflow: the negative of the smallest INT64", "- ABS"),
    (r"Overflow in (\w+) of DECIMAL.*", r"numeric overflow in \1", "+ - * SUM"),
    (r"Overflow in .*", "int64 overflow", "SUM"),
    (r"Type INT128 with value (-?\d+) can't be cast .*", r"int64 overflow: \1", "SUM"),
    (
        r"Type DOUBLE with value (nan|-?inf) can't be cast .*",
        r"Illegal conversion of non-finite floating point number: \1",
        "CAST",
    ),
    (r"Type DOUBLE with value (\S+) can't be cast .* INT128", r"numeric out of range: \1", "CAST"),
    (r"Type DOUBLE with value (\S+) can't be cast .*", r"int64 out of range: \1", "CAST"),
    (r"Type \w+ with value (\S+) can't be cast .*", r"the value \1 is out of range", "CAST"),
    (r"Could not convert string '(.*)' to INT\d+", r"Bad int64 value: \1", "CAST"),
    (r"Could not convert string '(.*)' to DOUBLE", r"Bad double value: \1", "CAST"),
    (r"Could not convert string [\"'](.*)[\"'] to DECIMAL.*", r"Invalid NUMERIC value: \1", "CAST"),
    (r"Could not cast value (\S+) to DECIMAL.*", r"numeric out of range: \1", "CAST"),
    (r"Failed to cast decimal value (\S+) to type INT\d+", r"int64 out of range: \1", "CAST"),
    (r"(?:date|time|timestamp) field value out of range: \"(.*?)\".*", r"Invalid date: '\1'", _DATES),
    (r"invalid date field format: \"(.*?)\".*", r"Invalid date: '\1'", _DATES),
    (r"invalid timestamp field format: \"(.*?)\".*", r"Invalid timestamp: '\1'", _DATES),
    (r"Date out of range: (\S+)", r"Input calculates to invalid date: \1", "DATE DATETIME"),
    (r"Time out of range: (\S+)", r"Input calculates to invalid time: \1", "TIME DATETIME"),
    (r"Date and time not in timestamp range", "the result is outside of the range of dates and times", _SHIFTS),
    (r"Failure in decode: .*", "Invalid cast of bytes to UTF8 string", "CAST"),
    (
        r"Could not parse string \"(.*)\" according to format specifier \"(.*)\".*",
        r'Failed to parse input string "\1"',
        "",
    ),
    (r"Could not decode string \"(.*)\" as base64.*", "Failed to decode invalid base64 string", "FROM_BASE64"),
    (r"Unknown TimeZone '(.*)'.*", r"Invalid time zone: \1", ""),
    (r"More than one row returned by a subquery .*", "Scalar subquery produced more than one element", ""),
    (r"Invalid UTF8 Codepoint (\S+)", r"Invalid codepoint \1", "CODE_POINTS_TO_STRING"),
    (
        r"((?:missing|invalid|bad|trailing|unexpected|no argument|pattern too large)\b.*)",
        r"Cannot parse regular expression: \1",
        "REGEXP_CONTAINS REGEXP_EXTRACT REGEXP_EXTRACT_ALL REGEXP_REPLACE REGEXP_SUBSTR REGEXP_INSTR",
    ),
    (
        r"Malformed JSON at byte (\d+) of input: (.*?)\..*",
        r"syntax error while parsing JSON at byte \1: \2",
        "PARSE_JSON",
    ),
    (r"Division by zero .*", "division by zero", "/ DIV MOD"),
    (
        r"(?:Lists larger than|Cannot create a string of size).*",
        "the value is too large",
        "GENERATE_ARRAY REPEAT LPAD RPAD",
    ),
    (r"NOT NULL constraint failed: .*?(\w+)", r"Required field \1 cannot be null", ""),
    (r"Schema with name (\S+) does not exist.*", r"there is no dataset \1", ""),
    (r"Table with name (\S+) does not exist.*", r"there is no table \1", ""),
    (r"Table with name \"?(\S+?)\"? already exists.*", r"there is a table \1 already", ""),
)
"""DuckDB's message; BigQuery's, or ours; the operators and functions that may be the cause."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """What went wrong, the operators and functions that may be the cause, and the place if it is known."""

    reason: str
    causes: str = ""
    place: Place | None = None


@contextmanager
def failures_in(text: str) -> Iterator[None]:
    """Raise DuckDB's errors ABOUT_SQL as SqlError, with their place in the text if it is known. Others pass, and that a
    Python function is missing: the caller registers it."""
    try:
        yield
    except (*ABOUT_SQL, duckdb.InternalException) as error:
        if is_missing(error):
            raise
        found = _read(error)
        if found is None:
            raise translation_fault() from error
        raise SqlError(found.reason, place=found.place or _cause(text, found.causes)) from error


def failure(error: duckdb.Error) -> SqlError:
    """The SqlError for one of the errors ABOUT_SQL."""
    found = _read(error)
    return SqlError(found.reason, place=found.place) if found is not None else translation_fault()


def translation_fault(place: Place | None = None) -> TranslationFault:
    """The error for SQL of ours that DuckDB does not take."""
    return TranslationFault(
        "the embedded engine cannot run this query as it should",
        hint="this is a bug of this tool: please report it with the script; BigQuery runs it",
        place=place,
    )


def no_room(place: Place | None = None) -> UnsupportedSql:
    """The error for a query with more levels than Python or DuckDB takes."""
    return UnsupportedSql(
        "the embedded engine has no room for an expression of so many levels",
        hint="write IN (…) for a chain of OR, give inner parts names in WITH queries (hundreds at most), or run it on"
        " BigQuery",
        place=place,
    )


def _read(error: duckdb.Error) -> _Failure | None:
    """What an error says; None if it is about SQL of ours."""
    text = _WRAPPED.sub("", _CLASS.sub("", str(error).split("\n\nLINE ")[0].split("\nLINE ")[0].strip(), count=1))
    message, place = read_mark(text)
    if place is not None:
        return _Failure(message, place=place)
    for pattern, words, causes in _WORDS:
        if found := re.fullmatch(pattern, _NOISE.sub("", message), re.DOTALL):
            return _Failure(found.expand(words), found.expand(causes))
    return _Failure(message) if isinstance(error, _OF_VALUES) or message.startswith(REFUSAL) else None


def _cause(text: str, causes: str) -> Place | None:
    """The place of the operator or function that is the cause, if the text has those on one line only."""
    if not causes:
        return None
    from warehouse_refresh.warehouse.duckdb.translate.reading.parsing import parse_by_name
    from warehouse_refresh.warehouse.duckdb.translate.syntax import called, place_of

    names = causes.split(" ")
    nodes = [node for tree in parse_by_name(text) for node in tree.walk(bfs=False) if called(node) in names]
    places = [place for node in nodes if (place := place_of(text, node))]
    return places[0] if len({place.line for place in places}) == 1 else None

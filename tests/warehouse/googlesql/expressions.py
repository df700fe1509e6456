"""Random rows and random expressions over them, as GoogleSQL's texts."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

COLUMNS = {
    "i": "INT64",
    "j": "INT64",
    "f": "FLOAT64",
    "n": "NUMERIC",
    "b": "BOOL",
    "s": "STRING",
    "u": "STRING",
    "d": "DATE",
    "dt": "DATETIME",
    "ts": "TIMESTAMP",
    "t": "TIME",
    "a": "ARRAY<INT64>",
}
TEXT = st.text(st.sampled_from("abcABC xyz012.-_%é日'\"\\/"), max_size=8)


def quoted(text: str) -> str:
    """A text as a GoogleSQL literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(kind: str) -> st.SearchStrategy[str]:
    """Literals of a type, NULL among them."""
    return st.one_of(st.just(f"CAST(NULL AS {kind})"), *[VALUES[kind]] * 6)


def _float(value: float) -> str:
    return f"CAST('{value!r}' AS FLOAT64)"


def _numeric(value: Decimal) -> str:
    return f"NUMERIC '{value:f}'"


INTEGERS = st.one_of(st.integers(-20, 20), st.integers(-(2**53), 2**53), st.sampled_from([2**63 - 1, -(2**63)]))
VALUES: dict[str, st.SearchStrategy[str]] = {
    "INT64": INTEGERS.map(str),
    "FLOAT64": st.one_of(
        st.floats(-1000, 1000, width=32), st.floats(), st.sampled_from([0.1, 2.5, 2.675, 1e15, -0.5])
    ).map(_float),
    "NUMERIC": st.one_of(
        st.decimals(-1000, 1000, places=3), st.decimals(Decimal("-1e20"), Decimal("1e20"), places=9)
    ).map(_numeric),
    "BOOL": st.sampled_from(["TRUE", "FALSE"]),
    "STRING": TEXT.map(quoted),
    "DATE": st.dates(date(1, 1, 1), date(9999, 12, 31)).map(lambda day: f"DATE '{day.isoformat()}'"),
    "DATETIME": st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001
        lambda at: f"DATETIME '{at.isoformat(' ')}'"
    ),
    "TIMESTAMP": st.datetimes(
        datetime(1, 1, 2),  # noqa: DTZ001
        datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.just(UTC),
    ).map(lambda at: f"TIMESTAMP '{at.isoformat(' ')}'"),
    "TIME": st.times(time(), time(23, 59, 59)).map(lambda at: f"TIME '{at.isoformat()}'"),
    "ARRAY<INT64>": st.lists(INTEGERS, max_size=4).map(lambda items: f"ARRAY<INT64>[{', '.join(map(str, items))}]"),
}
# What an expression of a type may be: {INT64} stands for any expression of that type.
FORMS: dict[str, list[str]] = {
    "INT64": [
        "({INT64} + {INT64})",
        "({INT64} - {INT64})",
        "({INT64} * {INT64})",
        "DIV({INT64}, {INT64})",
        "MOD({INT64}, {INT64})",
        "ABS({INT64})",
        "(-{INT64})",
        "IF({BOOL}, {INT64}, {INT64})",
        "COALESCE({INT64}, {INT64})",
        "GREATEST({INT64}, {INT64})",
        "NULLIF({INT64}, {INT64})",
        "LENGTH({STRING})",
        "STRPOS({STRING}, {STRING})",
        "EXTRACT(YEAR FROM {DATE})",
        "EXTRACT(DAYOFWEEK FROM {DATE})",
        "EXTRACT(WEEK FROM {DATE})",
        "EXTRACT(ISOWEEK FROM {DATE})",
        "EXTRACT(HOUR FROM {TIMESTAMP})",
        "EXTRACT(MICROSECOND FROM {DATETIME})",
        "DATE_DIFF({DATE}, {DATE}, DAY)",
        "DATE_DIFF({DATE}, {DATE}, WEEK(MONDAY))",
        "DATE_DIFF({DATE}, {DATE}, MONTH)",
        "TIMESTAMP_DIFF({TIMESTAMP}, {TIMESTAMP}, HOUR)",
        "DATETIME_DIFF({DATETIME}, {DATETIME}, MINUTE)",
        "UNIX_MILLIS({TIMESTAMP})",
        "ARRAY_LENGTH({ARRAY<INT64>})",
        "{ARRAY<INT64>}[SAFE_OFFSET({INT64})]",
        "(SELECT SUM(x) FROM UNNEST({ARRAY<INT64>}) AS x)",
        "CAST({FLOAT64} AS INT64)",
        "CAST({NUMERIC} AS INT64)",
        "CAST({BOOL} AS INT64)",
        "SAFE_CAST({STRING} AS INT64)",
        "({INT64} & {INT64})",
        "({INT64} >> 3)",
        "SAFE_ADD({INT64}, {INT64})",
    ],
    "FLOAT64": [
        "({FLOAT64} + {FLOAT64})",
        "({FLOAT64} - {FLOAT64})",
        "({FLOAT64} * {FLOAT64})",
        "({FLOAT64} / {FLOAT64})",
        "({INT64} / {INT64})",
        "SAFE_DIVIDE({FLOAT64}, {FLOAT64})",
        "ROUND({FLOAT64}, 2)",
        "TRUNC({FLOAT64}, 1)",
        "ROUND({FLOAT64})",
        "FLOOR({FLOAT64})",
        "ABS({FLOAT64})",
        "CAST({INT64} AS FLOAT64)",
        "CAST({NUMERIC} AS FLOAT64)",
        "SAFE_CAST({STRING} AS FLOAT64)",
        "IF({BOOL}, {FLOAT64}, {FLOAT64})",
        "GREATEST({FLOAT64}, {FLOAT64})",
        "IFNULL({FLOAT64}, {INT64})",
    ],
    "NUMERIC": [
        "({NUMERIC} + {NUMERIC})",
        "({NUMERIC} - {NUMERIC})",
        "({NUMERIC} * {NUMERIC})",
        "({NUMERIC} / {NUMERIC})",
        "({NUMERIC} * {INT64})",
        "ROUND({NUMERIC}, 2)",
        "ROUND({NUMERIC}, -1)",
        "TRUNC({NUMERIC}, 1)",
        "CEIL({NUMERIC})",
        "FLOOR({NUMERIC})",
        "MOD({NUMERIC}, {NUMERIC})",
        "CAST({INT64} AS NUMERIC)",
        "SAFE_CAST({FLOAT64} AS NUMERIC)",
        "SAFE_DIVIDE({NUMERIC}, {NUMERIC})",
        "LEAST({NUMERIC}, {INT64})",
    ],
    "BOOL": [
        "({INT64} = {INT64})",
        "({INT64} < {FLOAT64})",
        "({FLOAT64} = {FLOAT64})",
        "({FLOAT64} <> {FLOAT64})",
        "({FLOAT64} >= {FLOAT64})",
        "({NUMERIC} <= {INT64})",
        "({STRING} < {STRING})",
        "({STRING} LIKE '%a_')",
        "STARTS_WITH({STRING}, {STRING})",
        "REGEXP_CONTAINS({STRING}, r'[a-c]+$')",
        "({DATE} > {DATE})",
        "({TIMESTAMP} = {TIMESTAMP})",
        "({BOOL} AND {BOOL})",
        "({BOOL} OR {BOOL})",
        "(NOT {BOOL})",
        "({INT64} IN ({INT64}, {INT64}))",
        "({FLOAT64} IN ({FLOAT64}, {INT64}))",
        "({INT64} IN UNNEST({ARRAY<INT64>}))",
        "({INT64} BETWEEN {INT64} AND {INT64})",
        "({FLOAT64} BETWEEN {FLOAT64} AND {FLOAT64})",
        "({STRING} IS NULL)",
        "({FLOAT64} IS NOT DISTINCT FROM {FLOAT64})",
        "({BOOL} IS TRUE)",
        "((i, {STRING}) = ({INT64}, s))",
    ],
    "STRING": [
        "UPPER({STRING})",
        "LOWER({STRING})",
        "CONCAT({STRING}, {STRING})",
        "({STRING} || {INT64})",
        "SUBSTR({STRING}, MOD({INT64}, 10))",
        "SUBSTR({STRING}, MOD({INT64}, 10), ABS(MOD({INT64}, 10)))",
        "TRIM({STRING})",
        "REPLACE({STRING}, {STRING}, {STRING})",
        "REVERSE({STRING})",
        "LPAD({STRING}, 6, 'xy')",
        "LEFT({STRING}, 3)",
        "REGEXP_REPLACE({STRING}, r'[a-z]', '*')",
        "REGEXP_EXTRACT({STRING}, r'[0-9a-c]+')",
        "CAST({INT64} AS STRING)",
        "CAST({FLOAT64} AS STRING)",
        "CAST({NUMERIC} AS STRING)",
        "CAST({DATE} AS STRING)",
        "CAST({DATETIME} AS STRING)",
        "CAST({TIMESTAMP} AS STRING)",
        "CAST({TIME} AS STRING)",
        "FORMAT_DATE('%d/%m/%Y', {DATE})",
        "FORMAT_TIMESTAMP('%F %H:%M:%E3S', {TIMESTAMP})",
        "FORMAT('%d-%s', {INT64}, {STRING})",
        "TO_JSON_STRING({STRING})",
        "TO_JSON_STRING({FLOAT64})",
        "TO_JSON_STRING(STRUCT({INT64} AS x, {ARRAY<INT64>} AS y))",
        "ARRAY_TO_STRING(SPLIT({STRING}, 'a'), '+')",
        "TO_HEX(SHA256({STRING}))",
        "CASE WHEN {BOOL} THEN {STRING} WHEN {BOOL} THEN {STRING} END",
    ],
    "DATE": [
        "DATE_TRUNC({DATE}, MONTH)",
        "DATE_TRUNC({DATE}, QUARTER)",
        "LAST_DAY({DATE})",
        "DATE_ADD({DATE}, INTERVAL MOD({INT64}, 1000) DAY)",
        "DATE_SUB({DATE}, INTERVAL MOD({INT64}, 100) MONTH)",
        "DATE({TIMESTAMP})",
        "DATE({DATETIME})",
        "SAFE_CAST({STRING} AS DATE)",
        "SAFE_CAST(CAST({DATE} AS STRING) AS DATE)",
        "GREATEST({DATE}, {DATE})",
        "PARSE_DATE('%d.%m.%Y', FORMAT_DATE('%d.%m.%E4Y', {DATE}))",
    ],
    "DATETIME": [
        "DATETIME({TIMESTAMP})",
        "DATETIME({DATE}, {TIME})",
        "DATETIME_TRUNC({DATETIME}, HOUR)",
        "DATETIME_TRUNC({DATETIME}, YEAR)",
        "DATETIME_ADD({DATETIME}, INTERVAL MOD({INT64}, 1000) MINUTE)",
        "SAFE_CAST(CAST({DATETIME} AS STRING) AS DATETIME)",
    ],
    "TIMESTAMP": [
        "TIMESTAMP({DATETIME})",
        "TIMESTAMP_TRUNC({TIMESTAMP}, DAY)",
        "TIMESTAMP_ADD({TIMESTAMP}, INTERVAL MOD({INT64}, 1000) HOUR)",
        "SAFE_CAST(CAST({TIMESTAMP} AS STRING) AS TIMESTAMP)",
        "TIMESTAMP_MILLIS(MOD({INT64}, 100000000000))",
    ],
    "TIME": ["TIME({DATETIME})", "TIME_TRUNC({TIME}, MINUTE)", "TIME_ADD({TIME}, INTERVAL MOD({INT64}, 1000) SECOND)"],
    "ARRAY<INT64>": [
        "ARRAY_REVERSE({ARRAY<INT64>})",
        "ARRAY_CONCAT({ARRAY<INT64>}, [{INT64}])",
        "ARRAY(SELECT x FROM UNNEST({ARRAY<INT64>}) AS x WHERE x > 0 ORDER BY x)",
        "GENERATE_ARRAY(0, MOD({INT64}, 10))",
    ],
}


@st.composite
def expressions(draw: st.DrawFn, kind: str, depth: int = 2) -> str:
    """An expression of a type over the columns."""
    if depth == 0 or draw(st.integers(0, 9)) == 0:
        columns = [name for name, type_ in COLUMNS.items() if type_ == kind]
        return draw(st.one_of(st.sampled_from(columns), st.sampled_from(columns), literal(kind)))
    form: Any = draw(st.sampled_from(FORMS[kind]))
    for inner in COLUMNS.values():
        while f"{{{inner}}}" in form:
            form = form.replace(f"{{{inner}}}", draw(expressions(inner, depth - 1)), 1)
    return str(form)


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query of one random expression over a few random rows."""
    kind = draw(st.sampled_from(sorted(COLUMNS.values())))
    expression = draw(expressions(kind))
    fields = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
    rows = draw(st.lists(st.tuples(*(literal(type_) for type_ in COLUMNS.values())), min_size=1, max_size=4))
    first, *rest = (f"({', '.join(row)})" for row in rows)
    source = ", ".join([f"STRUCT<{fields}>{first}", *rest])
    return f"SELECT {expression} AS x FROM UNNEST([{source}])"

"""What an expression of a type may be in random queries: texts with holes, {INT64} for any expression of that type.

None of them fails, whatever is in the holes: which of several values is computed first, or at all, is left open by
GoogleSQL, so that an error would not be determined.
"""

from tests.warehouse.googlesql.random_tables import ROW

# Constants, more of them than the tables hold, and longer.
CONSTANTS: dict[str, tuple[str, ...]] = {
    "INT64": ("0", "1", "2", "3", "-1", "10", "9223372036854775807", "-9223372036854775808", "0x1F"),
    "FLOAT64": ("0.5", "1.0", "-2.5", "1e10", ".25", "CAST('nan' AS FLOAT64)", "CAST('-inf' AS FLOAT64)"),
    "NUMERIC": (
        *("NUMERIC '1.5'", "NUMERIC '-12345678901234567890.000000001'", "NUMERIC '0.000000001'", "NUMERIC '2'"),
        "CAST('98765432109876543.21' AS NUMERIC)",
    ),
    "BOOL": ("TRUE", "FALSE"),
    "STRING": ("'a'", "''", "'b'", '"it\'s"', "r'a\\d'", "'''x'''", "'日本'", "'abc'"),
    "BYTES": ("b'a'", "b''", r"b'\x00\xff'"),
    "DATE": ("DATE '2024-02-29'", "DATE '2024-01-01'", "DATE '1970-01-01'", "DATE '2023-12-31'"),
    "DATETIME": ("DATETIME '2024-02-29 13:14:15.678901'", "DATETIME '2024-01-01'", "DATETIME '1969-12-31T23:59:59'"),
    "TIMESTAMP": (
        *("TIMESTAMP '2024-02-29 23:30:00.5+00'", "TIMESTAMP '2024-03-10 03:00:00 America/New_York'"),
        *("TIMESTAMP '2024-01-01 05:30:00+05:30'", "TIMESTAMP '1969-12-31 23:59:59.999999Z'"),
    ),
    "TIME": ("TIME '00:00:00'", "TIME '13:14:15.678901'", "TIME '23:59:59'"),
    "ARRAY<INT64>": ("[1, 2]", "ARRAY<INT64>[]", "[3, 1, 1]", "GENERATE_ARRAY(1, 3)"),
    "ARRAY<STRING>": ("['a', 'b']", "ARRAY<STRING>[]", "SPLIT('a,b,a')"),
    ROW: (f"CAST(STRUCT(1, 'a') AS {ROW})", "STRUCT(2 AS x, 'b' AS y)"),
    f"ARRAY<{ROW}>": ("[STRUCT(1 AS x, 'a' AS y), (2, 'b')]", f"ARRAY<{ROW}>[]"),
}
ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "+05:45", "-08", "Europe/Paris", "UTC+5:30")
_GENERAL = (
    "IF({BOOL}, {T}, {T})",
    "COALESCE({T}, {T})",
    "IFNULL({T}, {T})",
    "CASE WHEN {BOOL} THEN {T} WHEN {BOOL} THEN {T} END",
    "CASE {INT64} WHEN {INT64} THEN {T} ELSE {T} END",
)
_OF_SCALARS = ("NULLIF({T}, {T})", "GREATEST({T}, {T})", "LEAST({T}, {T}, {T})")
_SMALL = "MOD({INT64}, 100)"
_DAY = "DATE_ADD(DATE '2024-02-28', INTERVAL MOD({INT64}, 400) DAY)"
_MOMENT = "TIMESTAMP_ADD(TIMESTAMP '2024-03-10 01:30:00+00', INTERVAL MOD({INT64}, 100000) MINUTE)"
_OWN: dict[str, tuple[str, ...]] = {
    "INT64": (
        *(f"({_SMALL} + {_SMALL})", f"({_SMALL} * {_SMALL} - 3)", "SAFE_ADD({INT64}, {INT64})", f"(-{_SMALL})"),
        *("SAFE_MULTIPLY({INT64}, {INT64})", "SAFE_SUBTRACT({INT64}, 1)", "SAFE_NEGATE({INT64})", f"ABS({_SMALL})"),
        *(
            "DIV({INT64}, 3)",
            "MOD({INT64}, 7)",
            "SIGN({INT64})",
            "({INT64} & 255)",
            "({INT64} ^ {INT64})",
            "(~{INT64})",
        ),
        *("({INT64} >> 2)", "({INT64} | {INT64} & 6)", "BIT_COUNT({INT64})", "SAFE_CAST({FLOAT64} AS INT64)"),
        *("LENGTH({STRING})", "BYTE_LENGTH({STRING})", "LENGTH({BYTES})", "STRPOS({STRING}, {STRING})"),
        *(
            "INSTR({STRING}, 'a')",
            "CAST({BOOL} AS INT64)",
            "SAFE_CAST({STRING} AS INT64)",
            "SAFE_CAST({NUMERIC} AS INT64)",
        ),
        *("EXTRACT(YEAR FROM {DATE})", "EXTRACT(DAYOFWEEK FROM {DATE})", "EXTRACT(ISOWEEK FROM {DATE})"),
        *("EXTRACT(WEEK(MONDAY) FROM {DATE})", "EXTRACT(QUARTER FROM {DATETIME})", "EXTRACT(MILLISECOND FROM {TIME})"),
        *(
            "EXTRACT(HOUR FROM {TIMESTAMP} AT TIME ZONE '{ZONE}')",
            "EXTRACT(DAY FROM {TIMESTAMP} AT TIME ZONE '{ZONE}')",
        ),
        *(
            "EXTRACT(DAYOFYEAR FROM {DATETIME})",
            "EXTRACT(MINUTE FROM {TIMESTAMP})",
            "EXTRACT(ISOYEAR FROM {TIMESTAMP})",
        ),
        *("DATE_DIFF({DATE}, {DATE}, DAY)", "DATE_DIFF({DATE}, {DATE}, MONTH)", "DATE_DIFF({DATE}, {DATE}, WEEK)"),
        *("DATE_DIFF({DATE}, {DATE}, ISOYEAR)", "DATETIME_DIFF({DATETIME}, {DATETIME}, HOUR)", "UNIX_DATE({DATE})"),
        *("TIMESTAMP_DIFF({TIMESTAMP}, {TIMESTAMP}, DAY)", "UNIX_SECONDS({TIMESTAMP})", "UNIX_MICROS({TIMESTAMP})"),
        *("TIME_DIFF({TIME}, {TIME}, MINUTE)", "ARRAY_LENGTH({ARRAY<INT64>})", f"ARRAY_LENGTH({{ARRAY<{ROW}>}})"),
        *("{ARRAY<INT64>}[SAFE_OFFSET({INT64})]", "{ARRAY<INT64>}[SAFE_ORDINAL(1)]", f"{{{ROW}}}.x"),
        *("(SELECT SUM(e) FROM UNNEST({ARRAY<INT64>}) AS e)", "(SELECT COUNT(*) FROM UNNEST({ARRAY<STRING>}))"),
        *(
            "(SELECT MAX(e + o) FROM UNNEST({ARRAY<INT64>}) AS e WITH OFFSET AS o WHERE e > 0)",
            "RANGE_BUCKET({INT64}, [0, 5])",
        ),
        *(f"{{ARRAY<{ROW}>}}[SAFE_OFFSET(0)].x", f"(SELECT COUNT(DISTINCT e.y) FROM UNNEST({{ARRAY<{ROW}>}}) AS e)"),
    ),
    "FLOAT64": (
        *("({INT64} / 4)", "SAFE_DIVIDE({FLOAT64}, {FLOAT64})", "SAFE_DIVIDE({INT64}, {INT64})", "ABS({FLOAT64})"),
        *(
            "CAST({INT64} AS FLOAT64)",
            "CAST({NUMERIC} AS FLOAT64)",
            "SAFE_CAST({STRING} AS FLOAT64)",
            "SIGN({FLOAT64})",
        ),
        *(
            "FLOOR({FLOAT64})",
            "CEIL({FLOAT64})",
            "TRUNC({FLOAT64})",
            "ROUND({FLOAT64})",
            "IEEE_DIVIDE({FLOAT64}, {FLOAT64})",
        ),
        *(
            "SAFE_ADD({FLOAT64}, {INT64})",
            "SAFE_MULTIPLY({FLOAT64}, {FLOAT64})",
            "SAFE.SQRT({FLOAT64})",
            f"({_SMALL} * 0.5)",
        ),
        *("IFNULL({FLOAT64}, {INT64})", "GREATEST({INT64}, {FLOAT64})"),
    ),
    "NUMERIC": (
        *("SAFE_ADD({NUMERIC}, {NUMERIC})", "SAFE_MULTIPLY({NUMERIC}, {INT64})", "SAFE_DIVIDE({NUMERIC}, {NUMERIC})"),
        *(
            "ROUND({NUMERIC}, 2)",
            "TRUNC({NUMERIC}, 1)",
            "FLOOR({NUMERIC})",
            "ABS({NUMERIC})",
            "CAST({INT64} AS NUMERIC)",
        ),
        *(
            "SAFE_CAST({STRING} AS NUMERIC)",
            "SAFE_CAST({FLOAT64} AS NUMERIC)",
            "LEAST({NUMERIC}, {INT64})",
            "SIGN({NUMERIC})",
        ),
        *(
            "MOD({NUMERIC}, 3)",
            "(-{NUMERIC})",
            f"({_SMALL} + NUMERIC '0.1')",
            "ROUND({NUMERIC}, -1)",
            "CEIL({NUMERIC})",
        ),
    ),
    "BOOL": (
        *("({INT64} = {INT64})", "({INT64} < {FLOAT64})", "({FLOAT64} <> {FLOAT64})", "({NUMERIC} <= {INT64})"),
        *("({STRING} < {STRING})", "({BYTES} >= {BYTES})", "({DATE} > {DATE})", "({TIMESTAMP} = {TIMESTAMP})"),
        *("({DATETIME} != {DATETIME})", "({TIME} <= {TIME})", "({BOOL} = {BOOL})", f"({{{ROW}}} = {{{ROW}}})"),
        *("({BOOL} AND {BOOL})", "({BOOL} OR {BOOL})", "(NOT {BOOL})", "({BOOL} IS NOT TRUE)", "({BOOL} IS FALSE)"),
        *(
            "({STRING} LIKE 'a%')",
            "({STRING} NOT LIKE '%\\\\_')",
            "STARTS_WITH({STRING}, {STRING})",
            "ENDS_WITH({STRING}, 'b')",
        ),
        *("REGEXP_CONTAINS({STRING}, r'^[a-c]+$')", "({STRING} IS NULL)"),
        *(
            "({INT64} IN ({INT64}, 1, {INT64}))",
            "({FLOAT64} NOT IN (1, {FLOAT64}))",
            "({STRING} IN ('a', {STRING}, NULL))",
        ),
        *(
            "({INT64} IN UNNEST({ARRAY<INT64>}))",
            "({STRING} NOT IN UNNEST({ARRAY<STRING>}))",
            "({DATE} NOT BETWEEN {DATE} AND {DATE})",
        ),
        *("({INT64} BETWEEN {INT64} AND {INT64})", "({FLOAT64} BETWEEN {FLOAT64} AND {FLOAT64})", "IS_NAN({FLOAT64})"),
        *("({FLOAT64} IS DISTINCT FROM {FLOAT64})", "({STRING} IS NOT DISTINCT FROM {STRING})", "IS_INF({FLOAT64})"),
        *("({ARRAY<INT64>} IS NULL)", "EXISTS(SELECT 1 FROM UNNEST({ARRAY<INT64>}) AS e WHERE e > {INT64})"),
        "((NUMERIC '1.0', {STRING}) = ({INT64}, {STRING}))",
    ),
    "STRING": (
        *(
            "UPPER({STRING})",
            "LOWER({STRING})",
            "CONCAT({STRING}, {STRING})",
            "({STRING} || '-' || {STRING})",
            "TRIM({STRING})",
        ),
        *(
            "SUBSTR({STRING}, MOD({INT64}, 4))",
            "SUBSTR({STRING}, 2, 2)",
            "REPLACE({STRING}, 'a', {STRING})",
            "REVERSE({STRING})",
        ),
        *(
            "LPAD({STRING}, 4, '*')",
            "RPAD({STRING}, 3)",
            "LEFT({STRING}, 2)",
            "RIGHT({STRING}, 1)",
            "LTRIM({STRING}, 'a')",
        ),
        *("REGEXP_REPLACE({STRING}, r'[a-z]', '<\\\\0>')", "REGEXP_EXTRACT({STRING}, r'[b-z]+')", "INITCAP({STRING})"),
        *("REPEAT({STRING}, 2)", "TRANSLATE({STRING}, 'ab', 'xy')", "SPLIT({STRING}, ',')[SAFE_OFFSET(0)]"),
        *(
            "CAST({INT64} AS STRING)",
            "CAST({FLOAT64} AS STRING)",
            "CAST({NUMERIC} AS STRING)",
            "CAST({BOOL} AS STRING)",
        ),
        *(
            "CAST({DATE} AS STRING)",
            "CAST({DATETIME} AS STRING)",
            "CAST({TIMESTAMP} AS STRING)",
            "CAST({TIME} AS STRING)",
        ),
        *(
            "STRING({TIMESTAMP}, '{ZONE}')",
            "FORMAT_TIMESTAMP('%F %T %Ez', {TIMESTAMP}, '{ZONE}')",
            "FORMAT('%05d', {INT64})",
        ),
        *(
            "FORMAT_DATE('%d.%m.%Y %A', {DATE})",
            "FORMAT_DATETIME('%FT%E3S', {DATETIME})",
            "TO_HEX({BYTES})",
            "TO_BASE64({BYTES})",
        ),
        *(
            "TO_JSON_STRING({ARRAY<INT64>})",
            f"TO_JSON_STRING({{{ROW}}})",
            "ARRAY_TO_STRING({ARRAY<STRING>}, '+')",
            f"{{{ROW}}}.y",
        ),
        *(
            "ARRAY_TO_STRING({ARRAY<STRING>}, ',', '?')",
            "TO_JSON_STRING({FLOAT64})",
            f"TO_JSON_STRING({{ARRAY<{ROW}>}})",
        ),
        *(
            "{ARRAY<STRING>}[SAFE_OFFSET(1)]",
            "(SELECT STRING_AGG(e, '/' ORDER BY e DESC) FROM UNNEST({ARRAY<STRING>}) AS e)",
        ),
        *("SAFE_CONVERT_BYTES_TO_STRING({BYTES})", "FORMAT('%s|%t', {STRING}, {DATE})", "TO_HEX(MD5({STRING}))"),
    ),
    "BYTES": ("CAST({STRING} AS BYTES)", "CONCAT({BYTES}, {BYTES})", "SUBSTR({BYTES}, 2)", "FROM_HEX('0aff')"),
    "DATE": (
        *("DATE_TRUNC({DATE}, MONTH)", "DATE_TRUNC({DATE}, QUARTER)", f"LAST_DAY({_DAY})", "DATE({DATETIME})", _DAY),
        *("DATE({TIMESTAMP}, '{ZONE}')", f"DATE_SUB({_DAY}, INTERVAL {_SMALL} MONTH)", f"DATE_TRUNC({_DAY}, ISOWEEK)"),
        *(
            "SAFE_CAST({STRING} AS DATE)",
            "SAFE.PARSE_DATE('%Y-%m-%d', {STRING})",
            f"DATE_TRUNC({_DAY}, WEEK(THURSDAY))",
        ),
        *(
            "SAFE.DATE(2024, MOD({INT64}, 15), 3)",
            f"({_DAY} + 3)",
            "EXTRACT(DATE FROM {DATETIME})",
            "CAST({TIMESTAMP} AS DATE)",
        ),
        "SAFE.DATE_ADD({DATE}, INTERVAL {INT64} DAY)",
    ),
    "DATETIME": (
        *(
            "DATETIME({TIMESTAMP}, '{ZONE}')",
            "DATETIME({DATE}, {TIME})",
            "DATETIME_TRUNC({DATETIME}, HOUR)",
            "DATETIME({DATE})",
        ),
        *(
            "DATETIME_TRUNC({DATETIME}, MONTH)",
            f"DATETIME_ADD(DATETIME({_DAY}), INTERVAL {_SMALL} MINUTE)",
            "CAST({DATE} AS DATETIME)",
        ),
        *(
            "SAFE_CAST({STRING} AS DATETIME)",
            "CAST({TIMESTAMP} AS DATETIME)",
            "SAFE.DATETIME_SUB({DATETIME}, INTERVAL 1 YEAR)",
        ),
    ),
    "TIMESTAMP": (
        *(
            _MOMENT,
            f"TIMESTAMP_TRUNC({_MOMENT}, DAY, '{{ZONE}}')",
            f"TIMESTAMP({_DAY}, '{{ZONE}}')",
            "TIMESTAMP_MILLIS(MOD({INT64}, 2000000000))",
        ),
        *(f"TIMESTAMP_TRUNC({_MOMENT}, HOUR, '{{ZONE}}')", f"TIMESTAMP(DATETIME({_MOMENT}), '{{ZONE}}')"),
        *(
            f"TIMESTAMP_SUB({_MOMENT}, INTERVAL {_SMALL} HOUR)",
            "TIMESTAMP_SECONDS(MOD({INT64}, 2000000000))",
            f"TIMESTAMP_TRUNC({_MOMENT}, WEEK)",
        ),
    ),
    "TIME": (
        *("TIME({DATETIME})", "TIME_TRUNC({TIME}, MINUTE)", "TIME_ADD({TIME}, INTERVAL MOD({INT64}, 1000) SECOND)"),
        *("TIME({TIMESTAMP}, '{ZONE}')", "SAFE_CAST({STRING} AS TIME)", "EXTRACT(TIME FROM {DATETIME})"),
    ),
    "ARRAY<INT64>": (
        *(
            "ARRAY_REVERSE({ARRAY<INT64>})",
            "ARRAY_CONCAT({ARRAY<INT64>}, {ARRAY<INT64>})",
            "GENERATE_ARRAY(MOD({INT64}, 5), 3)",
        ),
        *("ARRAY(SELECT e FROM UNNEST({ARRAY<INT64>}) AS e WHERE e > 0 ORDER BY e)", f"[{_SMALL}, 5]"),
        *("ARRAY(SELECT e * o FROM UNNEST([1, 2]) AS e WITH OFFSET AS o WHERE e < {INT64} ORDER BY o DESC LIMIT 2)",),
        *("ARRAY(SELECT DISTINCT MOD(e, 2) AS m FROM UNNEST({ARRAY<INT64>}) AS e ORDER BY m)",),
    ),
    "ARRAY<STRING>": (
        *("SPLIT({STRING}, 'b')", "ARRAY_REVERSE({ARRAY<STRING>})", "ARRAY_CONCAT({ARRAY<STRING>}, ['z'])"),
        *(
            "REGEXP_EXTRACT_ALL({STRING}, r'[a-z]')",
            "ARRAY(SELECT UPPER(e) FROM UNNEST({ARRAY<STRING>}) AS e ORDER BY 1 DESC)",
        ),
    ),
    ROW: (
        "STRUCT({INT64} AS x, {STRING} AS y)",
        f"{{ARRAY<{ROW}>}}[SAFE_OFFSET(0)]",
        "(SELECT AS STRUCT {INT64} AS x, {STRING} AS y)",
    ),
    f"ARRAY<{ROW}>": (
        f"ARRAY_REVERSE({{ARRAY<{ROW}>}})",
        f"ARRAY_CONCAT({{ARRAY<{ROW}>}}, [STRUCT({{INT64}} AS x, {{STRING}} AS y)])",
        f"ARRAY(SELECT AS STRUCT e.x, CONCAT(e.y, '!') AS y FROM UNNEST({{ARRAY<{ROW}>}}) AS e ORDER BY e.x, e.y)",
        f"ARRAY(SELECT e FROM UNNEST({{ARRAY<{ROW}>}}) AS e WITH OFFSET AS o WHERE e.x IS NOT NULL ORDER BY o DESC)",
        "ARRAY(SELECT AS STRUCT e AS x, {STRING} AS y FROM UNNEST({ARRAY<INT64>}) AS e WITH OFFSET ORDER BY offset)",
    ),
}
SCALARS = ("INT64", "FLOAT64", "NUMERIC", "BOOL", "STRING", "BYTES", "DATE", "DATETIME", "TIMESTAMP", "TIME")


def _forms(kind: str) -> tuple[str, ...]:
    general = _GENERAL + (_OF_SCALARS if kind in SCALARS else ())
    return tuple(form.replace("{T}", f"{{{kind}}}") for form in general) + _OWN[kind] * 2


FORMS = {kind: _forms(kind) for kind in _OWN}
KINDS = tuple(FORMS)

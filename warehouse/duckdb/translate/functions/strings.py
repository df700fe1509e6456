"""Strings and bytes.

https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions
"""

from sqlglot import exp

from warehouse.duckdb.translate.arithmetic import concatenated
from warehouse.duckdb.translate.expressions import as_type, no_signature
from warehouse.duckdb.translate.functions.registry import argument, define, function
from warehouse.duckdb.translate.scope import Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.text import bind, is_simple, string_sql
from warehouse.duckdb.translate.typed import INT64, STRING, Typed
from warehouse.types import array_of

# GoogleSQL maps a few letters to several, which DuckDB does not: ß is known, any other fails.
_ODD = "".join(char for char in map(chr, range(0x80, 0x20000)) if len(char.upper()) > 1 and char != "ß")
_NO_CASE = "error('the embedded engine cannot change the case of this text as BigQuery does')"
define(
    "UPPER",
    "STRING -> STRING",
    f"CASE WHEN regexp_matches({{a}}, '[{_ODD}]') THEN {_NO_CASE} ELSE upper(replace({{a}}, 'ß', 'SS')) END",
)
define("LOWER", "STRING -> STRING", f"CASE WHEN regexp_matches({{a}}, '[İΣ]') THEN {_NO_CASE} ELSE lower({{a}}) END")
define("LENGTH CHAR_LENGTH CHARACTER_LENGTH", "STRING -> INT64", "length({a})")
define("LENGTH", "BYTES -> INT64", "octet_length({a})")
define("BYTE_LENGTH OCTET_LENGTH", "STRING -> INT64", "strlen({a})")
define("BYTE_LENGTH OCTET_LENGTH", "BYTES -> INT64", "octet_length({a})")
_SPACE = (
    "[\\x{{0009}}-\\x{{000D}}\\x{{0020}}\\x{{0085}}\\x{{00A0}}\\x{{1680}}\\x{{2000}}-\\x{{200A}}"
    "\\x{{2028}}\\x{{2029}}\\x{{202F}}\\x{{205F}}\\x{{3000}}]+"
)
define("TRIM", "STRING -> STRING", f"regexp_replace({{a}}, '^{_SPACE}|{_SPACE}$', '', 'g')")
define("LTRIM", "STRING -> STRING", f"regexp_replace({{a}}, '^{_SPACE}', '')")
define("RTRIM", "STRING -> STRING", f"regexp_replace({{a}}, '{_SPACE}$', '')")
define("TRIM", "STRING STRING -> STRING", "trim({a}, {b})")
define("LTRIM", "STRING STRING -> STRING", "ltrim({a}, {b})")
define("RTRIM", "STRING STRING -> STRING", "rtrim({a}, {b})")
define(
    "REPLACE",
    "STRING STRING STRING -> STRING",
    "CASE WHEN {b} = '' AND {c} IS NOT NULL THEN {a} ELSE replace({a}, {b}, {c}) END",
)
define("REVERSE", "STRING -> STRING", "array_to_string(list_reverse(string_split({a}, '')), '')")
_REPEAT = "CASE WHEN {b} < 0 THEN error('REPEAT: the count is negative') ELSE repeat({a}, {b}) END"
define("REPEAT", "STRING INT64 -> STRING", _REPEAT)
define("STARTS_WITH", "STRING STRING -> BOOL", "starts_with({a}, {b})")
define("ENDS_WITH", "STRING STRING -> BOOL", "ends_with({a}, {b})")
define("STRPOS", "STRING STRING -> INT64", "CASE WHEN {b} = '' AND {a} IS NOT NULL THEN 1 ELSE strpos({a}, {b}) END")
define(
    "ASCII",
    "STRING -> INT64",
    "CASE WHEN {a} = '' THEN 0 WHEN ascii({a}) > 127 THEN error('ASCII: not an ASCII character') ELSE ascii({a}) END",
)
define("UNICODE", "STRING -> INT64", "CASE WHEN {a} = '' THEN 0 ELSE unicode({a})::BIGINT END")
define(
    "CHR",
    "INT64 -> STRING",
    "CASE WHEN {a} = 0 THEN '' WHEN {a} < 0 OR {a} > 1114111 OR {a} BETWEEN 55296 AND 57343 THEN error('CHR: not a code"
    " point') ELSE chr({a}::INTEGER) END",
)
define("TO_HEX", "BYTES -> STRING", "lower(hex({a}))")
define("FROM_HEX", "STRING -> BYTES", "unhex(CASE WHEN length({a}) % 2 = 1 THEN '0' || {a} ELSE {a} END)")
define("TO_BASE64", "BYTES -> STRING", "to_base64({a})")
define("FROM_BASE64", "STRING -> BYTES", "from_base64({a})")
define("MD5", "STRING -> BYTES", "unhex(md5({a}))")
define("SHA1", "STRING -> BYTES", "unhex(sha1({a}))")
define("SHA256", "STRING -> BYTES", "unhex(sha256({a}))")
define("MD5", "BYTES -> BYTES", "unhex(md5({a}))")
define("SHA1", "BYTES -> BYTES", "unhex(sha1({a}))")
define("SHA256", "BYTES -> BYTES", "unhex(sha256({a}))")
define(
    "TO_CODE_POINTS",
    "STRING -> ARRAY<INT64>",
    "CASE WHEN {a} = '' THEN []::BIGINT[] ELSE list_transform(string_split({a}, ''), lambda c_:"
    " unicode(c_)::BIGINT) END",
)
define(
    "CODE_POINTS_TO_STRING",
    "ARRAY<INT64> -> STRING",
    "array_to_string(list_transform({a}, lambda c_: chr(c_::INTEGER)), '')",
)
define(
    "LEFT",
    "STRING INT64 -> STRING",
    "CASE WHEN {b} < 0 THEN error('LEFT: the length is negative') ELSE substring({a}, 1, {b}) END",
)
define(
    "RIGHT",
    "STRING INT64 -> STRING",
    "CASE WHEN {b} < 0 THEN error('RIGHT: the length is negative') WHEN {b} >= length({a}) THEN {a} ELSE substring({a},"
    " length({a}) - {b} + 1, {b}) END",
)
# Position 0 is read as 1, and one before the start as the start: https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#substr
_FROM = "CASE WHEN {b} = 0 OR {b} < -%s THEN 1 WHEN {b} < 0 THEN %s + {b} + 1 ELSE {b} END"
_STRING_FROM, _BYTES_FROM = (_FROM.replace("%s", size) for size in ("length({a})", "octet_length({a})"))
define("SUBSTR SUBSTRING", "STRING INT64 -> STRING", f"substring({{a}}, {_STRING_FROM})")
define(
    "SUBSTR SUBSTRING",
    "STRING INT64 INT64 -> STRING",
    f"CASE WHEN {{c}} < 0 THEN error('SUBSTR: the length is negative') ELSE substring({{a}}, {_STRING_FROM},"
    " {c}) END",
)
_PAD = (
    "CASE WHEN {{b}} < 0 THEN error('{0}: the length is negative') WHEN {{b}} > length({{a}}) AND {{c}} = ''"
    " THEN error('{0}: the pattern is empty') ELSE {1}({{a}}, {{b}}::INTEGER, {{c}}) END"
)
for _name in ("LPAD", "RPAD"):
    _sql = _PAD.format(_name, _name.lower())
    define(_name, "STRING INT64 STRING -> STRING", _sql)
    define(_name, "STRING INT64 -> STRING", _sql.replace("{c}", "' '"))
define(
    "INITCAP",
    "STRING -> STRING",
    "array_to_string(list_transform(regexp_extract_all({a},"
    " '[^\\s\\[\\](){{}}/|\\\\<>!?@\"^#$&~_,.:;*%+-]+|[\\s\\[\\](){{}}/|\\\\<>!?@\"^#$&~_,.:;*%+-]+'), lambda w_:"
    " upper(w_[1]) || lower(w_[2:])), '')",
)
define(
    "TRANSLATE",
    "STRING STRING STRING -> STRING",
    "CASE WHEN {b} IS NULL OR {c} IS NULL THEN NULL ELSE translate({a}, {b}, {c}) END",
)
define(
    "SPLIT",
    "STRING -> ARRAY<STRING>",
    "string_split({a}, ',')",
)
define(
    "SPLIT",
    "STRING STRING -> ARRAY<STRING>",
    "CASE WHEN {a} = '' AND {b} = '' THEN [''] ELSE string_split({a}, {b}) END",
)
# The n-th occurrence counts from the position on, backwards from a negative one.
_INSTR = (
    "CASE WHEN {a} IS NULL OR {b} IS NULL OR {c} IS NULL OR {d} IS NULL THEN NULL WHEN {c} = 0 OR {d} < 1 THEN"
    " error('INSTR: position or occurrence') WHEN {b} = '' THEN error('INSTR: the text sought is empty') ELSE"
    " coalesce(list_filter(CASE WHEN {c} > 0 THEN range({c}, length({a}) + 1) ELSE list_reverse(range(1, length({a}) +"
    " {c} + 2)) END, lambda p_: substring({a}, p_, length({b})) = {b})[{d}], 0) END"
)


@function("INSTR")
def instr(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """INSTR(value, subvalue [, position [, occurrence]])"""
    values = [argument(part, scope) for part in parts]
    if not 2 <= len(values) <= 4:
        wrong(scope.script.text, node, "INSTR takes two to four arguments")
    kinds = (STRING, STRING, INT64, INT64)
    texts = [as_type(node, scope, "INSTR", value, kind).sql for value, kind in zip(values, kinds, strict=False)]
    texts += ["1::BIGINT"] * (4 - len(texts))
    return Typed(within(_INSTR, **dict(zip("abcd", texts, strict=True))), INT64)


def within(template: str, **arguments: str) -> str:
    """A template that holds a lambda of its own, its arguments bound around it."""
    if all(is_simple(sql) for sql in arguments.values()):
        return f"({template.format(**arguments)})"
    fields = ", ".join(f"'{name}': {sql}" for name, sql in arguments.items())
    body = template.format(**{name: f"v_.{name}" for name in arguments})
    return f"list_transform([{{{fields}}}], lambda v_: {body})[1]"


@function("CONCAT")
def concat(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """CONCAT(x, y, …)"""
    values = [argument(part, scope) for part in parts]
    if not values:
        wrong(scope.script.text, node, "CONCAT takes at least one argument")
    if any(value.type.element is not None for value in values):
        return no_signature(node, scope, "CONCAT", values)
    return concatenated(node, scope, values)


@function("FORMAT")
def format_(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """FORMAT with %d, %s, %t of texts and whole numbers, %f; anything else is refused."""
    from warehouse.duckdb.translate.functions.formats import formatted

    return formatted(node, scope, [argument(part, scope) for part in parts])


def pattern_of(node: exp.Expr, scope: Scope, value: Typed) -> str:
    """A regular expression, which must stand in the text, since how many groups it has decides what it means."""
    if not isinstance(value.literal, str):
        unsupported(scope.script.text, node, f"{name_of(node)} with a pattern that is not a literal")
    return value.literal


def groups(pattern: str) -> int:
    """How many capturing groups a pattern of RE2 has."""
    count, index, in_class = 0, 0, False
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            index += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            index += pattern[index + 1 : index + 2] in ("]",)
        elif char == "(":
            rest = pattern[index + 1 : index + 4]
            count += not rest.startswith("?") or rest.startswith(("?P<", "?<"))
        index += 1
    return count


define("REGEXP_CONTAINS", "STRING STRING -> BOOL", "regexp_matches({a}, {b})")


@function("REGEXP_EXTRACT", "REGEXP_SUBSTR")
def regexp_extract(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_EXTRACT(value, pattern [, position [, occurrence]]): the group, or all of the match; NULL without one."""
    values = [argument(part, scope) for part in parts]
    if not 2 <= len(values) <= 4:
        wrong(scope.script.text, node, "REGEXP_EXTRACT takes two to four arguments")
    value = as_type(node, scope, "REGEXP_EXTRACT", values[0], STRING)
    pattern = pattern_of(node, scope, values[1])
    group = checked_groups(node, scope, pattern)
    more = [item.literal for item in values[2:]]
    if any(not isinstance(item, int) or item < 1 for item in more):
        unsupported(scope.script.text, node, "REGEXP_EXTRACT with a position that is not a literal above 0")
    start, nth = [*more, 1, 1][:2]
    if start > 1:
        unsupported(scope.script.text, node, "REGEXP_EXTRACT from a position", "cut the text with SUBSTR first")
    sql = f"regexp_extract_all({{a}}, {string_sql(pattern)}, {group})[{nth}]"
    if nth == 1:
        sql = (
            f"CASE WHEN regexp_matches({{a}}, {string_sql(pattern)}) THEN regexp_extract({{a}}, {string_sql(pattern)},"
            f" {group}) END"
        )
    return Typed(f"({bind(sql.replace('{', '{{').replace('}', '}}').replace('{{a}}', '{a}'), a=value.sql)})", STRING)


def checked_groups(node: exp.Expr, scope: Scope, pattern: str) -> int:
    """0 or 1: which group is meant. More than one group is GoogleSQL's error."""
    found = groups(pattern)
    if found > 1:
        wrong(scope.script.text, node, "the pattern has more than one capturing group", "write (?:…) for the others")
    if found and ("?" in pattern or "|" in pattern or "*" in pattern):
        optional = pattern.rstrip("$").endswith((")?", ")*")) or "|" in pattern or ")?" in pattern or ")*" in pattern
        if optional:
            unsupported(scope.script.text, node, "REGEXP_EXTRACT of a group that may be left out of the match")
    return found


@function("REGEXP_EXTRACT_ALL")
def regexp_extract_all(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_EXTRACT_ALL(value, pattern)"""
    values = [argument(part, scope) for part in parts]
    if len(values) != 2:
        wrong(scope.script.text, node, "REGEXP_EXTRACT_ALL takes two arguments")
    value = as_type(node, scope, "REGEXP_EXTRACT_ALL", values[0], STRING)
    pattern = pattern_of(node, scope, values[1])
    group = checked_groups(node, scope, pattern)
    return Typed(f"regexp_extract_all({value.sql}, {string_sql(pattern)}, {group})", array_of(STRING))


@function("REGEXP_REPLACE")
def regexp_replace(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_REPLACE(value, pattern, replacement)"""
    values = [as_type(node, scope, "REGEXP_REPLACE", argument(part, scope), STRING) for part in parts]
    if len(values) != 3:
        wrong(scope.script.text, node, "REGEXP_REPLACE takes three arguments")
    a, b, c = (value.sql for value in values)
    return Typed(f"regexp_replace({a}, {b}, {c}, 'g')", STRING)


@function("REGEXP_INSTR")
def regexp_instr(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """REGEXP_INSTR(value, pattern)"""
    values = [as_type(node, scope, "REGEXP_INSTR", argument(part, scope), STRING) for part in parts]
    if len(values) != 2:
        unsupported(scope.script.text, node, "REGEXP_INSTR with a position")
    pattern = pattern_of(node, scope, values[1])
    if groups(pattern):
        unsupported(scope.script.text, node, "REGEXP_INSTR of a group")
    text = string_sql(pattern).replace("{", "{{").replace("}", "}}")
    sql = f"CASE WHEN NOT regexp_matches({{a}}, {text}) THEN 0 ELSE strpos({{a}}, regexp_extract({{a}}, {text})) END"
    (
        unsupported(scope.script.text, node, "REGEXP_INSTR")
        if "^" in pattern or "$" in pattern or "\\b" in pattern
        else None
    )
    return Typed(f"({bind(sql, a=values[0].sql)})", INT64)

"""Strings and bytes.

https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions.arithmetic import concatenated
from warehouse_refresh.warehouse.duckdb.translate.expressions.cast_formats.binary import BASE64, HEX
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import as_type, no_signature
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    MOST_BYTES,
    Definitions,
    Functions,
    argument,
    by_name,
    define,
    in_python,
    options_of,
    too_long,
)
from warehouse_refresh.warehouse.duckdb.translate.literals import integer
from warehouse_refresh.warehouse.duckdb.translate.nodes import FunctionCall, Literal
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.types import BYTES, INT64, STRING

# GoogleSQL maps a few letters to several, which DuckDB does not: ß is known, any other fails.
_ODD = "".join(char for char in map(chr, range(0x80, 0x20000)) if len(char.upper()) > 1 and char != "ß")
_NO_CASE = "error('the embedded engine cannot change the case of this text as BigQuery does')"
_CAPITAL = "(CASE WHEN {0} = 'ß' THEN {0} ELSE upper({0}) END)"
_SPACE = (
    "[\\x{{0009}}-\\x{{000D}}\\x{{0020}}\\x{{0085}}\\x{{00A0}}\\x{{1680}}\\x{{2000}}-\\x{{200A}}"
    "\\x{{2028}}\\x{{2029}}\\x{{202F}}\\x{{205F}}\\x{{3000}}]+"
)
_MOST = 2**32 - 1
"""The largest position and length that DuckDB's substring takes; no text is as long."""
# Position 0 is read as 1, and one before the start as the start: https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#substr
_FROM = (
    "CASE WHEN {b} = 0 OR {b} < -length({a}) THEN 1 WHEN {b} < 0 THEN length({a}) + {b} + 1"
    f" WHEN {{b}} > {_MOST} THEN {_MOST} ELSE {{b}} END"
)
_PAD = (
    "CASE WHEN {b} < 0 THEN error('Second argument (output size) for LPAD/RPAD cannot be negative')"
    " WHEN {c} = '' THEN error('Third argument (pad pattern) for LPAD/RPAD cannot be empty')"
    f" WHEN {{b}} > {MOST_BYTES} OR {{b}} > length({{a}}) AND strlen({{a}}) + (({{b}} - length({{a}}))"
    " // nullif(length({c}), 0)) * strlen({c}) + strlen(substring({c}, 1, ({b} - length({a})) %"
    f" nullif(length({{c}}), 0))) > {MOST_BYTES} THEN {too_long('LPAD/RPAD')} ELSE "
    # DuckDB computes constants beforehand, also in the branches that it does not take
)
_LPAD, _RPAD = (f"{_PAD}{name}({{a}}, least({{b}}, {MOST_BYTES})::INTEGER, {{c}}) END" for name in ("lpad", "rpad"))

# Addresses that are surely read alike: spaces, a scheme and // or neither, a user, a host, a port, a path. What is no
# address of a host is read so, too: `mailto:a@b.c` has the user mailto:a.
_SLASHES = "^ *(?:[A-Za-z][A-Za-z0-9+.-]*:)?//"
_PLACE = (
    r"(?:[^/?#@\[\]\\\s]*@)?([^/?#@:%.\[\]\\\s]+(?:[.][^/?#@:%.\[\]\\\s]+)*|\[[0-9A-Fa-f:.]+\])"
    r"(?::[^/?#@:%\[\]\\\s]*)?(?:[/?#].*)? *$"
)
_NO_HOST = "^ *(?:/([^/]|$)|(?:[A-Za-z][A-Za-z0-9+.-]*:)?///)"
_HOST = (
    f"CASE WHEN {{a}} IS NULL OR {{a}} = '' OR regexp_matches({{a}}, '{_NO_HOST}') THEN NULL"
    f" WHEN regexp_matches({{a}}, '{_SLASHES}{_PLACE}', 's') THEN regexp_extract({{a}}, '{_SLASHES}{_PLACE}', 1, 's')"
    f" WHEN regexp_matches({{a}}, '^ *{_PLACE}', 's') AND NOT regexp_matches({{a}}, '{_SLASHES}') THEN"
    f" regexp_extract({{a}}, '^ *{_PLACE}', 1, 's') ELSE"
    " error('NET.HOST: the embedded engine cannot read this address as BigQuery does') END"
)

_TAKING_NUMBERS, _TRIMS, _TESTS = (
    ("LEFT", "RIGHT", "REPEAT"),
    ("TRIM", "LTRIM", "RTRIM"),
    ("STARTS_WITH", "ENDS_WITH"),
)
_OF_BYTES = (
    ("SUBSTR SUBSTRING", "BYTES INT64 -> BYTES", "googlesql_bytes_substr({a}, {b})"),
    ("SUBSTR SUBSTRING", "BYTES INT64 INT64 -> BYTES", "googlesql_bytes_substr({a}, {b}, {c})"),
    ("LPAD", "BYTES INT64 -> BYTES", "googlesql_bytes_lpad({a}, {b})"),
    ("LPAD", "BYTES INT64 BYTES -> BYTES", "googlesql_bytes_lpad({a}, {b}, {c})"),
    ("RPAD", "BYTES INT64 -> BYTES", "googlesql_bytes_rpad({a}, {b})"),
    ("RPAD", "BYTES INT64 BYTES -> BYTES", "googlesql_bytes_rpad({a}, {b}, {c})"),
    ("REPLACE", "BYTES BYTES BYTES -> BYTES", "googlesql_bytes_replace({a}, {b}, {c})"),
    ("TRANSLATE", "BYTES BYTES BYTES -> BYTES", "googlesql_bytes_translate({a}, {b}, {c})"),
    ("SPLIT", "BYTES BYTES -> ARRAY<BYTES>", "googlesql_bytes_split({a}, {b})"),
    ("SAFE_CONVERT_BYTES_TO_STRING", "BYTES -> STRING", "googlesql_bytes_to_text({a})"),
    ("STRPOS", "BYTES BYTES -> INT64", "googlesql_bytes_strpos({a}, {b})"),
    *[(name, "BYTES INT64 -> BYTES", f"googlesql_bytes_{name.lower()}({{a}}, {{b}})") for name in _TAKING_NUMBERS],
    *[(name, "BYTES BYTES -> BYTES", f"googlesql_bytes_{name.lower()}({{a}}, {{b}})") for name in _TRIMS],
    *[(name, "BYTES BYTES -> BOOL", f"googlesql_bytes_{name.lower()}({{a}}, {{b}})") for name in _TESTS],
    *[(name, "BYTES -> BYTES", f"googlesql_bytes_{name.lower()}({{a}})") for name in ("UPPER", "LOWER")],
)
"""Functions of BYTES in Python: names, signatures, templates."""

DEFINITIONS: Definitions = by_name(
    define(
        "UPPER",
        "STRING -> STRING",
        f"CASE WHEN regexp_matches({{a}}, '[{_ODD}]') THEN {_NO_CASE} ELSE upper(replace({{a}}, 'ß', 'SS')) END",
    ),
    define(
        "LOWER", "STRING -> STRING", f"CASE WHEN regexp_matches({{a}}, '[İΣ]') THEN {_NO_CASE} ELSE lower({{a}}) END"
    ),
    define("LENGTH CHAR_LENGTH CHARACTER_LENGTH", "STRING -> INT64", "length({a})"),
    define("LENGTH", "BYTES -> INT64", "octet_length({a})"),
    define("BYTE_LENGTH OCTET_LENGTH", "STRING -> INT64", "strlen({a})"),
    define("BYTE_LENGTH OCTET_LENGTH", "BYTES -> INT64", "octet_length({a})"),
    define("TRIM", "STRING -> STRING", f"regexp_replace({{a}}, '^{_SPACE}|{_SPACE}$', '', 'g')"),
    define("LTRIM", "STRING -> STRING", f"regexp_replace({{a}}, '^{_SPACE}', '')"),
    define("RTRIM", "STRING -> STRING", f"regexp_replace({{a}}, '{_SPACE}$', '')"),
    define("TRIM", "STRING STRING -> STRING", "trim({a}, {b})"),
    define("LTRIM", "STRING STRING -> STRING", "ltrim({a}, {b})"),
    define("RTRIM", "STRING STRING -> STRING", "rtrim({a}, {b})"),
    define(
        "REPLACE",
        "STRING STRING STRING -> STRING",
        "CASE WHEN {b} = '' AND {c} IS NOT NULL THEN {a} ELSE replace({a}, {b}, {c}) END",
    ),
    define("REVERSE", "STRING -> STRING", "array_to_string(list_reverse(string_split({a}, '')), '')"),
    define(
        "REPEAT",
        "STRING INT64 -> STRING",
        "CASE WHEN {b} < 0 THEN error('Second argument (repeat count) for REPEAT cannot be negative')"
        f" WHEN strlen({{a}})::HUGEINT * {{b}} > {MOST_BYTES} THEN"
        f" {too_long('REPEAT')} ELSE repeat({{a}}, least({{b}}, {MOST_BYTES})) END",
    ),
    define("STARTS_WITH", "STRING STRING -> BOOL", "starts_with({a}, {b})"),
    define("ENDS_WITH", "STRING STRING -> BOOL", "ends_with({a}, {b})"),
    define(
        "STRPOS", "STRING STRING -> INT64", "CASE WHEN {b} = '' AND {a} IS NOT NULL THEN 1 ELSE strpos({a}, {b}) END"
    ),
    define(
        "ASCII",
        "STRING -> INT64",
        "CASE WHEN {a} = '' THEN 0 WHEN ascii({a}) > 127 THEN error('Argument to ASCII is not a structurally valid"
        " ASCII string') ELSE ascii({a})::BIGINT END",
    ),
    define(
        "ASCII",
        "BYTES -> INT64",
        "CASE WHEN octet_length({a}) = 0 THEN 0 ELSE CAST('0x' || hex({a})[:2] AS BIGINT) END",
    ),
    define("UNICODE", "STRING -> INT64", "CASE WHEN {a} = '' THEN 0 ELSE unicode({a})::BIGINT END"),
    define(
        "CHR",
        "INT64 -> STRING",
        "CASE WHEN {a} < 0 OR {a} > 1114111 OR {a} BETWEEN 55296 AND 57343 THEN error('Invalid codepoint ' || {a})"
        " ELSE chr({a}::INTEGER) END",
    ),
    define("TO_HEX", "BYTES -> STRING", "lower(hex({a}))"),
    define("FROM_HEX", "STRING -> BYTES", HEX.replace("{x}", "{a}")),
    define("TO_BASE64", "BYTES -> STRING", "to_base64({a})"),
    define("FROM_BASE64", "STRING -> BYTES", BASE64.replace("{x}", "{a}")),
    *in_python("FARM_FINGERPRINT", "STRING -> INT64"),
    *in_python("FARM_FINGERPRINT", "BYTES -> INT64"),
    *in_python("SHA512", "STRING -> BYTES"),
    *in_python("SHA512", "BYTES -> BYTES"),
    define("REVERSE", "BYTES -> BYTES", "googlesql_reverse_bytes({a})"),
    *in_python("TO_CODE_POINTS", "BYTES -> ARRAY<INT64>"),
    *in_python("CODE_POINTS_TO_BYTES", "ARRAY<INT64> -> BYTES"),
    define("TO_BASE32", "BYTES -> STRING", "googlesql_bytes_to_base32({a})"),
    define("FROM_BASE32", "STRING -> BYTES", "googlesql_bytes_from_base32({a})"),
    *in_python("SOUNDEX", "STRING -> STRING"),
    *in_python("NET.IP_FROM_STRING NET.SAFE_IP_FROM_STRING", "STRING -> BYTES"),
    *in_python("NET.IP_TO_STRING", "BYTES -> STRING"),
    *in_python("NET.IP_NET_MASK", "INT64 INT64 -> BYTES"),
    *in_python("NET.IP_TRUNC", "BYTES INT64 -> BYTES"),
    *in_python("NET.IPV4_FROM_INT64", "INT64 -> BYTES"),
    *in_python("NET.IPV4_TO_INT64", "BYTES -> INT64"),
    define("NET.HOST", "STRING -> STRING", _HOST),
    define("MD5", "STRING -> BYTES", "unhex(md5({a}))"),
    define("SHA1", "STRING -> BYTES", "unhex(sha1({a}))"),
    define("SHA256", "STRING -> BYTES", "unhex(sha256({a}))"),
    define("MD5", "BYTES -> BYTES", "unhex(md5({a}))"),
    define("SHA1", "BYTES -> BYTES", "unhex(sha1({a}))"),
    define("SHA256", "BYTES -> BYTES", "unhex(sha256({a}))"),
    define(
        "TO_CODE_POINTS",
        "STRING -> ARRAY<INT64>",
        "CASE WHEN {a} = '' THEN []::BIGINT[] ELSE list_transform(string_split({a}, ''), lambda c_:"
        " unicode(c_)::BIGINT) END",
    ),
    define(
        "CODE_POINTS_TO_STRING",
        "ARRAY<INT64> -> STRING",
        "CASE WHEN len({a}) > list_count({a}) THEN NULL"
        " ELSE array_to_string(list_transform({a}, lambda c_: chr(c_::INTEGER)), '') END",
    ),
    define(
        "LEFT",
        "STRING INT64 -> STRING",
        "CASE WHEN {b} < 0 THEN error('Second argument in LEFT() cannot be negative')"
        f" ELSE substring({{a}}, 1, CASE WHEN {{b}} > {_MOST} THEN {_MOST} ELSE {{b}} END) END",
    ),
    define(
        "RIGHT",
        "STRING INT64 -> STRING",
        "CASE WHEN {b} < 0 THEN error('Second argument in RIGHT() cannot be negative')"
        " WHEN {b} >= length({a}) THEN {a} ELSE"
        " substring({a}, length({a}) - {b} + 1, {b}) END",
    ),
    define("SUBSTR SUBSTRING", "STRING INT64 -> STRING", f"substring({{a}}, {_FROM})"),
    define(
        "SUBSTR SUBSTRING",
        "STRING INT64 INT64 -> STRING",
        f"CASE WHEN {{c}} < 0 THEN error('Third argument in SUBSTR() cannot be negative')"
        f" ELSE substring({{a}}, {_FROM}, CASE WHEN {{c}} > {_MOST} THEN {_MOST} ELSE {{c}} END) END",
    ),
    define("LPAD", "STRING INT64 STRING -> STRING", _LPAD),
    define("LPAD", "STRING INT64 -> STRING", _LPAD.replace("{c}", "' '")),
    define("RPAD", "STRING INT64 STRING -> STRING", _RPAD),
    define("RPAD", "STRING INT64 -> STRING", _RPAD.replace("{c}", "' '")),
    define(
        "INITCAP",
        "STRING STRING -> STRING",
        "CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL ELSE array_to_string(list_transform(regexp_extract_all({a},"
        " '(?s).'), lambda c_, i_: CASE WHEN contains({b}, c_) THEN c_"
        " WHEN i_ = 1 OR contains({b}, substr({a}, i_ - 1, 1))"
        f" THEN {_CAPITAL.format('c_')} ELSE lower(c_) END), '') END",
    ),
    define(
        "INITCAP",
        "STRING -> STRING",
        "array_to_string(list_transform(regexp_extract_all({a},"
        " '[^\\s\\[\\](){{}}/|\\\\<>!?@\"^#$&~_,.:;*%+-]+|[\\s\\[\\](){{}}/|\\\\<>!?@\"^#$&~_,.:;*%+-]+'), lambda w_:"
        f" {_CAPITAL.format('w_[1]')} || lower(w_[2:])), '')",
    ),
    define(
        "TRANSLATE",
        "STRING STRING STRING -> STRING",
        "CASE WHEN len(list_distinct(string_split({b}, ''))) < length({b})"
        " THEN error('TRANSLATE: a character stands twice in the source characters') ELSE translate({a}, {b}, {c}) END",
    ),
    define("SPLIT", "STRING -> ARRAY<STRING>", "string_split({a}, ',')"),
    define(
        "SPLIT",
        "STRING STRING -> ARRAY<STRING>",
        "CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN {a} = '' AND {b} = '' THEN ['']"
        " ELSE string_split({a}, {b}) END",
    ),
    *[define(names, signature, template) for names, signature, template in _OF_BYTES],
)
"""The functions that take and give strings and bytes, by name: of STRING first, since NULL means a STRING to them."""

# The n-th occurrence counts from the position on, backwards from a negative one. An empty text is found behind the last
# letter, too.
_INSTR = (
    "(CASE WHEN {a} IS NULL OR {b} IS NULL OR {c} IS NULL OR {d} IS NULL THEN NULL WHEN {c} = 0 OR {d} < 1 THEN"
    " error('INSTR: position or occurrence') ELSE"
    " coalesce(list_filter(CASE WHEN {c} > 0 THEN range({c}, length({a}) + 2) ELSE list_reverse(range(1, length({a}) +"
    " {c} + CASE WHEN {b} = '' THEN 3 ELSE 2 END)) END, lambda p_: substring({a}, p_, length({b})) = {b} AND p_ +"
    " length({b}) <= length({a}) + 1)[{d}], 0) END)"
)


def instr(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """INSTR(value, subvalue [, position [, occurrence]])"""
    values = [argument(part, scope) for part in parts]
    if not 2 <= len(values) <= 4:
        wrong(scope.script.text, node, "INSTR takes two to four arguments")
    values += [integer(1)] * (4 - len(values))
    is_binary = any(value.type == BYTES for value in values[:2])
    kinds = (BYTES if is_binary else STRING, BYTES if is_binary else STRING, INT64, INT64)
    a, b, c, d = (as_type(node, scope, "INSTR", *pair).node for pair in zip(values, kinds, strict=True))
    return Typed(sql("googlesql_bytes_instr({a}, {b}, {c}, {d})" if is_binary else _INSTR, a=a, b=b, c=c, d=d), INT64)


def concat(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """CONCAT(x, y, …)"""
    values = [argument(part, scope) for part in parts]
    if not values:
        wrong(scope.script.text, node, "CONCAT takes at least one argument")
    if any(value.type.element is not None for value in values):
        return no_signature(node, scope, "CONCAT", values)
    return concatenated(node, scope, values)


_FORMS = ("NFC", "NFKC", "NFD", "NFKD")


def normalize(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """NORMALIZE(value [, form]), NORMALIZE_AND_CASEFOLD(value [, form])"""
    name = name_of(node)
    if not 1 <= len(parts) <= 2:
        return no_signature(node, scope, name, [argument(part, scope) for part in parts])
    form = parts[1].name.upper() if len(parts) == 2 else "NFC"
    if form not in _FORMS or (len(parts) == 2 and not isinstance(parts[1], exp.Column)):
        wrong(scope.script.text, node, f"{form} is not a form of {name}", f"it is one of {', '.join(_FORMS)}")
    text = as_type(node, scope, name, argument(parts[0], scope), STRING)
    return Typed(FunctionCall(f"googlesql_{name.lower()}", (text.node, Literal(form))), STRING)


_DISTANCE = (  # DuckDB counts bytes
    "CASE WHEN strlen({a}) = length({a}) AND strlen({b}) = length({b}) THEN CAST(levenshtein({a}, {b}) AS BIGINT)"
    " ELSE googlesql_edit_distance({a}, {b}) END"
)


def edit_distance(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """EDIT_DISTANCE(one, other, max_distance => n)"""
    plain, options = options_of(node, scope, parts, {"max_distance": integer(2**63 - 1)})
    values = [argument(part, scope) for part in plain]
    if len(values) != 2:
        return no_signature(node, scope, "EDIT_DISTANCE", values)
    one, other = (as_type(node, scope, "EDIT_DISTANCE", value, STRING).node for value in values)
    distance = sql(f"({_DISTANCE})", a=one, b=other)
    template = "(CASE WHEN {m} < 0 THEN error('Max distance must be non-negative') ELSE least({d}, {m}) END)"
    found = unless_null([distance, options["max_distance"].node], lambda n: sql(template, d=n[0], m=n[1]))
    return Typed(found, INT64)


FUNCTIONS: Functions = {
    "CONCAT": concat,
    "INSTR": instr,
    "EDIT_DISTANCE": edit_distance,
    **dict.fromkeys(("NORMALIZE", "NORMALIZE_AND_CASEFOLD"), normalize),
}

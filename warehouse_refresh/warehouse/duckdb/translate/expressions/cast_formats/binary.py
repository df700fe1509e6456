"""BYTES as text, and back: HEX, BASE64, UTF-8 and the like.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_bytes_as_string
"""

from warehouse_refresh.warehouse.duckdb.translate.nodes import Node
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.types import SqlType

_NOT_ASCII = "error('Failed to decode invalid ASCII string')"
_ASCII = rf"CASE WHEN regexp_matches({{x}}, '[^\x00-\x7f]') THEN {_NOT_ASCII} ELSE {{x}} END"
_HEX = "lower(hex({x}))"
_UTF8 = "decode({x})"
_TEXTS = {
    "HEX": _HEX,
    "BASE16": _HEX,
    "BASE64": "to_base64({x})",
    "BASE64M": r"rtrim(regexp_replace(to_base64({x}), '(.{{76}})', E'\\1\n', 'g'), E'\n')",
    "BASE2": "CASE WHEN octet_length({x}) = 0 THEN '' ELSE CAST(CAST({x} AS BIT) AS VARCHAR) END",
    "BASE8": "googlesql_bytes_to_base8({x})",
    # In a lambda, since DuckDB takes a decode(x) that stands in two places out of their TRY.
    "ASCII": f"list_transform([{{x}}], lambda b_: {_ASCII.replace('{x}', 'decode(b_)')})[1]",
    "UTF8": _UTF8,
    "UTF-8": _UTF8,
}
_GROUPS = "([A-Za-z0-9+/]{{4}})*([A-Za-z0-9+/]{{2}}(==)?|[A-Za-z0-9+/]{{3}}=?)?"  # the end may have no =
_CODE = r"regexp_replace({x}, '\s', '', 'g')"
BASE64 = (
    f"CASE WHEN NOT regexp_full_match({_CODE}, '{_GROUPS}') THEN error('Failed to decode invalid base64 string')"
    f" ELSE from_base64(rpad({_CODE}, ((length({_CODE}) + 3) // 4 * 4)::INTEGER, '=')) END"
)
HEX = (  # the digits are checked before: DuckDB's own error holds a piece of a letter, which nobody can read
    "CASE WHEN NOT regexp_full_match({x}, '[0-9a-fA-F]*') THEN error('Failed to decode invalid hexadecimal string')"
    " ELSE unhex({x}) END"
)
_BYTES = {
    "HEX": HEX,
    "BASE16": HEX,
    "BASE64": BASE64,
    "BASE64M": BASE64,
    "BASE2": "googlesql_bytes_from_digits({x}, 1)",
    "BASE8": "googlesql_bytes_from_digits({x}, 3)",
    "ASCII": f"encode({_ASCII})",
    "UTF8": "encode({x})",
    "UTF-8": "encode({x})",
}


def to_text(written: str, kind: SqlType, value: Node, zone: Node) -> Node:  # noqa: ARG001
    """BYTES as STRING. Raises ValueError."""
    return _converted(_TEXTS, written, value)


def from_text(written: str, kind: SqlType, value: Node, zone: Node) -> Node:  # noqa: ARG001
    """A STRING as BYTES. Raises ValueError."""
    return _converted(_BYTES, written, value)


def _converted(templates: dict[str, str], written: str, value: Node) -> Node:
    name = written.upper()
    if name in templates:
        return sql(f"({templates[name]})", x=value)
    raise ValueError(f"there is no format {written!r} of BYTES: write HEX, BASE64, ASCII or UTF-8")

"""CONTAINS_SUBSTR: whether a value's text, or that of a part of it, holds another one, whatever the case.

https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#contains_substr
"""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.python_functions import Refusal
from warehouse_refresh.warehouse.duckdb.python_functions.texts import normalize_and_casefold
from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import CASTS
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions, argument
from warehouse_refresh.warehouse.duckdb.translate.literals import null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Chain, Field, Literal, Node, each, let
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import field_names
from warehouse_refresh.warehouse.types import BOOL, STRING, SqlType

_SEARCHED = ("STRING", "INT64", "BOOL", "NUMERIC", "BIGNUMERIC", "TIMESTAMP", "TIME", "DATE", "DATETIME")


def contains_substr(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """CONTAINS_SUBSTR(value, text): of a struct or an array, TRUE if a part of it holds the text, else NULL if a part
    is NULL."""
    if len(parts) != 2:
        unsupported(scope.script.text, node, "CONTAINS_SUBSTR with other than two arguments")
    value, wanted = (argument(part, scope) for part in parts)
    if not isinstance(wanted.literal, str) or not wanted.literal:
        unsupported(scope.script.text, node, "CONTAINS_SUBSTR of a text that is not a literal")
    if wanted.type.name != "STRING":
        wrong(scope.script.text, node, f"CONTAINS_SUBSTR searches no {wanted.type}", "search a STRING")
    if value.is_null:
        return null(BOOL)
    try:
        text = Literal(normalize_and_casefold(wanted.literal, "NFKC"))
    except Refusal:
        unsupported(scope.script.text, node, f"CONTAINS_SUBSTR of {wanted.literal!r}")
    odd = next((kind for kind in _scalars(value.type) if kind.name not in _SEARCHED), None)
    if odd is not None:
        unsupported(scope.script.text, node, f"CONTAINS_SUBSTR in {odd}", "search TO_JSON_STRING of it")
    return Typed(_holds(value.node, value.type, text), BOOL)


def _scalars(kind: SqlType) -> list[SqlType]:
    """The types of the parts that are searched."""
    if kind.element is not None:
        return _scalars(kind.element)
    if kind.fields:
        return [part for field in kind.fields for part in _scalars(field.type)]
    return [kind]


def _holds(value: Node, kind: SqlType, text: Node) -> Node:
    """Whether the value holds the text."""
    if kind.element is not None:
        element = kind.element
        return let(each(value, lambda item: _holds(item, element, text)), lambda found: sql(_ANY, x=found))
    if kind.fields:

        def parts(struct: Node) -> Node:
            fields = zip(field_names(kind), kind.fields, strict=True)
            return Chain("OR", tuple(_holds(Field(struct, name), field.type, text) for name, field in fields))

        return unless_null([value], lambda found: parts(found[0]))
    written = value if kind == STRING else sql(CASTS[kind.name, "STRING"], x=value)
    return let(written, lambda shown: sql(_FOLDED, x=shown, t=text))


_ANY = (
    "CASE WHEN {x} IS NULL THEN NULL WHEN list_contains({x}, true) THEN true"
    " WHEN len({x}) > list_count({x}) THEN NULL ELSE false END"
)
_FOLDED = (
    "contains(CASE WHEN strlen({x}) = length({x}) THEN lower({x})"
    " ELSE googlesql_normalize_and_casefold({x}, 'NFKC') END, {t})"
)

FUNCTIONS: Functions = {"CONTAINS_SUBSTR": contains_substr}

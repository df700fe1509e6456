"""FORMAT: each specifier as a DuckDB expression, put together when the query is translated.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements
"""

import re
from collections.abc import Iterator, Sequence

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.python_functions.formats import (
    DOCUMENTS,
    FLOATS,
    INTEGERS,
    MOST,
    SPECIFIER,
    TEXTS,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.casts import (
    STRING_OF_DATE,
    STRING_OF_DATETIME,
    STRING_OF_FLOAT64,
    STRING_OF_NUMERIC,
    STRING_OF_TIME,
    STRING_OF_TIMESTAMP,
)
from warehouse_refresh.warehouse.duckdb.translate.expressions.checks import no_signature
from warehouse_refresh.warehouse.duckdb.translate.expressions.intervals import STRING_OF_INTERVAL
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import Functions, argument
from warehouse_refresh.warehouse.duckdb.translate.literals import no_value
from warehouse_refresh.warehouse.duckdb.translate.nodes import (
    Case,
    Chain,
    Field,
    FunctionCall,
    Literal,
    Node,
    each,
    let,
)
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import field_names
from warehouse_refresh.warehouse.types import BIGNUMERIC, FLOAT64, INT64, JSON, NUMERIC, STRING, SqlType

_TAKEN = {
    **dict.fromkeys(INTEGERS, (INT64,)),
    **dict.fromkeys(FLOATS, (FLOAT64, NUMERIC, BIGNUMERIC)),
    **dict.fromkeys(DOCUMENTS, (JSON,)),
    "s": (STRING,),
}
"""The types that a letter takes; t and T take any."""
_MOST_DIGITS = 1074
"""The largest precision of a FLOAT64."""


def formatted(node: exp.Expr, scope: Scope, parts: list[exp.Expr]) -> Typed:
    """FORMAT(format, x, …)"""
    values = [argument(part, scope) for part in parts]
    if not values or (values[0].type != STRING and not values[0].is_null):
        return no_signature(node, scope, "FORMAT", values)
    if values[0].is_null:
        return no_value(STRING)
    text = values[0].literal
    if not isinstance(text, str):
        return _by_any_format(node, scope, values[0], values[1:])
    reader = _Values(node, scope, text, values[1:])
    pieces = list(_pieces(node, scope, reader))
    if left := len(list(reader.values)):
        wrong(scope.script.text, node, f"FORMAT has {len(values) - 1 - left} specifiers and {len(values) - 1} values")
    return Typed(Chain("||", tuple(pieces)) if pieces else Literal(""), STRING)


class _Values:
    """The values of a call, one after the other."""

    def __init__(self, node: exp.Expr, scope: Scope, text: str, values: Sequence[Typed]) -> None:
        self.text, self.values = text, iter(values)
        self._node, self._scope, self._count = node, scope, 1

    def next(self, *kinds: SqlType) -> Typed:
        """The next value, which must be of one of these types; of any type if none is given. Raises SqlError."""
        self._count += 1
        value = next(self.values, None)
        if value is None:
            wrong(self._scope.script.text, self._node, f"too few arguments to FORMAT for pattern {self.text!r}")
        if kinds and value.type not in kinds:
            reason = f"invalid type for argument {self._count} to FORMAT: it is {value.type} and should be"
            wrong(self._scope.script.text, self._node, f"{reason} {' or '.join(map(str, kinds))}", "convert with CAST")
        return value


def _pieces(node: exp.Expr, scope: Scope, reader: _Values) -> Iterator[Node]:
    """The format's plain texts and formatted values, in order."""
    text, position = reader.text, 0
    for match in SPECIFIER.finditer(text):
        plain = text[position : match.start()] + (match[1] or "")
        if plain:
            yield Literal(plain)
        position = match.end()
        if match[1] is None:
            yield _piece(node, scope, reader, match)
    if "%" in text[position:]:
        wrong(scope.script.text, node, f"invalid FORMAT string: {text!r}", "write %% for a percent sign")
    if text[position:]:
        yield Literal(text[position:])


def _piece(node: exp.Expr, scope: Scope, reader: _Values, match: re.Match[str]) -> Node:
    """A value by its specifier."""
    flags, letter = match[2], match[5]
    if letter not in _TAKEN and letter not in TEXTS:
        reason = f"invalid format specifier character {letter!r} in FORMAT string: {match.string!r}"
        wrong(scope.script.text, node, reason, "write %% for a percent sign")
    width = _number(node, scope, reader, match[3], MOST)
    precision = _number(node, scope, reader, match[4], _MOST_DIGITS if letter in FLOATS else MOST)
    value = reader.next(*_TAKEN.get(letter, ()))
    if letter in TEXTS:
        return _text(node, scope, match, value, width, precision)
    if isinstance(width, int) and _is_plain(match, value):
        quick = _quick(flags, match, value.node)
        if quick is not None:
            return quick
    document = sql("googlesql_to_json_string({x})", x=value.node) if letter in DOCUMENTS else value.node
    return _in_python(flags, width, precision, letter, document)


def _number(node: exp.Expr, scope: Scope, reader: _Values, written: str | None, most: int) -> int | Node | None:
    """A width or a precision; None where there is none."""
    if written == "*":
        return reader.next(INT64).node
    number = int(written or 0) if written is not None else None
    if number is not None and number > most:
        wrong(scope.script.text, node, f"FORMAT takes no width or precision above {most} here")
    return number


def _in_python(flags: str, width: int | Node | None, precision: int | Node | None, letter: str, value: Node) -> Node:
    numbers = [
        number if isinstance(number, Node) else Literal(absent if number is None else number, "BIGINT")
        for number, absent in ((width, 0), (precision, -1))
    ]
    return FunctionCall("googlesql_format", (Literal(flags), *numbers, Literal(letter), value))


def _is_plain(match: re.Match[str], value: Typed) -> bool:
    """Whether DuckDB's own functions format it alike, most of the time."""
    precision = match[4]
    return precision != "*" and not set(match[2]) - set("-+ 0'") and value.type in (INT64, FLOAT64)


def _quick(flags: str, match: re.Match[str], number: Node) -> Node | None:
    """A number by DuckDB's own functions; None where they give another text."""
    width, precision, letter = match[3], match[4], match[5]
    if {"+", " "} <= set(flags) or {"-", "0"} <= set(flags):  # of which one counts
        return None
    if letter in "di" and precision is None:
        if "'" in flags:
            return sql("format('{{:,}}', {x})", x=number) if flags == "'" and not width else None
        return sql("printf({f}, {x})", f=Literal(f"%{flags}{width}d"), x=number)
    if letter not in FLOATS or letter == "F" or set(flags) - set("-+") or precision == "":
        return None
    if letter == "f":
        return _fixed(flags, int(width or 0), 6 if precision is None else int(precision), match[0], number)
    if letter in "gG" and precision == "0":
        return None
    return sql("printf({f}, {x} + 0.0::DOUBLE)", f=Literal(match[0]), x=number)  # which makes 0.0 of -0.0


def _fixed(flags: str, width: int, precision: int, specifier: str, number: Node) -> Node:
    """A FLOAT64 by %f. DuckDB writes the first digits of a large number only, so that one goes by way of an integer."""
    digits = f"CAST(CAST(abs({{x}}) AS HUGEINT) AS VARCHAR) || '{'.' * bool(precision)}{'0' * precision}'"
    signed = f"CASE WHEN {{x}} < 0 THEN '-' ELSE '{'+' if '+' in flags else ''}' END || {digits}"
    text = f"{'rpad' if '-' in flags else 'lpad'}({signed}, greatest({width}, length({signed}))::INTEGER, ' ')"
    template = (
        "(CASE WHEN {x} IS NULL THEN NULL WHEN abs({x}) < 1e20 OR NOT isfinite({x})"
        f" THEN printf({{f}}, {{x}} + 0.0::DOUBLE) WHEN abs({{x}}) < 1e38 THEN {text if width else signed}"
        " ELSE error('the embedded engine cannot write so large a number: this needs BigQuery') END)"
    )
    return sql(template, f=Literal(specifier), x=number)


def _text(
    node: exp.Expr,
    scope: Scope,
    match: re.Match[str],
    value: Typed,
    width: int | Node | None,
    precision: int | Node | None,
) -> Node:
    """A value as text, by %s, %t or %T."""
    found = value.node if match[5] == "s" else text_of(node, scope, value, quoted=match[5] == "T")
    text = found if match[5] == "s" else sql("coalesce({x}, 'NULL')", x=found)
    if isinstance(width, Node) or isinstance(precision, Node):
        return _in_python(match[2], width, precision, match[5], text)
    if precision is not None:
        text = sql(f"substring({{x}}, 1, {precision})", x=text)
    if not width:
        return text
    word = "rpad" if "-" in match[2] else "lpad"
    return sql(f"{word}({{x}}, greatest(length({{x}}), {width})::INTEGER, ' ')", x=text)


def _by_any_format(node: exp.Expr, scope: Scope, text: Typed, values: Sequence[Typed]) -> Typed:
    """FORMAT with a format that is known only as the query runs."""
    kinds = "".join([next((key for key, types in _KINDS.items() if value.type in types), "o") for value in values])
    nodes: list[Node] = []
    for value in values:
        texts = [text_of(node, scope, value, quoted=quoted) for quoted in (False, True)]
        itself = sql("googlesql_to_json_string({x})", x=value.node) if value.type == JSON else value.node
        nodes += [itself, *(sql("coalesce({x}, 'NULL')", x=found) for found in texts)]
    return Typed(FunctionCall("googlesql_format_all", (text.node, Literal(kinds), *nodes)), STRING)


_KINDS = {"i": _TAKEN["d"], "f": _TAKEN["f"], "s": _TAKEN["s"], "j": _TAKEN["p"]}


FLOAT_TEXT = "regexp_replace(" + STRING_OF_FLOAT64 + ", '^(-?[0-9]+)$', '\\1.0')"
"""A FLOAT64's text, with a point also where it is whole."""
_SIGNED_FLOAT = f"CASE WHEN CAST({{x}} AS VARCHAR) = '-0.0' THEN '-0.0' ELSE {FLOAT_TEXT} END"
_BIG = "googlesql_bignumeric_to_string({x})"
_DOCUMENT = "googlesql_to_json_string({x})"
_PRINTED = {
    "INT64": "CAST({x} AS VARCHAR)",
    "BOOL": "CAST({x} AS VARCHAR)",
    "FLOAT64": _SIGNED_FLOAT,
    "NUMERIC": STRING_OF_NUMERIC,
    "BIGNUMERIC": _BIG,
    "STRING": "{x}",
    "BYTES": "googlesql_bytes_text({x})",
    "DATE": STRING_OF_DATE,
    "DATETIME": STRING_OF_DATETIME,
    "TIMESTAMP": STRING_OF_TIMESTAMP,
    "TIME": STRING_OF_TIME,
    "INTERVAL": STRING_OF_INTERVAL,
    "JSON": _DOCUMENT,
}
"""By %t: a value as people read it."""
_WRITTEN = {
    **_PRINTED,
    **{
        name: f"('{name} \"' || {_PRINTED[name]} || '\"')"
        for name in ("NUMERIC", "BIGNUMERIC", "DATE", "DATETIME", "TIMESTAMP", "TIME")
    },
    "FLOAT64": f"CASE WHEN isfinite({{x}}) THEN {_SIGNED_FLOAT} ELSE"
    f" 'CAST(\"' || {STRING_OF_FLOAT64} || '\" AS FLOAT64)' END",
    "STRING": "googlesql_string_literal({x})",
    "BYTES": "googlesql_bytes_literal({x})",
    "INTERVAL": f"('INTERVAL \"' || {STRING_OF_INTERVAL} || '\" YEAR TO SECOND')",
    "JSON": f"('JSON ' || googlesql_string_literal({_DOCUMENT}))",
}
"""By %T: a value as SQL."""


def text_of(node: exp.Expr, scope: Scope, value: Typed, *, quoted: bool) -> Node:
    """A value by %t, or by %T with `quoted`; NULL for NULL."""
    kind = value.type
    if kind.element is not None:
        return _array_text(node, scope, value.node, kind.element, quoted=quoted)
    if kind.name == "STRUCT":
        return let(value.node, lambda struct: _struct_text(node, scope, struct, kind, quoted=quoted))
    template = (_WRITTEN if quoted else _PRINTED).get(kind.name)
    if template is None:
        unsupported(scope.script.text, node, f"FORMAT %{'T' if quoted else 't'} of {kind}")
    return sql(f"({template})", x=value.node)


def _part(node: exp.Expr, scope: Scope, value: Typed, *, quoted: bool) -> Node:
    return sql("coalesce({x}, 'NULL')", x=text_of(node, scope, value, quoted=quoted))


def _array_text(node: exp.Expr, scope: Scope, array: Node, element: SqlType, *, quoted: bool) -> Node:
    texts = each(array, lambda item: _part(node, scope, Typed(item, element), quoted=quoted))
    return sql("('[' || array_to_string({x}, ', ') || ']')", x=texts)


def _struct_text(node: exp.Expr, scope: Scope, struct: Node, kind: SqlType, *, quoted: bool) -> Node:
    pieces: list[Node] = [Literal("STRUCT(" if quoted and len(kind.fields) < 2 else "(")]
    for index, (name, field) in enumerate(zip(field_names(kind), kind.fields, strict=True)):
        pieces += [Literal(", ")] if index else []
        pieces.append(_part(node, scope, Typed(Field(struct, name), field.type), quoted=quoted))
    text = Chain("||", (*pieces, Literal(")")))
    return Case(((sql("{x} IS NULL", x=struct), Literal(None)),), text)


FUNCTIONS: Functions = {"FORMAT": formatted}

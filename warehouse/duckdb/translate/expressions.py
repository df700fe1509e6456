"""Expressions: each GoogleSQL node as a typed DuckDB expression. A node without an entry here is refused.

https://cloud.google.com/bigquery/docs/reference/standard-sql/operators
"""

import re
from collections.abc import Callable, Sequence
from functools import reduce

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.casts import cast_value, to_string
from warehouse.duckdb.translate.scope import EXPRESSIONS, Scope
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.typed import BOOL, FLOAT64, INT64, NUMERIC, STRING, Typed, bind, coerce
from warehouse.errors import UnsupportedSql
from warehouse.types import Column, SqlType, array_of, struct_of, type_of

Handler = Callable[[exp.Expr, Scope], Typed]
HANDLERS: dict[type[exp.Expr], Handler] = {}


def handles(*classes: type[exp.Expr]) -> Callable[[Handler], Handler]:
    """Register how nodes of these classes are compiled."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(classes, handler))
        return handler

    return register


def compile_expression(node: exp.Expr, scope: Scope) -> Typed:
    """A GoogleSQL expression as DuckDB's. Raises SqlError, UnsupportedSql."""
    handler = HANDLERS.get(type(node))
    if handler is None:
        unsupported(scope.script.text, node, f"{type(node).__name__}: {node.sql('bigquery')[:60].replace('f:', '')}")
    try:
        return handler(node, scope)
    except UnsupportedSql as error:
        if error.place is None:
            unsupported(scope.script.text, node, error.reason.removeprefix("the embedded engine has no "), error.hint)
        raise


EXPRESSIONS["any"] = compile_expression


def only(node: exp.Expr, scope: Scope, *known: str) -> None:
    """Refuse a node that carries anything but these arguments."""
    for name, value in node.args.items():
        if value and name not in known:
            unsupported(scope.script.text, node, f"{name.strip('_').upper()} in {type(node).__name__.upper()}")


def no_signature(node: exp.Expr, scope: Scope, what: str, values: Sequence[Typed]) -> Typed:
    """GoogleSQL's error for operands of the wrong types."""
    kinds = ", ".join("NULL" if value.is_null else str(value.type) for value in values)
    wrong(scope.script.text, node, f"{what} does not take {kinds}", "convert with CAST")


def common(node: exp.Expr, scope: Scope, what: str, values: Sequence[Typed]) -> tuple[SqlType, list[Typed]]:
    """The values as their common supertype. Raises SqlError where there is none."""
    kind = t.supertype(values)
    found = [coerce(value, kind) for value in values] if kind is not None else []
    if kind is None or None in found:
        no_signature(node, scope, what, values)
        raise AssertionError
    return kind, [value for value in found if value is not None]


def as_type(node: exp.Expr, scope: Scope, what: str, value: Typed, kind: SqlType) -> Typed:
    """The value as that type. Raises SqlError where GoogleSQL does not coerce it."""
    found = coerce(value, kind)
    return found if found is not None else no_signature(node, scope, what, [value])


def boolean(node: exp.Expr, scope: Scope, what: str) -> Typed:
    """A condition."""
    return as_type(node, scope, what, scope.compile(node), BOOL)


@handles(exp.Column)
def column(node: exp.Expr, scope: Scope) -> Typed:
    """A path: a column, a range variable, fields."""
    parts = [node.args[key] for key in ("catalog", "db", "table", "this") if node.args.get(key)]
    if isinstance(parts[-1], exp.Star):
        wrong(scope.script.text, node, "* is not allowed here")
    return scope.resolve(node, [part.name for part in parts])


@handles(exp.Identifier)
def identifier(node: exp.Expr, scope: Scope) -> Typed:
    """A lambda's argument."""
    return scope.resolve(node, [node.name])


@handles(exp.Dot)
def dot(node: exp.Expr, scope: Scope) -> Typed:
    """A field of an expression; or a path too long for a Column."""
    names: list[str] = []
    inner: exp.Expr = node
    while isinstance(inner, exp.Dot) and isinstance(inner.expression, exp.Identifier):
        names.insert(0, inner.expression.name)
        inner = inner.this
    if not names:
        unsupported(scope.script.text, node, f"{node.sql('bigquery').replace('f:', '')}")
    if isinstance(inner, exp.Column):
        path = [inner.args[key].name for key in ("catalog", "db", "table", "this") if inner.args.get(key)]
        return scope.resolve(node, [*path, *names])
    return scope.fields(node, scope.compile(inner), names)


@handles(exp.Paren)
def paren(node: exp.Expr, scope: Scope) -> Typed:
    """(x)"""
    return scope.compile(node.this)


@handles(exp.Null)
def null(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """NULL"""
    return Typed("NULL::BIGINT", INT64, t.NULL)


@handles(exp.Boolean)
def boolean_literal(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """TRUE, FALSE"""
    return Typed("true" if node.this else "false", BOOL)


@handles(exp.Literal)
def literal(node: exp.Expr, scope: Scope) -> Typed:
    """Numbers and strings."""
    text = str(node.this)
    if node.args.get("is_string"):
        return Typed(t.string_sql(text), STRING, text)
    if text.isdigit():
        return integer(int(text), node, scope)
    try:
        value = float(text)
    except ValueError:  # sqlglot takes 1e5+1 for one number
        unsupported(scope.script.text, node, f"number {text}", "write blanks around the operator")
    if value == float("inf"):
        wrong(scope.script.text, node, f"invalid floating point literal {text}")
    return Typed(f"{value!r}::DOUBLE", FLOAT64, value)


def integer(value: int, node: exp.Expr, scope: Scope) -> Typed:
    """An INT64 literal."""
    if not -(2**63) <= value < 2**63:
        wrong(scope.script.text, node, f"invalid integer literal {value}")
    return Typed(f"{value}::BIGINT" if value >= 0 else f"'{value}'::BIGINT", INT64, value)


@handles(exp.HexString)
def hexadecimal(node: exp.Expr, scope: Scope) -> Typed:
    """0x1F"""
    return integer(int(str(node.this), 16), node, scope)


@handles(exp.RawString)
def raw_string(node: exp.Expr, scope: Scope) -> Typed:  # noqa: ARG001
    """r'…'"""
    return Typed(t.string_sql(str(node.this)), STRING, str(node.this))


_BYTES = re.compile(r"""[bB]('''|\"\"\"|'|")(.*)\1\Z""", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|([0-7]{3})|(.))", re.DOTALL)
_CHARACTERS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)) | {char: char for char in "\\?\"'`"}


@handles(exp.ByteString)
def byte_string(node: exp.Expr, scope: Scope) -> Typed:
    """b'…', read from the text itself: sqlglot has made one of \\xff and ÿ."""
    written = scope.script.text[int(node.meta["start"]) : int(node.meta["end"]) + 1] if "start" in node.meta else ""
    matched = _BYTES.match(written)
    if matched is None:
        unsupported(scope.script.text, node, f"bytes literal {written}")
    data, position = b"", 0
    for escape in _ESCAPE.finditer(matched[2]):
        data += matched[2][position : escape.start()].encode()
        position = escape.end()
        code = int(escape[1], 16) if escape[1] else int(escape[2], 8) if escape[2] else None
        if code is None and escape[3] not in _CHARACTERS:
            wrong(scope.script.text, node, f"illegal escape sequence {escape[0]}")
        data += bytes([code % 256]) if code is not None else _CHARACTERS[escape[3]].encode()
    return Typed(t.bytes_sql(data + matched[2][position:].encode()), t.BYTES)


@handles(exp.Neg)
def negative(node: exp.Expr, scope: Scope) -> Typed:
    """-x"""
    inner = node.this
    if isinstance(inner, exp.Literal) and not inner.args.get("is_string") and str(inner.this).isdigit():
        return integer(-int(inner.this), node, scope)
    value = scope.compile(inner)
    if value.is_null:
        wrong(scope.script.text, node, "operands of - cannot be literal NULL")
    if value.type.name == "INTERVAL":
        return Typed(f"(-{value.sql})", value.type)
    if value.type.name not in t.NUMBERS:
        return no_signature(node, scope, "-", [value])
    flipped = -value.literal if isinstance(value.literal, float) else None
    if value.type == INT64:
        return Typed(f"(0::BIGINT - {value.sql})", INT64)
    return Typed(f"(-({value.sql}))", value.type, flipped)


@handles(exp.Not)
def negation(node: exp.Expr, scope: Scope) -> Typed:
    """NOT x"""
    return Typed(f"(NOT {boolean(node.this, scope, 'NOT').sql})", BOOL)


@handles(exp.And, exp.Or)
def connector(node: exp.Expr, scope: Scope) -> Typed:
    """x AND y, x OR y: chains are flat, since they may be long."""
    word = "AND" if isinstance(node, exp.And) else "OR"
    parts = [boolean(part, scope, word).sql for part in node.flatten()]
    return Typed(f"({f' {word} '.join(parts)})", BOOL)


N_MUL = (
    "CASE WHEN abs(CAST({a} AS DOUBLE) * CAST({b} AS DOUBLE)) < 9e18 OR {a} IS NULL OR {b} IS NULL"
    " THEN CAST(CAST({a} AS DECIMAL(38,9)) * CAST({b} AS DECIMAL(38,9)) AS DECIMAL(38,9)) ELSE "
    "list_transform([{{'i': CAST(trunc({a}) AS HUGEINT), 'j': CAST(trunc({b}) AS HUGEINT),"
    " 'f': CAST(({a} - trunc({a})) * 1000000000 AS HUGEINT), 'g': CAST(({b} - trunc({b})) * 1000000000 AS HUGEINT)}}],"
    " lambda m_: CAST(m_.i * m_.j AS DECIMAL(38,9)) + list_transform([m_.i * m_.g + m_.f * m_.j"
    " + CAST(CAST(m_.f * m_.g AS DECIMAL(38,0)) * 0.000000001 AS HUGEINT)],"
    " lambda n_: CAST(n_ // 1000000000 AS DECIMAL(38,9))"
    " + CAST(CAST(n_ % 1000000000 AS DECIMAL(18,0)) * 0.000000001::DECIMAL(9,9) AS DECIMAL(38,9)))[1])[1] END"
)
UNSCALED = "(CAST(trunc({x}) AS HUGEINT) * 1000000000 + CAST(({x} - trunc({x})) * 1000000000 AS HUGEINT))"
_UNITS = "CAST({x} AS DECIMAL(20,0)) * 0.000000001::DECIMAL(9,9)"
N_DIV = (
    "CASE WHEN {b} = 0 THEN error('division by zero') WHEN {a} IS NULL OR {b} IS NULL THEN NULL ELSE "
    "list_transform([{{'p': " + UNSCALED.replace("{x}", "{a}") + ", 'q': " + UNSCALED.replace("{x}", "{b}") + "}}],"
    " lambda d_: CAST(d_.p // d_.q AS DECIMAL(38,9)) + list_transform([{{'n': (d_.p % d_.q) * 1000000000, 'q': d_.q}}],"
    " lambda r_: CAST((r_.n // r_.q + CASE WHEN abs(r_.n % r_.q) * 2 >= abs(r_.q) THEN sign(r_.n) * sign(r_.q) ELSE 0 END)"
    " * 0.000000001::DECIMAL(10,9) AS DECIMAL(38,9)))[1])[1] END"
)
F_SAFE = (
    "CASE WHEN isfinite({a} %s {b}) OR NOT isfinite({a}) OR NOT isfinite({b}) OR {a} IS NULL OR {b} IS NULL THEN {a} %s {b}"
    " ELSE error('double overflow: ' || {a} || ' %s ' || {b}) END"
)
F_DIV = "CASE WHEN {b} = 0 THEN error('division by zero') ELSE " + (F_SAFE % ("/", "/", "/")) + " END"


def arithmetic(node: exp.Expr, scope: Scope, sign: str, one: Typed, other: Typed) -> Typed:
    """+, -, *, / of two numbers."""
    what = f"operator {sign}"
    if one.is_null or other.is_null:
        wrong(scope.script.text, node, f"operands of {sign} cannot be literal NULL")
    if one.type.name not in t.NUMBERS or other.type.name not in t.NUMBERS:
        return no_signature(node, scope, what, [one, other])
    kind = t.supertype([one, other]) or FLOAT64
    if sign == "/" and kind == INT64:
        kind = FLOAT64
    a, b = as_type(node, scope, what, one, kind).sql, as_type(node, scope, what, other, kind).sql
    if kind == INT64:
        return Typed(f"({a} {sign} {b})", INT64)
    if kind == NUMERIC:
        template = {"*": N_MUL, "/": N_DIV}.get(sign, f"CAST({{a}} {sign} {{b}} AS DECIMAL(38,9))")
        return Typed(bind(template, a=a, b=b), NUMERIC)
    template = F_DIV if sign == "/" else F_SAFE % (sign, sign, sign)
    return Typed(f"({bind(template, a=a, b=b)})", FLOAT64)


@handles(exp.Add, exp.Sub, exp.Mul, exp.Div)
def operator(node: exp.Expr, scope: Scope) -> Typed:
    """x + y, x - y, x * y, x / y"""
    sign = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}[type(node)]
    one, other = scope.compile(node.this), scope.compile(node.expression)
    if one.type.name not in t.NUMBERS or other.type.name not in t.NUMBERS:
        found = EXPRESSIONS["date_arithmetic"](node, scope, sign, one, other)
        if found is not None:
            return found
    return arithmetic(node, scope, sign, one, other)


@handles(exp.DPipe)
def concatenation(node: exp.Expr, scope: Scope) -> Typed:
    """x || y of strings, bytes or arrays."""
    values = [scope.compile(part) for part in node.flatten()]
    if any(value.is_null for value in values):
        wrong(scope.script.text, node, "operands of || cannot be literal NULL")
    return concatenated(node, scope, values)


def concatenated(node: exp.Expr, scope: Scope, values: Sequence[Typed]) -> Typed:
    """The values one after the other; NULL if one is."""
    if any(value.type.element is not None for value in values):
        kind, arrays = common(node, scope, "||", values)
        if kind.element is None:
            return no_signature(node, scope, "||", values)
        joined = reduce(lambda a, b: f"list_concat({a}, {b})", (value.sql for value in arrays))
        nulls = " OR ".join(f"{value.sql} IS NULL" for value in arrays)
        return Typed(f"CASE WHEN {nulls} THEN NULL ELSE {joined} END", kind)
    if all(value.type == t.BYTES for value in values):
        return Typed(f"({' || '.join(value.sql for value in values)})", t.BYTES)
    texts = [to_string(value) if value.type != t.BYTES else None for value in values]
    if any(text is None for text in texts):
        return no_signature(node, scope, "||", values)
    return Typed(f"({' || '.join(text.sql for text in texts if text)})", STRING)


@handles(exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor)
def bitwise(node: exp.Expr, scope: Scope) -> Typed:
    """x & y, x | y, x ^ y"""
    values = [scope.compile(node.this), scope.compile(node.expression)]
    if any(value.type != INT64 or value.is_null for value in values):
        return no_signature(node, scope, "bitwise operator", values)
    a, b = (value.sql for value in values)
    if isinstance(node, exp.BitwiseXor):
        return Typed(f"xor({a}, {b})", INT64)
    return Typed(f"({a} {'&' if isinstance(node, exp.BitwiseAnd) else '|'} {b})", INT64)


@handles(exp.BitwiseNot)
def bitwise_not(node: exp.Expr, scope: Scope) -> Typed:
    """~x"""
    value = scope.compile(node.this)
    return (
        Typed(f"(-1::BIGINT - {value.sql})", INT64) if value.type == INT64 else no_signature(node, scope, "~", [value])
    )


SHIFTS = {
    # a negative number cannot be shifted left in DuckDB, and >> keeps the sign there: both go by way of 64 plain bits
    "<<": "CASE WHEN {b} < 0 THEN error('Bitwise shift by negative offset.') WHEN {b} > 63 THEN 0::BIGINT"
    " WHEN {a} IS NULL OR {b} IS NULL THEN NULL ELSE list_transform([((CASE WHEN {a} < 0 THEN {a}::HUGEINT"
    " + 18446744073709551616 ELSE {a}::HUGEINT END) % (1::HUGEINT << (64 - {b})::HUGEINT)) * (1::HUGEINT << {b}::HUGEINT)],"
    " lambda b_: CAST(CASE WHEN b_ > 9223372036854775807 THEN b_ - 18446744073709551616 ELSE b_ END AS BIGINT))[1] END",
    ">>": "CASE WHEN {b} < 0 THEN error('Bitwise shift by negative offset.') WHEN {b} > 63 THEN 0::BIGINT WHEN {b} = 0 THEN {a}"
    " ELSE CAST((CASE WHEN {a} < 0 THEN {a}::HUGEINT + 18446744073709551616 ELSE {a}::HUGEINT END)"
    " // (1::HUGEINT << {b}::HUGEINT) AS BIGINT) END",
}


@handles(exp.BitwiseLeftShift, exp.BitwiseRightShift)
def shift(node: exp.Expr, scope: Scope) -> Typed:
    """x << n, x >> n"""
    values = [scope.compile(node.this), scope.compile(node.expression)]
    if any(value.type != INT64 or value.is_null for value in values):
        return no_signature(node, scope, "shift", values)
    sign = "<<" if isinstance(node, exp.BitwiseLeftShift) else ">>"
    return Typed(bind(SHIFTS[sign], a=values[0].sql, b=values[1].sql), INT64)


@handles(exp.Bracket)
def element(node: exp.Expr, scope: Scope) -> Typed:
    """a[OFFSET(i)], a[ORDINAL(i)], a[SAFE_OFFSET(i)], a[SAFE_ORDINAL(i)], a[i], and json[…]"""
    only(node, scope, "this", "expressions", "offset", "safe")
    if len(node.expressions) != 1:
        wrong(scope.script.text, node, "an array takes one position")
    value = scope.compile(node.this)
    index = scope.compile(node.expressions[0])
    if value.type.name == "JSON":
        return json_element(node, scope, value, index)
    if value.type.element is None:
        unsupported(scope.script.text, node, f"[…] on {value.type}")
    position = as_type(node, scope, "[…]", index, INT64).sql
    kind = value.type.element
    first = "1" if node.args.get("offset") == 1 else "0"
    if node.args.get("safe"):
        template = f"CASE WHEN {{i}} < {first} THEN NULL ELSE ({{a}})[{{i}} + 1 - {first}] END"
    else:
        template = (
            f"CASE WHEN {{i}} < {first} OR {{i}} >= len({{a}}) + {first} THEN error('Array index out of bounds')"
            f" ELSE ({{a}})[{{i}} + 1 - {first}] END"
        )
    return Typed(bind(template, a=value.sql, i=position), kind)


def json_element(node: exp.Expr, scope: Scope, value: Typed, index: Typed) -> Typed:
    """json['name'], json[0]"""
    if isinstance(index.literal, str):
        return scope.field(node, value, index.literal)
    if isinstance(index.literal, int):
        return Typed(f"json_extract({value.sql}, '$[{index.literal}]')", value.type)
    unsupported(scope.script.text, node, "JSON subscript that is not a literal")


@handles(exp.Case)
def case(node: exp.Expr, scope: Scope) -> Typed:
    """CASE … WHEN … THEN … END"""
    only(node, scope, "this", "ifs", "default")
    branches = node.args["ifs"]
    tail = [node.args["default"]] if node.args.get("default") else []
    results = [scope.compile(branch.args["true"]) for branch in branches] + [scope.compile(last) for last in tail]
    kind, values = common(node, scope, "CASE", [*results, Typed("NULL", INT64, t.NULL)])
    if node.this is not None:
        subject = scope.compile(node.this)
        tests = [equal(branch, scope, subject, scope.compile(branch.this)).sql for branch in branches]
    else:
        tests = [boolean(branch.this, scope, "WHEN").sql for branch in branches]
    whens = " ".join(f"WHEN {test} THEN {value.sql}" for test, value in zip(tests, values, strict=False))
    last = values[len(branches)].sql
    return Typed(f"(CASE {whens} ELSE {last} END)", kind)


@handles(exp.If)
def if_(node: exp.Expr, scope: Scope) -> Typed:
    """IF(condition, x, y)"""
    if not node.args.get("false"):
        wrong(scope.script.text, node, "IF takes three arguments")
    test = boolean(node.this, scope, "IF")
    kind, (yes, no) = common(node, scope, "IF", [scope.compile(node.args["true"]), scope.compile(node.args["false"])])
    return Typed(f"(CASE WHEN {test.sql} THEN {yes.sql} ELSE {no.sql} END)", kind)


@handles(exp.Cast, exp.TryCast)
def cast(node: exp.Expr, scope: Scope) -> Typed:
    """CAST(x AS type), SAFE_CAST(x AS type), and typed literals such as DATE '2024-01-31'"""
    only(node, scope, "this", "to", "safe", "_type")
    try:
        to = type_of(node.args["to"])
    except ValueError as error:
        wrong(scope.script.text, node, str(error))
    value = scope.compile(node.this)
    safe = isinstance(node, exp.TryCast)
    if isinstance(value.literal, str) and value.type == STRING and not to.parameters and to.name in t.TEXT_READERS:
        return text_literal(node, scope, value.literal, to, safe=safe)
    if isinstance(value.literal, str) and to == NUMERIC and value.type == STRING:
        if _is_typed(node, scope) and len(value.literal.strip().partition(".")[2].partition("e")[0]) > 9:
            wrong(
                scope.script.text,
                node,
                f"invalid NUMERIC literal {value.literal!r}: more than nine digits after the point",
            )
        found = t.numeric_sql(value.literal)
        if found is None and not safe:
            wrong(scope.script.text, node, f"invalid NUMERIC {value.literal!r}")
        return Typed(found or "NULL::DECIMAL(38,9)", NUMERIC)
    if to.name in ("BIGNUMERIC", "GEOGRAPHY") or value.type.name in ("BIGNUMERIC", "GEOGRAPHY"):
        unsupported(scope.script.text, node, to.name if to.name in ("BIGNUMERIC", "GEOGRAPHY") else value.type.name)
    done = cast_value(value, to, safe=safe)
    if done is None and "INTERVAL" in (to.name, value.type.name) and "STRING" in (to.name, value.type.name):
        unsupported(scope.script.text, node, f"CAST from {value.type} to {to}")
    if done is None:
        wrong(scope.script.text, node, f"invalid cast from {value.type} to {to}")
    return Typed(done.sql, done.type)


def _is_typed(node: exp.Expr, scope: Scope) -> bool:
    """NUMERIC '1' and not CAST('1' AS NUMERIC), which sqlglot reads alike."""
    start = int(node.this.meta.get("start", 0))
    return scope.script.text[:start].rstrip().upper().endswith(("NUMERIC", "DECIMAL"))


def text_literal(node: exp.Expr, scope: Scope, text: str, to: SqlType, *, safe: bool) -> Typed:
    """A date or time that stands in the text: read now, since a mistake in it can be told now."""
    found = t.TEXT_READERS[to.name](text)
    if found is None and not safe:
        wrong(scope.script.text, node, f"{text!r} is not a {to}")
    return Typed(found or f"NULL::{t.duckdb_type(to)}", to)


@handles(exp.Array)
def array(node: exp.Expr, scope: Scope) -> Typed:
    """[x, y] and ARRAY(SELECT …)"""
    if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Query):
        return EXPRESSIONS["array_query"](node.expressions[0], scope)  # type: ignore[no-any-return] # a late binding
    values = [scope.compile(part) for part in node.expressions]
    if not values:
        return Typed("[]::BIGINT[]", array_of(INT64), t.EMPTY)
    if any(value.type.element is not None for value in values):
        wrong(scope.script.text, node, "an array cannot hold arrays", "put each in a STRUCT")
    kind, parts = common(node, scope, "[…]", values)
    return t.array_sql(parts, array_of(kind))


@handles(exp.Struct)
def struct(node: exp.Expr, scope: Scope) -> Typed:
    """STRUCT(x AS a, b, t.c)"""
    names, parts = [], []
    if not node.expressions:
        unsupported(scope.script.text, node, "STRUCT()")
    for part in node.expressions:
        inner = part
        name = ""
        if isinstance(part, exp.PropertyEQ | exp.Alias):
            name, inner = (
                (part.this.name, part.expression) if isinstance(part, exp.PropertyEQ) else (part.alias, part.this)
            )
        elif isinstance(part, exp.Column | exp.Dot):
            name = part.name if isinstance(part, exp.Column) else part.expression.name
        names.append(name)
        parts.append(scope.compile(inner))
    return t.struct_sql(parts, struct_of(*(Column(n, v.type) for n, v in zip(names, parts, strict=True))))


@handles(exp.Tuple)
def tuple_(node: exp.Expr, scope: Scope) -> Typed:
    """(x, y): a STRUCT without names."""
    parts = [scope.compile(part) for part in node.expressions]
    return t.struct_sql(parts, struct_of(*(Column("", part.type) for part in parts)))


def equal(node: exp.Expr, scope: Scope, one: Typed, other: Typed) -> Typed:
    """x = y"""
    from warehouse.duckdb.translate.comparisons import compared

    return compared(node, scope, "=", one, other)

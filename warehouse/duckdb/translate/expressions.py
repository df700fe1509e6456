"""Expressions: each GoogleSQL node as a typed DuckDB expression. A node without an entry here is refused.

https://cloud.google.com/bigquery/docs/reference/standard-sql/operators
"""

from collections.abc import Callable, Sequence

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.coercion import coerce, supertype
from warehouse.duckdb.translate.scope import EXPRESSIONS, Scope
from warehouse.duckdb.translate.syntax import unsupported, wrong
from warehouse.duckdb.translate.text import bind
from warehouse.duckdb.translate.typed import BOOL, INT64, Typed
from warehouse.errors import UnsupportedSql
from warehouse.types import Column, SqlType, array_of, struct_of

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
    kind = supertype(values)
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


@handles(exp.Not)
def negation(node: exp.Expr, scope: Scope) -> Typed:
    """NOT x"""
    if isinstance(node.this, exp.Null):
        wrong(scope.script.text, node, "the operand of NOT cannot be literal NULL")
    return Typed(f"(NOT {boolean(node.this, scope, 'NOT').sql})", BOOL)


@handles(exp.And, exp.Or)
def connector(node: exp.Expr, scope: Scope) -> Typed:
    """x AND y, x OR y: chains are flat, since they may be long."""
    word = "AND" if isinstance(node, exp.And) else "OR"
    parts = [boolean(part, scope, word).sql for part in node.flatten()]
    return Typed(f"({f' {word} '.join(parts)})", BOOL)


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
    return unsupported(scope.script.text, node, "JSON subscript that is not a literal")


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

"""The functions that the embedded engine has, by GoogleSQL's names. A call that is not here is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from warehouse.duckdb.translate import typed as t
from warehouse.duckdb.translate.coercion import coerce
from warehouse.duckdb.translate.expressions import handles
from warehouse.duckdb.translate.functions.known import GOOGLESQL_FAMILIES, GOOGLESQL_FUNCTIONS
from warehouse.duckdb.translate.scope import EXPRESSIONS, Scope
from warehouse.duckdb.translate.syntax import name_of, unsupported, wrong
from warehouse.duckdb.translate.text import attempt, bind, is_simple
from warehouse.duckdb.translate.typed import Typed
from warehouse.suggest import did_you_mean
from warehouse.types import SqlType, parse_type

Handler = Callable[[exp.Expr, Scope, list[exp.Expr]], Typed]


@dataclass(frozen=True, slots=True)
class Signature:
    """The types that a function takes, how many it needs, and its DuckDB text: {a}, {b}, … are the arguments."""

    takes: tuple[SqlType, ...]
    needs: int
    gives: SqlType
    sql: str


SIGNATURES: dict[str, list[Signature]] = {}
HANDLERS: dict[str, Handler] = {}
LETTERS = "abcdefgh"


def define(names: str, signature: str, sql: str) -> None:
    """Define functions: `define("SUBSTR SUBSTRING", "STRING INT64 [INT64] -> STRING", "…{a}…{b}…")`."""
    left, _, right = signature.partition("->")
    words = left.split()
    takes = tuple(parse_type(word.strip("[]")) for word in words)
    needs = sum(1 for word in words if not word.startswith("["))
    for name in names.split():
        SIGNATURES.setdefault(name, []).append(Signature(takes, needs, parse_type(right.strip()), sql))


def function(*names: str) -> Callable[[Handler], Handler]:
    """Register a function whose types or text take more than a signature."""

    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register


@handles(exp.Anonymous)
def call(node: exp.Expr, scope: Scope) -> Typed:
    """A function call. Raises SqlError, UnsupportedSql."""
    name = name_of(node)
    handler = HANDLERS.get(name)
    if handler is not None:
        return handler(node, scope, list(node.expressions))
    if name in SIGNATURES:
        return by_signature(node, scope, name, [argument(part, scope) for part in node.expressions])
    if name in EXPRESSIONS["aggregates"]:
        wrong(scope.script.text, node, f"aggregate function {name} is not allowed here")
    if name in GOOGLESQL_FUNCTIONS or name.startswith(GOOGLESQL_FAMILIES):
        unsupported(scope.script.text, node, f"{name}")
    if "." in name:
        unsupported(scope.script.text, node, "functions that somebody made")
    known = [*HANDLERS, *SIGNATURES, *GOOGLESQL_FUNCTIONS]
    return wrong(scope.script.text, node, f"there is no function {name}", did_you_mean(name, known))


def argument(node: exp.Expr, scope: Scope) -> Typed:
    """A plain argument: no DISTINCT, ORDER BY and the like."""
    if isinstance(node, exp.Kwarg | exp.Order | exp.Limit | exp.Distinct | exp.IgnoreNulls | exp.RespectNulls):
        unsupported(scope.script.text, node, f"{type(node).__name__} in this call")
    return scope.compile(node)


def by_signature(node: exp.Expr, scope: Scope, name: str, values: Sequence[Typed]) -> Typed:
    """The call as the signature has it that asks for the fewest coercions."""
    best: tuple[int, Signature, list[Typed]] | None = None
    for signature in SIGNATURES[name]:
        if not signature.needs <= len(values) <= len(signature.takes):
            continue
        found = [coerce(value, kind) for value, kind in zip(values, signature.takes, strict=False)]
        if any(value is None for value in found):
            continue
        cost = sum(_cost(value, kind) for value, kind in zip(values, signature.takes, strict=False))
        if best is None or cost < best[0]:
            best = cost, signature, [value for value in found if value is not None]
    if best is None:
        if any(value.type == t.BYTES for value in values):
            unsupported(scope.script.text, node, f"{name} of BYTES")
        kinds = ", ".join("NULL" if value.is_null else str(value.type) for value in values)
        takes = " or ".join(_described(name, signature) for signature in SIGNATURES[name])
        wrong(scope.script.text, node, f"{name} does not take ({kinds})", f"it is {takes}")
    _, signature, arguments = best
    texts = {letter: value.sql for letter, value in zip(LETTERS, arguments, strict=False)}
    for letter, kind in list(zip(LETTERS, signature.takes, strict=False))[len(arguments) :]:
        texts[letter] = f"NULL::{t.duckdb_type(kind)}"
    return Typed(f"({bind(signature.sql, **texts)})", signature.gives)


def _cost(value: Typed, kind: SqlType) -> int:
    if t.same(value.type, kind) or value.is_null:
        return 0
    return 1 + (kind.name != "FLOAT64")


def _described(name: str, signature: Signature) -> str:
    parts = [f"[{kind}]" if i >= signature.needs else str(kind) for i, kind in enumerate(signature.takes)]
    return f"{name}({', '.join(parts)})"


@handles(exp.SafeFunc)
def safe(node: exp.Expr, scope: Scope) -> Typed:
    """SAFE.function(…): NULL where the function fails; an error in an argument stays one."""
    inner = node.this
    value = scope.compile(inner)
    names = {name for argument in inner.expressions for name in [scope_text(argument, scope)] if name}
    if all(is_simple(name) or "error" not in name for name in names):
        return Typed(attempt(value.sql), value.type)
    return unsupported(
        scope.script.text, node, "SAFE. around arguments that may fail", "compute them in a subquery first"
    )


def scope_text(node: exp.Expr, scope: Scope) -> str:
    """An argument's DuckDB text; "" for a word such as DAY."""
    if isinstance(node, exp.Column | exp.Var | exp.Interval | exp.Literal):
        return ""
    try:
        return scope.compile(node).sql
    except Exception:
        return "error"

"""How a function of GoogleSQL is defined: by its signatures, or by a handler where these do not say enough."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce, coerced
from warehouse_refresh.warehouse.duckdb.translate.functions.signatures import Signature, chosen, read_signature
from warehouse_refresh.warehouse.duckdb.translate.literals import null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Node
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import name_of, unread, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.templates import may_fail, sql, unless_null
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.duckdb.types import duckdb_type
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import BYTES, FLOAT64, array_of

Handler = Callable[[exp.Expr, Scope, list[exp.Expr]], Typed]
"""Compiles a call: the call, the names that it sees, its arguments. Raises SqlError, UnsupportedSql."""

Functions = Mapping[str, Handler]
"""Handlers by the names of their functions."""

MOST_BYTES = 1 << 20
"""How long a text may be that a function makes longer, as in BigQuery."""
MOST_ELEMENTS = (1 << 20) - 1
"""How many elements a function may make, as in BigQuery."""
TOO_MANY = f"error('arrays of more than {MOST_ELEMENTS} elements cannot be generated')"
_LETTERS = "abcdefgh"


@dataclass(frozen=True, slots=True)
class Definition:
    """Functions with one signature, and the template of their calls: {a}, {b}, … are the arguments."""

    names: tuple[str, ...]
    signature: Signature
    template: str


Definitions = Mapping[str, Sequence[Definition]]
"""Definitions by the names of their functions."""


def define(names: str, signature: str, template: str) -> Definition:
    """Define functions: `define("SUBSTR SUBSTRING", "STRING INT64 [INT64] -> STRING", "…{a}…{b}…")`."""
    return Definition(tuple(names.split()), read_signature(signature), f"({template})")


def too_long(name: str) -> str:
    """The part of a template that fails since the text would be longer than MOST_BYTES."""
    return f"error('Output of {name} exceeds max allowed output size of 1MB')"


def in_python(names: str, signature: str) -> list[Definition]:
    """Define functions that are written in Python: see `warehouse.duckdb.python_functions`."""
    read = read_signature(signature)
    holes = ", ".join(f"{{{letter}}}" for letter, _ in zip(_LETTERS, read.takes, strict=False))
    template = f"googlesql_<name>({holes})"
    if read.gives in (FLOAT64, array_of(FLOAT64)):
        template = f"CAST({template} AS {duckdb_type(read.gives)})"
    return [
        define(name, signature, template.replace("<name>", name.lower().replace(".", "_"))) for name in names.split()
    ]


def by_name(*definitions: Definition) -> Definitions:
    """The definitions by the names of their functions."""
    found: dict[str, list[Definition]] = {}
    for definition in definitions:
        for name in definition.names:
            found.setdefault(name, []).append(definition)
    return found


def argument(node: exp.Expr, scope: Scope) -> Typed:
    """A plain argument: no DISTINCT, ORDER BY and the like."""
    if isinstance(node, exp.Kwarg | exp.Order | exp.Limit | exp.Distinct | exp.IgnoreNulls | exp.RespectNulls):
        unread(scope.script.text, node)
    return scope.compile(node)


def options_of(
    node: exp.Expr, scope: Scope, parts: Sequence[exp.Expr], known: Mapping[str, Typed]
) -> tuple[list[exp.Expr], dict[str, Typed]]:
    """The arguments without a name, and those with one: `known` has their names, types and defaults. Raises
    SqlError."""
    plain = [part for part in parts if not isinstance(part, exp.Kwarg)]
    found = dict(known)
    for part in parts:
        if isinstance(part, exp.Kwarg):
            name = part.this.name.casefold()
            if name not in known:
                wrong(scope.script.text, node, f"{name_of(node)} has no argument {name}", did_you_mean(name, known))
            value = coerce(scope.compile(part.expression), known[name].type)
            if value is None:
                wrong(scope.script.text, node, f"{name_of(node)} takes a {known[name].type} as {name}")
            found[name] = value
    return plain, found


def by_signature(
    node: exp.Expr, scope: Scope, name: str, definitions: Sequence[Definition], values: Sequence[Typed]
) -> Typed:
    """A call of the function, by the definition that fits its arguments best. Raises SqlError, UnsupportedSql."""
    index = chosen(values, [definition.signature for definition in definitions])
    if index is None:
        if any(value.type == BYTES for value in values):
            unsupported(scope.script.text, node, f"{name} of BYTES")
        kinds = ", ".join("NULL" if value.is_null else str(value.type) for value in values)
        takes = " or ".join(definition.signature.described(name) for definition in definitions)
        wrong(scope.script.text, node, f"{name} does not take ({kinds})", f"it is {takes}")
    signature = definitions[index].signature
    arguments = [coerced(value, kind) for value, kind in zip(values, signature.takes, strict=False)]
    arguments += [null(kind) for kind in signature.takes[len(arguments) :]]
    nodes = [value.node for value in arguments]
    needed, template = nodes[: signature.needs], definitions[index].template
    if len(needed) > 1 and may_fail(template):
        return Typed(unless_null(needed, lambda n: _filled(template, [*n, *nodes[len(n) :]])), signature.gives)
    return Typed(_filled(template, nodes), signature.gives)


def _filled(template: str, nodes: Sequence[Node]) -> Node:
    return sql(template, **dict(zip(_LETTERS, nodes, strict=False)))

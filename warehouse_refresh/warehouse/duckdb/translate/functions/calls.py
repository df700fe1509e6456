"""Calls of the functions that the embedded engine has, by GoogleSQL's names. A call that is not here is refused."""

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.expressions import conditions
from warehouse_refresh.warehouse.duckdb.translate.expressions.cast_formats import cast as cast_formats
from warehouse_refresh.warehouse.duckdb.translate.functions import (
    contained,
    formats,
    numbers,
    regexps,
    strings,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.arrays import arrays, elements, reductions
from warehouse_refresh.warehouse.duckdb.translate.functions.dates import (
    date_arithmetic,
    date_formats,
    date_parsing,
    date_parts,
    date_values,
    ranges,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.definitions import (
    Definitions,
    Functions,
    argument,
    by_signature,
)
from warehouse_refresh.warehouse.duckdb.translate.functions.json import changes, documents
from warehouse_refresh.warehouse.duckdb.translate.functions.known import (
    AGGREGATE_NAMES,
    GOOGLESQL_FAMILIES,
    GOOGLESQL_FUNCTIONS,
    workaround_of,
)
from warehouse_refresh.warehouse.duckdb.translate.literals import null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Attempt, Let, Node, Variable
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope
from warehouse_refresh.warehouse.duckdb.translate.syntax import (
    name_of,
    only_bigquery,
    unknown_function,
    unsupported,
    wrong,
)
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed, array_value, struct_value
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.sql.literals import FAILURE, Untyped
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import BIGNUMERIC, NUMERIC

FUNCTIONS: Functions = {
    **arrays.FUNCTIONS,
    **elements.FUNCTIONS,
    **reductions.FUNCTIONS,
    **cast_formats.FUNCTIONS,
    **contained.FUNCTIONS,
    **date_arithmetic.FUNCTIONS,
    **date_formats.FUNCTIONS,
    **date_parsing.FUNCTIONS,
    **date_parts.FUNCTIONS,
    **date_values.FUNCTIONS,
    **documents.FUNCTIONS,
    **formats.FUNCTIONS,
    **changes.FUNCTIONS,
    **numbers.FUNCTIONS,
    **ranges.FUNCTIONS,
    **regexps.FUNCTIONS,
    **strings.FUNCTIONS,
    "WITH$": conditions.with_values,
}
"""The functions whose types or SQL take more than a signature."""

DEFINITIONS: Definitions = {
    **arrays.DEFINITIONS,
    **date_values.DEFINITIONS,
    **changes.DEFINITIONS,
    **numbers.DEFINITIONS,
    **regexps.DEFINITIONS,
    **strings.DEFINITIONS,
}
"""All others."""


def call(node: exp.Expr, scope: Scope) -> Typed:
    """A function call. Raises SqlError, UnsupportedSql."""
    name = name_of(node)
    own = scope.script.functions.get(name.casefold())
    if own is not None:
        return own.call(node, scope)
    handler = FUNCTIONS.get(name)
    if handler is not None:
        return handler(node, scope, list(node.expressions))
    if name in DEFINITIONS:
        return by_signature(node, scope, name, DEFINITIONS[name], [argument(part, scope) for part in node.expressions])
    if name in AGGREGATE_NAMES:
        wrong(scope.script.text, node, f"aggregate function {name} is not allowed here")
    if workaround := workaround_of(name):
        only_bigquery(scope.script.text, node, name, workaround)
    if name in GOOGLESQL_FUNCTIONS or name.startswith(GOOGLESQL_FAMILIES):
        unsupported(scope.script.text, node, f"{name}")
    if "." in name:
        unknown_function(scope.script.text, node)
    known = [known for known in [*FUNCTIONS, *DEFINITIONS, *GOOGLESQL_FUNCTIONS] if not known.endswith("$")]
    return wrong(scope.script.text, node, f"there is no function {name}", did_you_mean(name, known))


_NOT_SAFE = {exp.Extract: "EXTRACT", exp.Array: "ARRAY", exp.Struct: "STRUCT", exp.Exists: "EXISTS"}
_NOT_SAFE |= {exp.Unnest: "UNNEST"}


def safe(node: exp.Expr, scope: Scope) -> Typed:
    """SAFE.function(…): NULL where the function fails; an error in an argument stays one."""
    for kind, word in _NOT_SAFE.items():
        if isinstance(node.this, kind):
            wrong(scope.script.text, node, f"SAFE does not stand before {word}")
    arguments = _Arguments(scope)
    try:
        value = scope.compiler.expression(node.this, arguments)
        if name_of(node.this) in ("EXP", "POW", "POWER") and value.type in (NUMERIC, BIGNUMERIC):
            unsupported(scope.script.text, node, f"SAFE.{name_of(node.this)} of {value.type}", "test its arguments")
    except UnsupportedSql:
        raise
    except SqlError as error:  # maybe for the value of a literal, which is NULL as it runs
        if name_of(node.this) == "FORMAT":
            raise
        arguments = _Arguments(scope, with_literals=False)
        value = _without_literals(node.this, arguments, error)
        if not arguments.are_computed:
            return Typed(null(value.type).node, value.type)
    literal = FAILURE if value.literal is FAILURE else None
    return Typed(arguments.around(Attempt(value.node)), value.type, literal)


def _without_literals(node: exp.Expr, arguments: "_Arguments", error: SqlError) -> Typed:
    """A call for which literals are values like any other. Raises the error if the call is wrong for other reasons."""
    try:
        return arguments.compiler.expression(node, arguments)
    except UnsupportedSql:
        raise
    except SqlError:
        raise error from None


class _Arguments(Scope):
    """What a function sees that is called with SAFE: its arguments, computed before it; without literals also those
    that a function would look at before it runs."""

    is_safe = True

    def __init__(self, caller: Scope, *, with_literals: bool = True) -> None:
        super().__init__(caller.script, caller)
        self._caller, self._with_literals = caller, with_literals
        self._values: list[Node] = []
        self._variables: list[Variable] = []

    def compile(self, node: exp.Expr) -> Typed:
        value = self._caller.compile(node)
        if self._with_literals or value.literal is None or isinstance(value.literal, Untyped):
            return self._before(value)
        return Typed(value.node, value.type)

    def _before(self, value: Typed) -> Typed:
        if value.node.cheap:
            return value
        if value.parts:  # they coerce one by one
            parts = [self._before(part) for part in value.parts]
            return array_value(parts, value.type) if value.type.element is not None else struct_value(parts, value.type)
        variable = Variable()
        self._values.append(value.node)
        self._variables.append(variable)
        return Typed(variable, value.type, value.literal)

    @property
    def are_computed(self) -> bool:
        """Whether an argument is more than a literal or a column, so that it may fail itself."""
        return bool(self._values)

    def around(self, body: Node) -> Node:
        """The body, with the arguments computed before it."""
        return Let(tuple(self._values), tuple(self._variables), body) if self._values else body

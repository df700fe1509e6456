"""The statements before a query: DECLARE, SET and CREATE TEMP FUNCTION.

A variable's value and a function's body are written out where they are used.
https://cloud.google.com/bigquery/docs/reference/standard-sql/procedural-language#declare
https://cloud.google.com/bigquery/docs/user-defined-functions#sql-udf-structure
"""

from collections.abc import Collection
from copy import copy
from dataclasses import dataclass, replace

from sqlglot import exp

from warehouse_refresh.warehouse.duckdb.translate.coercion import coerce
from warehouse_refresh.warehouse.duckdb.translate.literals import null
from warehouse_refresh.warehouse.duckdb.translate.nodes import Node, Select, SetOperation, Variable, With, let_all, walk
from warehouse_refresh.warehouse.duckdb.translate.reading.parsing import parse_by_name
from warehouse_refresh.warehouse.duckdb.translate.scope import Scope, Script
from warehouse_refresh.warehouse.duckdb.translate.syntax import PREFIX, only_bigquery, place_of, unsupported, wrong
from warehouse_refresh.warehouse.duckdb.translate.typed import Typed
from warehouse_refresh.warehouse.errors import OnlyBigQuery, SqlError
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.coercion import plain
from warehouse_refresh.warehouse.sql.preamble import Assignment, read_preamble
from warehouse_refresh.warehouse.sql.query import Function as FunctionFile
from warehouse_refresh.warehouse.sql.type_syntax import read_type, type_of
from warehouse_refresh.warehouse.suggest import did_you_mean
from warehouse_refresh.warehouse.types import SqlType


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the script: its parameters (None for ANY TYPE), the type of its result (None: the body's), and its
    body."""

    parameters: tuple[tuple[str, SqlType | None], ...]
    returns: SqlType | None
    body: exp.Expr
    file: FunctionFile | None = None
    """The file that it comes from: its body has places in that one's text. None if it stands before the query."""

    def call(self, node: exp.Expr, scope: Scope) -> Typed:
        """The value of a call of it. Raises SqlError, UnsupportedSql. An error in the body of a function that has a
        file of its own is the cause of an error at the call."""
        if self.file is not None and self.file.language is not None:
            only_bigquery(scope.script.text, node, "functions in another language", "write the function in SQL")
        arguments = [
            _as_type(scope.compile(argument), type_, argument, scope.script)
            for argument, (_, type_) in zip(self._in_order(node, scope), self.parameters, strict=True)
        ]
        value = self._body_of(arguments, scope.script, node)
        types = [argument.type for argument in arguments]

        def of(nodes: list[Node]) -> Node:
            values = [Typed(node, type_) for node, type_ in zip(nodes, types, strict=True)]
            return self._body_of(values, scope.script, node).node

        if _has_query(value.node) and _has_query(of([Variable() for _ in arguments])):
            return value  # DuckDB takes no query in a lambda
        return Typed(let_all([argument.node for argument in arguments], of), value.type)

    def _in_order(self, node: exp.Expr, scope: Scope) -> list[exp.Expr]:
        """The call's arguments in the order of the parameters: the last ones may be named. Raises SqlError.
        https://cloud.google.com/bigquery/docs/reference/standard-sql/functions-reference#named_arguments"""
        if len(node.expressions) != len(self.parameters):
            wrong(scope.script.text, node, f"{_name(node)} takes {len(self.parameters)} arguments")
        names = [name.casefold() for name, _ in self.parameters]
        found: dict[str, exp.Expr] = {}
        is_named = False
        for number, argument in enumerate(node.expressions):
            if is_named and not isinstance(argument, exp.Kwarg):
                wrong(scope.script.text, argument, "an argument without a name stands after one with a name")
            is_named = isinstance(argument, exp.Kwarg)
            name = argument.this.name.casefold() if is_named else names[number]
            if name not in names:
                wrong(scope.script.text, node, f"{_name(node)} has no argument {name}", did_you_mean(name, names))
            if name in found:
                wrong(scope.script.text, node, f"{_name(node)} gets the argument {name} twice")
            found[name] = argument.expression if is_named else argument
        return [found[name] for name in names]

    def _body_of(self, arguments: list[Typed], script: Script, call: exp.Expr) -> Typed:
        inner = Scope(script if self.file is None else _in_file(script, self.file))
        names = [name.casefold() for name, _ in self.parameters]
        inner.lambdas = dict(zip(names, arguments, strict=True))
        try:
            return _as_type(inner.compile(self.body), self.returns, self.body, inner.script)
        except SqlError as error:
            if self.file is None:
                raise
            reason = f"in the function {self.file.name}: {error.reason}"
            raise type(error)(reason, hint=error.hint, place=place_of(script.text, call)) from error


def _has_query(node: Node) -> bool:
    return any(isinstance(part, Select | SetOperation | With) for part in walk(node))


def add_function(file: FunctionFile, script: Script) -> None:
    """Give the script a function that has a file of its own. Raises SqlError, UnsupportedSql."""
    name = str(file.name).casefold()
    if file.language is not None:
        script.functions[name] = Function((), None, exp.null(), file)
        return
    [statement] = parse_by_name(file.sql, {call.name for call in file.calls}, script.own)
    script.functions[name] = replace(_function(statement, _in_file(script, file)), file=file)


def _in_file(script: Script, file: FunctionFile) -> Script:
    """The script as the body of a function sees it: without the variables around the call."""
    found = copy(script)
    found.text, found.variables, found.parameters, found.default = file.sql, {}, {}, ""
    return found


def declare(preamble: str, script: Script, functions: Collection[TableName] = ()) -> None:
    """Give the script the variables and functions of its preamble, which may call `functions`. Raises SqlError,
    UnsupportedSql."""
    for part in read_preamble(preamble):
        if isinstance(part, Assignment):
            _assign(part, script, functions)
        elif part.language is not None:
            hint = "write the function in SQL"
            raise OnlyBigQuery("only BigQuery has functions in another language", hint=hint, place=part.language)
        else:
            [statement] = parse_by_name(part.text, functions, script.own)
            _create(statement, script)


def _create(statement: exp.Expr, script: Script) -> None:
    """Give the script the function that CREATE TEMP FUNCTION defines. Raises SqlError, UnsupportedSql."""
    if isinstance(statement, exp.Command):  # sqlglot does not read it
        unsupported(script.text, statement, "an aggregate function of your own", "write it into the query")
    name = str(statement.this.this.name).removeprefix(PREFIX)
    if name.casefold() in script.functions and not statement.args.get("replace"):
        wrong(script.text, statement, f"the function {name} is created twice", "write CREATE OR REPLACE TEMP FUNCTION")
    script.functions[name.casefold()] = _function(statement, script)


def _assign(part: Assignment, script: Script, functions: Collection[TableName]) -> None:
    name = part.name.casefold()
    known = script.variables.get(name)
    if part.is_declared and known is not None:
        raise SqlError(f"the variable {part.name} is declared twice", place=part.place)
    if not part.is_declared and known is None:
        raise SqlError(f"there is no variable {part.name}", hint="DECLARE it before", place=part.place)
    type_ = known.type if known is not None else _written_type(part)
    value = _value(part.value, type_, script, functions) if part.value or type_ is None else null(type_)
    script.variables[name] = Typed(value.node, type_ or plain(value.type))


def _written_type(part: Assignment) -> SqlType | None:
    try:
        return plain(read_type(part.kind)) if part.kind else None
    except ValueError as error:
        raise SqlError(str(error), place=part.place) from error


def _value(text: str, type_: SqlType | None, script: Script, functions: Collection[TableName]) -> Typed:
    [tree] = parse_by_name(text, functions, script.own)
    [node] = tree.expressions
    return _as_type(Scope(script).compile(node), type_, node, script)


def _function(statement: exp.Expr, script: Script) -> Function:
    properties = statement.args["properties"].expressions if statement.args.get("properties") else []
    returns = next((each.this for each in properties if isinstance(each, exp.ReturnsProperty)), None)
    body = statement.expression
    if not isinstance(body, exp.Paren | exp.Subquery):
        unsupported(script.text, statement, "a function of this form", "write CREATE TEMP FUNCTION name(…) AS (…)")
    parameters = tuple((part.name, _parameter(part, script)) for part in statement.this.expressions)
    return Function(parameters, _type(returns, script) if returns is not None else None, body)


def _parameter(part: exp.Expr, script: Script) -> SqlType | None:
    kind = part.args.get("kind")
    if kind is None:
        wrong(script.text, part, f"the parameter {part.name} needs a type", "write ANY TYPE for any")
    return None if kind.this == exp.DataType.Type.VARIANT else _type(kind, script)


def _type(kind: exp.DataType, script: Script) -> SqlType:
    try:
        return plain(type_of(kind))
    except ValueError as error:
        if "RANGE<" in str(error):
            unsupported(script.text, kind, "the type RANGE", "keep the start and the end in two columns")
        return wrong(script.text, kind, str(error))


def _as_type(value: Typed, type_: SqlType | None, node: exp.Expr, script: Script) -> Typed:
    """The value as that type, or as the one that it has; literals and NULL no longer leave it by themselves."""
    found = coerce(value, type_ or value.type)
    if found is None:
        wrong(script.text, node, f"a {value.type} is not a {type_}", f"write CAST(… AS {type_})")
    return Typed(found.node, found.type)


def _name(node: exp.Expr) -> str:
    return str(node.this).removeprefix(PREFIX)

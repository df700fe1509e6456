"""A query with variables as one query without: BigQuery runs DECLARE only in a script of several jobs, which has no
destination table. Functions may stand before a query as they are.

A variable's value is written where its name stands. So a variable must not have the name of a column, which would win:
https://cloud.google.com/bigquery/docs/reference/standard-sql/procedural-language#declare
"""

from collections.abc import Iterable, Iterator

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from warehouse_refresh.warehouse.bigquery.queries.edits import Edit, Instead, value_reading
from warehouse_refresh.warehouse.bigquery.schema import quoted
from warehouse_refresh.warehouse.errors import SqlError, UnsupportedSql
from warehouse_refresh.warehouse.sql.parser import place_of
from warehouse_refresh.warehouse.sql.preamble import Assignment, read_preamble
from warehouse_refresh.warehouse.sql.query import Query, blanked
from warehouse_refresh.warehouse.sql.statements import statements_of
from warehouse_refresh.warehouse.types import Column

_BEFORE_NAMES = (TokenType.DOT, TokenType.PARAMETER, TokenType.ALIAS)
"""After these a name is no variable's."""
_Values = dict[str, tuple[str, str]]
"""By a variable's folded name: its value as one line of SQL, and its type ("" if it has that of its value)."""


def text_of(query: Query) -> str:
    """The query with the functions of its preamble, each where the script has it."""
    if not query.preamble:
        return query.text
    functions = query.preamble
    for tokens in statements_of(query.preamble):
        if tokens[0].text.upper() in ("DECLARE", "SET"):
            after = functions.find(";", tokens[-1].end)
            functions = blanked(functions, tokens[0].start, after + 1)
    return "".join(map(max, functions, query.text))  # a blank is less than any other character but line ends


def has_variables(query: Query) -> bool:
    """Whether the query's preamble declares variables."""
    return any(isinstance(part, Assignment) for part in read_preamble(query.preamble)) if query.preamble else False


def variable_edits(query: Query, columns: Iterable[Column], instead: Instead | None = None) -> list[Edit]:
    """What to write in place of the variables, in the order of the text. `columns` are those of the tables that the
    query reads; values read other tables in place of those of `instead`. Raises SqlError for a variable that a name of
    the query, a column or a field of a column has, too."""
    values = _values(query, instead or {}) if query.preamble else {}
    if not values:
        return []
    tree = query.tree
    for name in values.keys() & set(_names_of(columns)):
        raise SqlError(f"the variable {name} has the name of a column that the query reads", hint="rename the variable")
    if pivot := tree.find(exp.Pivot):
        hint = "write the values out, or PIVOT in a script of its own"
        raise UnsupportedSql("variables beside PIVOT are not supported", hint=hint, place=place_of(query.text, pivot))
    used = [node for node in tree.find_all(exp.Identifier) if node.name.casefold() in values]
    edits = [_edit(query, node, values) for node in used if not _is_name_of_itself(node)]
    return sorted(edits, key=lambda edit: edit.start)


def _names_of(columns: Iterable[Column]) -> Iterator[str]:
    """The columns' names and those of their fields, which UNNEST makes columns, too; folded."""
    for column in columns:
        yield column.name.casefold()
        yield from _names_of((column.type.element or column.type).fields)


def _edit(query: Query, node: exp.Identifier, values: _Values) -> Edit:
    column = node.parent
    if not isinstance(column, exp.Column) or column.parts[0] is not node or "start" not in node.meta:
        reason = f"the variable {node.name} has the name of a column or of another part of the query"
        raise SqlError(reason, hint="rename the variable", place=place_of(query.text, node))
    value = _cast(*values[node.name.casefold()])
    if isinstance(column.parent, exp.Select) and column.arg_key == "expressions" and len(column.parts) == 1:
        value += f" AS {quoted(node.name)}"  # the column has the variable's name
    return Edit(int(node.meta["start"]), int(node.meta["end"]) + 1, value)


def _is_name_of_itself(node: exp.Identifier) -> bool:
    """Whether it is the alias of `x AS x` in the outermost SELECT: nothing but ORDER BY can read it, and means the
    same."""
    alias = node.parent
    if not isinstance(alias, exp.Alias) or node.arg_key != "alias" or not isinstance(alias.this, exp.Column):
        return False
    is_outermost = isinstance(alias.parent, exp.Select) and alias.parent.parent is None
    return is_outermost and len(alias.this.parts) == 1 and alias.this.name.casefold() == node.name.casefold()


def _values(query: Query, instead: Instead) -> _Values:
    found: _Values = {}
    for part in read_preamble(query.preamble):
        if isinstance(part, Assignment):
            name = part.name.casefold()
            kind = part.kind if part.is_declared else found.get(name, ("", ""))[1]
            value = _one_line(value_reading(part.value, query, instead), found) if part.value else "NULL"
            found[name] = (value, " ".join(kind.split()))
    return found


def _one_line(query: str, values: _Values) -> str:
    """The value that the query selects, in one line, with the values of other variables."""
    tokens = sqlglot.tokenize(query, dialect="bigquery")[1:]
    words = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        is_part = before is not None and before.token_type in _BEFORE_NAMES
        value = None if is_part else values.get(token.text.casefold())
        is_name = token.token_type in (TokenType.VAR, TokenType.IDENTIFIER)
        words.append("" if before is None or before.token_type == TokenType.PARAMETER else " ")
        words.append(_cast(*value) if value and is_name else query[token.start : token.end + 1].replace("\n", " "))
    return "".join(words)


def _cast(value: str, kind: str) -> str:
    return f"CAST(({value}) AS {kind})" if kind else f"({value})"

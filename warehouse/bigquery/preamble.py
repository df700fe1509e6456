"""A query with variables as one query without: BigQuery runs DECLARE only in a script of several jobs, which has no
destination table. Functions may stand before a query as they are.

A variable's value is written where its name stands. So a variable must not have the name of a column, which would win:
https://cloud.google.com/bigquery/docs/reference/standard-sql/procedural-language#declare
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from warehouse.bigquery.plan import Edit
from warehouse.errors import SqlError, place_at
from warehouse.names import TableName
from warehouse.sql.preamble import Assignment, read_preamble, statements_of
from warehouse.sql.query import Query, blanked
from warehouse.types import Column

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


def variable_edits(query: Query, stand_ins: Mapping[TableName, Sequence[Column]]) -> list[Edit]:
    """What to write in place of the variables, in the order of the text. Raises SqlError."""
    values = _values(query.preamble) if query.preamble else {}
    if not values:
        return []
    tree = query.tree
    _check_names(query, tree, values, chain.from_iterable(stand_ins.values()))
    edits = []
    for node in tree.find_all(exp.Column):
        mark = node.parts[0].meta
        if node.parts[0].name.casefold() in values and "start" in mark:
            written, kind = values[node.parts[0].name.casefold()]
            edits.append(Edit(int(mark["start"]), int(mark["end"]) + 1, _cast(written, kind)))
    return sorted(edits, key=lambda edit: edit.start)


def _check_names(query: Query, tree: exp.Query, names: Collection[str], columns: Iterable[Column]) -> None:
    taken = {column.name.casefold() for column in columns}
    for node in tree.find_all(exp.Alias):
        name = node.alias.casefold()
        if name in names and not _is_only_named_so(node, name):
            mark = node.args["alias"].meta
            place = place_at(query.text, int(mark["start"]), int(mark["end"])) if "start" in mark else None
            raise SqlError(f"the variable {name} has the name of a column", hint="rename the variable", place=place)
    for name in taken & set(names):
        raise SqlError(f"the variable {name} has the name of a column that the query reads", hint="rename the variable")


def _is_only_named_so(node: exp.Alias, name: str) -> bool:
    """Whether the alias stands in the outermost SELECT, `x AS x`: nothing can read it but ORDER BY, which means the
    same."""
    is_itself = isinstance(node.this, exp.Column) and node.this.name.casefold() == name
    return is_itself and isinstance(node.parent, exp.Select) and node.parent.parent is None


def _values(preamble: str) -> _Values:
    found: _Values = {}
    for part in read_preamble(preamble):
        if isinstance(part, Assignment):
            name = part.name.casefold()
            kind = part.kind if part.is_declared else found.get(name, ("", ""))[1]
            found[name] = (_one_line(part.value, found) or "NULL", " ".join(kind.split()))
    return found


def _one_line(query: str, values: _Values) -> str:
    """The value that the query selects, in one line, with the values of other variables."""
    tokens = sqlglot.tokenize(query, dialect="bigquery")[1:]
    words = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        is_path = before is not None and before.token_type == TokenType.DOT
        value = None if is_path else values.get(token.text.casefold())
        is_name = token.token_type in (TokenType.VAR, TokenType.IDENTIFIER)
        words.append(_cast(*value) if value and is_name else query[token.start : token.end + 1].replace("\n", " "))
    return " ".join(words)


def _cast(value: str, kind: str) -> str:
    return f"CAST(({value}) AS {kind})" if kind else f"({value})"

"""Read the parts of a script before its query: DECLARE, SET and CREATE TEMP FUNCTION, then CREATE TABLE … AS or CREATE
VIEW … AS with its options.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-definition-language#create_table_statement
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.errors import Place, SqlError, UnsupportedSql, place_at
from warehouse_refresh.warehouse.sql.definition import Definition
from warehouse_refresh.warehouse.sql.preamble import split
from warehouse_refresh.warehouse.sql.query import ListedColumn, blanked
from warehouse_refresh.warehouse.sql.statements import check_template, statements_of, without_needless
from warehouse_refresh.warehouse.sql.type_syntax import column_of
from warehouse_refresh.warehouse.storage import Partition, Storage
from warehouse_refresh.warehouse.types import Column

_UNITS = ("HOUR", "DAY", "MONTH", "YEAR")
_TIME = re.compile(r"(?:DATE|DATETIME|TIMESTAMP)_TRUNC\(([^,()]+),(\w+)\)", re.IGNORECASE)
_DATE = re.compile(r"(?:DATE\((\w+)\)|(\w+))", re.IGNORECASE)
_RANGE = re.compile(r"RANGE_BUCKET\(([^,()]+),GENERATE_ARRAY\((-?\d+),(-?\d+)(?:,(\d+))?\)\)", re.IGNORECASE)

_OF_TYPES = {"<": 1, ">": -1}
"""The brackets of types: by how many each opens or closes."""

_INSTEAD = {
    "PROCEDURE": "write what it computes as scripts, one query for each table",
    "SCHEMA": "leave it out: a refresh creates the datasets of res/, and `refresh init` those of db_init/",
}
"""What to write instead of a CREATE."""


def read_definition(text: str) -> Definition:
    """Read a script that is more than a query. Raises SqlError."""
    check_template(text)
    text, statements = without_needless(text, statements_of(text))
    count = next((number for number, tokens in enumerate(statements) if not _is_preamble(tokens)), len(statements))
    if count == len(statements):
        last = statements[-1]
        place = place_at(text, last[0].start, last[0].end)
        raise SqlError("a query is missing after this", hint="write a SELECT at the end", place=place)
    start = statements[count][0].start if count else 0
    preamble = blanked(text, start, len(text)) if count else ""
    rest = blanked(text, 0, start)
    first = statements[count]
    if first[0].token_type != TokenType.CREATE:
        return Definition(rest, preamble)
    found = _Reader(rest, first).read()
    functions = [tokens for tokens in statements[:count] if tokens[0].token_type == TokenType.CREATE]
    if found.is_view and functions:
        place = place_at(text, functions[0][0].start, functions[0][0].end)
        raise SqlError("a view cannot use a temporary function", hint="make it a table, or write it out", place=place)
    return replace(found, preamble=preamble)


def _is_preamble(tokens: Sequence[Token]) -> bool:
    words = [token.text.upper() for token in tokens[:5] if token.text.upper() not in ("OR", "REPLACE")]
    return words[0] in ("DECLARE", "SET") or (
        words[0] == "CREATE" and words[1:2] in (["TEMP"], ["TEMPORARY"]) and words[2:3] in (["FUNCTION"], ["AGGREGATE"])
    )


class _Reader:
    """Reads the tokens of CREATE before the query from left to right."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 1  # after CREATE

    def read(self) -> Definition:
        self._skip("OR", "REPLACE")
        is_view = self._kind()
        self._skip("IF", "NOT", "EXISTS")
        parts, place = self._name()
        self._refuse_no_query()
        listed = tuple(self._listed(is_view=is_view))
        storage = self._storage(self._clauses())
        start = self._tokens[self._at].start if self._at < len(self._tokens) else len(self._text)
        query = blanked(self._text, 0, start)
        return Definition(query, name=tuple(parts), place=place, is_view=is_view, storage=storage, listed=listed)

    def _word(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at].text.upper() if at < len(self._tokens) else ""

    def _skip(self, *words: str) -> bool:
        """Go past these words, if they come next."""
        found = all(self._word(number) == word for number, word in enumerate(words))
        self._at += len(words) if found else 0
        return found

    def _kind(self) -> bool:
        """Whether it is a view."""
        if self._skip("TABLE") or self._skip("VIEW"):
            return self._tokens[self._at - 1].text.upper() == "VIEW"
        what = f"CREATE {self._word()}"
        if self._word() in ("TEMP", "TEMPORARY"):
            self._unsupported("a temporary table", "write it as a WITH query, or as a script of its own")
        if self._word() in ("MATERIALIZED", "EXTERNAL", "SNAPSHOT", "MODEL"):
            self._unsupported(f"{what} in a script", "create it on BigQuery by hand; scripts may read it")
        hint = _INSTEAD.get(self._word(), "write one SELECT, or CREATE TABLE … AS or CREATE VIEW … AS with one")
        return self._wrong(f"the script is not a query but a {what}", hint)

    def _name(self) -> tuple[list[str], Place]:
        start = self._at
        while self._at < len(self._tokens) and self._is_of_name(self._tokens[self._at]):
            self._at += 1
        if self._at == start:
            self._wrong("a name is missing here", "write CREATE TABLE dataset.name AS SELECT …")
        tokens = self._tokens[start : self._at]
        written = "".join(self._text[token.start : token.end + 1].strip("`") for token in tokens)
        return written.split(".")[-3:], place_at(self._text, tokens[0].start, tokens[-1].end)

    def _is_of_name(self, token: Token) -> bool:
        if token.token_type in (TokenType.IDENTIFIER, TokenType.DOT, TokenType.DASH, TokenType.NUMBER):
            return True
        is_word = bool(re.fullmatch(r"\w+", token.text))
        return is_word and token.text.upper() not in ("AS", "PARTITION", "CLUSTER", "OPTIONS", "DEFAULT")

    def _refuse_no_query(self) -> None:
        if not any(token.text.upper() == "AS" for token in self._tokens[self._at :]):
            self._without_query()

    def _listed(self, *, is_view: bool) -> Iterator[ListedColumn]:
        """The columns in the list before AS; none if there is no list."""
        if self._word() != "(":
            return
        depth, end = 1, self._at + 1
        while end < len(self._tokens) and depth:
            depth += {"(": 1, ")": -1}.get(self._tokens[end].text, 0)
            end += 1
        tokens = self._tokens[self._at + 1 : end - 1]
        if not tokens:
            self._wrong("the list of columns is empty", "name the columns, or leave the list out")
        self._at = end
        for part in split(tokens, _OF_TYPES):
            yield self._column(part, is_view=is_view)

    def _column(self, tokens: list[Token], *, is_view: bool) -> ListedColumn:
        """A column of a list. What it may have beside its name: a table's its type and NOT NULL, and each one a
        description."""
        definition = self._parsed(tokens)
        kind = definition.args.get("kind") if isinstance(definition, exp.ColumnDef) else None
        for constraint in definition.args.get("constraints") or ():
            self._check_constraint(constraint, tokens, is_view=is_view)
        if not isinstance(definition, exp.ColumnDef | exp.Identifier):
            self._unsupported("a constraint of a table", "leave it out", tokens)
        if is_view and kind is not None:
            self._wrong_at(tokens, "a column in a view's list takes no type", "write the names alone")
        if not is_view and kind is None:
            self._wrong_at(tokens, "a column in a table's list needs a type", "write it after the name: id INT64")
        column = self._typed(definition, tokens) if kind is not None else None
        place = place_at(self._text, tokens[0].start, tokens[-1].end)
        kind_text, required = (str(column.type), column.required) if column is not None else ("", False)
        return ListedColumn(definition.name, kind_text, required, self._one_line(tokens), place)

    def _one_line(self, tokens: list[Token]) -> str:
        return " ".join(self._written([token]).replace("\n", "\\n") for token in tokens)

    def _parsed(self, tokens: list[Token]) -> exp.Expr:
        """The column as sqlglot reads it."""
        definition = None
        with suppress(SqlglotError, ValueError, AttributeError):
            table = sqlglot.parse_one(f"CREATE TABLE t ({self._written(tokens)})", dialect="bigquery")
            [definition] = table.this.expressions
        if not isinstance(definition, exp.Expr) or not re.match(r"[`A-Za-z_]", self._written(tokens[:1])):
            hint = "write its name, its type, NOT NULL and OPTIONS (description = …)"
            self._wrong_at(tokens, "this is not a column", hint)
        return definition

    def _typed(self, definition: exp.Expr, tokens: list[Token]) -> Column:
        try:
            return column_of(definition)
        except ValueError as error:
            return self._wrong_at(tokens, str(error), "write a type of GoogleSQL")

    def _check_constraint(self, constraint: exp.Expr, tokens: list[Token], *, is_view: bool) -> None:
        kind = constraint.args["kind"]
        options = [option.name.lower() for option in kind.expressions] if isinstance(kind, exp.Properties) else [""]
        if (isinstance(kind, exp.NotNullColumnConstraint) and not is_view) or set(options) == {"description"}:
            return
        what = constraint.sql("bigquery")
        self._unsupported(f"{what} of a column", "set it on BigQuery by hand, or leave it out", tokens)

    def _clauses(self) -> dict[str, list[Token]]:
        """The tokens of each clause before AS."""
        found: dict[str, list[Token]] = {}
        name, depth = "", 0
        while self._at < len(self._tokens) and not (depth == 0 and self._skip("AS")):
            token = self._tokens[self._at]
            word = token.text.upper()
            starts = depth == 0 and word in ("PARTITION BY", "CLUSTER BY", "OPTIONS")
            if starts:
                name = word
                found[name] = []
            elif not name:
                self._wrong(f"{token.text} is not expected here", "write AS before the query")
            else:
                found[name].append(token)
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(word, 0)
            self._at += 1
        if self._at >= len(self._tokens):
            self._without_query()
        return found

    def _without_query(self) -> NoReturn:
        self._at = 0
        hint = "write AS and the SELECT that fills it; an empty table belongs into db_init/"
        self._wrong("this creates a table without a query", hint)

    def _storage(self, clauses: dict[str, list[Token]]) -> Storage:
        partition = self._partition(clauses["PARTITION BY"]) if "PARTITION BY" in clauses else None
        names = [self._written(part) for part in split(clauses.get("CLUSTER BY", []))]
        options = dict(self._options(clauses.get("OPTIONS", [])))
        return Storage(partition, tuple(name.strip("` ") for name in names), **options)

    def _partition(self, tokens: list[Token]) -> Partition:
        written = re.sub(r"[\s`]", "", self._written(tokens))
        if time := _TIME.fullmatch(written):
            if time[2].upper() in _UNITS:
                return Partition(time[1], time[2].upper())
        elif integers := _RANGE.fullmatch(written):
            return Partition(integers[1], integers=(int(integers[2]), int(integers[3]), int(integers[4] or 1)))
        elif date := _DATE.fullmatch(written):
            column = date[1] or date[2]
            return Partition("" if column.upper() in ("_PARTITIONDATE", "_PARTITIONTIME") else column)
        return self._wrong_at(tokens, f"a table cannot be partitioned by {self._written(tokens)}", "name a column")

    def _options(self, tokens: list[Token]) -> Iterator[tuple[str, Any]]:
        for part in split(tokens[1:-1]):
            name, value = part[0].text.lower(), self._value(part[2:])
            if name == "labels" and isinstance(value, list):
                yield name, tuple((str(key), str(label)) for key, label in value)
            elif name in ("description", "friendly_name", "partition_expiration_days", "require_partition_filter"):
                yield name, value
            else:
                self._unsupported(f"the option {name}", "set it on BigQuery by hand: a refresh keeps it", part)

    def _value(self, tokens: list[Token]) -> object:
        """A literal, or a list of tuples of literals."""
        try:
            return _constant(sqlglot.parse_one(self._written(tokens), dialect="bigquery"))
        except (SqlglotError, ValueError):
            return self._unsupported("an option that is no literal", "write its value", tokens)

    def _written(self, tokens: Sequence[Token]) -> str:
        return self._text[tokens[0].start : tokens[-1].end + 1] if tokens else ""

    def _wrong(self, reason: str, hint: str) -> NoReturn:
        self._wrong_at(self._tokens[min(self._at, len(self._tokens) - 1) :][:1], reason, hint)

    def _wrong_at(self, tokens: Sequence[Token], reason: str, hint: str) -> NoReturn:
        raise SqlError(reason, hint=hint, place=place_at(self._text, tokens[0].start, tokens[-1].end))

    def _unsupported(self, what: str, hint: str, tokens: Sequence[Token] = ()) -> NoReturn:
        tokens = tokens or self._tokens[self._at :][:1]
        raise UnsupportedSql(
            f"{what} is not supported", hint=hint, place=place_at(self._text, tokens[0].start, tokens[-1].end)
        )


def _constant(node: exp.Expr) -> object:
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else float(node.name)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Array | exp.Tuple):
        return [_constant(each) for each in node.expressions]
    raise ValueError(node)

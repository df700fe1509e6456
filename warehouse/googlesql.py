"""Reading GoogleSQL: one parse per text, kept with what everything else asks of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from warehouse.errors import Place, SqlError
from warehouse.names import TableName

_TOO_MANY = re.compile(r"number of provided arguments \((\d+)\) is greater than .* \((\d+)\)")
_WORDS = [
    *("SELECT", "DISTINCT", "FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER", "LIMIT", "UNION", "EXCEPT", "WITH"),
    *("INNER", "LEFT", "RIGHT", "FULL", "CROSS", "JOIN", "USING", "UNNEST", "OFFSET", "PARTITION", "OVER", "BETWEEN"),
    *("CASE", "WHEN", "THEN", "ELSE", "INTERVAL", "ARRAY", "STRUCT", "INT64", "INTEGER", "FLOAT64", "NUMERIC", "BOOL"),
    *("STRING", "BYTES", "DATE", "DATETIME", "TIME", "TIMESTAMP", "JSON"),
]
_QUOTED = re.compile(
    r"""
    --[^\n]* | \#[^\n]* | /\*.*?\*/ | `[^`\n]*`
    | \"{3}(?:\\.|.)*?\"{3} | '{3}(?:\\.|.)*?'{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    | (?P<opened>/\*|`|\"{3}|'{3}|"|')
    """,
    re.VERBOSE | re.DOTALL,
)
"""What must be closed: comments, names and strings; `opened` where one is not."""
_MISSING = re.compile(r"^Required keyword: .* missing for <class '.*\.(\w+)'>$")


@dataclass(frozen=True, slots=True)
class Read:
    """A table that a query reads, and where its text names it first."""

    table: TableName
    place: Place


@dataclass(frozen=True)
class Query:
    """One query: its text, as written, and its syntax tree, which nobody changes (copy it first)."""

    text: str
    tree: exp.Query

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """The tables that the query reads, each once, in the order of the text. Raises SqlError for a table without
        its dataset."""
        first: dict[TableName, Read] = {}
        for node in sorted(tables_in(self.tree), key=_start_of):
            read = Read(TableName(node.db, node.name), _place_of(self.text, node))
            if not node.db:
                raise SqlError(
                    f"{node.name} is neither a WITH query nor a table with its dataset",
                    hint=f"write `dataset.{node.name}`",
                    place=read.place,
                )
            first.setdefault(read.table, read)
        return tuple(first.values())


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script, with the table that it creates or changes (None for any other statement), and where
    in the script's text it starts."""

    text: str
    tree: exp.Expr
    target: TableName | None
    start: Place

    def located(self, error: SqlError) -> SqlError:
        """An error in this statement, with its place in the script: the statement's start if it had none."""
        if error.place is None:
            return type(error)(error.reason, hint=error.hint, place=self.start)
        column = error.place.column + (self.start.column - 1 if error.place.line == 1 else 0)
        place = Place(self.start.line + error.place.line - 1, column, error.place.length)
        return type(error)(error.reason, hint=error.hint, place=place)


def parse_query(text: str) -> Query:
    """Read a script that must be one query. Raises SqlError."""
    statements = _parse(text)
    if not statements:
        raise SqlError("the script is empty", hint="write one SELECT")
    if len(statements) > 1:
        raise SqlError(
            f"the script holds {len(statements)} statements",
            hint="keep one SELECT, give each other table its own script",
            place=_place_of_part(text, 1),
        )
    tree = statements[0]
    if not isinstance(tree, exp.Query):
        raise SqlError(
            f"the script is not a query but {_kind(tree)}",
            hint="write one SELECT; the table is made from it",
            place=_place_of_part(text, 0),
        )
    return Query(text, tree)


def parse_script(text: str) -> list[Statement]:
    """Read a script of statements separated by semicolons. Raises SqlError."""
    return [
        Statement(text[start : end + 1], tree, _target_of(tree), place_at(text, start, start))
        for (start, end), tree in zip(_parts(text), _parse(text), strict=True)
    ]


def place_of(text: str, node: exp.Expr) -> Place | None:
    """Where a part of the text's syntax tree stands; None for one that left no mark in the text."""
    marks = [found.meta for found in node.walk() if "start" in found.meta]
    if not marks:
        return None
    return place_at(text, min(mark["start"] for mark in marks), max(mark["end"] for mark in marks))


def place_at(text: str, start: int, end: int) -> Place:
    """The place of the characters from `start` to `end`, both counted from 0, both included."""
    line_start = text.rfind("\n", 0, start) + 1
    return Place(text.count("\n", 0, start) + 1, start - line_start + 1, end - start + 1)


def _parse(text: str) -> list[exp.Expr]:
    try:
        trees = sqlglot.parse(text, dialect="bigquery")
    except ParseError as error:
        raise _syntax_error(text, error) from error
    except TokenError as error:
        raise _unclosed(text) from error
    return [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Where the statements start and end: what stands between semicolons, if it is more than comments."""
    tokens: list[Token] = []
    for token in [*sqlglot.tokenize(text, dialect="bigquery"), None]:
        if token is not None and token.token_type != TokenType.SEMICOLON:
            tokens.append(token)
        elif tokens:
            yield tokens[0].start, tokens[-1].end
            tokens = []


def _place_of_part(text: str, number: int) -> Place:
    """Where a statement's first word stands; statements are counted from 0."""
    start, end = list(_parts(text))[number]
    word = re.match(r"\w+", text[start : end + 1])
    return place_at(text, start, start + (len(word.group()) if word else 1) - 1)


def _unclosed(text: str) -> SqlError:
    """The error for a text that ends inside a string, a name or a comment."""
    opened = next((match for match in _QUOTED.finditer(text) if match["opened"]), None)
    return SqlError(
        "the SQL cannot be read: " + (f"{opened['opened']} is not closed" if opened else "a character is out of place"),
        hint=f"write {'*/' if opened['opened'] == '/*' else opened['opened']} where it ends" if opened else "",
        place=place_at(text, opened.start(), opened.end() - 1) if opened else None,
    )


def _syntax_error(text: str, error: ParseError) -> SqlError:
    detail = error.errors[0] if error.errors else {}
    highlight = detail.get("highlight") or " "
    place = Place(detail.get("line") or 1, max(1, (detail.get("col") or 1) - len(highlight) + 1), len(highlight))
    description = str(detail.get("description", error))
    if missing := _MISSING.search(description):
        description = f"a part of {missing.group(1).upper()} is missing"
    elif many := _TOO_MANY.search(description):
        description = f"{many.group(1)} arguments for a function that takes at most {many.group(2)}"
    return SqlError(f"syntax error at {highlight!r}: {description}", hint=_syntax_hint(text, place), place=place)


def _syntax_hint(text: str, place: Place) -> str:
    """A misspelt keyword or type at `place` or just before it, as far as one can be told."""
    from difflib import get_close_matches  # slow to import, and only needed when something is wrong

    lines = text.split("\n")
    before = "\n".join([*lines[: place.line - 1], lines[place.line - 1][: place.column - 1 + place.length]])
    for word in reversed(re.findall(r"\w+", before)[-3:]):
        found = get_close_matches(word.upper(), _WORDS, n=1, cutoff=0.75)
        if found and found[0] != word.upper():
            return f"did you mean {found[0]}?"
    return "look just before it: is a comma, a parenthesis or a word missing or too many?"


def _kind(tree: exp.Expr) -> str:
    word = tree.sql("bigquery").split(maxsplit=1)[0].upper()
    return f"{'an' if word[0] in 'AEIOU' else 'a'} {word}"


def _target_of(tree: exp.Expr) -> TableName | None:
    """The table that a CREATE TABLE, INSERT, UPDATE, DELETE, MERGE, TRUNCATE, DROP or ALTER is about."""
    if isinstance(tree, exp.Create | exp.Drop) and tree.args.get("kind") != "TABLE":
        return None
    node = tree.expressions[0] if isinstance(tree, exp.TruncateTable) else tree.args.get("tables", [tree.this])[0]
    table = node.find(exp.Table) if isinstance(node, exp.Expr) else None
    return TableName(table.db, table.name) if table is not None and table.db else None


def tables_in(tree: exp.Expr) -> Iterator[exp.Table]:
    """The tables that a query names: neither WITH queries, nor paths into an array of another FROM item, nor tables of
    another project, nor models and table functions."""
    for node in tree.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier) or node.catalog:
            continue
        if not _is_with_query(node) and not _is_path(node):
            yield node


def _is_with_query(node: exp.Table) -> bool:
    if node.db:
        return False
    name = node.name.casefold()
    return any(name == query.alias.casefold() for scope in _enclosing(node) for query in scope.ctes)


def _is_path(node: exp.Table) -> bool:
    """`p.images` after `FROM tmp.products AS p`: https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#range_variables"""
    first = node.db.casefold()
    return bool(first) and any(
        first == item.alias_or_name.casefold()
        for scope in _enclosing(node)
        for item in _items_of(scope)
        if item is not node
    )


def _enclosing(node: exp.Expr) -> Iterator[exp.Query]:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, exp.Query):
            yield parent
        parent = parent.parent


def _items_of(query: exp.Query) -> Iterator[exp.Expr]:
    """The items of a query's FROM clause."""
    clause = query.args.get("from_")
    if clause is not None:
        yield clause.this
    for join in query.args.get("joins") or ():
        yield join.this


def _start_of(node: exp.Table) -> int:
    return int(node.this.meta.get("start", 0))


def _place_of(text: str, node: exp.Table) -> Place:
    end = int(node.this.meta.get("end", 0))
    db = node.args.get("db")
    start = int(db.meta.get("start", _start_of(node))) if db is not None else _start_of(node)
    return place_at(text, start, end)

"""Reading GoogleSQL with sqlglot, and questions about its syntax trees."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import ParseError, TokenError
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.errors import Place, SqlError, place_at
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.preamble import Assignment, FunctionText, read_preamble
from warehouse_refresh.warehouse.sql.query import Parameter, Read, Statement
from warehouse_refresh.warehouse.sql.rewriting.arrays_in_from import taken_for_tables, with_arrays
from warehouse_refresh.warehouse.sql.rewriting.tokens import read_tokens
from warehouse_refresh.warehouse.sql.statements import check_no_program, check_one_query, check_template, statements_of
from warehouse_refresh.warehouse.sql.syntax_errors import (
    FAULTS_OF_PARSER,
    check_brackets,
    check_text,
    syntax_error,
    too_deep,
    unclosed_error,
    unreadable,
)

_BIGQUERY = BigQuery()
_LOG = logging.getLogger("sqlglot")
_WITHOUT = "without_dataset"
_OR_REPLACE = " OR REPLACE"
Tree = TypeVar("Tree", bound=exp.Expr)
_LONGEST_PATH = 2_000  # characters: a longer line is not read again for each of its tables
_PATH_BEFORE = re.compile(r"(?:(?:`[^`\n]*`|[\w-]+)[ \t]*\.[ \t]*)+\Z")


def names_in(text: str, preamble: str = "") -> tuple[Read, ...]:
    """The tables that a text of one query and its preamble name, each once, in the order of the text. Raises
    SqlError."""
    first: dict[tuple[str, TableName], Read] = {}
    for part, trees in ((preamble, _preamble_trees(preamble)), (text, [query_tree(text)])):
        for node in sorted((node for tree in trees for node in tables_in(tree)), key=_start_of):
            start, end = span_of(part, node)
            read = Read(TableName(node.db, node.name), place_at(part, start, end), node.catalog)
            first.setdefault((read.project, read.table), read)
    return tuple(first.values())


def reads_in_function(text: str) -> tuple[Read, ...]:
    """The tables that a CREATE FUNCTION reads, each once. Raises SqlError, also for a query parameter in it."""
    for parameter in _parameters(text):
        raise _parameter_in_function(parameter)
    [tree] = _parse(text)
    first: dict[tuple[str, TableName], Read] = {}
    for node in sorted(tables_in(tree.expression), key=_start_of):
        start, end = span_of(text, node)
        read = Read(TableName(node.db, node.name), place_at(text, start, end), node.catalog)
        first.setdefault((read.project, read.table), read)
    return tuple(first.values())


def argument_types(text: str) -> tuple[str, ...]:
    """The types of the arguments of a CREATE FUNCTION, as text; ANY TYPE for any."""
    [tree] = _parse(text)
    kinds = [part.args.get("kind") for part in tree.this.expressions]
    return tuple(
        "ANY TYPE" if kind is None or kind.this == exp.DataType.Type.VARIANT else kind.sql("bigquery") for kind in kinds
    )


def parameters_in(text: str, preamble: str = "") -> tuple[Parameter, ...]:
    """The query parameters that a text of one query and its preamble name, each once. Raises SqlError for one that
    stands in a function's body, which cannot see it."""
    bodies = [part for part in read_preamble(preamble) if isinstance(part, FunctionText)] if "@" in preamble else []
    for parameter in (found for body in bodies for found in _parameters(body.text)):
        raise _parameter_in_function(parameter)
    first: dict[str, Parameter] = {}
    for parameter in [*_parameters(preamble), *_parameters(text)]:
        first.setdefault(parameter.name.casefold(), parameter)
    return tuple(first.values())


def _parameter_in_function(parameter: Parameter) -> SqlError:
    return SqlError(
        f"a function cannot read the variable @{parameter.name}",
        hint="give the function another argument, and call it with the variable",
        place=parameter.place,
    )


def _parameters(text: str) -> Iterator[Parameter]:
    """The query parameters in the order of the text. `@@name`, a variable of BigQuery's own, is none."""
    if "@" not in text:
        return
    tokens = sqlglot.tokenize(text, dialect="bigquery")
    for before, token, name in zip([None, *tokens], tokens, tokens[1:], strict=False):
        is_system = before is not None and before.token_type == TokenType.PARAMETER
        if token.token_type == TokenType.PARAMETER and name.token_type != TokenType.PARAMETER and not is_system:
            yield Parameter(name.text, place_at(text, token.start, name.end))


def function_bodies(preamble: str, default: str = "") -> list[exp.Expr]:
    """The bodies of a preamble's functions, in which names without a dataset get the `default` one. Raises SqlError."""
    parts = read_preamble(preamble) if preamble else []
    found = [part for part in parts if isinstance(part, FunctionText) and part.language is None]
    trees = [tree for part in found for tree in _parse(part.text)]
    bodies = [tree.expression for tree in trees if isinstance(tree, exp.Create)]
    return [with_dataset(body, default) for body in bodies if isinstance(body, exp.Expr)]


def _preamble_trees(preamble: str) -> list[exp.Expr]:
    """The parts of a preamble that may read tables: values and bodies. Raises SqlError."""
    found = read_preamble(preamble) if preamble else []
    values = [query_tree(part.value) for part in found if isinstance(part, Assignment) and part.value]
    return [*values, *function_bodies(preamble)]


def parse_script(text: str) -> list[Statement]:
    """Read a script of statements separated by semicolons. Raises SqlError."""
    check_template(text)
    for tokens in statements_of(text):
        check_no_program(text, tokens)
    statements = []
    for (start, end), tree in zip(_parts(text), _parse(text), strict=True):
        target = _target_of(tree)
        name = TableName(target.db, target.name) if target is not None else None
        project = target.catalog if target is not None else ""
        statements.append(Statement(text[start : end + 1], tree, name, place_at(text, start, start), project))
    return statements


def with_or_replace(statement: Statement) -> Statement:
    """A CREATE TABLE as CREATE OR REPLACE TABLE, also where it says IF NOT EXISTS; any other statement as it is."""
    tree, text = statement.tree, statement.text
    if not isinstance(tree, exp.Create) or tree.args.get("kind") != "TABLE" or tree.args.get("replace"):
        return statement
    tokens = sqlglot.tokenize(text, dialect="bigquery")
    if tree.args.get("exists"):
        start, end = tokens[2].start, tokens[4].end + 1  # CREATE TABLE IF NOT EXISTS
        text = text[:start] + re.sub(r"\S", " ", text[start:end]) + text[end:]
    word = tokens[0].end + 1
    text = f"{text[:word]}{_OR_REPLACE}{text[word:]}"
    [tree] = _parse(text)
    return replace(statement, text=text, tree=tree, inserted=len(_OR_REPLACE))


def place_of(text: str, node: exp.Expr) -> Place | None:
    """The place of a part of the syntax tree; None for a part without a position."""
    marks = [found.meta for found in node.walk() if found.meta.get("end") is not None]
    if not marks:
        return None
    return place_at(text, min(mark["start"] for mark in marks), max(mark["end"] for mark in marks))


def span_of(text: str, table: exp.Table) -> tuple[int, int]:
    """Where a table's name starts and ends in the text, with its dataset and its project, both included.

    sqlglot marks each part of the name; but those of `` `project.dataset`.name `` all with the place of the last word.
    """
    parts = [
        part for part in (table.args.get("catalog"), table.args.get("db"), table.this) if isinstance(part, exp.Expr)
    ]
    marks = [part.meta for part in parts if part.meta.get("end") is not None]
    if not marks:
        return 0, 0
    start = min(int(mark["start"]) for mark in marks)
    line = max(text.rfind("\n", 0, start) + 1, start - _LONGEST_PATH)
    before = _PATH_BEFORE.search(text, line, start) if len(parts) > 1 else None
    return before.start() if before else start, max(int(mark["end"]) for mark in marks)


def query_tree(text: str, default: str = "") -> exp.Query:
    """The syntax tree of a text that must be one query, in which names without a dataset get the `default` one. Raises
    SqlError."""
    check_template(text)
    check_one_query(text)
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
        what = "an expression" if isinstance(tree, exp.Condition) else _kind(text)
        raise SqlError(
            f"the script is not a query but {what}",
            hint="write one SELECT; the table is made from it",
            place=_place_of_part(text, 0),
        )
    return with_dataset(tree, default)


def with_dataset(tree: Tree, default: str) -> Tree:
    """The tree, in which tables without a dataset have the `default` one; `is_without_dataset` knows them."""
    for node in list(tables_in(tree)) if default else ():
        if not node.db:
            node.set("db", exp.to_identifier(default))
            node.meta[_WITHOUT] = True
    return tree


def is_without_dataset(node: exp.Table) -> bool:
    """Whether the text names the table without its dataset, which `with_dataset` has added."""
    return bool(node.meta.get(_WITHOUT))


def _parse(text: str) -> list[exp.Expr]:
    try:
        check_text(text)
        trees = _trees(text)
        check_brackets(text)
    except ParseError as error:
        raise syntax_error(text, error) from error
    except TokenError as error:
        raise unclosed_error(text) from error
    except RecursionError as error:
        raise too_deep(_place_of_part(text, 0)) from error
    except FAULTS_OF_PARSER as error:
        raise unreadable(_place_of_part(text, 0)) from error
    found = [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]
    return [with_tables(tree, text) for tree in found]


def _trees(text: str) -> list[exp.Expr | None]:
    """What sqlglot reads; its own functions as calls like any other, where it fails for the number of arguments."""
    tokens = read_tokens(text)
    if "[" in text and _PATTERNS.search(text):  # sqlglot compiles RE2's patterns with Python's re, which may warn
        _hide_calls(tokens, _PATTERNS)
    try:
        return trees_of(tokens, text)
    except FAULTS_OF_PARSER:
        tokens = read_tokens(text)
        _hide_calls(tokens, re.compile("."))
        return trees_of(tokens, text)


def trees_of(tokens: list[Token], text: str) -> list[exp.Expr | None]:
    """What sqlglot makes of the tokens. It logs what it cannot read, such as a JSON path; here that is an error of the
    script, with its place."""
    _LOG.disabled = True
    with taken_for_tables():
        found = _BIGQUERY.parser().parse(tokens, text)
    trees = [tree if tree is None else with_arrays(tree) for tree in found]
    if any(isinstance(tree, exp.Alias) for tree in trees) and tokens[-2].token_type == TokenType.ALIAS:
        return [_without_alias(tree) for tree in trees]
    return trees


def _without_alias(tree: exp.Expr | None) -> exp.Expr | None:
    """`(SELECT 1) AS x`: the alias of a whole query means nothing."""
    return tree.this if isinstance(tree, exp.Alias) and isinstance(tree.this, exp.Subquery) else tree


_PATTERNS = re.compile("REGEXP_", re.IGNORECASE)


def _hide_calls(tokens: list[Token], names: re.Pattern[str]) -> None:
    """Give the calls of sqlglot's own functions with such names others."""
    for token, after in pairwise(tokens):
        is_call = after.token_type == TokenType.L_PAREN and token.text.upper() in Parser.FUNCTIONS
        if is_call and names.match(token.text):
            token.text = f"{token.text}$"


_ONE_NAME = re.compile(r"`([^`.\n]+)\.[^`\n]+`")


def with_tables(tree: exp.Expr, text: str) -> exp.Expr:
    """The tree with the table that `` FROM `d.t` AS d, `d.u` `` names second: sqlglot takes it for an array of d."""
    datasets = set(_ONE_NAME.findall(text))
    if not any(re.search(rf"(?<![\w.`-]){re.escape(name)}(?![\w.`-])", text) for name in datasets):
        return tree  # no alias is named like a dataset
    for node in list(tree.find_all(exp.Unnest)):
        path = node.expressions[0]
        place = path.this.meta if isinstance(path, exp.Column) and isinstance(path.this, exp.Identifier) else {}
        written = text[place["start"] : place["end"] + 1] if place.get("end") is not None else ""
        if written.startswith("`") and "." in written:
            alias = node.args.get("alias")
            names = {"this": path.this, "db": path.args.get("table"), "catalog": path.args.get("db")}
            if alias is not None:
                names["alias"] = exp.TableAlias(this=alias.columns[0])
            table = exp.Table(**names)
            table.meta["quoted_table"] = True
            node.replace(table)
    return tree


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Where the statements start and end: what stands between semicolons, if it is more than comments."""
    yield from ((tokens[0].start, tokens[-1].end) for tokens in statements_of(text))


def _place_of_part(text: str, number: int) -> Place:
    """Where a statement's first word stands; statements are counted from 0."""
    start, end = list(_parts(text))[number]
    word = re.match(r"\w+", text[start : end + 1])
    return place_at(text, start, start + (len(word.group()) if word else 1) - 1)


def _kind(text: str) -> str:
    start, end = next(_parts(text))
    word = re.split(r"\W", text[start : end + 1], maxsplit=1)[0].upper() or text[start]
    return f"{'an' if word[0] in 'AEIOU' else 'a'} {word}"


def _target_of(tree: exp.Expr) -> exp.Table | None:
    """The table that a CREATE TABLE, INSERT, UPDATE, DELETE, MERGE, TRUNCATE, DROP or ALTER is about."""
    if isinstance(tree, exp.Create | exp.Drop) and tree.args.get("kind") != "TABLE":
        return None
    node = tree.expressions[0] if isinstance(tree, exp.TruncateTable) else (tree.args.get("tables") or [tree.this])[0]
    table = node.find(exp.Table) if isinstance(node, exp.Expr) else None
    return table if table is not None and table.db else None


def tables_in(tree: exp.Expr) -> Iterator[exp.Table]:
    """The tables that a query names: neither WITH queries, nor paths into an array of another FROM item, nor what
    describes tables, nor models and table functions. The catalogue of a node is the project that it names."""
    for node in tree.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier) or is_metadata(node):
            continue
        if not _is_with_query(node) and not _is_path(node):
            yield node


def is_metadata(node: exp.Table) -> bool:
    """Whether it is a view that tells of tables, jobs and the like, not a table:
    https://cloud.google.com/bigquery/docs/information-schema-intro"""
    name = node.name.upper()
    return name.startswith("INFORMATION_SCHEMA.") or name in ("__TABLES__", "__TABLES_SUMMARY__")


def _is_with_query(node: exp.Table) -> bool:
    return not node.db and any(_same_name(node.name, query.alias) for query in _with_queries(node))


def _with_queries(node: exp.Expr) -> Iterator[exp.Expr]:
    """The WITH queries that `node` may name: those of the queries around it and, where it stands in one itself, those
    before that one, or all with RECURSIVE.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#cte_visibility"""
    for child, parent in _ancestry(node):
        if isinstance(parent, exp.With):
            yield from parent.expressions if parent.recursive else parent.expressions[: child.index]
        elif isinstance(parent, exp.Query) and not isinstance(child, exp.With):
            yield from parent.ctes


def _is_path(node: exp.Table) -> bool:
    """`p.images` after `FROM tmp.products AS p`, which is one name and no path where back-ticks are around all of it:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#range_variables"""
    first = "" if is_one_name(node) else node.catalog or node.db
    return bool(first) and any(_same_name(first, name) for name in _range_variables(node))


def is_one_name(node: exp.Table) -> bool:
    """Whether the table's dataset and name stand in the same back-ticks."""
    return bool(node.meta.get("quoted_table"))


def _range_variables(node: exp.Table) -> Iterator[str]:
    """The names of FROM items that a path in `node`'s place may begin with: those before it, and those of the queries
    around it; but a subquery in FROM does not see the items beside it, and a WITH query sees nothing around it."""
    in_from = False
    for child, parent in _ancestry(node):
        if isinstance(parent, exp.With):
            return
        if isinstance(parent, exp.From | exp.Join):
            in_from = isinstance(child, exp.Subquery) and child.arg_key == "this"
        elif isinstance(parent, exp.Query):
            if not in_from:
                yield from (item.alias_or_name for item in _items_until(parent, child) if item is not node)
            in_from = False


def _ancestry(node: exp.Expr) -> Iterator[tuple[exp.Expr, exp.Expr]]:
    """The node with its parent, that one with its own, and so on."""
    while node.parent is not None:
        yield node, node.parent
        node = node.parent


def _items_until(query: exp.Query, clause: exp.Expr) -> Iterator[exp.Expr]:
    """The items of a query's FROM and JOIN clauses, up to and with that of `clause` if it is one of them."""
    for each in filter(None, [query.args.get("from_"), *(query.args.get("joins") or ())]):
        yield each.this
        if each is clause:
            return


def _same_name(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _start_of(node: exp.Table) -> int:
    return int(node.this.meta.get("start", 0))

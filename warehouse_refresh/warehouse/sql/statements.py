"""What a script may not be: a template that another tool fills in, a statement that is no query, legacy SQL.

These are recognised before the parser sees them, which would stumble over one of their signs.
"""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import NoReturn

import sqlglot
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.errors import OnlyBigQuery, SqlError, place_at
from warehouse_refresh.warehouse.sql.query import blanked

_SKIPPED = re.compile(
    r"""
    --[^\n]* | \#(?!\}})[^\n]* | /\*.*?\*/
    | \"{3}(?:\\.|.)*?\"{3} | '{3}(?:\\.|.)*?'{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    | (?P<mark>\{\{|\{%|\{\#|\$\{) | `[^`\n]*?(?P<in_name>\{|\$\{|<\w[\w .-]*>\.|\.<\w[\w .-]*>)[^`\n]*` | `[^`\n]*`
    """,
    re.VERBOSE | re.DOTALL,
)
"""Comments and strings, in which a template's marks are text; else the marks themselves, alone or within a name."""
_MAY_BE_TEMPLATE = re.compile(r"\{|<\w[\w .-]*>")
_PLACEHOLDER = re.compile(
    r"\A\s*(?:config|js)\s*\{[^}]*\}|(?<![\w>])<[A-Za-z_][\w .-]*>|\{\w+\}|%\(\w+\)s|%s\b"
    r"|(?:FROM|JOIN)\s+(?P<name>@\w+)\s*\.",
    re.IGNORECASE,
)
_BEFORE_TABLE = re.compile(r"\b(?:FROM|JOIN|TABLE|VIEW|INTO|UPDATE|EXISTS|MERGE|MODEL)\s+\Z", re.IGNORECASE)
_ENDS = {"{{": "}}", "{%": "%}", "{#": "#}", "${": "}"}
_LEGACY = re.compile(r"\A\s*#legacySQL\b", re.IGNORECASE)
_LEGACY_NAME = re.compile(r"\[[\w-]+:[\w.$-]+\]")
_MORE_THAN_ONE = re.compile(r";\s*[^\s;]")

_VALUE = "write what it stands for"
_PROGRAM = "write one query for each table; what the program computes can be a script of its own"
_BY_HAND = "run it on BigQuery by hand"
_INSTEAD = {
    "INSERT": "write its SELECT alone: the table gets its result anew at each refresh",
    "MERGE": "write one SELECT with all rows of the table: it gets them anew at each refresh",
    "UPDATE": "compute the new values in the SELECT that makes the table",
    "DELETE": "leave the rows out with WHERE in the SELECT that makes the table",
    "TRUNCATE": "leave it out: a refresh replaces the whole table",
    "DROP": "leave it out: a refresh replaces the table",
    "ALTER": "write the columns into the SELECT that makes the table, its options into CREATE TABLE … OPTIONS (…) AS",
    "EXPORT": f"{_BY_HAND}, after the refresh",
    "LOAD": f"{_BY_HAND}, before the refresh; or put the file into res/ as a source",
    "ASSERT": "write IF(condition, value, ERROR('what is wrong')) in the query: its table then stays as it is",
    "GRANT": _BY_HAND,
    "REVOKE": _BY_HAND,
    "CALL": "write what the procedure computes as scripts, one query for each table",
}
_PROGRAMS = (
    "EXECUTE",
    "BEGIN",
    "IF",
    "LOOP",
    "WHILE",
    "FOR",
    "REPEAT",
    "CASE",
    "RETURN",
    "RAISE",
    "COMMIT",
    "ROLLBACK",
)


def check_template(text: str) -> None:
    """Raises SqlError for a text with `{{ … }}`, `{% … %}`, `{# … #}` or `${ … }` outside of strings and comments, or
    with a table's name in back-ticks that holds a placeholder. A column's name may hold any sign."""
    if not _MAY_BE_TEMPLATE.search(text):
        return
    for found in _SKIPPED.finditer(text):
        if found["mark"]:
            end = text.find(_ENDS[found["mark"]], found.start())
            _refuse_template(text, found.start(), end + len(_ENDS[found["mark"]]) if end >= 0 else found.end())
        if found["in_name"] and _is_table(text, found):
            _refuse_template(text, found.start(), found.end())


def _is_table(text: str, name: re.Match[str]) -> bool:
    """Whether the name in back-ticks has a dataset, and stands where a table does."""
    has_dataset = "." in name[0] or text[name.end() : name.end() + 1] == "."
    return has_dataset and bool(_BEFORE_TABLE.search(text, 0, name.start()))


def placeholder_error(text: str) -> SqlError | None:
    """The error for a text that the parser cannot read and that has a placeholder such as <project>, {table}, %s or a
    parameter in place of a dataset; None if it has none."""
    found = _PLACEHOLDER.search(_plain(text))
    return _template_error(text, *found.span("name" if found["name"] else 0)) if found else None


def _plain(text: str) -> str:
    """The text with blanks in place of comments, strings and names in back-ticks."""
    return _SKIPPED.sub(lambda match: " " * len(match[0]), text)


def _refuse_template(text: str, start: int, end: int) -> NoReturn:
    raise _template_error(text, start, end)


def _template_error(text: str, start: int, end: int) -> SqlError:
    written = " ".join(text[start:end].split())
    shown = written if len(written) <= 60 else f"{written[:57]}…"
    place = place_at(text, start, min(end, _line_end(text, start)) - 1)
    return SqlError(f"{shown} is a template, not SQL", hint=_instead_of(written), place=place)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _instead_of(template: str) -> str:
    """What to write instead of a template."""
    if re.search(r"\b(ref|source)\s*\(", template):
        return "write the table's name: `dataset.table`"
    if re.match(r"\s*(\{\{-?\s*)?config\b", template):
        return "leave it out: options stand in CREATE TABLE … OPTIONS (…) AS before the SELECT"
    if template.startswith(("{%", "{#")):
        return "write the SQL that it makes; a comment is /* … */"
    return f"{_VALUE}: nothing is filled in here"


def check_one_query(text: str) -> None:
    """Raises SqlError for a text that is not one query, if its first words or its semicolons show that. The parser
    finds the rest."""
    legacy = _LEGACY.search(text) or (_LEGACY_NAME.search(text) and _LEGACY_NAME.search(_plain(text)))
    if legacy:
        hint = "write GoogleSQL: `project.dataset.table` in back-ticks"
        raise SqlError("legacy SQL cannot be read", hint=hint, place=place_at(text, legacy.start(), legacy.end() - 1))
    statements = statements_of(text) if _may_be_other(text) else []
    if statements:
        _check_statement(text, statements[0])
    extra = _NO_STATEMENT.search(_plain(text)) if _NO_STATEMENT.search(text) else None
    if extra and len(statements) < 2:
        place = place_at(text, extra.end() - 1, extra.end() - 1)
        raise SqlError("there is no statement before this ;", hint="leave it out", place=place)
    if len(statements) > 1:
        first = statements[1][0]
        hint = _INSTEAD.get(first.text.upper()) or "keep one SELECT, give each other table its own script"
        reason = f"the script holds {len(statements)} statements"
        raise SqlError(reason, hint=hint, place=place_at(text, first.start, first.end))


_NO_STATEMENT = re.compile(r"(?:\A|;)\s*;")


def statements_of(text: str) -> list[list[Token]]:
    """The tokens of each statement of a script. Raises SqlError for an unclosed comment, name or string."""
    try:
        tokens = sqlglot.tokenize(text, dialect="bigquery")
    except TokenError as error:
        from warehouse_refresh.warehouse.sql.syntax_errors import unclosed_error  # which imports this module

        raise unclosed_error(text) from error
    found: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            found.append([])
        else:
            found[-1].append(token)
    return [tokens for tokens in found if tokens]


def is_sign(token: Token, sign: str) -> bool:
    """Whether the token is a sign such as `(`, and no string of that character."""
    return token.text == sign and token.start == token.end


def language_in(tokens: Sequence[Token]) -> Token | None:
    """The LANGUAGE of a CREATE FUNCTION, which stands in no bracket; None if there is none."""
    depth = 0
    for token in tokens:
        depth += is_sign(token, "(") - is_sign(token, ")")
        if depth == 0 and token.token_type != TokenType.STRING and token.text.upper() == "LANGUAGE":
            return token
    return None


def without_needless(text: str, statements: list[list[Token]]) -> tuple[str, list[list[Token]]]:
    """The script with blanks in place of statements that do what a refresh does anyway: DROP TABLE or DROP VIEW before
    the CREATE of the same name, CREATE SCHEMA before the CREATE of something in that dataset."""
    kept = []
    for number, tokens in enumerate(statements, start=1):
        after = statements[number:]
        if after and _is_needless(tokens, after):
            text = blanked(text, tokens[0].start, after[0][0].start)
        else:
            kept.append(tokens)
    return text, kept


def _is_needless(tokens: list[Token], after: list[list[Token]]) -> bool:
    words = [token.text.upper() for token in tokens]
    name = "".join(_without_condition(words[2:]))
    if words[:2] in (["DROP", "TABLE"], ["DROP", "VIEW"]):
        return bool(name) and _created(after) == name
    return words[:2] == ["CREATE", "SCHEMA"] and _created(after).startswith(f"{name}.")


def _created(statements: list[list[Token]]) -> str:
    """The name of what the first CREATE of something that stays creates, in capitals."""
    for tokens in statements:
        words = [token.text.upper() for token in tokens]
        kind = next((at for at, word in enumerate(words[:4]) if word in ("TABLE", "VIEW", "FUNCTION")), 0)
        if words[0] == "CREATE" and kind and not {"TEMP", "TEMPORARY"} & set(words[:kind]):
            return "".join(takewhile(lambda word: word not in _AFTER_NAME, _without_condition(words[kind + 1 :])))
    return ""


def _without_condition(words: list[str]) -> list[str]:
    for condition in (["IF", "EXISTS"], ["IF", "NOT", "EXISTS"]):
        if words[: len(condition)] == condition:
            return words[len(condition) :]
    return words


_AFTER_NAME = ("AS", "(", "PARTITION BY", "CLUSTER BY", "OPTIONS")
_FIRST_WORD = re.compile(r"(?:\s|;|--[^\n]*+|\#[^\n]*+|/\*.*?\*/)*+(\w*)", re.DOTALL)


def _may_be_other(text: str) -> bool:
    word = _FIRST_WORD.match(text)
    is_query = word is not None and word[1].upper() in ("", "SELECT", "WITH", "FROM")
    return not is_query or bool(_MORE_THAN_ONE.search(text))


def check_no_program(text: str, tokens: list[Token]) -> None:
    """Raises OnlyBigQuery for a statement that makes a script a program."""
    word = tokens[0].text.upper().partition(" ")[0]  # BEGIN TRANSACTION is one token
    if word in _PROGRAMS:
        what = "EXECUTE IMMEDIATE" if word == "EXECUTE" else word
        place = place_at(text, tokens[0].start, tokens[0].end)
        raise OnlyBigQuery(f"a script with {what} is not supported", hint=_PROGRAM, place=place)


def _check_statement(text: str, tokens: list[Token]) -> None:
    word = tokens[0].text.upper()
    place = place_at(text, tokens[0].start, tokens[0].end)
    check_no_program(text, tokens)
    if word in _INSTEAD:
        article = "an" if word[0] in "AEIOU" else "a"
        raise SqlError(f"the script is not a query but {article} {word}", hint=_INSTEAD[word], place=place)

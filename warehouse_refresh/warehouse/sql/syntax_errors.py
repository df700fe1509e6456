"""Explain, in words for people, why a text cannot be read as SQL."""

import re
import unicodedata

import sqlglot
from sqlglot.errors import ParseError
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.errors import OnlyBigQuery, Place, SqlError, UnsupportedSql, place_at
from warehouse_refresh.warehouse.sql.mistakes import is_certain, unbalanced
from warehouse_refresh.warehouse.sql.statements import placeholder_error
from warehouse_refresh.warehouse.suggest import did_you_mean

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


DEEPEST = 200
"""How deeply brackets may be nested. The parser is compiled to C: a few thousand levels would crash the process."""
DEEPEST_READ_TWICE = 12
"""How deeply calls may be nested that the parser reads twice. Each level doubles the time; this many take 50 ms.

The parser first takes `DATE(…)` and `STRUCT(…)` for types, and `SAFE.ABS(…)` for a column.
"""


def check_text(text: str) -> None:
    """Raises SqlError for mistakes that the parser would accept and for texts that would crash it, and TokenError for
    an unclosed comment, name or string."""
    may_be_deep = text.count("(") > DEEPEST_READ_TWICE or text.count("[") + text.count("<") > DEEPEST
    may_be_odd = not text.isascii() or _ODD.search(text) is not None
    if not (may_be_odd or may_be_deep):
        return
    tokens = sqlglot.tokenize(text, dialect="bigquery")
    if may_be_deep:
        check_depth(tokens, text)
    if may_be_odd:
        _check_characters(tokens, text)


def check_brackets(text: str) -> None:
    """Raises SqlError for a bracket without its other one, which the parser reads past in some places."""
    if text.count("(") == text.count(")") and text.count("[") == text.count("]"):
        return  # most texts: quicker than to read the tokens
    if (bracket := unbalanced(sqlglot.tokenize(text, dialect="bigquery"))) is not None:
        is_open = bracket.text in "(["
        reason = f"syntax error: {bracket.text} is {'left open' if is_open else 'not opened'}"
        hint = "close it where it ends" if is_open else "take it out, or open it where it starts"
        raise SqlError(reason, hint=hint, place=place_at(text, bracket.start, bracket.end))


def check_depth(tokens: list[Token], text: str) -> None:
    """Raises SqlError if brackets are nested too deeply."""
    if token := _too_deep_at(tokens):
        raise too_deep(place_at(text, token.start, token.end))


def too_deep(place: Place | None = None) -> SqlError:
    """The error for a text that is nested too deeply for the parser."""
    return SqlError(
        "the SQL is nested too deeply to be read",
        hint="give its inner parts names: WITH queries, or scripts of their own",
        place=place,
    )


def _too_deep_at(tokens: list[Token]) -> Token | None:
    """The first bracket that is nested too deeply: `(`, `[`, or the `<` of ARRAY and STRUCT."""
    opened: list[bool] = []  # for each open bracket whether it is of a call that is read twice
    angles = 0
    for number, token in enumerate(tokens):
        kind = token.token_type
        before = tokens[number - 1].token_type if number else None
        if kind in (TokenType.L_PAREN, TokenType.L_BRACKET):
            opened.append(kind == TokenType.L_PAREN and _is_read_twice(tokens, number - 1))
        elif kind in (TokenType.R_PAREN, TokenType.R_BRACKET):
            opened[-1:] = []
        elif kind == TokenType.LT and before in (TokenType.ARRAY, TokenType.STRUCT):
            angles += 1
        elif kind == TokenType.GT and angles:
            angles -= 1
        if len(opened) + angles > DEEPEST or sum(opened) > DEEPEST_READ_TWICE:
            return token
    return None


def _is_read_twice(tokens: list[Token], number: int) -> bool:
    """Whether the token before a `(` makes sqlglot try something else before it reads a call."""
    if number < 0:
        return False
    is_path = number > 1 and tokens[number - 1].token_type == TokenType.DOT
    return is_path or tokens[number].token_type in Parser.TYPE_TOKENS


_ODD = re.compile(r"[\x00-\x07\x0e-\x1f\x7f-\x9f$\u1680\u2028\u2029]")
"""Characters that are neither blanks in GoogleSQL nor parts of a word."""
_COMMENT = re.compile(r"--[^\n]*|\#[^\n]*|/\*.*?\*/", re.DOTALL)


def _check_characters(tokens: list[Token], text: str) -> None:
    """Raises SqlError for a character that GoogleSQL has in strings, comments and back-ticks only. An unquoted name has
    letters from A to Z, digits and `_`:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#unquoted_identifiers"""
    end = 0
    for token in [*tokens, None]:
        gap = text[end : token.start if token is not None else len(text)]
        if found := _ODD.search(_COMMENT.sub(lambda match: " " * len(match[0]), gap)):
            raise _foreign_character(text, end + found.start())
        if token is None:
            return
        if token.token_type == TokenType.VAR and (not token.text.isascii() or _ODD.search(token.text)):
            odd = next(at for at, each in enumerate(token.text) if not each.isascii() or _ODD.match(each))
            raise _foreign_character(text, token.start + odd)
        end = token.end + 1


def _foreign_character(text: str, index: int) -> SqlError:
    found = text[index]
    meant = next((plain for plain, others in _LOOKALIKES.items() if found in others), "")
    name = unicodedata.name(found, "a character without a name").lower()
    hint = f"write {meant}" if meant else "take it out" if not found.isalnum() else "write the name in back-ticks"
    place = place_at(text, index, index)
    return SqlError(f"{found!r} ({name}) is not SQL here", hint=hint, place=place)


_LOOKALIKES = {"'": "‘’‚′´", '"': "“”„″«»", "-": "‐‑‒–—―−", "*": "×", ",": "，", "(": "（", ")": "）", ";": "；"}


FAULTS_OF_PARSER = (TypeError, AttributeError, ValueError, LookupError)
"""What sqlglot may raise beside errors of its own, for a text that is no SQL."""


def unreadable(place: Place | None) -> UnsupportedSql:
    """The error for a text on which the parser fails without a reason."""
    hint = "is a word, a comma or a bracket missing or too many? If BigQuery takes it, this tool cannot read it yet"
    return UnsupportedSql("the SQL cannot be read", hint=hint, place=place)


def unclosed_error(text: str) -> SqlError:
    """The error for a text that ends inside a string, a name or a comment."""
    opened = next((match for match in _QUOTED.finditer(text) if match["opened"]), None)
    if opened is None:
        hint = "is a quote, a back-tick or a comment left open?"
        return SqlError("the SQL cannot be read", hint=hint, place=place_at(text, 0, 0))
    mark = opened["opened"]
    return SqlError(
        f"the SQL cannot be read: {mark} is left open",
        hint=f"write {'*/' if mark == '/*' else mark} where it ends",
        place=place_at(text, opened.start(), opened.end() - 1),
    )


def syntax_error(text: str, error: ParseError) -> SqlError:
    """The error for a text that sqlglot cannot parse: UnsupportedSql, unless it is certainly wrong on BigQuery too."""
    if placeholder := placeholder_error(text):
        return placeholder
    detail = error.errors[0] if error.errors else {}
    highlight = detail.get("highlight") or " "
    line = min(detail.get("line") or 1, text.count("\n") + 1)  # to sqlglot a line ends with a lone \r too
    place = Place(line, max(1, (detail.get("col") or 1) - len(highlight) + 1), len(highlight))
    reason = f"syntax error at {highlight!r}: {_in_words(detail.get('description') or '')}"
    hint = _hint(text, place, highlight)
    description = detail.get("description") or ""
    tokens = sqlglot.tokenize(text, dialect="bigquery")
    for token in tokens:
        if token.token_type != TokenType.STRING and token.text.upper() in _ONLY_BIGQUERY:
            what, instead = _ONLY_BIGQUERY[token.text.upper()]
            return OnlyBigQuery(f"only BigQuery has {what}", hint=instead, place=place_at(text, token.start, token.end))
    if "following CTE" in description and tokens and tokens[-1].text in (")", ";"):
        return SqlError("a query is missing after this WITH query", hint="write a SELECT that reads it", place=place)
    if _TOO_MANY.search(description) or description.startswith("Adjacent") or is_certain(tokens):
        return SqlError(reason, hint=hint, place=place)
    joint = " " if hint.endswith("?") else ". "
    return UnsupportedSql(reason, hint=f"{hint}{joint}If BigQuery takes it, this tool cannot read it yet", place=place)


_ONLY_BIGQUERY = {
    "DIFFERENTIAL_PRIVACY": ("privacy clauses", "select without WITH DIFFERENTIAL_PRIVACY"),
    "AGGREGATION_THRESHOLD": ("privacy clauses", "write HAVING COUNT(DISTINCT …) and the threshold"),
    "MATCH_RECOGNIZE": ("MATCH_RECOGNIZE", "compare rows by LAG and LEAD"),
    "GRAPH_TABLE": ("graphs", "join the tables of its nodes and edges"),
}
"""Words of clauses that sqlglot cannot read and only BigQuery answers, with what to write instead."""


def _in_words(description: str) -> str:
    """What sqlglot says is wrong, without its classes' names."""
    if many := _TOO_MANY.search(description):
        return f"{many.group(1)} arguments for a function that takes at most {many.group(2)}"
    if description.startswith("Required keyword"):
        return "something is missing before it"
    if description.startswith("Invalid expression"):
        return "this is not expected here"
    return re.sub(r" but got (<Token|Token).*", "", description, flags=re.DOTALL)


def _hint(text: str, place: Place, highlight: str) -> str:
    """A guess at the mistake at `place` or just before it: above all a misspelt keyword or type."""
    lines = text.split("\n")
    before = "\n".join([*lines[: place.line - 1], lines[place.line - 1][: place.column - 1 + place.length]])
    if re.search(rf"\.\s*{re.escape(highlight)}\Z", before) and highlight.isidentifier():
        return f"{highlight.upper()} is a word of SQL: as a name it needs back-ticks, `{highlight}`"
    for word in reversed(re.findall(r"\w+", before)[-3:]):
        hint = did_you_mean(word, _WORDS)
        if hint and word.upper() not in _WORDS:
            return hint
    return "look just before it: is a comma, a parenthesis or a word missing or too many?"

"""What sqlglot reads although GoogleSQL does not have it: other dialects' signs, words and types."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NoReturn

from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.duckdb.translate.reading.commas import CLAUSES, CLOSING, OPENING, check_commas
from warehouse_refresh.warehouse.duckdb.translate.reading.grammar import without_dashes
from warehouse_refresh.warehouse.errors import SqlError, place_at
from warehouse_refresh.warehouse.sql.mistakes import RESERVED
from warehouse_refresh.warehouse.sql.syntax_errors import unreadable

# By the text of a token, with what to write instead.
SIGNS = {
    "::": "write CAST(x AS type)",
    "{": "write STRUCT(x AS name)",
    "==": "write =",
    "<=>": "write IS NOT DISTINCT FROM",
    "!": "write NOT",
}
JOINS = {
    TokenType.SEMI: "write WHERE EXISTS (SELECT …)",
    TokenType.ANTI: "write WHERE NOT EXISTS (SELECT …)",
    TokenType.ASOF: "write a join and QUALIFY",
}
JOIN_WORDS = {TokenType.JOIN, TokenType.LEFT, TokenType.RIGHT, TokenType.FULL, TokenType.INNER, TokenType.OUTER}
TYPES = {
    **dict.fromkeys(("VARCHAR", "TEXT", "CHAR", "NVARCHAR", "CLOB", "LONGVARCHAR", "STR", "VARCHAR2"), "STRING"),
    **dict.fromkeys(("CHAR VARYING", "CHARACTER VARYING"), "STRING"),
    **dict.fromkeys(("DOUBLE", "DOUBLE PRECISION", "FLOAT", "REAL", "FLOAT4", "FLOAT8", "FLOAT32"), "FLOAT64"),
    **dict.fromkeys(("INT1", "INT2", "INT4", "INT8", "INT16", "INT32", "INT128"), "INT64"),
    **dict.fromkeys(("BYTE", "SHORT", "LONG", "HUGEINT"), "INT64"),
    **dict.fromkeys(("DEC", "FIXED", "NUMBER"), "NUMERIC"),
    **dict.fromkeys(("BINARY", "VARBINARY", "BLOB", "BYTEA"), "BYTES"),
    "TIMESTAMPTZ": "TIMESTAMP",
    "TIMESTAMP_NTZ": "DATETIME",
}
UNITS = {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND"}

_CALLS = re.compile("CAST|EXTRACT", re.IGNORECASE)
_SIGN = re.compile("|".join(map(re.escape, SIGNS)))
_LEADERS = {TokenType.ALIAS, TokenType.INTERVAL, TokenType.NUMBER, TokenType.LIMIT, *JOINS}
"""The tokens after which another one may be foreign."""


def check_foreign(tokens: Sequence[Token], text: str) -> None:
    """Raises SqlError for what GoogleSQL does not have."""
    kinds = [token.token_type for token in tokens]
    labels = _unpivoted(tokens) if TokenType.UNPIVOT in kinds else set()
    check_commas(tokens, text)
    if _SIGN.search(text):
        _check_signs(tokens, text)
    for index, kind in enumerate(kinds):
        if kind in _CHECKS:
            _CHECKS[kind](tokens, index, text)
        if kind in _LEADERS:
            _check_following(tokens[index : index + 3], text, is_label=index in labels)
    if _CALLS.search(text):
        _check_casts(tokens, text)
        _check_extracts(tokens, text)
    if "{#" in text:
        _check_gaps(tokens, text)


_CHECKS: dict[TokenType, Callable[[Sequence[Token], int, str], None]] = {
    TokenType.FETCH: lambda tokens, index, text: _foreign(tokens[index], text, "write LIMIT"),
    TokenType.STAR: lambda tokens, index, text: _check_star(tokens, index, text),
    TokenType.JOIN: lambda tokens, index, text: _check_join(tokens, index, text),
    TokenType.RECURSIVE: lambda tokens, index, text: _check_recursive(tokens, index, text),
    TokenType.IS: lambda tokens, index, text: _check_is(tokens, index, text),
    TokenType.PLUS: lambda tokens, index, text: _check_plus(tokens, index, text),
}
BEFORE_A_SIGN = {
    *(TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.COMMA, TokenType.SELECT, TokenType.DISTINCT, TokenType.WHERE),
    *(TokenType.AND, TokenType.OR, TokenType.NOT, TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE),
    *(TokenType.GT, TokenType.GTE, TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH, TokenType.DPIPE),
    *(
        TokenType.THEN,
        TokenType.ELSE,
        TokenType.WHEN,
        TokenType.ON,
        TokenType.HAVING,
        TokenType.QUALIFY,
        TokenType.BETWEEN,
    ),
    *(TokenType.CASE, TokenType.LIKE, TokenType.ALL, TokenType.FROM, TokenType.FARROW, TokenType.PIPE_SLASH),
    *(TokenType.GROUP_BY, TokenType.ORDER_BY, TokenType.PARTITION_BY),
}
"""The tokens after which + and - are the sign of a value."""
_NO_NUMBERS = {
    **dict.fromkeys((TokenType.STRING, TokenType.RAW_STRING), "STRING"),
    **dict.fromkeys((TokenType.TRUE, TokenType.FALSE), "BOOL"),
    TokenType.BYTE_STRING: "BYTES",
    TokenType.NULL: "literal NULL",
    TokenType.INTERVAL: "INTERVAL",
}


def _check_plus(tokens: Sequence[Token], index: int, text: str) -> None:
    """Raises SqlError for a sign before what is certainly no number: sqlglot leaves the sign out."""
    if index + 1 < len(tokens) and (index == 0 or tokens[index - 1].token_type in BEFORE_A_SIGN):
        kind = _NO_NUMBERS.get(tokens[index + 1].token_type)
        if kind is not None:
            place = place_at(text, tokens[index].start, tokens[index + 1].end)
            raise SqlError(f"the operand of + must be a number and is {kind}", hint="convert it with CAST", place=place)


_AFTER_JOINS = {
    *(*CLAUSES, *CLOSING, TokenType.COMMA, TokenType.SEMICOLON, TokenType.PIPE_GT),
    *(TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT),
}


def _check_join(tokens: Sequence[Token], index: int, text: str) -> None:
    """Raises SqlError for `JOIN (SELECT …)` without ON or USING, which sqlglot reads like a comma."""
    waiting, place = 0, index
    while place < len(tokens):
        kind = tokens[place].token_type
        if kind in _AFTER_JOINS:
            break
        if kind in (TokenType.ON, TokenType.USING):
            waiting -= 1
        elif kind == TokenType.JOIN:
            if place + 1 == len(tokens) or tokens[place + 1].token_type != TokenType.L_PAREN:
                return  # maybe an array, which needs no condition
            waiting += tokens[place - 1].token_type != TokenType.CROSS
        if waiting <= 0 or kind in _PIVOTS:
            return
        if place + 1 < len(tokens) and tokens[place + 1].token_type == TokenType.L_PAREN:
            place = _end_of_parentheses(tokens, place)
        place += 1
    raise SqlError(
        "JOIN needs ON or USING",
        hint="write ON and a condition after it, or CROSS JOIN",
        place=place_at(text, tokens[index].start, tokens[index].end),
    )


_PIVOTS = {TokenType.PIVOT, TokenType.UNPIVOT, TokenType.TABLE_SAMPLE}


_COMPARISONS = {
    *(TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE),
    *(TokenType.LIKE, TokenType.IN, TokenType.BETWEEN, TokenType.IS),
}
_IN_OPERANDS = {
    *(TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING, TokenType.NULL, TokenType.TRUE),
    *(TokenType.FALSE, TokenType.DOT, TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH),
    *(TokenType.DPIPE, TokenType.NOT, *OPENING, *CLOSING),
}


def _check_is(tokens: Sequence[Token], index: int, text: str) -> None:
    """Raises SqlError for `a IS NULL = b` and `a = b IS NULL`, which sqlglot reads as if parentheses were there."""
    end = index + 1
    while end < len(tokens) and tokens[end].token_type in (TokenType.NOT, TokenType.DISTINCT, TokenType.FROM):
        end += 1
    after = _operator(tokens, range(end, len(tokens)), OPENING, CLOSING)
    if after is not None or _operator(tokens, range(index - 1, -1, -1), CLOSING, OPENING) is not None:
        raise SqlError(
            "syntax error: a comparison beside IS must stand in parentheses",
            hint="write (a IS NULL) = b, or (a = b) IS NULL",
            place=place_at(text, tokens[index].start, tokens[index].end),
        )


def _operator(tokens: Sequence[Token], places: range, into: set[TokenType], out: set[TokenType]) -> Token | None:
    """The first comparison at these places that is not in brackets, if nothing but operands comes before it."""
    depth = 0
    for place in places:
        kind = tokens[place].token_type
        depth += (kind in into) - (kind in out)
        if depth < 0:
            return None
        if depth == 0 and kind in _COMPARISONS and not _is_shift(tokens, place):
            return None if _ends_type(tokens, place) else tokens[place]
        if depth == 0 and kind not in _IN_OPERANDS | _COMPARISONS:
            return None
    return None


def _is_shift(tokens: Sequence[Token], place: int) -> bool:
    """Whether the token is a half of `<<` or `>>`."""
    kind, around = tokens[place].token_type, tokens[max(place - 1, 0) : place + 2]
    same = [token for token in around if token.token_type == kind]
    return kind in (TokenType.LT, TokenType.GT) and len(same) > 1 and same[0].end + 1 == same[1].start


def _ends_type(tokens: Sequence[Token], place: int) -> bool:
    """Whether the token is the last one of a type before a value: ARRAY<INT64>[…], RANGE<DATE> '…'."""
    if tokens[place].token_type != TokenType.GT:
        return False
    is_range = place > 2 and tokens[place - 3].token_type == TokenType.RANGE
    return is_range or tokens[place + 1].token_type in OPENING


def _check_signs(tokens: Sequence[Token], text: str) -> None:
    for token in tokens:
        if token.token_type != TokenType.STRING and (instead := SIGNS.get(text[token.start : token.end + 1])):
            _foreign(token, text, instead)


def _unpivoted(tokens: Sequence[Token]) -> set[int]:
    """Where the tokens stand that are in the parentheses of an UNPIVOT, in which a string may follow AS."""
    starts = (index for index, token in enumerate(tokens) if token.token_type == TokenType.UNPIVOT)
    return {place for start in starts for place in range(start, _end_of_parentheses(tokens, start))}


def _end_of_parentheses(tokens: Sequence[Token], start: int) -> int:
    """Where the first parentheses after `start` close."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += (tokens[index].token_type == TokenType.L_PAREN) - (tokens[index].token_type == TokenType.R_PAREN)
        if depth == 0 and tokens[index].token_type == TokenType.R_PAREN:
            return index
    return len(tokens)


_COMMENT = re.compile(r"--[^\n]*|\#[^\n]*|/\*.*?\*/", re.DOTALL)


def _check_gaps(tokens: Sequence[Token], text: str) -> None:
    """Raises SqlError for `{# … #}`, which sqlglot skips as a comment."""
    starts = [0, *(token.end + 1 for token in tokens)]
    ends = [*(token.start for token in tokens), len(text)]
    for start, end in zip(starts, ends, strict=True):
        gap = _COMMENT.sub(lambda match: " " * len(match[0]), text[start:end]) if "{#" in text[start:end] else ""
        if "{" in gap:
            place = start + gap.index("{")
            raise SqlError(
                "syntax error: {# is not GoogleSQL", hint="write /* … */", place=place_at(text, place, place + 1)
            )


def _check_following(tokens: Sequence[Token], text: str, *, is_label: bool) -> None:
    """A token with the two after it."""
    if len(tokens) < 2:
        return
    kind, following = tokens[0].token_type, tokens[1]
    last = tokens[2] if len(tokens) > 2 else None
    if kind in JOINS and following.token_type in JOIN_WORDS:
        _foreign(tokens[0], text, JOINS[kind])
    if kind == TokenType.ALIAS and following.token_type == TokenType.STRING and not is_label:
        _foreign(following, text, "an alias stands in back-ticks or alone")
    if kind == TokenType.ALIAS and _is_reserved(following):
        _check_reserved(following, text)
    if kind == TokenType.INTERVAL and following.token_type == TokenType.STRING and not _is_unit(last):
        _check_interval(following, last, text)
    if kind == TokenType.NUMBER and following.token_type == TokenType.VAR and following.start == tokens[0].end + 1:
        _check_number(tokens[0], following, text)
    if kind == TokenType.LIMIT and last is not None and last.token_type == TokenType.COMMA:
        _foreign(last, text, "write LIMIT 10 OFFSET 5")


def _check_number(number: Token, following: Token, text: str) -> None:
    """Raises SqlError for a number that a letter follows, unless both are of a table's name: my-shop-123.tmp.a. A point
    at the number's end parts them, too: `1.a`."""
    if not number.text.endswith(".") and without_dashes(text)[number.start - 1 : number.start] != "_":
        _foreign(following, text, "write digits only, or a blank before an alias")


def _check_interval(written: Token, following: Token | None, text: str) -> None:
    """Raises SqlError for an INTERVAL with a text that no date part follows. Texts side by side are one."""
    if following is not None and following.token_type == TokenType.STRING:
        raise unreadable(place_at(text, written.start, following.end))
    _foreign(written, text, _interval_hint(written.text))


_WORDED = re.compile(r"\s*([+-]?\d+)\s*([a-z]+?)s?\s*", re.IGNORECASE)


def _interval_hint(written: str) -> str:
    """How GoogleSQL writes what other dialects write as INTERVAL '8 hours'."""
    found = _WORDED.fullmatch(written)
    if found and found[2].upper() in UNITS:
        return f"write INTERVAL {found[1]} {found[2].upper()}"
    return "write the part after it, such as INTERVAL '1-2' YEAR TO MONTH, INTERVAL 1 DAY"


_AFTER_AS = frozenset({"ARRAY", "STRUCT", "INTERVAL", "RANGE", "ENUM", "PROTO", "OF", "SELECT", "WITH", "FROM"})
"""Reserved words that may stand after AS: types, queries, and FOR SYSTEM_TIME AS OF."""


def _is_reserved(token: Token) -> bool:
    return not _is_text(token) and token.text.upper() in RESERVED - _AFTER_AS


def _check_reserved(token: Token, text: str) -> NoReturn:
    """Raises SqlError for a reserved word as a name: sqlglot takes most of them.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#reserved_keywords"""
    raise SqlError(
        f"syntax error: {token.text} is a reserved word",
        hint=f"write `{token.text}` in back-ticks, or take another name",
        place=place_at(text, token.start, token.end),
    )


def _check_recursive(tokens: Sequence[Token], index: int, text: str) -> None:
    if index and tokens[index - 1].token_type == TokenType.COMMA:
        _foreign(tokens[index], text, "write it once, after WITH")


def _check_star(tokens: Sequence[Token], index: int, text: str) -> None:
    after = tokens[index + 1 : index + 3]
    if len(after) > 1 and after[0].text.upper() == "RENAME" and after[1].token_type == TokenType.L_PAREN:
        _foreign(after[0], text, "write EXCEPT, and the column with AS")


def _is_unit(token: Token | None) -> bool:
    return token is not None and token.text.upper() in UNITS


def _check_casts(tokens: Sequence[Token], text: str) -> None:
    """CAST(x AS type): the type is what follows the last AS of its parentheses."""
    for index in range(1, len(tokens)):
        if tokens[index].token_type == TokenType.L_PAREN and tokens[index - 1].text.upper() in ("CAST", "SAFE_CAST"):
            if index > 1 and tokens[index - 2].token_type == TokenType.DOT:
                _foreign(tokens[index - 1], text, "write SAFE_CAST alone")
            parts = _type_of_cast(tokens, index)
            _check_parameters(parts, text)
            for number, part in enumerate(parts):
                if part.text.upper() in TYPES and not _is_text(part) and not _is_field(parts, number):
                    _foreign(part, text, f"write {TYPES[part.text.upper()]}")


def _check_extracts(tokens: Sequence[Token], text: str) -> None:
    """EXTRACT(part FROM x): sqlglot takes a comma, too."""
    for index in range(1, len(tokens)):
        is_path = index > 1 and tokens[index - 2].token_type == TokenType.DOT  # a function of a dataset
        if (
            tokens[index].token_type == TokenType.L_PAREN
            and tokens[index - 1].text.upper() == "EXTRACT"
            and not is_path
        ):
            parts = [part for part in tokens[index:] if part.token_type in (TokenType.COMMA, TokenType.FROM)]
            if parts and parts[0].token_type == TokenType.COMMA:
                _foreign(parts[0], text, "write EXTRACT(part FROM value)")


def _check_parameters(parts: Sequence[Token], text: str) -> None:
    for left, right in pairwise(parts):
        if (left.token_type, right.token_type) == (TokenType.L_PAREN, TokenType.R_PAREN):
            reason, place = (
                "syntax error: a length or a precision is missing here",
                place_at(text, left.start, right.end),
            )
            raise SqlError(reason, hint="write STRING(10), or STRING", place=place)


def _is_text(token: Token) -> bool:
    return token.token_type in (TokenType.STRING, TokenType.RAW_STRING, TokenType.IDENTIFIER)


def _is_field(parts: Sequence[Token], place: int) -> bool:
    """Whether it is a field's name in STRUCT<name type, …>: what opens a field, with its type after it."""
    if place == 0 or parts[place - 1].token_type not in (TokenType.LT, TokenType.COMMA):
        return False
    ends = (TokenType.COMMA, TokenType.GT, TokenType.L_PAREN, TokenType.LT)
    return place + 1 < len(parts) and parts[place + 1].token_type not in ends


def _type_of_cast(tokens: Sequence[Token], start: int) -> Sequence[Token]:
    depth, alias = 0, len(tokens)
    for index in range(start, len(tokens)):
        depth += (tokens[index].token_type == TokenType.L_PAREN) - (tokens[index].token_type == TokenType.R_PAREN)
        if depth == 1 and tokens[index].token_type == TokenType.ALIAS:
            alias = index
        if depth == 0:
            return tokens[alias + 1 : index]
    return ()


def _foreign(token: Token, text: str, hint: str) -> None:
    raise SqlError(
        f"syntax error: {text[token.start : token.end + 1]} is not GoogleSQL",
        hint=hint,
        place=place_at(text, token.start, token.end),
    )

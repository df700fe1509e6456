"""Tokens that stand beside each other in no text of GoogleSQL, though sqlglot reads past them.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NoReturn

from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.errors import SqlError, place_at

_ENDS = (TokenType.R_PAREN, TokenType.R_BRACKET)
_TYPES = (
    *(TokenType.DECIMAL, TokenType.BIGDECIMAL, TokenType.DATE, TokenType.DATETIME, TokenType.TIMESTAMP, TokenType.TIME),
    *(TokenType.TIMESTAMPTZ, TokenType.JSON, TokenType.TEXT, TokenType.BIGINT, TokenType.DOUBLE, TokenType.BOOLEAN),
    TokenType.BINARY,
)
_NEVER = {
    **{(TokenType.NUMBER, kind): "a comma or a sign is missing" for kind in (TokenType.NUMBER, TokenType.STRING)},
    **{(kind, TokenType.STRING): "a name stands in back-ticks" for kind in (TokenType.IDENTIFIER, *_ENDS)},
    **{
        (kind, TokenType.ALIAS): "a name is missing before it"
        for kind in (TokenType.WITH, TokenType.RECURSIVE, TokenType.COMMA, TokenType.L_PAREN)
    },
    **{(kind, TokenType.NUMBER): "write quotes around the value" for kind in _TYPES},
    (TokenType.BETWEEN, TokenType.BETWEEN): "take it out",
    (TokenType.STAR, TokenType.ALIAS): "name the columns, each with AS",
    (TokenType.NOT, TokenType.IS): "write IS NOT",
    (TokenType.ALIAS, TokenType.NUMBER): "a name starts with a letter, or stands in back-ticks",
    (TokenType.COMMA, TokenType.GT): "a type is missing before it",
    (TokenType.L_PAREN, TokenType.ALL): "take it out",
}
"""Kinds of tokens of which the second never stands after the first, with what to do."""


def check_neighbours(tokens: Sequence[Token], text: str) -> None:
    """Raises SqlError for a token that cannot stand after the one before it. What was written in between by this tool
    has the place of another token, and is left out."""
    before: Token | None = None
    for index, token in enumerate(tokens):
        kind = token.token_type
        hint = _NEVER.get((before.token_type, kind)) if before is not None and before.end < token.start else None
        if hint and not _is_label(tokens, index):
            _wrong(token, text, hint)
        if kind in _CHECKS:
            _CHECKS[kind](tokens, index, text)
        before = token


def _is_label(tokens: Sequence[Token], index: int) -> bool:
    """Whether the token may be the label of a column of an UNPIVOT."""
    is_literal = tokens[index].token_type in (TokenType.NUMBER, TokenType.STRING)
    return is_literal and any(token.token_type == TokenType.UNPIVOT for token in tokens[:index])


def _check_colon(tokens: Sequence[Token], index: int, text: str) -> None:
    _wrong(tokens[index], text, "write a dot before a field, or take it out")


def _check_string(tokens: Sequence[Token], index: int, text: str) -> None:
    """`FROM d.t 'name'`"""
    kinds = [token.token_type for token in tokens[max(index - 2, 0) : index]]
    if kinds == [TokenType.DOT, TokenType.VAR] and not _is_label(tokens, index):
        _wrong(tokens[index], text, "a name stands in back-ticks")


_BEFORE_VALUES = {
    *(TokenType.SELECT, TokenType.DISTINCT, TokenType.FROM, TokenType.JOIN, TokenType.WHERE, TokenType.ON),
    *(TokenType.COMMA, TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.PLUS, TokenType.DASH, TokenType.STAR),
    *(TokenType.SLASH, TokenType.EQ, TokenType.AND, TokenType.OR, TokenType.GROUP_BY, TokenType.ORDER_BY),
    TokenType.DOT,
}


def _check_dot(tokens: Sequence[Token], index: int, text: str) -> None:
    """`FROM . d.t`, and `. 5`, which sqlglot reads as 0.5."""
    after = tokens[index + 1] if index + 1 < len(tokens) else None
    is_number = after is not None and after.token_type == TokenType.NUMBER and after.start == tokens[index].end + 1
    if index and tokens[index - 1].token_type in _BEFORE_VALUES and not is_number:
        _wrong(tokens[index], text, "a name is missing before it")


_STARS_AFTER = {
    *(TokenType.SELECT, TokenType.DISTINCT, TokenType.ALL, TokenType.COMMA, TokenType.L_PAREN, TokenType.DOT),
    TokenType.STRUCT,
}
_NO_FACTORS = {
    *(TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.QUALIFY, TokenType.ORDER_BY),
    *(TokenType.LIMIT, TokenType.COMMA, TokenType.PIPE_GT, TokenType.SEMICOLON, TokenType.JOIN, *_ENDS),
}


def _check_star(tokens: Sequence[Token], index: int, text: str) -> None:
    """`FROM d.t *`: a star that is no sign between factors stands for columns."""
    before, after = tokens[index - 1] if index else None, tokens[index + 1] if index + 1 < len(tokens) else None
    is_sign = after is not None and after.token_type not in _NO_FACTORS
    if before is None or is_sign or before.token_type in _STARS_AFTER or before.text.upper() in ("VALUE", "EXTEND"):
        return
    _wrong(tokens[index], text, "take it out")


def _check_select(tokens: Sequence[Token], index: int, text: str) -> None:
    """`SELECT AS name`"""
    found = [token for token in tokens[index + 1 : index + 4] if token.token_type not in _MODIFIERS]
    if len(found) > 1 and found[0].token_type == TokenType.ALIAS and found[1].text.upper() not in ("STRUCT", "VALUE"):
        _wrong(found[0], text, "write SELECT AS STRUCT, or AS and a name after the expression")


_MODIFIERS = (TokenType.DISTINCT, TokenType.ALL)


def _check_frame(tokens: Sequence[Token], index: int, text: str) -> None:
    """`ROWS 1 PRECEDING AND 1 FOLLOWING`"""
    if [token.token_type for token in tokens[index + 1 : index + 2]] == [TokenType.BETWEEN]:
        return
    for before, token in pairwise(tokens[index + 1 : index + 5]):
        if token.token_type == TokenType.AND and before.text.upper() in ("PRECEDING", "FOLLOWING", "ROW"):
            _wrong(token, text, f"write BETWEEN after {tokens[index].text.upper()}")


def _check_grouping(tokens: Sequence[Token], index: int, text: str) -> None:
    """`ROLLUP ()`"""
    if [token.token_type for token in tokens[index + 1 : index + 3]] == [TokenType.L_PAREN, TokenType.R_PAREN]:
        _wrong(tokens[index], text, "write what to group by in its parentheses")


def _wrong(token: Token, text: str, hint: str) -> NoReturn:
    written = text[token.start : token.end + 1]
    place = place_at(text, token.start, token.end)
    raise SqlError(f"syntax error: {written} cannot stand here", hint=hint, place=place)


_CHECKS: Mapping[TokenType, Callable[[Sequence[Token], int, str], None]] = {
    TokenType.COLON: _check_colon,
    TokenType.DOT: _check_dot,
    TokenType.STRING: _check_string,
    TokenType.STAR: _check_star,
    TokenType.SELECT: _check_select,
    **dict.fromkeys((TokenType.ROWS, TokenType.RANGE), _check_frame),
    **dict.fromkeys((TokenType.ROLLUP, TokenType.CUBE), _check_grouping),
}

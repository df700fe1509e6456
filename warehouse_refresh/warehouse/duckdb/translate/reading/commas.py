"""Commas: what may stand on both sides of one, and beside one in FROM. sqlglot reads past both."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.errors import SqlError, place_at

OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET}
CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET}
CLAUSES = {
    *(TokenType.SELECT, TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.QUALIFY),
    *(TokenType.ORDER_BY, TokenType.PARTITION_BY, TokenType.LIMIT, TokenType.WITH, TokenType.WINDOW),
}
_NO_ITEM_BEFORE = OPENING | CLAUSES | {TokenType.COMMA, TokenType.DISTINCT}
_NO_ITEM_AFTER = CLOSING | CLAUSES - {TokenType.SELECT, TokenType.WITH} | {TokenType.SEMICOLON, None}
_OF_COMMAS = OPENING | CLOSING | CLAUSES | {TokenType.COMMA, TokenType.PIPE_GT}
_ENDED_BY_COMMAS = (TokenType.SELECT, TokenType.PIPE_GT)
"""What opens lists that a comma may end: SELECT, and in pipes all lists; pipes.py checks what is no list."""


def check_commas(tokens: Sequence[Token], text: str) -> None:
    """Raises SqlError for a comma that cannot stand where it does, and for a join that cannot stand beside one."""
    kinds = _kinds(tokens)
    _check_items(tokens, kinds, text)
    if not _OUTER.isdisjoint(kinds) or sum(map(kinds.count, _CONDITIONS)) > 1:
        _check_after_commas(tokens, kinds, text)


def _kinds(tokens: Sequence[Token]) -> list[TokenType]:
    """The kind of each token. The FROM of IS DISTINCT FROM is an operator, and opens no clause."""
    kinds = [token.token_type for token in tokens]
    if TokenType.DISTINCT in kinds:
        for index in range(1, len(kinds)):
            if kinds[index - 1 : index + 1] == [TokenType.DISTINCT, TokenType.FROM]:
                kinds[index] = TokenType.EQ
    return kinds


def _check_items(tokens: Sequence[Token], kinds: Sequence[TokenType], text: str) -> None:
    """Raises SqlError for a comma without an item on one of its sides; the last one of a SELECT list is welcome.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#trailing_commas"""
    clauses: list[TokenType | None] = [None]  # the clause that is open in each open bracket
    for index, kind in enumerate(kinds):
        if kind not in _OF_COMMAS:
            continue
        if kind in OPENING:
            clauses.append(None)
        elif kind in CLOSING:
            clauses[-1:] = [] if len(clauses) > 1 else [None]
        elif kind == TokenType.PIPE_GT:
            clauses[-1] = kind
        elif kind in CLAUSES:
            clauses[-1] = clauses[-1] if clauses[-1] == TokenType.PIPE_GT else kind
        else:
            _check_comma(tokens[index], text, [*kinds[max(0, index - 1) : index + 2], None], clauses[-1])


def _check_comma(comma: Token, text: str, around: Sequence[TokenType | None], clause: TokenType | None) -> None:
    """`around` are the kinds of the token before the comma, of itself, and of the one after it."""
    if around[0] in _NO_ITEM_BEFORE:
        raise SqlError(
            "syntax error: there is nothing before this comma",
            hint="take it out, or write what is missing",
            place=place_at(text, comma.start, comma.end),
        )
    if clause not in _ENDED_BY_COMMAS and around[2] in _NO_ITEM_AFTER:
        place = place_at(text, comma.start, comma.end)
        raise SqlError("syntax error: there is nothing after this comma", hint="take it out", place=place)


@dataclass(slots=True)
class _From:
    """What a FROM clause holds so far: a comma, the last word of its joins, the second ON of two that follow each
    other, and a RIGHT or FULL JOIN after the comma."""

    comma: bool = False
    last: TokenType | None = None
    second_on: Token | None = None
    outer: Token | None = None


_CONDITIONS = {TokenType.ON, TokenType.USING}
_OUTER = {TokenType.RIGHT, TokenType.FULL}
_OF_FROM = OPENING | CLOSING | CLAUSES | _CONDITIONS | _OUTER | {TokenType.JOIN, TokenType.COMMA, TokenType.PIPE_GT}


def _check_after_commas(tokens: Sequence[Token], kinds: Sequence[TokenType], text: str) -> None:
    """Raises SqlError for joins that cannot stand beside a comma in FROM.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#comma_cross_join"""
    clauses: list[_From | None] = [None]  # the FROM that is open in each open bracket
    for index, kind in enumerate(kinds):
        if kind not in _OF_FROM or _is_offset(tokens[index : index + 2]):
            continue
        if kind in OPENING:
            clauses.append(None)
        elif kind in CLOSING:
            clauses[-1:] = [] if len(clauses) > 1 else [None]
        elif kind in CLAUSES or kind == TokenType.PIPE_GT:
            clauses[-1] = _From() if kind == TokenType.FROM else None
        elif (clause := clauses[-1]) is not None:
            _read_join(clause, tokens, index)
            if clause.comma and (wrong := clause.outer or clause.second_on) is not None:
                what = f"{wrong.text.upper()} JOIN" if clause.outer else "a second ON right after the first"
                raise SqlError(
                    f"{what} cannot stand beside a comma in FROM",
                    hint="write CROSS JOIN for the comma, or put the other join in parentheses",
                    place=place_at(text, wrong.start, wrong.end),
                )


def _is_offset(tokens: Sequence[Token]) -> bool:
    """Whether they are the WITH OFFSET of an UNNEST."""
    return [token.text.upper() for token in tokens] == ["WITH", "OFFSET"]


def _read_join(clause: _From, tokens: Sequence[Token], index: int) -> None:
    token = tokens[index]
    kind = token.token_type
    if kind in _OUTER:
        is_join = any(after.token_type in (TokenType.JOIN, TokenType.OUTER) for after in tokens[index + 1 : index + 2])
        clause.outer = token if is_join and clause.comma else clause.outer
        return
    if kind in _CONDITIONS and clause.last in _CONDITIONS:
        clause.second_on = token
    clause.comma = clause.comma or kind == TokenType.COMMA
    clause.last = kind

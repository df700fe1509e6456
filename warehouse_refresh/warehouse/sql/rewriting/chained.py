"""Chained calls: `(a).F(b)` is `F(a, b)`.

https://cloud.google.com/bigquery/docs/reference/standard-sql/functions-reference#chained_function_calls
"""

from collections.abc import Mapping, Sequence

from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.sql.rewriting.pipes import closing, words

_TEXTS = (TokenType.STRING, TokenType.RAW_STRING, TokenType.BYTE_STRING, TokenType.HEREDOC_STRING)
ENDS_OF_VALUES = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, *_TEXTS})
"""What a dot after it may start a chained call: no name, since `a.f(b)` calls the function f of the dataset a."""
_OF_TYPES = {TokenType.GT: TokenType.LT}
_OPENING = {TokenType.R_PAREN: TokenType.L_PAREN, TokenType.R_BRACKET: TokenType.L_BRACKET}
_TYPES = frozenset({TokenType.ARRAY, TokenType.STRUCT})
_BEFORE_TEXTS = frozenset(
    {"DATE", "TIME", "DATETIME", "TIMESTAMP", "NUMERIC", "BIGNUMERIC", "DECIMAL", "BIGDECIMAL", "JSON"}
)
_NO_FUNCTIONS = frozenset({"CAST", "SAFE_CAST", "EXTRACT", "ARRAY", "STRUCT", "EXISTS", "UNNEST", "WITH", "CASE"})
"""What looks like a call, and is syntax of its own."""
_SINGLE_WORDS = """
    SELECT DISTINCT ALL AS FROM JOIN ON USING WHERE BY HAVING QUALIFY LIMIT OFFSET UNION VALUES INTERVAL CASE WHEN THEN
    ELSE IN ANY SOME LIKE BETWEEN IS AND OR NOT MAX MIN EXTEND AGGREGATE SET CALL
"""
_WORDS = frozenset({*_SINGLE_WORDS.split(), "GROUP BY", "ORDER BY", "PARTITION BY"})
"""Words before a parenthesis or bracket that holds a value."""
_MODIFIERS = frozenset({"ORDER BY", "LIMIT", "IGNORE", "RESPECT", "HAVING"})
"""What follows the arguments of an aggregate function."""


def unchained(tokens: list[Token]) -> list[Token]:
    """The tokens with each chained call as one that stands before its argument."""
    index = 1
    while index < len(tokens) - 2:
        name = _name_after(tokens, index) if tokens[index].token_type == TokenType.DOT else None
        start = _start_of_value(tokens, index - 1) if name else None
        if name is not None and start is not None:
            opening = index + 1 + len(name) + (tokens[index + 1].token_type == TokenType.L_PAREN) * 2
            tokens = [*tokens[:start], *_call(tokens, name, tokens[start:index], opening)]
            index = start
        index += 1
    return tokens


def _name_after(tokens: Sequence[Token], dot: int) -> list[Token] | None:
    """The name of a function that is called after the dot: `.F(` or `.(SAFE.F)(`."""
    first = tokens[dot + 1]
    if _is_name(first) and tokens[dot + 2].token_type == TokenType.L_PAREN:
        return [first] if first.text.upper() not in _NO_FUNCTIONS else None
    end = closing(tokens, dot + 1) if first.token_type == TokenType.L_PAREN else len(tokens)
    path = list(tokens[dot + 2 : end])
    is_path = all(_is_name(token) or token.token_type == TokenType.DOT for token in path) and path
    return path if is_path and tokens[end + 1 : end + 2] and opens(tokens[end + 1]) else None


def _call(tokens: Sequence[Token], name: list[Token], value: list[Token], opening: int) -> list[Token]:
    """The call with the value as its first argument, and all tokens after it."""
    rest = list(tokens[opening + 1 :])
    first = [rest.pop(0)] if rest and rest[0].token_type == TokenType.DISTINCT else []
    is_alone = not rest or rest[0].token_type == TokenType.R_PAREN or rest[0].text.upper() in _MODIFIERS
    return [*name, tokens[opening], *first, *value, *([] if is_alone else words(",", name[-1])), *rest]


def _start_of_value(tokens: Sequence[Token], end: int) -> int | None:
    """Where the value begins that ends in the token `end`; None if there is no parenthesis, bracket or text in it."""
    at = end
    while at > 1 and _is_name(tokens[at]) and tokens[at - 1].token_type == TokenType.DOT:
        at -= 2  # fields
    if tokens[at].token_type in _OPENING:
        return _start_of_brackets(tokens, at)
    return _start_of_text(tokens, at) if tokens[at].token_type in _TEXTS else None


def _start_of_text(tokens: Sequence[Token], end: int) -> int:
    """Where `'a'`, `'a' 'b'` or `DATE '2024-01-31'` begins, which ends in the token `end`."""
    at = end
    while at and tokens[at - 1].token_type in _TEXTS:
        at -= 1
    return at - 1 if at and tokens[at - 1].text.upper() in _BEFORE_TEXTS else at


def _start_of_brackets(tokens: Sequence[Token], end: int) -> int | None:
    """Where `(a)`, `f(a)`, `[a]`, `a[0]` or `ARRAY<INT64>[a]` begins, which ends in the token `end`."""
    start = _opening_of(tokens, end, _OPENING)
    before = start - 1
    if before < 0:
        return max(start, 0)
    if (of_type := _start_of_type(tokens, before)) is not None:
        return of_type
    is_named = _is_name(tokens[before]) and not _is_word(tokens[before])
    is_element = tokens[end].token_type == TokenType.R_BRACKET
    if is_element and (is_named or tokens[before].token_type in ENDS_OF_VALUES):
        inner = _start_of_value(tokens, before)
        return inner if inner is not None else start_of_path(tokens, before)
    return start_of_path(tokens, before) if is_named else start


def _opening_of(tokens: Sequence[Token], end: int, pairs: Mapping[TokenType, TokenType]) -> int:
    """Where the bracket opens that is closed at `end`; -1 if it does not."""
    depth = 0
    for at in range(end, -1, -1):
        depth += tokens[at].token_type in pairs
        depth -= tokens[at].token_type in pairs.values()
        if depth == 0:
            return at
    return -1


def _start_of_type(tokens: Sequence[Token], end: int) -> int | None:
    """Where `ARRAY` or `ARRAY<INT64>` begins, before its values; None if `end` does not end one."""
    at = _opening_of(tokens, end, _OF_TYPES) - 1 if tokens[end].token_type == TokenType.GT else end
    return at if at >= 0 and tokens[at].token_type in _TYPES else None


def start_of_path(tokens: Sequence[Token], end: int) -> int:
    """Where the path of names begins that ends in the token `end`."""
    at = end
    while at > 1 and tokens[at - 1].token_type == TokenType.DOT and _is_name(tokens[at - 2]):
        at -= 2
    return at


def _is_word(token: Token) -> bool:
    return token.token_type != TokenType.IDENTIFIER and token.text.upper() in _WORDS


def _is_name(token: Token) -> bool:
    return token.token_type == TokenType.IDENTIFIER or (
        token.token_type not in _TEXTS and token.text.replace("_", "a").isalnum() and not token.text[:1].isdigit()
    )


def opens(token: Token) -> bool:
    """Whether it is an opening parenthesis."""
    return token.token_type == TokenType.L_PAREN

"""Pipe syntax written as nested queries, token by token, so that every token keeps its place in the text.

https://cloud.google.com/bigquery/docs/reference/standard-sql/pipe-syntax
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlglot.dialects.bigquery import BigQuery
from sqlglot.tokenizer_core import Token, TokenType

from warehouse.errors import UnsupportedSql, place_at

_BIGQUERY = BigQuery()
Tokens = list[Token]


def unpiped(tokens: Tokens, text: str) -> Tokens:
    """The tokens without pipes. Raises UnsupportedSql for a pipe operator that is not known here."""
    found: Tokens = []
    parts: list[Tokens] = [found]
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.token_type == TokenType.L_PAREN:
            end = _closing(tokens, index)
            parts[-1] += [token, *unpiped(tokens[index + 1 : end], text), *tokens[end : end + 1]]
            index = end + 1
            continue
        if token.token_type == TokenType.PIPE_GT:
            parts.append([token])
        else:
            parts[-1].append(token)
        index += 1
    return found if len(parts) == 1 else _nested(parts, text)


def _closing(tokens: Sequence[Token], start: int) -> int:
    depth = 0
    for index in range(start, len(tokens)):
        depth += (tokens[index].token_type == TokenType.L_PAREN) - (tokens[index].token_type == TokenType.R_PAREN)
        if depth == 0:
            return index
    return len(tokens)


@dataclass(slots=True)
class State:
    """The query so far: a FROM clause with conditions, or with an ORDER BY that a LIMIT may follow."""

    source: Tokens
    where: list[Tokens] = field(default_factory=list)
    order: Tokens = field(default_factory=list)
    limit: Tokens = field(default_factory=list)


def _nested(parts: list[Tokens], text: str) -> Tokens:
    head, first = _with(parts[0])
    mark = parts[1][0]
    state = State(first[1:]) if _word(first) == "FROM" else State(_query(first, mark))
    for part in parts[1:]:
        state = _step(state, part, text)
    return [*head, *_select(state, [], parts[-1][0])]


def _with(tokens: Tokens) -> tuple[Tokens, Tokens]:
    """The WITH clause, and what follows it."""
    if _word(tokens) != "WITH":
        return [], tokens
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0 and token.token_type in (TokenType.SELECT, TokenType.FROM):
            return tokens[:index], tokens[index:]
    return [], tokens


def _word(tokens: Sequence[Token]) -> str:
    return tokens[0].text.upper() if tokens else ""


def _words(text: str, mark: Token) -> Tokens:
    """Tokens that the text does not have, placed where the operator is that needs them."""
    return [
        Token(token.token_type, token.text, mark.line, mark.col, mark.start, mark.end, [])
        for token in _BIGQUERY.tokenize(text)
    ]


def _query(tokens: Tokens, mark: Token) -> Tokens:
    return [*_words("(", mark), *tokens, *_words(")", mark)]


def _select(state: State, items: Tokens, mark: Token) -> Tokens:
    """SELECT items FROM what is there so far."""
    sql = [*_words("SELECT", mark), *(items or _words("*", mark)), *_words("FROM", mark), *state.source]
    for index, condition in enumerate(state.where):
        sql += [*_words("AND" if index else "WHERE", mark), *_query(condition, mark)]
    return [*sql, *state.order, *state.limit]


def _closed(state: State, items: Tokens, mark: Token) -> State:
    return State(_query(_select(state, items, mark), mark))


def _step(state: State, part: Tokens, text: str) -> State:
    mark, rest = part[0], part[1:]
    word = _word(rest)
    if word in ("LEFT", "RIGHT", "FULL", "INNER", "CROSS") or (word == "JOIN"):
        word = "JOIN"
    if word not in STEPS:
        raise UnsupportedSql(
            f"the embedded engine has no pipe operator {word}",
            hint="write the query without pipes",
            place=place_at(text, mark.start, mark.end),
        )
    if (state.order or state.limit) and (word != "LIMIT" or state.limit):
        state = _closed(state, [], mark)
    return STEPS[word](state, rest, mark)


def _where(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return State(state.source, [*state.where, rest[1:]])


def _join(state: State, rest: Tokens, mark: Token) -> State:
    state = _closed(state, [], mark) if state.where else state
    return State([*state.source, *rest])


def _list(state: State, rest: Tokens, mark: Token) -> State:
    return _closed(state, rest[1:], mark)


def _extend(state: State, rest: Tokens, mark: Token) -> State:
    return _closed(state, [*_words("*,", mark), *rest[1:]], mark)


def _set(state: State, rest: Tokens, mark: Token) -> State:
    items: Tokens = []
    for item in _commas(rest[1:]):
        items += [*(_words(",", mark) if items else []), *item[2:], *_words("AS", mark), item[0]]
    return _closed(state, [*_words("* REPLACE (", mark), *items, *_words(")", mark)], mark)


def _drop(state: State, rest: Tokens, mark: Token) -> State:
    return _closed(state, [*_words("* EXCEPT (", mark), *rest[1:], *_words(")", mark)], mark)


def _commas(tokens: Tokens) -> list[Tokens]:
    parts: list[Tokens] = [[]]
    depth = 0
    for token in tokens:
        depth += token.token_type in (TokenType.L_PAREN, TokenType.L_BRACKET)
        depth -= token.token_type in (TokenType.R_PAREN, TokenType.R_BRACKET)
        if depth == 0 and token.token_type == TokenType.COMMA:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _aggregate(state: State, rest: Tokens, mark: Token) -> State:
    split = next((i for i, token in enumerate(rest) if _is_group(token)), len(rest))
    aggregates, tail = rest[1:split], rest[split:]
    if tail and tail[0].token_type == TokenType.VAR:
        raise UnsupportedSql("the embedded engine has no GROUP AND ORDER BY", hint="write GROUP BY, then |> ORDER BY")
    keys = tail[1:]
    count = len(_commas(keys)) if keys else 0
    if any(token.token_type in (TokenType.ASC, TokenType.DESC) for token in keys):
        raise UnsupportedSql("the embedded engine has no order in |> AGGREGATE", hint="write |> ORDER BY after it")
    items = [*keys, *(_words(",", mark) if keys and aggregates else []), *aggregates]
    sql = _select(state, items, mark)
    if count:
        sql += _words(f"GROUP BY {', '.join(str(i + 1) for i in range(count))}", mark)
    return State(_query(sql, mark))


def _is_group(token: Token) -> bool:
    """GROUP BY, or the GROUP of GROUP AND ORDER BY."""
    return token.token_type == TokenType.GROUP_BY or (
        token.token_type == TokenType.VAR and token.text.upper() == "GROUP"
    )


def _order(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return State(state.source, state.where, rest)


def _limit(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return State(state.source, state.where, state.order, rest)


def _alias(state: State, rest: Tokens, mark: Token) -> State:
    return State([*_closed(state, [], mark).source, *rest])


def _distinct(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return _closed(state, _words("DISTINCT *", mark), mark)


def _union(state: State, rest: Tokens, mark: Token) -> State:
    return State(_query([*_select(state, [], mark), *rest], mark))


STEPS: dict[str, Callable[[State, Tokens, Token], State]] = {
    "WHERE": _where,
    "JOIN": _join,
    "SELECT": _list,
    "EXTEND": _extend,
    "SET": _set,
    "DROP": _drop,
    "AGGREGATE": _aggregate,
    "ORDER BY": _order,
    "LIMIT": _limit,
    "AS": _alias,
    "DISTINCT": _distinct,
    "UNION": _union,
}

"""Pipe syntax written as nested queries, token by token, so that every token keeps its place in the text.

https://cloud.google.com/bigquery/docs/reference/standard-sql/pipe-syntax
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlglot.dialects.bigquery import BigQuery
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.errors import OnlyBigQuery, UnsupportedSql, place_at

_BIGQUERY = BigQuery()
PIPE = "|> "
"""How the comment starts that names the operator which a SELECT was made of."""
Tokens = list[Token]


def unpiped(tokens: Tokens, text: str) -> Tokens:
    """The tokens without pipes. Raises UnsupportedSql for a pipe operator that is not known here."""
    found: Tokens = []
    parts: list[Tokens] = [found]
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.token_type == TokenType.L_PAREN:
            end = closing(tokens, index)
            parts[-1] += [token, *unpiped(tokens[index + 1 : end], text), *tokens[end : end + 1]]
            index = end + 1
            continue
        if token.token_type == TokenType.PIPE_GT:
            parts.append([token])
        else:
            parts[-1].append(token)
        index += 1
    return found if len(parts) == 1 else _nested(parts, text)


def words(text: str, mark: Token) -> Tokens:
    """Tokens that the text does not have, placed where `mark` is."""
    return [
        Token(token.token_type, token.text, mark.line, mark.col, mark.start, mark.end, [])
        for token in _BIGQUERY.tokenize(text)
    ]


def closing(tokens: Sequence[Token], start: int) -> int:
    """Where the parentheses that open at `start` close; the number of tokens if they do not."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += (tokens[index].token_type == TokenType.L_PAREN) - (tokens[index].token_type == TokenType.R_PAREN)
        if depth == 0:
            return index
    return len(tokens)


@dataclass(frozen=True, slots=True)
class State:
    """The query so far: a FROM clause with conditions, or with an ORDER BY that a LIMIT may follow. `named` are the
    WITH queries that operators have made, `lost` the aliases that GoogleSQL knows and the nested queries do not."""

    source: Tokens
    where: list[Tokens] = field(default_factory=list)
    order: Tokens = field(default_factory=list)
    limit: Tokens = field(default_factory=list)
    named: Tokens = field(default_factory=list)
    lost: frozenset[str] = frozenset()


def _nested(parts: list[Tokens], text: str) -> Tokens:
    head, first = _with(parts[0])
    mark = parts[1][0]
    state = State(first[1:]) if _word(first) == "FROM" else State(_query(first, mark))
    for part in parts[1:]:
        state = _step(state, part, text)
    if state.named:
        head = [*head, *words("," if head else "WITH", mark), *state.named]
    return [*head, *_whole(state, parts[-1][0])]


def _whole(state: State, mark: Token) -> Tokens:
    """The query: what is there so far itself, if it is one already."""
    is_query = _is_query(state.source) and closing(state.source, 0) == len(state.source) - 1
    if is_query and not (state.where or state.order or state.limit):
        return state.source[1:-1]
    return _select(state, [], mark)


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


def _query(tokens: Tokens, mark: Token) -> Tokens:
    return [*words("(", mark), *tokens, *words(")", mark)]


def _select(state: State, items: Tokens, mark: Token, operator: str = "") -> Tokens:
    """SELECT items FROM what is there so far, for an operator that takes not all that SELECT does."""
    first = words("SELECT", mark)
    if operator:
        first = [Token(first[0].token_type, "SELECT", mark.line, mark.col, mark.start, mark.end, [PIPE + operator])]
    sql = [*first, *(items or words("*", mark)), *words("FROM", mark), *state.source]
    for index, condition in enumerate(state.where):
        sql += [*words("AND" if index else "WHERE", mark), *_query(condition, mark)]
    return [*sql, *state.order, *state.limit]


def _around(state: State, sql: Tokens, mark: Token, lost: frozenset[str] = frozenset()) -> State:
    """The state that reads this query."""
    return State(_query(sql, mark), named=state.named, lost=lost)


def _listed(state: State, items: Tokens, mark: Token) -> State:
    """SELECT items: no alias of a table is known after it."""
    return _around(state, _select(state, items, mark, "SELECT" if items else ""), mark)


def _changed(state: State, items: Tokens, mark: Token) -> State:
    """SELECT items for an operator after which GoogleSQL still knows the tables' aliases."""
    return _around(state, _select(state, items, mark, "EXTEND"), mark, state.lost | _names(state.source))


def _closed(state: State, mark: Token) -> State:
    """What is there so far as a query of its own, under the alias that it had."""
    found = _around(state, _select(state, [], mark), mark, state.lost)
    alias = _only_alias(state.source)
    if alias is None:
        return replace(found, lost=state.lost | _names(state.source))
    return replace(found, source=[*found.source, *words("AS", mark), alias])


_NAME = (TokenType.VAR, TokenType.IDENTIFIER)


def _names(source: Tokens) -> frozenset[str]:
    """All names in a FROM clause that may be an alias."""
    depth, found = 0, set[str]()
    for token in source:
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0 and token.token_type in _NAME:
            found.add(token.text.rpartition(".")[2].casefold())
    return frozenset(found)


def _only_alias(source: Tokens) -> Token | None:
    """The alias of a FROM clause that is one table or query; None if there is none, or more."""
    kinds = [token.token_type for token in source]
    if not kinds or kinds[-1] != TokenType.VAR:
        return None
    inner = source[closing(source, 0) + 1 :] if kinds[0] == TokenType.L_PAREN else source
    known = (*_NAME, TokenType.DOT, TokenType.ALIAS, TokenType.DASH)
    return source[-1] if all(token.token_type in known for token in inner) else None


def _step(state: State, part: Tokens, text: str) -> State:
    mark, rest = part[0], part[1:]
    word = _operator(rest)
    if word == "CALL":
        hint = "write the query that the function stands for"
        raise OnlyBigQuery("only BigQuery has table functions", hint=hint, place=place_at(text, mark.start, mark.end))
    if word not in STEPS:
        raise UnsupportedSql(
            f"the embedded engine has no pipe operator {word} yet",
            hint="write the query without pipes",
            place=place_at(text, mark.start, mark.end),
        )
    _check_aliases(state, rest, text)
    if (state.order or state.limit) and (word != "LIMIT" or state.limit):
        state = _closed(state, mark)
    return STEPS[word](state, rest, mark)


_SET_OPERATIONS = ("UNION", "INTERSECT", "EXCEPT")
_SIDES = ("LEFT", "RIGHT", "FULL", "INNER", "CROSS", "OUTER", "JOIN")


def _operator(rest: Tokens) -> str:
    """The word that says which operator it is: JOIN and UNION may have words before them."""
    for token in rest[:3]:
        word = token.text.upper()
        if word in _SET_OPERATIONS:
            return "UNION"
        if word not in _SIDES:
            break
    return "JOIN" if _word(rest) in _SIDES else _word(rest)


def _check_aliases(state: State, rest: Tokens, text: str) -> None:
    """Raises UnsupportedSql for `alias.column` where only GoogleSQL still knows the alias."""
    for before, token, after in zip(rest, rest[1:], [*rest[2:], None], strict=False):
        if after is None or after.token_type != TokenType.DOT or before.token_type == TokenType.DOT:
            continue
        if token.token_type in _NAME and token.text.casefold() in state.lost:
            raise UnsupportedSql(
                f"the embedded engine has no table's alias ({token.text}) after that pipe operator yet",
                hint="write the column without it, or |> AS and an alias",
                place=place_at(text, token.start, token.end),
            )


def _where(state: State, rest: Tokens, mark: Token) -> State:
    """WHERE condition, which may hold a window function."""
    kinds = {token.token_type for token in rest}
    if TokenType.OVER in kinds and TokenType.SELECT not in kinds:
        found = _closed(state, mark) if state.where else state
        sql = [*_select(found, [], mark), *words("QUALIFY", mark), *_query(rest[1:], mark)]
        return _around(found, sql, mark, state.lost | _names(state.source))
    return replace(state, where=[*state.where, rest[1:]])


def _assert(state: State, rest: Tokens, mark: Token) -> State:
    """ASSERT condition, message …: an error for a row for which the condition does not hold."""
    condition, *messages = commas(rest[1:])
    told: Tokens = words("'Assert failed'", mark)
    for message in messages:
        told += [*words("|| ' ' || CAST (", mark), *message, *words("AS STRING )", mark)]
    test = [*words("IF (", mark), *condition, *words(", TRUE , ERROR (", mark), *told, *words(") )", mark)]
    return replace(_closed(state, mark) if state.where else state, where=[test])


def _join(state: State, rest: Tokens, mark: Token) -> State:
    state = _closed(state, mark) if state.where else state
    return replace(state, source=[*state.source, *rest])


def _list(state: State, rest: Tokens, mark: Token) -> State:
    return _listed(state, rest[1:], mark)


def _extend(state: State, rest: Tokens, mark: Token) -> State:
    return _changed(state, [*words("*,", mark), *rest[1:]], mark)


def _star(state: State, word: str, items: Tokens, mark: Token) -> State:
    return _changed(state, [*words(f"* {word} (", mark), *items, *words(")", mark)], mark)


def _set(state: State, rest: Tokens, mark: Token) -> State:
    items: Tokens = []
    for item in filter(None, commas(rest[1:])):
        items += [*(words(",", mark) if items else []), *item[2:], *words("AS", mark), item[0]]
    return _star(state, "REPLACE", items, mark)


def _drop(state: State, rest: Tokens, mark: Token) -> State:
    return _star(state, "EXCEPT", _without_last_comma(rest[1:]), mark)


def _rename(state: State, rest: Tokens, mark: Token) -> State:
    items: Tokens = []
    for item in filter(None, commas(rest[1:])):
        items += [*(words(",", mark) if items else []), item[0], *words("AS", mark), item[-1]]
    return _star(state, "RENAME", items, mark)


def _without_last_comma(tokens: Tokens) -> Tokens:
    return tokens[:-1] if tokens and tokens[-1].token_type == TokenType.COMMA else tokens


def commas(tokens: Tokens) -> list[Tokens]:
    """The parts of a list."""
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
    tail = rest[split:]
    sorts = bool(tail) and tail[0].token_type == TokenType.VAR  # GROUP AND ORDER BY
    keys = _sorted_items(tail[3 if sorts else 1 :])
    found = [*keys, *_sorted_items(rest[1:split])]
    items: Tokens = []
    order: list[str] = []
    for place, (item, direction) in enumerate(found):
        items += [*(words(",", mark) if items else []), *item]
        if direction or (sorts and place < len(keys)):
            order.append(f"{place + 1} {direction}")
    sql = _select(state, items, mark, "AGGREGATE")
    if keys:
        sql += words(f"GROUP BY {', '.join(str(place + 1) for place in range(len(keys)))}", mark)
    return replace(_around(state, sql, mark), order=words(f"ORDER BY {', '.join(order)}", mark) if order else [])


def _sorted_items(tokens: Tokens) -> list[tuple[Tokens, str]]:
    """The items of a list, each with the direction to sort by that stands at its end, "" if there is none."""
    found = []
    for item in filter(None, commas(tokens)):
        ends = [token.text.upper() for token in item]
        length = 3 if ends[-2:-1] == ["NULLS"] and len(ends) > 3 else 1 if ends[-1] in ("ASC", "DESC") else 0
        found.append((item[: len(item) - length], " ".join(ends[len(item) - length :])))
    return found


def _is_group(token: Token) -> bool:
    """GROUP BY, or the GROUP of GROUP AND ORDER BY."""
    return token.token_type == TokenType.GROUP_BY or (
        token.token_type == TokenType.VAR and token.text.upper() == "GROUP"
    )


def _order(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return replace(state, order=_without_last_comma(rest))


def _limit(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return replace(state, limit=rest)


def _alias(state: State, rest: Tokens, mark: Token) -> State:
    found = _listed(state, [], mark)
    return replace(found, source=[*found.source, *rest])


def _distinct(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return _changed(state, words("DISTINCT *", mark), mark)


def _union(state: State, rest: Tokens, mark: Token) -> State:
    """UNION ALL (…), (…), and the like: with each of the queries in turn."""
    start = next(
        (i for i, token in enumerate(rest) if token.token_type == TokenType.L_PAREN and _is_query(rest[i + 1 :])), 0
    )
    word, sql = rest[:start], _select(state, [], mark)
    for query in commas(rest[start:]):
        sql = [*_query(sql, mark), *word, *query]
    return _around(state, sql, mark)


def _is_query(tokens: Tokens) -> bool:
    """Whether the tokens, brackets left out, start as a query does."""
    return next((_word([token]) for token in tokens if token.text != "("), "") in ("SELECT", "WITH", "FROM")


def _after(state: State, rest: Tokens, mark: Token) -> State:
    """PIVOT, UNPIVOT, TABLESAMPLE: they stand after what is there so far."""
    found = _listed(state, [], mark)
    return replace(found, source=[*found.source, *rest])


def _named(state: State, rest: Tokens, mark: Token) -> State:
    """WITH name AS (…): a query that the operators after it may read."""
    return replace(
        state, named=[*state.named, *(words(",", mark) if state.named else []), *_without_last_comma(rest[1:])]
    )


STEPS: dict[str, Callable[[State, Tokens, Token], State]] = {
    "WHERE": _where,
    "JOIN": _join,
    "SELECT": _list,
    "EXTEND": _extend,
    "WINDOW": _extend,
    "SET": _set,
    "DROP": _drop,
    "RENAME": _rename,
    "AGGREGATE": _aggregate,
    "ORDER BY": _order,
    "LIMIT": _limit,
    "AS": _alias,
    "DISTINCT": _distinct,
    "UNION": _union,
    "PIVOT": _after,
    "UNPIVOT": _after,
    "TABLESAMPLE": _after,
    "WITH": _named,
    "ASSERT": _assert,
}
"""What each operator makes of the query so far: the query, the operator's tokens, and where it stands."""

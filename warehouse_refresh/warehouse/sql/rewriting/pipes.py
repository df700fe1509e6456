"""Pipe syntax written as nested queries, token by token, so that every token keeps its place in the text.

https://cloud.google.com/bigquery/docs/reference/standard-sql/pipe-syntax
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from sqlglot.dialects.bigquery import BigQuery
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.errors import OnlyBigQuery, SqlError, UnsupportedSql, place_at

_BIGQUERY = BigQuery()
PIPE = "|> "
"""The start of the comment on a SELECT that names the pipe operator from which the SELECT was written."""
Tokens = list[Token]


def unpiped(tokens: Tokens, text: str) -> Tokens:
    """The tokens, with pipes rewritten as queries. Raises UnsupportedSql for an unknown pipe operator."""
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
    if len(parts) > 1:
        return _nested(parts, text)
    head, first = _with(found)
    if _word(first) != "FROM":
        return found
    _check_clauses(first, text)
    return [*head, *_select(State(first[1:]), [], first[0])]


def has_pipes(tokens: Tokens) -> bool:
    """Whether a pipe stands in them, or a query that begins with FROM."""
    if any(token.token_type == TokenType.PIPE_GT for token in tokens):
        return True
    starts = [0, *(index for index, token in enumerate(tokens, 1) if token.token_type == TokenType.L_PAREN)]
    return any(_starts_with_from(tokens, start) for start in starts)


def _starts_with_from(tokens: Tokens, start: int) -> bool:
    """Whether a query that starts there begins with FROM, behind its WITH clause if it has one."""
    kind = tokens[start].token_type if start < len(tokens) else None
    is_after_with = kind == TokenType.WITH and _word(_with(tokens[start:])[1]) == "FROM"
    return kind == TokenType.FROM or is_after_with


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


HERE = "pipe$"
"""`* EXCEPT (this)` stands for the columns of a pipe where no SELECT is written: an UNNEST is one column then, of which
a star that is written takes the fields. As an alias it leaves a query's tables their own aliases. BigQuery has no names
with $."""
_STAR = f"* EXCEPT (`{HERE}`)"


@dataclass(frozen=True, slots=True)
class State:
    """The query so far: a FROM clause with conditions, or with an ORDER BY that a LIMIT may follow. `named` are the
    WITH queries that operators have made."""

    source: Tokens
    where: list[Tokens] = field(default_factory=list)
    order: Tokens = field(default_factory=list)
    limit: Tokens = field(default_factory=list)
    named: Tokens = field(default_factory=list)


def _nested(parts: list[Tokens], text: str) -> Tokens:
    head, first = _with(parts[0])
    mark = parts[1][0]
    state = State(first[1:]) if _word(first) == "FROM" else State(first if _has_alias(first) else _query(first, mark))
    for part in [first] * (_word(first) == "FROM") + [part[1:] for part in parts[1:]]:
        _check_clauses(part, text)
        _check_end(part, text)
        _check_values(part, text)
        _check_start(part, text)
    for part in parts[1:]:
        state = _step(state, part, text)
    if state.named:
        head = [*head, *words("," if head else "WITH", mark), *state.named]
    return [*head, *_whole(state, parts[-1][0])]


def _has_alias(first: Tokens) -> bool:
    """Whether it is `(query) AS name`, which only a pipe follows."""
    end = closing(first, 0)
    return _is_query(first) and len(first) - end == 3 and first[-2].token_type == TokenType.ALIAS


_CLAUSES = {TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.QUALIFY, TokenType.ORDER_BY}
_CLAUSES |= {TokenType.LIMIT, TokenType.WINDOW, TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT}
_ALLOWED = {
    "AGGREGATE": {TokenType.GROUP_BY, TokenType.ORDER_BY},
    "SELECT": {TokenType.WINDOW},
    "UNION": {TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT},
}


def _check_clauses(part: Tokens, text: str) -> None:
    """Raise SqlError for a clause that stands behind a pipe operator, or a FROM, without a pipe of its own."""
    allowed = _ALLOWED.get(_operator(part), set())
    depth = 0
    for index, (before, token) in enumerate(pairwise(part), 1):
        depth += (before.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        is_clause = token.token_type in _CLAUSES - allowed and before.token_type != TokenType.DOT
        columns = token.token_type == TokenType.EXCEPT and _word(part[index + 1 :]) == "("
        if depth == 0 and is_clause and not columns:
            word = token.text.upper()
            place = place_at(text, token.start, token.end)
            raise SqlError(f"{word} cannot stand here", hint="write |> before it", place=place)


_LISTS = {"SELECT", "ASSERT", "EXTEND", "WINDOW", "SET", "DROP", "RENAME", "AGGREGATE", "ORDER BY", "UNION", "WITH"}


def _check_end(part: Tokens, text: str) -> None:
    """Raise SqlError for a comma at the end of what is no list."""
    if part and part[-1].token_type == TokenType.COMMA and _operator(part) not in _LISTS:
        place = place_at(text, part[-1].start, part[-1].end)
        raise SqlError("syntax error: there is nothing after this comma", hint="take it out", place=place)


_NAMES = ("EXTEND", "ASSERT", "AGGREGATE")
"""The operators whose words may be names, too."""


def _check_start(part: Tokens, text: str) -> None:
    """Raise SqlError for `EXTEND .5`, which GoogleSQL reads as a path of names."""
    if _word(part) in _NAMES and [token.token_type for token in part[1:2]] == [TokenType.DOT]:
        place = place_at(text, part[1].start, part[1].end)
        raise SqlError(f"syntax error: {_word(part)} and a point begin a path of names", hint="write 0.5", place=place)


def _check_values(part: Tokens, text: str) -> None:
    """Raise SqlError for an item of SET that is not a column and its value."""
    for item in filter(None, commas(part[1:])) if _operator(part) == "SET" else ():
        if _word(item[1:]) != "=":
            place = place_at(text, item[0].start, item[-1].end)
            raise SqlError("SET takes columns with their new values", hint="write SET column = value", place=place)


def _whole(state: State, mark: Token) -> Tokens:
    """The state as a query: its source itself, if that is a query already and nothing was added."""
    end = closing(state.source, 0)
    is_query = _is_query(state.source) and [token.text for token in state.source[end + 1 :]] in ([], ["AS", HERE])
    if is_query and not (state.where or state.order or state.limit):
        return state.source[1:end]
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
    """The first word, in capitals; nothing for a name in back-ticks or a text."""
    is_word = bool(tokens) and tokens[0].token_type not in (TokenType.IDENTIFIER, TokenType.STRING)
    return tokens[0].text.upper() if is_word else ""


def _query(tokens: Tokens, mark: Token) -> Tokens:
    return [*words("(", mark), *tokens, *words(")", mark)]


def _select(state: State, items: Tokens, mark: Token, operator: str = "") -> Tokens:
    """SELECT `items` FROM the state so far. `operator` is the pipe operator, if it allows less than SELECT does;
    AGGREGATE has the number of its keys behind it."""
    first = words("SELECT", mark)
    if operator:
        first = [Token(first[0].token_type, "SELECT", mark.line, mark.col, mark.start, mark.end, [PIPE + operator])]
    sql = [*first, *(items or words(_STAR, mark)), *words("FROM", mark), *state.source]
    for index, condition in enumerate(state.where):
        sql += [*words("AND" if index else "WHERE", mark), *_query(condition, mark)]
    return [*sql, *state.order, *state.limit]


def _around(state: State, sql: Tokens, mark: Token) -> State:
    """The state that reads this query."""
    return State(_query(sql, mark), named=state.named)


def _listed(state: State, items: Tokens, mark: Token) -> State:
    """SELECT items: no alias of a table is known after it."""
    return _around(state, _select(state, items, mark, "SELECT" if items else ""), mark)


def _changed(state: State, items: Tokens, mark: Token) -> State:
    """SELECT items, which start with _STAR, for an operator after which the tables' aliases are still known."""
    return _as_pipe(_around(state, _select(state, items, mark, "EXTEND" if items else ""), mark), mark)


def _as_pipe(state: State, mark: Token) -> State:
    return replace(state, source=[*state.source, *words(f"AS `{HERE}`", mark)])


def _step(state: State, part: Tokens, text: str) -> State:
    mark, rest = part[0], part[1:]
    word = _operator(rest)
    if word == "CALL":
        hint = "write the query that the function stands for"
        raise OnlyBigQuery("only BigQuery has table functions", hint=hint, place=place_at(text, mark.start, mark.end))
    if word not in STEPS:
        raise UnsupportedSql(
            f"the embedded engine does not know the pipe operator {word} yet",
            hint="write the query without pipes",
            place=place_at(text, mark.start, mark.end),
        )
    if len(rest) == 1 and word != "DISTINCT":
        place = place_at(text, mark.start, rest[0].end)
        raise SqlError(f"syntax error: there is nothing after |> {word}", hint="take it out", place=place)
    is_limited = (state.order or state.limit) and (word != "LIMIT" or state.limit)
    if is_limited or (state.where and word in ("JOIN", "ASSERT")):
        state = _changed(state, [], mark)
    if word in _CHECKED:
        _check_items(word, rest, text)
    return STEPS[word](state, rest, mark)


_CHECKED = {"RENAME": "old AS new", "DROP": "name, name", "WINDOW": "f(…) OVER (…) AS name", "DISTINCT": ""}
"""The operators whose items are looked at, with what each is like."""


def _check_items(word: str, rest: Tokens, text: str) -> None:
    """Raise SqlError for an item that the operator does not take."""
    for item in filter(None, commas(rest[1:])):
        kinds = [token.token_type for token in item]
        is_pair = len(kinds) == 2 or (len(kinds) == 3 and kinds[1] == TokenType.ALIAS)
        if not {"RENAME": is_pair, "DROP": len(kinds) == 1, "WINDOW": TokenType.OVER in kinds}.get(word, False):
            hint = f"write |> {word} {_CHECKED[word]}".rstrip()
            place = place_at(text, item[0].start, item[-1].end)
            raise SqlError(f"{word} does not take this", hint=hint, place=place)


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


def _where(state: State, rest: Tokens, mark: Token) -> State:
    """WHERE condition, which may hold a window function."""
    kinds = {token.token_type for token in rest}
    if TokenType.OVER in kinds and TokenType.SELECT not in kinds:
        found = _changed(state, [], mark) if state.where else state
        sql = [*_select(found, [], mark), *words("QUALIFY", mark), *_query(rest[1:], mark)]
        return _as_pipe(_around(found, sql, mark), mark)
    return replace(state, where=[*state.where, rest[1:]])


def _assert(state: State, rest: Tokens, mark: Token) -> State:
    """ASSERT condition, message …: an error for a row for which the condition does not hold."""
    condition, *messages = commas(_without_last_comma(rest[1:]))
    told: Tokens = words("'Assert failed'", mark)
    for message in messages:
        told += [*words("|| ' ' || CAST (", mark), *message, *words("AS STRING )", mark)]
    test = [*words("IF (", mark), *condition, *words(", TRUE , ERROR (", mark), *told, *words(") )", mark)]
    return replace(state, where=[test])


def _join(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return replace(state, source=[*state.source, *rest])


def _list(state: State, rest: Tokens, mark: Token) -> State:
    """SELECT items, after which windows may be named."""
    split = next((i for i, token in enumerate(rest) if token.token_type == TokenType.WINDOW), len(rest))
    if split == len(rest):
        return _listed(state, rest[1:], mark)
    return _around(state, [*_select(state, rest[1:split], mark, "SELECT"), *rest[split:]], mark)


def _extend(state: State, rest: Tokens, mark: Token) -> State:
    return _changed(state, [*words(f"{_STAR},", mark), *rest[1:]], mark)


def _star(state: State, word: str, items: Tokens, mark: Token) -> State:
    start = f"* EXCEPT (`{HERE}`," if word == "EXCEPT" else f"{_STAR} {word} ("
    return _changed(state, [*words(start, mark), *items, *words(")", mark)], mark)


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


_TYPES = (TokenType.ARRAY, TokenType.STRUCT)


def commas(tokens: Tokens) -> list[Tokens]:
    """The parts of a list."""
    parts: list[Tokens] = [[]]
    depth, types = 0, 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        depth += token.token_type in (TokenType.L_PAREN, TokenType.L_BRACKET)
        depth -= token.token_type in (TokenType.R_PAREN, TokenType.R_BRACKET)
        if token.token_type == TokenType.LT and before is not None and before.token_type in _TYPES:
            types += 1
        elif token.token_type == TokenType.GT and types:
            types -= 1
        if depth == types == 0 and token.token_type == TokenType.COMMA:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _aggregate(state: State, rest: Tokens, mark: Token) -> State:
    split = next((i for i in range(len(rest)) if _is_group(rest[i : i + 2])), len(rest))
    tail = rest[split:]
    sorts = bool(tail) and tail[0].token_type == TokenType.VAR  # GROUP AND ORDER BY
    keys, groups = _keys(tail[3 if sorts else 1 :], mark, sorts=sorts)
    found = [*keys, *_sorted_items(rest[1:split])]
    items: Tokens = []
    order: list[str] = []
    for place, (item, direction) in enumerate(found):
        items += [*(words(",", mark) if items else []), *item]
        if direction or (sorts and place < len(keys)):
            order.append(f"{place + 1} {direction}")
    sql = _select(state, items, mark, f"AGGREGATE {len(keys)}")
    if groups:
        sql += [*words("GROUP BY", mark), *groups]
    return replace(_around(state, sql, mark), order=words(f"ORDER BY {', '.join(order)}", mark) if order else [])


_SETS = ("ROLLUP", "CUBE", "GROUPING SETS")


def _keys(tokens: Tokens, mark: Token, *, sorts: bool) -> tuple[list[tuple[Tokens, str]], Tokens]:
    """The columns that a query is grouped by, each with its direction, and the GROUP BY's list. ROLLUP and the like
    hold names of columns only, each of which is one column of the result."""
    keys: list[tuple[Tokens, str]] = []
    groups: Tokens = []
    for item in filter(None, commas(tokens)):
        groups += words(",", mark) if groups else []
        if _word(item) == "(" and closing(item, 0) == 1:
            groups += item
        elif _word(item) in _SETS and not sorts and all(map(_is_path, _names(item))):
            known = [_text(key) for key, _ in keys]
            keys += [(name, "") for name in _names(item) if _text(name) not in known]
            groups += item
        else:
            keys += _sorted_items(item)
            groups += words(str(len(keys)), mark)
    return keys, groups


def _names(tokens: Tokens) -> list[Tokens]:
    """What stands in the parentheses of ROLLUP and the like, each once."""
    found: list[Tokens] = [[]]
    for token in tokens:
        if token.token_type in (TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA) or _word([token]) in _SETS:
            found.append([])
        else:
            found[-1].append(token)
    return list({_text(name): name for name in found if name}.values())


def _is_path(tokens: Tokens) -> bool:
    """Whether it is names with dots between them."""
    return all((token.token_type == TokenType.DOT) == bool(index % 2) for index, token in enumerate(tokens))


def _text(tokens: Tokens) -> str:
    return "".join(token.text for token in tokens).casefold()


def _sorted_items(tokens: Tokens) -> list[tuple[Tokens, str]]:
    """The items of a list, each with the direction to sort by that stands at its end, "" if there is none."""
    found = []
    for item in filter(None, commas(tokens)):
        ends = [token.text.upper() for token in item]
        length = 3 if ends[-2:-1] == ["NULLS"] and len(ends) > 3 else 1 if ends[-1] in ("ASC", "DESC") else 0
        found.append((item[: len(item) - length], " ".join(ends[len(item) - length :])))
    return found


def _is_group(tokens: Tokens) -> bool:
    """GROUP BY, or GROUP AND, as in GROUP AND ORDER BY."""
    return tokens[0].token_type == TokenType.GROUP_BY or [token.text.upper() for token in tokens] == ["GROUP", "AND"]


def _order(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return replace(state, order=_without_last_comma(rest))


def _limit(state: State, rest: Tokens, mark: Token) -> State:  # noqa: ARG001
    return replace(state, limit=rest)


def _alias(state: State, rest: Tokens, mark: Token) -> State:
    found = _listed(state, [], mark)
    return replace(found, source=[*found.source, *rest])


def _distinct(state: State, rest: Tokens, mark: Token) -> State:
    return _changed(state, [*words(f"DISTINCT {_STAR}", mark), *rest[1:]], mark)


def _union(state: State, rest: Tokens, mark: Token) -> State:
    """UNION ALL (…), (…), and the like: with each of the queries in turn."""
    start = next(
        (i for i, token in enumerate(rest) if token.token_type == TokenType.L_PAREN and _is_query(rest[i + 1 :])), 0
    )
    word, sql = rest[:start], _whole(state, mark)
    for query in commas(_without_last_comma(rest[start:])):
        sql = [*_query(sql, mark), *word, *query]
    return _as_pipe(_around(state, sql, mark), mark)


def _is_query(tokens: Tokens) -> bool:
    """Whether the tokens, brackets left out, start as a query does."""
    return next((_word([token]) for token in tokens if token.text != "("), "") in ("SELECT", "WITH", "FROM")


def _after(state: State, rest: Tokens, mark: Token) -> State:
    """Put PIVOT or UNPIVOT after the query so far."""
    found = _listed(state, [], mark)
    return replace(found, source=[*found.source, *rest])


def _sample(state: State, rest: Tokens, mark: Token) -> State:
    """TABLESAMPLE …, after which the tables' aliases are still known."""
    found = _changed(state, [], mark)
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
    "TABLESAMPLE": _sample,
    "WITH": _named,
    "ASSERT": _assert,
}
"""What each operator makes of the query so far: the query, the operator's tokens, and where it stands."""

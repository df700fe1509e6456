"""What sqlglot reads in a place where GoogleSQL does not have it: clauses in another order, words of SQL as names,
strings over several lines.

https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#sql_syntax
https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.duckdb.translate.syntax import wrong
from warehouse_refresh.warehouse.errors import SqlError, place_at
from warehouse_refresh.warehouse.sql.mistakes import RESERVED
from warehouse_refresh.warehouse.sql.rewriting.pipes import closing, commas

_CLAUSES = (
    *(TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.QUALIFY, TokenType.WINDOW),
    *(TokenType.ORDER_BY, TokenType.LIMIT),
)
"""The clauses after SELECT, in their order."""
_ORDER = {kind: number for number, kind in enumerate(_CLAUSES, start=1)}
_STARTS = {TokenType.SELECT, TokenType.PIPE_GT, TokenType.SEMICOLON}
_SET_OPERATIONS = {TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT}
_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET}
_BY = {TokenType.GROUP_BY, TokenType.ORDER_BY, TokenType.PARTITION_BY}


def check_places(tokens: Sequence[Token], text: str) -> None:
    """Raises SqlError for what stands in a wrong place."""
    open_clauses = [0]
    for index, token in enumerate(tokens):
        kind = token.token_type
        if kind in _CHECKS:
            _CHECKS[kind](tokens, index, text)
        if kind in _ORDER:
            _check_order(tokens, index, text, open_clauses)
        elif kind in _OPENING:
            open_clauses.append(0)
        elif kind in _CLOSING:
            open_clauses[-1:] = [] if len(open_clauses) > 1 else [0]
        elif kind in _STARTS:
            open_clauses[-1] = 0
        elif kind in _SET_OPERATIONS and open_clauses[-1] >= _ORDER[TokenType.ORDER_BY]:
            reason = f"{token.text.upper()} cannot stand after ORDER BY or LIMIT"
            _wrong(token, text, reason, "put parentheses around the query before it")


def check_names(tree: exp.Expr, text: str) -> None:
    """Raises SqlError for a word of SQL where the parser has read a name. After a dot each word is one.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#reserved_keywords"""
    for name in tree.find_all(exp.Identifier):
        if not name.quoted and name.name.upper() in RESERVED and "end" in name.meta:
            start, end = int(name.meta["start"]), int(name.meta["end"])
            if text[start : end + 1] == name.name and not text[:start].rstrip().endswith((".", "@")):
                _not_a_name(name.name, text, start, end)
    for value in tree.find_all(exp.Null, exp.Boolean):
        if _stands_for_a_name(value):
            wrong(text, value, "syntax error: NULL, TRUE and FALSE are no names", "write back-ticks around a name")


def _stands_for_a_name(node: exp.Expr) -> bool:
    """Whether it is in a list of names: EXCEPT (…), RENAME, USING (…), BY NAME ON (…), UNPIVOT (…)."""
    above = node.parent
    if isinstance(above, exp.Alias | exp.In):
        node, above = above, above.parent
    if isinstance(above, exp.Pivot):
        return bool(above.args.get("unpivot"))
    return node.arg_key in ("except_", "rename", "using") or (
        node.arg_key == "on" and isinstance(above, exp.SetOperation)
    )


def _check_order(tokens: Sequence[Token], index: int, text: str, open_clauses: list[int]) -> None:
    """Raises SqlError for a clause after one that must come later. `open_clauses` has for each open bracket the number
    of the clause that is open in it."""
    token, last = tokens[index], open_clauses[-1]
    number = _ORDER[token.token_type]
    if not _is_clause(tokens, index):
        return
    if number <= last:
        before = "another one" if number == last else _CLAUSES[last - 1].name.replace("_", " ")
        hint = "write the clauses in GoogleSQL's order"
        _wrong(token, text, f"{token.text.upper()} cannot stand after {before}", hint)
    open_clauses[-1] = number


def _is_clause(tokens: Sequence[Token], index: int) -> bool:
    """Whether the word starts a clause: not the FROM of IS DISTINCT FROM, nor the WINDOW of a name after a dot."""
    before = tokens[index - 1].token_type if index else None
    return before not in (TokenType.DISTINCT, TokenType.DOT, TokenType.ALIAS)


def _after(tokens: Sequence[Token], index: int) -> Token | None:
    return tokens[index + 1] if index + 1 < len(tokens) else None


_NO_ITEMS = {*_CLOSING, *_CLAUSES, *_SET_OPERATIONS, TokenType.SEMICOLON, TokenType.PIPE_GT}


def _check_list(tokens: Sequence[Token], index: int, text: str) -> None:
    after = _after(tokens, index)
    if after is not None and after.token_type == TokenType.DISTINCT:
        _check_name(after, text)
    if after is None or after.token_type in _NO_ITEMS:
        word = tokens[index].text.upper()
        _wrong(tokens[index], text, f"there is nothing after {word}", "name what to sort or to group by")


def _check_direction(tokens: Sequence[Token], index: int, text: str) -> None:
    after = _after(tokens, index)
    if after is not None and after.token_type in (TokenType.ASC, TokenType.DESC):
        _wrong(after, text, f"{after.text.upper()} after {tokens[index].text.upper()}", "keep one of them")


def _check_using(tokens: Sequence[Token], index: int, text: str) -> None:
    if any(token.token_type == TokenType.MERGE for token in tokens[:index]):
        return
    after = _after(tokens, index)
    if after is None or after.token_type != TokenType.L_PAREN:
        _wrong(tokens[index], text, "USING takes names in parentheses", "write USING (id)")
    for token in tokens[index + 2 :]:
        if token.token_type == TokenType.R_PAREN and token is not tokens[index + 2]:
            return
        if token.token_type in (TokenType.DOT, TokenType.NUMBER, TokenType.STRING, TokenType.R_PAREN):
            _wrong(token, text, "USING takes names of columns alone", "write USING (id)")


def _check_join(tokens: Sequence[Token], index: int, text: str) -> None:
    """JOIN without a table before it, and OUTER JOIN without LEFT, RIGHT or FULL."""
    before = [token.token_type for token in tokens[max(0, index - 2) : index]]
    if before[-1:] in ([TokenType.SELECT], [TokenType.COMMA]):
        _check_name(tokens[index], text)
    if before[-1:] == [TokenType.OUTER] and before[0] not in (TokenType.LEFT, TokenType.RIGHT, TokenType.FULL):
        _wrong(tokens[index], text, "OUTER JOIN needs a side", "write LEFT, RIGHT or FULL before it")
    if before[-1:] == [TokenType.INNER] and before[0] in (TokenType.LEFT, TokenType.RIGHT, TokenType.FULL):
        _wrong(tokens[index], text, "INNER JOIN has no side", "leave one of the two words out")


def _check_array(tokens: Sequence[Token], index: int, text: str) -> None:
    """`ARRAY(1)`, `ARRAY<INT64>(1)`"""
    after = _after_type(tokens, index)
    if after is not None and after.token_type == TokenType.L_PAREN:
        _wrong(after, text, "ARRAY<…> takes […]", "write brackets around the elements")
    kinds = [token.token_type for token in tokens[index + 1 : index + 3]]
    queries = (TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.L_PAREN)
    if kinds[:1] == [TokenType.L_PAREN] and kinds[1:] and kinds[1] not in queries:
        _wrong(tokens[index], text, "ARRAY(…) takes a query", "write […] around values")


def _after_type(tokens: Sequence[Token], index: int) -> Token | None:
    """What follows ARRAY<…> or STRUCT<…>; None where there are no such brackets."""
    depth = 0
    for place in range(index + 1, len(tokens)):
        kind = tokens[place].token_type
        depth += (kind == TokenType.LT) - (kind == TokenType.GT)
        if depth == 0:
            return _after(tokens, place) if place > index + 1 else None
    return None


def _check_struct(tokens: Sequence[Token], index: int, text: str) -> None:
    """`STRUCT<INT64>[1]`"""
    after = _after_type(tokens, index)
    if after is not None and after.token_type == TokenType.L_BRACKET:
        _wrong(after, text, "STRUCT<…> takes (…)", "write parentheses around the fields")


def _check_star(tokens: Sequence[Token], index: int, text: str) -> None:
    """`* EXCEPT x`, `* EXCEPT (t.x)`, `* REPLACE ()`"""
    word, rest = _after(tokens, index), tokens[index + 2 :]
    if word is None or word.text.upper() not in ("EXCEPT", "REPLACE") or not rest:
        return
    is_except = word.text.upper() == "EXCEPT"
    if is_except and rest[0].token_type not in (TokenType.L_PAREN, TokenType.DISTINCT, TokenType.ALL):
        _wrong(word, text, "EXCEPT takes names in parentheses", "write EXCEPT (name)")
    if not is_except and rest[0].token_type == TokenType.L_PAREN:
        for item in filter(None, commas(list(rest[1 : closing(rest, 0)]))):
            if len(item) < 3 or item[-2].token_type != TokenType.ALIAS:
                _wrong(item[-1], text, "REPLACE takes AS and a name after each expression", "write REPLACE (x AS name)")
    if [token.token_type for token in rest[:2]] == [TokenType.L_PAREN, TokenType.R_PAREN]:
        _wrong(word, text, f"{word.text.upper()} takes at least one column", "take it out")
    if is_except and [token.token_type for token in rest[:3:2]] == [TokenType.L_PAREN, TokenType.DOT]:
        _wrong(word, text, "EXCEPT takes names of columns alone", "leave out the table before each")


def _check_window(tokens: Sequence[Token], index: int, text: str) -> None:
    """`WINDOW w ()`"""
    kinds = [token.token_type for token in tokens[max(index - 1, 0) : index + 3]]
    if kinds[-1:] == [TokenType.L_PAREN] and kinds[0] != TokenType.PIPE_GT and len(kinds) == 4:
        _wrong(tokens[index], text, "a window's name needs AS after it", "write WINDOW w AS (…)")


def _check_having(tokens: Sequence[Token], index: int, text: str) -> None:
    """`SUM(x HAVING y)`"""
    after = _after(tokens, index)
    if after is None or after.text.upper() not in ("MAX", "MIN"):
        depth = 0
        for token in reversed(tokens[:index]):
            depth += (token.token_type == TokenType.R_PAREN) - (token.token_type == TokenType.L_PAREN)
            if depth < 0:
                _wrong(tokens[index], text, "HAVING in a call takes MAX or MIN", "write HAVING MAX x")
            if depth == 0 and token.token_type in (TokenType.SELECT, TokenType.FROM):
                return


_VALUES = {TokenType.VAR, TokenType.IDENTIFIER, TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.NUMBER}


def _check_not(tokens: Sequence[Token], index: int, text: str) -> None:
    """`x NOT NULL`, which only the definition of a column has."""
    after = _after(tokens, index)
    if after is None or after.token_type != TokenType.NULL or not index or tokens[0].token_type == TokenType.CREATE:
        return
    if tokens[index - 1].token_type in _VALUES:
        _wrong(tokens[index], text, "NOT NULL is no condition", "write IS NOT NULL")


def _check_all(tokens: Sequence[Token], index: int, text: str) -> None:
    """`SELECT ALL, x`"""
    after, before = _after(tokens, index), tokens[index - 1].token_type if index else None
    if after is not None and after.token_type == TokenType.COMMA and before == TokenType.SELECT:
        _check_name(tokens[index], text)


def _check_type(tokens: Sequence[Token], index: int, text: str) -> None:
    """`INT64 '1'`, which is a literal in other dialects."""
    after, before = _after(tokens, index), tokens[index - 1].token_type if index else None
    is_literal = after is not None and after.token_type in (TokenType.STRING, TokenType.RAW_STRING)
    if is_literal and before not in (TokenType.DOT, TokenType.ALIAS):
        _wrong(tokens[index], text, f"there are no literals of {tokens[index].text.upper()}", "write CAST(… AS type)")


def _check_alias(tokens: Sequence[Token], index: int, text: str) -> None:
    """A word of SQL as a name after AS, or of a WITH query or a window, before it."""
    after = tokens[index + 1 : index + 3]
    before = tokens[index - 1] if index else None
    if len(after) > 1 and after[0].token_type == TokenType.L_PAREN and _is_word(before):
        is_query = after[1].token_type in (TokenType.SELECT, TokenType.WITH)
        if is_query and tokens[index - 2].token_type in (TokenType.WITH, TokenType.COMMA):
            _check_name(tokens[index - 1], text)
    if before is not None and (not after or after[0].token_type in _NO_NAMES):
        _check_name(tokens[index], text)
    if not after or not _is_word(after[0]) or before is None:
        return
    word, then = after[0].text.upper(), after[1].token_type if len(after) > 1 else None
    is_type = word in _TYPES and (then == TokenType.LT or _is_cast(tokens, index))
    is_kind = word == "STRUCT" and before.token_type in (TokenType.SELECT, TokenType.DISTINCT, TokenType.ALL)
    is_query = word in ("SELECT", "WITH", "FROM") or (word == "OF" and before.text.upper() == "SYSTEM_TIME")
    if not (is_type or is_kind or is_query):
        _check_name(after[0], text)


_NO_NAMES = {
    *(TokenType.COMMA, TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.SEMICOLON, TokenType.DOT, TokenType.PIPE_GT),
    *(TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH, TokenType.EQ),
}
"""What no name, type or query starts with."""
_TYPES = ("ARRAY", "STRUCT", "INTERVAL", "RANGE")
_QUOTED = {TokenType.IDENTIFIER, TokenType.STRING, TokenType.RAW_STRING, TokenType.BYTE_STRING}


def _is_word(token: Token | None) -> bool:
    """Whether it is a word that is a name in back-ticks only."""
    return token is not None and token.token_type not in _QUOTED and token.text.upper() in RESERVED


def _is_cast(tokens: Sequence[Token], index: int) -> bool:
    """Whether the AS at `index` is that of a CAST."""
    depth = 0
    for place in range(index - 1, 0, -1):
        depth += (tokens[place].token_type == TokenType.R_PAREN) - (tokens[place].token_type == TokenType.L_PAREN)
        if depth < 0:
            return tokens[place - 1].text.upper() in ("CAST", "SAFE_CAST")
    return False


def _check_name(token: Token, text: str) -> NoReturn:
    _not_a_name(text[token.start : token.end + 1], text, token.start, token.end)


def _not_a_name(word: str, text: str, start: int, end: int) -> NoReturn:
    raise SqlError(
        f"syntax error: {word.upper()} is a word of SQL",
        hint=f"as a name it needs back-ticks, `{word}`",
        place=place_at(text, start, end),
    )


def _check_plus(tokens: Sequence[Token], index: int, text: str) -> None:
    """`+'1'`: sqlglot drops a sign before a value."""
    after, before = _after(tokens, index), tokens[index - 1].token_type if index else None
    if after is not None and after.token_type in _QUOTED - {TokenType.IDENTIFIER} and before in _BEFORE_VALUE:
        _wrong(tokens[index], text, "+ takes a number", "take it out, or write CAST")


_BEFORE_VALUE = {TokenType.SELECT, TokenType.COMMA, TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.EQ}


_SHORT_PARTS = frozenset({"D", "H", "M", "MS", "NS", "Q", "S", "US", "W", "Y"})
"""What sqlglot takes for DAY, HOUR and so on after INTERVAL."""


_AFTER_TYPE = (TokenType.R_PAREN, TokenType.COMMA, TokenType.GT)
"""What stands after INTERVAL where it is a type: CAST(x AS INTERVAL) y."""


def _check_interval(tokens: Sequence[Token], index: int, text: str) -> None:
    """`INTERVAL 1 'DAY'`"""
    kinds = [token.token_type for token in tokens[index + 1 : index + 3]]
    if kinds == [TokenType.NUMBER, TokenType.STRING]:
        _wrong(tokens[index + 2], text, "a date part is a word", "write it without quotes")
    if kinds[:1] and kinds[0] in _AFTER_TYPE:
        return
    start = index + 1
    while tokens[start : start + 1] and tokens[start].token_type in (TokenType.DASH, TokenType.PLUS):
        start += 1
    while tokens[start + 1 : start + 2] and tokens[start + 1].token_type == TokenType.DOT:
        start += 2
    for place in (start, start + 1):
        if tokens[place : place + 1] and tokens[place].token_type == TokenType.L_PAREN:
            start = closing(tokens, place)
    if tokens[start + 1 : start + 2] and tokens[start + 1].text.upper() in _SHORT_PARTS:
        _wrong(tokens[start + 1], text, f"{tokens[start + 1].text} is not a date part", "write it out: DAY, HOUR")


def _check_end(tokens: Sequence[Token], index: int, text: str) -> None:
    """END where a value should be."""
    before = tokens[index - 1].token_type if index else None
    if before in (TokenType.SELECT, TokenType.COMMA, TokenType.L_PAREN, TokenType.WHERE, *_BY):
        _check_name(tokens[index], text)


_ENDS = {
    *(TokenType.COMMA, TokenType.R_PAREN, TokenType.DOT, TokenType.EQ, TokenType.SEMICOLON, TokenType.FROM),
    *(TokenType.WHERE, TokenType.GROUP_BY, TokenType.ORDER_BY),
}
"""What stands after a name, and after no word of SQL that something must follow."""


def _check_unfinished(tokens: Sequence[Token], index: int, text: str) -> None:
    """A word of SQL that something must follow as a name: `SELECT range FROM`, `USING (natural)`."""
    after, before = _after(tokens, index), tokens[index - 1].token_type if index else None
    if (after.token_type if after is not None else None) in _ENDS and before not in (
        TokenType.DOT,
        TokenType.PARAMETER,
    ):
        _check_name(tokens[index], text)


_LINE = re.compile(r"[\r\n]")


def _check_lines(tokens: Sequence[Token], index: int, text: str) -> None:
    """A string over several lines, without three quotes."""
    token = tokens[index]
    if token.end - token.start == len(token.text) + 1 and not _LINE.search(token.text):
        return
    written = text[token.start : token.end + 1].lstrip("rRbB")
    if _LINE.search(written) and not written.startswith(("'''", '"""')):
        _wrong(token, text, "the string does not end in its line", "write '''…''' for several lines")


def _wrong(token: Token, text: str, reason: str, hint: str) -> NoReturn:
    raise SqlError(f"syntax error: {reason}", hint=hint, place=place_at(text, token.start, token.end))


_CHECKS: Mapping[TokenType, Callable[[Sequence[Token], int, str], None]] = {
    **dict.fromkeys(_BY, _check_list),
    **dict.fromkeys((TokenType.ASC, TokenType.DESC), _check_direction),
    **dict.fromkeys((TokenType.STRING, TokenType.RAW_STRING, TokenType.BYTE_STRING), _check_lines),
    **dict.fromkeys(
        (TokenType.BOOLEAN, TokenType.BIGINT, TokenType.TEXT, TokenType.BINARY, TokenType.DOUBLE), _check_type
    ),
    **dict.fromkeys(
        (TokenType.COLLATE, TokenType.ENUM, TokenType.EXISTS, TokenType.IS, TokenType.NATURAL, TokenType.PARTITION),
        _check_unfinished,
    ),
    **dict.fromkeys((TokenType.RANGE, TokenType.SOME, TokenType.CUBE, TokenType.ROLLUP), _check_unfinished),
    TokenType.USING: _check_using,
    TokenType.PLUS: _check_plus,
    TokenType.INTERVAL: _check_interval,
    TokenType.JOIN: _check_join,
    TokenType.ARRAY: _check_array,
    TokenType.STRUCT: _check_struct,
    TokenType.STAR: _check_star,
    TokenType.WINDOW: _check_window,
    TokenType.NOT: _check_not,
    TokenType.ALIAS: _check_alias,
    TokenType.END: _check_end,
    TokenType.ALL: _check_all,
    TokenType.HAVING: _check_having,
}

"""GoogleSQL's tokens, written so that sqlglot can read them. Each token keeps its place in the text.

sqlglot reads some words as those of other dialects that are plain names in GoogleSQL (`regexp`, `tmp.select`), takes
WITH OFFSET after UNNEST only, and knows few pipe operators.
"""

import re
from collections.abc import Callable, Sequence

from sqlglot.dialects.bigquery import BigQuery
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.sql.rewriting.chained import ENDS_OF_VALUES, opens, unchained
from warehouse_refresh.warehouse.sql.rewriting.pipes import closing, commas, unpiped, words
from warehouse_refresh.warehouse.sql.syntax_errors import check_depth

_BIGQUERY = BigQuery()
_NAMES_ONLY = frozenset(
    {TokenType.RLIKE, TokenType.GLOB, TokenType.ILIKE, TokenType.XOR, TokenType.NOTNULL, TokenType.RETURNING}
    | {TokenType.UNCACHE, TokenType.DROP, TokenType.INSERT, TokenType.ROLLBACK, TokenType.ALTER, TokenType.REVOKE}
    | {TokenType.CURRENT_USER, TokenType.LOCK, TokenType.LIST, TokenType.GRANT}
)
"""Words that are names in GoogleSQL, except at the start of a statement."""
_JOIN_WORDS = frozenset({TokenType.SEMI, TokenType.ANTI, TokenType.ASOF, TokenType.STRAIGHT_JOIN})
"""Words of other dialects' joins, which are names in GoogleSQL."""
_SIDES = frozenset({TokenType.LEFT, TokenType.RIGHT, TokenType.FULL, TokenType.INNER, TokenType.NATURAL})
_BEFORE_ALIASES = frozenset({TokenType.VAR, TokenType.IDENTIFIER, TokenType.ALIAS, TokenType.R_PAREN})
_AFTER_DOT = frozenset({TokenType.VAR, TokenType.IDENTIFIER, TokenType.STAR, TokenType.STRING, TokenType.NUMBER})
_ENDS_OF_TYPES = (
    *(TokenType.TEXT, TokenType.BINARY, TokenType.DATE, TokenType.TIME, TokenType.DATETIME, TokenType.TIMESTAMP),
    *(
        TokenType.TIMESTAMPTZ,
        TokenType.BIGINT,
        TokenType.DOUBLE,
        TokenType.DECIMAL,
        TokenType.BIGDECIMAL,
        TokenType.VAR,
    ),
    *(TokenType.VAR, TokenType.BOOLEAN, TokenType.JSON, TokenType.INTERVAL, TokenType.GT, TokenType.R_PAREN),
)
"""The last tokens of types: after one of them the FORMAT of a cast may follow."""
_STARTS = frozenset({TokenType.SEMICOLON, TokenType.PIPE_GT})
_PATH = frozenset({TokenType.VAR, TokenType.IDENTIFIER})
_NO_CALLS = frozenset(
    {TokenType.FROM, TokenType.JOIN, TokenType.COMMA, TokenType.L_PAREN, TokenType.IN, TokenType.ALIAS}
)
"""A parenthesis after one of these does not start a function call."""

_LAST_COMMA = re.compile(r",(?:\s|--[^\n]*|\#[^\n]*|/\*.*?\*/)*\)", re.DOTALL)


def named_tokens(text: str) -> list[Token]:
    """The tokens of a text, including pipes. Raises TokenError for an unclosed comment, name or string."""
    tokens: list[Token] = _BIGQUERY.tokenize(text)
    if "~~" in text:
        tokens = [part for token in tokens for part in _signs_of(token)]
    for rewritten in _name_words(tokens):
        tokens = rewritten(tokens)
    return _with_safe_net(tokens) if _SAFE_NET.search(text) else tokens


def _signs_of(token: Token) -> list[Token]:
    """The token; of `~~`, which other dialects write for LIKE, each sign."""
    if not token.text or token.text.strip("~") or token.end - token.start + 1 != len(token.text):
        return [token]
    places = range(token.start, token.end + 1)
    return [Token(TokenType.TILDE, "~", token.line, token.col, place, place, []) for place in places]


_SAFE_NET = re.compile(r"\bSAFE\s*\.\s*NET\s*\.", re.IGNORECASE)


def _with_safe_net(tokens: list[Token]) -> list[Token]:
    """The tokens with one token for NET.f of SAFE.NET.f(…): sqlglot takes one name after SAFE."""
    found = list(tokens)
    for index in reversed(range(len(tokens) - 5)):
        safe, dot, net, second, name, bracket = tokens[index : index + 6]
        is_path = dot.token_type == second.token_type == TokenType.DOT and bracket.token_type == TokenType.L_PAREN
        if is_path and safe.text.upper() == "SAFE" and net.text.upper() == "NET":
            name.text = f"NET.{name.text}"
            del found[index + 2 : index + 4]
    return found


def read_tokens(text: str) -> list[Token]:
    """The tokens of a text, with its pipes rewritten as queries. Raises TokenError for an unclosed comment, name or
    string, UnsupportedSql for an unknown pipe operator, and SqlError for too many pipes."""
    tokens = without_last_commas(named_tokens(text), text)
    if "|>" not in text:
        return tokens
    tokens = unpiped(tokens, text)
    check_depth(tokens, text)  # each operator may be a query around those before it
    return tokens


def without_last_commas(tokens: list[Token], text: str) -> list[Token]:
    """The tokens without the commas before a `)`, of which sqlglot makes a tuple. GoogleSQL takes them at the end of a
    SELECT list: https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#trailing_commas"""
    if not _LAST_COMMA.search(text):
        return tokens
    after = [*(token.token_type for token in tokens[1:]), None]
    return [
        token
        for token, kind in zip(tokens, after, strict=True)
        if token.token_type != TokenType.COMMA or kind != TokenType.R_PAREN
    ]


def _name_words(tokens: Sequence[Token]) -> "list[Rewriting]":
    """Make a name of each word that is none of GoogleSQL's; gives what else has to be rewritten."""
    before = TokenType.SEMICOLON
    found: list[Rewriting] = []
    for index, token in enumerate(tokens):
        kind = token.token_type
        if before == TokenType.DOT:
            if kind not in _AFTER_DOT and token.text[:1].isalpha():
                token.token_type = TokenType.VAR
        elif kind in _JOIN_WORDS and not _is_foreign_join(tokens, index):
            token.token_type = TokenType.VAR
        elif kind in _NAMES_ONLY or (kind == TokenType.PARTITION_BY and "_" in token.text):
            if before not in _STARTS:
                token.token_type = TokenType.VAR
        elif (before, kind) in _REWRITINGS:
            found.append(_REWRITINGS[before, kind])
        before = kind
    return sorted(dict.fromkeys(found), key=lambda rewriting: rewriting is not unchained)  # others make names with $


def _is_foreign_join(tokens: Sequence[Token], index: int) -> bool:
    """Whether a word means another dialect's join (`a LEFT SEMI JOIN b`, `a AS x ASOF JOIN b`), and no name: it stands
    after a side, or after an alias. In `FROM a semi JOIN b` it is the alias."""
    kinds = [token.token_type for token in tokens[max(index - 2, 0) : index]]
    after = tokens[index + 1].token_type if index + 1 < len(tokens) else None
    if tokens[index].token_type == TokenType.STRAIGHT_JOIN:
        return after not in (TokenType.JOIN, TokenType.DOT)
    is_after_alias = len(kinds) == 2 and kinds[0] in _BEFORE_ALIASES and kinds[1] in _PATH
    return after == TokenType.JOIN and (kinds[-1:] == [] or kinds[-1] in _SIDES or is_after_alias)


def _with_unnest(tokens: list[Token]) -> list[Token]:
    """`q.items AS e WITH OFFSET` as `UNNEST(q.items) AS e WITH OFFSET`:
    https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#array_subquery_correlation"""
    found: list[Token] = []
    kinds = [token.token_type for token in tokens]
    for index, token in enumerate(tokens):
        if kinds[index : index + 2] == [TokenType.WITH, TokenType.OFFSET]:
            found = _around_path(found)
        found.append(token)
        if kinds[max(index - 1, 0) : index + 2] in _READ_AS_ALIAS:
            found += words("AS offset", token)
    return found


_READ_AS_ALIAS = tuple([TokenType.WITH, TokenType.OFFSET, kind] for kind in (TokenType.LIMIT, TokenType.PIPE_GT))
"""Where sqlglot would take the next word, or that of the pipe operator, for the name of the offset."""


def _around_path(tokens: list[Token]) -> list[Token]:
    """The tokens, UNNEST around the path that they end in, before its alias. The last name of a path is its alias."""
    end = len(tokens)
    if end > 2 and tokens[-2].token_type == TokenType.ALIAS:
        end -= 2
    elif end > 1 and tokens[-1].token_type in _PATH and tokens[-2].token_type in _PATH:
        end -= 1
    start = end
    while start > 2 and tokens[start - 1].token_type in _PATH and tokens[start - 2].token_type == TokenType.DOT:
        start -= 2
    start -= 1
    if start < 1 or end - start < 3 or tokens[start].token_type not in _PATH:
        return tokens
    path, alias = tokens[start:end], tokens[end:]
    mark = path[-1]
    alias = alias or [*words("AS", mark), mark]
    return [*tokens[:start], *words("UNNEST (", path[0]), *path, *words(")", mark), *alias]


def _in_parentheses(tokens: list[Token], mark: Token) -> list[Token]:
    return [*words("(", mark), *tokens, *words(")", mark)]


def _hidden_call(name: str, mark: Token) -> list[Token]:
    """The start of a call that no text can have: names have no $."""
    return [
        Token(TokenType.VAR, f"{name}$", mark.line, mark.col, mark.start, mark.end, []),
        *words("(", mark),
    ]


def _with_calls(tokens: list[Token]) -> list[Token]:
    """`WITH(a AS 1, a + 1)` as a call with one STRUCT, which sqlglot reads: `WITH$(STRUCT(1 AS a, a + 1))`.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/operators#with_expression"""
    found: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.token_type != TokenType.WITH or not opens(tokens[min(index + 1, len(tokens) - 1)]):
            found.append(token)
            index += 1
            continue
        end = closing(tokens, index + 1)
        *named, body = commas(_with_calls(tokens[index + 2 : end]))
        found += [*_hidden_call("WITH", token), *words("STRUCT (", token)]
        for part in named:
            found += [*_in_parentheses(part[2:], token), *words("AS", token), *part[:1], *words(",", token)]
        found += [*_in_parentheses(body, token), *words(") )", token)]
        index = end + 1
    return found


def _with_arguments(tokens: list[Token]) -> list[Token]:
    """`f(MODEL d.m, TABLE d.t)` as `f$('…', (SELECT * FROM d.t))`. sqlglot reads MODEL and TABLE in calls of some names
    only, and takes these for functions of its own.
    https://cloud.google.com/bigquery/docs/table-functions#table_parameters"""
    found: list[Token] = []
    calls: list[Token | None] = []  # for each open parenthesis the name of the call that it belongs to
    index = 0
    while index < len(tokens):
        token, before = tokens[index], tokens[index - 1] if index else None
        index += 1
        if opens(token):
            calls.append(before if before is not None and before.token_type not in _NO_CALLS else None)
        elif token.token_type == TokenType.R_PAREN:
            calls[-1:] = []
        call = calls[-1] if calls else None
        is_first = before is not None and before.token_type in (TokenType.L_PAREN, TokenType.COMMA)
        end = _path_end(tokens, index)
        if call is None or not is_first or token.token_type not in (TokenType.MODEL, TokenType.TABLE) or end == index:
            found.append(token)
            continue
        path, index = tokens[index:end], end
        call.token_type, call.text = TokenType.VAR, call.text.removesuffix("$") + "$"
        if token.token_type == TokenType.MODEL:
            found += words(f"'{path[0].start}'", path[0])
        else:
            found += [*words("( SELECT * FROM", token), *path, *words(")", path[-1])]
    return found


def _path_end(tokens: Sequence[Token], start: int) -> int:
    """Where the path that begins at `start` ends; `start` itself if none does."""
    end = start
    while end < len(tokens) and tokens[end].token_type in (*_PATH, TokenType.DOT, TokenType.DASH):
        end += 1
    return end


def _with_subjects(tokens: list[Token]) -> list[Token]:
    """`PIVOT(… FOR a + 1 IN (…))` with parentheses around `a + 1`."""
    found: list[Token] = []
    depths: list[int] = []  # of the parentheses of each PIVOT around
    depth, start = 0, -1
    for index, token in enumerate(tokens):
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if token.token_type == TokenType.L_PAREN and index and tokens[index - 1].token_type == TokenType.PIVOT:
            depths.append(depth)
        elif depths and depth < depths[-1]:
            depths.pop()
        found.append(token)
        if not depths or depth != depths[-1]:
            continue
        if token.token_type == TokenType.FOR:
            start = len(found)
        elif token.token_type == TokenType.IN and start >= 0:
            subject = found[start:-1]
            if subject and any(part.token_type not in (*_PATH, TokenType.DOT) for part in subject):
                found[start:] = [*words("(", subject[0]), *subject, *words(")", subject[-1]), token]
            start = -1
    return found


def _with_extremes(tokens: list[Token]) -> list[Token]:
    """`f(x HAVING MAX y > 1)` with COALESCE around `y > 1`, since sqlglot takes a column or a call there. It reads no
    HAVING in STRING_AGG unless that has another name."""
    found: list[Token] = []
    calls: list[Token | None] = []  # what stands before each open parenthesis; None before a query's
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if opens(token):
            is_query = tokens[min(index + 1, len(tokens) - 1)].token_type in _STARTS_OF_QUERIES
            calls.append(tokens[index - 1] if index and not is_query else None)
        elif token.token_type == TokenType.R_PAREN:
            calls[-1:] = []
        found.append(token)
        index += 1
        call = calls[-1] if calls else None
        if call is None or token.token_type != TokenType.HAVING or tokens[index].text.upper() not in ("MAX", "MIN"):
            continue
        if call.text.upper() == "STRING_AGG":
            call.text += "$"
        end = _argument_end(tokens, index + 1)
        if end > index + 2:
            mark = tokens[index]
            found += [mark, *words("COALESCE (", mark), *tokens[index + 1 : end], *words(")", mark)]
            index = end
    return found


_STARTS_OF_QUERIES = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.FROM})


def _argument_end(tokens: Sequence[Token], start: int) -> int:
    """Where an argument of a call ends: before ORDER BY, LIMIT, or the parenthesis that closes the call."""
    depth = 0
    for index in range(start, len(tokens)):
        kind = tokens[index].token_type
        if depth == 0 and kind in (TokenType.ORDER_BY, TokenType.LIMIT, TokenType.R_PAREN):
            return index
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
    return len(tokens)


_CASTS = frozenset({"CAST", "SAFE_CAST"})


def _with_formats(tokens: list[Token]) -> list[Token]:
    """`CAST(x AS type FORMAT f AT TIME ZONE z)` as a call: `CAST$(CAST(x AS type), f, z)`. sqlglot reads some of
    these formats as functions of other dialects, and takes literals only.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements"""
    found: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.text.upper() not in _CASTS or not opens(tokens[min(index + 1, len(tokens) - 1)]):
            found.append(token)
            index += 1
            continue
        end = closing(tokens, index + 1)
        cast, *rest = _parted(_with_formats(tokens[index + 2 : end]))
        call = [token, *tokens[index + 1 : index + 2], *cast, *tokens[end : end + 1]]
        if rest:
            call = [*_hidden_call("CAST", token), *call]
            for part in rest:
                call += [*words(",", token), *part]
            call += words(")", token)
        found += call
        index = end + 1
    return found


def _parted(tokens: list[Token]) -> list[list[Token]]:
    """What stands before FORMAT, after it, and after AT TIME ZONE; only the first part of a cast without a format."""
    parts: list[list[Token]] = [[]]
    depth, index = 0, 0
    while index < len(tokens):
        token = tokens[index]
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0 and token.token_type == TokenType.FORMAT and len(parts) == 1 and _is_after_type(parts[0]):
            parts.append([])
        elif depth == 0 and len(parts) == 2 and _is_zone(tokens[index : index + 3]):
            parts.append([])
            index += 2
        else:
            parts[-1].append(token)
        index += 1
    return parts


def _is_after_type(tokens: Sequence[Token]) -> bool:
    return any(token.token_type == TokenType.ALIAS for token in tokens)


def _is_zone(tokens: Sequence[Token]) -> bool:
    return [token.text.upper() for token in tokens] == ["AT", "TIME", "ZONE"]


ZIP = "ZIP$"
"""The name of the call that UNNEST of several arrays is read as."""


def _with_zips(tokens: list[Token]) -> list[Token]:
    """`UNNEST(a AS x, b AS y, mode => 'PAD')` as `UNNEST(ZIP$(a AS x, b AS y, mode => 'PAD'))`: sqlglot reads no alias
    there."""
    found: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        found.append(token)
        index += 1
        if token.token_type != TokenType.UNNEST or not opens(tokens[min(index, len(tokens) - 1)]):
            continue
        end = closing(tokens, index)
        inner = _with_zips(tokens[index + 1 : end])
        if _has_several(inner):
            inner = [*_hidden_call(ZIP.removesuffix("$"), token), *inner, *words(")", token)]
        found += [tokens[index], *inner, *tokens[end : end + 1]]
        index = end + 1
    return found


def _has_several(tokens: list[Token]) -> bool:
    """Whether they are several arrays, or one with an alias."""
    parts = commas(tokens)
    last = parts[-1][-2:-1]
    return len(parts) > 1 or any(token.token_type == TokenType.ALIAS for token in last)


def _with_comparisons(tokens: list[Token]) -> list[Token]:
    """`STRUCT(a = 1)` with parentheses around `a = 1`: sqlglot takes it for a field a that is 1."""
    starts: set[int] = set()
    ends: set[int] = set()
    for index in range(len(tokens) - 1):
        if tokens[index].token_type == TokenType.STRUCT and opens(tokens[index + 1]):
            start = index + 2
            for part in commas(tokens[start : closing(tokens, index + 1)]):
                if _is_comparison(part):
                    starts.add(start)
                    ends.add(start + len(part) - 1)
                start += len(part) + 1
    found: list[Token] = []
    for index, token in enumerate(tokens):
        found += [*(words("(", token) if index in starts else []), token]
        found += words(")", token) if index in ends else []
    return found


def _is_comparison(tokens: Sequence[Token]) -> bool:
    """Whether they hold `=` outside parentheses, and no alias."""
    depth = 0
    kinds = set()
    for token in tokens:
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0:
            kinds.add(token.token_type)
    return TokenType.EQ in kinds and TokenType.ALIAS not in kinds


_RAW_BYTES = frozenset({"rb", "br"})


def _with_raw_bytes(tokens: list[Token]) -> list[Token]:
    """`rb'…'` as one token: sqlglot reads a name and a string.
    https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#string_and_bytes_literals"""
    found: list[Token] = []
    for token in tokens:
        if token.token_type == TokenType.STRING and found and _is_raw_bytes(found[-1], token):
            mark = found.pop()
            token = Token(TokenType.BYTE_STRING, token.text, mark.line, mark.col, mark.start, token.end, [])
        found.append(token)
    return found


def _is_raw_bytes(before: Token, token: Token) -> bool:
    is_name = before.token_type == TokenType.VAR and before.text.casefold() in _RAW_BYTES
    return is_name and before.end + 1 == token.start


_BEFORE_POINTS = (TokenType.CASE, TokenType.ALL)


def _with_points(tokens: list[Token]) -> list[Token]:
    """`.5` as one token behind CASE and ALL, which sqlglot would read as the first name of a path."""
    found: list[Token] = []
    for token in tokens:
        kinds = [before.token_type for before in found[-2:]]
        if token.token_type == TokenType.NUMBER and kinds[1:] == [TokenType.DOT] and kinds[0] in _BEFORE_POINTS:
            mark = found.pop()
            token = Token(TokenType.NUMBER, f"0.{token.text}", mark.line, mark.col, mark.start, token.end, [])
        found.append(token)
    return found


Rewriting = Callable[[list[Token]], list[Token]]
_REWRITINGS: dict[tuple[TokenType, TokenType], Rewriting] = {
    (TokenType.WITH, TokenType.OFFSET): _with_unnest,
    (TokenType.WITH, TokenType.L_PAREN): _with_calls,
    **{(kind, TokenType.DOT): _with_points for kind in _BEFORE_POINTS},
    (TokenType.PIVOT, TokenType.L_PAREN): _with_subjects,
    (TokenType.UNNEST, TokenType.L_PAREN): _with_zips,
    **{(kind, TokenType.FORMAT): _with_formats for kind in _ENDS_OF_TYPES},
    (TokenType.HAVING, TokenType.VAR): _with_extremes,
    (TokenType.VAR, TokenType.STRING): _with_raw_bytes,
    (TokenType.STRUCT, TokenType.L_PAREN): _with_comparisons,
    (TokenType.L_PAREN, TokenType.MODEL): _with_arguments,
    (TokenType.L_PAREN, TokenType.TABLE): _with_arguments,
    (TokenType.COMMA, TokenType.TABLE): _with_arguments,
    **{(kind, TokenType.DOT): unchained for kind in ENDS_OF_VALUES},
}
"""What has to be rewritten where two tokens of these kinds follow each other."""

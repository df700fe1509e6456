"""Queries at a given moment: CURRENT_DATE() and its like become values.

https://cloud.google.com/bigquery/docs/reference/standard-sql/date_functions#current_date
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlglot.dialects.bigquery import BigQuery
from sqlglot.tokenizer_core import Token, TokenType

from warehouse_refresh.warehouse.functions import parse_function
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.cache import SqlCache
from warehouse_refresh.warehouse.sql.query import Function, Query, blanked, parse_query

_BIGQUERY = BigQuery()
_MADE_BY = {
    "CURRENT_DATE": "DATE",
    "CURRENT_TIME": "TIME",
    "CURRENT_DATETIME": "DATETIME",
    "CURRENT_TIMESTAMP": "TIMESTAMP",
}
"""The functions that tell the time, each with the function that makes the same of a TIMESTAMP."""
_NAMES = (TokenType.IDENTIFIER, TokenType.STRING)


def at_moment(query: Query, moment: datetime, cache: SqlCache | None = None) -> Query:
    """The query as it is at a moment, which has a time zone. Its lines stay the same. Raises SqlError."""
    start = query.start_offset if query.preamble else 0
    head, tail = query.preamble[:start], query.text[start:]
    functions = {one.name: _function_at(one, moment, cache) for one in query.functions}
    new_head, new_tail = text_at(head, moment), text_at(tail, moment)
    if (new_head, new_tail, functions) == (head, tail, {one.name: one for one in query.functions}):
        return query
    return rewritten(query, new_head, new_tail, functions, cache)


def rewritten(
    query: Query, head: str, tail: str, functions: Mapping[TableName, Function], cache: SqlCache | None = None
) -> Query:
    """The query with another text (`tail`) and another text of what stands before it (`head`). Raises SqlError."""
    whole = head + tail
    preamble = blanked(whole, len(head), len(whole)) if query.preamble else ""
    made = parse_query(blanked(whole, 0, len(head)), cache, preamble).with_default(query.default)
    made = replace(made, own=query.own, wildcards=query.wildcards, listed=query.listed)
    return made.given({one.name.casefold(): one for one in query.variables}).calling(functions)


def text_at(text: str, moment: datetime) -> str:
    """The text with values in place of the functions that tell the time."""
    if "current_" not in text.casefold():
        return text
    for start, end, value in reversed(list(_values(text, _BIGQUERY.tokenize(text), moment))):
        text = text[:start] + value + text[end:]
    return text


def _function_at(function: Function, moment: datetime, cache: SqlCache | None) -> Function:
    text = text_at(function.text, moment)
    return function if text == function.text else parse_function(text, function.name.dataset, cache)


def _values(text: str, tokens: Sequence[Token], moment: datetime) -> Iterator[tuple[int, int, str]]:
    """What to replace: from which character up to which, and by what."""
    instant = f"TIMESTAMP '{moment.astimezone(UTC).strftime('%Y-%m-%d %H:%M:%S.%f')}+00'"
    for index, token in enumerate(tokens):
        name = text[token.start : token.end + 1].upper()
        if name not in _MADE_BY or token.token_type in _NAMES or _is_part(tokens, index):
            continue
        made = instant if name == "CURRENT_TIMESTAMP" else f"{_MADE_BY[name]}({instant})"
        after = tokens[index + 1 : index + 3]
        if not after or after[0].token_type != TokenType.L_PAREN:
            yield token.start, token.end + 1, made
        elif len(after) > 1 and after[1].token_type == TokenType.R_PAREN:
            yield token.start, after[1].end + 1, made
        else:  # the time zone follows
            yield token.start, after[0].end + 1, f"{_MADE_BY[name]}({instant}, "


def _is_part(tokens: Sequence[Token], index: int) -> bool:
    """Whether the word is a part of a path, or the name that AS gives."""
    before = tokens[index - 1].token_type if index else None
    after = tokens[index + 1].token_type if index + 1 < len(tokens) else None
    return TokenType.DOT in (before, after) or before == TokenType.ALIAS

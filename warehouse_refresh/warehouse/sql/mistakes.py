"""Mistakes that are certain: what no text in GoogleSQL has. sqlglot does not read all of GoogleSQL, so that what it
cannot read is not always wrong.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical
"""

import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


RESERVED = word_set(
    """
    ALL AND ANY ARRAY AS ASC ASSERT_ROWS_MODIFIED AT BETWEEN BY CASE CAST COLLATE CONTAINS CREATE CROSS CUBE CURRENT
    DEFAULT DEFINE DESC DISTINCT ELSE END ENUM ESCAPE EXCEPT EXCLUDE EXISTS EXTRACT FALSE FETCH FOLLOWING FOR FROM FULL
    GROUP GROUPING GROUPS HASH HAVING IF IGNORE IN INNER INTERSECT INTERVAL INTO IS JOIN LATERAL LEFT LIKE LIMIT LOOKUP
    MERGE NATURAL NEW NO NOT NULL NULLS OF ON OR ORDER OUTER OVER PARTITION PRECEDING PROTO QUALIFY RANGE RECURSIVE
    RESPECT RIGHT ROLLUP ROWS SELECT SET SOME STRUCT TABLESAMPLE THEN TO TREAT TRUE UNBOUNDED UNION UNNEST USING WHEN
    WHERE WINDOW WITH WITHIN
    """
)
"""The words that are a name only in back-ticks, or after a dot."""
CONTEXTUAL = word_set(
    """
    AGGREGATE ASSERT BERNOULLI CALL CORRESPONDING DATE DATETIME DESCRIBE DROP EXTEND FORMAT GRAPH INCLUDE JSON
    LANGUAGE MATCH MATCH_RECOGNIZE MATERIALIZED NUMERIC BIGNUMERIC OFFSET OPTIONS PERCENT PIVOT RANGE RENAME
    REPEATABLE REPLACE ROW SAMPLE SETS SIMILAR STATIC_DESCRIBE SYSTEM SYSTEM_TIME TABLE TEMP TEMPORARY TIME
    TIMESTAMP TRANSFORM UNPIVOT VALUE VALUES ZONE
    """
)
"""The words that are a name everywhere, and mean something in some places."""
TYPES = word_set(
    """
    INT64 INT SMALLINT INTEGER BIGINT TINYINT BYTEINT FLOAT64 NUMERIC DECIMAL BIGNUMERIC BIGDECIMAL BOOL BOOLEAN STRING
    BYTES DATE DATETIME TIME TIMESTAMP INTERVAL JSON GEOGRAPHY RANGE ARRAY STRUCT UUID
    """
)
"""The names of types, with their aliases: https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types"""

_OPENING = {TokenType.L_PAREN: ")", TokenType.L_BRACKET: "]"}
_CLOSING = {TokenType.R_PAREN: ")", TokenType.R_BRACKET: "]"}
_STARTS = word_set(
    "SELECT WITH FROM CREATE INSERT UPDATE DELETE MERGE DROP TRUNCATE ALTER DECLARE SET IF BEGIN EXPLAIN EXPORT LOAD"
    " GRANT REVOKE ASSERT LOOP WHILE FOR EXECUTE COMMIT ROLLBACK RAISE RETURN BREAK CONTINUE LEAVE ITERATE REPEAT CASE"
    " DEFINE DESCRIBE DESC SHOW ANALYZE TABLE VALUES RUN RENAME START ABORT UNDROP IMPORT MODULE CLONE END CALL"
)
"""The words that a statement may start with."""
_NEEDS_VALUE = word_set("+ - / || | & ^ = != <> <= >= AND OR WHERE HAVING QUALIFY ON LIKE WHEN THEN ELSE")
"""The signs and words after which a value must come."""
_NO_VALUE = word_set("FROM WHERE HAVING QUALIFY LIMIT UNION INTERSECT JOIN INNER CROSS WHEN THEN ELSE END AS ) ] , ;")
"""Words and signs that no value starts with."""
_ENDS = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.R_PAREN, TokenType.STRING)
_NAMES = (TokenType.VAR, TokenType.IDENTIFIER)


def is_certain(tokens: Sequence[Token]) -> bool:
    """Whether a text that sqlglot cannot parse is surely none of GoogleSQL's."""
    statement = _first_statement(tokens)
    return (
        any(token.token_type in (TokenType.L_BRACE, TokenType.BLOCK_START) for token in tokens)
        or unbalanced(tokens) is not None
        or not _is_statement(statement)
        or any(_is_cut_off(*pair) for pair in zip(tokens, [*tokens[1:], None], strict=True))
        or any(_is_unknown_type(tokens, index) for index in range(len(tokens)))
        or _has_column_of_unknown_type(statement)
        or any(map(_is_row_of_names, tokens, tokens[1:], tokens[2:]))
    )


def _first_statement(tokens: Sequence[Token]) -> Sequence[Token]:
    return [token for token in tokens if token.token_type not in (TokenType.SEMICOLON, TokenType.L_PAREN)]


def _is_statement(tokens: Sequence[Token]) -> bool:
    return not tokens or _word(tokens[0]).split(" ")[0] in _STARTS or tokens[0].text.startswith("@")


def _word(token: Token) -> str:
    """A token's text, in capitals; "" for what stands in quotes."""
    return "" if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER) else token.text.upper()


def unbalanced(tokens: Sequence[Token]) -> Token | None:
    """The first bracket that closes none, or the last one that nothing closes."""
    opened: list[Token] = []
    for token in tokens:
        if token.token_type in _OPENING:
            opened.append(token)
        elif token.token_type in _CLOSING and (
            not opened or _OPENING[opened.pop().token_type] != _CLOSING[token.token_type]
        ):
            return token
    return opened[-1] if opened else None


def _is_cut_off(token: Token, after: Token | None) -> bool:
    """Whether a sign or a clause has nothing after it."""
    if _word(token) not in _NEEDS_VALUE:
        return False
    return after is None or _word(after) in _NO_VALUE


def _is_unknown_type(tokens: Sequence[Token], index: int) -> bool:
    """`CAST(x AS word)` with a word that is no type. A name in back-ticks, or one with dots, may be a type that
    somebody made."""
    if index < 3 or index + 1 >= len(tokens) or tokens[index].token_type != TokenType.VAR:
        return False
    before, after = tokens[index - 1].token_type, tokens[index + 1].token_type
    if before != TokenType.ALIAS or after != TokenType.R_PAREN or _word(tokens[index]) in TYPES:
        return False
    depth = 0
    for place in range(index, 0, -1):
        depth += (tokens[place].token_type == TokenType.R_PAREN) - (tokens[place].token_type == TokenType.L_PAREN)
        if depth < 0:
            return _word(tokens[place - 1]) in ("CAST", "SAFE_CAST")
    return False


def _has_column_of_unknown_type(tokens: Sequence[Token]) -> bool:
    """Whether a column of a CREATE TABLE has a word after its name that is no type."""
    if not {"CREATE", "TABLE"} <= {_word(token) for token in tokens[:5]}:
        return False
    ends = next((index for index, token in enumerate(tokens) if token.token_type == TokenType.SELECT), len(tokens))
    columns = zip(tokens[:ends], tokens[1:ends], tokens[2:ends], strict=False)
    return any(
        before.token_type == TokenType.COMMA
        and name.token_type in _NAMES
        and kind.token_type == TokenType.VAR
        and not {_word(name), _word(kind)} & (_NO_COLUMN | TYPES)
        for before, name, kind in columns
    )


_NO_COLUMN = word_set("PRIMARY FOREIGN CONSTRAINT CHECK UNIQUE KEY")


def _is_row_of_names(one: Token, other: Token, last: Token) -> bool:
    """Whether three names or values stand in a row, of which the one in the middle is no word that GoogleSQL knows."""
    if other.token_type != TokenType.VAR or last.token_type not in (*_NAMES, TokenType.NUMBER):
        return False
    words = {_word(token) for token in (one, other, last) if token.token_type == TokenType.VAR}
    return one.token_type in _ENDS and not words & (CONTEXTUAL | RESERVED) and bool(re.match(r"\w", other.text))

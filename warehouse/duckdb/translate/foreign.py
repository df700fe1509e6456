"""What sqlglot reads although GoogleSQL does not have it: other dialects' signs, words and types."""

from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from warehouse.errors import SqlError
from warehouse.sql.parser import place_at

# By the text of a token, with what to write instead.
SIGNS = {
    "::": "write CAST(x AS type)",
    "{": "write STRUCT(x AS name)",
    "==": "write =",
    "<=>": "write IS NOT DISTINCT FROM",
    "!": "write NOT",
}
WORDS = {
    "FETCH": (TokenType.FETCH, "write LIMIT"),
    "SEMI": (TokenType.SEMI, "write WHERE EXISTS (SELECT …)"),
    "ANTI": (TokenType.ANTI, "write WHERE NOT EXISTS (SELECT …)"),
    "ASOF": (TokenType.ASOF, "write a join and QUALIFY"),
}
TYPES = {
    "VARCHAR": "STRING",
    "TEXT": "STRING",
    "CHAR": "STRING",
    "NVARCHAR": "STRING",
    "DOUBLE": "FLOAT64",
    "FLOAT": "FLOAT64",
    "REAL": "FLOAT64",
    "FLOAT32": "FLOAT64",
    "BINARY": "BYTES",
    "VARBINARY": "BYTES",
    "BLOB": "BYTES",
    "TIMESTAMPTZ": "TIMESTAMP",
    "TIMESTAMP_NTZ": "DATETIME",
}
UNITS = {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND"}


def check_foreign(tokens: Sequence[Token], text: str) -> None:
    """Raises SqlError for what GoogleSQL does not have."""
    upper = text.upper()
    for index, token in enumerate(tokens):
        written = text[token.start : token.end + 1]
        if written in SIGNS and token.token_type != TokenType.STRING:
            _foreign(token, text, SIGNS[written])
        word = WORDS.get(written.upper())
        if word is not None and word[0] == token.token_type:
            _foreign(token, text, word[1])
        _check_following(tokens[index : index + 3], text, upper)
    if "CAST" in upper:
        _check_casts(tokens, text)


def _check_following(tokens: Sequence[Token], text: str, upper: str) -> None:
    """A token with the two after it."""
    if len(tokens) < 2:
        return
    kind, following = tokens[0].token_type, tokens[1]
    last = tokens[2] if len(tokens) > 2 else None
    if kind == TokenType.ALIAS and following.token_type == TokenType.STRING and "UNPIVOT" not in upper:
        _foreign(following, text, "an alias stands in back-ticks or alone")
    if kind == TokenType.INTERVAL and following.token_type == TokenType.STRING and not _is_unit(last):
        _foreign(following, text, "write INTERVAL '1' DAY")
    if kind == TokenType.NUMBER and following.token_type == TokenType.VAR and following.start == tokens[0].end + 1:
        _foreign(following, text, "write digits only, or a blank before an alias")
    if kind == TokenType.LIMIT and last is not None and last.token_type == TokenType.COMMA:
        _foreign(last, text, "write LIMIT 10 OFFSET 5")


def _is_unit(token: Token | None) -> bool:
    return token is not None and token.text.upper() in UNITS


def _check_casts(tokens: Sequence[Token], text: str) -> None:
    """CAST(x AS type): the type is what follows the last AS of its parentheses."""
    for index in range(1, len(tokens)):
        if tokens[index].token_type == TokenType.L_PAREN and tokens[index - 1].text.upper() in ("CAST", "SAFE_CAST"):
            for part in _type_of_cast(tokens, index):
                if part.text.upper() in TYPES and part.token_type != TokenType.STRING:
                    _foreign(part, text, f"write {TYPES[part.text.upper()]}")


def _type_of_cast(tokens: Sequence[Token], start: int) -> Sequence[Token]:
    depth, alias = 0, len(tokens)
    for index in range(start, len(tokens)):
        depth += (tokens[index].token_type == TokenType.L_PAREN) - (tokens[index].token_type == TokenType.R_PAREN)
        if depth == 1 and tokens[index].token_type == TokenType.ALIAS:
            alias = index
        if depth == 0:
            return tokens[alias + 1 : index]
    return ()


def _foreign(token: Token, text: str, hint: str) -> None:
    raise SqlError(
        f"syntax error: {text[token.start : token.end + 1]} is not GoogleSQL",
        hint=hint,
        place=place_at(text, token.start, token.end),
    )

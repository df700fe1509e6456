"""A script's SQL as HTML: its words in colours, and a link at each table that it names."""

import re
from collections.abc import Callable, Iterable, Iterator

from markupsafe import Markup, escape
from pygments.lexers.sql import GoogleSqlLexer
from pygments.token import Comment, Keyword, Literal, Name, Number, String, _TokenType, is_token_subtype

_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "comment"),
    (String, "text"),
    (Number, "number"),
    (Literal, "number"),
    (Keyword, "keyword"),
    (Name.Builtin, "function"),
    (Name.Function, "function"),
)


def highlighted(sql: str, tables: Iterable[str], link: Callable[[str], str]) -> Markup:
    """The SQL with a `<span>` around each word that has a colour, and an `<a>` around each name of `tables`, such as
    `tmp.variants`; `link` is the address of a table's page."""
    names = dict(_names(sql, tables))
    pieces: list[str] = []
    open_until = 0
    for start, kind, text in GoogleSqlLexer(stripnl=False, ensurenl=False).get_tokens_unprocessed(sql):
        while text:
            if start >= open_until and start in names and not _is_text(kind):
                end, table = names[start]
                pieces.append(f'<a href="{escape(link(table))}">{escape(sql[start:end])}</a>')
                open_until = end
            step = _step(start, text, names, open_until)
            if start >= open_until:
                is_field = sql[max(start - 1, 0)] == "."  # no keyword: `variants.name`
                pieces.append(_coloured(Name if is_field else kind, text[:step]))
            start, text = start + step, text[step:]
    return Markup("".join(pieces))  # noqa: S704 (each piece is escaped)


def _is_text(kind: _TokenType) -> bool:
    return is_token_subtype(kind, Comment) or is_token_subtype(kind, String)


def _step(start: int, text: str, names: dict[int, tuple[int, str]], open_until: int) -> int:
    """How many characters of a token belong together: up to the end of the link or to the next link."""
    if start < open_until:
        return min(len(text), open_until - start)
    following = [place - start for place in names if start < place < start + len(text)]
    return min(following, default=len(text))


def _coloured(kind: _TokenType, text: str) -> str:
    found = next((name for group, name in _CLASSES if is_token_subtype(kind, group)), "")
    return f'<span class="{found}">{escape(text)}</span>' if found else str(escape(text))


def _names(sql: str, tables: Iterable[str]) -> Iterator[tuple[int, tuple[int, str]]]:
    """Where each table is named: the start, the end, and the table."""
    for table in tables:
        parts = r"`?\s*\.\s*`?".join(map(re.escape, table.split(".")))
        for found in re.finditer(rf"(?<![\w.`])`?{parts}`?(?![\w`])", sql):
            yield found.start(), (found.end(), table)

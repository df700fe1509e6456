"""What is wrong with a text that cannot be read as SQL, in words for people."""

import re

from sqlglot.errors import ParseError

from warehouse.errors import Place, SqlError, place_at
from warehouse.suggest import did_you_mean

_TOO_MANY = re.compile(r"number of provided arguments \((\d+)\) is greater than .* \((\d+)\)")
_WORDS = [
    *("SELECT", "DISTINCT", "FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER", "LIMIT", "UNION", "EXCEPT", "WITH"),
    *("INNER", "LEFT", "RIGHT", "FULL", "CROSS", "JOIN", "USING", "UNNEST", "OFFSET", "PARTITION", "OVER", "BETWEEN"),
    *("CASE", "WHEN", "THEN", "ELSE", "INTERVAL", "ARRAY", "STRUCT", "INT64", "INTEGER", "FLOAT64", "NUMERIC", "BOOL"),
    *("STRING", "BYTES", "DATE", "DATETIME", "TIME", "TIMESTAMP", "JSON"),
]
_QUOTED = re.compile(
    r"""
    --[^\n]* | \#[^\n]* | /\*.*?\*/ | `[^`\n]*`
    | \"{3}(?:\\.|.)*?\"{3} | '{3}(?:\\.|.)*?'{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    | (?P<opened>/\*|`|\"{3}|'{3}|"|')
    """,
    re.VERBOSE | re.DOTALL,
)
"""What must be closed: comments, names and strings; `opened` where one is not."""


def unclosed_error(text: str) -> SqlError:
    """The error for a text that ends inside a string, a name or a comment."""
    opened = next((match for match in _QUOTED.finditer(text) if match["opened"]), None)
    if opened is None:
        return SqlError("the SQL cannot be read", hint="is a quote, a back-tick or a comment left open?")
    mark = opened["opened"]
    return SqlError(
        f"the SQL cannot be read: {mark} is left open",
        hint=f"write {'*/' if mark == '/*' else mark} where it ends",
        place=place_at(text, opened.start(), opened.end() - 1),
    )


def syntax_error(text: str, error: ParseError) -> SqlError:
    """The error for a text that sqlglot cannot parse."""
    detail = error.errors[0] if error.errors else {}
    highlight = detail.get("highlight") or " "
    place = Place(detail.get("line") or 1, max(1, (detail.get("col") or 1) - len(highlight) + 1), len(highlight))
    reason = f"syntax error at {highlight!r}: {_in_words(detail.get('description') or '')}"
    return SqlError(reason, hint=_hint(text, place), place=place)


def _in_words(description: str) -> str:
    """What sqlglot says is wrong, without its classes' names."""
    if many := _TOO_MANY.search(description):
        return f"{many.group(1)} arguments for a function that takes at most {many.group(2)}"
    if description.startswith("Required keyword"):
        return "something is missing before it"
    return "this is not expected here" if description.startswith("Invalid expression") else description


def _hint(text: str, place: Place) -> str:
    """A misspelt keyword or type at `place` or just before it, as far as one can be told."""
    lines = text.split("\n")
    before = "\n".join([*lines[: place.line - 1], lines[place.line - 1][: place.column - 1 + place.length]])
    for word in reversed(re.findall(r"\w+", before)[-3:]):
        hint = did_you_mean(word, _WORDS)
        if hint and word.upper() not in _WORDS:
            return hint
    return "look just before it: is a comma, a parenthesis or a word missing or too many?"

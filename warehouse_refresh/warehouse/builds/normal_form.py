"""SQL texts in a form that stays the same when only comments and layout change.

https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical
"""

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"""
      \s++ | (?:--|\#)[^\n]*+ | /\*.*?\*/                  # what is left out
    | ( (?=[rRbB"'])                                       # most words begin otherwise: a fifth of the time
        (?:[rR]?[bB]?|[bB][rR])(?: \"{3}.*?(?<!\\)(?:\\\\)*+\"{3} | '{3}.*?(?<!\\)(?:\\\\)*+'{3}
                                 | "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' )
      | `(?:[^`\\]|\\.)*+`
      | @{0,2}\w++
      | <<|>>|<=|>=|<>|!=|=>|->|\|\||\|>|\|{1,2}
      | .
      )
    """,
    re.DOTALL | re.VERBOSE,
)
_MAY_DIFFER = re.compile(
    r"(?:^|\n)(CURRENT_(?:DATE|DATETIME|TIME|TIMESTAMP)|RAND|GENERATE_UUID|SESSION_USER|TABLESAMPLE|SYSTEM_TIME"
    r"|INFORMATION_SCHEMA|EXTERNAL_QUERY|@@\w+|(?:ML|AI|KEYS)(?=\n\.\n))(?:\n|$)",
    re.IGNORECASE,
)
_WORDS = (
    *("CURRENT_", "RAND", "GENERATE_UUID", "SESSION_USER", "TABLESAMPLE", "SYSTEM_TIME", "INFORMATION_SCHEMA"),
    *("EXTERNAL_QUERY", "@@", "ML\n.\n", "AI\n.\n", "KEYS\n.\n"),
)
"""Parts of what `_MAY_DIFFER` finds, in capitals: a text without any of them has none."""


@lru_cache(maxsize=10_000)
def normal_form(text: str) -> str:
    """The tokens of a text, one on a line. Texts with the same form mean the same."""
    return "\n".join(filter(None, _TOKEN.findall(text)))


def what_may_differ(text: str) -> str:
    """The first word of a text, in its normal form, that may have another value each time: of the clock, of chance or
    of what no table has; "" if there is none."""
    upper = text.upper()
    if not any(word in upper for word in _WORDS):  # a tenth of the time of the search
        return ""
    found = _MAY_DIFFER.search(text)
    return found[1].upper() if found else ""

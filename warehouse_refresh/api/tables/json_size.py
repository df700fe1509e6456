"""Count the values in a JSON text before it is parsed: a text of 3 MB can become 300 MB of Python objects."""

import re
from dataclasses import dataclass

MAX_VALUES = 1_000_000
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
QUOTE, COMMA = b'",'
OPENING, CLOSING = frozenset(b"[{"), frozenset(b"]}")


@dataclass(frozen=True, slots=True)
class Size:
    """`elements` of the outermost array, and `values` at all depths. Counting stops at a limit: then a number only says
    that the limit is exceeded, not by how much."""

    elements: int
    values: int


def size_within(text: bytes, max_elements: int, max_values: int) -> Size:
    """The text's size, or the point at which it first passes a limit. It may be an upper bound if that is within the
    limits: counting four characters is quicker than reading the text."""
    objects, values = text.count(b"{"), most_values(text)
    if objects <= max_elements and values <= max_values:
        return Size(objects, values)
    return _read(text, max_elements, max_values)


def most_values(text: bytes) -> int:
    """An upper bound of the number of values: each one is the first, or follows a bracket or a comma."""
    return 1 + text.count(b"{") + text.count(b"[") + text.count(b",")


def _read(text: bytes, max_elements: int, max_values: int) -> Size:
    depth, elements, values = 0, 1, 1
    for token in TOKEN.finditer(text):
        sign = text[token.start()]
        if sign == QUOTE:
            continue
        if sign in CLOSING:
            depth -= 1
            continue
        values += 1
        if sign == COMMA:
            elements += depth == 1
        else:
            depth += 1
        if elements > max_elements or values > max_values:
            break
    return Size(elements, values)

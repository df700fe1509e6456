"""How much a JSON text holds, found before anything is made of it: a text of 3 MB can become 300 MB of values."""

import re
from dataclasses import dataclass

MAX_VALUES = 1_000_000
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
QUOTE, COMMA = b'",'
OPENING, CLOSING = frozenset(b"[{"), frozenset(b"]}")


@dataclass(frozen=True, slots=True)
class Size:
    """Elements of the array that the text is, and values at all depths; both are looked at only as far as the limits:
    what is beyond one is more than it, not how much more."""

    elements: int
    values: int


def size_within(text: bytes, max_elements: int, max_values: int) -> Size:
    """The text's size, or the point at which it first passes a limit. An upper bound if that is within the limits:
    then nobody needs the numbers, and four counts of bytes are quicker than reading."""
    objects, values = text.count(b"{"), most_values(text)
    if objects <= max_elements and values <= max_values:
        return Size(objects, values)
    return _read(text, max_elements, max_values)


def most_values(text: bytes) -> int:
    """As many values as the text can hold: each begins it, or comes after a bracket or a comma."""
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

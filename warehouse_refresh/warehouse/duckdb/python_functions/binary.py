"""Functions and operators of BYTES, most of which DuckDB has for texts only.

https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions
"""

import re
from base64 import b32decode, b32encode
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from itertools import islice
from typing import Any

from warehouse_refresh.warehouse.duckdb.python_functions import Refusal
from warehouse_refresh.warehouse.duckdb.python_functions.patterns import compiled

MOST_BYTES = 1 << 20
"""How long a value may be that a function makes longer, as in BigQuery."""


def _strict(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; NULL where an argument is NULL."""

    @wraps(function)
    def called(*values: Any) -> Any:
        return None if None in values else function(*values)

    return called


def _by_bits(operator: Callable[[int, int], int]) -> Callable[[bytes, bytes], bytes]:
    """An operator of two values of one length, byte by byte."""

    def combined(one: bytes, other: bytes) -> bytes:
        if len(one) != len(other):
            raise ValueError("Bitwise binary operator for BYTES requires equal length of the inputs")
        return bytes(map(operator, one, other))

    return combined


def bit_not(data: bytes) -> bytes:
    """~data"""
    return bytes(255 - byte for byte in data)


def shift(data: bytes, bits: int) -> bytes:
    """data << bits, of the same length; to the right for a negative number."""
    if abs(bits) >= 8 * len(data):
        return bytes(len(data))
    number = int.from_bytes(data, "big")
    moved = number << bits if bits > 0 else number >> -bits
    return (moved % (1 << 8 * len(data))).to_bytes(len(data), "big")


def shift_left(data: bytes, bits: int) -> bytes:
    """data << bits"""
    if bits < 0:
        raise ValueError("Bitwise shift by negative offset.")
    return shift(data, bits)


def shift_right(data: bytes, bits: int) -> bytes:
    """data >> bits"""
    if bits < 0:
        raise ValueError("Bitwise shift by negative offset.")
    return shift(data, -bits)


def bit_count(data: bytes) -> int:
    """BIT_COUNT(data)"""
    return int.from_bytes(data, "big").bit_count()


def substr(data: bytes, position: int, length: int | None = None) -> bytes:
    """SUBSTR(data, position [, length]): positions from 1, below 0 from the end"""
    if length is not None and length < 0:
        raise ValueError("Third argument in SUBSTR() cannot be negative")
    start = position - 1 if position > 0 else max(len(data) + position, 0) if position < 0 else 0
    if position < -len(data):
        start = 0
    return data[start:] if length is None else data[start : start + length]


def left(data: bytes, length: int) -> bytes:
    """LEFT(data, length)"""
    if length < 0:
        raise ValueError("Second argument in LEFT() cannot be negative")
    return data[:length]


def right(data: bytes, length: int) -> bytes:
    """RIGHT(data, length)"""
    if length < 0:
        raise ValueError("Second argument in RIGHT() cannot be negative")
    return data[max(len(data) - length, 0) :]


def _padding(data: bytes, length: int, pattern: bytes) -> bytes:
    if length < 0:
        raise ValueError("Second argument (output size) for LPAD/RPAD cannot be negative")
    if not pattern:
        raise ValueError("Third argument (pad pattern) for LPAD/RPAD cannot be empty")
    if length > MOST_BYTES:
        raise ValueError("Output of LPAD/RPAD exceeds max allowed output size of 1MB")
    missing = max(length - len(data), 0)
    return (pattern * (missing // len(pattern) + 1))[:missing]


def lpad(data: bytes, length: int, pattern: bytes = b" ") -> bytes:
    """LPAD(data, length [, pattern])"""
    return (_padding(data, length, pattern) + data[:length])[:length]


def rpad(data: bytes, length: int, pattern: bytes = b" ") -> bytes:
    """RPAD(data, length [, pattern])"""
    return (data + _padding(data, length, pattern))[:length]


def repeat(data: bytes, times: int) -> bytes:
    """REPEAT(data, times)"""
    if times < 0:
        raise ValueError("Second argument (repeat count) for REPEAT cannot be negative")
    if len(data) * times > MOST_BYTES:
        raise ValueError("Output of REPEAT exceeds max allowed output size of 1MB")
    return data * min(times, MOST_BYTES)


def trim(data: bytes, characters: bytes) -> bytes:
    """TRIM(data, characters)"""
    return data.strip(characters)


def ltrim(data: bytes, characters: bytes) -> bytes:
    """LTRIM(data, characters)"""
    return data.lstrip(characters)


def rtrim(data: bytes, characters: bytes) -> bytes:
    """RTRIM(data, characters)"""
    return data.rstrip(characters)


def replace(data: bytes, old: bytes, new: bytes) -> bytes:
    """REPLACE(data, old, new)"""
    found = data.replace(old, new) if old else data
    if len(found) > MOST_BYTES:
        raise ValueError("REPLACE: output size exceeds max allowed output size of 1MB")
    return found


def split(data: bytes, delimiter: bytes) -> list[bytes]:
    """SPLIT(data, delimiter): each byte for an empty delimiter"""
    if delimiter:
        return data.split(delimiter)
    return [data[index : index + 1] for index in range(len(data))] or [b""]


def instr(data: bytes, sought: bytes, position: int, occurrence: int) -> int:
    """INSTR(data, sought, position, occurrence): 0 for none; backwards from a negative position"""
    if position == 0:
        raise ValueError("INSTR: the position must not be 0")
    if occurrence < 1:
        raise ValueError("INSTR: the occurrence must be above 0")
    starts = range(position - 1, len(data) + 1) if position > 0 else range(len(data) + position + (not sought), -1, -1)
    found = (start + 1 for start in starts if data.startswith(sought, start))
    return next(islice(found, occurrence - 1, None), 0)


def strpos(data: bytes, sought: bytes) -> int:
    """STRPOS(data, sought)"""
    return data.find(sought) + 1


def translate(data: bytes, source: bytes, target: bytes) -> bytes:
    """TRANSLATE(data, source, target): what has no counterpart in the target is left out"""
    if len(set(source)) < len(source):
        raise ValueError("TRANSLATE: a byte stands twice in the source bytes")
    length = min(len(source), len(target))
    return data.translate(bytes.maketrans(source[:length], target[:length]), source[length:])


def like(data: bytes, pattern: bytes) -> bool:
    """data LIKE pattern"""
    return _like_pattern(pattern).fullmatch(data) is not None


@lru_cache(1000)
def _like_pattern(pattern: bytes) -> re.Pattern[bytes]:
    if (len(pattern) - len(pattern.rstrip(b"\\"))) % 2:
        raise ValueError("LIKE pattern ends with a backslash")
    signs = {b"%": b".*", b"_": b"."}
    parts = re.findall(rb"\\.|.", pattern, re.DOTALL)
    return re.compile(b"".join(signs.get(part) or re.escape(part[-1:]) for part in parts), re.DOTALL)


def to_text(data: bytes) -> str:
    """SAFE_CONVERT_BYTES_TO_STRING(data): U+FFFD for each byte that is not part of a character"""
    found, place = [], 0
    while place < len(data):
        size = next((n for n in (1, 2, 3, 4) if _is_text(data[place : place + n])), 0)
        found.append(data[place : place + size].decode() if size else "\ufffd")
        place += size or 1
    return "".join(found)


def _is_text(data: bytes) -> bool:
    try:
        return bool(data.decode())
    except UnicodeDecodeError:
        return False


def regexp_replace(data: bytes, pattern: bytes, new: bytes) -> bytes:
    r"""REGEXP_REPLACE(data, pattern, new), in which \0 to \9 stand for groups"""
    found, groups = compiled(pattern), re.findall(rb"\\(.?)", new, re.DOTALL)
    for group in groups:
        if group != b"\\" and not (group.isdigit() and int(group) <= found.groups):
            raise ValueError("Invalid REGEXP_REPLACE pattern: there is no such group, or a single backslash")
    parts, place, end = list[bytes](), 0, -1
    while place <= len(data):
        match = found.search(data, place)
        if match is None:
            break
        parts.append(data[place : match.start()])
        if match.start() == match.end() == end:
            parts.append(data[match.end() : match.end() + 1])
            place = match.end() + 1
            continue
        parts.append(_rewritten(new, match))
        place = end = match.end()
    return b"".join(parts) + data[place:]


def _rewritten(new: bytes, match: Any) -> bytes:
    return re.sub(
        rb"\\(.)", lambda sign: b"\\" if sign[1] == b"\\" else match.group(int(sign[1])) or b"", new, flags=re.DOTALL
    )


def array_to_bytes(items: list[bytes | None], delimiter: bytes, null: bytes | None = None) -> bytes:
    """ARRAY_TO_STRING(items, delimiter [, null])"""
    texts = [null if item is None else item for item in items]
    return delimiter.join(text for text in texts if text is not None)


def to_base8(data: bytes) -> str:
    """Three bits a digit, from the right."""
    return f"{int.from_bytes(data, 'big'):0{-(-8 * len(data) // 3)}o}" if data else ""


def from_digits(text: str, bits: int) -> bytes:
    """The bytes of a number in digits of so many bits: as few as may have that many digits."""
    if not set(text) <= set("01234567"[: 1 << bits]):
        raise ValueError(f"Failed to decode invalid base{1 << bits} string")
    size = -(-(bits * len(text) - bits + 1) // 8)
    return (int(text, 1 << bits) % (1 << 8 * size)).to_bytes(size, "big") if text else b""


def from_base32(text: str) -> bytes:
    """FROM_BASE32(text). Raises Refusal for what TO_BASE32 does not write."""
    try:
        return b32decode(text)
    except ValueError as error:
        raise Refusal("the embedded engine cannot read this text in base 32: this needs BigQuery") from error


_ALL: Mapping[str, tuple[Callable[..., Any], str]] = {
    "and": (_by_bits(lambda one, other: one & other), "BLOB"),
    "or": (_by_bits(lambda one, other: one | other), "BLOB"),
    "xor": (_by_bits(lambda one, other: one ^ other), "BLOB"),
    "not": (bit_not, "BLOB"),
    "shift_left": (shift_left, "BLOB"),
    "shift_right": (shift_right, "BLOB"),
    "bit_count": (bit_count, "BIGINT"),
    "substr": (substr, "BLOB"),
    "left": (left, "BLOB"),
    "right": (right, "BLOB"),
    "lpad": (lpad, "BLOB"),
    "rpad": (rpad, "BLOB"),
    "repeat": (repeat, "BLOB"),
    "trim": (trim, "BLOB"),
    "ltrim": (ltrim, "BLOB"),
    "rtrim": (rtrim, "BLOB"),
    "replace": (replace, "BLOB"),
    "split": (split, "BLOB[]"),
    "instr": (instr, "BIGINT"),
    "strpos": (strpos, "BIGINT"),
    "starts_with": (bytes.startswith, "BOOLEAN"),
    "ends_with": (bytes.endswith, "BOOLEAN"),
    "upper": (bytes.upper, "BLOB"),
    "lower": (bytes.lower, "BLOB"),
    "translate": (translate, "BLOB"),
    "like": (like, "BOOLEAN"),
    "to_text": (to_text, "VARCHAR"),
    "regexp_replace": (regexp_replace, "BLOB"),
    "array_to_bytes": (array_to_bytes, "BLOB"),
    "to_base8": (to_base8, "VARCHAR"),
    "from_digits": (from_digits, "BLOB"),
    "to_base32": (lambda data: b32encode(data).decode(), "VARCHAR"),
    "from_base32": (from_base32, "BLOB"),
}
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {
    f"bytes_{name}": (_strict(function), kind) for name, (function, kind) in _ALL.items()
}

"""FORMAT: a value by one specifier, or several by a format that is known only as the query runs.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_string
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from warehouse_refresh.warehouse.duckdb.python_functions.documents import pretty
from warehouse_refresh.warehouse.sql.literals import BIGNUMERIC_SCALE

SPECIFIER = re.compile(r"%(?:(%)|([-+ 0#']*)(\*|\d*)(?:\.(\*|\d*))?(.))", re.DOTALL)
"""%%, or flags, a width, a precision and a letter."""
INTEGERS, FLOATS, TEXTS, DOCUMENTS = "dixXo", "fFeEgG", "stT", "pP"
MOST = 1 << 20
"""The longest text and the largest width, as in BigQuery."""
_WIDE = Context(prec=2000, rounding=ROUND_HALF_UP)


def formatted(flags: str, width: int | None, precision: int | None, letter: str, value: Any) -> str | None:
    """A value by a specifier: `width` is 0 and `precision` below 0 where there is none. A BIGNUMERIC is a text for a
    letter of FLOATS. NULL where one is NULL."""
    if width is None or precision is None or value is None:
        return None
    if width < 0:
        flags, width = f"{flags}-", -width
    if letter in INTEGERS:
        sign, body, zeros = _integer(flags, precision, letter, value)
    elif letter in FLOATS:
        sign, body, zeros = _number(flags, precision, letter, value)
    else:
        text = (pretty(value) or "") if letter == "P" else str(value)
        sign, body, zeros = "", text if precision < 0 else text[:precision], False
    found = _padded(flags, width, sign, body, zeros=zeros)
    if len(found.encode()) >= MOST:
        raise ValueError(f"Formatted values are limited to {MOST} bytes")
    return found


def _padded(flags: str, width: int, sign: str, body: str, *, zeros: bool) -> str:
    """The text with blanks around it, or zeros after its sign."""
    if width > MOST:
        raise ValueError(f"Output string too long while evaluating FORMAT; limit {MOST}")
    missing = width - len(sign) - len(body)
    if "-" in flags:
        return f"{sign}{body}".ljust(width)
    if zeros and "0" in flags and missing > 0:
        return f"{sign}{'0' * missing}{body}"
    return f"{sign}{body}".rjust(width)


def _sign(flags: str, *, negative: bool) -> str:
    return "-" if negative else "+" if "+" in flags else " " if " " in flags else ""


def _integer(flags: str, precision: int, letter: str, value: int) -> tuple[str, str, bool]:
    """The sign, the digits, and whether zeros may fill the width."""
    size = abs(value)
    digits = format(size, letter if letter in "xXo" else "d").zfill(max(precision, 0))
    if precision == 0 and size == 0 and letter in "di":
        digits = ""
    if "#" in flags and letter == "o" and (digits[0] != "0" or precision < 1):
        digits = f"0{digits}"
    if "'" in flags:
        digits = _grouped(digits, 3 if letter in "di" else 4, ":" if letter in "xX" else ",")
    prefix = f"0{letter}" if "#" in flags and letter in "xX" else ""
    return _sign(flags, negative=value < 0) + prefix, digits, precision < 0


def _grouped(digits: str, size: int, mark: str) -> str:
    first = len(digits) % size or size
    return mark.join([digits[:first], *(digits[at : at + size] for at in range(first, len(digits), size))])


def _number(flags: str, precision: int, letter: str, value: Any) -> tuple[str, str, bool]:
    """The sign, the digits, and whether zeros may fill the width."""
    if isinstance(value, str):
        value = Decimal(value).scaleb(-BIGNUMERIC_SCALE, _WIDE)
    negative = value < 0 or (isinstance(value, Decimal) and value.is_signed() and value != 0)
    sign = _sign(flags, negative=negative)
    if isinstance(value, float):
        body = f"%{'#' if '#' in flags else ''}.{6 if precision < 0 else precision}{letter}" % abs(value)
        if not math.isfinite(value):
            return sign, body, False
    else:
        body = _decimal(value.copy_abs(), 6 if precision < 0 else precision, letter.lower(), full="#" in flags)
        body = body.upper() if letter.isupper() else body
    if "'" in flags and "e" not in body.lower():
        whole, point, fraction = body.partition(".")
        body = f"{_grouped(whole, 3, ',')}{point}{fraction}"
    return sign, body, True


def _decimal(value: Decimal, precision: int, letter: str, *, full: bool) -> str:
    """A number that is not negative as C's printf writes it, but with halves away from zero. `full` keeps the point,
    and zeros at the end."""
    if letter == "f":
        return _fixed(value, precision, full=full)
    if letter == "e":
        return _scientific(value, precision, full=full)
    most = max(precision, 1)
    exponent = int(_scientific(value, most - 1, full=False).partition("e")[2])
    if -4 <= exponent < most:
        body, power = _fixed(value, most - 1 - exponent, full=full), ""
    else:
        body, mark, power = _scientific(value, most - 1, full=full).partition("e")
        power = mark + power
    if "." in body and not full:
        body = body.rstrip("0").rstrip(".")
    return body + power


def _fixed(value: Decimal, precision: int, *, full: bool) -> str:
    text = f"{value.quantize(Decimal(1).scaleb(-precision), context=_WIDE):f}"
    return f"{text}." if full and precision == 0 else text


def _scientific(value: Decimal, precision: int, *, full: bool) -> str:
    exponent = value.adjusted() if value else 0
    digits = value.scaleb(-exponent, _WIDE).quantize(Decimal(1).scaleb(-precision), context=_WIDE)
    if digits >= 10:
        exponent, digits = exponent + 1, digits.scaleb(-1, _WIDE).quantize(Decimal(1).scaleb(-precision), context=_WIDE)
    return f"{_fixed(digits, precision, full=full)}e{exponent:+03d}"


def format_all(text: str | None, kinds: str, *values: Any) -> str | None:
    """FORMAT(text, value, …): of each value itself, its text by %t and its text by %T. `kinds` has a letter for the
    type of each: i, f, s, j, or o for any other."""
    if text is None:
        return None
    found, position, at = "", 0, 0
    for match in SPECIFIER.finditer(text):
        found += text[position : match.start()] + (match[1] or "")
        position = match.end()
        if match[1] is None:
            piece, at = _by_specifier(text, match, kinds, values, at)
            if piece is None:
                return None
            found += piece
    rest = text[position:]
    if "%" in rest:
        raise ValueError(f'Invalid FORMAT string: "{text}"')
    if at < len(kinds):
        raise ValueError(f'Too many arguments to FORMAT for pattern "{text}"; Expected {at + 1}; Got {len(kinds) + 1}')
    return found + rest


def _by_specifier(
    text: str, match: re.Match[str], kinds: str, values: Sequence[Any], at: int
) -> tuple[str | None, int]:
    """A value by a specifier, and where the next one is."""
    numbers = []
    for written, absent in ((match[3], 0), (match[4], -1)):
        if written == "*":
            _check(text, "d", kinds, at)
            numbers.append(values[at * 3])
            at += 1
        else:
            numbers.append(int(written or 0) if written is not None and (written or absent < 0) else absent)
    letter = match[5]
    _check(text, letter, kinds, at)
    value = values[at * 3 + {"t": 1, "T": 2}.get(letter, 0)]
    return formatted(match[2], numbers[0], numbers[1], letter, value), at + 1


EXPECTED = {"i": "integer", "f": "FLOAT64", "s": "STRING", "j": "PROTO or JSON"}
_WANTED = {**dict.fromkeys(INTEGERS, "i"), **dict.fromkeys(FLOATS, "f"), "s": "s", **dict.fromkeys(DOCUMENTS, "j")}


def _check(text: str, letter: str, kinds: str, at: int) -> None:
    """Raises ValueError for a letter that there is not, a value that is missing or of another type."""
    if letter not in _WANTED and letter not in "tT":
        raise ValueError(f'Invalid format specifier character "{letter}" in FORMAT string: "{text}"')
    if at >= len(kinds):
        raise ValueError(f'Too few arguments to FORMAT for pattern "{text}"; Got {len(kinds) + 1}')
    wanted = _WANTED.get(letter, kinds[at])
    if kinds[at] != wanted:
        raise ValueError(f"Invalid type for argument {at + 2} to FORMAT; Expected {EXPECTED[wanted]}")


# Values as SQL


_ODD = re.compile(r"[\x00-\x1f\x7f\\]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def string_literal(text: str | None) -> str | None:
    """A STRING as SQL, by %T."""
    if text is None:
        return None
    return _quoted(_ODD.sub(lambda found: _SHORT.get(found[0], f"\\x{ord(found[0]):02x}"), text))


def _quoted(text: str) -> str:
    if '"' in text and "'" not in text:
        return f"'{text}'"
    escaped = text.replace('"', '\\"')
    return f'"{escaped}"'


def bytes_literal(data: bytes | None) -> str | None:
    """BYTES as SQL, by %T."""
    return None if data is None else f"b{_quoted(''.join([_byte(byte, '') for byte in data]))}"


def bytes_text(data: bytes | None) -> str | None:
    """BYTES as people read them, by %t."""
    return None if data is None else "".join([_byte(byte, "\"'`") for byte in data])


def _byte(byte: int, escaped: str) -> str:
    char = chr(byte)
    if char in escaped or char == "\\":
        return f"\\{char}"
    return char if 32 <= byte < 127 else f"\\x{byte:02x}"


def with_exponent(text: str | None, decimals: int | None) -> str | None:
    """A number without its sign, with an exponent of at least two digits."""
    if text is None or decimals is None:
        return None
    number = Context(prec=decimals + 1, rounding=ROUND_HALF_UP).plus(abs(Decimal(text)))
    digits, exponent = f"{number:.{decimals}E}".split("E") if number else (f"{0:.{decimals}f}", "+0")
    return f"{digits}E{exponent[0]}{exponent[1:].zfill(2)}"


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "format": (formatted, "VARCHAR"),
    "format_all": (format_all, "VARCHAR"),
    "with_exponent": (with_exponent, "VARCHAR"),
    "string_literal": (string_literal, "VARCHAR"),
    "bytes_literal": (bytes_literal, "VARCHAR"),
    "bytes_text": (bytes_text, "VARCHAR"),
}

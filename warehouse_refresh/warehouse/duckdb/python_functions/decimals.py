"""Numbers of NUMERIC and BIGNUMERIC, where DuckDB's own arithmetic is not exact or has no such function.

DuckDB holds a BIGNUMERIC as a BIGNUM: how many units of 1e-38 it has, which Python gets and gives as text.

https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types
https://cloud.google.com/bigquery/docs/reference/standard-sql/mathematical_functions
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from functools import partial
from typing import Any

from warehouse_refresh.warehouse.duckdb.python_functions import Refusal
from warehouse_refresh.warehouse.duckdb.python_functions.documents import float_text
from warehouse_refresh.warehouse.sql.literals import (
    BIGNUMERIC_SCALE,
    LEAST_BIGNUMERIC,
    MOST_BIGNUMERIC,
    NUMERIC_SCALE,
    read_bignumeric,
    text_of_units,
)

_ONE: int = 10**BIGNUMERIC_SCALE
_MOST_NUMERIC: int = 10 ** (29 + NUMERIC_SCALE) - 1
_DIGITS = 200
"""Enough digits to round a function's value to the last one of a BIGNUMERIC."""


def _halves_away(top: int, bottom: int) -> int:
    """The quotient rounded to a whole number, halves away from zero."""
    found = (2 * abs(top) + abs(bottom)) // (2 * abs(bottom))
    return found if (top < 0) == (bottom < 0) else -found


def _cut(top: int, bottom: int) -> int:
    """The quotient without what is after the point."""
    found = abs(top) // abs(bottom)
    return found if (top < 0) == (bottom < 0) else -found


# Units of BIGNUMERIC


def _bounded(units: int, what: Callable[[], str]) -> str:
    if not LEAST_BIGNUMERIC <= units <= MOST_BIGNUMERIC:
        raise ValueError(f"BIGNUMERIC overflow: {what()}")
    return str(units)


def _product(a: int, b: int) -> str:
    return _bounded(_halves_away(a * b, _ONE), lambda: f"{text_of_units(a)} * {text_of_units(b)}")


def _quotient(a: int, b: int) -> str:
    if b == 0:
        raise ValueError(f"division by zero: {text_of_units(a)} / 0")
    return _bounded(_halves_away(a * _ONE, b), lambda: f"{text_of_units(a)} / {text_of_units(b)}")


def _whole_quotient(a: int, b: int) -> str:
    if b == 0:
        raise ValueError(f"division by zero: DIV({text_of_units(a)}, 0)")
    return _bounded(_cut(a, b) * _ONE, lambda: f"DIV({text_of_units(a)}, {text_of_units(b)})")


def _remainder(a: int, b: int) -> str:
    if b == 0:
        raise ValueError(f"division by zero: MOD({text_of_units(a)}, 0)")
    return str(a - _cut(a, b) * b)


def _ceiling(a: int) -> str:
    return _bounded(-(-a // _ONE) * _ONE, lambda: f"CEIL({text_of_units(a)})")


def _floor(a: int) -> str:
    return _bounded(a // _ONE * _ONE, lambda: f"FLOOR({text_of_units(a)})")


def _rounded(name: str, scale: int, units: int, digits: int, mode: str = "ROUND_HALF_AWAY_FROM_ZERO") -> int:
    """ROUND or TRUNC of a number of so many units after the point."""
    if digits >= scale:
        return units
    size: int = 10 ** min(scale - digits, 100)
    if name == "TRUNC":
        return _cut(units, size) * size
    found = _halves_away(units, size)
    if mode == "ROUND_HALF_EVEN" and abs(units) % size * 2 == size and found % 2:
        found -= 1 if units > 0 else -1
    return found * size


def _big_rounded(name: str, a: int, digits: int, *mode: str) -> str:
    found = _rounded(name, BIGNUMERIC_SCALE, a, digits, *mode)
    return _bounded(found, lambda: f"{name}({text_of_units(a)}, {digits})")


def _mean(total: int, rows: int) -> str | None:
    return str(_halves_away(total, rows)) if rows else None


def _to_float(a: int) -> float:
    return a / _ONE


def _to_integer(a: int) -> int:
    found = _halves_away(a, _ONE)
    if not -(2**63) <= found < 2**63:
        raise ValueError(f"int64 out of range: {text_of_units(a)}")
    return found


def _to_numeric(a: int) -> Decimal:
    found = _halves_away(a, 10 ** (BIGNUMERIC_SCALE - NUMERIC_SCALE))
    if abs(found) > _MOST_NUMERIC:
        raise ValueError(f"numeric out of range: {text_of_units(a)}")
    return _numeric(found)


def _to_json(units: int, one: int, text: str, *, wide: bool) -> str:
    """The text of a number in a document: a string where it is `wide` and a double does not hold it."""
    number = units / one
    if units % one == 0 and -(2**63) * one <= units < 2**64 * one:
        return f'"{text}"' if wide and abs(units) > 2**53 * one else text
    if wide and Fraction(repr(number)) != Fraction(units, one):
        return f'"{text}"'
    return float_text(number)


def bignumeric_to_json(a: str | None, wide: bool | None) -> str | None:
    """A BIGNUMERIC in a document: with NULL for `wide` as TO_JSON_STRING has it: a string where it is not whole."""
    if a is None:
        return None
    units = int(a)
    text = text_of_units(units)
    if wide is None:
        return text if units % _ONE == 0 and abs(units) <= 2**53 * _ONE else f'"{text}"'
    return _to_json(units, _ONE, text, wide=wide)


def numeric_to_json(value: Decimal | None, wide: bool) -> str | None:
    """A NUMERIC in a document."""
    if value is None:
        return None
    return _to_json(int(value.scaleb(NUMERIC_SCALE, _CONTEXT)), 10**NUMERIC_SCALE, _plain(value), wide=wide)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# What makes BIGNUMERIC of other types


def _of_text(text: str) -> str:
    found = read_bignumeric(text) if _WRITTEN.fullmatch(text) else None
    if found is None:
        raise ValueError(f"Invalid BIGNUMERIC value: {text}")
    return str(found)


_WRITTEN = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)


def _of_float(value: float) -> str:
    try:
        top, bottom = value.as_integer_ratio()
    except (OverflowError, ValueError) as error:
        raise ValueError(f"Illegal conversion of non-finite floating point number to BIGNUMERIC: {value}") from error
    found = _halves_away(top * _ONE, bottom)
    if not LEAST_BIGNUMERIC <= found <= MOST_BIGNUMERIC:
        raise ValueError(f"BIGNUMERIC out of range: {value!r}")
    return str(found)


_NUMBER = r"(?:[\d,]*\d[\d,]*\.?\d*|,*\.\d+)(?:[eE][+-]?\d+)?"
_PARSED = re.compile(rf"\s*(?:([+-]?)\s*({_NUMBER})|({_NUMBER})\s*([+-]))\s*", re.ASCII)


def _parsed(text: str) -> str:
    """PARSE_BIGNUMERIC(text): a sign before or after the number, blanks around it, commas anywhere before the point."""
    match = _PARSED.fullmatch(text)
    found = None
    if match:
        sign, number = match[1] or match[4] or "", match[2] or match[3]
        found = read_bignumeric(sign + number.replace(",", ""))
    if found is None:
        raise ValueError(f'Invalid input to PARSE_BIGNUMERIC: "{text}"')
    return str(found)


# Functions whose values have no end of digits


def _square_root(x: Decimal) -> Decimal:
    if x < 0:
        raise ValueError(f"SQRT is undefined for negative value: SQRT({_plain(x)})")
    return x.sqrt()


def _cube_root(x: Decimal) -> Decimal:
    if not x:
        return x
    size = abs(x)
    found = (size.ln() / 3).exp()
    with localcontext(prec=_DIGITS // 2):  # a root of few digits comes out as such
        near = +found
    return (near if near**3 == size else found).copy_sign(x)


def _power_of_e(x: Decimal) -> Decimal:
    return x.exp() if x < 200 else Decimal("Infinity")


def _logarithm(name: str, x: Decimal) -> Decimal:
    if x <= 0:
        raise ValueError(f"{name} is undefined for zero or negative value: {name}({_plain(x)})")
    return x.log10() if name == "LOG10" else x.ln()


def _logarithm_to(x: Decimal, base: Decimal) -> Decimal:
    if x <= 0 or base <= 0 or base == 1:
        what = f"LOG({_plain(x)}, {_plain(base)})"
        raise ValueError(f"LOG is undefined for zero or negative value, or when base equals 1: {what}")
    return x.ln() / base.ln()


def _power(x: Decimal, exponent: Decimal) -> Decimal:
    what = f"POW({_plain(x)}, {_plain(exponent)})"
    if not x or not exponent:
        if exponent < 0:
            raise ValueError(f"division by zero: {what}")
        return Decimal(0 if exponent else 1)
    is_whole = exponent == exponent.to_integral_value()
    if x < 0 and not is_whole:
        raise ValueError(f"Negative NUMERIC value cannot be raised to a fractional power: {what}")
    size = abs(x)
    found = _raised(size, exponent)
    return -found if x < 0 and is_whole and exponent % 2 else found


def _raised(size: Decimal, exponent: Decimal) -> Decimal:
    digits = size.log10() * exponent
    return Decimal("Infinity") if digits > 50 else Decimal(0) if digits < -50 else size**exponent


_FUNCTIONS: Mapping[str, tuple[Callable[..., Decimal], int]] = {
    "sqrt": (_square_root, 1),
    "cbrt": (_cube_root, 1),
    "exp": (_power_of_e, 1),
    "ln": (partial(_logarithm, "LN"), 1),
    "log10": (partial(_logarithm, "LOG10"), 1),
    "log": (_logarithm_to, 2),
    "pow": (_power, 2),
}
_CONTEXT = Context(prec=_DIGITS, Emax=10**6, Emin=-(10**6), traps=[])


_GROWING = (_power_of_e, _power)
"""The functions of which GoogleSQL does not round large values exactly."""


def _units(function: Callable[..., Decimal], numbers: Sequence[Decimal], scale: int, most: int, error: Decimal) -> int:
    """The function's value in units of its last digit, halves away from zero. `most` bounds the units, and `error` is
    how far GoogleSQL's value may be from the exact one, as a part of it. Raises ValueError where the digit is in doubt.
    """
    with localcontext(_CONTEXT):
        value = function(*numbers)
        if not value.is_finite() or abs(value) > most:
            raise ValueError(f"{'numeric' if scale == NUMERIC_SCALE else 'BIGNUMERIC'} overflow")
        units = value.scaleb(scale)
        from_tie = abs(abs(units) % 1 - Decimal("0.5"))
        is_exact = function is _power and not any(number % 1 for number in numbers)
        if function in _GROWING and not is_exact and from_tie < abs(units) * error:
            raise Refusal("the embedded engine cannot tell the last digit of so large a number: this needs BigQuery")
        return int(units.to_integral_value(ROUND_HALF_UP))


def _of_numeric(function: Callable[..., Decimal], *values: Decimal | None) -> Decimal | None:
    """A function's value as a NUMERIC."""
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return None
    found = _units(function, numbers, NUMERIC_SCALE, 10**30, Decimal("1e-24"))
    if abs(found) > _MOST_NUMERIC:
        raise ValueError("numeric overflow")
    return _numeric(found)


def _of_bignumeric(function: Callable[..., Decimal], *values: str | None) -> str | None:
    """A function's value as a BIGNUMERIC."""
    numbers = [Decimal(int(value)).scaleb(-BIGNUMERIC_SCALE, _CONTEXT) for value in values if value is not None]
    if len(numbers) < len(values):
        return None
    return _bounded(_units(function, numbers, BIGNUMERIC_SCALE, 10**40, Decimal("1e-71")), lambda: "a function's value")


def _numeric(units: int) -> Decimal:
    return Decimal(units).scaleb(-NUMERIC_SCALE, _CONTEXT)


def numeric_round(value: Decimal | None, digits: int | None, *mode: str | None) -> Decimal | None:
    """ROUND(value, digits, mode)"""
    return _numeric_to_digits("ROUND", value, digits, *mode)


def numeric_trunc(value: Decimal | None, digits: int | None) -> Decimal | None:
    """TRUNC(value, digits)"""
    return _numeric_to_digits("TRUNC", value, digits)


def _numeric_to_digits(name: str, value: Decimal | None, digits: int | None, *mode: str | None) -> Decimal | None:
    if value is None or digits is None or None in mode:
        return None
    units = int(value.scaleb(NUMERIC_SCALE, _CONTEXT))
    found = _rounded(name, NUMERIC_SCALE, units, digits, *[text for text in mode if text])
    if abs(found) > _MOST_NUMERIC:
        raise ValueError(f"numeric overflow: {name}({_plain(value)}, {digits})")
    return _numeric(found)


def _float_to_digits(name: str, value: float | None, digits: int | None) -> str | None:
    """ROUND or TRUNC of a FLOAT64, by its digits written out in full."""
    if value is None or digits is None:
        return None
    if not math.isfinite(value) or (digits >= 0 and abs(value) >= 1e15) or digits > 330:
        return repr(value)
    rounding = ROUND_DOWN if name == "TRUNC" else ROUND_HALF_UP
    if digits < -308:
        return "0.0"
    found = float(Decimal(value).quantize(Decimal(1).scaleb(-digits), rounding, _LONG))
    if math.isinf(found):
        raise ValueError(f"Floating point overflow in function: {name}({value!r}, {digits})")
    return repr(found)


_LONG = Context(prec=800)


def _on_units(function: Callable[..., Any], kinds: str) -> Callable[..., Any]:
    """The function of BIGNUMERICs (b) and others (x), as DuckDB calls it: NULL where one is NULL."""

    def called(*values: Any) -> Any:
        if None in values:
            return None
        numbers = [int(value) if kind == "b" else value for value, kind in zip(values, kinds, strict=False)]
        return function(*numbers, *values[len(kinds) :])

    return called


_UNITS: Mapping[str, tuple[Callable[..., Any], str, str]] = {
    "multiply": (_product, "bb", "BIGNUM"),
    "divide": (_quotient, "bb", "BIGNUM"),
    "div": (_whole_quotient, "bb", "BIGNUM"),
    "mod": (_remainder, "bb", "BIGNUM"),
    "ceil": (_ceiling, "b", "BIGNUM"),
    "floor": (_floor, "b", "BIGNUM"),
    "round": (partial(_big_rounded, "ROUND"), "b", "BIGNUM"),
    "trunc": (partial(_big_rounded, "TRUNC"), "b", "BIGNUM"),
    "mean": (_mean, "b", "BIGNUM"),
    "to_string": (text_of_units, "b", "VARCHAR"),
    "to_float64": (_to_float, "b", "DOUBLE"),
    "to_int64": (_to_integer, "b", "BIGINT"),
    "to_numeric": (_to_numeric, "b", "DECIMAL(38,9)"),
    "of_string": (_of_text, "x", "BIGNUM"),
    "of_float64": (_of_float, "x", "BIGNUM"),
}


def float_cube_root(value: float | None) -> str | None:
    """CBRT of a FLOAT64: the nearest number, which C libraries miss by a last digit."""
    if value is None or value == 0 or not math.isfinite(value):
        return None if value is None else float_text(value)
    near = math.cbrt(value)
    around = (math.nextafter(near, -math.inf), near, math.nextafter(near, math.inf))
    return float_text(min(around, key=lambda root: abs(Fraction(root) ** 3 - Fraction(value))))


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "parse_bignumeric": (_on_units(_parsed, "x"), "BIGNUM"),
    "bignumeric_to_json": (bignumeric_to_json, "VARCHAR"),
    "numeric_to_json": (numeric_to_json, "VARCHAR"),
    "cbrt": (float_cube_root, "VARCHAR"),
    "float64_round": (partial(_float_to_digits, "ROUND"), "VARCHAR"),
    "float64_trunc": (partial(_float_to_digits, "TRUNC"), "VARCHAR"),
    "numeric_round": (numeric_round, "DECIMAL(38,9)"),
    "numeric_trunc": (numeric_trunc, "DECIMAL(38,9)"),
    **{f"bignumeric_{name}": (_on_units(call, kinds), kind) for name, (call, kinds, kind) in _UNITS.items()},
    **{f"numeric_{name}": (partial(_of_numeric, call), "DECIMAL(38,9)") for name, (call, _) in _FUNCTIONS.items()},
    **{f"bignumeric_{name}": (partial(_of_bignumeric, call), "BIGNUM") for name, (call, _) in _FUNCTIONS.items()},
}
CALLED_BY = {
    "multiply": "*",
    "divide": "/",
    **{name: "CAST" for name in _UNITS if name.startswith(("to_", "of_"))},
}
"""What calls a function of these names, where it is not a function of the same name."""

"""Random columns with lengths, precisions, arrays and structs, and values for them."""

import re
from collections.abc import Callable, Iterator
from random import Random

from warehouse_refresh.warehouse.sql.coercion import plain
from warehouse_refresh.warehouse.types import BIGNUMERIC, NUMERIC, Column, SqlType, array_of, struct_of

_WORDS = {
    "STRING": ("'abc'", "''", "'äöü'", "'日本語'", "'abcdef'", "'😀x'", "'it\\'s'", "'a\\nb'", "'{b}'"),
    "BYTES": ("b'abc'", "b''", "b'\\xff\\x00'", "b'abcdef'", "'abc'"),
    "INT64": ("1", "-9223372036854775808", "0"),
    "FLOAT64": ("1", "1.5", "-0.0", "NUMERIC '0.1'", "BIGNUMERIC '0.1'"),
    "BOOL": ("TRUE", "FALSE"),
    "DATE": ("'2024-02-29'", "DATE '0001-01-01'", "'2023-02-29'"),
    "TIME": ("'10:00:00'", "TIME '23:59:59.999999'", "'24:00:00'"),
    "DATETIME": ("'2024-02-29 10:00:00'", "DATE '2024-01-01'", "DATETIME '2024-01-01 00:00:00.5'"),
    "TIMESTAMP": ("'2024-02-29 10:00:00+02'", "TIMESTAMP '9999-12-31 23:59:59.999999+00'", "'2024-01-01'", "'x'"),
    "JSON": ("""JSON '{"a":1}'""", "JSON 'null'"),
}
_TYPED = re.compile(r"[A-Z] '|STRUCT<")
_SHORT_NUMBERS = ("0", "1", "-1", "99", "1000", "0.05", "-0.005", "1.005", "2.675", "9.995", "99.995", "1e3", "1e10")


def columns(seed: int, count: int) -> Iterator[tuple[SqlType, str]]:
    """So many types of columns, each with a value in GoogleSQL that may become one of them."""
    random = Random(seed)
    for _ in range(count):
        kind = _kind(random, 0)
        yield kind, _value(random, kind)


def _kind(random: Random, depth: int) -> SqlType:
    makers: list[Callable[[], SqlType]] = [
        lambda: SqlType(random.choice(("STRING", "BYTES")), (random.randint(1, 5),)),
        lambda: _number(random, NUMERIC, 29, 9),
        lambda: _number(random, BIGNUMERIC, 38, 38),
        lambda: SqlType(random.choice([*_WORDS, "NUMERIC", "BIGNUMERIC"])),
    ]
    if depth < 2:
        makers.append(lambda: struct_of(Column("a", _kind(random, depth + 1)), Column("b", _kind(random, depth + 1))))
    if depth == 0:
        makers.append(lambda: array_of(_kind(random, 1)))
    return random.choice(makers)()


def _number(random: Random, kind: SqlType, before: int, after: int) -> SqlType:
    scale = random.randint(0, after)
    return SqlType(kind.name, (random.randint(max(1, scale), scale + before), scale))


def _value(random: Random, kind: SqlType) -> str:
    if random.random() < 0.1:
        return "NULL"
    if kind.element is not None:
        items = [_value(random, kind.element) for _ in range(random.randint(0, 3))]
        is_open = not any(_TYPED.search(item) for item in items)  # an array of typed literals coerces no further
        return (random.choice(("", str(plain(kind)))) if is_open else str(plain(kind))) + f"[{', '.join(items)}]"
    if kind.fields:
        one, other = (_value(random, field.type) for field in kind.fields)
        forms = (f"({one}, {other})", f"STRUCT({one} AS a, {other} AS b)", f"{plain(kind)}({one}, {other})")
        return random.choice(forms)
    return random.choice(_WORDS[kind.name]) if kind.name in _WORDS else _digits(random, kind)


def _digits(random: Random, kind: SqlType) -> str:
    """A number that has about as many digits as the type."""
    precision, scale = kind.parameters or ((38, 9) if kind.name == "NUMERIC" else (76, 38))
    whole = "".join(random.choices("0159", k=random.randint(1, max(1, precision - scale) + 1)))
    fraction = "".join(random.choices("0459", k=random.randint(0, min(scale + 2, 38))))
    text = f"{random.choice(('', '', '-'))}{whole}{'.' if fraction else ''}{fraction}"
    fits = len(whole) <= 29 and len(fraction) <= 9
    typed = f"NUMERIC '{text}'" if fits or kind.name == "NUMERIC" else f"BIGNUMERIC '{text}'"
    return random.choice((text, typed, random.choice(_SHORT_NUMBERS)))

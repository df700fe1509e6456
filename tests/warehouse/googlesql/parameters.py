"""Query parameters of each type that a variable of a project may have, and queries with them at random places."""

import re
from collections.abc import Iterator
from random import Random

from tests.warehouse.googlesql.kinds import COLUMNS, PLACES, VALUES, placed
from warehouse_refresh.pipeline.project.variables import read_variables

VARIABLES = {
    "d": ({"type": "DATE", "value": "2024-02-29"}, "DATE '2024-02-29'"),
    "i": (2, "2"),
    "f": (0.1, "0.1"),
    "n": ({"type": "NUMERIC", "value": "0.1"}, "NUMERIC '0.1'"),
    "g": ({"type": "BIGNUMERIC", "value": "0.00000000000000000000000000000000000001"}, "BIGNUMERIC '1e-38'"),
    "s": ("2024-03-01", "'2024-03-01'"),
    "w": ("a_%'\\", r'''"a_%'\\"'''),
    "b": (True, "TRUE"),
    "y": ({"type": "BYTES", "value": "YWL/"}, r"b'ab\xff'"),
    "t": ({"type": "TIME", "value": "01:02:03.5"}, "TIME '01:02:03.5'"),
    "l": ({"type": "DATETIME", "value": "2024-02-29T01:02:03"}, "DATETIME '2024-02-29 01:02:03'"),
    "m": ({"type": "TIMESTAMP", "value": "2024-02-29T01:02:03+02:00"}, "TIMESTAMP '2024-02-28 23:02:03+00'"),
    "a": ([1, 2], "[1, 2]"),
    "e": ({"type": "ARRAY<STRING>", "value": []}, "CAST([] AS ARRAY<STRING>)"),
    "days": ({"type": "ARRAY<DATE>", "value": ["2024-02-29"]}, "[DATE '2024-02-29']"),
    "halves": ([0.5], "[0.5]"),
    "nan": ({"type": "FLOAT64", "value": "NaN"}, "CAST('NaN' AS FLOAT64)"),
}
"""What a project declares, and the same value in GoogleSQL, by the parameter's name."""
GIVEN = read_variables({name: written for name, (written, _) in VARIABLES.items()}, "the test")


def texts_in(sql: str) -> dict[str, str]:
    """The values in GoogleSQL of the parameters that a query has."""
    names = {name.casefold() for name in re.findall(r"@(\w+)", sql)}
    return {name: text for name, (_, text) in VARIABLES.items() if name in names}


def places(seed: int, count: int) -> Iterator[str]:
    """Queries of a parameter beside another value, wherever that may be coerced, all picked at random."""
    random = Random(seed)
    parameters = [f"@{name}" for name in VARIABLES]
    for _ in range(count):
        pair = [random.choice(parameters), random.choice(random.choice((parameters, VALUES)))]
        random.shuffle(pair)
        written = placed(random.choice(PLACES), dict(zip("AB", pair, strict=True)))
        yield f"SELECT {written} AS o FROM {COLUMNS}"

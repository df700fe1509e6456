"""GEOGRAPHY values: well-known text with longitudes and latitudes in range.

Whether a polygon's rings make sense is the engine's to judge.
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#geography_type
"""

import re
from functools import cache

from warehouse_refresh.warehouse.values.invalid import InvalidValue, shown

NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
POINT = rf"{NUMBER} {NUMBER}"


def _list_of(item: str) -> str:
    return rf"\({item}(?:, ?{item})*\)"


@cache
def _well_known_text() -> re.Pattern[str]:
    """What all of the text must match. It takes 10 ms to make, and few projects need it."""
    paths = _list_of(_list_of(POINT))
    shapes = {
        "POINT": rf"\({POINT}\)",
        "LINESTRING": _list_of(POINT),
        "POLYGON": paths,
        "MULTIPOINT": _list_of(rf"(?:{POINT}|\({POINT}\))"),
        "MULTILINESTRING": paths,
        "MULTIPOLYGON": _list_of(paths),
    }
    shape = "(?:" + "|".join(rf"{name} ?(?:{form}|EMPTY)" for name, form in shapes.items()) + ")"
    return re.compile(rf"{shape}|GEOMETRYCOLLECTION ?(?:{_list_of(shape)}|EMPTY)")


def check_geography(text: str) -> None:
    """Raise InvalidValue unless the text is well-known text such as `POINT(103.8 1.3)`."""
    if not _well_known_text().fullmatch(text):
        raise InvalidValue(
            "invalid-value", f"{shown(text)} is not GEOGRAPHY: write well-known text such as POINT(103.8 1.3)"
        )
    for pair in re.findall(POINT, text):
        longitude, latitude = map(float, pair.split(" "))
        if abs(longitude) > 180 or abs(latitude) > 90:
            raise InvalidValue(
                "out-of-range", f"{shown(pair)} is not a longitude (-180 to 180) and a latitude (-90 to 90)"
            )

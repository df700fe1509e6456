"""GEOGRAPHY values: well-known text with longitudes and latitudes in range.

Whether a polygon's rings make sense is the engine's to judge.
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#geography_type
"""

import re

from warehouse_refresh.warehouse.values.invalid import InvalidValue, shown

NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
POINT = rf"{NUMBER} {NUMBER}"


def _list_of(item: str) -> str:
    return rf"\({item}(?:, ?{item})*\)"


PATHS = _list_of(_list_of(POINT))
SHAPES = {
    "POINT": rf"\({POINT}\)",
    "LINESTRING": _list_of(POINT),
    "POLYGON": PATHS,
    "MULTIPOINT": _list_of(rf"(?:{POINT}|\({POINT}\))"),
    "MULTILINESTRING": PATHS,
    "MULTIPOLYGON": _list_of(PATHS),
}
SHAPE = "(?:" + "|".join(rf"{name} ?(?:{form}|EMPTY)" for name, form in SHAPES.items()) + ")"
WKT = re.compile(rf"{SHAPE}|GEOMETRYCOLLECTION ?(?:{_list_of(SHAPE)}|EMPTY)")


def check_geography(text: str) -> None:
    """Raise InvalidValue unless the text is well-known text such as `POINT(103.8 1.3)`."""
    if not WKT.fullmatch(text):
        raise InvalidValue(
            "invalid-value", f"{shown(text)} is not GEOGRAPHY: write well-known text such as POINT(103.8 1.3)"
        )
    for pair in re.findall(POINT, text):
        longitude, latitude = map(float, pair.split(" "))
        if abs(longitude) > 180 or abs(latitude) > 90:
            raise InvalidValue(
                "out-of-range", f"{shown(pair)} is not a longitude (-180 to 180) and a latitude (-90 to 90)"
            )

"""JSON read without loss."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_refresh.warehouse.values.invalid import InvalidValue
from warehouse_refresh.warehouse.values.json_text import MAX_DEPTH, canonical, parse_json

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(JSON)
def test_a_value_is_the_same_before_and_after(value: object) -> None:
    text = canonical(parse_json(json.dumps(value)))
    assert json.loads(text) == value
    assert canonical(parse_json(text)) == text


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_limited_as_in_bigquery(opening: str, closing: str) -> None:
    def nested(depth: int) -> str:
        return opening * depth + "1" + closing * depth

    assert canonical(parse_json(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(InvalidValue, match="deeper than 500"):
        canonical(parse_json(nested(MAX_DEPTH + 1)))


@pytest.mark.parametrize("text", ["1e400", "18446744073709551616", "0.1000000000000000055511151231257827", "1e-400"])
def test_a_number_that_would_change_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="cannot hold exactly"):
        canonical(parse_json(text))


def test_a_number_that_keeps_its_value_may_be_written_otherwise() -> None:
    assert (
        canonical(parse_json("[1.50, 1e2, 1e30, -0, 18446744073709551615]"))
        == "[1.5,100.0,1e+30,0,18446744073709551615]"
    )

"""warehouse.types: types are printed and read again without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_refresh.warehouse.types import SCALARS, Column, SqlType, array_of, parse_type, struct_of

names = st.text(st.characters(categories=["L", "Nd", "Pd", "Zs"], include_characters="_-<> '\",:"), min_size=1)
scalars = st.sampled_from(sorted(SCALARS)).map(SqlType)
sized = st.one_of(
    st.builds(lambda whole, scale: SqlType("NUMERIC", (whole + scale, scale)), st.integers(1, 29), st.integers(0, 9)),
    st.builds(lambda length: SqlType("STRING", (length,)), st.integers(1, 10**6)),
    st.builds(lambda length: SqlType("BYTES", (length,)), st.integers(1, 10**6)),
)


def nested(leaves: st.SearchStrategy[SqlType], field_names: st.SearchStrategy[str]) -> st.SearchStrategy[SqlType]:
    def compound(types: st.SearchStrategy[SqlType]) -> st.SearchStrategy[SqlType]:
        fields = st.lists(st.builds(Column, field_names, types), min_size=1, max_size=4)
        return st.one_of(types.map(array_of), fields.map(lambda columns: struct_of(*columns)))

    return st.recursive(leaves, compound, max_leaves=6)


@given(nested(st.one_of(scalars, sized), names))
def test_a_printed_type_is_read_as_the_same_type(type_: SqlType) -> None:
    assert parse_type(str(type_)) == type_


@given(nested(scalars, st.one_of(st.just(""), names)))
def test_a_struct_of_a_query_may_have_fields_without_a_name(type_: SqlType) -> None:
    assert parse_type(str(type_)) == type_


@pytest.mark.parametrize("name", ["select", "from", "order", "struct", "end", "a b", "1a", "Größe", "int64"])
def test_a_field_may_bear_any_name(name: str) -> None:
    type_ = struct_of(Column(name, SqlType("INT64")))
    assert parse_type(str(type_)) == type_


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("int64", SqlType("INT64")),
        ("INTEGER", SqlType("INT64")),
        ("BOOLEAN", SqlType("BOOL")),
        ("DECIMAL(10, 2)", SqlType("NUMERIC", (10, 2))),
        ("BIGDECIMAL", SqlType("BIGNUMERIC")),
        ("TIMESTAMP", SqlType("TIMESTAMP")),
        ("DATETIME", SqlType("DATETIME")),
        ("STRUCT<a INT64, STRING>", struct_of(Column("a", SqlType("INT64")), Column("", SqlType("STRING")))),
    ],
)
def test_types_are_read_by_all_their_names(text: str, type_: SqlType) -> None:
    assert parse_type(text) == type_


NO_TYPES = ["", "FOO", "INT64 x", "INT64)", "ARRAY", "ARRAY<>", "STRUCT", "STRUCT<>", "STRUCT<a b INT64>"]
NO_TYPES += ["NUMERIC(a)", "STRING(MAX)", "MAP<INT64, INT64>", "STRUCT<`a INT64>", "UUID", "'x'"]


@pytest.mark.parametrize("text", NO_TYPES)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_type(text)


def test_a_column_s_mode_is_bigquery_s() -> None:
    assert Column("a", SqlType("INT64")).mode == "NULLABLE"
    assert Column("a", SqlType("INT64"), required=True).mode == "REQUIRED"
    assert Column("a", array_of(SqlType("INT64")), required=True).mode == "REPEATED"

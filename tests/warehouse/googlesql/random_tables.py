"""Random tables with columns of every type, as GoogleSQL queries that make them."""

from hypothesis import strategies as st

from warehouse_refresh.warehouse.names import TableName

ROW = "STRUCT<x INT64, y STRING>"
# A column's name says its type, so that any two tables can be joined USING it.
COLUMNS = {
    "id": "INT64",
    "i": "INT64",
    "j": "INT64",
    "f": "FLOAT64",
    "g": "FLOAT64",
    "n": "NUMERIC",
    "b": "BOOL",
    "s": "STRING",
    "u": "STRING",
    "y": "BYTES",
    "d": "DATE",
    "dt": "DATETIME",
    "ts": "TIMESTAMP",
    "t": "TIME",
    "ai": "ARRAY<INT64>",
    "au": "ARRAY<STRING>",
    "r": ROW,
    "ar": f"ARRAY<{ROW}>",
}
# Literals, few enough that rows have values in common. Those of f are exact in any sum; g has the ends of the type.
LITERALS: dict[str, tuple[str, ...]] = {
    "i": ("0", "1", "1", "2", "2", "3", "-1", "-7", "10", "42"),
    "j": ("0", "1", "7", "-9223372036854775808", "9223372036854775807", "9007199254740993", "-5"),
    "f": ("0.5", "1.0", "2.5", "-0.25", "100.0", "3.0", "-1.0"),
    "g": (
        *("0.1", "1.0", "-2.5", "1e308", "-1.7976931348623157e308", "5e-324", "123456789.125"),
        *("CAST('nan' AS FLOAT64)", "CAST('inf' AS FLOAT64)", "CAST('-inf' AS FLOAT64)"),
    ),
    "n": (
        *("NUMERIC '0'", "NUMERIC '1'", "NUMERIC '2.5'", "NUMERIC '-0.000000001'", "NUMERIC '19.99'"),
        *("NUMERIC '12345678901234567890.123456789'", "NUMERIC '-7'"),
    ),
    "b": ("TRUE", "FALSE"),
    "s": ("''", "'a'", "'a'", "'b'", "'B'", "'abc'", "' x '", "'é'", "'10'", "'a%_'"),
    "u": ("''", "'a'", "'b'", "'ß日'", "'2024-02-29'", "'-1.5'", "'x,y,,z'", "'A b'", r"'it\'s'"),
    "y": ("b''", "b'a'", "b'ab'", r"b'\xff\x00'", "b'b'"),
    "d": ("DATE '2024-02-29'", "DATE '2024-01-01'", "DATE '2023-12-31'", "DATE '0001-01-01'", "DATE '9999-12-31'"),
    "dt": (
        *("DATETIME '2024-02-29 13:14:15.678901'", "DATETIME '2024-01-01 00:00:00'"),
        *("DATETIME '0001-01-01 00:00:00'", "DATETIME '9999-12-31 23:59:59.999999'", "DATETIME '2024-03-31 02:30:00'"),
    ),
    "ts": (
        *("TIMESTAMP '2024-02-29 23:30:00.5+00'", "TIMESTAMP '2024-03-10 07:30:00+00'"),
        *("TIMESTAMP '1969-12-31 23:59:59.999999+00'", "TIMESTAMP '2024-01-01 00:00:00+00'"),
        *("TIMESTAMP '0001-01-02 00:00:00+00'", "TIMESTAMP '9999-12-30 23:59:59.999999+00'"),
    ),
    "t": ("TIME '00:00:00'", "TIME '13:14:15.678901'", "TIME '23:59:59.999999'", "TIME '12:00:00'"),
    "ai": ("[1, 2]", "[1]", "ARRAY<INT64>[]", "[3, 1, 2, 1]", "[0, -7]", "[42]"),
    "au": ("['a', 'b']", "ARRAY<STRING>[]", "['']", "['b', 'a', 'a']", "['abc']"),
    "r": ("STRUCT(1, 'a')", "STRUCT(2, 'b')", "STRUCT(NULL, 'a')", "STRUCT(1, NULL)", "STRUCT(42, '')"),
    "ar": (
        *(f"[{ROW}(1, 'a'), {ROW}(2, 'b')]", f"ARRAY<{ROW}>[]", f"[{ROW}(2, NULL)]"),
        f"[{ROW}(1, 'a'), {ROW}(1, 'a'), {ROW}(0, '')]",
    ),
}


def value(column: str) -> st.SearchStrategy[str]:
    """The literals of a column, NULL among them."""
    return st.one_of(st.just("NULL"), *[st.sampled_from(LITERALS[column])] * 5)


@st.composite
def table(draw: st.DrawFn, rows: int) -> str:
    """The query of a table of so many rows, with a column `id` that is another number in each of them."""
    listed = [name for name in COLUMNS if name != "id"]
    chosen = set(draw(st.lists(st.sampled_from(listed), min_size=8, max_size=len(listed), unique=True)))
    columns = [name for name in listed if name in chosen]
    kinds = ", ".join(f"{name} {COLUMNS[name]}" for name in ["id", *columns])
    made = [f"({', '.join([str(number + 1), *(draw(value(name)) for name in columns)])})" for number in range(rows)]
    first, *others = made or [f"({', '.join(['0', *('NULL' for _ in columns)])})"]
    where = "" if rows else " WHERE FALSE"
    return f"SELECT * FROM UNNEST([STRUCT<{kinds}>{', '.join([first, *others])}]){where}"


SIZES = (9, 6, 5, 3, 1, 0)


@st.composite
def tables(draw: st.DrawFn) -> dict[TableName, str]:
    """A set of tables, one of them empty."""
    return {TableName("z", f"t{number}"): draw(table(rows)) for number, rows in enumerate(SIZES, 1)}

"""Queries whose literals, names and comments look like pieces of the SQL that the translator writes.

A translator that searches, splits or measures its own SQL takes such a text for something else.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from hypothesis import strategies as st

from tests.warehouse.googlesql.values import Answer
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.types import SqlType

FRAGMENTS = (
    *("error(", "error('x')", "error(timeout)", "TRY(", "TRY", "NULL", "true", "0::DOUBLE", "::BIGINT", "::", "1"),
    *("v_.", "v_.a", "v_", "e_", "l_", "s_", "lambda", "lambda v_: v_.a", "list_transform", "list_transform(["),
    *("{a}", "{x}", "{", "}", "{{", "}}", "%", "%s", "{#", "{%", "{{+", "$", "$1", "?", "@p", "@@x", ":=", "|>", "f:"),
    *("'", '"', "''", '""', '"."', "\\", "\\n", "--", "# ", "/*", "*/", "/*+ x */", ";", ",", "(", ")", "[", "]"),
    *("t1", "t2", "t3", "t4", "k1", "a1", "o_0", "o", "v", "u", "s", "c0", "_field_1", "_field_2", "_0_", "_1_"),
    *(
        "sum(",
        "max(x)",
        "count(*)",
        "string_agg(",
        " FILTER (",
        " OVER (",
        " AS ",
        "<>",
        "a<>b",
        " LATERAL ",
        "LATERAL",
    ),
    *(
        "SELECT ",
        "(SELECT 1)",
        "FROM",
        "GROUP BY",
        "group",
        "UNPIVOT",
        "CAST",
        "CAST(",
        "UNION ALL SELECT 1",
        "NUMERIC",
    ),
    *("text", "semi", "fetch", "UTC", "'UTC'", "warehouse", '"warehouse".', "main", "rowid", "isnan(", "CASE WHEN "),
    *("é", "ß", " ", "  ", "x y", "_", ".", "a.b", "=", "\t", "日本"),
)
TEXTS = st.one_of(
    st.sampled_from(FRAGMENTS),
    st.lists(st.sampled_from(FRAGMENTS), min_size=2, max_size=4).map("".join),
    st.sampled_from(FRAGMENTS).map(lambda text: text * (100 // len(text))),
)
# The reference engine has names with $ for what has none, and sqlglot reads a name with a dot as a path.
NAME_FRAGMENTS = tuple(text for text in FRAGMENTS if not text.startswith("$") and "." not in text)
NAMES = st.sampled_from(NAME_FRAGMENTS)

# Rows of a text, a STRUCT, a number; their columns are @c1 to @c5.
ROWS = (
    "(SELECT 1 AS id, @l1 AS @c1, STRUCT(@l2 AS @c2, 7 AS @c3) AS @c4, 2 AS @c5, 0.5 AS @c6"
    " UNION ALL SELECT 2, @l3, STRUCT(@l1, 8), 3, 1.5"
    " UNION ALL SELECT 3, 'plain', NULL, 3, NULL"
    " UNION ALL SELECT 4, NULL, STRUCT(NULL, 7), NULL, 2.5)"
)
# @l literals, @c names, @r a literal's text as a pattern, @f as a format, @n a comment.
SHAPES = (
    "SELECT @c1, @c4, @c5 FROM ROWS @n ORDER BY id",
    "SELECT *, @l4 AS @c7 FROM ROWS",
    "SELECT @c7.* EXCEPT (@c4) REPLACE (CONCAT(@c1, @l2) AS @c1) FROM ROWS AS @c7",
    "SELECT id, @l1, @l2, @c4.@c2 FROM ROWS",
    "SELECT id, @c4.@c3 + 1 AS @c7, @c4.@c2 = @l1 AS @c8 FROM ROWS",
    "SELECT AS STRUCT @c1 AS @c7, @c4 AS @c8 FROM ROWS",
    "SELECT STRUCT(@c1 AS @c7, @l4) AS @c8, STRUCT(@c1, @l4 AS @c2) = STRUCT(@l1, @l4) AS x FROM ROWS",
    "SELECT (SELECT AS STRUCT @c1 AS @c7, id AS @c8).@c7 AS x FROM ROWS",
    "SELECT CAST(STRUCT(id, @l1) AS STRUCT<@c1 FLOAT64, @c2 STRING>) AS x FROM ROWS",
    "SELECT [STRUCT(@c1 AS @c7, 1 AS @c8)] AS a, [@c4] AS b FROM ROWS WHERE id < 3",
    # SAFE.
    "SELECT id, SAFE.CONCAT(@c1, @l2) AS x FROM ROWS",
    "SELECT id, SAFE.LEFT(@c1, id - 2) AS x, SAFE.SUBSTR(@l1, 2, id - 2) AS y FROM ROWS",
    "SELECT id, SAFE.LEFT(@l1, id - 2) AS @c7, SAFE.REPEAT(@l2, @c5 - 3) AS @c8 FROM ROWS",
    "SELECT id, SAFE.LPAD(@c1, id - 2, @l2) AS x, SAFE.UPPER(@c1) AS y FROM ROWS",
    "SELECT id, SAFE_CAST(CONCAT(@l1, CAST(id AS STRING)) AS INT64) AS x, SAFE_CAST(@c1 AS FLOAT64) AS y FROM ROWS",
    "SELECT id, SAFE_DIVIDE(LENGTH(@l1), @c5 - 2) AS x, SAFE.PARSE_DATE('%Y', @c1) AS y FROM ROWS",
    "SELECT id, IF(id > 9, CAST(ERROR(@l1) AS STRING), @c1) AS x FROM ROWS",
    # windows
    "SELECT id, COUNTIF(@c1 = @l1) OVER (PARTITION BY @c5 ORDER BY id) AS @c7 FROM ROWS",
    "SELECT id, MAX(CONCAT(@c1, @l2)) OVER (PARTITION BY @c1) AS x, SUM(IF(@c1 = @l1, 1, @c5)) OVER () AS y FROM ROWS",
    (
        "SELECT id, LAG(@c1, 1, @l2) OVER (ORDER BY id) AS x,"
        " FIRST_VALUE(@c1 IGNORE NULLS) OVER (ORDER BY id) AS y FROM ROWS"
    ),
    "SELECT id, STRING_AGG(@c1, @l2) OVER (ORDER BY id) AS x, MAX(@c6) OVER w AS y FROM ROWS WINDOW w AS (ORDER BY id)",
    "SELECT id, @c1 AS @c7 FROM ROWS QUALIFY ROW_NUMBER() OVER (PARTITION BY @c5 ORDER BY IF(@c1 = @l1, 0, 1), id) = 1",
    "SELECT id, AVG(CAST(LENGTH(CONCAT(@c1, @l1)) AS NUMERIC)) OVER (PARTITION BY @c5) AS x FROM ROWS",
    # FROM
    "SELECT id, @c7 FROM ROWS JOIN UNNEST([@l1, @l2]) AS @c7 ON TRUE",
    "SELECT id, @c7 FROM ROWS RIGHT JOIN UNNEST([@l1, @l2]) AS @c7 ON @c1 = @c7",
    "SELECT id, @c7 FROM ROWS FULL JOIN UNNEST([@l1, @l4]) AS @c7 WITH OFFSET AS @c8 ON @c1 = @c7 AND @c8 < 9",
    "SELECT id, @c7 FROM ROWS LEFT JOIN UNNEST([@l1, @c1]) AS @c7 ON @c1 = @c7",
    "SELECT id, @c7, @c8 FROM ROWS, UNNEST([@l1, @c1]) AS @c7 WITH OFFSET AS @c8",
    "SELECT id, @c8 FROM ROWS, UNNEST([STRUCT(@l1 AS @c8, @c1 AS @c7)]) WHERE id < 4",
    "SELECT a.id, b.id FROM ROWS AS a JOIN ROWS AS b USING (@c1)",
    "SELECT @c1, a.id FROM ROWS AS a FULL JOIN ROWS AS b USING (@c1, @c5) @n",
    "SELECT @c7.id, (SELECT COUNT(*) FROM ROWS AS @c8 WHERE @c8.@c1 = @c7.@c1) AS x FROM ROWS AS @c7",
    "SELECT @c7.id, (SELECT COUNT(*) FROM ROWS AS @c8 WHERE @c8.@c4.@c2 = @c7.@c1) AS x FROM ROWS AS @c7",
    "WITH @c7 AS (SELECT id, @c1 FROM ROWS), @c8 AS (SELECT * FROM @c7) SELECT * FROM @c8 JOIN @c7 USING (id)",
    "SELECT id, @c1 IN (SELECT @c1 FROM ROWS) AS x, EXISTS(SELECT @l1 FROM ROWS WHERE @c1 = @l2) AS y FROM ROWS",
    # grouping
    "SELECT CONCAT(@c1, @l2) AS @c7, COUNT(*) AS @c8 FROM ROWS GROUP BY @c7",
    "SELECT CONCAT(@c1, @l2), SUM(@c5) FROM ROWS GROUP BY CONCAT(@c1, @l2) HAVING COUNTIF(@c1 = @l9) = 0",
    (
        "SELECT @c5, STRING_AGG(@c1, @l2 ORDER BY id) AS @c7, ARRAY_AGG(@c1 IGNORE NULLS ORDER BY id) AS @c8"
        " FROM ROWS GROUP BY @c5"
    ),
    "SELECT STRING_AGG(@c1, @l2 ORDER BY id LIMIT 2) AS x, MAX(IF(@c1 = @l1, @l3, @c1)) AS y FROM ROWS",
    "SELECT ARRAY_AGG(DISTINCT CONCAT(@c1, @l2) IGNORE NULLS ORDER BY CONCAT(@c1, @l2)) AS x FROM ROWS",
    "SELECT AVG(CAST(IF(@c1 = @l1, @c5, 4) AS NUMERIC)) AS @c7, MAX(@c6) AS @c8, COUNT(DISTINCT @c1) AS x FROM ROWS",
    "SELECT @c5, ANY_VALUE(@c1 HAVING MAX id) AS x, GROUPING(@c5) AS y FROM ROWS GROUP BY ROLLUP (@c5)",
    "SELECT @c4.@c2 AS x, MIN(@c1) AS y FROM ROWS GROUP BY @c4.@c2",
    "SELECT SUM(@c5) AS @c7, @l1 AS @c8 FROM ROWS",
    # ORDER BY
    "SELECT DISTINCT CONCAT(@c1, @l2) AS @c7 FROM ROWS ORDER BY @c7",
    "SELECT DISTINCT @c1 FROM ROWS ORDER BY @c1",
    "SELECT DISTINCT CONCAT(@c1, @l2) AS x, @c5 FROM ROWS ORDER BY x, @c5",
    "SELECT id, @l1 AS @c7 FROM ROWS ORDER BY @c7, id",
    "SELECT ARRAY(SELECT @c1 AS @c7 FROM ROWS WHERE @c1 IS NOT NULL ORDER BY id DESC) AS @c8",
    "SELECT ARRAY(SELECT AS STRUCT @c1 AS @c7, @c6 AS @c8 FROM ROWS ORDER BY @c6 DESC, @c1) AS x",
    "SELECT ARRAY(SELECT @c1 AS @c7 FROM ROWS UNION ALL SELECT @l1 ORDER BY @c7) AS x",
    # set operations
    "SELECT @c1 AS @c7, 1 AS @c8 FROM ROWS UNION ALL SELECT @l1, 2.5",
    "SELECT @c1 FROM ROWS UNION DISTINCT SELECT @l1 UNION DISTINCT SELECT @l2",
    "SELECT @l1 AS x UNION ALL (SELECT @l2 INTERSECT DISTINCT SELECT @l3)",
    "SELECT [1] AS x, [@l1, @c1] AS y FROM ROWS WHERE id < 3 UNION ALL SELECT [1.5], [@l2]",
    # PIVOT
    "SELECT * FROM (SELECT @c1, @c5 FROM ROWS) PIVOT (SUM(@c5) FOR @c1 IN (@l1 AS @c7, 'plain' AS @c8))",
    "SELECT * FROM (SELECT @c1, @c5 FROM ROWS) PIVOT (COUNTIF(@c1 = @l1) AS @c7 FOR @c5 IN (2, 3))",
    (
        "SELECT * FROM (SELECT @c1, @c5 FROM ROWS) PIVOT (MAX(IF(@c1 = @l1, @l2, @l3)) AS @c7,"
        " COUNT(*) AS @c8 FOR @c5 IN (2, 3))"
    ),
    "SELECT * FROM (SELECT @c1, @c5, id FROM ROWS) PIVOT (STRING_AGG(@c1, @l2) FOR @c5 IN (2 AS @c7, 3 AS @c8))",
    "SELECT * FROM (SELECT id, @c1, @l1 AS @c7 FROM ROWS) UNPIVOT (@c8 FOR @c9 IN (@c1 AS @l2, @c7))",
    # operators and functions
    (
        "SELECT id, CASE @c1 WHEN @l1 THEN @l2 WHEN @l3 THEN @l4 ELSE @c1 END AS x,"
        " CASE WHEN @c1 = @l1 THEN 1 END AS y FROM ROWS"
    ),
    "SELECT id, @c1 IN (@l1, @l2) AS x, @c1 IN UNNEST([@l1, @l3]) AS y, @c1 NOT IN (@l4) AS z FROM ROWS",
    "SELECT id, @c1 BETWEEN @l1 AND @l2 AS x, @c1 < @l1 AS y, @c1 IS DISTINCT FROM @l1 AS z FROM ROWS",
    "SELECT id, @c1 LIKE @p1 AS x, @c1 LIKE ANY (@p1, @p2) AS y, @c1 || @l1 || @l2 AS z FROM ROWS",
    (
        "SELECT id, COALESCE(@c1, @l1) AS x, NULLIF(@c1, @l1) AS y, GREATEST(@c1, @l1, @l2) AS z, IFNULL(@c1,"
        " @l2) AS w FROM ROWS"
    ),
    (
        "SELECT id, LENGTH(@l1) AS x, REVERSE(@l2) AS y, LOWER(@l1) AS z, STARTS_WITH(@c1, @l1) AS w,"
        " INITCAP(@l2) AS v FROM ROWS"
    ),
    (
        "SELECT id, REPLACE(@c1, @l1, @l2) AS x, SPLIT(@c1, @l1) AS y, STRPOS(@c1, @l1) AS z, INSTR(@c1,"
        " @l1) AS w FROM ROWS"
    ),
    (
        "SELECT id, TRIM(@c1, @l1) AS x, TRIM(@l2) AS y, RPAD(@c1, 200, @l1) AS z, TRANSLATE(@c1, 'abc',"
        " 'xyz') AS w FROM ROWS"
    ),
    (
        "SELECT id, REGEXP_EXTRACT(@c1, @r1) AS x, REGEXP_CONTAINS(@c1, @r1) AS y, REGEXP_REPLACE(@c1, @r1,"
        " '-') AS z FROM ROWS"
    ),
    (
        "SELECT id, REGEXP_EXTRACT(@c1, @r1, 1, 2) AS x, REGEXP_EXTRACT_ALL(@c1, @r1) AS y, REGEXP_INSTR(@c1,"
        " @r1) AS z FROM ROWS"
    ),
    (
        "SELECT id, FORMAT(\"%'d\", LENGTH(@l1)) AS x, FORMAT('%120s|%t|%T', @l1, @c1, id) AS y,"
        " FORMAT(@f1) AS z FROM ROWS"
    ),
    (
        "SELECT id, FORMAT_DATE(@f1, DATE '2024-01-31') AS x, FORMAT_TIMESTAMP(@f2,"
        " TIMESTAMP '2024-01-31 01:02:03+00') AS y FROM ROWS"
    ),
    "SELECT TO_JSON_STRING(STRUCT(@c1 AS @c7, @c4 AS @c8, [@l1] AS @c9)) AS x FROM ROWS",
    "SELECT TO_JSON_STRING([STRUCT(@c1 AS @c7, @c6 AS @c8)]) AS x, TO_JSON_STRING(@l1) AS y FROM ROWS",
    "SELECT id, STRING(TO_JSON(STRUCT(@c1 AS @c7)).@c7) AS x FROM ROWS WHERE id < 4",
    "SELECT id, ARRAY_TO_STRING([@c1, @l1], @l2, @l3) AS x, ARRAY_REVERSE([@l1, @c1])[OFFSET(0)] AS y FROM ROWS",
    (
        "SELECT id, ARRAY_CONCAT([@c1], [@l1]) AS x, [@l1, @c1][SAFE_OFFSET(@c5)] AS y, RANGE_BUCKET(@c1,"
        " [@l1]) AS z FROM ROWS WHERE id < 3"
    ),
    (
        "SELECT id, CAST(@l1 AS BYTES) AS x, CAST(CAST(@c1 AS BYTES) AS STRING) AS y, CAST(@c1 AS STRING) AS z,"
        " TO_HEX(MD5(@l1)) AS w FROM ROWS"
    ),
    "SELECT @n @l1 AS @c1, @l2 AS @c2 @n",
    "SELECT id, TO_CODE_POINTS(@l1) AS x, CAST(@l1 AS BYTES) = CAST(@c1 AS BYTES) AS y, ASCII(@l2) AS z FROM ROWS",
    # pipes
    "FROM ROWS |> WHERE @c1 != @l1 |> AGGREGATE COUNTIF(@c1 = @l2) AS @c7, COUNT(*) AS @c8 GROUP BY @c5",
    "FROM ROWS |> EXTEND CONCAT(@c1, @l1) AS @c7 |> SELECT id, @c7, @c4.@c2 AS @c8 @n |> WHERE @c7 IS NOT NULL",
    "FROM ROWS |> AS @c7 |> SELECT @c7.@c1, @l2 AS @c8",
)
# Names that the translator has for tables, columns and arguments of its own.
OWN_NAMES = ("t1", "t2", "t3", "t4", "t5", "v_", "e_", "k1", "a1", "o_0", "v", "o", "u", "s")
# Over tables whose columns have these names: f.structs has only the translator's own, for its columns and their fields.
STORED_SHAPES = (
    "SELECT @c1, @c2 FROM f.numbers",
    "SELECT @c1 + @c2 AS @c3, SUM(@c1) OVER () AS @c4 FROM f.numbers",
    "SELECT @c1, SUM(@c2) AS @c3, AVG(@c3) AS @c4 FROM f.numbers GROUP BY @c1",
    "SELECT a.@c1, b.@c2 FROM f.numbers AS a JOIN f.numbers AS b USING (@c1)",
    "SELECT (SELECT MAX(b.@c2) FROM f.numbers AS b WHERE a.@c1 = b.@c1) AS @c4 FROM f.numbers AS a",
    "SELECT @c4.@c1, @c5.* FROM f.numbers AS @c4, f.texts AS @c5",
    "SELECT STRUCT(@c1, @c2).@c2 AS @c3, [STRUCT(@c1 AS @c3)][OFFSET(0)].@c3 AS @c4 FROM f.texts",
    "SELECT @c1, @c2 FROM f.texts ORDER BY @c3, @c2",
    "SELECT @c1.@c2, @c3 FROM f.structs",
    "SELECT (SELECT MAX(b.@c1.@c2) FROM f.structs AS b WHERE a.@c1 = b.@c1.@c2) AS x FROM f.texts AS a",
    "SELECT (SELECT MAX(CONCAT(@c4.@c1, @c5.@c3.@c2)) FROM f.structs AS @c5) AS x FROM f.texts AS @c4",
    "SELECT MAX(@c1) OVER (PARTITION BY @c2 ORDER BY @c3) AS @c4 FROM f.texts",
    "SELECT * EXCEPT (@c1) REPLACE (CONCAT(@c2, @c3) AS @c3) FROM f.texts",
    (
        "SELECT ARRAY(SELECT @c1 FROM f.texts ORDER BY @c2 DESC) AS @c3, ARRAY(SELECT AS STRUCT *"
        " FROM f.texts ORDER BY @c2)"
    ),
    "SELECT * FROM (SELECT @c1, @c2 FROM f.numbers) PIVOT (SUM(@c1) AS @c3 FOR @c2 IN (1 AS @c4))",
    "SELECT @c4, @c5 FROM (SELECT @c1, @c2 FROM f.numbers) UNPIVOT (@c4 FOR @c5 IN (@c1, @c2))",
    "FROM f.texts |> AGGREGATE MAX(@c1) AS @c3 GROUP BY @c2",
)
MARK = re.compile(r"@([a-z])(\d)")


def literal(text: str, *, double: bool = False) -> str:
    """A text as a GoogleSQL literal."""
    mark = '"' if double else "'"
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


def identifier(name: str) -> str:
    """A name as a GoogleSQL identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def pattern(text: str) -> str:
    """A text as a pattern of RE2 that matches just it."""
    return re.sub(r"([^\w\s])", r"\\\1", text, flags=re.ASCII)


def written(kind: str, text: str) -> str:
    """What stands in a shape for a mark of that kind, with this text in it."""
    match kind:
        case "c":
            return identifier(text)
        case "r":
            return literal(pattern(text))
        case "f":
            return literal(text.replace("%", "%%"))
        case "p":
            return literal(text.replace("\\", "\\\\"))
        case _:
            return literal(text, double='"' not in text)


def comment(text: str) -> str:
    """A comment that holds the text."""
    return f"/* {text.replace('*/', '')} */" if len(text) % 2 else f"-- {text}\n"


def filled(shape: str, texts: Mapping[str, str], names: Mapping[str, str], note: str = "") -> str:
    """The query of a shape."""

    def replaced(match: re.Match[str]) -> str:
        found = names if match[1] == "c" else texts
        return written(match[1], found[match[2]])

    parts = shape.replace("ROWS", ROWS).split("@n")
    return comment(note).join(MARK.sub(replaced, part) for part in parts)


@cache
def plain(shape: str) -> str:
    """The shape with texts and names that nothing could be taken for."""
    digits = "123456789"
    return filled(shape, {d: f"word{d}" for d in digits}, {d: f"name{d}" for d in digits})


@st.composite
def queries(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> tuple[str, str]:
    """A shape, and a query of that shape with such literals, names and comments."""
    shape = draw(st.sampled_from(SHAPES))
    found = {
        digit: draw(texts)
        for digit in sorted({digit for kind, digit in MARK.findall(shape.replace("ROWS", ROWS)) if kind != "c"})
    }
    names = draw(st.lists(NAMES, min_size=9, max_size=9, unique_by=str.casefold))
    return shape, filled(shape, found, {str(i): name for i, name in enumerate(names, 1)}, draw(texts))


@st.composite
def stored_queries(draw: st.DrawFn) -> tuple[str, str]:
    """A shape, and a query of that shape over the tables of `stored_tables`."""
    shape = draw(st.sampled_from(STORED_SHAPES))
    known = st.sampled_from(OWN_NAMES) if "f.structs" in shape else NAMES
    names = draw(st.lists(known, min_size=5, max_size=5, unique_by=str.casefold))
    return shape, filled(shape, {}, {str(i): name for i, name in enumerate(names, 1)})


PLAIN_NAMES = tuple(f"name{digit}" for digit in "12345")


def stored_tables() -> dict[TableName, str]:
    """Tables of three rows, the last of which is NULL, with a column of each name."""
    every = list({name.casefold(): name for name in (*NAME_FRAGMENTS, *OWN_NAMES, *PLAIN_NAMES)}.values())
    own = [*OWN_NAMES, *PLAIN_NAMES]
    return {
        TableName("f", "texts"): _rows(every, lambda place: f"'{place % 7}'"),
        TableName("f", "numbers"): _rows(every, lambda place: f"NUMERIC '{place % 5}.25'"),
        TableName("f", "structs"): _rows(own, lambda place: _struct(own, place)),
    }


def _rows(names: Sequence[str], value: Callable[[int], str]) -> str:
    first = ", ".join(f"{value(place)} AS {identifier(name)}" for place, name in enumerate(names))
    second = ", ".join(value(3 * place + 1) for place in range(len(names)))
    return f"SELECT {first} UNION ALL SELECT {second} UNION ALL SELECT {', '.join(['NULL'] * len(names))}"


def _struct(names: Sequence[str], place: int) -> str:
    return f"STRUCT({', '.join(f'{literal(str(i + place))} AS {identifier(name)}' for i, name in enumerate(names))})"


def with_scales(answer: Answer) -> Answer:
    """The answer with its NUMERIC columns declared as NUMERIC(10, 2), which the reference engine does not have."""
    narrow = SqlType("NUMERIC", (10, 2))
    columns = [replace(column, type=narrow) if column.type.name == "NUMERIC" else column for column in answer.columns]
    return replace(answer, columns=tuple(columns))

"""warehouse.sql.parser: what a text reads and changes, and where it says so."""

import pytest

from warehouse_refresh.warehouse.errors import OnlyBigQuery, Place, SqlError, UnsupportedSql, place_at
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import parse_query
from warehouse_refresh.warehouse.sql.syntax_errors import DEEPEST_READ_TWICE, check_text


def reads(text: str) -> list[str]:
    return [str(read.table) for read in parse_query(text).reads]


def refusal(text: str) -> SqlError:
    with pytest.raises(SqlError) as caught:
        _ = parse_query(text).reads
    return caught.value


@pytest.mark.parametrize(
    "name", ["raw.products", "`raw.products`", "`raw`.`products`", "raw.`products`", "`raw`.products"]
)
def test_a_table_is_read_however_it_is_quoted_and_its_place_is_the_whole_name(name: str) -> None:
    [read] = parse_query(f"-- grain: a product\nSELECT *\n  FROM {name} AS p").reads
    assert read.table == TableName("raw", "products")
    assert read.place == Place(3, 8, len(name))


@pytest.mark.parametrize(
    "name",
    [
        "`my-project.raw.products`",
        "`my-project`.raw.products",
        "`my-project`.`raw`.`products`",
        "my-project.raw.products",
        "`my-project.raw`.products",
        "my-project.raw.`products`",
        "my-project.`raw.products`",
        "`my-project`.`raw.products`",
        "`my-project.raw`.`products`",
    ],
)
def test_a_table_of_the_own_project_is_the_one_without_it_in_all_quotings(name: str) -> None:
    query = parse_query(f"-- grain\nSELECT `x`, y\n  FROM {name} AS p\nJOIN raw.products AS q USING (`x`)")
    [read] = query.within("my-project").reads
    assert (read.table, read.place) == (TableName("raw", "products"), Place(3, 8, len(name)))
    [other] = query.within("other-project").reads
    assert (other.table, other.place) == (TableName("raw", "products"), Place(4, 6, 12))


def test_a_project_of_a_domain_is_a_project() -> None:
    for name in ("`example.com:shop.tmp.a`", "`example.com:shop`.tmp.a", "`example.com:shop`.`tmp`.`a`"):
        [read] = parse_query(f"SELECT 1 FROM {name}").within("example.com:shop").reads
        assert (read.table, read.place.length) == (TableName("tmp", "a"), len(name))


@pytest.mark.parametrize(
    "view",
    [
        "`my-project.tmp.INFORMATION_SCHEMA.TABLES`",
        "`my-project.tmp`.INFORMATION_SCHEMA.TABLES",
        "tmp.INFORMATION_SCHEMA.COLUMNS",
        "tmp.information_schema.columns",
        "`region-us`.INFORMATION_SCHEMA.JOBS_BY_PROJECT",
        "`my-project`.`region-eu`.INFORMATION_SCHEMA.JOBS",
        "INFORMATION_SCHEMA.SCHEMATA",
        "tmp.__TABLES__",
        "`my-project.tmp.__TABLES__`",
    ],
)
def test_what_describes_tables_is_no_table_that_is_read(view: str) -> None:
    assert reads(f"SELECT 1 AS x FROM {view} JOIN tmp.a ON TRUE") == ["tmp.a"]
    assert parse_query(f"SELECT 1 AS x FROM {view}").names == ()


@pytest.mark.parametrize(
    ("text", "column", "reason", "hint"),
    [
        ("SELECT 1 AS ‘x’", 13, "(left single quotation mark) is not SQL here", "write '"),
        ("SELECT “a” AS x", 8, "(left double quotation mark) is not SQL here", 'write "'),
        ("SELECT 3 – 1 AS x", 10, "(en dash) is not SQL here", "write -"),
        ("SELECT 1 AS café", 16, "(latin small letter e with acute) is not SQL here", "back-ticks"),
        ("SELECT 1 AS a\u200b", 14, "(zero width space) is not SQL here", "take it out"),
        ("SELECT 1 AS a\x00", 14, "(a character without a name) is not SQL here", "take it out"),
        ("SELECT 1\x1fAS a", 9, "(a character without a name) is not SQL here", "take it out"),
        ("SELECT 1 \u2028 AS a", 10, "(line separator) is not SQL here", "take it out"),
        ("SELECT 1 /* $ */ AS a$b", 22, "(dollar sign) is not SQL here", "take it out"),
        ("SELECT id FROM {{ source }}", 16, "{{ source }} is a template, not SQL", "nothing is filled in"),
        ("/* a view */ CREATE VIEW v AS SELECT 1", 14, "the script is not a query but a CREATE", "write one SELECT"),
    ],
)
def test_what_people_write_by_mistake_is_named(text: str, column: int, reason: str, hint: str) -> None:
    error = refusal(text)
    assert reason in error.reason
    assert hint in error.hint
    assert "Token" not in str(error)
    assert error.place is not None
    assert (error.place.line, error.place.column) == (1, column)


@pytest.mark.parametrize("text", ["SELECT 'é – “x”' AS `café`, r'‘' AS x -- – é", "SELECT @@time_zone AS x"])
def test_strings_quoted_names_and_comments_hold_what_they_like(text: str) -> None:
    assert reads(text) == []


def test_a_path_of_three_names_into_a_row_is_no_table() -> None:
    assert reads("SELECT i FROM tmp.a AS p, p.details.images AS i") == ["tmp.a"]


def test_each_table_is_read_once_in_the_order_of_the_text_at_its_first_place() -> None:
    text = "SELECT * FROM tmp.b JOIN tmp.a USING (id)\nJOIN tmp.b AS again USING (id)"
    assert [(str(read.table), read.place) for read in parse_query(text).reads] == [
        ("tmp.b", Place(1, 15, 5)),
        ("tmp.a", Place(1, 26, 5)),
    ]


def test_places_count_characters_and_not_bytes() -> None:
    [read] = parse_query("SELECT 'été 🎉' AS x FROM `tmp.a`").reads
    assert read.place == Place(1, 26, 7)


def test_tables_are_found_wherever_a_query_may_stand() -> None:
    text = """
        WITH one AS (SELECT * FROM tmp.a)
        SELECT *, (SELECT MAX(id) FROM tmp.b), ARRAY(SELECT id FROM tmp.c)
        FROM one JOIN (SELECT * FROM tmp.d) USING (id)
        WHERE id IN (SELECT id FROM tmp.e) AND EXISTS (SELECT 1 FROM tmp.f)
        UNION ALL SELECT * FROM tmp.g
    """
    assert reads(text) == [f"tmp.{name}" for name in "abcdefg"]


def test_pipe_syntax_is_read_too() -> None:
    assert reads("FROM raw.products |> WHERE id > 1 |> JOIN raw.pictures USING (id) |> SELECT id") == [
        "raw.products",
        "raw.pictures",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WITH t AS (SELECT 1 AS id) SELECT * FROM t UNION ALL SELECT * FROM T", []),
        ("WITH t AS (SELECT 1 AS id), u AS (SELECT * FROM t) SELECT * FROM u", []),
        ("WITH t AS (SELECT 1 AS id) SELECT (SELECT MAX(id) FROM t) FROM tmp.a", ["tmp.a"]),
        ("WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT * FROM t", []),
        ("WITH a AS (SELECT 1 AS id) SELECT * FROM tmp.a, a", ["tmp.a"]),
        ("WITH tmp AS (SELECT * FROM tmp.a) SELECT * FROM tmp", ["tmp.a"]),
        ("WITH p AS (SELECT [1] AS images) SELECT * FROM p, p.images", []),
    ],
    ids=["anywhere", "in a later one", "in a subquery", "recursive", "as a table's name", "as a dataset", "path"],
)
def test_a_with_query_is_no_table(text: str, expected: list[str]) -> None:
    assert reads(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM (WITH t AS (SELECT 1 AS id) SELECT * FROM t), t",
        "WITH t AS (SELECT * FROM t) SELECT * FROM t",
        "WITH a AS (SELECT * FROM t), t AS (SELECT 1 AS x) SELECT * FROM a",
    ],
    ids=["outside of its query", "in itself", "before it"],
)
def test_a_with_query_is_not_seen_everywhere(text: str) -> None:
    assert refusal(text).reason == "t is neither a WITH query nor a table with its dataset"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM tmp.products AS p, p.images",
        "SELECT * FROM tmp.products AS p CROSS JOIN P.images AS image",
        "SELECT * FROM tmp.products, products.images",
        "SELECT * FROM tmp.products AS p, p.variants AS v, v.images",
        "SELECT * FROM tmp.products AS p LEFT JOIN p.images ON TRUE",
        "SELECT (SELECT COUNT(*) FROM p.images) FROM tmp.products AS p",
        "SELECT ARRAY(SELECT x FROM (SELECT * FROM p.images) AS x) FROM tmp.products AS p",
        "SELECT * FROM tmp.products AS p WHERE EXISTS (SELECT 1 FROM p.images AS i, i.tags)",
        "SELECT * FROM tmp.products AS p, UNNEST(ARRAY(SELECT url FROM p.images)) AS url",
    ],
)
def test_a_path_into_an_array_is_no_table(text: str) -> None:
    assert reads(text) == ["tmp.products"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM tmp.products AS raw, (SELECT * FROM raw.pictures)",
        "SELECT * FROM tmp.products, raw.pictures AS raw",
        "WITH raw AS (SELECT * FROM raw.pictures) SELECT * FROM tmp.products, raw",
    ],
    ids=["in a subquery beside it", "before it", "in a WITH query"],
)
def test_an_alias_named_like_a_dataset_hides_it_only_where_it_is_seen(text: str) -> None:
    assert sorted(reads(text)) == ["raw.pictures", "tmp.products"]


def test_a_table_of_another_project_is_not_ours() -> None:
    assert reads("SELECT * FROM `bigquery-public-data.samples.shakespeare`, tmp.a") == ["tmp.a"]


def test_a_table_without_its_dataset_is_refused_with_its_place() -> None:
    error = refusal("SELECT *\nFROM products")
    assert error.place == Place(2, 6, 8)
    assert error.hint.startswith("write `dataset.products`")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the script is empty"),
        ("-- only a comment\n;", "the script is empty"),
        ("SELECT 1; SELECT 2", "the script holds 2 statements"),
        ("CREATE TABLE tmp.a (x INT64)", "the script is not a query but a CREATE"),
        ("INSERT INTO tmp.a VALUES (1)", "the script is not a query but an INSERT"),
        ("CALL tmp.procedure()", "the script is not a query but a CALL"),
        ("'text'", "the script is not a query but an expression"),
        ("RANK <= 1000", "the script is not a query but an expression"),
    ],
)
def test_a_script_is_one_query(text: str, reason: str) -> None:
    error = refusal(text)
    assert error.reason == reason
    assert error.place or error.hint


@pytest.mark.parametrize("text", ["SELECT 1;", "SELECT 1 -- done\n;\n-- end", "(SELECT 1)", "/* é */ SELECT 1"])
def test_comments_a_last_semicolon_and_brackets_are_welcome(text: str) -> None:
    query = parse_query(text)
    assert query.text == text
    assert query.reads == ()


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("SELECT 1 +\nFROM tmp.a", "syntax error at 'FROM': something is missing before it", Place(2, 1, 4)),
        ("WITH a AS (\n  SELECT 1 AS id\n)", "a query is missing after this WITH query", Place(3, 1, 1)),
        ("SELEC 1", "syntax error at '1': this is not expected here", Place(1, 7, 1)),
        ("SELECT (1", "syntax error at '1': Expecting )", Place(1, 9, 1)),
        ("\n  SELECT 'é', 1 +\n WHERE )", "syntax error at 'WHERE': something is missing before it", Place(3, 2, 5)),
    ],
)
def test_a_syntax_error_tells_what_and_where(text: str, reason: str, place: Place) -> None:
    error = refusal(text)
    assert (error.reason, error.place) == (reason, place)


@pytest.mark.parametrize("text", ["SELECT 'abc", "SELECT `abc", "SELECT 1 /* abc"])
def test_what_is_left_open_is_told(text: str) -> None:
    assert "left open" in refusal(text).reason


def test_a_script_s_statements_are_told_apart_and_keep_their_text() -> None:
    first = "CREATE OR REPLACE TABLE raw.a (id INT64, name STRING) AS\nSELECT 1, 'a;b' -- ;\n  UNION ALL SELECT 2, ';'"
    second = "INSERT INTO `raw.a` (id) VALUES (3)"
    statements = parse_script(f"-- the table\n{first};\n/* ; */;;\n{second}\n;-- end\n")
    assert [statement.text for statement in statements] == [first, second]
    assert [statement.target for statement in statements] == [TableName("raw", "a")] * 2


def test_a_script_without_statements_is_empty() -> None:
    assert parse_script("-- nothing;\n;;") == []


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE raw.a (x INT64)",
        "CREATE TABLE IF NOT EXISTS raw.a (x INT64)",
        "CREATE TABLE raw.a AS SELECT * FROM raw.b",
        "CREATE OR REPLACE TABLE raw.a CLONE raw.b",
        "INSERT INTO raw.a SELECT * FROM raw.b",
        "INSERT raw.a (x) VALUES (1)",
        "UPDATE raw.a SET x = 1 WHERE x IN (SELECT x FROM raw.b)",
        "DELETE FROM raw.a WHERE TRUE",
        "DELETE raw.a WHERE x IN (SELECT x FROM raw.b)",
        "MERGE raw.a USING raw.b ON a.x = b.x WHEN MATCHED THEN DELETE",
        "TRUNCATE TABLE raw.a",
        "DROP TABLE IF EXISTS raw.a",
        "ALTER TABLE raw.a ADD COLUMN y INT64",
    ],
)
def test_a_statement_s_target_is_the_table_that_it_creates_or_changes(text: str) -> None:
    [statement] = parse_script(text)
    assert statement.target == TableName("raw", "a")


@pytest.mark.parametrize(
    "text", ["SELECT * FROM raw.a", "CREATE SCHEMA raw", "CREATE TABLE a (x INT64)", "CREATE VIEW raw.v AS SELECT 1"]
)
def test_other_statements_have_no_target(text: str) -> None:
    [statement] = parse_script(text)
    assert statement.target is None


def test_a_script_s_syntax_error_has_its_place_in_the_whole_text() -> None:
    with pytest.raises(SqlError) as caught:
        parse_script("SELECT 1;\n\nSELECT 2 FROM WHERE;")
    assert caught.value.place == Place(3, 15, 5)


def test_place_at_counts_lines_and_columns_from_one() -> None:
    assert place_at("ab\ncd", 0, 1) == Place(1, 1, 2)
    assert place_at("ab\ncd", 4, 4) == Place(2, 2, 1)


@pytest.mark.parametrize(
    "call", ["SAFE.ABS(", "NET.HOST(", "DATE(", "Struct(", "STRING(", "STRUCT(DATE(", "[STRUCT(", "IF(TRUE, DATE("]
)
def test_calls_that_double_the_time_of_the_parser_may_stand_in_each_other_a_dozen_times(call: str) -> None:
    """With forty of them it would not end for years. Calls beside each other, and all others, are not counted."""
    doubling = sum(word in call for word in ("SAFE.ABS(", "NET.HOST(", "DATE(", "Struct(", "STRUCT(", "STRING("))
    ends = "".join("]" if bracket == "[" else ")" for bracket in reversed(call) if bracket in "[(")

    def nested(times: int) -> str:
        return f"SELECT {call * times}1{ends * times}"

    most = DEEPEST_READ_TWICE // doubling
    check_text(f"{nested(most)}, {nested(most)[7:]}")
    check_text(f"SELECT {'ABS(' * 100}1{')' * 100}")
    with pytest.raises(SqlError, match="nested too deeply") as caught:
        parse_query(nested(40))
    assert caught.value.place is not None
    assert len("SELECT ") + most * len(call) < caught.value.place.column <= len("SELECT ") + (most + 1) * len(call)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "SELECT id FORM tmp.a",
            "SELECT id FROM tmp.a WHER id = 1",
            "SELECT (1",
            "SELECT 1)",
            "SELEC 1",
            "SELECT 1 +",
        ),
        *("SELECT 1 FROM {{ a }}", "SELECT CAST(1 AS INTEGR)", "SELECT id FROM tmp.a WHERE", "SELECT 'it''s'"),
        *("SELECT UPPER('a', 1)", "CREATE TABLE raw.a (id INT64, name STRNG)"),
    ],
)
def test_what_is_certainly_wrong_is_an_error_on_bigquery_too(text: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse_script(text)
    assert not isinstance(caught.value, UnsupportedSql)


def test_a_text_that_only_the_parser_cannot_read_is_not_called_wrong() -> None:
    error = refusal("SELECT n.id FROM tmp.n TABLESAMPLE SYSTEM (10 PERCENT) AS n")
    assert isinstance(error, UnsupportedSql)
    assert "If BigQuery takes it" in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM tmp.a MATCH_RECOGNIZE (ORDER BY b PATTERN (x) DEFINE x AS TRUE)",
        "SELECT WITH DIFFERENTIAL_PRIVACY OPTIONS (epsilon = 1) COUNT(*) AS c FROM tmp.a",
    ],
)
def test_clauses_that_only_bigquery_has_are_named(text: str) -> None:
    error = refusal(text)
    assert isinstance(error, OnlyBigQuery)
    assert error.reason.startswith("only BigQuery has ")


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("SELECT regexp, t.from FROM tmp.select AS t WHERE glob > xor", "tmp.select"),
        ("FROM tmp.drop |> RENAME insert AS alter |> SET list = 1 |> WHERE ilike", "tmp.drop"),
        ("SELECT e, o FROM tmp.a AS q, q.items AS e WITH OFFSET AS o", "tmp.a"),
        ("SELECT items, offset FROM tmp.a AS q LEFT JOIN q.items WITH OFFSET", "tmp.a"),
    ],
)
def test_words_that_are_keywords_in_other_dialects_only_are_names(text: str, table: str) -> None:
    assert reads(text) == [table]


def test_query_parameters_are_found_once_each_and_system_variables_are_none() -> None:
    preamble = "DECLARE d DATE DEFAULT @day;"
    text = " " * len(preamble) + "SELECT @Day, @n AS `@x`, '@y' -- @z\nFROM t.t WHERE a = @@time_zone LIMIT @N"
    found = parse_query(text, preamble=preamble).parameters
    assert [(one.name, one.place) for one in found] == [("day", Place(1, 24, 4)), ("n", Place(1, 42, 2))]


def test_an_alias_named_like_a_dataset_does_not_hide_its_tables_in_back_ticks() -> None:
    assert reads("SELECT d.id FROM `d.a` AS d, `d.b` AS b JOIN d.lines") == ["d.a", "d.b"]


@pytest.mark.parametrize("call", ["REGEXP_EXTRACT(s)", "REGEXP_EXTRACT(s, '[[:alpha:]]')", "DATE_ADD(d)", "TIME_SUB()"])
def test_calls_that_the_parser_cannot_build_are_read_all_the_same(call: str) -> None:
    assert reads(f"SELECT {call} FROM tmp.a") == ["tmp.a"]

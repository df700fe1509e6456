"""What a script may not be, named for what it is: a template, a statement that is no query, legacy SQL."""

import pytest

from warehouse_refresh.warehouse.errors import OnlyBigQuery, SqlError
from warehouse_refresh.warehouse.sql.definition import parse_definition
from warehouse_refresh.warehouse.sql.parser import parse_script
from warehouse_refresh.warehouse.sql.query import Query, parse_query


def read(text: str) -> Query:
    definition = parse_definition(text)
    return parse_query(definition.query_text, None, definition.preamble)


def refusal(text: str) -> SqlError:
    with pytest.raises(SqlError) as caught:
        read(text)
    return caught.value


TEMPLATES = [
    ("SELECT * FROM {{ ref('orders') }}", "{{ ref('orders') }}", "write the table's name: `dataset.table`"),
    ("SELECT * FROM {{ source('a', 'b') }} AS s", "{{ source('a', 'b') }}", "write the table's name"),
    ('SELECT * FROM ${ref("orders")}', '${ref("orders")}', "write the table's name"),
    ("{{ config(materialized='table') }}\nSELECT 1 AS x", "{{ config(materialized='table') }}", "leave it out"),
    ("{{- config(\n  materialized='table'\n) }} SELECT 1", "{{- config( materialized='table' ) }}", "leave it out"),
    ('config { type: "table" }\nSELECT 1 AS x', 'config { type: "table" }', "leave it out"),
    ("{% set x = 1 %}SELECT 1 AS x", "{% set x = 1 %}", "write the SQL that it makes"),
    ("SELECT 1 AS x {% if y %}, 2 AS y{% endif %}", "{% if y %}", "write the SQL that it makes"),
    ("{# a comment #}SELECT 1 AS x", "{# a comment #}", "a comment is /* … */"),
    ("SELECT {{ x }} AS x", "{{ x }}", "write what it stands for"),
    ("SELECT 1 AS x -- it's\nFROM ${table}", "${table}", "write what it stands for"),
    ("SELECT * FROM `${project}.tmp.x`", "`${project}.tmp.x`", "write what it stands for"),
    ("SELECT * FROM `{{ project }}.tmp.x`", "`{{ project }}.tmp.x`", "write what it stands for"),
    ("SELECT * FROM `{project}.tmp.x`", "`{project}.tmp.x`", "write what it stands for"),
    ("SELECT * FROM `<project>.tmp.x`", "`<project>.tmp.x`", "write what it stands for"),
    ("SELECT * FROM <your project>.tmp.x", "<your project>", "write what it stands for"),
    ("SELECT * FROM {project}.tmp.x", "{project}", "write what it stands for"),
    ("SELECT * FROM %(dataset)s.x", "%(dataset)s", "write what it stands for"),
    ("SELECT * FROM @cdm.person WHERE x = <value>", "@cdm", "write what it stands for"),
    ("DECLARE x INT64 DEFAULT {{ x }}; SELECT x AS x", "{{ x }}", "write what it stands for"),
    ("CREATE TABLE {{ name }} AS SELECT 1 AS x", "{{ name }}", "write what it stands for"),
    ("SELECT {{ " + "x" * 80 + " }} AS x", "{{ " + "x" * 54 + "…", "write what it stands for"),
]


@pytest.mark.parametrize(("text", "template", "hint"), TEMPLATES)
def test_a_template_is_named_as_one_with_its_place(text: str, template: str, hint: str) -> None:
    error = refusal(text)
    assert error.reason == f"{template} is a template, not SQL"
    assert hint in error.hint
    assert error.place is not None
    line = text.split("\n")[error.place.line - 1]
    assert line[error.place.column - 1 :].startswith(template[:5])
    assert type(error) is SqlError


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '{{ x }}' AS x, \"${y}\" AS y",
        "SELECT '''{{ x }}\n{% y %}''' AS x -- {{ z }}",
        "SELECT 1 AS x # {{ z }}\n/* ${y} */",
        "SELECT a < b AS x, c > d AS y FROM `tmp.a`",
        "SELECT CAST([] AS ARRAY<STRUCT<a INT64, b ARRAY<STRING>>>) AS x",
        "SELECT REGEXP_CONTAINS(a, r'^\\d{2}<b>[a:b]$') AS x FROM `tmp.a`",
        "SELECT 1 AS `<5`",
        "SELECT 1 AS `{x}`, 2 AS `${y}.z`, `{{ a }}` AS b FROM `tmp.a`",
        'SELECT JSON \'{"a": {"b": 1}}\' AS j',
    ],
)
def test_the_marks_of_a_template_are_text_in_strings_and_comments(text: str) -> None:
    assert read(text).text == text


def test_a_template_in_db_init_is_named_too() -> None:
    with pytest.raises(SqlError, match=r"\{\{ x \}\} is a template, not SQL"):
        parse_script("CREATE TABLE raw.a (id INT64);\nINSERT INTO raw.a VALUES ({{ x }})")


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("INSERT INTO tmp.a SELECT 1", "the script is not a query but an INSERT", "write its SELECT alone"),
        ("-- daily\nMERGE tmp.a USING tmp.b ON TRUE WHEN MATCHED THEN DELETE", "a MERGE", "write one SELECT"),
        ("DELETE FROM tmp.a WHERE TRUE; INSERT INTO tmp.a SELECT 1", "a DELETE", "leave the rows out with WHERE"),
        ("UPDATE tmp.a SET x = 1 WHERE TRUE", "an UPDATE", "compute the new values in the SELECT"),
        ("TRUNCATE TABLE tmp.a", "a TRUNCATE", "leave it out"),
        ("ALTER TABLE tmp.a ADD COLUMN x INT64", "an ALTER", "into the SELECT"),
        ("EXPORT DATA OPTIONS (uri = 'gs://a/*') AS SELECT 1 AS x", "an EXPORT", "by hand"),
        ("LOAD DATA INTO tmp.a FROM FILES (uris = ['gs://a'])", "a LOAD", "as a source"),
        ("ASSERT (SELECT TRUE) AS 'x'", "an ASSERT", "ERROR('what is wrong')"),
        ("SELECT 1 AS x; ASSERT TRUE", "the script holds 2 statements", "ERROR('what is wrong')"),
        ("SELECT 1 AS x; SELECT 2 AS x", "the script holds 2 statements", "give each other table its own script"),
        ("GRANT `roles/x` ON TABLE tmp.a TO 'user:a'", "a GRANT", "by hand"),
        ("CALL tmp.p()", "a CALL", "one query for each table"),
        ("DECLARE x INT64; INSERT INTO tmp.a SELECT x", "an INSERT", "write its SELECT alone"),
        ("#legacySQL\nSELECT 1 AS x", "legacy SQL cannot be read", "write GoogleSQL"),
        ("SELECT x FROM [my-project:tmp.a]", "legacy SQL cannot be read", "in back-ticks"),
    ],
)
def test_a_statement_that_is_no_query_says_what_to_write(text: str, reason: str, hint: str) -> None:
    error = refusal(text)
    assert reason in error.reason
    assert hint in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN SELECT 1; END",
        "BEGIN TRANSACTION; SELECT 1; COMMIT TRANSACTION",
        "IF TRUE THEN SELECT 1; END IF",
        "WHILE TRUE DO SELECT 1; END WHILE",
        "LOOP SELECT 1; END LOOP",
        "REPEAT SELECT 1; UNTIL TRUE END REPEAT",
        "FOR r IN (SELECT 1 AS x) DO SELECT r.x; END FOR",
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "DECLARE x INT64 DEFAULT 1; IF x = 1 THEN SELECT 1; END IF",
    ],
)
def test_a_program_is_refused_in_one_way_and_in_silence(text: str, caplog: pytest.LogCaptureFixture) -> None:
    for reader in (read, parse_script) if not text.startswith("DECLARE") else (read,):
        with pytest.raises(OnlyBigQuery, match=r"a script with \w+( IMMEDIATE)? is not supported"):
            reader(text)
    assert caplog.records == []


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE IF EXISTS tmp.a; CREATE TABLE tmp.a AS SELECT 1 AS x",
        "DROP VIEW tmp.a;\nCREATE OR REPLACE VIEW tmp.a AS SELECT 1 AS x;",
        "DROP TABLE IF EXISTS `p.tmp.a`; CREATE TABLE `p.tmp.a` AS SELECT 1 AS x",
        "CREATE SCHEMA IF NOT EXISTS tmp; CREATE OR REPLACE TABLE tmp.a AS SELECT 1 AS x",
        "CREATE SCHEMA `p.tmp`; DROP VIEW IF EXISTS p.tmp.a; CREATE VIEW `p.tmp.a` AS SELECT 1 AS x",
    ],
)
def test_what_a_refresh_does_anyway_is_as_if_it_were_not_there(text: str) -> None:
    definition = parse_definition(text)
    assert definition.name[-2:] == ("tmp", "a")
    assert definition.query_text.strip(" \n;") == "SELECT 1 AS x"
    assert definition.preamble.strip() == ""


def test_it_may_stand_after_a_declaration() -> None:
    text = "DECLARE n INT64 DEFAULT 1; CREATE SCHEMA tmp; DROP TABLE tmp.a; CREATE TABLE tmp.a AS SELECT n AS x"
    definition = parse_definition(text)
    assert definition.query_text.strip() == "SELECT n AS x"
    assert definition.preamble.split() == ["DECLARE", "n", "INT64", "DEFAULT", "1;"]


@pytest.mark.parametrize("text", ["DROP TABLE tmp.b; CREATE TABLE tmp.a AS SELECT 1 AS x", "DROP TABLE tmp.a"])
def test_a_drop_of_anything_else_is_refused(text: str) -> None:
    assert refusal(text).reason == "the script is not a query but a DROP"


@pytest.mark.parametrize(
    "text",
    [
        "CREATE SCHEMA other; CREATE TABLE tmp.a AS SELECT 1 AS x",
        "CREATE SCHEMA tmp OPTIONS (location = 'EU'); CREATE TABLE tmp.a AS SELECT 1 AS x",
        "CREATE SCHEMA tmp",
    ],
)
def test_another_dataset_or_one_with_options_is_refused(text: str) -> None:
    assert refusal(text).reason == "the script is not a query but a CREATE SCHEMA"


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("SELECT * FROM ML.PREDICT(MODEL `tmp.m`, (SELECT * FROM `tmp.x`))", ["tmp.x"]),
        ("SELECT * FROM ML.PREDICT(MODEL tmp.m, TABLE tmp.x, STRUCT(0.5 AS threshold))", ["tmp.x"]),
        ("SELECT * FROM ML.EVALUATE(MODEL `p.tmp.m`)", []),
        ("SELECT * FROM AI.FORECAST(TABLE tmp.x, data_col => 'a', timestamp_col => 'b')", ["tmp.x"]),
        ("SELECT * FROM VECTOR_SEARCH((SELECT * FROM tmp.x), 'e', TABLE `tmp.y`, top_k => 2)", ["tmp.x", "tmp.y"]),
        ("SELECT * FROM APPENDS(TABLE p.tmp.x, NULL, NULL)", ["tmp.x"]),
        ("SELECT * FROM tmp.f(1, TABLE tmp.x) JOIN tmp.y USING (id)", ["tmp.x", "tmp.y"]),
        ("SELECT * FROM EXTERNAL_QUERY('us.c', 'SELECT * FROM a.b')", []),
        ("SELECT id, model m FROM tmp.x WHERE (model) IN (SELECT model FROM tmp.y)", ["tmp.x", "tmp.y"]),
    ],
)
def test_tables_that_a_function_takes_are_read_and_models_are_not(text: str, reads: list[str]) -> None:
    assert [str(read.table) for read in read(text).within("p").reads] == reads

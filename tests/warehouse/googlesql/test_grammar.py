"""What sqlglot reads past is no GoogleSQL: it is refused, at the token that cannot stand there."""

import re

import pytest

from tests.warehouse.googlesql.shapes import shapes
from warehouse_refresh.warehouse.duckdb.translate.reading.grammar import check_grammar
from warehouse_refresh.warehouse.errors import UnsupportedSql

SLIPS = [
    ("SELECT a FROM t «*» o JOIN u", "*"),
    ("SELECT a FROM t, NOT «u»", ""),
    ("SELECT a FROM t PIVOT(SUM(a) FOR b IN (1, NULL «2»))", ""),
    ("SELECT a FROM t «)» u", ")"),
    ("SELECT AS STRUCT «, » x FROM t", ","),
    ("SELECT a FROM t LIMIT 1 «JOIN» u", "JOIN"),
    ("SELECT a FROM t GROUP «AND» GROUP BY k", "AND"),
    ("SELECT SAFE.CAST(x AS STRING «FORMAT» 'HH24')", "FORMAT"),
    ("SELECT JSON '{}'. «SELECT»", "SELECT"),
    ("SELECT SUM(x NOT«,» y) FROM t", ","),
    ("SELECT CASE WHEN TRUE «NUMERIC» '1' ELSE 2 END", "NUMERIC"),
    ("SELECT WITH(a AS 1, (SELECT a) «LIMIT» 1)", "LIMIT"),
    ("SELECT b = b'a' «IS» NULL", "IS"),
    ("SELECT * FROM (SELECT 1 AS a) «'name'» WHERE TRUE", "'name'"),
    ("SELECT a, b c «d» FROM t", "d"),
    ("SELECT 1 AS a LEFT UNION ALL BY NAME ON «()» SELECT 3 AS b", ""),
    ("FROM t |> UNPIVOT UNPIVOT«(v FOR n IN (a, b))»", "(v FOR n IN (a, b))"),
    ("-- a comment\nSELECT a /* b */ «FROM» FROM t", "FROM"),
]


@pytest.mark.parametrize(("marked", "token"), SLIPS)
def test_a_slip_is_refused_at_its_token(marked: str, token: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    with pytest.raises(UnsupportedSql) as raised:
        check_grammar(text)
    place = raised.value.place
    assert place is not None
    line = text.splitlines()[place.line - 1]
    assert not token or line[place.column - 1 : place.column - 1 + place.length].strip() == token.strip()


@pytest.mark.parametrize("ending", [";", ";;", " -- a comment", "/* ( */", "\n# ("])
def test_what_follows_a_query_is_left_aside(ending: str) -> None:
    check_grammar(f"SELECT 'a -- (' AS x, `b (` FROM t{ending}")


def test_a_text_of_many_brackets_is_read_in_one_go() -> None:
    check_grammar(f"SELECT {'(' * 150}1{')' * 150}, {'+'.join('1' * 5_000)}, [{', '.join('1' * 5_000)}]")


def test_a_slip_in_a_very_long_text_is_refused_as_a_whole() -> None:
    columns = ", ".join(f"a{number} AS b{number}" for number in range(1_000))
    text = f"SELECT {columns} c FROM t"
    with pytest.raises(UnsupportedSql) as raised:
        check_grammar(text)
    place = raised.value.place
    assert place is not None
    assert (place.column, place.length) == (1, len(text))


def test_other_statements_than_queries_are_left_aside() -> None:
    check_grammar("CREATE TABLE d.t (a INT64 OPTIONS (description = 'b'), c STRING NOT NULL)")


def test_words_of_shapes_in_any_case_are_read() -> None:
    texts = [shape.sql for shape in shapes() if shape.topic in ("PIVOT", "QUALIFY") and "'" not in shape.sql]
    fitting = [text for text in texts if fits(text)]
    assert len(fitting) > 20
    assert all(fits(text.lower()) for text in fitting)


def fits(text: str) -> bool:
    try:
        check_grammar(text)
    except UnsupportedSql:
        return False
    return True


DASHED = """
SELECT 1 FROM my-shop-123.tmp.a AS b JOIN my-shop.tmp.a USING (x)
SELECT 1 FROM t, my-shop-1.tmp.a AS b, u
SELECT a, b-c.d, e-1.5, (f-g.h) FROM (my-p-1.d.t JOIN /* my-p */ my-p.d.`u` USING (id))
FROM -- my-shop is ours
  my-shop-2.tmp.a |> JOIN my-other-1.b.c ON TRUE
"""


@pytest.mark.parametrize("text", re.split(r"\n(?=[SF])", DASHED.strip()))
def test_a_project_s_name_may_have_dashes(text: str) -> None:
    check_grammar(text)

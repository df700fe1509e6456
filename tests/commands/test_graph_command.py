"""`refresh graph`: pictures, and where columns come from."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.commands.test_check import GOOD
from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.lineage.columns import Lineage
from warehouse_refresh.pipeline.project.lineage.picture import Picture, mermaid, svg
from warehouse_refresh.pipeline.project.reading import read_project
from warehouse_refresh.pipeline.project.selectors import SelectionError
from warehouse_refresh.pipeline.raw.init_scripts import read_init_scripts
from warehouse_refresh.pipeline.raw.raw_columns import declared_columns
from warehouse_refresh.warehouse.names import TableName

SVG = "{http://www.w3.org/2000/svg}"


def test_mermaid_has_a_box_for_each_table_and_an_arrow_for_each_read(
    demonstration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    boxes = dict(re.findall(r"^    (\w+)\W+\"([^\"]+)\"", "\n".join(lines), re.MULTILINE))
    arrows = {(boxes[one], boxes[two]) for one, two in re.findall(r"(\w+) --> (\w+)", "\n".join(lines))}
    scripts = read_project(demonstration).scripts.values()
    reads = {(str(read.table), str(script.table)) for script in scripts for read in script.query.reads}
    assert first == "flowchart LR"
    assert arrows == reads
    assert len(boxes) == 15


def test_tables_whose_names_look_alike_keep_boxes_of_their_own() -> None:
    one, two = TableName("tmp", "a-b"), TableName("tmp", "a_b")
    printed = mermaid(Picture({one: [], two: [one]}, {one: "a", two: "b"}))
    assert 'tmp_a_b["tmp.a-b"]' in printed
    assert 'tmp_a_b_2["tmp.a_b"]' in printed
    assert "tmp_a_b --> tmp_a_b_2" in printed


@pytest.mark.usefixtures("demonstration")
def test_svg_is_a_picture_that_a_browser_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "graph.svg"
    assert main(["graph", "--svg", str(path)]) == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    picture = ElementTree.fromstring(path.read_bytes())
    assert picture.tag == f"{SVG}svg"
    assert {text.text for text in picture.iter(f"{SVG}text")} >= {"raw.pictures", "tmp.variants", "final.products"}
    assert sum(group.get("class") == "edge" for group in picture.iter(f"{SVG}g")) == 15
    links = {link.get("{http://www.w3.org/1999/xlink}href") or "" for link in picture.iter(f"{SVG}a")}
    assert len(links) == 8
    assert all((tmp_path / link).is_file() for link in links)


def test_too_many_tables_for_a_drawing_are_told_at_once() -> None:
    edges: dict[TableName, list[TableName]] = {TableName("tmp", f"t{number}"): [] for number in range(10_000)}
    with pytest.raises(SelectionError, match="cannot draw 10,000 tables in a useful time, but at most 3,000: choose"):
        svg(Picture(edges, {}))


@pytest.mark.usefixtures("demonstration")
def test_a_part_of_the_picture_shows_what_is_selected_and_what_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "final.products", "tmp.product_images"]) == 0
    assert capsys.readouterr().out == (
        "flowchart LR\n"
        '    raw_pictures[("raw.pictures")]\n'
        '    tmp_products["tmp.products"]\n'
        '    tmp_variants["tmp.variants"]\n'
        '    tmp_product_images["tmp.product_images"]\n'
        '    final_products["final.products"]\n'
        "    raw_pictures --> tmp_product_images\n"
        "    tmp_products --> final_products\n"
        "    tmp_variants --> final_products\n"
    )


@pytest.mark.usefixtures("demonstration")
def test_datasets_are_one_box_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "--datasets"]) == 0
    assert capsys.readouterr().out == (
        'flowchart LR\n    d1["raw (7)"]\n    d2["tmp (7)"]\n    d3["final (1)"]\n    d1 -->|8| d2\n    d2 -->|2| d3\n'
    )


CHAIN = {
    **GOOD,
    "res/tmp/a.sql": "SELECT * FROM `raw.orders`\n",
    "res/tmp/c.sql": "SELECT id,\n  price * 2 AS double\nFROM `tmp.a`\n",
    "res/tmp/d.sql": "SELECT double FROM `tmp.c`\n",
    "res/final/b.sql": "SELECT id FROM `tmp.a`\n",
    "res/dependencies.toml": '[tmp]\nc = ["tmp.a"]\nd = ["tmp.c"]\n[final]\nb = ["tmp.a"]\n',
}

WITHOUT_PRICE = """error: res/tmp/c.sql:2:3: there is no column price
  2 |   price * 2 AS double
    |   ^^^^^
  help: the tables here are named a

tmp.a.price goes with it
tmp.d is not built: a table that it reads is not
without raw.orders.price: 1 script cannot run
"""


@pytest.mark.parametrize(
    ("column", "printed"),
    [
        ("raw.orders.price", WITHOUT_PRICE),
        ("tmp.c.id", "without tmp.c.id: every script still runs\n"),
        ("final.b.id", "without final.b.id: every script still runs\n"),
    ],
)
def test_what_breaks_without_a_column(
    write: Write, capsys: pytest.CaptureFixture[str], column: str, printed: str
) -> None:
    write(CHAIN)
    assert main(["graph", "--readers", column]) == 0
    assert capsys.readouterr().out == printed


def test_a_tables_only_column_breaks_its_readers(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**CHAIN, "res/tmp/e.sql": "SELECT * FROM `tmp.d`", "res/dependencies.toml": CHAIN["res/dependencies.toml"]})
    assert main(["sync"]) == 0
    capsys.readouterr()
    assert main(["graph", "--readers", "tmp.d.double"]) == 0
    assert capsys.readouterr().out == "tmp.e.double goes with it\nwithout tmp.d.double: every script still runs\n"


def test_a_column_that_is_not_there_is_told_with_the_closest(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(CHAIN)
    assert main(["graph", "--readers", "raw.orders.prize"]) == 2
    assert "no table has this column; did you mean raw.orders.price?" in capsys.readouterr().err


@pytest.mark.usefixtures("demonstration")
def test_a_place_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "--svg", "nowhere/graph.svg"]) == 2
    assert "error: nowhere/graph.svg: the picture cannot be written: No such file" in capsys.readouterr().err


@pytest.mark.usefixtures("demonstration")
def test_columns_are_followed_through_all_scripts_down_to_raw(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "--columns", "final.products"]) == 0
    printed = capsys.readouterr().out
    assert (
        "final.products.category\n"
        "└─ tmp.products.category\n"
        "   └─ tmp.product_categories.category\n"
        "      └─ raw.categories.category_name\n"
    ) in printed
    assert "│     ├─ raw.purchase_items.batch_id\n" in printed


def test_every_column_of_the_demonstration_comes_from_raw(demonstration: Path) -> None:
    columns = declared_columns(read_init_scripts(demonstration / "db_init")).columns
    names = {table: [column.name for column in known] for table, known in columns.items()}
    project = read_project(demonstration)
    lineage = Lineage(project.scripts, names)
    for table in project.scripts:
        for origins in lineage.of(table).values():
            assert origins
            for origin in origins:
                assert origin.column in lineage.of(origin.table), origin


@pytest.mark.usefixtures("demonstration")
def test_a_table_that_is_not_there_is_told_with_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "--columns", "final.product"]) == 2
    assert "no script builds final.product; did you mean final.products?" in capsys.readouterr().err


P, Q = "p", "q"
SOURCES = {TableName("raw", P): ["id", "x", "items", "maker"], TableName("raw", Q): ["id", "y"]}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT x FROM raw.p", {"x": "p.x"}),
        ("SELECT p.x AS a, 1 AS one FROM raw.p", {"a": "p.x", "one": ""}),
        ("SELECT X FROM raw.p AS P", {"X": "p.x"}),
        ("SELECT x + y AS s FROM raw.p JOIN raw.q USING (id)", {"s": "p.x q.y"}),
        ("SELECT * FROM raw.q", {"id": "q.id", "y": "q.y"}),
        ("SELECT p.* EXCEPT (items, maker), q.y FROM raw.p, raw.q", {"id": "p.id", "x": "p.x", "y": "q.y"}),
        ("SELECT * REPLACE (y + id AS y) FROM raw.q", {"id": "q.id", "y": "q.id q.y"}),
        ("WITH w AS (SELECT x AS a FROM raw.p) SELECT a AS b FROM w", {"b": "p.x"}),
        ("WITH v AS (SELECT x AS a FROM raw.p), w AS (SELECT a AS c FROM v) SELECT c FROM w", {"c": "p.x"}),
        ("SELECT a FROM (SELECT y AS a FROM raw.q) AS s", {"a": "q.y"}),
        ("SELECT x FROM raw.p UNION ALL SELECT y FROM raw.q", {"x": "p.x q.y"}),
        ("SELECT id, x FROM raw.p UNION ALL BY NAME SELECT y AS x, id FROM raw.q", {"x": "p.x q.y", "id": "p.id q.id"}),
        ("SELECT x FROM raw.p FULL UNION ALL BY NAME SELECT y FROM raw.q", {"x": "p.x", "y": "q.y"}),
        ("FROM raw.p |> SELECT x, id |> RENAME x AS z", {"z": "p.x", "id": "p.id"}),
        ("SELECT COUNT(*) AS n, SUM(y) OVER (PARTITION BY id) AS s FROM raw.q", {"n": "", "s": "q.id q.y"}),
        ("SELECT ARRAY_AGG(STRUCT(x, y AS z) ORDER BY q.id LIMIT 1) AS a FROM raw.p, raw.q", {"a": "p.x q.y"}),
        ("SELECT maker.name AS n, p.maker.city AS c FROM raw.p", {"n": "p.maker", "c": "p.maker"}),
        ("SELECT i.sku AS s, o FROM raw.p, UNNEST(items) AS i WITH OFFSET AS o", {"s": "p.items", "o": ""}),
        ("SELECT i FROM raw.p, p.items AS i", {"i": "p.items"}),
        (
            "SELECT i, z.sku AS s, b, o FROM raw.p, UNNEST([p.x] AS i, p.items AS z, [id] AS b) WITH OFFSET AS o",
            {"i": "p.x", "s": "p.items", "b": "p.id", "o": ""},
        ),
        ("SELECT (SELECT MAX(y) FROM raw.q WHERE q.id = p.id) AS m FROM raw.p", {"m": "q.y"}),
        ("SELECT ARRAY(SELECT AS STRUCT i.a, x FROM UNNEST(p.items) AS i) AS a FROM raw.p", {"a": "p.items p.x"}),
        ("SELECT p AS whole FROM raw.q AS p", {"whole": "q.id q.y"}),
        (
            "DECLARE least, most INT64 DEFAULT 1; SELECT i + least AS n, most AS m FROM raw.p, UNNEST(items) AS i",
            {"n": "p.items", "m": ""},
        ),
        ("DECLARE x INT64 DEFAULT (SELECT MAX(y) FROM raw.q); SELECT x AS v FROM raw.q", {"v": "q.y"}),
        ("DECLARE v INT64; SET v = (SELECT MAX(y) FROM raw.q); SELECT v FROM raw.p", {"v": "q.y"}),
        ("DECLARE x INT64 DEFAULT 1; SELECT x AS column FROM raw.p", {"column": "p.x"}),
        ("CREATE TEMP FUNCTION f(x INT64) AS (x * 2); SELECT f(y) AS z FROM raw.q", {"z": "q.y"}),
        (
            "CREATE TEMP FUNCTION f(v INT64) AS (v + (SELECT MAX(y) FROM raw.q)); SELECT f(x) AS z FROM raw.p",
            {"z": "p.x q.y"},
        ),
        ("SELECT tmp.net(x, id) AS a, `my-shop`.tmp.net(x, 1) AS b FROM raw.p", {"a": "p.x p.id q.y", "b": "p.x q.y"}),
        (
            "SELECT (SELECT MAX(sku) FROM UNNEST(items)) AS m, o FROM raw.p, UNNEST(items) WITH OFFSET AS o",
            {"m": "p.items", "o": ""},
        ),
        ("SELECT y, _TABLE_SUFFIX AS s FROM `raw.q*`", {"y": "q.y", "s": ""}),
        ("SELECT IF(x > 1, y, 0) AS c FROM raw.p JOIN raw.q ON p.id = q.id WHERE items IS NULL", {"c": "p.x q.y"}),
        ("SELECT * FROM raw.q PIVOT (SUM(y) FOR id IN (1, 2))", {"_1": "q.y", "_2": "q.y"}),
        (
            "SELECT * FROM raw.p PIVOT (MAX(id) AS most, COUNT(*) AS n FOR x IN (1 AS one, 2))",
            {"items": "p.items", "most_one": "p.id", "most_2": "p.id", "n_one": "", "n_2": ""},
        ),
        ("SELECT most_one + 1 AS s FROM raw.q PIVOT (MAX(y) AS most FOR id IN (1 AS one))", {"s": "q.y"}),
        ("SELECT * FROM raw.p UNPIVOT (v FOR k IN (id, x AS 'x'))", {"items": "p.items", "v": "p.id p.x", "k": ""}),
        ("SELECT * FROM raw.p UNPIVOT ((v, w) FOR k IN ((id, x)))", {"v": "p.id", "w": "p.x", "k": ""}),
        ("SELECT * FROM raw.unknown PIVOT (SUM(y) FOR id IN (1, 2))", {"*": "unknown.*"}),
        ("SELECT anything FROM raw.unknown", {"anything": "unknown.anything"}),
        ("SELECT y FROM `my-shop.raw.q`", {"y": "q.y"}),
        ("SELECT y AS z FROM `my-shop`.raw.q, `others.shared.days`", {"z": "q.y others.shared.days.y"}),
        (
            "SELECT table_name AS t FROM tmp.INFORMATION_SCHEMA.TABLES",
            {"t": "tmp.INFORMATION_SCHEMA.TABLES.table_name"},
        ),
    ],
)
def test_the_origins_of_a_column(write: Write, sql: str, expected: dict[str, str]) -> None:
    net = "CREATE FUNCTION tmp.net(a INT64, b INT64) AS (a + b + (SELECT MAX(y) FROM raw.q))"
    raw = {"res/raw/p": "", "res/raw/q": "", "res/raw/unknown": ""}
    folder = write({"res/tmp/t.sql": sql, "res/functions/net.sql": net, **raw})
    found = Lineage(read_project(folder).scripts, SOURCES).of(TableName("tmp", "t"))
    for name, origins in expected.items():
        assert {str(origin).removeprefix("raw.") for origin in found[name]} == set(origins.split())


def test_what_a_column_comes_from_by_two_ways_is_told_once(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        {
            **GOOD,
            "res/tmp/c.sql": "SELECT id, price * 2 AS price FROM `tmp.a`",
            "res/final/b.sql": "SELECT a.price + c.price AS cost FROM `tmp.a` AS a JOIN `tmp.c` AS c USING (id)",
            "res/dependencies.toml": '[tmp]\nc = ["tmp.a"]\n[final]\nb = ["tmp.a", "tmp.c"]\n',
        }
    )
    assert main(["graph", "--columns", "final.b"]) == 0
    assert capsys.readouterr().out == (
        "final.b.cost\n├─ tmp.a.price\n│  └─ raw.orders.price\n└─ tmp.c.price\n   └─ tmp.a.price (see above)\n"
    )

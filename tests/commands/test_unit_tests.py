"""`refresh test`: unit tests of scripts."""

from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main

SHOP = {
    "db_init/raw.sql": "CREATE TABLE raw.orders (id INT64, price NUMERIC, day DATE, tags ARRAY<STRING>, rate FLOAT64);",
    "res/raw/orders": "",
    "res/tmp/orders.sql": "SELECT id, price * 2 AS price, day, tags, rate FROM `raw.orders`\n",
    "res/final/today.sql": "SELECT id, price FROM `tmp.orders` WHERE day = CURRENT_DATE() AND price > @least\n",
    "res/dependencies.toml": '[final]\ntoday = ["tmp.orders"]\n',
    "refresh.toml": "[variables]\nleast = 5\n",
}

MUTANTS = {
    "tmp/inventory_items": ("SUM(", "MAX("),
    "tmp/item_purchase_prices": ("ORDER BY items.batch_id", "ORDER BY items.currency DESC"),
    "tmp/product_categories": ("MIN(", "MAX("),
    "tmp/product_images": ("ORDER BY id", "ORDER BY -id"),
    "tmp/variant_images": ("WHERE type = 'variant'", ""),
    "tmp/products": ("LEFT JOIN `tmp.product_categories`", "INNER JOIN `tmp.product_categories`"),
    "tmp/variants": ("= variants.id", "= variants.product_id"),
    "final/products": ("ORDER BY sku", "ORDER BY name"),
}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["test", *arguments])
    return code, "".join(capsys.readouterr())


def shop(write: Write, tests: str, **files: str) -> None:
    write({**SHOP, "res/tmp/orders.test.toml": tests, **files})


@pytest.mark.usefixtures("demonstration")
def test_the_demonstrations_tests_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys) == (0, "10 tests passed\n")
    assert main(["check", "--strict"]) == 0


@pytest.mark.parametrize("script", MUTANTS)
def test_a_planted_fault_in_each_script_is_caught(
    demonstration: Path, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = demonstration / f"res/{script}.sql"
    before, after = MUTANTS[script]
    text = path.read_text().replace(before, after)
    assert text != path.read_text()
    path.write_text(text)
    code, out = run(capsys)
    assert (code, f"failed: {script.replace('/', '.')}" in out) == (1, True)


def test_rows_that_differ_are_shown_cell_by_cell(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    shop(
        write,
        """[doubles]
given."raw.orders" = [{ id = 1, price = 1.5 }, { id = 2, price = 2 }, { id = 4 }]
expected = [{ id = 1, price = 3 }, { id = 2, price = 5 }, { id = 3, price = 7 }]
""",
    )
    code, out = run(capsys)
    assert code == 1
    assert "failed: tmp.orders: doubles  (res/tmp/orders.test.toml:1)" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["expected", "2", "[5]"] in lines
    assert ["got", "2", "[4]"] in lines
    assert ["missing", "[3]", "[7]"] in lines
    assert ["too", "much", "[4]", "[NULL]"] in lines
    assert not any("3" in line and "expected" in line for line in lines)
    assert "1 of 1 test failed" in out


@pytest.mark.parametrize(
    "test",
    [
        'expected = [{ id = 1, tags = [], rate = 0.3 }]\ngiven."raw.orders" = [{ id = 1, rate = 0.30000000000000004 }]',
        'expected = [{ id = 1 }, { id = 1 }]\ngiven."raw.orders" = [{ id = 1, price = 2 }, { id = 1, rate = nan }]',
        "expected = []",
        'expected = [{ day = 2026-01-31, rate = inf }]\ngiven."raw.orders" = [{ day = 2026-01-31, rate = inf }]',
        'expected = [{ id = 2 }, { id = 1 }]\ngiven."raw.orders" = [{ id = 1 }, { id = 2 }]',
        'expected = [{ id = 1 }]\ncolumns = ["id", "price"]\ngiven."raw.orders" = [{ id = 1 }]',
        'expected = [{ rate = 1 }]\ntolerance = 0.1\ngiven."raw.orders" = [{ rate = 1.05 }]',
        'error = "numeric out of range"\ngiven."raw.orders" = [{ price = "99999999999999999999999999999" }]',
        'expected = [{ id = 1 }]\nscript = "final.today"\nnow = 2026-01-31T23:59:00Z\n'  # noqa: ISC004
        'given."tmp.orders" = [{ id = 1, price = 6, day = 2026-01-31 }, { id = 2, price = 6, day = 2026-02-01 }]',
        'expected = [{ id = 1, price = 4 }]\nscript = ["tmp.orders", "final.today"]\nnow = 2026-01-31T00:00:00Z\n'  # noqa: ISC004
        'variables = { least = 1 }\ngiven."raw.orders" = [{ id = 1, price = 2, day = 2026-01-31 }]',
    ],
)
def test_what_is_as_expected_passes(write: Write, capsys: pytest.CaptureFixture[str], test: str) -> None:
    shop(write, f"[it]\n{test}\n")
    assert run(capsys) == (0, "1 test passed\n")


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ('expected = [{ id = 2 }, { id = 1 }]\nin_order=true\ngiven."raw.orders" = [{ id = 1 }, { id = 2 }]', "2 rows"),
        ('expected = [{ id = 1 }]\ncolumns = ["id", "price"]\ngiven."raw.orders" = [{ id = 1, price = 2 }]', "[4]"),
        ('error = "numeric out of range"\ngiven."raw.orders" = [{ price = 1 }]', "and tmp.orders gave 1 rows"),
        ('expected = []\ngiven."raw.orders" = [{ price = "99999999999999999999999999999" }]', "tmp.orders fails: "),
        (
            'error = "division"\ngiven."raw.orders" = [{ price = "99999999999999999999999999999" }]',
            "another error was expected, with the words 'division'",
        ),
        (
            'expected = []\nscript = "final.today"\nnow = 2026-01-31T00:00:00Z\n'  # noqa: ISC004
            'given."tmp.orders" = [{ id = 1, price = 6, day = 2026-01-31 }]',
            "1 row differs",
        ),
        ('expected = [{ rate = 1 }]\ngiven."raw.orders" = [{ rate = 1.05 }]', "1.05"),
    ],
)
def test_what_is_not_as_expected_fails(write: Write, capsys: pytest.CaptureFixture[str], test: str, said: str) -> None:
    shop(write, f"[it]\n{test}\n")
    code, out = run(capsys)
    assert (code, said in out) == (1, True), out


@pytest.mark.parametrize(
    ("line", "reason", "hint"),
    [
        ('given."raw.order" = []', "tmp.orders does not read raw.order", "did you mean raw.orders?"),
        ('given."raw.orders" = [{ idd = 1 }]', "raw.orders has no column idd", "did you mean id?"),
        ('given."raw.orders" = [{ id = 1.5 }]', "id is INT64: '1.5' is not INT64", ""),
        ('given."raw.orders" = [{ day = "31.1.2026" }]', "day is DATE: '31.1.2026' is not DATE", ""),
        ('columns = ["pric"]', "tmp.orders has no column pric", "did you mean price?"),
        ('script = "tmp.order"', "there is no script of tmp.order", "did you mean tmp.orders?"),
        ("variables = { last = 1 }", "there is no variable of this name", ""),
        ('variables = { least = "x" }', "'x' is not INT64", ""),
        ('error = "x"', "it expects rows and an error", ""),
        ("in_ordr = true", "there is no setting in_ordr", "did you mean in_order?"),
        ("now = 3", "now is 3", "it takes a date and time"),
    ],
)
def test_a_mistake_in_a_test_is_reported_with_its_line(
    write: Write, capsys: pytest.CaptureFixture[str], line: str, reason: str, hint: str
) -> None:
    shop(write, f"[it]\nexpected = []\n{line}\n")
    code, out = run(capsys)
    assert code == 2
    assert reason in out
    assert hint in out
    assert "res/tmp/orders.test.toml:" in out
    assert f"| {line}" in out or reason.startswith("it expects")
    capsys.readouterr()
    assert main(["check"]) == 2  # which runs no test
    assert reason in capsys.readouterr().out


def test_a_test_may_be_a_folder_of_files_with_rows(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "res/tmp/orders.tests/doubles/raw.orders.csv": 'id,price,tags\n1,1.5,"[""a""]"\n2,,\n',
        "res/tmp/orders.tests/doubles/expected.ndjson": '{"id": 1, "price": 3, "tags": ["a"]}\n{"id": 2}\n',
        "res/tmp/orders.tests/fails/test.toml": 'error = "out of range"\n',
        "res/tmp/orders.tests/fails/raw.orders.ndjson": '{"price": 99999999999999999999999999999}\n',
    }
    write({**SHOP, **files})
    assert run(capsys) == (0, "2 tests passed\n")
    write({"res/tmp/orders.tests/doubles/raw.orders.csv": "id,prize\nx,1\n"})
    code, out = run(capsys)
    assert code == 2
    assert "res/tmp/orders.tests/doubles/raw.orders.csv:2:1: id is INT64: 'x' is not INT64" in out
    assert "did you mean price?" in out


def test_selectors_and_names_choose_tests(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    shop(write, '["one a"]\nexpected = []\n["one b"]\nexpected = []\n')
    write({"res/final/today.test.toml": '["one c"]\nexpected = []\n'})
    assert run(capsys) == (0, "3 tests passed\n")
    assert run(capsys, "final.*") == (0, "1 test passed\n")
    assert run(capsys, "tmp.orders", "-k", "B") == (0, "1 test passed\n")
    assert run(capsys, "-k", "nothing") == (2, "error: no test has 'nothing' in its name\n")
    assert run(capsys, "tmp.odrers")[0] == 2


def test_a_project_without_tests_says_how_to_write_one(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(SHOP)
    code, out = run(capsys)
    assert (code, "write res/DATASET/NAME.test.toml" in out) == (2, True)


def test_a_script_that_is_wrong_is_not_tested(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    shop(write, "[it]\nexpected = []\n", **{"res/tmp/orders.sql": "SELECT idd FROM `raw.orders`\n"})
    code, out = run(capsys)
    assert code == 2
    assert "did you mean id?" in out
    assert out.count("error:") == 1, "what follows from it is not reported"


def test_tests_change_no_warehouse(write: Write, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop(write, '[it]\nexpected = [{ id = 1 }]\ngiven."raw.orders" = [{ id = 1 }]\n')
    assert run(capsys)[0] == 0
    assert not list(folder.rglob("*.duckdb"))


def test_the_warehouse_may_run_them_over_the_same_rows(
    write: Write, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop(write, '[it]\ngiven."raw.orders" = [{ id = 1, price = 1 }]\nexpected = [{ id = 1, price = 3 }]\n')
    code, out = run(capsys, "--on-warehouse")
    assert (code, "[2]" in out) == (1, True)
    assert list(folder.rglob("*.duckdb"))


@pytest.mark.usefixtures("demonstration")
def test_bigquery_runs_the_demonstrations_tests_too_and_reads_no_table(
    bigquery_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", bigquery_url)
    assert run(capsys, "--on-warehouse") == (0, "10 tests passed\n")


def test_the_results_are_written_as_junit_xml(write: Write, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from xml.etree import ElementTree as ET

    shop(write, '["good <&> \\u0001"]\nexpected = []\n[bad]\nexpected = [{ id = 1 }]\n')
    assert run(capsys, "--junit", "out/junit.xml")[0] == 1
    [suite] = ET.parse(folder / "out/junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    good, bad = suite
    assert (good.get("name"), good.get("classname"), len(good)) == ("good <&> \ufffd", "tmp.orders", 0)
    assert (bad.get("file"), bad.get("line")) == ("res/tmp/orders.test.toml", "3")
    assert "{'id': 1}" in (bad[0].text or "")
    (folder / "taken").write_text("")
    assert run(capsys, "--junit", "taken/junit.xml")[0] == 2


def test_the_query_is_printed_with_the_rows_in_it(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    shop(write, '[it]\ngiven."raw.orders" = [{ id = 1, price = 1.5 }]\nexpected = []\n')
    code, out = run(capsys, "--sql")
    assert (code, "NUMERIC '1.5'" in out) == (0, True)
    query = "".join(line for line in out.splitlines(keepends=True) if not line.startswith("--"))
    capsys.readouterr()
    assert main(["query", query, "--csv"]) == 0
    assert capsys.readouterr().out.startswith("id,price,")


RECORDED = """# why
["changed"] # what
given."raw.orders" = [
  { id = 1, price = 1.5, tags = ["b"] },
  { id = 2, price = 2, day = 2026-01-31 }, # NULL
  { id = 4 },
]
expected = [
  { id = 1, price = %s }, # the first
  # about the second
  { id = 2, price = 4 },%s
]

["fails as it should"]
error = "numeric out of range"
given."raw.orders" = [{ price = "99999999999999999999999999999" }]
"""


def test_what_came_is_recorded_and_the_rest_of_the_file_stays(
    write: Write, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop(write, RECORDED % (5, "\n  { id = 3, price = 1 },"))
    code, out = run(capsys, "--record")
    assert (code, out.splitlines()) == (
        0,
        [
            "recorded: tmp.orders: changed  (res/tmp/orders.test.toml:2): 3 rows",
            "1 test passed; 1 recorded: read the changes before you commit them",
        ],
    )
    written = (folder / "res/tmp/orders.test.toml").read_text()
    assert written == RECORDED % (3, "\n  { id = 4 },")
    assert run(capsys) == (0, "2 tests passed\n")


def test_a_new_test_needs_no_expected_rows_to_be_recorded(
    write: Write, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = '{ id = 1, price = "1.123456789", tags = ["é", ""], rate = -inf }, { id = 2, rate = 1e300 }'
    shop(write, f'["it"]\ngiven."raw.orders" = [{given}]\n["none"]\n')
    assert run(capsys)[0] == 2
    assert run(capsys, "--record")[0] == 0
    written = (folder / "res/tmp/orders.test.toml").read_text()
    assert written.splitlines()[2:] == [
        "expected = [",
        '  { id = 1, price = 2.246913578, tags = ["é", ""], rate = -inf },',
        "  { id = 2, tags = [], rate = 1e+300 },",
        "]",
        'columns = ["id", "price", "day", "tags", "rate"]',
        '["none"]',
        "expected = []",
    ]
    assert run(capsys) == (0, "2 tests passed\n")


def test_a_row_that_ends_with_a_date_is_recorded_as_people_write_it(
    write: Write, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "SELECT 1 AS id, STRUCT(DATE '2026-01-31' AS d) AS s, DATE '2026-11-09' AS day"
    shop(write, '["it"]\n', **{"res/tmp/orders.sql": query, "res/final/today.sql": "SELECT 1 AS x FROM tmp.orders"})
    assert run(capsys, "--record")[0] == 0
    written = (folder / "res/tmp/orders.test.toml").read_text()
    assert "\n  { id = 1, s = { d = 2026-01-31 }, day = 2026-11-09 },\n" in written


def test_a_folders_rows_are_recorded_in_files(write: Write, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = "res/tmp/orders.tests/"
    write({**SHOP, f"{here}a/raw.orders.csv": "id,rate\n1,0.5\n2,\n", f"{here}a/expected.csv": "rate,id\n3,2\n,1\n"})
    write({f"{here}b/raw.orders.ndjson": '{"id": 1, "tags": [""]}\n'})
    assert run(capsys, "--record")[0] == 0
    assert (folder / f"{here}a/expected.csv").read_text() == "id,rate\n2,\n1,0.5\n"
    assert '"tags":[""]' in (folder / f"{here}b/expected.ndjson").read_text()
    assert run(capsys) == (0, "2 tests passed\n")


def test_json_that_toml_cannot_say_is_not_recorded(
    write: Write, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        {
            "db_init/raw.sql": "CREATE TABLE raw.a (x STRING);",
            "res/raw/a": "",
            "res/tmp/a.sql": "SELECT PARSE_JSON(x) AS x FROM `raw.a`",
            "res/dependencies.toml": "[tmp]\n",
            "res/tmp/a.test.toml": '[it]\ngiven."raw.a" = [{ x = \'{"a": [1, "b"]}\' }]\n',
        }
    )
    assert run(capsys, "--record")[0] == 0
    path = folder / "res/tmp/a.test.toml"
    assert 'expected = [\n  { x = { a = [1, "b"] } },\n]' in path.read_text()
    path.write_text(path.read_text().replace('{"a": [1', '{"a": [null'))
    before = path.read_text()
    code, out = run(capsys, "--record")
    assert (code, "JSON's null" in out, path.read_text()) == (1, True, before)


SIZES = """-- each branch of it
SELECT CASE WHEN id > 5 THEN 'big' WHEN id > 2 -- more than two
  THEN 'some' ELSE 'few' END AS size,
  CASE id WHEN 1 THEN DATE '2020-01-01' WHEN 2 THEN '2020-02-01' END AS day,
  IF(COUNT(*) > 1, [STRUCT(id, 2)], [STRUCT(1, 2)]) AS pairs
FROM `raw.orders`
GROUP BY CASE WHEN id > 5 THEN 'big' WHEN id > 2 THEN 'some' ELSE 'few' END, id
"""


def test_coverage_says_what_no_test_reaches(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**SHOP, "res/tmp/sizes.sql": SIZES.replace(" -- more than two\n ", "")})
    some = '["it"]\ngiven."raw.orders" = [{ id = 1 }, { id = 3 }]\nexpected = [{ size = "few" }, { size = "some" }]\n'
    write({"res/tmp/sizes.test.toml": some})
    code, out = run(capsys, "--coverage")
    assert (code, out.splitlines()) == (
        0,
        [
            "1 test passed",
            "tested: 1 of 3 scripts, 1 of 10 columns, 5 of 8 branches",
            "  final.today: has no test",
            "  tmp.orders: has no test",
            "  tmp.sizes: no test compares day, pairs",
            "  res/tmp/sizes.sql:2: no test reaches WHEN id > 5 THEN 'big'",
            "  res/tmp/sizes.sql:3: no test reaches WHEN 2 THEN '2020-02-01'",
            "  res/tmp/sizes.sql:4: no test reaches IF(COUNT(*) > 1, [STRUCT(id, 2)]",
        ],
    )
    more = '["more"]\ngiven."raw.orders" = [{ id = 2 }, { id = 9 }, { id = 9 }]\nerror = "unlike"\n'
    write({"res/tmp/sizes.sql": SIZES, "res/tmp/sizes.test.toml": some + more})
    assert "1 of 10 columns, 8 of 8 branches" in run(capsys, "--coverage")[1]  # whatever they expect

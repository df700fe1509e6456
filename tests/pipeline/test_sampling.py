"""Tests from real rows: which rows are chosen, and what takes the place of personal values."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.testing.sampling.faking import Fakes
from warehouse_refresh.warehouse.types import SqlType
from warehouse_refresh.warehouse.values.reading import from_json, to_json

PEOPLE = {
    "db_init/raw.sql": """
CREATE TABLE raw.customers (id INT64, email STRING, born DATE);
CREATE TABLE raw.orders (id INT64, buyer STRING, customer INT64, price NUMERIC);
CREATE TABLE raw.countries (code STRING);
INSERT INTO raw.customers SELECT n, CONCAT('Anna', n, '@example.com'), DATE '1990-01-01' FROM UNNEST(GENERATE_ARRAY(1, 50)) AS n;
INSERT INTO raw.orders SELECT n, CONCAT('anna', n, '@example.com'), n, 5 FROM UNNEST(GENERATE_ARRAY(40, 90)) AS n;
INSERT INTO raw.countries VALUES ('fr');
""",  # noqa: E501
    "res/raw/customers.toml": "[columns]\nemail = { personal = true }\nborn = { personal = true }\n",
    "res/raw/orders.toml": "[columns]\nbuyer = { personal = true }\n",
    "res/tmp/customers.sql": "SELECT id, LOWER(email) AS mail, born, LENGTH(email) AS long FROM `raw.customers`\n",
    "res/tmp/customers.toml": "[columns]\nlong = { personal = false }\n",
    "res/final/sales.sql": """WITH sold AS (SELECT buyer AS mail, customer AS id, SUM(price) AS price FROM `raw.orders` GROUP BY 1, 2)
SELECT c.id, c.mail, c.born, s.price, c.long, (SELECT COUNT(*) FROM `raw.countries`) AS countries
FROM `tmp.customers` AS c INNER JOIN sold AS s USING (id) WHERE s.mail = c.mail
""",  # noqa: E501
    "res/dependencies.toml": '[final]\nsales = ["tmp.customers"]\n',
}


def test_rows_that_join_are_taken_and_personal_values_are_not(
    write: Write, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(PEOPLE)
    assert (main(["init"]), main(["build"])) == (0, 0)
    assert main(["test", "--sample", "final.sales", "--rows", "4"]) == 0
    out = capsys.readouterr().out
    assert "4 rows of tmp.customers" in out
    assert "4 rows of raw.orders" in out
    assert "recorded: final.sales: a sample" in out
    assert "): 4 rows" in out
    written = (folder / "res/final/sales.test.toml").read_text()
    assert "anna" not in written.casefold()
    assert "1990-01-01" not in written
    assert "long = 18" in written
    assert main(["test", "--sample", "final.sales", "--rows", "4"]) == 0
    assert '["a sample (2)"]' in (folder / "res/final/sales.test.toml").read_text()
    assert main(["test"]) == 0
    assert main(["test", "--sample", "final.sale"]) == 2


TYPES = {
    "STRING": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    "INT64": st.integers(-(2**63), 2**63 - 1),
    "NUMERIC": st.decimals(-(10**20), 10**20, places=9, allow_nan=False),
    "FLOAT64": st.floats(),
    "BYTES": st.binary(min_size=1, max_size=10),
    "BOOL": st.booleans(),
    "DATE": st.dates(),
    "DATETIME": st.datetimes(),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_fake_is_a_value_of_its_type_and_the_same_each_time(name: str) -> None:
    kind, fakes = SqlType(name), Fakes()

    @settings(max_examples=30)
    @given(TYPES[name])
    def holds(value: Any) -> None:
        fake = fakes.fake(value, kind)
        assert fakes.fake(value, kind) == fake or fake != fake
        assert type(fake) is type(value)
        if name not in ("STRING", "FLOAT64"):
            written = to_json(fake, kind)
            assert from_json(str(written) if not isinstance(written, bool) else written, kind) == fake

    holds()


def test_fakes_have_the_form_of_their_values() -> None:
    fakes, text = Fakes(), SqlType("STRING")
    fake = fakes.fake("Anna-Lena 42@x.org", text)
    assert [each.isalpha() for each in fake] == [each.isalpha() for each in "Anna-Lena 42@x.org"]
    assert fake[0].isupper()
    assert (
        fakes.fake("ANNA-LENA 42@x.org", text).lower() == fake.lower() == fakes.fake("anna-lena 42@X.org", text).lower()
    )
    assert len({fakes.fake(letter, text) for letter in "abcdefghij"}) == 10
    assert fakes.fake("Anna", text) != "Anna"
    assert len(str(fakes.fake(6123456, SqlType("INT64")))) == 7
    assert fakes.fake(Decimal("12.50"), SqlType("NUMERIC")).as_tuple().exponent == -2
    assert 0 < abs((fakes.fake(date(2000, 1, 1), SqlType("DATE")) - date(2000, 1, 1)).days) <= 180
    assert fakes.fake('{"a": ["Anna", 4, null]}', SqlType("JSON")) != '{"a":["Anna",4,null]}'
    assert Fakes().fake("Anna", text) != fakes.fake("Anna", text) or Fakes().fake("Lena", text) != fakes.fake(
        "Lena", text
    )

"""A shop's database, and a project that loads its two tables."""

import pytest

from tests.conftest import Write
from tests.origins.servers import Database

SHOP = """
    CREATE TABLE people (id int4 PRIMARY KEY, name text, email text, secret text);
    CREATE TABLE orders (id int4 PRIMARY KEY, person int4 REFERENCES people, price numeric(10, 2), paid timestamptz);
    INSERT INTO people VALUES (1, 'Ada', 'ada@example.com', 'x'), (2, 'Bo', NULL, NULL);
    INSERT INTO orders VALUES (10, 1, 19.99, '2024-03-01 10:00+01'), (11, 2, 5, NULL);
"""
PROJECT = {
    "refresh.toml": '[connections.shop]\nurl_from = "SHOP_URL"\nsalt_from = "SHOP_SALT"\n',
    "res/raw/people.toml": """
        description = "Who buys."
        [source]
        connection = "shop"
        table = "people"
        exclude = ["secret"]
        mask = { email = "hash", name = 1 }
    """,
    "res/raw/orders.toml": """
        [source]
        connection = "shop"
        query = "SELECT id, person, price, paid FROM public.orders"
        [checks]
        unique = ["id"]
        references = { person = "raw.people.id" }
    """,
    "res/final/sums.sql": "SELECT person AS id, SUM(price) AS sum FROM raw.orders GROUP BY 1",
    "res/dependencies.toml": "[final]\n",
}


@pytest.fixture
def shop(database: Database, write: Write, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A shop's database, and a project that loads its two tables."""
    database.run(SHOP)
    write(PROJECT)
    monkeypatch.setenv("SHOP_URL", database.url)
    monkeypatch.setenv("SHOP_SALT", "pepper")
    return database

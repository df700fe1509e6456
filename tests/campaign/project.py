"""The project that a campaign refreshes: scripts whose tables tell which state of raw they were made from.

Each table says when it was built, by which edition of its script, and counts and sums the rows that it saw. DuckDB
keeps rows in the order in which they were committed, so a state of a raw table is its first n rows: a table is equal to
its query over a state if its sums are those of the first n rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

RAW = ("events", "orders")
PARTS = 8
COLUMNS = ("id", "client", "number", "note")

_RAW_SQL = """
CREATE OR REPLACE TABLE raw.{name} (id INT64 NOT NULL, client STRING, number INT64, note STRING)
AS SELECT 0, 'seed', 1, ''
"""
_TOTAL = "COUNT(*) AS n, SUM(number) AS total, BIT_XOR(number) AS mix"
_MADE = "SELECT {edition} AS edition, CURRENT_TIMESTAMP() AS built"
_WORK = (
    "(SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 9000)) AS a, UNNEST(GENERATE_ARRAY(1, 9000)) AS b"
    " WHERE MOD(a + b, 7) = 3) AS work"
)
SCRIPTS = {
    "tmp.events_total": f"{_MADE}, {_TOTAL} FROM `raw.events`",
    "tmp.events_parts": f"{_MADE}, MOD(id, {PARTS}) AS part, {_TOTAL} FROM `raw.events` GROUP BY part",
    "tmp.orders_total": f"{_MADE}, {_TOTAL} FROM `raw.orders`",
    "tmp.slow": f"{_MADE}, {_TOTAL}, {_WORK} FROM `raw.orders`",
    "final.report": f"""
{_MADE},
  e.n AS events_n, e.total AS events_total, e.mix AS events_mix, e.built AS events_built,
  o.n AS orders_n, o.total AS orders_total, o.mix AS orders_mix, o.built AS orders_built,
  p.n AS parts_n, p.total AS parts_total, p.mix AS parts_mix, p.built AS parts_built
FROM `tmp.events_total` AS e
CROSS JOIN `tmp.orders_total` AS o
CROSS JOIN (
  SELECT SUM(n) AS n, SUM(total) AS total, BIT_XOR(mix) AS mix, MIN(built) AS built FROM `tmp.events_parts`
) AS p
""",
    "final.last": f"{_MADE}, n AS orders_n, total AS orders_total, mix AS orders_mix, built AS orders_built"
    " FROM `tmp.slow`",
}
SHAPES = {
    "tmp.events_total": ("edition", "built", "n", "total", "mix"),
    "tmp.events_parts": ("edition", "built", "part", "n", "total", "mix"),
    "tmp.orders_total": ("edition", "built", "n", "total", "mix"),
    "tmp.slow": ("edition", "built", "n", "total", "mix", "work"),
    "final.report": (
        *("edition", "built", "events_n", "events_total", "events_mix", "events_built"),
        *("orders_n", "orders_total", "orders_mix", "orders_built", "parts_n", "parts_total", "parts_mix"),
        "parts_built",
    ),
    "final.last": ("edition", "built", "orders_n", "orders_total", "orders_mix", "orders_built"),
}
"""The columns of each table, in order."""

_MAP = """[final]
report = ["tmp.events_parts", "tmp.events_total", "tmp.orders_total"]
last = ["tmp.slow"]
"""
BREAKAGES = {
    "refused": "SELECT {edition} AS edition, no_such_column AS built FROM `raw.events`",
    "fails": "{good} WHERE CAST(CONCAT('x', client) AS INT64) > 0",
}
"""Ways to break a script: refused before anything runs, or failing while it runs."""
FRAGILE = ("tmp.events_total", "tmp.orders_total")
"""The scripts that a campaign breaks: each breakage fits them."""


def files() -> dict[str, str]:
    """The project's files, texts by path."""
    scripts = {path_of(table): text_of(table, 1) for table in SCRIPTS}
    raw = {f"db_init/{name}.sql": _RAW_SQL.format(name=name) for name in RAW}
    return {**scripts, **raw, **{f"res/raw/{name}": "" for name in RAW}, "res/dependencies.toml": _MAP}


def path_of(table: str) -> str:
    """Where the script of a table is."""
    return f"res/{table.replace('.', '/')}.sql"


def text_of(table: str, edition: int, breakage: str | None = None) -> str:
    """An edition of a table's script, broken in one of the ways of BREAKAGES if asked for."""
    good = SCRIPTS[table].format(edition=edition)
    return BREAKAGES[breakage].format(edition=edition, good=good) if breakage else good


@dataclass(frozen=True, slots=True)
class Claim:
    """What a table says that it saw: the first `n` rows of a raw table, at the moment `built`, with these sums."""

    raw: str
    built: float
    n: int
    total: int
    mix: int


def claims(table: str, rows: Sequence[Mapping[str, Any]]) -> list[Claim]:
    """What the rows of a table say that its query, or the queries before it, saw. Raises ValueError for rows that no
    query of a single moment makes."""
    if table == "tmp.events_parts":
        return [_claim_of_parts(rows)]
    if len(rows) != 1:
        raise ValueError(f"it has {len(rows)} rows, and its query makes one")
    row = rows[0]
    if table == "final.report":
        return [
            _claim(raw, row, name) for raw, name in (("events", "events"), ("orders", "orders"), ("events", "parts"))
        ]
    if table == "final.last":
        return [_claim("orders", row, "orders")]
    return [
        Claim("events" if table == "tmp.events_total" else "orders", row["built"], row["n"], row["total"], row["mix"])
    ]


def _claim(raw: str, row: Mapping[str, Any], name: str) -> Claim:
    return Claim(raw, *(row[f"{name}_{column}"] for column in ("built", "n", "total", "mix")))


def _claim_of_parts(rows: Sequence[Mapping[str, Any]]) -> Claim:
    if len({(row["built"], row["edition"]) for row in rows}) != 1:
        raise ValueError("its rows are of different builds")
    if len({row["part"] for row in rows}) != len(rows):
        raise ValueError("it has a part twice")
    mix = 0
    for row in rows:
        mix ^= row["mix"]
    return Claim("events", rows[0]["built"], sum(row["n"] for row in rows), sum(row["total"] for row in rows), mix)

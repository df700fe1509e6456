"""Production and two environments side by side on one warehouse, through a day of edits, new rows, failures, promotions
and drops: a table has rows of what was built in it or promoted to it, and of nothing else."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.commands.test_any_folder import end, in_a_folder
from warehouse_refresh.warehouse import DEFAULT_URL, Append, connect
from warehouse_refresh.warehouse.builds.projects import in_project
from warehouse_refresh.warehouse.errors import TableNotFound
from warehouse_refresh.warehouse.names import TableName

many = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))

PRODUCTION = ""
ENVIRONMENTS = ["alice", "bob"]
TABLES = ["a", "b", "c"]
Rows = list[int]

EDITS = st.tuples(st.just("edit"), st.sampled_from(TABLES), st.integers(0, 3))
"""A script gets a number; with 0 it fails."""
POSTS = st.tuples(st.just("post"), st.just(""), st.integers(2, 9))
BUILDS = st.tuples(
    st.just("build"),
    st.sampled_from([PRODUCTION, *ENVIRONMENTS]),
    st.sampled_from(["tmp.*", "changed+", "stale", "failed", "tmp.a", "tmp.c"]),
)
ENDS = st.tuples(st.sampled_from(["promote", "drop"]), st.sampled_from(ENVIRONMENTS), st.none())
STEPS = st.one_of(EDITS, POSTS, BUILDS, BUILDS, BUILDS, ENDS)
Step = tuple[str, str, object]


@dataclass
class Day:
    """What the scripts say, the raw rows, and the rows that each table should have: of production, and of each
    environment those that it has built."""

    url: str
    place: str = "prefix"
    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 1))
    raw: Rows = field(default_factory=lambda: [1])
    tables: dict[str, dict[str, Rows]] = field(default_factory=lambda: {who: {} for who in (PRODUCTION, *ENVIRONMENTS)})

    def begin(self) -> None:
        """Build production."""
        Path("db_init").mkdir()
        Path("db_init/raw.sql").write_text("CREATE TABLE raw.items AS SELECT 1 AS x")
        Path("res/tmp").mkdir(parents=True)
        Path("res/dependencies.toml").write_text("[tmp]\nc = ['tmp.a', 'tmp.b']\n")
        self._write()
        assert end(["init"])[0] == 0
        self.build(PRODUCTION, "tmp.*")

    def step(self, what: str, who: str, value: object) -> None:
        """Do something, and compare all rows with those that should be there."""
        if what == "edit":
            self.numbers[who] = int(str(value))
            self._write()
        elif what == "post":
            with connect(self.url) as warehouse:
                warehouse.append(TableName("raw", "items"), [Append([{"x": value}])])
            self.raw.append(int(str(value)))
        elif what == "build":
            self.build(who, str(value))
        elif what == "promote":
            self._promote(who)
        else:
            assert end(["env", "drop", who, "--yes"])[0] == (0 if self.tables[who] else 2)
            self.tables[who] = {}
        assert self._found() == self.tables

    def build(self, who: str, selector: str) -> None:
        """Build, and say which rows the tables should have that were selected."""
        code, printed = end(["build", "--json", "--env", who, selector])
        if code == 2:  # the emulator runs a query to plan it
            assert 0 in self.numbers.values()
            return
        chosen = {row["table"].removeprefix("tmp.") for row in json.loads(printed[printed.index("{") :])["tables"]}
        failed: set[str] = set()
        for table in sorted(chosen):
            rows = self._made(table, {**self.tables[PRODUCTION], **self.tables[who]})
            if rows is None or (table == "c" and failed):
                failed.add(table)
            else:
                self.tables[who][table] = rows

    def _promote(self, who: str) -> None:
        """Each table of the environment has its rows in production now, or those that its script makes there."""
        code, _ = end(["env", "promote", who, "--yes"])
        before, found = self.tables[PRODUCTION], self._found()[PRODUCTION]
        assert code == 2 or self.tables[who]
        for table, rows in self.tables[who].items():
            allowed = [rows, self._made(table, found), *([before.get(table)] if code else [])]
            assert found[table] in allowed
        assert {**before, **{table: found[table] for table in self.tables[who]}} == found
        self.tables[PRODUCTION] = found

    def _made(self, table: str, seen: dict[str, Rows]) -> Rows | None:
        """The rows that the script makes; None if it fails."""
        number = self.numbers[table]
        made = {
            "a": [x * number for x in self.raw],
            "b": [x + number for x in self.raw],
            "c": [*seen.get("a", ()), *(x + number for x in seen.get("b", ()))],
        }
        return sorted(made[table]) if number else None

    def _write(self) -> None:
        fails = "CAST(CONCAT('no number: ', CAST(x AS STRING)) AS INT64)"  # the emulator's DIV(x, 0) is NULL
        made = {table: str(number) if number else fails for table, number in self.numbers.items()}
        for table, sql in {
            "a": f"SELECT x * {made['a']} AS x FROM raw.items",
            "b": f"SELECT x + {made['b']} AS x FROM raw.items",
            "c": f"SELECT x FROM tmp.a UNION ALL SELECT x + {made['c']} AS x FROM tmp.b",
        }.items():
            Path(f"res/tmp/{table}.sql").write_text(sql)

    def _found(self) -> dict[str, dict[str, Rows]]:
        return {who: self._found_in(who) for who in self.tables}

    def _found_in(self, who: str) -> dict[str, Rows]:
        found: dict[str, Rows] = {}
        url = self.url.replace(".duckdb", f".env-{who}.duckdb") if who and self.place == "file" else self.url
        if who and self.place.startswith("project:"):
            url = in_project(self.url, self.place.removeprefix("project:"))
        if self.place == "file" and not Path(url.removeprefix("duckdb:///")).exists():
            return {}
        with connect(url) as warehouse:
            for table in TABLES:
                with suppress(TableNotFound):
                    rows = warehouse.first_rows(TableName(f"{who}_tmp" if who else "tmp", table), 1000)
                    found[table] = sorted(x for (x,) in rows)
        return found


@contextmanager
def on_warehouse(url: str, place: str) -> Iterator[None]:
    """A folder of its own, whose warehouse is at `url`, and whose environments are in that `place`."""
    names = {"WAREHOUSE_URL": url, "REFRESH_ENVIRONMENTS": place}
    with in_a_folder():
        os.environ.update(names)
        try:
            yield
        finally:
            for name in names:
                del os.environ[name]


def goes_by(steps: list[Step], url: str = DEFAULT_URL, place: str = "prefix") -> None:
    with on_warehouse(url, place):
        day = Day(url, place)
        day.begin()
        for step in steps:
            day.step(*step)


@pytest.mark.parametrize("place", ["prefix", pytest.param("file", marks=pytest.mark.slow)])
def test_a_day_with_everything_in_it(place: str) -> None:
    goes_by(
        [
            ("edit", "a", 2),
            ("build", "alice", "changed+"),
            ("edit", "b", 0),
            ("build", "bob", "changed+"),
            ("build", PRODUCTION, "tmp.c"),
            ("post", "", 5),
            ("edit", "b", 3),
            ("build", "bob", "failed"),
            ("promote", "alice", None),
            ("drop", "alice", None),
            ("build", PRODUCTION, "stale"),
            ("promote", "bob", None),
        ],
        place=place,
    )


@pytest.mark.slow
@many
@given(st.lists(STEPS, min_size=5, max_size=30), st.sampled_from(["prefix", "file"]))
def test_many_days(steps: list[Step], place: str) -> None:
    goes_by(steps, place=place)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["prefix", "project"])
def test_days_on_bigquery(bigquery_endpoint: str, place: str) -> None:
    number = iter(range(1000))

    @few
    @given(st.lists(STEPS, min_size=5, max_size=12))
    def hold(steps: list[Step]) -> None:
        project = f"{place}-{os.getpid()}-{next(number)}"
        where = place if place == "prefix" else f"project:{project}-dev"
        goes_by(steps, f"bigquery://{project}?endpoint={bigquery_endpoint}", where)

    hold()

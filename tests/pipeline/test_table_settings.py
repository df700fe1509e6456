"""What a settings file beside a script may say, and what is said of one that is wrong."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import Write
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.project.reading import read_project, sql_cache
from warehouse_refresh.pipeline.tables.schema import settings_schema
from warehouse_refresh.warehouse import DEFAULT_URL, connect
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.storage import Partition, Storage

A = TableName("tmp", "a")
TAG = "projects/p/locations/eu/taxonomies/1/policyTags/2"
PROJECT = {
    "db_init/raw.sql": "CREATE TABLE raw.orders (id INT64 NOT NULL, paid TIMESTAMP, price NUMERIC, tags ARRAY<STRING>);"
    " INSERT INTO raw.orders (id, paid, price) VALUES (1, TIMESTAMP '2026-01-31 00:00:00+00', 2.5)",
    "res/raw/orders": "",
    "res/tmp/a.sql": "SELECT id, paid, DATE(paid) AS day, price, tags FROM `raw.orders`",
    "res/final/b.sql": "CREATE VIEW final.b AS SELECT id, price FROM `tmp.a`",
    "res/dependencies.toml": '[final]\nb = ["tmp.a"]\n',
}
ALL = f"""
description = "One row per order."
owner = "shop@example.com"
tags = ["daily", "money"]

[columns]
id = "the order's number"
paid = {{ description = "when it was paid", type = "TIMESTAMP" }}
price = {{ type = "NUMERIC", mode = "REQUIRED" }}
tags = {{ type = "STRING", mode = "REPEATED" }}

[storage]
partition_by = {{ column = "paid", type = "MONTH", expires_after_days = 400 }}
cluster_by = ["id", "price"]
require_partition_filter = true
expires_after_days = 30
labels = {{ team = "shop" }}
policy_tags = {{ price = "{TAG}" }}
"""


def test_a_file_beside_a_script_says_how_its_table_is_stored(write: Write) -> None:
    folder = write({**PROJECT, "res/tmp/a.toml": ALL})
    script = read_project(folder).scripts[A]
    assert script.settings is not None
    assert (script.settings.says.owner, script.settings.says.tags) == ("shop@example.com", ("daily", "money"))
    assert script.build.storage == Storage(
        partition=Partition("paid", "MONTH"),
        cluster_by=("id", "price"),
        description="One row per order.",
        labels=(("team", "shop"),),
        partition_expiration_days=400,
        require_partition_filter=True,
        expires_after_days=30,
        column_descriptions=(("id", "the order's number"), ("paid", "when it was paid")),
        required=("price",),
        policy_tags=(("price", TAG),),
    )
    for command in (["check", "--strict"], ["init"], ["build"], ["build"]):
        assert main(command) == 0


@pytest.mark.parametrize(
    ("said", "partition"),
    [
        ('"day"', Partition("day")),
        ('{ column = "paid", type = "HOUR" }', Partition("paid", "HOUR")),
        ('{ column = "id", start = 0, end = 100, step = 10 }', Partition("id", integers=(0, 100, 10))),
        ('"_PARTITIONTIME"', Partition()),
        ('{ column = "_PARTITIONDATE", type = "MONTH" }', Partition("", "MONTH")),
    ],
)
def test_partitions_are_by_a_column_by_ranges_or_by_the_time_of_building(
    write: Write, said: str, partition: Partition
) -> None:
    folder = write({**PROJECT, "res/tmp/a.toml": f"[storage]\npartition_by = {said}\n"})
    assert read_project(folder).scripts[A].build.storage.partition == partition
    assert main(["check", "--strict"]) == 0


WRONG = [
    ('descripton = "x"', "1:1: there is no setting descripton", "did you mean description?"),
    ("description = 1", "1:1: description is 1", "it takes a text"),
    ('tags = "daily"', '1:1: tags is "daily"', "it takes a list [a text (letters, digits, _, . and -), …]"),
    ('tags = ["ok", "a b"]', '1:15: the value 2 of tags is "a b"', "it takes a text (letters, digits, _, . and -)"),
    (
        "columns = 1",
        "1:1: columns is 1",
        "it takes { NAME = a text or { description = …, type = …, mode = …, personal = … } }",
    ),
    ("[columns]\nid = 3", "2:1: id is 3", "it takes a text or { description = …, type = …, mode = …, personal = … }"),
    ('[columns]\nid = { typ = "INT64" }', "2:8: there is no setting typ in columns.id", "did you mean type?"),
    ('[columns]\nid = { type = "INT63" }', "2:8: 'INT63' is not a GoogleSQL type", "such as INT64 or ARRAY<STRING>"),
    (
        '[columns]\nid = { type = "STRING" }',
        "2:8: id is STRING here, and the query of tmp.a has INT64",
        "CAST it in the SQL that creates the table, or write INT64 here",
    ),
    ('[columns]\ntags = { type = "STRING" }', "2:10: tags is STRING here, and the query of tmp.a has ARRAY<", "CAST"),
    ('[columns]\nidd = "x"', "2:1: the query of tmp.a has no column idd", "did you mean id?"),
    ('[columns]\nid = "x"\nID = "y"', "3:1: the query of tmp.a has no column ID", "did you mean id?"),
    ('[columns]\nid = "a"\nid = "b"', "3:9: this is not TOML", "docs/tables.md"),
    ('[columns]\nid = { mode = "must" }', '2:8: mode is "must"', '"NULLABLE" or "REQUIRED" or "REPEATED"'),
    ('[columns]\nid = { mode = "REPEATED" }', "2:8: id is INT64, which is no array", 'write mode = "NULLABLE"'),
    ('[columns]\ntags = { mode = "REQUIRED" }', "2:10: tags is ARRAY<STRING>, which is an array", '"REPEATED"'),
    ("[storage]\npartition_by = 1", "2:1: partition_by is 1", "it takes a text or { column = …, type = …"),
    ('[storage]\npartition_by = "days"', "2:1: partition_by names days, which the query", "did you mean day?"),
    ('[storage]\npartition_by = "price"', "2:1: price is NUMERIC", "DATE, DATETIME, TIMESTAMP or INT64"),
    ('[storage]\npartition_by = "id"', "2:1: id is INT64, and its partitions are ranges", "start = 0, end = 1000"),
    (
        '[storage]\npartition_by = { column = "day", type = "HOUR" }',
        "2:1: day is a DATE, and has no partitions by HOUR",
        "write one of DAY, MONTH, YEAR",
    ),
    (
        '[storage]\npartition_by = { column = "paid", start = 0, end = 10, step = 1 }',
        "2:1: paid is TIMESTAMP, and ranges of integers need INT64",
        "name another column",
    ),
    ('[storage]\npartition_by = { column = "id", end = 1 }', "2:1: ranges of integers need start, end", "such as"),
    (
        '[storage]\npartition_by = { column = "id", start = 0, end = 1000000, step = 99 }',
        "2:1: 10,102 ranges are more than BigQuery's 10,000",
        "write a larger step",
    ),
    ('[storage]\npartition_by = { column = "id", start = 9, end = 1, step = 1 }', "2:1: the ranges end before", "end"),
    (
        '[storage]\npartition_by = { column = "id", start = 0, end = 9, step = 0 }',
        "2:53: step is 0",
        "it takes a whole number of at least 1",
    ),
    ('[storage]\npartition_by = { column = "paid", type = "WEEK" }', '2:35: type is "WEEK"', '"HOUR" or "DAY"'),
    ('[storage]\npartition_by = { type = "DAY" }', "2:1: column is missing in storage.partition_by", "it takes a"),
    ('[storage]\ncluster_by = "id"', '2:1: cluster_by is "id"', "it takes a list [a text, …]"),
    ('[storage]\ncluster_by = ["id", "pric"]', "2:21: cluster_by names pric, which the query", "did you mean price?"),
    ('[storage]\ncluster_by = ["tags"]', "2:15: tags is ARRAY<STRING>, and BigQuery cannot cluster", "name a column"),
    ('[storage]\ncluster_by = ["id", "id"]', "2:1: cluster_by names a column twice", "delete one of them"),
    ('[storage]\ncluster_by = ["a", "b", "c", "d", "e"]', "2:1: cluster_by has more than four", "BigQuery takes four"),
    ("[storage]\nrequire_partition_filter = true", "2:1: require_partition_filter needs", "write partition_by"),
    ("[storage]\nrequire_partition_filter = 1", "2:1: require_partition_filter is 1", "it takes true or false"),
    ("[storage]\nexpires_after_days = 0", "2:1: expires_after_days is 0", "it takes a number above 0"),
    ('[storage]\nlabels = { Team = "x" }', "2:1: labels cannot hold 'Team'", "write small letters"),
    ("[storage]\nlabels = { team = 1 }", "2:12: team is 1", "it takes a text"),
    ('[storage]\npolicy_tags = { price = "x" }', '2:17: price is "x"', "(projects/PROJECT/locations/PLACE/"),
    (f'[storage]\npolicy_tags = {{ pric = "{TAG}" }}', "2:17: policy_tags names pric", "did you mean price?"),
    ("[checks]\nuniqe = []", "2:1: there is no setting uniqe in checks", "did you mean unique?"),
    ('[checks]\nreferences = { id = "x" }', "2:16: 'x' is not a column of a table", "write dataset.table.column"),
    ("a = [", "1:1: this is not TOML", "docs/tables.md"),
]


@pytest.mark.parametrize(("said", "reason", "hint"), WRONG, ids=[reason for _, reason, _ in WRONG])
def test_what_is_wrong_is_named_with_its_line_and_what_to_do(
    write: Write, capsys: pytest.CaptureFixture[str], said: str, reason: str, hint: str
) -> None:
    write({**PROJECT, "res/tmp/a.toml": said + "\n"})
    for _ in range(2):  # the second time from the cache
        assert main(["check"]) == 2
        printed = capsys.readouterr().out
        assert f"error: res/tmp/a.toml:{reason}" in printed
        [line] = [line for line in printed.splitlines() if line.startswith("  help: ")]
        assert hint in line


def test_a_refresh_is_refused_where_the_query_breaks_the_contract(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write({**PROJECT, "res/tmp/a.toml": '[columns]\nid = { type = "STRING" }'})
    assert main(["init"]) == 0
    for command in ("plan", "build"):
        assert main([command]) == 2
        assert "a.toml:2:8: id is STRING here, and the query of tmp.a has INT64" in capsys.readouterr().err
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.tables("tmp") == []


def test_all_faults_of_a_file_are_named_at_once(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**PROJECT, "res/tmp/a.toml": 'ower = "x"\ntags = [1, 2]\n[columns]\nid = 3\nat = { typ = "x" }\n'})
    assert main(["check"]) == 2
    printed = capsys.readouterr().out
    assert [line.split(": ")[1] for line in printed.splitlines() if line.startswith("error")] == [
        f"res/tmp/a.toml:{place}" for place in ("1:1", "2:9", "2:12", "4:1", "5:8")
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('[storage]\npartition_by = "day"', "2:1: a view holds no rows, so it has no partition_by"),
        ("[storage]\nexpires_after_days = 3", "2:1: a view holds no rows, so it has no expires_after_days"),
        ('[columns]\nid = { mode = "REQUIRED" }', "2:8: a view holds no rows, so id cannot be REQUIRED in it"),
    ],
)
def test_a_view_has_no_options_of_tables(
    write: Write, capsys: pytest.CaptureFixture[str], said: str, reason: str
) -> None:
    write({**PROJECT, "res/final/b.toml": said})
    assert main(["check"]) == 2
    assert f"res/final/b.toml:{reason}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("res/tmp/aa.toml", "did you mean tmp.a?"),
        ("res/tmp/A.toml", "did you mean tmp.a?"),
        ("res/raw/order.toml", "did you mean raw.orders?"),
        ("res/tmp/zzz.toml", "write its script, zzz.sql, or delete this file"),
    ],
)
def test_a_file_without_a_table_is_an_error_with_the_closest_name(
    write: Write, capsys: pytest.CaptureFixture[str], path: str, hint: str
) -> None:
    write({**PROJECT, path: 'description = "x"'})
    assert main(["check"]) == 2
    printed = capsys.readouterr().out
    assert f"error: {path}: these are settings of " in printed
    assert f"help: {hint}" in printed


@pytest.mark.parametrize("kind", ["script", "source", "db_init", "read"])
def test_a_file_belongs_to_a_script_or_a_source_wherever_that_is_named(write: Write, kind: str) -> None:
    files = {
        "script": {**PROJECT, "res/tmp/a.toml": 'description = "x"'},
        "source": {**PROJECT, "res/raw/orders.toml": 'description = "x"'},
        "db_init": {name: text for name, text in PROJECT.items() if name != "res/raw/orders"}
        | {"res/raw/orders.toml": 'description = "x"', "res/tmp/a.sql": "SELECT 1 AS id, 2 AS price"},
        "read": {name: text for name, text in PROJECT.items() if not name.startswith("db_init")}
        | {"res/raw/orders.toml": 'description = "x"'},
    }[kind]
    project = read_project(write(files))
    assert not project.problems
    said = project.scripts[A].settings if kind == "script" else project.raw_settings[TableName("raw", "orders")]
    assert said is not None
    assert said.says.description == "x"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('[columns]\nidd = "x"', "2:1: raw.orders has no column idd"),
        ('[columns]\nid = { type = "STRING" }', "2:8: id is STRING here, and raw.orders has INT64"),
        ('[storage]\ncluster_by = ["id"]', "1:2: no script builds raw.orders, so that its storage is set where"),
    ],
)
def test_settings_of_a_raw_table_are_held_against_its_columns(
    write: Write, capsys: pytest.CaptureFixture[str], said: str, reason: str
) -> None:
    write({**PROJECT, "res/raw/orders.toml": said})
    assert main(["check"]) == 2
    assert f"error: res/raw/orders.toml:{reason}" in capsys.readouterr().out


def test_what_a_script_and_its_file_both_say_must_agree(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    script = 'CREATE TABLE tmp.a PARTITION BY day CLUSTER BY id OPTIONS (labels = [("team", "shop")]) AS\n'
    files = {**PROJECT, "res/tmp/a.sql": script + PROJECT["res/tmp/a.sql"]}
    agreed = '[columns]\nid = "x"\n[storage]\npartition_by = "day"\nexpires_after_days = 2\n'
    folder = write({**files, "res/tmp/a.toml": agreed})
    assert main(["check", "--strict"]) == 0
    assert read_project(folder).scripts[A].build.storage == Storage(
        Partition("day"),
        cluster_by=("id",),
        labels=(("team", "shop"),),
        expires_after_days=2,
        column_descriptions=(("id", "x"),),
    )
    write({**files, "res/tmp/a.toml": '[storage]\npartition_by = "paid"\ncluster_by = ["price", "id"]\n'})
    assert main(["check"]) == 2
    printed = capsys.readouterr().out
    assert "a.toml:2:1: partition_by is paid (DAY) here, and day (DAY) in the script's CREATE statement" in printed
    assert "a.toml:3:1: cluster_by is price, id here, and id in the script's CREATE statement" in printed


def test_a_list_of_columns_is_where_their_modes_stand(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    script = "CREATE TABLE tmp.a (id INT64 NOT NULL, price NUMERIC) AS SELECT id, price FROM `raw.orders`"
    modes = '[columns]\nid = { mode = "REQUIRED", description = "the id" }\n'
    folder = write({**PROJECT, "res/tmp/a.sql": script, "res/tmp/a.toml": modes})
    for command in (["check", "--strict"], ["init"], ["build"], ["build"]):
        assert main(command) == 0
    with connect(DEFAULT_URL) as warehouse:
        assert [(column.required, column.description) for column in warehouse.columns(A)] == [
            (True, "the id"),
            (False, ""),
        ]
    wrong = f'{modes}price = {{ mode = "REQUIRED" }}\n[storage]\npolicy_tags = {{ id = "{TAG}" }}\n'
    (folder / "res/tmp/a.toml").write_text(wrong)
    assert main(["check"]) == 2
    printed = capsys.readouterr().out
    assert "a.toml:3:11: price is REQUIRED here, and may be NULL in the list of the script's CREATE TABLE" in printed
    assert "a.toml:5:1: a table whose CREATE TABLE lists its columns cannot have policy tags" in printed


def test_partitions_of_a_create_statement_are_held_against_its_query(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {**PROJECT, "res/tmp/a.sql": "CREATE TABLE tmp.a PARTITION BY dai AS\n" + PROJECT["res/tmp/a.sql"]}
    write({**files, "res/tmp/a.toml": 'description = "x"'})
    assert main(["check"]) == 2
    printed = capsys.readouterr().out
    assert "error: res/tmp/a.sql:2:1: partition_by names dai, which the query does not give" in printed


def test_a_null_in_a_required_column_leaves_the_old_table(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write({**PROJECT, "res/tmp/a.toml": '[columns]\nprice = { mode = "REQUIRED" }'})
    assert main(["init"]) == 0
    assert main(["build"]) == 0
    (folder / "res/tmp/a.sql").write_text(PROJECT["res/tmp/a.sql"].replace(" price,", " NULLIF(price, 2.5) AS price,"))
    assert main(["build"]) == 1
    assert "price is REQUIRED, and the query gives NULL for it" in capsys.readouterr().out
    with connect(DEFAULT_URL) as warehouse:
        assert warehouse.row_count(A) == 1
        assert [column.name for column in warehouse.columns(A) if column.required] == ["price"]


def test_the_example_of_all_settings_is_right_by_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    schema = settings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(tomllib.loads(ALL), schema)
    for said in ('descripton = "x"', "tags = [1]", "[storage]\nexpires_after_days = 0", "[columns]\nid = 3"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(tomllib.loads(said), schema)
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(schema))


def test_a_project_without_settings_files_does_not_import_what_reads_them(write: Write) -> None:
    write(PROJECT)
    program = (
        "import sys; from warehouse_refresh.commands.main import main; assert main(['check']) == 0;"
        " assert 'warehouse_refresh.pipeline.tables.settings' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_file_that_has_changed_is_read_anew(write: Write) -> None:
    folder = write({**PROJECT, "res/tmp/a.toml": "description = 'x'"})
    for text in ("y", "y", "z"):
        (folder / "res/tmp/a.toml").write_text(f"description = '{text}'")
        with sql_cache(folder) as cache:
            assert read_project(Path(folder), cache=cache).scripts[A].build.storage.description == text


def test_a_plan_shows_how_tables_are_stored(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write({**PROJECT, "res/tmp/a.toml": ALL})
    assert main(["init"]) == 0
    capsys.readouterr()
    assert main(["plan"]) == 0
    stored = [
        "partitions by paid (MONTH)",
        "a partition expires after 400 days",
        "clusters by id, price",
        "queries must name partitions",
        "expires 30 days after its last build",
        "labels team=shop",
        "policy tags on price",
        "no NULL in price",
    ]
    ignored = "ignored, since only BigQuery has it: partition_by, cluster_by, labels, partition_expiration_days,"
    printed = capsys.readouterr().out
    assert f"    storage: {'; '.join(stored)}\n    {ignored}" in printed
    assert printed.count("storage: ") == 1, "nothing is said of final.b"
    assert main(["plan", "--json"]) == 0
    [a, b] = json.loads(capsys.readouterr().out)["tables"]
    assert (a["storage"], b["storage"], b["storage_changes"]) == (stored, [], [])
    assert a["storage_changes"][0].startswith(ignored)


def test_tags_select_tables_and_an_owner_is_named_where_a_table_fails(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = "SELECT ERROR('no') AS x"
    write({**PROJECT, "res/tmp/a.toml": ALL, "res/tmp/c.sql": failing, "res/tmp/c.toml": 'owner = "c@example.com"'})
    assert main(["init"]) == 0
    assert main(["build", "tag:daily"]) == 0
    assert "1 of 1 tables built" in capsys.readouterr().out
    assert main(["build", "--exclude", "tag:daily"]) == 1
    _, _, summary = capsys.readouterr().out.partition("tables built and published\n")
    assert "owner: c@example.com" in summary
    assert "shop@example.com" not in summary
    assert main(["build", "tag:dayly"]) == 2
    assert "did you mean tag:daily?" in capsys.readouterr().err

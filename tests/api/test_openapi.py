"""The OpenAPI document says what there is; test_schemathesis.py holds the answers against it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.api.bad_requests import ALL
from tests.api.conftest import Served, api_over, raw_tables
from warehouse_refresh.api.health import HANDLERS as HEALTH
from warehouse_refresh.api.openapi.routes import HANDLERS as PAGES
from warehouse_refresh.api.paths import RESERVED
from warehouse_refresh.api.problems import KINDS
from warehouse_refresh.api.runs.routes import HANDLERS as RUNS
from warehouse_refresh.warehouse.names import TableName
from warehouse_refresh.warehouse.sql.parser import parse_script

HTTP_METHODS = {"get", "post"}


@pytest.fixture(scope="module")
def document(api: Served) -> dict[str, Any]:
    loaded: dict[str, Any] = api.client.get("/schema/openapi.json").json()
    return loaded


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from (operation for method, operation in path.items() if method in HTTP_METHODS)


def test_there_is_an_operation_for_every_raw_table(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for operation in operations(document)]
    assert len(ids) == len(set(ids))
    for name, path in {"products": "/products", "run": "/tables/run", "everything": "/everything"}.items():
        assert document["paths"][path]["post"]["operationId"] == f"append_{name}"
        assert document["paths"][path]["get"]["operationId"] == f"describe_{name}"


def test_columns_are_parameters_with_types_and_examples(document: dict[str, Any]) -> None:
    parameters = {it.get("name"): it for it in document["paths"]["/everything"]["post"]["parameters"]}
    assert parameters["int64"]["description"] == "INT64."
    assert parameters["int64s"]["schema"]["type"] == "array"
    body = document["paths"]["/strict_products"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["items"]["required"] == ["id", "name"]


def test_settings_of_raw_tables_describe_them(folder: Path) -> None:
    (folder / "res/raw").mkdir(parents=True)
    (folder / "res/raw/products.toml").write_text(
        'description = "What is sold."\n[columns]\nname = "how it is called"\n'
    )
    (folder / "res/raw/everything.toml").write_text("descripton = 'wrong'")
    with api_over(raw_tables(folder / "w.duckdb")) as api:
        loaded = api.client.get("/schema/openapi.json").json()
        columns = {column["name"]: column["description"] for column in api.client.get("/products").json()["columns"]}
    operations = loaded["paths"]["/products"]
    assert operations["post"]["description"] == operations["get"]["description"] == "What is sold."
    parameters = {it.get("name"): it for it in operations["post"]["parameters"]}
    assert parameters["name"]["description"] == "STRING. how it is called"
    assert (columns["name"], columns["id"]) == ("how it is called", "")
    assert "description" not in loaded["paths"]["/everything"]["post"]


def test_rows_cannot_be_posted_to_a_table_that_is_loaded_from_a_database(folder: Path) -> None:
    (folder / "res/raw").mkdir(parents=True)
    (folder / "res/raw/products.toml").write_text('[source]\nconnection = "shop"\ntable = "products"\n')
    with api_over(raw_tables(folder / "w.duckdb")) as api:
        paths = api.client.get("/schema/openapi.json").json()["paths"]
        assert (paths["/products"].keys(), "post" in paths["/everything"]) == ({"get"}, True)
        refused = api.client.post("/products?name=a")
        assert (refused.status_code, refused.json()["code"]) == (409, "loaded-table")
        assert refused.json()["detail"].startswith("products is loaded from a database")
        assert api.client.get("/products").status_code == 200
        assert api.warehouse.row_count(TableName("raw", "products")) == 0


def test_rows_can_be_posted_to_a_loaded_table_that_tells_them(folder: Path) -> None:
    merge = 'mode = "merge"\ncursor = "id"\nkey = ["id"]\nposted_column = "posted_at"\n'
    (folder / "res/raw").mkdir(parents=True)
    (folder / "res/raw/products.toml").write_text(f'[source]\nconnection = "shop"\ntable = "products"\n{merge}')
    with api_over(raw_tables(folder / "w.duckdb"), schema_seconds=0) as api:
        refused = api.client.post("/products?name=a")
        assert (refused.status_code, refused.json()["code"]) == (409, "loaded-table")
        assert "has no column yet that tells posted rows" in refused.json()["detail"]
        added = "SELECT *, CAST(NULL AS TIMESTAMP) AS posted_at FROM raw.products"
        added = f"CREATE OR REPLACE TABLE raw.products AS {added}"
        api.warehouse.run_script(parse_script(added))
        assert "posted_at" not in [column["name"] for column in api.client.get("/products").json()["columns"]]
        stored = api.client.post("/products?name=a", headers={"Idempotency-Key": "one"})
        assert (stored.status_code, "posted_at" in stored.json()) == (201, False)
        again = api.client.post("/products?name=a", headers={"Idempotency-Key": "one"})
        assert (again.status_code, again.json()) == (201, stored.json())
        assert api.client.post("/products?posted_at=2026-01-01T00:00:00Z").status_code == 422
        [row] = api.warehouse.first_rows(TableName("raw", "products"), 9)
        assert row[-1] is not None
        assert "post" in api.client.get("/schema/openapi.json").json()["paths"]["/products"]


def test_every_answer_names_the_id_and_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for status, answer in operation["responses"].items():
            assert "X-Request-ID" in answer["headers"]
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"]


def test_the_examples_are_taken_and_answered_as_described(api: Served, document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        if "requestBody" in methods.get("post", {}) and path != "/run":
            content = methods["post"]["requestBody"]["content"]["application/json"]
            assert Draft202012Validator(content["schema"]).is_valid(content["example"])
            answer = api.client.post(path, json=content["example"])
            assert answer.status_code == 201, answer.text
            [row] = answer.json()
            name = methods["post"]["operationId"].removeprefix("append_")
            Draft202012Validator(document["components"]["schemas"][f"row.{name}"]).validate(row)
            for kind in ("text/csv", "application/x-ndjson"):
                lines = methods["post"]["requestBody"]["content"][kind]["example"]
                answer = api.client.post(path, content=lines, headers={"Content-Type": kind})
                assert answer.status_code == 201, answer.text


def test_all_kinds_of_problems_are_described_somewhere(document: dict[str, Any]) -> None:
    described = {
        code
        for operation in operations(document)
        for status, answer in operation["responses"].items()
        if int(status) >= 400
        for code in answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
    }
    # what belongs to no path, and what needs a token to be set
    assert set(KINDS) - described == {"not-found", "method-not-allowed", "unauthorized"}


def test_the_bad_requests_to_described_paths_get_described_answers(document: dict[str, Any]) -> None:
    for bad in ALL:
        path = bad.target.partition("?")[0]
        operation = document["paths"].get(path, {}).get(bad.method.lower())
        if operation is not None:
            codes = operation["responses"][str(bad.status)]["content"]["application/problem+json"]["schema"]
            assert bad.code in codes["allOf"][1]["properties"]["code"]["enum"]


def test_every_path_of_the_api_itself_is_reserved_and_described(document: dict[str, Any]) -> None:
    paths = {path for handler in (*HEALTH, *PAGES, *RUNS) for path in getattr(handler, "paths", ())}
    described = {path.replace("{id}", "{run:str}") for path in document["paths"]}
    assert paths <= described
    assert {path.split("/")[1] for path in paths} | {"metrics", "tables", "catalogue"} == RESERVED

"""The OpenAPI document tells the truth: schemathesis tries what it describes, and all that comes back is in it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.problems import KINDS
from tests.api.bad_requests import ALL
from tests.api.conftest import Served

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
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


def test_every_answer_names_the_id_and_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for status, answer in operation["responses"].items():
            assert "X-Request-ID" in answer["headers"]
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"]


def test_the_examples_are_taken_and_answered_as_described(api: Served, document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        if "requestBody" in methods.get("post", {}):
            content = methods["post"]["requestBody"]["content"]["application/json"]
            assert Draft202012Validator(content["schema"]).is_valid(content["example"])
            answer = api.client.post(path, json=content["example"])
            assert answer.status_code == 201, answer.text
            [row] = answer.json()
            name = methods["post"]["operationId"].removeprefix("append_")
            Draft202012Validator(document["components"]["schemas"][f"row.{name}"]).validate(row)


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


def _conforms(api: Served, mode: GenerationMode, examples: int) -> Counter[int]:
    """Send what schemathesis makes of the document, and hold each answer against it; gives the statuses."""
    schema = schemathesis.openapi.from_url(f"{api.url}/schema/openapi.json")
    schema.config.generation.update(modes=[mode])
    cases = [result.ok().as_strategy() for result in schema.get_all_operations() if isinstance(result, Ok)]
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(cases))
    def holds(case: schemathesis.Case[Any]) -> None:
        answer = case.call()
        statuses[answer.status_code] += 1
        allowed = {503} if case.operation.path in PREFECT_PATHS else set()
        checks = CHECKS if answer.status_code in allowed else [not_a_server_error, *CHECKS]
        case.validate_response(answer, checks=checks)

    holds()
    return statuses


PREFECT_PATHS = {"/run", "/run/{id}", "/health/ready"}  # no Prefect here: they answer 503, as described


def _many_conform(api: Served, examples: int) -> None:
    valid = _conforms(api, GenerationMode.POSITIVE, examples // 2)
    assert {200, 201} <= set(valid)
    assert 422 in _conforms(api, GenerationMode.NEGATIVE, examples // 2)


def test_1000_cases_find_nothing_that_is_not_described(api: Served) -> None:
    _many_conform(api, 1000)


@pytest.mark.slow
def test_10000_cases_find_nothing_that_is_not_described(api: Served) -> None:
    _many_conform(api, 10_000)

"""WAREHOUSE_URL for BigQuery is read strictly."""

import pytest

from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings, parse_url
from warehouse_refresh.warehouse.errors import WarehouseError


def test_a_project_alone_gets_the_defaults() -> None:
    assert parse_url("bigquery://my-project") == BigQuerySettings(
        "my-project", "US", None, None, maximum_bytes_billed=107374182400, priority="INTERACTIVE"
    )


def test_every_parameter_is_read() -> None:
    url = (
        "bigquery://example.com:my-project?location=europe-west3&credentials=prod&endpoint=https://bq.internal/"
        "&maximum_bytes_billed=5000000&priority=batch"
    )
    assert parse_url(url) == BigQuerySettings(
        "example.com:my-project", "europe-west3", "prod", "https://bq.internal", 5000000, "BATCH"
    )


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("", "'' is not a Google Cloud project's id"),
        ("My_Project", "'My_Project' is not a Google Cloud project's id"),
        ("my-project/raw", "'my-project/raw' is not a Google Cloud project's id"),
        ("my-project?locaton=EU", "no parameter 'locaton': did you mean location?"),
        ("my-project?x=1", "no parameter 'x': there are location, credentials"),
        ("my-project?location=EU&location=US", "the parameter location twice"),
        ("my-project?location=", "location in the bigquery:// URL is empty"),
        ("my-project?maximum_bytes_billed=10GB", "maximum_bytes_billed=10GB: write a number of bytes such as"),
        ("my-project?maximum_bytes_billed=0", "maximum_bytes_billed=0: write a number of bytes"),
        ("my-project?maximum_bytes_billed=-5", "maximum_bytes_billed=-5: write a number of bytes"),
        ("my-project?priority=slow", "priority=slow: write one of INTERACTIVE, BATCH"),
        ("my-project?endpoint=localhost:9050", "endpoint=localhost:9050: write a URL such as"),
        ("my-project?endpoint=http://10.0.0.1&credentials=prod", "credentials never go over plain http"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(rest: str, message: str) -> None:
    with pytest.raises(WarehouseError) as caught:
        parse_url(f"bigquery://{rest}")
    assert message in str(caught.value)

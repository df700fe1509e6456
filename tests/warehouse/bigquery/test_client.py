"""Which credentials are used, and what is said when there are none."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from tests.emulator.fixtures import QUICK
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.client import open_client
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.errors import NotAllowed, WarehouseError

# An account of nobody: a key made for this test.
ACCOUNT = {
    "type": "service_account",
    "project_id": "my-project",
    "private_key_id": "0",
    "client_email": "refresh@my-project.iam.gserviceaccount.com",
    "client_id": "0",
    "token_uri": "https://oauth2.googleapis.com/token",
}


@pytest.fixture(scope="module")
def account() -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return {**ACCOUNT, "private_key": pem}


def credentials_of(settings: BigQuerySettings) -> Any:
    client = open_client(settings)
    try:
        return client._credentials
    finally:
        client.close()


def test_duckdb_does_not_pay_for_googles_client() -> None:
    code = (
        "import sys; from warehouse_refresh.warehouse import connect; connect('duckdb:///x');"
        "print('google.cloud.bigquery' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_nothing_is_opened_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    with connect("bigquery://my-project?location=EU") as warehouse, pytest.raises(NotAllowed) as caught:
        warehouse.tables("raw")
    assert "run `gcloud auth application-default login`" in str(caught.value)
    assert "credentials= in WAREHOUSE_URL" in str(caught.value)


def test_plain_http_never_gets_real_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    settings = BigQuerySettings("my-project", endpoint="http://127.0.0.1:9050")
    assert isinstance(credentials_of(settings), AnonymousCredentials)


@pytest.mark.usefixtures("prefect_api")
def test_a_block_gives_its_credentials(account: dict[str, str]) -> None:
    from prefect_gcp.credentials import GcpCredentials

    GcpCredentials(service_account_info=account).save("warehouse-tests", overwrite=True, _sync=True)
    found = credentials_of(BigQuerySettings("my-project", credentials="warehouse-tests"))
    assert found.service_account_email == ACCOUNT["client_email"]


@pytest.mark.usefixtures("prefect_api")
def test_a_block_that_does_not_exist_is_named() -> None:
    with (
        BigQueryWarehouse(BigQuerySettings("my-project", credentials="no-such-block"), QUICK) as warehouse,
        pytest.raises(WarehouseError, match="gcp-credentials/no-such-block cannot be used"),
    ):
        warehouse.tables("raw")


def test_a_key_file_is_used_when_the_environment_names_it(
    account: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    (tmp_path / "key.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    assert credentials_of(BigQuerySettings("my-project")).service_account_email == ACCOUNT["client_email"]

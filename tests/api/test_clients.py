"""Who a request comes from: nobody's word but that of the proxies that the setting names."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.conftest import api_over, raw_tables
from tests.waiting import wait_until
from warehouse_refresh.api.middleware.client_address import client_key, parse_proxies

CASES = [
    ("", "127.0.0.1", ["6.6.6.6"], "127.0.0.1"),
    ("10.0.0.0/8", "1.2.3.4", ["6.6.6.6"], "1.2.3.4"),
    ("10.0.0.0/8", "10.1.1.1", [], "10.1.1.1"),
    ("10.0.0.0/8", "10.1.1.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
    ("10.0.0.0/8", "10.1.1.1", ["6.6.6.6", "1.2.3.4, 10.2.2.2"], "1.2.3.4"),
    ("10.0.0.0/8", "10.1.1.1", ["10.9.9.9, 1.2.3.4"], "1.2.3.4"),
    ("10.0.0.0/8", "10.1.1.1", ["10.9.9.9, 10.2.2.2"], "10.9.9.9"),
    ("10.1.1.1", "10.1.1.1", ["1.2.3.4:5678"], "1.2.3.4"),
    ("10.1.1.1", "10.1.1.1", ["1.2.3.4, unknown"], "10.1.1.1"),
    ("10.1.1.1", "10.1.1.1", ["1.2.3.4, "], "10.1.1.1"),
    ("10.1.1.1", "10.1.1.1", ["1.2.3.4 id=forged"], "10.1.1.1"),
    ("10.1.1.1", "::ffff:10.1.1.1", ["::ffff:1.2.3.4"], "1.2.3.4"),
    ("::1", "::1", ["[2001:db8::5]:443"], "2001:db8::5"),
    ("*", "169.254.1.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
    ("*, 35.1.1.1", "169.254.1.1", ["6.6.6.6, 1.2.3.4, 35.1.1.1"], "1.2.3.4"),
]


@pytest.mark.parametrize(("setting", "peer", "forwarded", "client"), CASES)
def test_the_client_is_the_last_entry_that_no_trusted_proxy_is_at(
    setting: str, peer: str, forwarded: list[str], client: str
) -> None:
    assert parse_proxies(setting).client(peer, [line.encode() for line in forwarded]) == client


@given(st.text(st.characters(max_codepoint=255)))
def test_what_a_client_writes_changes_nothing_behind_a_proxy_that_adds_its_address(forged: str) -> None:
    lines = [forged.encode("latin-1"), b"1.2.3.4"]
    assert parse_proxies("10.1.1.1").client("10.1.1.1", lines) == "1.2.3.4"
    assert parse_proxies("").client("1.2.3.4", lines) == "1.2.3.4"


def test_an_ipv6_network_is_one_client() -> None:
    assert client_key("2001:db8::1") == client_key("2001:db8::2:3") != client_key("2001:db8:0:1::1")
    assert client_key("1.2.3.4") != client_key("1.2.3.5")


def test_forged_addresses_evade_no_limit_and_stay_out_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "warehouse_refresh.api.middleware.request_log")
    with api_over(raw_tables(tmp_path / "w.duckdb"), rate_limit=2) as api:
        forged = ({"X-Forwarded-For": f"6.6.6.{number}"} for number in range(50))
        answers = [api.client.get("/products", headers=headers) for headers in forged]
    assert 429 in {answer.status_code for answer in answers}
    assert "client=127.0.0.1" in caplog.text
    assert "6.6.6." not in caplog.text


def test_clients_behind_a_trusted_proxy_have_a_limit_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "warehouse_refresh.api.middleware.request_log")
    with api_over(raw_tables(tmp_path / "w.duckdb"), rate_limit=2, trusted_proxies="127.0.0.0/8") as api:
        each = ({"X-Forwarded-For": f"6.6.6.6, 1.2.3.{number}"} for number in range(50))
        assert {api.client.get("/products", headers=headers).status_code for headers in each} == {200}
        same = [api.client.get("/products", headers={"X-Forwarded-For": f"6.6.6.{n}, 1.2.3.4"}) for n in range(50)]
        assert 429 in {answer.status_code for answer in same}
    wait_until(lambda: "client=1.2.3.49" in caplog.text)
    assert "6.6.6." not in caplog.text

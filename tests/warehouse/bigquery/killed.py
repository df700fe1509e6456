"""A process whose requests to BigQuery get through up to its death, and not after it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from tests.emulator.fixtures import QUICK
from tests.emulator.proxy import Proxy, Refusal
from warehouse_refresh.warehouse.bigquery import BigQueryWarehouse
from warehouse_refresh.warehouse.bigquery.settings import BigQuerySettings
from warehouse_refresh.warehouse.errors import WarehouseError

IMPATIENT = replace(QUICK, total=0.3, cancel=0.1)
"""Waits of a process that is killed: nothing that it asks for any more is answered."""


@contextmanager
def killed_before(step: int, settings: BigQuerySettings, proxy: Proxy) -> Iterator[tuple[BigQueryWarehouse, list[str]]]:
    """The warehouse of a process that is killed before its request number `step`: from then on, none of its requests
    gets through. With it comes the list of its requests so far. A WarehouseError ends the block."""
    sent: list[str] = []

    def decide(_method: str, path: str) -> Refusal | None:
        sent.append(path)
        return Refusal(400, "invalid", "killed") if len(sent) > step else None

    with suppress(WarehouseError), BigQueryWarehouse(settings, IMPATIENT) as warehouse:
        proxy.decide = decide
        yield warehouse, sent
    proxy.decide = lambda _method, _path: None

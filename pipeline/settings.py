"""The settings of a refresh, read from environment variables.

They are a plain dataclass: a settings library takes longer to import than a refresh of eight scripts takes to run.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from warehouse import DEFAULT_URL

TIB = 2**40


class SettingError(Exception):
    """An environment variable that cannot be used."""


@dataclass(frozen=True, slots=True)
class RefreshSettings:
    """Where the project is, which warehouse it fills, how many tables are built at once, and what BigQuery charges for
    a TiB that a query reads, in USD."""

    folder: Path
    warehouse_url: str = DEFAULT_URL
    workers: int = 8
    price_per_tib: float = 6.25


def read_settings(environment: Mapping[str, str] = os.environ) -> RefreshSettings:
    """Read WAREHOUSE_URL, REFRESH_WORKERS and REFRESH_PRICE_PER_TIB; `folder` is the working folder. Raises
    SettingError."""
    return RefreshSettings(
        folder=Path(),
        warehouse_url=environment.get("WAREHOUSE_URL") or DEFAULT_URL,
        workers=_workers(environment.get("REFRESH_WORKERS") or "8"),
        price_per_tib=_price(environment.get("REFRESH_PRICE_PER_TIB") or "6.25"),
    )


def cost(bytes_read: int, price_per_tib: float) -> float:
    """The price of a query that reads `bytes_read`, in the currency of `price_per_tib`. It ignores BigQuery's free tier
    and its minimum of 10 MB per table: https://cloud.google.com/bigquery/pricing#on_demand_pricing"""
    return bytes_read / TIB * price_per_tib


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1000):
        raise SettingError(f"REFRESH_WORKERS is {text!r}: write a whole number from 1 to 1000")
    return int(text)


def _price(text: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        raise SettingError(f"REFRESH_PRICE_PER_TIB is {text!r}: write a price in USD, such as 6.25")
    return float(text)

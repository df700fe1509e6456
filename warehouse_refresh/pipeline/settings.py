"""The settings of a refresh, read from environment variables and from refresh.toml.

They are a plain dataclass: a settings library takes longer to import than a refresh of eight scripts takes to run.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from warehouse_refresh.pipeline.outcomes import Publishing
from warehouse_refresh.pipeline.project.variables import Variables, read_variables
from warehouse_refresh.pipeline.settings_file import (
    DEFAULT_LAYOUT,
    NAME,
    Connection,
    Layout,
    SettingError,
    read_settings_file,
)
from warehouse_refresh.warehouse import DEFAULT_URL

TIB = 2**40
_IN_PROJECT = "project:"


@dataclass(frozen=True, slots=True)
class RefreshSettings:
    """Where the project is, which warehouse it fills, how many tables are built at once, when they are published, what
    BigQuery charges for a TiB that a query reads, in USD, the values of the scripts' variables, and the databases that
    raw tables come from. `select` are the selectors for `build`, `run` and `plan` if they name no tables; without any,
    these are all. `environment` is what they build in, "" for production; `environments` says where environments are,
    and `promoted` which one's tables production is to get. With `guard_production` they ask before they build in
    production (None: where somebody sits at a terminal, and others use the warehouse, too)."""

    folder: Path
    layout: Layout = DEFAULT_LAYOUT
    warehouse_url: str = DEFAULT_URL
    workers: int = 8
    publishing: Publishing = Publishing.TOGETHER
    keep_previous: bool = False
    price_per_tib: float = 6.25
    variables: Variables = field(default_factory=dict)
    select: tuple[str, ...] = ()
    environment: str = ""
    environments: str = "prefix"
    promoted: str = ""
    guard_production: bool | None = None
    connections: Mapping[str, Connection] = field(default_factory=dict)

    @property
    def environments_project(self) -> str:
        """The BigQuery project that environments are in; "" if they are not in one of their own."""
        return self.environments.removeprefix(_IN_PROJECT) if self.environments.startswith(_IN_PROJECT) else ""


def read_settings(environment: Mapping[str, str] = os.environ) -> RefreshSettings:
    """Read WAREHOUSE_URL and the settings whose names begin with REFRESH_, from the environment or else from
    refresh.toml, and the variables from refresh.toml; `folder` is the working folder. Raises SettingError."""
    file = read_settings_file(Path())

    def value(name: str, default: str) -> str:
        return environment.get(name) or file.environment.get(name, default)

    return RefreshSettings(
        folder=Path(),
        layout=file.layout,
        warehouse_url=value("WAREHOUSE_URL", DEFAULT_URL),
        workers=_workers(value("REFRESH_WORKERS", "8")),
        publishing=_publishing(value("REFRESH_PUBLISH", "together")),
        keep_previous=_switch("REFRESH_KEEP_PREVIOUS", value("REFRESH_KEEP_PREVIOUS", "false")),
        price_per_tib=_price(value("REFRESH_PRICE_PER_TIB", "6.25")),
        variables=read_variables(file.variables, NAME),
        select=tuple(value("REFRESH_SELECT", "").split()),
        environment=environment_name(value("REFRESH_ENV", "")),
        environments=_environments(value("REFRESH_ENVIRONMENTS", "prefix")),
        guard_production=_guard(value("REFRESH_GUARD_PRODUCTION", "")),
        connections=file.connections,
    )


def environment_name(text: str) -> str:
    """The name of an environment; "" for production. Raises SettingError."""
    if text and not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", text, re.ASCII):
        raise SettingError(f"REFRESH_ENV or --env is {text!r}: write a name of small letters, digits and -")
    return text


def of_environment(settings: RefreshSettings, name: str | None) -> RefreshSettings:
    """The settings for the environment of this name, "" for production; None leaves them. Raises SettingError."""
    return settings if name is None else replace(settings, environment=environment_name(name))


def human_bytes(number: int) -> str:
    """`512 B`, `1.5 MiB`."""
    for unit, size in (("TiB", TIB), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B"


def cost(bytes_read: int, price_per_tib: float) -> float:
    """The price of a query that reads `bytes_read`, in the currency of `price_per_tib`. It ignores BigQuery's free tier
    and its minimum of 10 MB per table: https://cloud.google.com/bigquery/pricing#on_demand_pricing"""
    return bytes_read / TIB * price_per_tib


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1000):
        raise SettingError(f"REFRESH_WORKERS is {text!r}: write a whole number from 1 to 1000")
    return int(text)


def _publishing(text: str) -> Publishing:
    try:
        return Publishing(text)
    except ValueError:
        ways = " or ".join(way.value for way in Publishing)
        raise SettingError(f"REFRESH_PUBLISH is {text!r}: write {ways}") from None


def _switch(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise SettingError(f"{name} is {text!r}: write true or false")
    return text == "true"


def _environments(text: str) -> str:
    if text not in ("prefix", "file") and not re.fullmatch(rf"{_IN_PROJECT}.+", text):
        raise SettingError(f"REFRESH_ENVIRONMENTS is {text!r}: write prefix, file or {_IN_PROJECT}PROJECT")
    return text


def _guard(text: str) -> bool | None:
    return _switch("REFRESH_GUARD_PRODUCTION", text) if text else None


def _price(text: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        raise SettingError(f"REFRESH_PRICE_PER_TIB is {text!r}: write a price in USD, such as 6.25")
    return float(text)

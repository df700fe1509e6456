"""refresh.toml: the settings that a project keeps with its scripts. An environment variable wins over a line of it.

name = "shop"                                     # REFRESH_PROJECT
warehouse = "bigquery://my-project?location=EU"   # WAREHOUSE_URL
workers = 8                                       # REFRESH_WORKERS
publish = "together"                              # REFRESH_PUBLISH
keep_previous = false                             # REFRESH_KEEP_PREVIOUS
price_per_tib = 6.25                              # REFRESH_PRICE_PER_TIB
select = "stale"                                  # REFRESH_SELECT
env = "alice"                                     # REFRESH_ENV
environments = "prefix"                           # REFRESH_ENVIRONMENTS
guard_production = true                           # REFRESH_GUARD_PRODUCTION

[folders]
scripts = "res"
init = "db_init"

[datasets]
raw = "raw"
default = "raw"                                   # of tables that a script names without a dataset; "*": its own one

[api]                                             # rate_limit is API_RATE_LIMIT, and so on; API_TOKEN is a secret
rate_limit = 100

[connections.shop]                                # a database that raw tables come from: docs/load.md
url_from = "SHOP_URL"

[variables]                                       # values for @name in scripts: pipeline/project/variables.py
day = 2026-01-31
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from warehouse_refresh.warehouse.suggest import did_you_mean

NAME = "refresh.toml"
OWN = "*"
"""The default dataset that stands for each script's own."""
_VARIABLES = {
    "name": "REFRESH_PROJECT",
    "warehouse": "WAREHOUSE_URL",
    "workers": "REFRESH_WORKERS",
    "publish": "REFRESH_PUBLISH",
    "keep_previous": "REFRESH_KEEP_PREVIOUS",
    "price_per_tib": "REFRESH_PRICE_PER_TIB",
    "select": "REFRESH_SELECT",
    "env": "REFRESH_ENV",
    "environments": "REFRESH_ENVIRONMENTS",
    "guard_production": "REFRESH_GUARD_PRODUCTION",
}
_WANTED: Mapping[str, tuple[tuple[type, ...], str]] = {
    "workers": ((int, float), "a number"),
    "price_per_tib": ((int, float), "a number"),
    "keep_previous": ((bool,), "true or false"),
    "guard_production": ((bool,), "true or false"),
}
"""The types of settings that are no text, and what to write."""
_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "folders": ("scripts", "init"),
    "datasets": ("raw", "default"),
    "api": (),
    "connections": (),
    "variables": (),
}


class SettingError(Exception):
    """A setting that cannot be used; the message says which, and what to write."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a project has its scripts and the scripts that create its raw tables, as paths from its folder on, which
    dataset rows are posted to, and of which dataset tables are that a script names without one: OWN for the script's,
    "" for none, so that such a name is an error."""

    res: str = "res"
    db_init: str = "db_init"
    raw: str = "raw"
    default: str = ""

    def default_of(self, dataset: str) -> str:
        """The default dataset of a script of `dataset`."""
        return dataset if self.default == OWN else self.default


DEFAULT_LAYOUT = Layout()


@dataclass(frozen=True, slots=True)
class Connection:
    """A database that raw tables come from: the environment variables, or else the secret blocks of Prefect, that have
    its URL and the salt of its hashes, for how many seconds a statement may run there, and how many connections read at
    once. `url` is that of a file, which has no secrets. For files in buckets, a secret block has the credentials."""

    url_from: str = ""
    url_block: str = ""
    url: str = ""
    salt_from: str = ""
    salt_block: str = ""
    credentials_block: str = ""
    timeout: int = 3600
    readers: int = 2


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What refresh.toml says: values by the environment variable that they stand for, the layout, the connections, and
    the sections `api` and `variables`."""

    environment: Mapping[str, str] = field(default_factory=dict)
    layout: Layout = DEFAULT_LAYOUT
    api: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    connections: Mapping[str, Connection] = field(default_factory=dict)


def read_settings_file(folder: Path) -> SettingsFile:
    """Read `folder`/refresh.toml; if there is none, all values are the defaults. Raises SettingError."""
    path = folder / NAME
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        if path.is_symlink():
            raise SettingError(f"{path} is a link that leads nowhere") from error
        return SettingsFile()
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingError(f"{path} is not TOML: {error}") from error
    return _checked(path, document)


def _checked(path: Path, document: Mapping[str, Any]) -> SettingsFile:
    _check_keys(path, "", document, [*_VARIABLES, *_SECTIONS])
    sections = {name: document.get(name, {}) for name in _SECTIONS}
    for name, section in sections.items():
        if not isinstance(section, dict):
            raise SettingError(f"{path}: {name} is a section: write [{name}]")
        if known := _SECTIONS[name]:
            _check_keys(path, f"{name}.", section, known)
    environment = {_VARIABLES[key]: _text(path, key, document[key]) for key in _VARIABLES if key in document}
    layout = _layout(path, sections["folders"], sections["datasets"])
    connections = {name: _connection(path, name, section) for name, section in sections["connections"].items()}
    return SettingsFile(environment, layout, sections["api"], sections["variables"], connections)


def _connection(path: Path, name: str, section: object) -> Connection:
    where = f"connections.{name}"
    if not isinstance(section, dict):
        raise SettingError(f"{path}: {where} is a section: write [{where}]")
    _check_keys(path, f"{where}.", section, [key.name for key in fields(Connection)])
    urls, salts = ({key for key in section if key.startswith(word)} for word in ("url", "salt"))
    if "credentials_block" in section and urls:
        raise SettingError(f"{path}: {where} has a URL, and credentials_block is for files: delete one of them")
    if len(urls) > 1 or not (urls or salts or "credentials_block" in section):
        way = (
            'url_from = "SHOP_URL", or of a block of Prefect: url_block = "shop-url", or else the URL of a file:'
            ' url = "sqlite:///data/shop.db"'
        )
        raise SettingError(f"{path}: {where} needs the name of a variable with its URL: {way}")
    if len(salts) > 1:
        raise SettingError(f"{path}: {where} has salt_from and salt_block: delete one of them")
    for key, value in section.items():
        _check_value(path, f"{where}.{key}", value)
    return Connection(**section)


def _check_value(path: Path, key: str, value: object) -> None:
    """Raises SettingError for a value that a key of a connection cannot have."""
    text = value if isinstance(value, str) else ""
    if key.endswith(".url"):
        _check_url(path, key, value)
    elif key.endswith("_from"):
        if not re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII):
            what = "the name of an environment variable; the secret itself does not belong here"
            raise SettingError(f"{path}: {key} takes {what}")
    elif key.endswith("_block"):
        if not re.fullmatch("[a-z0-9-]+", text):
            what = "the name of a secret block of Prefect, such as shop-url; the secret itself does not belong here"
            raise SettingError(f"{path}: {key} takes {what}")
    elif type(value) is not int or value < 1:
        raise SettingError(f"{path}: {key} is {value!r}: write a whole number of at least 1")


def _check_url(path: Path, where: str, url: object) -> None:
    if not isinstance(url, str) or not url.startswith("sqlite:///"):
        way = (
            'write url = "sqlite:///data/shop.db"; a URL with a password belongs into a variable: url_from = "SHOP_URL"'
        )
        raise SettingError(f"{path}: {where} takes the URL of a file: {way}")


def _check_keys(path: Path, section: str, found: Mapping[str, Any], known: list[str] | tuple[str, ...]) -> None:
    for key in found:
        if key not in known:
            hint = did_you_mean(key, known) or f"there are {', '.join(known)}"
            raise SettingError(f"{path}: there is no setting {section}{key}; {hint}")


def _text(path: Path, key: str, value: object) -> str:
    """The value as the environment variable would have it."""
    wanted, written = _WANTED.get(key, ((str,), "text in quotes"))
    if not isinstance(value, wanted) or isinstance(value, bool) is not (bool in wanted) or value == "":
        raise SettingError(f"{path}: {key} is {value!r}: write {written}")
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _layout(path: Path, folders: Mapping[str, Any], datasets: Mapping[str, Any]) -> Layout:
    for section, values in (("folders", folders), ("datasets", datasets)):
        for key, value in values.items():
            is_inside = isinstance(value, str) and value and not Path(value).is_absolute() and ".." not in value
            if not is_inside:
                raise SettingError(f'{path}: {section}.{key} is {value!r}: write a name, such as "{key}"')
    default = datasets.get("default", DEFAULT_LAYOUT.default)
    if not re.fullmatch(r"[\w-]*|\*", default):
        raise SettingError(
            f'{path}: datasets.default is {default!r}: write a dataset\'s name, such as "raw", or "{OWN}" for each '
            "script's own"
        )
    return Layout(
        folders.get("scripts", DEFAULT_LAYOUT.res),
        folders.get("init", DEFAULT_LAYOUT.db_init),
        datasets.get("raw", DEFAULT_LAYOUT.raw),
        default,
    )

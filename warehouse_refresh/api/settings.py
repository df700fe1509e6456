"""The API's settings: environment variables that begin with API_, lines of a file .env, or lines of refresh.toml."""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from warehouse_refresh.api.middleware.client_address import Proxies, parse_proxies
from warehouse_refresh.pipeline.contract import names_of
from warehouse_refresh.pipeline.settings_file import SettingError, read_settings_file
from warehouse_refresh.warehouse import DEFAULT_URL
from warehouse_refresh.warehouse.suggest import did_you_mean

ORIGIN = re.compile(r"https?://[^/\s@]+")


class ApiSettings(BaseSettings):
    """With an empty `token`, everybody may append rows, start and read runs, and read the catalogue; a token is needed
    for all of it, but with `pages = "public"` not for the catalogue. `rate_limit` is in requests per second for each
    client; 0 means no limit.

    `trusted_proxies` has addresses and networks, separated by commas, or `*`: see api.middleware.client_address.
    `allowed_origins` has sites such as https://shop.example.com, separated by commas.

    `raw` is the dataset that rows are posted to. `ApiSettings()` raises ValidationError, SettingError for refresh.toml,
    and ProjectNameError if `deployment` is not set and the project has no usable name.
    """

    model_config = SettingsConfigDict(env_prefix="API_", env_file=".env", extra="ignore", frozen=True)

    warehouse_url: str = Field(default=DEFAULT_URL, validation_alias="WAREHOUSE_URL")
    raw: str = "raw"
    deployment: str = Field(default_factory=lambda: names_of(Path()).deployment, pattern=r"^[^/]+/[^/]+$")
    token: SecretStr = SecretStr("")
    pages: Literal["", "public", "off"] = ""
    first_rows: int = Field(default=0, ge=0, le=100)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    rate_limit: float = Field(default=500.0, ge=0)
    trusted_proxies: str = ""
    allowed_origins: str = ""
    max_connections: int = Field(default=500, gt=0)
    max_body_bytes: int = Field(default=10 * 1024 * 1024, gt=0)
    max_rows: int = Field(default=10_000, gt=0)
    max_wait_seconds: float = Field(default=300.0, ge=0)
    schema_seconds: float = Field(default=2.0, ge=0)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read refresh.toml last, so that the environment wins."""
        file = InitSettingsSource(settings_cls, _file_values(settings_cls))
        return init_settings, env_settings, dotenv_settings, file_secret_settings, file

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        parse_proxies(text)
        return text

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, text: str) -> str:
        for word in _words(text):
            if not ORIGIN.fullmatch(word):
                raise ValueError(f"{word!r} is not an origin such as https://shop.example.com")
        return text

    @property
    def pages_ask(self) -> bool:
        """Whether who reads the catalogue needs the token; if so, browsers ask for it."""
        return not self.pages and bool(self.token.get_secret_value())

    @property
    def proxies(self) -> Proxies:
        """The proxies whose `X-Forwarded-For` is trusted."""
        return parse_proxies(self.trusted_proxies)

    @property
    def origins(self) -> frozenset[str]:
        """The sites whose pages may send requests other than GET, HEAD and OPTIONS."""
        return frozenset(_words(self.allowed_origins))


def _file_values(settings: type[BaseSettings]) -> dict[str, Any]:
    """The values that refresh.toml has for the API. Raises SettingError."""
    file = read_settings_file(Path())
    allowed = set(settings.model_fields) - {"token", "warehouse_url", "raw"}
    for key in file.api.keys() - allowed:
        hint = did_you_mean(key, allowed) or f"there are {', '.join(sorted(allowed))}"
        if key == "token":
            hint = "it is secret: set API_TOKEN in the environment"
        raise SettingError(f"refresh.toml: there is no setting api.{key}; {hint}")
    url = file.environment.get("WAREHOUSE_URL")
    return {**file.api, "raw": file.layout.raw, **({"WAREHOUSE_URL": url} if url else {})}


def _words(text: str) -> list[str]:
    return text.lower().replace(",", " ").split()

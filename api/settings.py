"""The API's settings: environment variables that begin with API_, or lines of a file .env."""

import re
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.middleware.client_address import Proxies, parse_proxies
from pipeline.contract import names_of
from warehouse import DEFAULT_URL

ORIGIN = re.compile(r"https?://[^/\s@]+")


class ApiSettings(BaseSettings):
    """With an empty `token`, everybody may append rows and start and read runs. `rate_limit` is in requests per second
    for each client; 0 means no limit.

    `trusted_proxies` has addresses and networks, separated by commas, or `*`: see api.middleware.client_address.
    `allowed_origins` has sites such as https://shop.example.com, separated by commas.

    `ApiSettings()` raises ValidationError, and ProjectNameError if `deployment` is not set and the project has no
    usable name.
    """

    model_config = SettingsConfigDict(env_prefix="API_", env_file=".env", extra="ignore", frozen=True)

    warehouse_url: str = Field(default=DEFAULT_URL, validation_alias="WAREHOUSE_URL")
    deployment: str = Field(default_factory=lambda: names_of(Path()).deployment, pattern=r"^[^/]+/[^/]+$")
    token: SecretStr = SecretStr("")
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
    def proxies(self) -> Proxies:
        """The proxies whose `X-Forwarded-For` is trusted."""
        return parse_proxies(self.trusted_proxies)

    @property
    def origins(self) -> frozenset[str]:
        """The sites whose pages may send requests other than GET, HEAD and OPTIONS."""
        return frozenset(_words(self.allowed_origins))


def _words(text: str) -> list[str]:
    return text.lower().replace(",", " ").split()

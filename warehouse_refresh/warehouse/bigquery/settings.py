"""Settings in WAREHOUSE_URL for BigQuery: `bigquery://PROJECT?location=EU&credentials=BLOCK&…`."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from warehouse_refresh.warehouse.builds.projects import OtherProject
from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.suggest import did_you_mean

PARAMETERS = ("location", "credentials", "endpoint", "maximum_bytes_billed", "priority")
DEFAULT_LOCATION = "US"
DEFAULT_MAXIMUM_BYTES_BILLED = 100 * 2**30
PRIORITIES = ("INTERACTIVE", "BATCH")

# https://cloud.google.com/resource-manager/docs/creating-managing-projects, with the older `domain:project`
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class BigQuerySettings:
    """Where and how jobs run.

    `location` is BigQuery's name of a region or multi-region, `credentials` the name of a GcpCredentials block (None:
    Application Default Credentials), `endpoint` the URL of another API than Google's, `maximum_bytes_billed` the cap
    of each single job in bytes, `priority` INTERACTIVE or BATCH. Jobs run in `project`, and find the tables of `other`
    beside its own.
    """

    project: str
    location: str = DEFAULT_LOCATION
    credentials: str | None = None
    endpoint: str | None = None
    maximum_bytes_billed: int = DEFAULT_MAXIMUM_BYTES_BILLED
    priority: str = "INTERACTIVE"
    other: OtherProject | None = None

    def project_of(self, dataset: str) -> str:
        """The project that has the dataset."""
        return self.other.name if self.other is not None and self.other.has(dataset) else self.project

    @property
    def plain_http(self) -> bool:
        """Whether the endpoint is reached without encryption, as an emulator on this machine is."""
        return self.endpoint is not None and self.endpoint.startswith("http://")


@dataclass(frozen=True, slots=True)
class Waits:
    """Times to wait, in seconds. Tests shorten them.

    - `first`, `longest`: the first and the longest wait before a retry; `total`: all tries together
    - `request`: one HTTP request
    - `long_poll`: how long BigQuery may take to answer that a job has ended, or that it runs on
    - `poll`, `poll_longest`: the shortest and the longest time between two looks at a job of which it does not say so
    - `cancel`: how long cancelling waits for the jobs to end
    - `lease`: how long a refresh may go without renewing its lease before another one may begin
    """

    first: float = 0.5
    longest: float = 20.0
    total: float = 120.0
    request: float = 60.0
    poll: float = 0.1
    poll_longest: float = 2.0
    cancel: float = 10.0
    lease: float = 60.0
    long_poll: float = 10.0


def parse_url(url: str) -> BigQuerySettings:
    """Read a `bigquery://` URL. Raises WarehouseError, which says what is wrong and what to write instead."""
    parts = urlsplit(url)
    if not _PROJECT.fullmatch(parts.netloc) or parts.path.strip("/") or parts.fragment:
        raise WarehouseError(
            f"{parts.netloc + parts.path!r} is not a Google Cloud project's id: write bigquery://PROJECT?location=EU"
        )
    values = _parameters(parts)
    priority = values.get("priority", PRIORITIES[0]).upper()
    if priority not in PRIORITIES:
        raise WarehouseError(f"priority={values['priority']}: write one of {', '.join(PRIORITIES)}")
    return BigQuerySettings(
        project=parts.netloc,
        location=values.get("location", DEFAULT_LOCATION),
        credentials=values.get("credentials"),
        endpoint=_endpoint(values),
        maximum_bytes_billed=_maximum_bytes_billed(values),
        priority=priority,
    )


def _parameters(parts: SplitResult) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in PARAMETERS:
            hint = did_you_mean(name, PARAMETERS) or f"there are {', '.join(PARAMETERS)}"
            raise WarehouseError(f"a bigquery:// URL has no parameter {name!r}: {hint}")
        if name in values:
            raise WarehouseError(f"the bigquery:// URL has the parameter {name} twice")
        if not value:
            raise WarehouseError(f"{name} in the bigquery:// URL is empty: give it a value, or leave it out")
        values[name] = value
    return values


def _endpoint(values: dict[str, str]) -> str | None:
    endpoint = values.get("endpoint")
    if endpoint is None:
        return None
    if urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).netloc:
        raise WarehouseError(f"endpoint={endpoint}: write a URL such as http://127.0.0.1:9050")
    if endpoint.startswith("http://") and "credentials" in values:
        raise WarehouseError("credentials never go over plain http: use an https endpoint, or leave credentials out")
    return endpoint.rstrip("/")


def _maximum_bytes_billed(values: dict[str, str]) -> int:
    text = values.get("maximum_bytes_billed", str(DEFAULT_MAXIMUM_BYTES_BILLED))
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        raise WarehouseError(f"maximum_bytes_billed={text}: write a number of bytes such as 107374182400 (100 GiB)")
    return int(text)

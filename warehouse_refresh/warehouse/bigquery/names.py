"""The ids and labels of jobs, by which another process finds a job again."""

import hashlib
import re
from collections.abc import Mapping

from warehouse_refresh.warehouse.names import OWN_DATASET, TableName

STAGING_DATASET = f"{OWN_DATASET}_staged"
"""Holds tables that are not published yet."""


def build_name(run: str, table: TableName, values: str = "") -> str:
    """The name of the jobs that build the table in this run, with these values of the query's parameters; an id is
    this name and a number."""
    parts = (run, str(table), values) if values else (run, str(table))
    return f"refresh-{_slug(run)}-{_slug(str(table))}-{_digest(*parts)}"


def publish_name(run: str, table: TableName, fingerprint: str) -> str:
    """The name of the jobs that publish what this run, here a hash of its id, has staged of the table."""
    return f"publish-{run}-{_slug(str(table))}-{_digest(run, str(table), fingerprint)}"


def keys_table(table: TableName) -> str:
    """The table in `OWN_DATASET` that holds the keys with which rows were sent to `table`."""
    return f"append_keys_{_slug(str(table)).replace('-', '_')}_{_digest(str(table))}"


def partitions_table(table: TableName) -> str:
    """The table in `OWN_DATASET` that has the record of the partitions of `table`."""
    return f"partitions_{_slug(str(table)).replace('-', '_')}_{_digest(str(table))}"


def beside(table: TableName) -> TableName:
    """The table in `OWN_DATASET` in which `table` is built before it takes the place of a view."""
    return TableName(OWN_DATASET, f"beside_{_slug(str(table)).replace('-', '_')}_{_digest(str(table))}")


def job_link(project: str, location: str, job_id: str) -> str:
    """The job's page in the Google Cloud console."""
    return f"https://console.cloud.google.com/bigquery?project={project}&j=bq:{location}:{job_id}&page=queryresults"


def labels(pairs: Mapping[str, str]) -> dict[str, str]:
    """The pairs in the form that BigQuery accepts: https://cloud.google.com/bigquery/docs/labels-intro#requirements"""
    named = ((re.sub(r"^[^a-z]+", "", _label(key)), _label(value)) for key, value in pairs.items())
    return {key: value for key, value in named if key}


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())[:63]


def _slug(text: str) -> str:
    """A readable part of a job id. The digest after it tells apart texts whose readable parts are the same.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/JobReference"""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:80]


def _digest(*parts: str, length: int = 12) -> str:
    """A hash of the parts and their lengths, so that ("a", "bc") and ("ab", "c") differ."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]

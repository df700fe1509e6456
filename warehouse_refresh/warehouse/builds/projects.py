"""Environments in a BigQuery project of their own, beside production's."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from warehouse_refresh.warehouse.errors import WarehouseError
from warehouse_refresh.warehouse.names import OWN_DATASET


@dataclass(frozen=True, slots=True)
class OtherProject:
    """Another project whose tables are found beside those of the warehouse's own: production's beside that of an
    environment, or that of an environment whose tables are promoted. `own` is how the datasets of the environment's own
    tables begin, which are in the one project, and all others in the other. Each has its own records."""

    name: str
    own: str
    is_production: bool

    def has(self, dataset: str) -> bool:
        """Whether the dataset is in this project."""
        return not dataset.startswith(OWN_DATASET) and dataset.startswith(self.own) is not self.is_production


def in_project(url: str, project: str) -> str:
    """The URL of the same warehouse in another project. Raises WarehouseError if it is not on BigQuery, or in that
    project already."""
    parts = urlsplit(url)
    setting = f'environments = "project:{project}"'
    if parts.scheme != "bigquery":
        raise WarehouseError(f'{setting} is for BigQuery, and the warehouse is {url}: write "prefix" or "file"')
    if parts.netloc == project:
        raise WarehouseError(f'{setting} names production\'s own project: name another one, or write "prefix"')
    return parts._replace(netloc=project).geturl()

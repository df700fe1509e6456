"""`refresh docs`: the catalogue of the tables, as pages that need no server."""

from argparse import Namespace
from pathlib import Path

from warehouse_refresh.catalogue.collecting import collect
from warehouse_refresh.catalogue.dbt import Place
from warehouse_refresh.catalogue.first_rows import with_first_rows
from warehouse_refresh.catalogue.profiling import profiled
from warehouse_refresh.catalogue.site import write_site
from warehouse_refresh.pipeline.contract import names_of
from warehouse_refresh.pipeline.project.reading import project_in, sql_cache
from warehouse_refresh.pipeline.raw.sources import declared_sources
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse import connect
from warehouse_refresh.warehouse.urls import project_of


def run(options: Namespace) -> int:
    """Write the pages, and answer the exit code. Raises Refused for files that are wrong, WarehouseError."""
    settings = read_settings()
    url = settings.warehouse_url
    with sql_cache(settings.folder) as cache:
        project = project_in(settings, cache)
        catalogue = collect(project, declared_sources(project, cache), names_of(settings.folder).flow, url, cache)
    if options.profile or options.rows:
        with connect(url) as warehouse:
            catalogue = profiled(catalogue, warehouse) if options.profile else catalogue
            catalogue = with_first_rows(catalogue, warehouse, options.rows) if options.rows else catalogue
    place = Place(url.partition(":")[0], project_of(url) or "")
    count = write_site(catalogue, Path(options.output), place)
    print(f"wrote {count:,} files for {len(catalogue.tables):,} tables: open {Path(options.output) / 'index.html'}")
    return 0

"""`refresh sync`: the dependency map, brought in line with the SQL."""

from argparse import Namespace
from difflib import unified_diff

from warehouse_refresh.pipeline.project.files import res_folder
from warehouse_refresh.pipeline.project.map_check import MAP
from warehouse_refresh.pipeline.project.sync import sync_map, write_map
from warehouse_refresh.pipeline.settings import read_settings
from warehouse_refresh.warehouse.urls import project_of


def run(options: Namespace) -> int:
    """Show the difference, write it unless `--check` says not to, and answer the exit code: with `--check` 1 if there
    is a difference. Raises Refused, and then nothing is written."""
    settings = read_settings()
    res = res_folder(settings.folder, settings.layout.res)
    path = res / MAP
    old, new = sync_map(res, path, project_of(settings.warehouse_url), settings.layout)
    if new == old:
        print(f"{path} agrees with the SQL")
        return 0
    difference = unified_diff(old.splitlines(), new.splitlines(), str(path), str(path), lineterm="")
    print("\n".join(difference))
    if options.check:
        return 1
    write_map(path, new)
    return 0

"""Show what no test of scripts reaches."""

from collections.abc import Sequence

from warehouse_refresh.pipeline.project.problems import counted
from warehouse_refresh.pipeline.testing.coverage import Covered


def print_coverage(found: Sequence[Covered]) -> None:
    """Print how much the tests reach, and for each script what they do not reach."""
    tested = [one for one in found if one.tests]
    columns = sum(one.columns_in_all - len(one.columns) for one in found)
    branches = sum(one.branches_in_all - len(one.branches) - len(one.unknown) for one in found)
    all_columns, all_branches = sum(one.columns_in_all for one in found), sum(one.branches_in_all for one in found)
    scripts = f"{len(tested)} of {counted(len(found), 'script')}"
    print(f"tested: {scripts}, {columns} of {counted(all_columns, 'column')}, {branches} of {all_branches} branches")
    for one in found:
        _print_script(one)


def _print_script(one: Covered) -> None:
    if not one.tests:
        print(f"  {one.table}: has no test")
        return
    if one.columns:
        print(f"  {one.table}: no test compares {', '.join(one.columns)}")
    for branch in one.branches:
        print(f"  {one.script.path}:{branch.place.line}: no test reaches {branch.text}")
    for branch in one.unknown:
        print(f"  {one.script.path}:{branch.place.line}: it cannot be told whether a test reaches {branch.text}")

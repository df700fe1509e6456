"""`refresh doctor`: say what is set up, what is missing, and the command that fixes it. It changes nothing."""

from argparse import Namespace
from collections.abc import Iterator

from warehouse_refresh.pipeline.findings import Finding, Health, project_findings


def run(_options: Namespace) -> int:
    """Print a line for each thing that a refresh needs; answer 0 if nothing is missing, else 1."""
    missing = 0
    for finding in _findings():
        print(finding, flush=True)
        missing += finding.health is Health.WRONG
    print(f"\n{missing} missing" if missing else "\nnothing is missing")
    return 1 if missing else 0


def _findings() -> Iterator[Finding]:
    yield from project_findings()
    from warehouse_refresh.flows.doctor import (
        prefect_findings,  # Prefect takes 2 s to import: the first lines do not wait for it
    )

    yield from prefect_findings()

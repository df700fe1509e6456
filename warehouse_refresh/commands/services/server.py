"""`refresh server`: start a Prefect server in the background, if none answers."""

from argparse import Namespace

from warehouse_refresh.flows.local import server


def run(_options: Namespace) -> int:
    """See to it that a Prefect server answers. Answers the exit code 0; raises NoServer."""
    server.start()
    return 0

"""`refresh stop`: end what runs in the background of this folder, and `refresh serve`, in whichever terminal it is."""

from argparse import Namespace

from warehouse_refresh.flows.local.stop import ended


def run(_options: Namespace) -> int:
    """End it, and print what it was. Answers the exit code 0."""
    stopped = list(ended())
    if not stopped:
        print("nothing to stop: nothing that was started here is running")
    for what in stopped:
        print(f"stopped {what}")
    return 0

"""`refresh serve` and `refresh worker`: Prefect's server, a worker and the API on this machine; or the worker alone."""

from argparse import Namespace

from warehouse_refresh.flows.local.serve import serve


def run(options: Namespace) -> int:
    """Serve until Ctrl-C. Answers the exit code 0. Raises AlreadyRunning, NotServed and what else is the user's to
    fix."""
    try:
        serve(only_worker=options.only_worker)
    except KeyboardInterrupt:
        print("stopped")
    return 0

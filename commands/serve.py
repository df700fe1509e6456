"""`refresh serve` and `refresh worker`: Prefect's server, a worker and the API on this machine; or the worker alone."""

import sys
from argparse import Namespace

from flows.local.background import AlreadyRunning
from flows.local.serve import NotServed, serve


def run(options: Namespace) -> int:
    """Serve until Ctrl-C. Answers the exit code: 0 stopped, 1 a part did not start or ended early."""
    try:
        serve(only_worker=options.only_worker)
    except AlreadyRunning as error:
        print(f"error: {error}; `make stop` ends it", file=sys.stderr)
        return 1
    except (NotServed, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
    return 0

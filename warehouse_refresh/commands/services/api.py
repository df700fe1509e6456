"""`refresh api`: the HTTP API alone, for a machine where Prefect's server and its worker run elsewhere."""

import os
import sys
from argparse import Namespace
from typing import NoReturn


def run(_options: Namespace) -> NoReturn:
    """Become the API's process: it gets the signals, and its exit code is this command's."""
    os.execv(sys.executable, [sys.executable, "-m", "warehouse_refresh.api"])  # noqa: S606 (our own words)

"""Prefect's server for a laptop: found where Prefect's settings say, else started in the background.

`python -m flows.server start` starts one if none answers; `python -m flows.server stop` ends the one that it started;
`python -m flows.server url` prints where it is.
"""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

LOCAL_URL = "http://127.0.0.1:4200/api"
PATIENCE_SECONDS = 120
_STARTED = Path(".data/prefect-server-started")


class NoServer(Exception):
    """No Prefect server answers; the message says where it was looked for."""


def start() -> None:
    """See to it that a Prefect server answers. Raises NoServer."""
    if _answers(os.environ.get("PREFECT_API_URL") or LOCAL_URL):
        return
    url = configured_url()
    if url != LOCAL_URL:
        if not _answers(url):
            raise NoServer(f"no Prefect server answers at {url}, where Prefect's settings say it is")
        return
    print(f"starting a Prefect server at {LOCAL_URL.removesuffix('/api')}, which takes a few seconds", flush=True)
    _STARTED.parent.mkdir(parents=True, exist_ok=True)
    _STARTED.touch()
    _prefect("server", "start", "--background")
    _wait_for(url)


def stop() -> None:
    """End the server that `start` started, if there is one."""
    if _STARTED.exists():
        _prefect("server", "stop")
        _STARTED.unlink()
        print("stopped the Prefect server")
    else:
        print("nothing to stop: no server was started here")


def show_url() -> None:
    """Print where Prefect's API is."""
    print(configured_url())


def configured_url() -> str:
    """Where Prefect's settings say that its API is; on this machine if they say nothing."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url or LOCAL_URL


def _prefect(*arguments: str) -> None:
    """Run Prefect's command line, and show what it prints only if it fails. Raises NoServer."""
    done = subprocess.run([sys.executable, "-m", "prefect", *arguments], capture_output=True, text=True, check=False)  # noqa: S603 (fixed words)
    if done.returncode != 0:
        raise NoServer(f"`prefect {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}".rstrip())


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _answers(url):
        if time.monotonic() > deadline:
            raise NoServer(f"the Prefect server at {url} did not answer within {PATIENCE_SECONDS} s")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as response:  # noqa: S310 (a URL from the settings)
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        return url != LOCAL_URL and error.code in (401, 403, 404)  # it wants a key first, as Prefect Cloud does
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    try:
        {"start": start, "stop": stop, "url": show_url}[sys.argv[1]]()
    except NoServer as error:
        sys.exit(f"error: {error}")

"""Prefect's server for a laptop: the one that Prefect's settings name, else one that is started in the background.

`refresh server` starts one if none answers; `refresh stop` ends the one that was started here.
"""

import os
import re
import sys
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from warehouse_refresh.flows.local import background
from warehouse_refresh.flows.local.ports import taken

LOCAL_URL = "http://127.0.0.1:4200/api"
PATIENCE_SECONDS = 300.0
"""How many seconds a server may take to start on a busy machine. A server that ends is noticed at once."""
ANSWER_SECONDS = 5.0
BACKGROUND = "prefect-server-"
"""The name of a server in the background begins so; its port follows."""


class NoServer(Exception):
    """No Prefect server answers; the message says at which address."""


def start() -> None:
    """Start a Prefect server in the background, unless one answers. Raises NoServer."""
    url = _probable_url()
    if answers_or_is_waited_for(url):
        return
    print(f"starting a Prefect server at {url.removesuffix('/api')}, which takes a few seconds", flush=True)
    try:
        background.start(_name(url), server_command(url), server_environment(url))
    except background.AlreadyRunning:
        pass  # somebody else was quicker
    except OSError as error:
        raise NoServer(f"the Prefect server cannot be started: {error}") from error
    _wait_for(url)


def answers_or_is_waited_for(url: str) -> bool:
    """Whether a server answers at `url`: at once, or late since it is busy or just starts. If not, one can be started.
    Raises NoServer if none can, or if one ends while it is waited for."""
    if answers(url):
        return True
    server_command(url)
    if background.running(_name(url)):
        _wait_for(url)
        return True
    return _waited_for_what_has_its_port(url)


def configured_url() -> str:
    """The address of Prefect's API from Prefect's settings; on this machine if they have none."""
    from prefect.settings import get_current_settings

    return (get_current_settings().api.url or LOCAL_URL).rstrip("/")


def server_command(url: str) -> list[str]:
    """The command that starts a server which answers at `url`. It asks no question and switches no profile, both of
    which Prefect does on a terminal. Raises NoServer if `url` is not one of this machine."""
    parts = urlsplit(url)
    if not _is_local(url) or not parts.hostname or not parts.port or parts.path != "/api":
        raise NoServer(f"no Prefect server answers at {url}, where Prefect's settings say it is")
    words = ["--no-prompt", "server", "start", "--host", parts.hostname, "--port", str(parts.port)]
    return [sys.executable, "-m", "prefect", *words]


def server_environment(url: str) -> dict[str, str]:
    """The environment of a server at `url`, which its UI needs to know."""
    return {**os.environ, "PREFECT_API_URL": url, "PREFECT_CLI_PROMPT": "false"}


def _waited_for_what_has_its_port(url: str) -> bool:
    """Whether the port of `url` is taken by a server that answers in the end. Raises NoServer if it is taken by another
    program."""
    parts = urlsplit(url)
    why = taken(parts.hostname or "", parts.port or 0)
    if not why:
        return False
    if _probe(url) is not False:
        print(f"port {parts.port} {why}, which has not answered so far; waiting for it", flush=True)
        if _answers_in_the_end(url, lambda: _probe(url) is False):
            return True
    other = f"PREFECT_API_URL=http://127.0.0.1:{(parts.port or 0) + 100}/api"
    raise NoServer(
        f"no Prefect server answers at {url}: port {parts.port} {why}. End that, or choose another port for Prefect's"
        f" server: `export {other}`, or for good `.venv/bin/prefect config set {other}`"
    )


def _wait_for(url: str) -> None:
    """Wait until the server that was started in the background answers. Raises NoServer."""
    name = _name(url)

    def has_ended() -> bool:
        return background.running(name) is None

    if not _answers_in_the_end(url, has_ended):
        what = "ended" if has_ended() else f"did not answer within {PATIENCE_SECONDS:g} s"
        raise NoServer(
            f"the Prefect server at {url} {what}. Its output is in {background.log_of(name)}, which ends with:\n"
            f"{background.last_lines(name)}"
        )


def _answers_in_the_end(url: str, is_over: Callable[[], bool]) -> bool:
    """Wait until a server answers at `url`, or `is_over`, or patience ends. Returns whether a server answers."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := answers(url)) and not is_over() and time.monotonic() < deadline:
        time.sleep(0.1)
    return seen


def answers(url: str) -> bool:
    """Whether a Prefect API answers at `url`."""
    return _probe(url) is True


def _probe(url: str) -> bool | None:
    """True if a Prefect API answers at `url`, False if something else does or nobody is there; None if whoever listens
    there takes the question and gives no answer, as a server does that is busy."""
    try:
        with urlopen(f"{url}/health", timeout=ANSWER_SECONDS) as response:  # noqa: S310 (a URL from the settings)
            return not _is_local(url) or bool(response.read(10).strip() == b"true")
    except HTTPError as error:
        # It wants a key first, as Prefect Cloud does. Here, what nobody configured is another program.
        return (error.code in (401, 403) and url != LOCAL_URL) or (error.code == 404 and not _is_local(url))
    except TimeoutError:
        return None
    except URLError as error:
        return None if isinstance(error.reason, TimeoutError) else False
    except (OSError, HTTPException, ValueError):
        return False


def _name(url: str) -> str:
    return f"{BACKGROUND}{urlsplit(url).port}"


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _probable_url() -> str:
    """What `configured_url` answers; without Prefect, whose import takes 2 s, where only one answer is possible."""
    if url := os.environ.get("PREFECT_API_URL"):
        return url.rstrip("/")
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    places = [Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml"), Path(".env")]
    texts = [place.read_text(errors="replace") for place in places if place.is_file()]
    said = {url for text in texts for url in re.findall(r"PREFECT_API_URL\W+([^\"'\s]+)", text)}
    return LOCAL_URL if said <= {LOCAL_URL} else configured_url()

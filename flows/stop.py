"""`make stop`: ends what runs in the background of this folder, and `make serve`, in whichever terminal it is."""

from collections.abc import Iterator

from flows import background, serve
from flows.serve_end import API, GUARD, SERVER, WORKER, end_all
from flows.server import BACKGROUND, configured_url
from flows.streams import make_lenient


def main() -> None:
    """End it, and say what it was."""
    make_lenient()
    ended = list(_ended())
    if not ended:
        print("nothing to stop: nothing that was started here is running")
    for what in ended:
        print(f"stopped {what}")


def _ended() -> Iterator[str]:
    if background.stop(serve.NAME, patience=180):
        yield "`make serve` or `make worker`"
    background.wait_until(lambda: background.running(GUARD) is None, patience=180)
    if any(map(background.running, (API, WORKER, SERVER))) and end_all(configured_url()):
        yield "what one that was killed had left running"
    for file in sorted(background.FOLDER.glob(f"{BACKGROUND}*.pid")):
        if background.stop(file.stem):
            yield f"the Prefect server on port {file.stem.removeprefix(BACKGROUND)}"


if __name__ == "__main__":
    main()

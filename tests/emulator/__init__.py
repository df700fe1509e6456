"""A BigQuery emulator for the tests: Google's own client talks to it over HTTP. Nothing to install beforehand."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
LOCK_FILE = HERE / "requirements-emulator.txt"
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".data" / "emulator"


@contextmanager
def running_emulator() -> Iterator[str]:
    """The URL of an emulator that runs while this lasts."""
    process = subprocess.Popen(
        [environment() / "bin" / "python", "-m", "tests.emulator.launcher"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("listening on "):
                break
        else:
            raise RuntimeError("the emulator does not start:\n" + "".join(said))
        yield said[-1].removeprefix("listening on ").strip()
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()
        process.wait()


def environment() -> Path:
    """The emulator's virtual environment, made once per version of its lock file; several test processes may ask."""
    folder = ENVIRONMENTS / hashlib.sha256(LOCK_FILE.read_bytes() + sys.version.encode()).hexdigest()[:16]
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    with (ENVIRONMENTS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder)
            (folder / "complete").touch()
    return folder


def _install(folder: Path) -> None:
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    venv.create(folder, with_pip=uv is None)
    python = str(folder / "bin" / "python")
    by_uv = [str(uv), "pip", "install", "--compile-bytecode", "--python", python]
    command = by_uv if uv else [python, "-m", "pip", "install", "--no-deps"]
    subprocess.run(
        [*command, "--quiet", "--require-hashes", "-r", str(LOCK_FILE)], check=True, capture_output=True, text=True
    )

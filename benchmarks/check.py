"""How long `refresh check` takes, as a whole process: for the demonstration, and for 1,000 generated scripts.

`python -m benchmarks.check`
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.generate import generate

ROOT = Path(__file__).parent.parent
RUNS = 3


def seconds(folder: Path) -> float:
    """The shortest of a few runs: what else the machine does only ever adds to one."""
    return min(_once(folder) for _ in range(RUNS))


def _once(folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "flows.cli", "check"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    print(f"   8 scripts (the demonstration): {seconds(ROOT):6.2f} s, to stay under 1 s")
    with tempfile.TemporaryDirectory() as name:
        for scripts in (100, 1000):
            folder = Path(name) / str(scripts)
            generate("random", scripts, folder)
            limit = ", to stay under 10 s" if scripts == 1000 else ""
            print(f"{scripts:4} scripts (generated):         {seconds(folder):6.2f} s{limit}")


if __name__ == "__main__":
    main()

"""The broken examples of tests/broken: one project with one fault in each folder, and what `refresh check` says of it.

`python -m tests.commands.broken_examples` writes the expected messages anew: read the difference before you commit it.
"""

import contextlib
import io
import os
from pathlib import Path

from warehouse_refresh.commands.main import main

FOLDER = Path(__file__).parent.parent / "broken"
EXAMPLES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
EXPECTED = "expected.txt"


def checked(name: str) -> tuple[str, int]:
    """What `refresh check` prints in an example's folder, and its exit code."""
    before, printed = Path.cwd(), io.StringIO()
    os.chdir(FOLDER / name)
    try:
        with contextlib.redirect_stdout(printed):
            code = main(["check"])
    finally:
        os.chdir(before)
    return printed.getvalue(), code


if __name__ == "__main__":
    for name in EXAMPLES:
        (FOLDER / name / EXPECTED).write_text(checked(name)[0], encoding="utf-8")

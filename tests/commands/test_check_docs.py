"""docs/check.md shows what the commands print."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

DOCUMENT = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")


def test_the_examples_print_what_is_shown(demonstration: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in re.findall(r"^```console\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL):
        for example in re.split(r"^(?=\$ )", block, flags=re.MULTILINE)[1:]:
            command, _, shown = example.removeprefix("$ ").partition("\n")
            done = subprocess.run(
                ["bash", "-c", command], cwd=demonstration, env=environment, capture_output=True, text=True, check=False
            )
            assert (command, done.stdout + done.stderr) == (command, shown)


def test_every_link_leads_to_a_file() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", DOCUMENT):
        assert link.startswith("https://") or (ROOT / "docs" / link).exists(), link

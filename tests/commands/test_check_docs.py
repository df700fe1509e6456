"""docs/check.md, docs/checks.md and docs/testing.md show what the commands print."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = ("check.md", "checks.md", "testing.md")
DOCUMENTS = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in PAGES}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_examples_print_what_is_shown(demonstration: Path, name: str) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in re.findall(r"^```console\n(.*?)^```$", DOCUMENTS[name], re.MULTILINE | re.DOTALL):
        for example in re.split(r"^(?=\$ )", block, flags=re.MULTILINE)[1:]:
            command, _, shown = example.removeprefix("$ ").partition("\n")
            done = subprocess.run(
                ["bash", "-c", command], cwd=demonstration, env=environment, capture_output=True, text=True, check=False
            )
            printed = re.sub(r"about [\d.]+ s by", "about 0.1 s by", done.stdout + done.stderr)
            assert (command, printed) == (command, shown)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_link_leads_to_a_file(document: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", document):
        assert link.startswith("https://") or (ROOT / "docs" / link).exists(), link

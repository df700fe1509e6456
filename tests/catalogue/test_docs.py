"""docs/catalogue.md says what happens."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PAGE = (ROOT / "docs/catalogue.md").read_text()


def test_the_commands_print_what_the_page_says(demonstration: Path) -> None:
    examples = re.findall(r"\$ (.*)\n(.*)\n```", PAGE)
    assert len(examples) == 2
    for command, output in examples:
        command = command.replace("refresh", f"{sys.executable} -m warehouse_refresh.commands.main", 1)
        shown = subprocess.run(["sh", "-c", command], cwd=demonstration, capture_output=True, text=True, check=True)
        assert shown.stdout == f"{output}\n"
    assert "version" in json.loads((demonstration / "site/catalogue.json").read_text())

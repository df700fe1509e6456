"""docs/tables.md: its example of all settings fits the demonstration, and its commands print what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from warehouse_refresh.commands.main import main
from warehouse_refresh.pipeline.tables.schema import settings_schema

PAGE = (ROOT / "docs/tables.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]


def test_the_example_of_all_settings_fits_the_demonstration(demonstration: Path) -> None:
    (demonstration / "res/tmp/variants.toml").write_text(EXAMPLE)
    for command in (["check", "--strict"], ["init"], ["build"]):
        assert main(command) == 0


def test_the_commands_print_what_is_shown(demonstration: Path) -> None:
    (demonstration / "res/tmp/variants.toml").write_text(EXAMPLE)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        for example in re.split(r"^(?=\$ )", block, flags=re.MULTILINE)[1:]:
            command, _, shown = example.removeprefix("$ ").partition("\n")
            done = subprocess.run(
                ["bash", "-c", command], cwd=demonstration, env=environment, capture_output=True, text=True, check=False
            )
            assert (command, done.stdout + done.stderr) == (command, shown)


def test_every_key_of_a_settings_file_has_its_row() -> None:
    kinds = settings_schema()["$defs"]
    for kind in ("TableSettings", "ColumnSettings", "StorageSettings"):
        for key in kinds[kind]["properties"].keys() - {"storage", "checks"}:
            assert re.search(rf"^\| `\[?{key}\]?`", PAGE, re.MULTILINE), key
    for key in kinds["PartitionSettings"]["properties"]:
        assert f"{key} = " in PAGE

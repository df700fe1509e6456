"""Temporary folders for rows: whose process lives stays, whose process was killed goes."""

import subprocess
import sys
from pathlib import Path

import pytest

from warehouse_refresh.origins.rooms import room

KILLED = """
import os
from warehouse_refresh.origins.rooms import room
with room("rows-") as folder:
    (folder / "rows").write_text("secret")
    os.kill(os.getpid(), 9)
"""


def test_the_next_process_deletes_what_a_killed_one_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    others = [tmp_path / "rows-of-somebody", tmp_path / "else"]
    for other in others:
        other.mkdir()
    subprocess.run([sys.executable, "-c", KILLED], env={"TMPDIR": str(tmp_path)}, check=False)
    assert [path.read_text() for path in tmp_path.glob("*/rows")] == ["secret"]
    with room("rows-") as one, room("rows-") as two:
        assert sorted(tmp_path.iterdir()) == sorted([*others, one, two])
    assert sorted(tmp_path.iterdir()) == sorted(others)

"""Which version of the scripts a refresh ran."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import Write
from warehouse_refresh.pipeline.version import res_hash, scripts_version


def test_the_same_files_elsewhere_have_the_same_hash(write: Write, tmp_path: Path) -> None:
    write({"a/res/tmp/x.sql": "SELECT 1", "b/res/tmp/x.sql": "SELECT 1"})
    assert res_hash(tmp_path / "a") == res_hash(tmp_path / "b")


@pytest.mark.parametrize("other", [{"res/tmp/x.sql": "SELECT 2"}, {"res/tmp/y.sql": ""}, {"res/raw/z": ""}])
def test_any_other_content_or_name_has_another(write: Write, other: dict[str, str]) -> None:
    folder = write({"res/tmp/x.sql": "SELECT 1"})
    before = res_hash(folder)
    write(other)
    assert res_hash(folder) != before


def test_the_commit_is_told_and_that_the_scripts_were_changed_since(write: Write) -> None:
    folder = write({"res/tmp/x.sql": "SELECT 1"})
    person = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    for arguments in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", folder, *arguments], check=True)
    commit = subprocess.run(
        ["git", "-C", folder, "rev-parse", "--short=12", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert scripts_version(folder, {}) == f"res {res_hash(folder)}, commit {commit}"
    write({"res/tmp/x.sql": "SELECT 2"})
    assert scripts_version(folder, {}).endswith(f"commit {commit}, changed since")


def test_in_an_image_the_commit_is_the_one_it_was_built_from(write: Write) -> None:
    folder = write({"res/tmp/x.sql": "SELECT 1"})
    assert scripts_version(folder, {"GIT_COMMIT": "0123456789abcdef"}).endswith("commit 0123456789ab")
    assert scripts_version(folder, {}) == f"res {res_hash(folder)}"

"""The version of the scripts of a refresh."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


def scripts_version(folder: Path, environment: Mapping[str, str] = os.environ, res: str = "res") -> str:
    """A hash of the files in `folder`/`res` and, if known, the git commit: from the repository, or from GIT_COMMIT,
    which is set in the container image."""
    found = f"{res} {res_hash(folder, res)}"
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if commit:
        changed = ", changed since" if _git(folder, "status", "--porcelain", "--", res) else ""
        return f"{found}, commit {commit}{changed}"
    if built_from := environment.get("GIT_COMMIT"):
        return f"{found}, commit {built_from[:12]}"
    return found


def res_hash(folder: Path, res: str = "res") -> str:
    """The first twelve hex digits of a hash of the names and contents of the files under `folder`/`res`."""
    digest = hashlib.sha256()
    for path in sorted(path for path in (folder / res).rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder / res).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def _git(folder: Path, *arguments: str) -> str:
    """The output of git; "" if there is no git or no repository."""
    try:
        done = subprocess.run(  # noqa: S603 (fixed words)
            ["git", "-C", folder, *arguments],  # noqa: S607 (the user's own git)
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()

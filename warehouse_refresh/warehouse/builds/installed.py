"""The version of an installed package. importlib.metadata, which reads more of it, takes 20 ms to import."""

import os
import sys
from contextlib import suppress


def installed_version(package: str) -> str:
    """The version that the name of the package's folder says, NAME-VERSION.dist-info, in the first folder on Python's
    path that has one. https://packaging.python.org/en/latest/specifications/recording-installed-packages/

    Raises PackageNotFoundError.
    """
    prefix, suffix = f"{package.replace('-', '_')}-", ".dist-info"
    for folder in sys.path:
        # The path also has archives, and folders that are not there.
        with suppress(OSError), os.scandir(folder or ".") as entries:
            for entry in entries:
                if entry.name.startswith(prefix) and entry.name.endswith(suffix):
                    return entry.name.removeprefix(prefix).removesuffix(suffix)
    from importlib.metadata import version

    return version(package)

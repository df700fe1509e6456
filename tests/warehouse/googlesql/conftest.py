"""The two engines, each once for a run of the tests, over the same tables."""

import os
from typing import TYPE_CHECKING

import pytest

from tests.warehouse.googlesql.engine import Engine
from tests.warehouse.googlesql.tables import TABLES

if TYPE_CHECKING:
    from tests.warehouse.googlesql.oracle import Oracle


@pytest.fixture(scope="session")
def pair() -> "tuple[Oracle, Engine]":
    """Google's reference engine and ours, with the tables of tables.py."""
    try:
        from tests.warehouse.googlesql.oracle import Oracle
    except ImportError as error:
        told = f"NOTHING IS HELD TO GOOGLE'S ENGINE: the package zetasql cannot be imported ({error})"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    oracle = Oracle()
    return oracle, Engine(oracle.load(TABLES))

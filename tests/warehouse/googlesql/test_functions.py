"""Functions that are defined by a signature and a template."""

import duckdb
import pytest

from tests.warehouse.googlesql.engine import plain
from warehouse.duckdb.translate.functions.calls import DEFINITIONS
from warehouse.duckdb.translate.functions.definitions import Definition
from warehouse.duckdb.translate.nodes import Column, render
from warehouse.duckdb.translate.templates import sql
from warehouse.duckdb.types import duckdb_type

ALL = {
    (definition.names[0], definition.signature): definition for found in DEFINITIONS.values() for definition in found
}


@pytest.mark.parametrize("definition", ALL.values(), ids=lambda definition: definition.names[0])
def test_a_function_gives_the_type_that_its_signature_says(definition: Definition) -> None:
    kinds = dict(zip("abcdefgh", definition.signature.takes, strict=False))
    call = render(sql(definition.template, **{name: Column("t", name) for name in kinds}))
    columns = ", ".join([*(f"NULL::{duckdb_type(kind)} AS {name}" for name, kind in kinds.items()), "1 AS z"])
    [(found,)] = duckdb.execute(f"SELECT typeof({call}) FROM (SELECT {columns}) AS t").fetchall()
    assert plain(found) == plain(duckdb_type(definition.signature.gives))

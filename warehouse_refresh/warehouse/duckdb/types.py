"""The DuckDB types that hold GoogleSQL's."""

from functools import lru_cache

from warehouse_refresh.warehouse.duckdb.translate.text import quoted
from warehouse_refresh.warehouse.errors import OnlyBigQuery, UnsupportedSql
from warehouse_refresh.warehouse.types import SCALARS, Column, SqlType, array_of, parse_type, struct_of

_DUCKDB_OF = {
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "NUMERIC": "DECIMAL(38,9)",
    "BIGNUMERIC": "BIGNUM",  # in units of 1e-38
    "BOOL": "BOOLEAN",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMPTZ",
    "JSON": "JSON",
    "INTERVAL": "INTERVAL",
}


_GOOGLESQL_OF = {
    **{duckdb: googlesql for googlesql, duckdb in _DUCKDB_OF.items()},
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",  # as DuckDB describes it
}


def duckdb_type(type_: SqlType) -> str:
    """The DuckDB type that holds a GoogleSQL type. Raises UnsupportedSql."""
    if type_.element is not None:
        return f"{duckdb_type(type_.element)}[]"
    if type_.name == "STRUCT":
        fields = zip(field_names(type_), type_.fields, strict=True)
        return f"STRUCT({', '.join(f'{quoted(name)} {duckdb_type(field.type)}' for name, field in fields)})"
    if type_.name not in SCALARS:
        raise UnsupportedSql(f"GoogleSQL has no type {type_}", hint="give the table's column another type")
    if type_.name not in _DUCKDB_OF:
        if type_.name == "GEOGRAPHY":
            raise OnlyBigQuery("only BigQuery has GEOGRAPHY", hint="keep the longitude and latitude as FLOAT64")
        raise UnsupportedSql(f"the embedded engine has no {type_.name} yet", hint="BigQuery runs it")
    if type_.name == "NUMERIC" and type_.parameters:
        precision, scale = (*type_.parameters, 0)[:2]
        return f"DECIMAL({precision},{scale})"
    return _DUCKDB_OF[type_.name]


def stored_type(type_: SqlType) -> SqlType:
    """The type of a column that stores values of `type_`: what `googlesql_type` makes of its DuckDB type, without the
    parser. Raises UnsupportedSql."""
    if type_.element is not None:
        return array_of(stored_type(type_.element))
    if type_.name == "STRUCT":
        fields = zip(field_names(type_), type_.fields, strict=True)
        return struct_of(*(Column(name, stored_type(field.type)) for name, field in fields))
    duckdb_type(type_)
    parameters = (*type_.parameters, 0)[:2] if type_.name == "NUMERIC" and type_.parameters else ()
    return SqlType(type_.name, () if parameters == (38, 9) else parameters)


@lru_cache(1000)
def googlesql_type(description: str) -> SqlType:
    """The GoogleSQL type of a column that DuckDB describes so; the description itself, where GoogleSQL has none."""
    if description in _GOOGLESQL_OF:
        return SqlType(_GOOGLESQL_OF[description])  # most are, and need no parser
    from sqlglot import exp
    from sqlglot.errors import ParseError

    try:
        tree = exp.DataType.build(description, dialect="duckdb")
        for part in tree.find_all(exp.DataType):
            if part.this == exp.DataType.Type.BIGNUM:
                part.set("this", exp.DataType.Type.BIGDECIMAL)
        return _without_default_scale(parse_type(tree.sql("bigquery")))
    except (ParseError, ValueError):
        return SqlType(description)


def _without_default_scale(type_: SqlType) -> SqlType:
    if type_.element is not None:
        return array_of(_without_default_scale(type_.element))
    if type_.name == "STRUCT":
        return struct_of(*(Column(field.name, _without_default_scale(field.type)) for field in type_.fields))
    return SqlType(type_.name, () if type_.parameters in ((38, 9), ()) else type_.parameters)


def field_names(type_: SqlType) -> list[str]:
    """The names that a struct's fields have in DuckDB, where they must be there and differ without regard to case.
    BigQuery too stores a field without a name as _field_1."""
    given = {field.name.casefold() for field in type_.fields}
    taken: set[str] = set()
    names = []
    for index, field in enumerate(type_.fields, 1):
        name = field.name
        if not name or name.casefold() in taken:
            name = f"_field_{index}"
            while name.casefold() in given:
                name += "_"
        taken.add(name.casefold())
        names.append(name)
    return names


def identical(one: SqlType, other: SqlType) -> bool:
    """Whether DuckDB holds both types alike: the names of their fields are equal too. Raises UnsupportedSql."""
    return duckdb_type(one) == duckdb_type(other)

"""NDJSON files, an object in each line, read by DuckDB: a fault with its file and line.

A name that an object does not have is NULL. Numbers with a point are FLOAT64 to DuckDB, so that a NUMERIC of more than
15 digits has to be a text.
"""

from collections.abc import Iterator, Mapping, Sequence

import duckdb

from warehouse_refresh.origins.files.places import NOT_UTF8, File, pattern
from warehouse_refresh.origins.files.texts import fault, first_fitting, strict
from warehouse_refresh.warehouse.duckdb.translate.text import quoted, string_sql
from warehouse_refresh.warehouse.types import BOOL, BYTES, STRING, Column, SqlType
from warehouse_refresh.warehouse.values.invalid import InvalidValue
from warehouse_refresh.warehouse.values.json_text import Number, Object, parse_json
from warehouse_refresh.warehouse.values.reading import from_json, iso

_LONGEST = 16 * 2**20  # bytes of a line
_NUMBERS = ("INT64", "NUMERIC", "BIGNUMERIC", "FLOAT64")
_MOST_DIGITS = 15


def names_of(reader: duckdb.DuckDBPyConnection, files: Sequence[File]) -> list[str]:
    """All names that objects have, those of the first one first."""
    rows = " UNION ALL ".join(f"SELECT json_keys(json) AS names FROM {_objects(file)}" for file in files)
    found = reader.execute(f"SELECT DISTINCT unnest(names) AS name FROM ({rows}) ORDER BY 1").fetchall()
    [first] = reader.execute(f"SELECT json_keys(json) FROM {_objects(files[0])} LIMIT 1").fetchall() or [([],)]
    return list(dict.fromkeys([*first[0], *(name for (name,) in found)]))


def rows_sql(file: File, columns: Sequence[Column], names: Sequence[str]) -> str:
    """The query of the file's rows, with an error in place of a value that is none of its type, and of an object with
    another name or one name twice."""
    listed = ", ".join(f"{_strict(it)} AS {quoted(it.name)}" for it in columns)
    known = ", ".join(map(string_sql, names))
    odd = (
        f"json_type(json) <> 'OBJECT' OR len(json_keys(json)) <> len(list_distinct(json_keys(json)))"
        f" OR NOT list_has_all([{known}], json_keys(json))"
    )
    return f"SELECT {listed} FROM {_objects(file)} WHERE CASE WHEN {odd} THEN error('no row: ' || json) ELSE true END"


def guess(reader: duckdb.DuckDBPyConnection, files: Sequence[File], names: Sequence[str]) -> Mapping[str, SqlType]:
    """The first type that takes all values, for each of these columns. An array or object is a STRING."""
    rows = " UNION ALL ".join(f"SELECT json FROM {_objects(file)}" for file in files)
    return first_fitting(reader, rows, names, lambda name, type_: (_misfit(name, type_), _text(name)))


def _objects(file: File) -> str:
    return (
        f"read_ndjson_objects({pattern(file.local())}, compression = '{'gzip' if file.is_gzip else 'uncompressed'}',"
        f" maximum_object_size = {_LONGEST})"
    )


def _value(name: str) -> str:
    return f"json_extract(json, {string_sql(_path(name))})"


def _path(name: str) -> str:
    return '$."' + name.replace('"', '\\"') + '"'


def _text(name: str) -> str:
    """A value as text: a string without its quotes, anything else as JSON; NULL for null."""
    return f"json_extract_string(json, {string_sql(_path(name))})"


def _kinds(type_: SqlType) -> tuple[str, ...]:
    """The kinds of JSON that may be a value of the type."""
    if type_.name in _NUMBERS:
        return ("UBIGINT", "BIGINT", "HUGEINT", "DOUBLE", "VARCHAR")
    if type_ == BOOL:
        return ("BOOLEAN", "VARCHAR")
    return ("VARCHAR", "ARRAY", "OBJECT") if type_ == STRING else ("VARCHAR",)


def _misfit(name: str, type_: SqlType) -> str:
    """What is true of a value that is none of a type that is guessed: texts in quotes are no numbers."""
    kinds = [kind for kind in _kinds(type_) if kind != "VARCHAR" or len(_kinds(type_)) == 1]
    return f"{_is_other(name, kinds)} OR {_fault(name, type_)}"


def _is_other(name: str, kinds: Sequence[str]) -> str:
    listed = ", ".join(map(string_sql, (*kinds, "NULL")))
    return f"json_type({_value(name)}) NOT IN ({listed})"


def _fault(name: str, type_: SqlType) -> str:
    found = fault(_text(name), type_)
    if type_.name.endswith("NUMERIC"):
        digits = f"length(ltrim(regexp_replace({_text(name)}, '[^0-9]', '', 'g'), '0'))"
        return f"({found} OR json_type({_value(name)}) = 'DOUBLE' AND {digits} > {_MOST_DIGITS})"
    return found


def _strict(it: Column) -> str:
    text = _text(it.name)
    bad = f"{_is_other(it.name, _kinds(it.type))} OR {_fault(it.name, it.type)}"
    return f"CASE WHEN {bad} THEN error('no {it.type}: ' || {text}) ELSE {strict(text, it.type)} END"


def faults(file: File, columns: Sequence[Column], names: Sequence[str] | None) -> Iterator[str]:
    """What is wrong in the file, whose objects may have these names or any, and where. One value after the other: only
    for a file that DuckDB has refused."""
    with file.text() as text:
        for number, line in enumerate(text, 1):
            if line.strip():
                yield from (f"{file.name}:{number}: {fault}" for fault in _faults_in(line, columns, names))


def _faults_in(line: str, columns: Sequence[Column], names: Sequence[str] | None) -> Iterator[str]:
    if NOT_UTF8.search(line):
        yield "the text is not UTF-8"
        return
    try:
        row = parse_json(line)
    except InvalidValue as error:
        yield f"{error}: write one object in each line"
        return
    if not isinstance(row, Object):
        yield 'this line is no object: write {"name": value, …}'
        return
    if row.repeated:
        yield f"the line names {row.repeated} twice"
    yield from (
        f"there is no column {name}: the file has changed" for name in row if names is not None and name not in names
    )
    for it in columns:
        try:
            _check(row.get(it.name), it.type)
        except InvalidValue as error:
            if error.code != "not-exact":  # a FLOAT64 is the nearest number
                yield f"{it.name}: {error}"


def _check(value: object, type_: SqlType) -> None:
    """Raises InvalidValue for what is no value of the type."""
    if type_ == STRING and isinstance(value, list | dict):
        return
    if isinstance(value, Number) and type_.name.endswith("NUMERIC") and _digits(value) > _MOST_DIGITS:
        raise InvalidValue("not-exact-number", f"{value} has more than {_MOST_DIGITS} digits: write it as a text")
    from_json(value if value is None or type_ == BYTES else iso(value, type_), type_)


def _digits(number: Number) -> int:
    is_whole = number.lstrip("-").isdigit()
    return 0 if is_whole else len("".join(filter(str.isdigit, number)).lstrip("0"))

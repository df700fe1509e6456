"""Requests that must be refused, as data: what is sent, and the status, code and faults that come back."""

import base64
from dataclasses import dataclass, field

Fault = tuple[int | None, str, str]
"""Row in the array (None in a query), attribute, code."""

JSON = {"content-type": "application/json"}
P = "/products"
E = "/everything"


@dataclass(frozen=True)
class Bad:
    """One request and the answer it must get; `faults` is None where the problem has no `errors`."""

    target: str
    status: int
    code: str
    faults: tuple[Fault, ...] | None = None
    method: str = "POST"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.target[:60]} {self.body[:40]!r} {self.code}"


def query(target: str, *faults: tuple[str, str]) -> Bad:
    """A query whose attributes are at fault."""
    return Bad(target, 422, "invalid-rows", tuple((None, *fault) for fault in faults))


def value(attribute: str, text: str, code: str = "invalid-value") -> Bad:
    """A value that the column `attribute` of raw.everything does not take; `text` is already encoded for a query."""
    return query(f"{E}?{attribute}={text}", (attribute, code))


def body(text: str | bytes, *faults: Fault, target: str = P) -> Bad:
    """A JSON body whose rows are at fault."""
    raw = text.encode() if isinstance(text, str) else text
    return Bad(target, 422, "invalid-rows", faults, body=raw, headers=JSON)


def not_json(raw: bytes) -> Bad:
    """A body that is not JSON."""
    return Bad(P, 400, "invalid-json", body=raw, headers=JSON)


VALUES = [
    *[value("int64", text) for text in ["4.0", "%204", "4%20", "1e3", "%2B4", "0x10", "", "four", "1_000", "007", "-"]],
    *[value("int64", text) for text in ["%D9%A4", "true", "null", "NULL", "1;DROP%20TABLE%20raw.products"]],
    *[value("int64", text, "out-of-range") for text in ["9223372036854775808", "-9223372036854775809", "9" * 5000]],
    *[value("float64", text) for text in ["", "1,5", "nan", "inf", "%2BInfinity", "1e", ".5", "5.", "0x1p3", "%201"]],
    *[value("float64", text, "out-of-range") for text in ["1e309", "-1e309", "1e-400"]],
    *[
        value("float64", text, "not-exact")
        for text in ["9007199254740993", "-9007199254740993.0", "1" + "0" * 21 + "1"]
    ],
    *[value("float64", text, "not-exact") for text in ["3.14159265358979323846", "0." + "1" * 5000]],
    *[value("numeric", text) for text in ["", "1e3", "NaN", "1,5", "%2B1", ".5", "%201.5"]],
    value("numeric", "0.1234567891", "too-many-decimals"),
    value("numeric", "1" + "0" * 29, "out-of-range"),
    value("numeric", "-1" + "0" * 29 + ".5", "out-of-range"),
    *[value("bool", text) for text in ["", "True", "TRUE", "1", "0", "yes", "t", "false%20"]],
    value("string", "%00", "nul"),
    value("string", "a%00b", "nul"),
    value("string", "%FF", "not-utf8"),
    value("string", "%C3%28", "not-utf8"),
    value("string", "%ED%A0%80", "not-utf8"),
    value("string", "%C0%80", "not-utf8"),
    value("string", "100%", "bad-escape"),
    value("string", "%zz", "bad-escape"),
    *[value("bytes", text) for text in ["", "QUI", "QUI*", "QUI=QUI=", "QU I=", "QUJ=", "-_-_", "%C3%A9"]],
    *[value("date", text) for text in ["", "2026-1-5", "20260105", "2026-W01-1", "05/01/2026", "2026-01-05T00:00:00"]],
    *[value("date", text, "out-of-range") for text in ["2026-02-29", "2026-13-01", "2026-00-10", "0000-01-01"]],
    value("date", "10000-01-01"),
    *[value("time", text) for text in ["", "1:02:03", "12:30", "12:30:00Z", "12:30:00.1234567", "123000", "T12:30:00"]],
    *[value("time", text, "out-of-range") for text in ["24:00:00", "12:60:00", "23:59:60"]],
    *[value("datetime", text) for text in ["", "2026-01-05", "2026-01-05%2012:00:00", "2026-01-05T12:00:00Z"]],
    value("datetime", "2026-01-05T12:00:00.1234567"),
    *[value("datetime", text, "out-of-range") for text in ["2026-02-30T00:00:00", "2026-01-01T24:00:00"]],
    *[value("timestamp", f"2026-01-05T12:00:00{it}", "out-of-range") for it in ["%2B00:60", "%2B14:01", "-15:00"]],
    *[value("timestamp", text) for text in ["", "2026-01-05T12:00:00", "2026-01-05T12:00:00+02:00", "1767600000"]],
    value("timestamp", "2026-01-05T12:00:00%2B0200"),
    *[value("timestamp", text, "out-of-range") for text in ["2026-01-05T25:00:00Z", "2026-01-05T12:00:00%2B24:00"]],
    value("timestamp", "0001-01-01T00:00:00%2B01:00", "out-of-range"),
    value("timestamp", "9999-12-31T23:59:59-01:00", "out-of-range"),
    value("json", ""),
    *[value("json", text, "invalid-json") for text in ["%7B", "%7B%27a%27:1%7D", "NaN", "[1,]", "banana", "01"]],
    value("json", "[1e400]", "out-of-range"),
    value("json", "12345678901234567890123", "out-of-range"),
    value("json", "0.1000000000000000055511151231257827", "out-of-range"),
    value("json", "%7B%22a%22:1,%22a%22:2%7D", "repeated-attribute"),
    value("json", "%22%5Cu0000%22", "nul"),
    value("json", "%22%5Cud800%22", "not-utf8"),
    value("json", "[" * 600 + "]" * 600, "out-of-range"),
    value("json", "[" * 50000, "invalid-json"),
    query(f"{E}?int64s=1&int64s=x", ("int64s", "invalid-value")),
    query(f"{E}?dates=2026-01-01&dates=", ("dates", "invalid-value")),
    value("struct", "5"),
    value("struct", "%7B%22sku%22:%221x%22%7D"),
    value("struct", "%7B%22skuu%22:1%7D", "unknown-column"),
    value("struct", "%7B%22sku%22:1,%22sku%22:2%7D", "repeated-attribute"),
    value("struct", "%7B%22tags%22:[null]%7D", "null-element"),
]
NAMES = [
    query(P, ("", "no-attributes")),
    query(f"{P}?=x", ("", "empty-name")),
    query(f"{P}?=", ("", "empty-name")),
    query(f"{P}?&", ("", "empty-name")),
    query(f"{P}?name=x&&id=1", ("", "empty-name")),
    query(f"{P}?name", ("name", "no-value")),
    query(f"{P}?id=1&id=2", ("id", "repeated-attribute")),
    query(f"{P}?id=1&%69d=1", ("id", "repeated-attribute")),
    query(f"{P}?nam=x", ("nam", "unknown-column")),
    query(f"{P}?Name=x", ("Name", "unknown-column")),
    query(f"{P}?name%20=x", ("name ", "unknown-column")),
    query(f"{P}?%60name%60=x", ("`name`", "unknown-column")),
    query(f"{P}?products.name=x", ("products.name", "unknown-column")),
    query(f"{P}?id)%20VALUES(1)--=1", ("id) VALUES(1)--", "unknown-column")),
    query(f"{P}?na%00me=x", ("na\0me", "unknown-column")),
    query(f"{P}?%FF=x", ("\ufffd", "not-utf8")),
    query(f"{P}?nam=x&id=4.0&category_id=&=1&type=%FF", ("type", "not-utf8"), ("nam", "unknown-column"),
          ("", "empty-name"), ("id", "invalid-value"), ("category_id", "invalid-value")),
    query("/strict_products?price=1", ("id", "missing-attribute"), ("name", "missing-attribute")),
    query("/tables/run?idd=1", ("idd", "unknown-column")),
]  # fmt: skip
TABLES = [
    Bad(f"/{name}?id=1", 404, "unknown-table")
    for name in (
        *("product", "Products", "raw.products", "%60products%60", "tmp.variants", "final.products", "products%20"),
        *("products;DROP%20TABLE%20raw.products", "%22products%22", "pro%00ducts", "%FF", "information_schema"),
    )
]
PATHS = [
    Bad("/health?id=1", 404, "not-found"),
    Bad("/raw/products?id=1", 404, "not-found"),
    Bad("/raw%2Fproducts?id=1", 404, "not-found"),
    Bad("/?id=1", 405, "method-not-allowed"),
    Bad("/tables/products/1?id=1", 404, "not-found"),
    *[Bad(f"{P}?id=1", 405, "method-not-allowed", method=method) for method in ["PUT", "PATCH", "DELETE", "TRACE"]],
    Bad("/run", 405, "method-not-allowed", method="PUT"),
    Bad("/schema", 405, "method-not-allowed"),
    Bad("/metrics", 405, "method-not-allowed"),
    Bad("/run/1", 404, "unknown-run", method="GET"),
    Bad("/run?select=", 422, "invalid-selection"),
    Bad("/run?select=variants", 422, "invalid-selection"),
    Bad("/run?select=+tmp.variants", 422, "invalid-selection"),
    Bad("/run?select=tmp.variants;x", 422, "invalid-selection"),
    Bad("/run?selekt=tmp.variants", 422, "invalid-selection"),
    Bad("/run?select", 422, "invalid-selection"),
    Bad("/run?load=yes", 422, "invalid-selection"),
    Bad("/run?load=true&load=false", 422, "invalid-selection"),
    Bad("/run?select=%FF", 422, "invalid-selection"),
    *(
        Bad("/run", 422, "invalid-variables", body=raw, headers=JSON)
        for raw in (b"[]", b"{}", b'{"select": []}', b'{"variables": []}', b'{"variables": {"nothing": 1}}')
    ),
    Bad("/run", 422, "invalid-variables", body=b'{"variables": {"a": 1, "a": 2}}', headers=JSON),
    Bad("/run", 400, "invalid-json", body=b'{"variables"', headers=JSON),
    Bad("/run", 415, "unsupported-media-type", body=b"day=1", headers={"Content-Type": "text/plain"}),
]
BODIES = [
    *[not_json(raw) for raw in [b'[{"id": 1}', b"[{]", b"{'id': 1}", b"id=1", b'[{"id": NaN}]', b"[" * 100_000]],
    *[not_json(raw) for raw in [b'[{"name": "\xff"}]', b"\xef\xbb\xbf[]", b'[{"id": 01}]', b'[{"name": "a\nb"}]']],
    body("[]", (None, "", "not-an-array")),
    body('{"id": 1}', (None, "", "not-an-array")),
    body("null", (None, "", "not-an-array")),
    body('"id"', (None, "", "not-an-array")),
    body("[[1]]", (0, "", "not-an-object")),
    body('[{"id": 1, "id": 1, "id": 1}]', (0, "id", "repeated-attribute")),
    body('[{"id": 1, "a": 1, "a": 1}]', (0, "a", "unknown-column"), (0, "a", "repeated-attribute")),
    body("[1]", (0, "", "not-an-object")),
    body('[{"id": 1}, {}]', (1, "", "no-attributes")),
    body('[{"id": 1}, {"id": "x", "nam": 2}]', (1, "nam", "unknown-column"), (1, "id", "invalid-value")),
    body('[{"id": 1, "id": 2}]', (0, "id", "repeated-attribute")),
    body('[{"": 1}]', (0, "", "empty-name")),
    body('[{"id": 4.0}]', (0, "id", "invalid-value")),
    body('[{"id": 1e3}]', (0, "id", "invalid-value")),
    body('[{"id": true}]', (0, "id", "invalid-value")),
    body('[{"id": [1]}]', (0, "id", "invalid-value")),
    body('[{"id": {"a": 1}}]', (0, "id", "invalid-value")),
    body('[{"id": 9223372036854775808}]', (0, "id", "out-of-range")),
    body('[{"id": ' + "9" * 5000 + "}]", (0, "id", "out-of-range")),
    body('[{"name": 5}]', (0, "name", "invalid-value")),
    body('[{"name": "a\\u0000b"}]', (0, "name", "nul")),
    body('[{"name": "\\ud800"}]', (0, "name", "not-utf8")),
    body('[{"id": null, "name": "x"}]', (0, "id", "missing-attribute"), target="/strict_products"),
    body('[{"bool": "yes"}]', (0, "bool", "invalid-value"), target=E),
    body('[{"bool": 1}]', (0, "bool", "invalid-value"), target=E),
    body('[{"numeric": 0.1234567891}]', (0, "numeric", "too-many-decimals"), target=E),
    body('[{"int64s": 1}]', (0, "int64s", "invalid-value"), target=E),
    body('[{"int64s": [1, null]}]', (0, "int64s", "null-element"), target=E),
    body('[{"int64s": [1, "x"]}]', (0, "int64s", "invalid-value"), target=E),
    body('[{"json": {"a": 1e400}}]', (0, "json", "out-of-range"), target=E),
    Bad(
        P, 415, "unsupported-media-type", body=b"name=x", headers={"content-type": "application/x-www-form-urlencoded"}
    ),
    Bad(P, 422, "invalid-rows", ((0, "id", "invalid-value"),), body=b"id\nx\n", headers={"content-type": "text/csv"}),
    Bad(
        P, 422, "invalid-rows", ((0, "", "not-an-object"),), body=b"1", headers={"content-type": "application/x-ndjson"}
    ),
    Bad(P, 415, "unsupported-media-type", body=b"[]", headers={"content-type": "text/plain"}),
    Bad(P, 415, "unsupported-media-type", body=b"[]", headers={}),
    Bad(P, 415, "unsupported-media-type", body=b"[]", headers={"content-type": "application/json; charset=latin-1"}),
    Bad(P, 415, "unsupported-media-type", body=b"[]", headers={"content-type": "multipart/form-data; boundary=x"}),
    Bad(P, 415, "unsupported-media-type", body=b"[]", headers={"content-type": "application/json; charset=utf-16"}),
    Bad(P, 415, "unsupported-media-type", body=b"[]", headers={"content-type": "application/jsonp"}),
    Bad(P, 415, "unsupported-media-type", body=b"[]", headers={"content-type": ";;;=,"}),
    *[
        Bad(P, 415, "unsupported-media-type", body=b"[]", headers={**JSON, "content-encoding": encoding})
        for encoding in ("gzip", "br", "identity, gzip", "x", "GZIP")
    ],
    Bad("/run", 422, "invalid-variables", body=b'{"select": "tmp.variants"}', headers=JSON),
    Bad("/run", 415, "unsupported-media-type", body=b"select=tmp.variants"),
    Bad(f"{P}?id=1", 403, "forbidden-origin", headers={"origin": "https://evil.example.com"}),
    Bad(P, 413, "too-many-rows", body=b"[" + b"{}," * 10_000 + b"{}]", headers=JSON),
    Bad(P, 413, "too-many-rows", body=b"[" + b"1," * 10_000 + b"1]", headers=JSON),
    Bad(P, 413, "too-many-values", body=b'[{"name": [' + b"1," * 1_000_000 + b"1]}]", headers=JSON),
    Bad(f"/{'x' * 2_048}?id=1", 414, "uri-too-long"),
    Bad(f"{P}?id=1", 400, "bad-request", body=b'[{"id": 1}]', headers=JSON),
    Bad(P, 413, "too-many-rows", body=b"[" + b",".join([b'{"id":1}'] * 10_001) + b"]", headers=JSON),
    Bad(P, 413, "body-too-large", body=b" " * (10 * 1024 * 1024 + 1), headers=JSON),
    *[Bad(f"{P}?id=1", 400, "invalid-key", headers={"idempotency-key": key}) for key in ["", "a b", "x" * 256]],
    body('[{"bytes": "' + base64.b64encode(b"x").decode().rstrip("=") + '"}]', (0, "bytes", "invalid-value"), target=E),
]
ALL = [*VALUES, *NAMES, *TABLES, *PATHS, *BODIES]

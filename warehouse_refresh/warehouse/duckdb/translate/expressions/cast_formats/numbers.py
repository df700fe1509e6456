"""Numbers as text, by a format such as '$9,999.00'.

https://cloud.google.com/bigquery/docs/reference/standard-sql/format-elements#format_numeric_type_as_string
"""

import re
from dataclasses import dataclass

from warehouse_refresh.warehouse.duckdb.translate.nodes import Chain, Literal, Node, let
from warehouse_refresh.warehouse.duckdb.translate.templates import sql
from warehouse_refresh.warehouse.errors import UnsupportedSql
from warehouse_refresh.warehouse.types import FLOAT64, SqlType

_PIECE = re.compile(r"EEEE|FM|MI|PR|TM9|TME|TM|[09,.$SBCDGLVX]", re.IGNORECASE)
_NOT_YET = frozenset({"TM9", "TME", "TM", "B", "C", "V"})
_MOST_HEX = 16
_SAME = {"G": ",", "D": ".", "L": "$"}
_ONE_OF = (frozenset({"S", "MI", "PR"}), frozenset({"$"}), frozenset({"."}), frozenset({"FM"}), frozenset({"EEEE"}))
"""Of each of these a format may have one."""


@dataclass(frozen=True, slots=True)
class _Format:
    """What a format has: the places before the point (0, 9 and commas), how many digits after it and whether there is
    a point, which sign ("", S, MI or PR; S may be the first element), $, and FM, which leaves out blanks and zeros;
    E or e if the number has an exponent, X or x if its digits are hexadecimal."""

    places: str
    decimals: int
    has_point: bool
    sign: str
    is_sign_first: bool
    currency: str
    is_trimmed: bool
    exponent: str
    base: str

    @property
    def digits(self) -> int:
        return len(self.places.replace(",", ""))

    @property
    def least(self) -> int:
        """How many digits there are at least before the point: from the first 0 on."""
        _, zero, rest = self.places.replace(",", "").partition("0")
        return len(zero + rest)

    @property
    def width(self) -> int:
        own = {"S": 1, "MI": 1, "PR": 2}.get(self.sign, 1)
        return own + len(self.currency) + len(self.places) + self.has_point + self.decimals


def to_text(written: str, kind: SqlType, value: Node, zone: Node) -> Node:  # noqa: ARG001
    """A number as STRING. Raises ValueError, UnsupportedSql."""
    form = _read(written)
    if form.exponent:
        return let(value, lambda number: _with_exponent(form, kind, number))
    if form.base:
        shown = sql(f"{_CASES[form.base]}({_HEX_FLOAT if kind == FLOAT64 else _HEX})", x=value)
        return let(value, lambda number: let(shown, lambda text: _text(form, number, text)))
    size = _FLOAT if kind == FLOAT64 else _EXACT
    digits = sql(size.replace("DECIMALS", str(form.decimals)).replace("KEPT", str(min(form.decimals, 9))), x=value)
    return let(value, lambda number: let(digits, lambda text: _text(form, number, text)))


_EXACT = "CAST(CAST(abs(CAST({x} AS DECIMAL(38,9))) AS DECIMAL(38,KEPT)) AS VARCHAR)"
_FLOAT = (
    "CASE WHEN isfinite({x}) THEN printf('%.DECIMALSf', abs({x})) WHEN {x} IS NOT NULL THEN error('the embedded engine"
    " cannot write NaN and infinities by a format: this needs BigQuery') END"
)


_CASES = {"X": "upper", "x": "lower", "E": "upper", "e": "lower"}
_HEX = "to_hex(CAST(round(abs(CAST({x} AS DECIMAL(38,9)))) AS UHUGEINT))"
_HEX_FLOAT = (
    "CASE WHEN abs({x}) < 1.8e19 THEN to_hex(CAST(round(abs({x})) AS UHUGEINT)) WHEN {x} IS NOT NULL THEN"
    " error('the embedded engine cannot write this number in hexadecimal digits: this needs BigQuery') END"
)


def _with_exponent(form: _Format, kind: SqlType, number: Node) -> Node:
    """The number as one digit, those after the point, and an exponent."""
    template = f"googlesql_with_exponent(CAST({{x}} AS VARCHAR), {form.decimals})"
    if kind == FLOAT64:
        template = _FLOAT.replace("DECIMALSf", f"{form.decimals}E")
    digits = sql(f"{_CASES[form.exponent]}({template})", x=number)
    if form.has_point and not form.decimals:
        digits = sql("regexp_replace({d}, '([Ee])', '.\\1')", d=digits)
    return let(digits, lambda body: _signed(form, number, body))


def _read(written: str) -> _Format:
    """The format taken apart. Raises ValueError, UnsupportedSql."""
    pieces = _PIECE.findall(written)
    found = [_SAME.get(piece.upper(), piece.upper()) for piece in pieces]
    if "".join(pieces) != written:
        raise ValueError(f"the format {written!r} has an element that no number has")
    later = _NOT_YET & set(found)
    if later:
        raise UnsupportedSql(
            f"the embedded engine does not know the FORMAT element {min(later)} yet", hint="BigQuery runs it"
        )
    if any(sum(piece in group for piece in found) > 1 for group in _ONE_OF):
        raise ValueError(f"the format {written!r} can have one sign, one currency, one point, one FM and one EEEE")
    _check_letters(written, found)
    marks = [mark for mark in found if mark in "09,.X"]
    before, point, after = "".join(marks).replace("X", "9").partition(".")
    if "," in after or before.startswith(",") or not re.search("[09]", before + after):
        raise ValueError(f"the format {written!r} has a comma in the wrong place, or no digits")
    sign = next((piece for piece in found if piece in ("S", "MI", "PR")), "")
    is_first = sign == "S" and found.index("S") < min(map(found.index, marks))
    letters = [_letter(pieces, element) for element in ("EEEE", "X")]
    return _Format(
        before, len(after), bool(point), sign, is_first, "$" if "$" in found else "", "FM" in found, *letters
    )


def _letter(pieces: list[str], element: str) -> str:
    """The letter of the element as it is written; "" if it is not there."""
    written = {letter for piece in pieces if piece.upper() == element for letter in piece}
    if len(written) > 1:
        raise UnsupportedSql(
            f"the embedded engine does not know the FORMAT element {element} in both cases yet", hint="write one"
        )
    return written.pop() if written else ""


def _check_letters(written: str, found: list[str]) -> None:
    """Raise ValueError for what does not stand beside X and EEEE, UnsupportedSql for what is not answered yet."""
    if "X" in found and (
        {"9", ",", ".", "$", "EEEE"} & set(found) or sum(piece in "X0" for piece in found) > _MOST_HEX
    ):
        raise ValueError(f"the format {written!r} has more than {_MOST_HEX} X, or what does not stand beside X")
    if "EEEE" not in found:
        return
    at = found.index("EEEE")
    if "," in found or set("09.$") & set(found[at:]):
        raise ValueError(f"the format {written!r} has a comma, or digits after EEEE")
    if "FM" in found or not set("09") & set(found[: [*found, "."].index(".")]):
        hint = "write a digit before the point, and no FM"
        raise UnsupportedSql("the embedded engine does not know the FORMAT element EEEE of this kind yet", hint=hint)


def _text(form: _Format, number: Node, digits: Node) -> Node:
    zero = "''" if form.decimals else "'0'"
    if form.is_trimmed and form.decimals and form.digits:
        zero = "CASE WHEN rtrim(split_part({t}, '.', 2), '0') = '' THEN '0' ELSE '' END"
    whole = sql(f"CASE split_part({{t}}, '.', 1) WHEN '0' THEN {zero} ELSE split_part({{t}}, '.', 1) END", t=digits)
    return let(let(whole, lambda found: _body(form, found, digits)), lambda body: _signed(form, number, body))


def _body(form: _Format, whole: Node, digits: Node) -> Node:
    """The digits with commas and the point, without blanks before them."""
    least = form.least
    filled = sql(f"CASE WHEN length({{w}}) < {least} THEN lpad({{w}}, {least}, '0') ELSE {{w}} END", w=whole)
    shown = let(sql(f"lpad({{w}}, {form.digits}, ' ')", w=filled), lambda row: _with_commas(form, row))
    rest = sql(f"substr(rpad(split_part({{t}}, '.', 2), {form.decimals}, '0'), 1, {form.decimals})", t=digits)
    point = Literal("." if form.has_point else "")
    hashes = re.sub("[09]", "#", form.places) + ("." if form.has_point else "") + "#" * form.decimals
    if form.is_trimmed:
        rest = sql("rtrim({r}, '0')", r=rest)
    body = Chain("||", (sql("ltrim({s})", s=shown), point, rest))
    return sql(f"CASE WHEN length({{w}}) > {form.digits} THEN {{h}} ELSE {{b}} END", w=whole, h=Literal(hashes), b=body)


def _with_commas(form: _Format, row: Node) -> Node:
    """As many digits or blanks as the format has places, with its commas after digits."""
    parts: list[Node] = []
    place = 0
    for mark in form.places:
        if mark == ",":
            parts.append(sql(f"CASE WHEN substr({{r}}, {place}, 1) = ' ' THEN ' ' ELSE ',' END", r=row))
        else:
            place += 1
            parts.append(sql(f"substr({{r}}, {place}, 1)", r=row))
    return Chain("||", (Literal(""), *parts))


_SIGNED = {
    "": "CASE WHEN {x} < 0 THEN '-' ELSE '' END || {c} || {b}",
    "S": "{c} || {b} || CASE WHEN {x} < 0 THEN '-' ELSE '+' END",
    "MI": "{c} || {b} || CASE WHEN {x} < 0 THEN '-' ELSE ' ' END",
    "PR": "CASE WHEN {x} < 0 THEN '<' ELSE ' ' END || {c} || {b} || CASE WHEN {x} < 0 THEN '>' ELSE ' ' END",
}
_SIGN_FIRST = "CASE WHEN {x} < 0 THEN '-' ELSE '+' END || {c} || {b}"


def _signed(form: _Format, number: Node, body: Node) -> Node:
    template = _SIGN_FIRST if form.is_sign_first else _SIGNED[form.sign]
    found = sql(template, x=number, c=Literal(form.currency), b=body)
    if form.is_trimmed:
        return sql("trim({f})", f=found)
    if form.exponent:
        return found if form.sign else sql("CASE WHEN {x} < 0 THEN '' ELSE ' ' END || {f}", x=number, f=found)
    return sql(f"lpad({{f}}, {form.width}, ' ')", f=found)

"""Texts: their Unicode forms, how they sound, how far they differ; hashes; IP addresses.

https://cloud.google.com/bigquery/docs/reference/standard-sql/string_functions#normalize
"""

import hashlib
import ipaddress
import socket
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from warehouse_refresh.warehouse.duckdb.python_functions import Refusal


def sha512(value: str | bytes | None) -> bytes | None:
    """SHA512(value)"""
    if value is None:
        return None
    return hashlib.sha512(value.encode() if isinstance(value, str) else value).digest()


def reverse_bytes(data: bytes | None) -> bytes | None:
    """REVERSE(data)"""
    return None if data is None else data[::-1]


def to_code_points(data: bytes | None) -> list[int] | None:
    """TO_CODE_POINTS(data)"""
    return None if data is None else list(data)


def code_points_to_bytes(numbers: list[int | None] | None) -> bytes | None:
    """CODE_POINTS_TO_BYTES(numbers)"""
    if numbers is None or None in numbers:
        return None
    found = [number for number in numbers if number is not None]
    if odd := next((number for number in found if not 0 <= number < 256), None):
        raise ValueError(f"Invalid extended ASCII code point {odd}")
    return bytes(found)


def normalize(text: str | None, form: Any) -> str | None:
    """NORMALIZE(text, form)"""
    return None if text is None else unicodedata.normalize(form, text)


def normalize_and_casefold(text: str | None, form: Any) -> str | None:
    """NORMALIZE_AND_CASEFOLD(text, form)"""
    if text is None:
        return None
    found = unicodedata.normalize(form, text.casefold())
    if found != unicodedata.normalize(form, unicodedata.normalize("NFD", text).casefold()):
        raise Refusal("the embedded engine cannot fold the case of this text as BigQuery does")
    return found


_SOUNDS = {
    letter: code for code, letters in enumerate(("BFPV", "CGJKQSXZ", "DT", "L", "MN", "R"), 1) for letter in letters
}


def soundex(text: str | None) -> str | None:
    """SOUNDEX(text): letters outside ASCII and all other characters are left out"""
    if text is None:
        return None
    letters = [char for char in text if char.isascii() and char.isalpha()]
    if not letters:
        return ""
    found, last = letters[0], _SOUNDS.get(letters[0].upper())
    for letter in letters[1:]:
        code = _SOUNDS.get(letter.upper())
        if code is not None and code != last:
            found, last = f"{found}{code}", code
    return found[:4].ljust(4, "0")


def edit_distance(one: str | None, other: str | None) -> int | None:
    """EDIT_DISTANCE(one, other): by Levenshtein"""
    if one is None or other is None:
        return None
    row = list(range(len(other) + 1))
    for line, char in enumerate(one, 1):
        left, diagonal = line, row[0]
        row[0] = line
        for index, second in enumerate(other, 1):
            left = min(left + 1, row[index] + 1, diagonal + (char != second))
            diagonal, row[index] = row[index], left
    return row[-1]


def ip_from_string(text: str | None) -> bytes | None:
    """NET.IP_FROM_STRING(text)"""
    if text is None:
        return None
    found = safe_ip_from_string(text)
    if found is None:
        raise ValueError(f"NET.IP_FROM_STRING() encountered an unparseable IP-address: {text}")
    return found


def safe_ip_from_string(text: str | None) -> bytes | None:
    """NET.SAFE_IP_FROM_STRING(text)"""
    if text is None or "%" in text:
        return None
    try:
        return ipaddress.ip_address(text).packed
    except ValueError:
        return None


def ip_to_string(address: bytes | None) -> str | None:
    """NET.IP_TO_STRING(address)"""
    if address is None:
        return None
    _check_size("NET.IP_TO_STRING", len(address))
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def _check_size(name: str, size: int) -> None:
    if size not in (4, 16):
        raise ValueError(f"{name}() needs 4 bytes (IPv4) or 16 (IPv6), not {size}")


def ip_net_mask(size: int | None, prefix: int | None) -> bytes | None:
    """NET.IP_NET_MASK(size, prefix)"""
    if size is None or prefix is None:
        return None
    _check_size("NET.IP_NET_MASK", size)
    if not 0 <= prefix <= 8 * size:
        raise ValueError(f"the length of a prefix must be between 0 and {8 * size}, not {prefix}")
    return ((1 << prefix) - 1 << (8 * size - prefix)).to_bytes(size, "big")


def ip_trunc(address: bytes | None, prefix: int | None) -> bytes | None:
    """NET.IP_TRUNC(address, prefix)"""
    mask = ip_net_mask(None if address is None else len(address), prefix)
    return None if address is None or mask is None else bytes(a & b for a, b in zip(address, mask, strict=True))


def ipv4_from_int64(number: int | None) -> bytes | None:
    """NET.IPV4_FROM_INT64(number)"""
    if number is None:
        return None
    if not -(2**31) <= number < 2**32:
        raise ValueError(f"NET.IPV4_FROM_INT64() encountered an invalid integer IP: {number}")
    return (number % 2**32).to_bytes(4, "big")


def ipv4_to_int64(address: bytes | None) -> int | None:
    """NET.IPV4_TO_INT64(address)"""
    if address is None:
        return None
    if len(address) != 4:
        raise ValueError(f"NET.IPV4_TO_INT64() encountered a non-IPv4 address of {len(address)} bytes")
    return int.from_bytes(address, "big")


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "sha512": (sha512, "BLOB"),
    "reverse_bytes": (reverse_bytes, "BLOB"),
    "to_code_points": (to_code_points, "BIGINT[]"),
    "code_points_to_bytes": (code_points_to_bytes, "BLOB"),
    "normalize": (normalize, "VARCHAR"),
    "normalize_and_casefold": (normalize_and_casefold, "VARCHAR"),
    "soundex": (soundex, "VARCHAR"),
    "edit_distance": (edit_distance, "BIGINT"),
    "net_ip_from_string": (ip_from_string, "BLOB"),
    "net_safe_ip_from_string": (safe_ip_from_string, "BLOB"),
    "net_ip_to_string": (ip_to_string, "VARCHAR"),
    "net_ip_net_mask": (ip_net_mask, "BLOB"),
    "net_ip_trunc": (ip_trunc, "BLOB"),
    "net_ipv4_from_int64": (ipv4_from_int64, "BLOB"),
    "net_ipv4_to_int64": (ipv4_to_int64, "BIGINT"),
}

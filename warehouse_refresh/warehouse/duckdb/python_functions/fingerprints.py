"""FARM_FINGERPRINT: Fingerprint64 of FarmHash, which never changes. No library that has it has wheels for all versions
of Python.

https://github.com/google/farmhash
"""

from collections.abc import Callable, Mapping
from struct import unpack_from
from typing import Any

_MASK = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
Pair = tuple[int, int]


def _rotated(value: int, bits: int) -> int:
    value &= _MASK
    return (value >> bits | value << (64 - bits)) & _MASK


def _mixed(value: int) -> int:
    value &= _MASK
    return value ^ (value >> 47)


def _word(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 8], "little")


def _two(one: int, other: int, factor: int) -> int:
    """The hash of two words."""
    return _mixed((other ^ _mixed((one ^ other) * factor)) * factor) * factor & _MASK


def _short(data: bytes) -> int:
    """Of at most 16 bytes."""
    size = len(data)
    factor = _K2 + size * 2
    if size >= 8:
        a, b = (_word(data, 0) + _K2) & _MASK, _word(data, size - 8)
        c, d = _rotated(b, 37) * factor + a, (_rotated(a, 25) + b) * factor
        return _two(c & _MASK, d & _MASK, factor)
    if size >= 4:
        [a], [b] = unpack_from("<I", data), unpack_from("<I", data, size - 4)
        return _two(size + (a << 3), b, factor)
    if size:
        y, z = data[0] + (data[size >> 1] << 8), size + (data[-1] << 2)
        return _mixed(y * _K2 ^ z * _K0) * _K2 & _MASK
    return _K2


def _up_to_32(data: bytes) -> int:
    size = len(data)
    factor = _K2 + size * 2
    a, b = _word(data, 0) * _K1, _word(data, 8)
    c, d = _word(data, size - 8) * factor, _word(data, size - 16) * _K2
    one = _rotated(a + b, 43) + _rotated(c, 30) + d
    return _two(one & _MASK, (a + _rotated(b + _K2, 18) + c) & _MASK, factor)


def _up_to_64(data: bytes) -> int:
    size = len(data)
    factor = _K2 + size * 2
    a, b = _word(data, 0) * _K2, _word(data, 8)
    c, d = _word(data, size - 8) * factor, _word(data, size - 16) * _K2
    y = (_rotated(a + b, 43) + _rotated(c, 30) + d) & _MASK
    z = _two(y, (a + _rotated(b + _K2, 18) + c) & _MASK, factor)
    e, f = _word(data, 16) * factor, _word(data, 24)
    g, h = (y + _word(data, size - 32)) * factor, (z + _word(data, size - 24)) * factor
    one = _rotated(e + f, 43) + _rotated(g, 30) + h
    return _two(one & _MASK, (e + _rotated(f + a, 18) + g) & _MASK, factor)


def _four(data: bytes, start: int, a: int, b: int) -> Pair:
    """The hash of four words with two seeds."""
    first, second, third, fourth = unpack_from("<4Q", data, start)
    a += first
    b = _rotated(b + a + fourth, 21)
    c = a
    a += second + third
    b += _rotated(a, 44)
    return (a + fourth) & _MASK, (b + c) & _MASK


def _round(data: bytes, start: int, state: tuple[int, int, int, Pair, Pair], factor: int, weight: int) -> Any:
    """The state after 64 bytes more."""
    x, y, z, v, w = state
    x = _rotated(x + y + v[0] + _word(data, start + 8), 37) * factor & _MASK
    y = _rotated(y + v[1] + _word(data, start + 48), 42) * factor
    x ^= w[1] * weight & _MASK
    y = (y + v[0] * weight + _word(data, start + 40)) & _MASK
    z = _rotated(z + w[0], 33) * factor & _MASK
    v = _four(data, start, v[1] * factor, x + w[0])
    w = _four(data, start + 32, z + w[1], y + _word(data, start + 16))
    return z, y, x, v, w


def _long(data: bytes) -> int:
    """Of more than 64 bytes."""
    y = (81 * _K1 + 113) & _MASK
    z = _mixed(y * _K2 + 113) * _K2 & _MASK
    state = ((81 * _K2 + _word(data, 0)) & _MASK, y, z, (0, 0), (0, 0))
    for start in range(0, (len(data) - 1) // 64 * 64, 64):
        state = _round(data, start, state, _K1, 1)
    x, y, z, v, w = state
    factor = _K1 + ((z & 0xFF) << 1)
    first = w[0] + ((len(data) - 1) & 63)
    v = v[0] + first, v[1]
    w = first + v[0], w[1]
    x, y, z, v, w = _round(data, len(data) - 64, (x, y, z, v, w), factor, 9)
    one = _two(v[0], w[0], factor) + _mixed(y) * _K0 + z
    return _two(one & _MASK, (_two(v[1], w[1], factor) + x) & _MASK, factor)


def farm_fingerprint(value: str | bytes | None) -> int | None:
    """FARM_FINGERPRINT(value)"""
    if value is None:
        return None
    data = value.encode() if isinstance(value, str) else value
    size = len(data)
    found = (_short if size <= 16 else _up_to_32 if size <= 32 else _up_to_64 if size <= 64 else _long)(data)
    return found - 2**64 if found >= 2**63 else found


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], str]] = {"farm_fingerprint": (farm_fingerprint, "BIGINT")}

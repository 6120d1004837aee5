"""Integers of any size in as few bytes as they need: seven bits a byte, the lowest first. Pure."""

from collections.abc import Iterable
from typing import Final

_BYTE_MAX: Final = 0x7F
"""What fits one byte."""


def append(data: bytearray, value: int) -> None:
    """Write a number that is not negative."""
    while value > _BYTE_MAX:
        data.append(value & _BYTE_MAX | 0x80)
        value >>= 7
    data.append(value)


def encode(values: Iterable[int]) -> bytes:
    """Numbers that are not negative, one after the other."""
    values = list(values)
    if max(values, default=0) <= _BYTE_MAX:  # as most are, at a fraction of the time
        return bytes(values)
    data = bytearray()
    for value in values:
        if value <= _BYTE_MAX:  # calls take longer
            data.append(value)
        else:
            append(data, value)
    return bytes(data)


def numbers(data: bytes) -> list[int]:
    """Every number written, in order."""
    if data.isascii():
        return list(data)
    # From the end, where a number's highest bits come first: so every shift is by seven, which takes a quarter less time.
    found = []
    value = 0
    for byte in data[::-1]:
        if byte <= _BYTE_MAX:
            found.append(value)  # the one behind, of which this is not a part
            value = byte
        else:
            value = value << 7 | byte & _BYTE_MAX
    found.append(value)
    return found[:0:-1]


def zigzag(value: int) -> int:
    """A number of either sign as one that is not negative: 0, −1, 1, −2 are 0, 1, 2, 3; `z >> 1 ^ -(z & 1)` is its inverse."""
    return value << 1 if value >= 0 else ~value << 1 | 1

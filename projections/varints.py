"""Integers of any size in as few bytes as they need: seven bits a byte, the lowest first. Pure."""

from collections.abc import Iterable, Iterator


def append(data: bytearray, value: int) -> None:
    """Write a number that is not negative."""
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)


def encode(values: Iterable[int]) -> bytes:
    """Numbers that are not negative, one after the other."""
    data = bytearray()
    for value in values:
        append(data, value)
    return bytes(data)


def numbers(data: bytes) -> Iterator[int]:
    """Every number written, in order."""
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield value
            value = shift = 0


def zigzag(value: int) -> int:
    """A number of either sign as one that is not negative: 0, −1, 1, −2 are 0, 1, 2, 3."""
    return value << 1 if value >= 0 else ~value << 1 | 1


def zagzig(value: int) -> int:
    """The inverse of `zigzag`."""
    return value >> 1 ^ -(value & 1)

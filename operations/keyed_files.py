"""Bytes put under keys, in files: each key's come back together, in the order in which they were put."""

import os
from array import array
from collections.abc import Iterator, KeysView
from contextlib import contextmanager
from itertools import batched
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

BUFFERED_BYTES: Final = 16_000_000
"""Of one store in memory, before they are written: so that a key's bytes lie in few pieces."""
_KEY_BYTES: Final = 200
"""What a key takes in memory beside its bytes, roughly."""
_HEAD: Final = Struct(">QI")


class KeyedFiles:
    """In a folder, which is its owner's to remove. A key's file is told by its number: keys of one are found together."""

    def __init__(self, folder: Path, name: str, files: int, buffered_bytes: int = BUFFERED_BYTES) -> None:
        self._paths = [folder / f"{name}-{number}" for number in range(files)]
        self._buffered_bytes = buffered_bytes
        self._waiting: dict[int, bytearray] = {}
        self._waiting_bytes = 0

    def put(self, key: int, data: bytes) -> None:
        """Put bytes behind those of the key that are there."""
        if (waiting := self._waiting.get(key)) is None:
            self._waiting[key] = bytearray(data)
            self._waiting_bytes += _KEY_BYTES
        else:
            waiting += data
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= self._buffered_bytes:
            self.flush()

    def flush(self) -> None:
        """Have everything in the files."""
        by_file: dict[int, list[bytes | bytearray]] = {}
        for key, data in self._waiting.items():
            by_file.setdefault(key % len(self._paths), []).extend((_HEAD.pack(key, len(data)), data))
        for number, pieces in by_file.items():
            with self._paths[number].open("ab") as file:
                file.writelines(pieces)
        self._waiting.clear()
        self._waiting_bytes = 0

    @contextmanager
    def opened(self, number: int) -> Iterator["KeyedFile"]:
        """What lies in one file; after `flush`."""
        path = self._paths[number]
        if not path.exists():
            path.touch()
        with path.open("rb") as file:
            yield KeyedFile(file)


class KeyedFile:
    """One of the files. Holds where each piece lies, and none of them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[int, array[int]] = {}
        """Where each piece begins and how long it is, in turn."""
        while head := file.read(_HEAD.size):
            key, size_bytes = _HEAD.unpack(head)
            self._places.setdefault(key, array("Q")).extend((file.tell(), size_bytes))
            file.seek(size_bytes, os.SEEK_CUR)

    @property
    def keys(self) -> KeysView[int]:
        """That something was put under."""
        return self._places.keys()

    def pieces(self, key: int) -> Iterator[bytes]:
        """All bytes of a key, in pieces as they were written: nothing that was put lies in two."""
        for begin, size_bytes in batched(self._places.get(key, ()), 2, strict=True):
            self._file.seek(begin)
            yield self._file.read(size_bytes)

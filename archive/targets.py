"""Where a chain's objects lie, as archiver and readers see it, and the twin in memory."""

import io
import threading
from collections.abc import Iterator
from itertools import count
from typing import BinaryIO, NamedTuple, Protocol

from telemetry.errors import ArchiveUnreadable


class Versioned(NamedTuple):
    """A part that is replaced as a whole, and which of its versions it is."""

    data: bytes
    version: str


class Target(Protocol):
    """A place for objects, which are put once and never changed, and for states and parts, which are.

    What was put is durable when the call returns, and seen by everybody's next call. Raises StoreUnavailable when the place
    stays away, and ArchiveUnreadable for an object that is not there.
    """

    def put_new(self, key: str, data: bytes) -> bool:
        """Put an object under a name that nobody has put one under: whether this was the first.

        False also when it was, and the answer to an earlier try was lost: whoever loses looks at what is there.
        """

    def get(self, key: str) -> BinaryIO:
        """An object, to be read from its beginning in steps, and closed."""

    def get_start(self, key: str, size_bytes: int) -> bytes:
        """The first so many bytes of an object, in one call; all of a shorter one."""

    def get_tail(self, key: str, size_bytes: int) -> bytes:
        """The last so many bytes of an object, in one call; all of a shorter one."""

    def size_bytes(self, key: str) -> int:
        """How large an object is, without reading it."""

    def list_after(self, prefix: str, after: str = "") -> Iterator[str]:
        """The names that begin with a prefix, which ends with a slash, and come after a text, in their order: states' too."""

    def put_state(self, key: str, data: bytes) -> None:
        """Put a state in the place of the one before."""

    def get_state(self, key: str) -> bytes | None:
        """The state, None when there is none."""

    def get_part(self, key: str) -> Versioned | None:
        """A part of what is made out of the log, and its version; None when there is none."""

    def replace_part(self, key: str, data: bytes, version: str | None) -> bool:
        """Put a part in the place of this version of it, None for none: whether nobody had replaced that meanwhile.

        Who reads meets the one or the other, whole. False also when it was put, and the answer to an earlier try was lost.
        """


class MemoryTarget:
    """The twin: a place for as long as the process lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, bytes] = {}
        self._states: dict[str, bytes] = {}
        self._parts: dict[str, Versioned] = {}
        self._versions = count()

    def put_new(self, key: str, data: bytes) -> bool:
        """See Target."""
        with self._lock:
            return self._objects.setdefault(key, data) is data

    def get(self, key: str) -> BinaryIO:
        """See Target."""
        return io.BytesIO(self._object(key))

    def get_start(self, key: str, size_bytes: int) -> bytes:
        """See Target."""
        return self._object(key)[:size_bytes]

    def get_tail(self, key: str, size_bytes: int) -> bytes:
        """See Target."""
        return self._object(key)[-size_bytes:]

    def size_bytes(self, key: str) -> int:
        """See Target."""
        return len(self._object(key))

    def list_after(self, prefix: str, after: str = "") -> Iterator[str]:
        """See Target."""
        with self._lock:
            names = [*self._objects, *self._states, *self._parts]
        keys = sorted(name for name in names if name.startswith(prefix) and name > after)
        yield from keys

    def put_state(self, key: str, data: bytes) -> None:
        """See Target."""
        with self._lock:
            self._states[key] = data

    def get_state(self, key: str) -> bytes | None:
        """See Target."""
        return self._states.get(key)

    def get_part(self, key: str) -> Versioned | None:
        """See Target."""
        return self._parts.get(key)

    def replace_part(self, key: str, data: bytes, version: str | None) -> bool:
        """See Target."""
        with self._lock:
            known = self._parts.get(key)
            if (known and known.version) != version:
                return False
            self._parts[key] = Versioned(data, str(next(self._versions)))
            return True

    def _object(self, key: str) -> bytes:
        if key not in self._objects:
            raise not_there(key)
        return self._objects[key]


def not_there(key: str) -> ArchiveUnreadable:
    """What is raised for an object that is not there."""
    return ArchiveUnreadable(f"{key} is not there: look whether the archive was moved, or a copy of it is not complete.")

"""A table of keys in memory, which a test may have go away."""

import threading
from collections.abc import Iterator
from dataclasses import replace

from botocore.exceptions import EndpointConnectionError

from telemetry.keys import Credential, Key, Role

SECRET = "0123456789ABCDEFGHIJabcdefghij"  # noqa: S105  of a table in memory


class MemoryTable:
    """As telemetry.key_table.KeyTable has it."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.away = False
        self.reads = 0
        self.held = threading.Event()
        self.held.set()

    def make(self, key_id: str, role: Role, *patterns: str, secret: str = SECRET, **more: object) -> str:
        """A key of eight characters, for these sensors or all; its text."""
        credential = Credential(key_id.ljust(8, "0"), secret)
        key = Key(credential.key_id, role, credential.digest, 0, patterns or ("*",), **more)  # type: ignore[arg-type]
        self.keys[key.key_id] = key
        return credential.text

    def find(self, key_id: str) -> Key | None:
        """A key."""
        self.reads += 1
        assert self.held.wait(20)
        self._require()
        return self.keys.get(key_id)

    def all(self) -> Iterator[Key]:
        """Every key."""
        self._require()
        return iter(list(self.keys.values()))

    def add(self, key: Key) -> bool:
        """Store a new key."""
        self._require()
        return self.keys.setdefault(key.key_id, key) is key

    def rotate(self, key: Key, digest: bytes, old_until_s: int) -> bool:
        """Give it another secret."""
        self._require()
        if self.keys[key.key_id].digest != key.digest:
            return False
        self.keys[key.key_id] = replace(key, digest=digest, old_digest=key.digest, old_until_s=old_until_s)
        return True

    def note_use(self, key_id: str, day: str) -> None:
        """Note the day."""
        self._require()
        if key_id in self.keys:
            self.keys[key_id] = replace(self.keys[key_id], used_on=day)

    def revoke(self, key_id: str) -> bool:
        """Remove it."""
        self._require()
        return self.keys.pop(key_id, None) is not None

    def _require(self) -> None:
        if self.away:
            raise EndpointConnectionError(endpoint_url="http://dynamodb.test")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        """What it says."""
        return self.now_s

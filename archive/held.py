"""How much the lines of an archiver hold together: beyond a bound the largest puts its object, and the others wait for that."""

import threading

_LOOK_S = 1.0


class Held:
    """Bytes by shard. Used from threads."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes: dict[str, int] = {}
        self._changed = threading.Condition()

    def tell(self, shard_id: str, held_bytes: int) -> None:
        """A shard holds so much now; 0 when it holds nothing, or its line has ended."""
        with self._changed:
            self._bytes[shard_id] = held_bytes
            self._changed.notify_all()

    def is_too_much(self, shard_id: str) -> bool:
        """Whether this shard is to put what it holds: all hold too much together, and this one the most."""
        with self._changed:
            return self._over() and self._largest() == shard_id

    def wait(self, shard_id: str, stopping: threading.Event) -> None:
        """Return when this shard may read on, or was asked to stop."""
        with self._changed:
            while self._over() and self._largest() != shard_id and not stopping.is_set():
                self._changed.wait(_LOOK_S)

    @property
    def total_bytes(self) -> int:
        """Of all shards."""
        with self._changed:
            return sum(self._bytes.values())

    def _over(self) -> bool:
        return sum(self._bytes.values()) > self._bytes_max

    def _largest(self) -> str:
        return max(self._bytes, key=lambda shard_id: (self._bytes[shard_id], shard_id))

"""Up to when the open shards of the stream are archived."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from archive.chain import chain_end
from archive.names import created_ms
from archive.opening import open_for_reading
from archive.targets import Target
from telemetry.settings import Settings
from telemetry.streams import kinesis_id


@dataclass(frozen=True, slots=True)
class Archived:
    """What was seen of an archive."""

    at_ms: int
    """When, in milliseconds since 1970."""
    until_ms: Mapping[str, int]
    """By open shard: what arrived later may lie in no object yet."""

    @property
    def ages_s(self) -> Mapping[str, float]:
        """The same as seconds before `at_ms`."""
        return {shard_id: max(0, self.at_ms - until_ms) / 1000 for shard_id, until_ms in self.until_ms.items()}


class ArchiveWatch:
    """Looks again and again at the archive that the settings name."""

    def __init__(self, settings: Settings, patience_s: float) -> None:
        self._open = partial(open_for_reading, settings, patience_s)
        self._target: Target | None = None
        self._last_keys: dict[tuple[str, str], str] = {}
        """Each chain's last object, by stream and shard: the next look goes on from there."""

    def look(self, created: str, shard_ids: Collection[str], at_ms: int, threads: Executor) -> Archived:
        """Look at the chains of these shards of the stream that was created then, all at once.

        Raises InvalidSettings while a folder is not there, ArchiveUnreadable and boto3's errors.
        """
        if self._target is None:
            self._target = self._open()
        until: Callable[[str], int] = partial(self._until_ms, self._target, created)
        return Archived(at_ms, dict(zip(shard_ids, threads.map(until, shard_ids), strict=True)))

    def _until_ms(self, target: Target, created: str, shard_id: str) -> int:
        end = chain_end(target, created, kinesis_id(shard_id), self._last_keys.get((created, shard_id)))
        if end.key:
            self._last_keys[created, shard_id] = end.key
        return end.seen_ms or created_ms(created)

"""The reads of stores in memory: the twin of `dynamodb_reads.py` under the same contract tests."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate

from projections.memory import MemoryStores
from projections.packs import Pack, bounds
from projections.reads import Listing, Page, Reads, Silence
from projections.rows import Row, RowKey, directory_scope


class MemoryReads:
    """What readers see of stores in memory."""

    def __init__(self, stores: MemoryStores) -> None:
        self._stores = stores

    def rows(self, keys: Collection[tuple[str, RowKey]]) -> Mapping[tuple[str, RowKey], Row]:
        """Those rows that exist."""
        return {key: self._stores.rows[key] for key in keys if key in self._stores.rows}

    def rows_between(self, scope: str, first: str, last: str, most: int | None = None) -> Sequence[tuple[str, Row]]:
        """The rows of a scope whose windows lie between two; the first `most` of them."""
        found = [key for key in self._stores.rows if key[1].scope == scope and first <= key[1].window <= last]
        found.sort(key=lambda key: f"{key[1].window}#{key[0]}")
        return [(key[0], self._stores.rows[key]) for key in found[:most]]

    def packs_between(self, sensor_id: str, first: str, last: str, most: int, *, newest_first: bool = False) -> Sequence[Pack]:
        """A sensor's packs of the buckets between two, until they hold more than `most` readings."""
        packs = (pack for pack in self._stores.packs.values() if pack.bucket.sensor_id == sensor_id)
        found = sorted((pack for pack in packs if first <= pack.bucket.time <= last), key=bounds, reverse=newest_first)
        before = accumulate((len(pack.readings) for pack in found), initial=0)
        return [pack for pack, so_far in zip(found, before, strict=False) if so_far <= most]

    def sensors(self, scope: str, after: str, prefix: str, limit: int) -> Page[Listing]:
        """Sensors of one part of the directory by id."""
        found = sorted(one for one in self._part(scope) if one.sensor_id > after and one.sensor_id.startswith(prefix))
        return Page(found[:limit], len(found) > limit)

    def silent(self, scope: str, after: Silence | None, limit: int) -> Page[Silence]:
        """Sensors of one part of the directory by when they were seen."""
        found = sorted(Silence(one.seen_s, one.sensor_id) for one in self._part(scope))
        found = [one for one in found if after is None or one > after]
        taken = [one for one in found if one.seen_s <= found[:limit][-1].seen_s]
        return Page(taken, len(found) > len(taken))

    def listings(self, sensor_ids: Collection[str]) -> Mapping[str, Listing]:
        """What the directory says of these sensors."""
        found = self._stores.directory
        return {sensor_id: Listing(sensor_id, *found[sensor_id]) for sensor_id in sensor_ids if sensor_id in found}

    def at_once[T](self, questions: Sequence[Callable[[Reads], T]]) -> Sequence[T]:
        """The answers to several questions."""
        return [question(self) for question in questions]

    def _part(self, scope: str) -> list[Listing]:
        found = self._stores.directory.items()
        return [Listing(key, *value) for key, value in found if directory_scope(key) == scope]

"""Which buckets a late reading surely is not in: a hash of four bytes of everything counted there. Pure.

A look-up costs a thousand times what a reading does. Most readings that come late are new all the same; only one whose hash is
there has to be looked up. A bucket's hashes are begun when it is empty, or with all that it holds, and dropped together.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final
from zlib import crc32

from projections.packs import Bucket

HASHES: Final = 2**32
_BUCKET_BYTES: Final = 300
_HASH_BYTES: Final = 4


class Fingerprints:
    """Of buckets, within a bound in bytes: those begun last."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._hashes: dict[Bucket, array[int]] = {}
        """In order."""
        self.size_bytes = 0

    def __contains__(self, bucket: Bucket) -> bool:
        return bucket in self._hashes

    def begin(self, bucket: Bucket, tokens: Iterable[bytes] = ()) -> None:
        """A bucket holds these readings and no others."""
        self._drop(bucket)
        hashes = self._hashes[bucket] = array("I", sorted(crc32(token) % HASHES for token in tokens))
        self.size_bytes += _BUCKET_BYTES + _HASH_BYTES * len(hashes)

    def add(self, bucket: Bucket, token: bytes) -> None:
        """One more reading was counted in a bucket, whether that is known or not."""
        if (hashes := self._hashes.get(bucket)) is not None:
            insort(hashes, crc32(token) % HASHES)
            self.size_bytes += _HASH_BYTES

    def surely_new(self, bucket: Bucket, token: bytes) -> bool:
        """Whether a reading is known not to lie in a bucket."""
        if (hashes := self._hashes.get(bucket)) is None:
            return False
        value = crc32(token) % HASHES
        place = bisect_left(hashes, value)
        return place == len(hashes) or hashes[place] != value

    def trim(self) -> None:
        """Keep to the bound: drop the buckets begun first."""
        while self.size_bytes > self._bytes_max:
            self._drop(next(iter(self._hashes)))

    def _drop(self, bucket: Bucket) -> None:
        if (hashes := self._hashes.pop(bucket, None)) is not None:
            self.size_bytes -= _BUCKET_BYTES + _HASH_BYTES * len(hashes)

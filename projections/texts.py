"""What was counted in ten minutes of a sensor, exactly: each reading's token, packed, and searched piece by piece. Pure.

Packed tokens take some four bytes a reading, and marks one more that tell of most others that they are not among them. So a
worker remembers the last hour of thousands of sensors: late readings and repeats are told apart in memory, and only those of
buckets that are not held are looked up.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from zlib import compress, decompress

from projections.packs import Bucket

SEGMENT_BYTES: Final = 16 * 1024
"""Of tokens in a segment at most: unpacked in some 20 µs."""
LOOSE_BYTES: Final = 4 * 1024
"""Of tokens that are not packed yet."""
REST_BYTES: Final = 1024
"""And of a bucket that nothing comes to any more."""

_LEVEL: Final = 1
_UNPACKED: Final = 8
"""Segments that are kept as they were searched last."""
_MARKS_A_TOKEN: Final = 8
"""Bits. One in nine of the tokens that are not there finds its bit set."""
_SEGMENT_SIZE_BYTES: Final = 300
_TEXT_SIZE_BYTES: Final = 750
_TENTH_CHARS: Final = len("6:40.5")


class Segment(NamedTuple):
    """Tokens that follow each other in the log, packed."""

    first: bytes
    """The first of their tenths of a second."""
    last: bytes
    """The last of them."""
    marks: bytes
    """Bits that are set by their hashes."""
    tokens_bytes: int
    packed: bytes

    @classmethod
    def of(cls, tokens: Sequence[bytes], text: bytes) -> "Segment":
        """Of these tokens, which the text holds."""
        bits = _MARKS_A_TOKEN * len(tokens)
        marks = bytearray(len(tokens) * _MARKS_A_TOKEN // 8)
        for token in tokens:
            bit = hash(token) % bits
            marks[bit >> 3] |= 1 << (bit & 7)
        first, last = min(tokens)[:_TENTH_CHARS], max(tokens)[:_TENTH_CHARS]
        return cls(first, last, bytes(marks), len(text), compress(text, _LEVEL))

    @property
    def size_bytes(self) -> int:
        """In memory, roughly."""
        return len(self.packed) + len(self.marks) + _SEGMENT_SIZE_BYTES


@lru_cache(_UNPACKED)
def _unpacked(packed: bytes) -> bytes:
    """A segment's tokens. Readings that overtake each other are searched for in the same few segments."""
    return decompress(packed)


class Text:
    """The tokens of a bucket, in the order of the log."""

    __slots__ = ("_earliest", "_latest", "loose", "segments")

    def __init__(self) -> None:
        # Most texts never have one, and tuples without elements take no memory.
        self.segments: Sequence[Segment] = ()
        self._latest: tuple[bytes, ...] = ()
        """The last tenth of a second of each segment and all before it."""
        self._earliest: tuple[bytes, ...] = ()
        """The first tenth of each segment and all after it. Both ascend: of a fast sensor's hundreds of segments, which come
        nearly in order, only the few that lie about a reading are looked at."""
        self.loose = bytearray(b" ")
        """Those that came last, a blank before and after each."""

    def holds(self, token: bytes) -> bool:
        """Whether a reading is among them."""
        # Its ends count: `0:05=18` is in `0:05=18.7`, and is another reading.
        wanted = b" " + token + b" "
        if wanted in self.loose:
            return True
        tenth, hashed = token[:_TENTH_CHARS], hash(token)
        for one in self.segments[bisect_left(self._latest, tenth) : bisect_right(self._earliest, tenth)]:
            marks = one.marks
            bit = hashed % (len(marks) * 8)
            # In line: a fast sensor's readings ask several segments each.
            if marks[bit >> 3] >> (bit & 7) & 1 and one.first <= tenth <= one.last and wanted in _unpacked(one.packed):
                return True
        return False

    def pack(self) -> None:
        """Pack what is loose."""
        text = bytes(self.loose)
        if tokens := text.split():
            self._append(Segment.of(tokens, text))
            self.loose = bytearray(b" ")

    def settle(self) -> None:
        """Pack what is loose, in one segment with the last if that has room."""
        if self.segments and self.segments[-1].tokens_bytes + len(self.loose) <= SEGMENT_BYTES:
            self.loose[:1] = decompress(self._pop().packed)
        self.pack()

    def extend(self, other: "Text") -> None:
        """All of another text, which follows in the log."""
        if other.segments:
            self.settle()
            for segment in other.segments:
                self._append(segment)
        self.loose += other.loose[1:]

    def tokens(self) -> list[bytes]:
        """All of them, in order."""
        return b"".join([*(decompress(one.packed) for one in self.segments), self.loose]).split()

    def _append(self, segment: Segment) -> None:
        self.segments = (*self.segments, segment)
        self._latest = (*self._latest, max([segment.last, *self._latest[-1:]]))
        earlier = bisect_right(self._earliest, segment.first)
        self._earliest = self._earliest[:earlier] + (segment.first,) * (len(self.segments) - earlier)

    def _pop(self) -> Segment:
        """The last one, out of its place. What comes there in its stead holds all that it held."""
        *segments, last = self.segments
        self.segments, self._latest, self._earliest = tuple(segments), self._latest[:-1], self._earliest[:-1]
        return last

    @property
    def size_bytes(self) -> int:
        """In memory, roughly."""
        return _TEXT_SIZE_BYTES + len(self.loose) + sum(one.size_bytes for one in self.segments)


class Texts:
    """Of buckets, within a bound in bytes: those begun last."""

    def __init__(self, bytes_max: int) -> None:
        self.size_bytes = 0
        self._bytes_max = bytes_max
        self._texts: dict[Bucket, Text] = {}
        self._growing: set[Bucket] = set()
        """Those that something was added to by the last flush."""

    def __contains__(self, bucket: Bucket) -> bool:
        return bucket in self._texts

    def get(self, bucket: Bucket) -> Text | None:
        """A bucket's, if it is held."""
        return self._texts.get(bucket)

    def begin(self, bucket: Bucket, tokens: bytes = b"") -> None:
        """A bucket that is not held: its packs hold these tokens, a blank between two, and no others."""
        text = self._texts[bucket] = Text()
        begin = 0
        while (end := tokens.find(b" ", begin + SEGMENT_BYTES)) >= 0:
            text.loose += tokens[begin : end + 1]
            text.pack()
            begin = end + 1
        if tokens:
            text.loose += b"%b " % tokens[begin:]
        self.size_bytes += text.size_bytes

    def extend(self, flushed: Iterable[tuple[Bucket, Text]]) -> None:
        """What a flush has written to packs; of buckets that are not held it is left out."""
        growing: set[Bucket] = set()
        for bucket, added in flushed:
            if text := self._texts.get(bucket):
                before_bytes = text.size_bytes
                text.extend(added)
                if len(text.loose) > LOOSE_BYTES:
                    text.settle()
                self.size_bytes += text.size_bytes - before_bytes
                growing.add(bucket)
        self._rest(self._growing - growing)
        self._growing = growing

    def trim(self) -> None:
        """Keep to the bound: forget the buckets begun first."""
        while self.size_bytes > self._bytes_max:
            self.size_bytes -= self._texts.pop(next(iter(self._texts))).size_bytes

    def _rest(self, buckets: Collection[Bucket]) -> None:
        for bucket in buckets:
            if (text := self._texts.get(bucket)) and (not text.segments or len(text.loose) > REST_BYTES):
                self.size_bytes -= text.size_bytes
                text.settle()
                self.size_bytes += text.size_bytes

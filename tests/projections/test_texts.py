"""Packed texts say of each reading whether it is among them, whatever was added, packed and forgotten."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import batched
from typing import Any
from unittest import mock
from zlib import decompress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections import texts
from projections.packs import Bucket
from projections.texts import Segment, Text, Texts

buckets = st.sampled_from([Bucket("a", "2026-11-23T10:3"), Bucket("a", "2026-11-23T10:4"), Bucket("b", "2026-11-23T10:3")])
tokens = st.builds(
    lambda second, fraction, celsius: f"{second // 60}:{second % 60:02}{fraction}={celsius}".encode(),
    st.integers(0, 20) | st.sampled_from([59, 60, 599]),
    st.sampled_from(["", ".5", ".05"]),
    st.sampled_from(["18", "18.7", "-18", "8"]),
)
kinds = st.sampled_from(["begin", "flush", "flush", "trim"])
steps = st.lists(st.tuples(kinds, buckets, st.lists(tokens, max_size=8)), max_size=30)

type Step = tuple[str, Bucket, list[bytes]]


def text_of(some: Iterable[bytes], *, pack_every: int = 3) -> Text:
    """A text as decisions make it."""
    text = Text()
    for number, token in enumerate(some, 1):
        text.loose += token + b" "
        if number % pack_every == 0:
            text.pack()
    return text


@pytest.mark.parametrize("size_bytes", [1, 40, 16_384])
@settings(max_examples=40)
@given(steps=steps, asked=st.lists(tokens, max_size=20))
def test_what_is_held_is_told_exactly(size_bytes: int, steps: list[Step], asked: list[bytes]) -> None:
    """Those that were counted are there, and no others: not one whose text is part of another's."""
    counted: defaultdict[Bucket, list[bytes]] = defaultdict(list)
    held = Texts(bytes_max=1_500)
    with mock.patch.multiple(texts, SEGMENT_BYTES=size_bytes, LOOSE_BYTES=size_bytes // 2, REST_BYTES=size_bytes // 4):
        for what, bucket, some in steps:
            if what == "begin" and bucket not in held:
                held.begin(bucket, b" ".join(counted[bucket]))
            elif what == "flush":
                counted[bucket] += some
                held.extend([(bucket, text_of(some))])
            elif what == "trim":
                held.trim()
                assert held.size_bytes <= 1_500
            for each, known in counted.items():
                if text := held.get(each):
                    assert text.tokens() == known
                    assert all(text.holds(token) is (token in known) for token in asked + known)
    assert held.size_bytes == sum(text.size_bytes for text in held._texts.values())


def test_an_hour_of_thousands_of_sensors_fits() -> None:
    """A reading takes some four bytes once its bucket is at rest, and so do those that come late."""
    held, one = Texts(10**9), Bucket("a", "2026-11-23T10:3")
    held.begin(one)
    readings = [f"{second // 60}:{second % 60:02}.123456={18 + second % 7 / 100:.2f}".encode() for second in range(600)]
    for begin in range(0, 600, 30):
        held.extend([(one, text_of(readings[begin : begin + 30], pack_every=1_000))])
    for _ in range(2):
        held.extend([])
    text = held.get(one)
    assert text
    assert (len(text.segments), bytes(text.loose)) == (1, b" ")
    assert len(text.segments[0].packed) < 600 * 5
    held.extend([(one, text_of([b"0:00.5=1"]))])
    held.extend([])
    assert len(text.segments) == 1, "not packed anew for each"
    assert text.holds(b"0:00.5=1")


class Asked(list[Segment]):
    """Segments that count how many of them are looked at."""

    looked_at = 0

    def __getitem__(self, which: Any) -> Any:
        """Those that are asked for, counted."""
        found = super().__getitem__(which)
        self.looked_at += len(found)
        return found


@pytest.mark.parametrize("out_of_order", [1, 120])
def test_only_segments_of_the_same_time_are_looked_at(out_of_order: int) -> None:
    """So a busy sensor, whose ten minutes are megabytes in hundreds of segments, may send out of order."""
    times = [f"{second // 60}:{second % 60:02}.{part}" for second in range(600) for part in range(1, 9)]
    overtaking = (time for few in batched(times, out_of_order, strict=True) for time in reversed(few))
    text = text_of((f"{time}=1".encode() for time in overtaking), pack_every=80)
    text.segments = asked = Asked(text.segments)
    with mock.patch("projections.texts.decompress", side_effect=decompress) as unpack:
        assert text.holds(b"5:00.3=1")
        assert not text.holds(b"5:00.9=1")
    assert len(text.segments) == 60
    assert 0 < asked.looked_at <= 6
    assert unpack.call_count <= 4


def test_most_segments_that_lack_a_reading_are_not_unpacked_for_it() -> None:
    """A late reading is told from those of its ten minutes without them."""
    text = text_of((f"{second // 60}:{second % 60:02}.25=18.{second % 7}".encode() for second in range(600)), pack_every=600)
    late = [f"{second // 60}:{second % 60:02}.5=18.{second % 7}".encode() for second in range(1, 599)]
    with mock.patch("projections.texts._unpacked", side_effect=decompress) as unpack:
        assert not any(text.holds(token) for token in late)
    assert len(text.segments) == 1
    assert 0 < unpack.call_count < len(late) / 4

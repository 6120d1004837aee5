"""Fingerprints never call a reading new that lies in its bucket."""

from collections import defaultdict
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.fingerprints import Fingerprints
from projections.packs import Bucket

buckets = st.sampled_from([Bucket("a", "2026-11-23T10:3"), Bucket("a", "2026-11-23T10:4"), Bucket("b", "2026-11-23T10:3")])
tokens = st.integers(0, 40).map(lambda number: f"0:{number:02}=18".encode())
steps = st.lists(st.tuples(st.sampled_from(["begin", "add", "ask", "trim"]), buckets, tokens), max_size=60)


@pytest.mark.parametrize("hashes", [1, 4, 2**32])
@given(steps=steps)
def test_what_is_surely_new_was_not_counted(hashes: int, steps: list[tuple[str, Bucket, bytes]]) -> None:
    """Whatever is begun, added and dropped in between, and however few hashes there are."""
    counted: defaultdict[Bucket, set[bytes]] = defaultdict(set)
    prints = Fingerprints(bytes_max=700)
    with mock.patch("projections.fingerprints.HASHES", hashes):
        for what, bucket, token in steps:
            if what == "begin":
                prints.begin(bucket, counted[bucket])
            elif what == "add":
                counted[bucket].add(token)
                prints.add(bucket, token)
            elif what == "trim":
                prints.trim()
                assert prints.size_bytes <= 700
            elif prints.surely_new(bucket, token):
                assert token not in counted[bucket]


def test_what_was_never_counted_is_surely_new() -> None:
    """In a bucket that is known; of others nothing is sure."""
    one, other = Bucket("a", "2026-11-23T10:3"), Bucket("b", "2026-11-23T10:3")
    prints = Fingerprints(10_000)
    prints.begin(one, [b"0:00=1"])
    prints.add(one, b"0:01=1")
    prints.add(other, b"0:01=1")
    asked = [prints.surely_new(one, token) for token in (b"0:00=1", b"0:01=1", b"0:02=1")]
    assert (asked, prints.surely_new(other, b"0:02=1")) == ([False, False, True], False)

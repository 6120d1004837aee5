"""KPL aggregates are taken apart as KCL does it: what is expected here is what AggregatorUtil of KCL 3.1.3 answered."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.aggregates import UserRecords, user_records
from tests.support.aggregates import MAGIC, aggregate, field, sealed, varint

TOO_FAR = str(2**128)


@given(st.lists(st.binary(max_size=300), max_size=20), st.lists(st.text(max_size=9), min_size=1, max_size=200))
def test_s01_user_records_come_out_as_they_went_in(parts: list[bytes], keys: list[str]) -> None:
    """In order, under whatever keys; none at all, and empty ones too."""
    assert user_records(aggregate(parts, keys)) == UserRecords(parts)


@given(st.binary(max_size=100), st.sampled_from([b"", MAGIC]))
def test_s01_what_is_no_aggregate_is_a_plain_record(data: bytes, start: bytes) -> None:
    """Our own records, and what only begins like an aggregate."""
    assert user_records(start + data) == UserRecords([start + data])


@pytest.mark.parametrize(
    "data",
    [
        aggregate([b"one"])[:-1] + b"?",
        aggregate([b"one"])[:-2],
        MAGIC + hashlib.md5(b"", usedforsecurity=False).digest(),
        sealed(b"\xff" * 20),
        sealed(b"\x00"),
        sealed(b"\x0a\x09a"),
        sealed(field(1, b"a") + field(3, field(3, b"no key"))),
        sealed(field(1, b"a") + field(3, b"\x08\x00")),
        sealed(field(1, b"a") + field(3, b"\x08\x00" + field(3, b"x") + field(4, b""))),
    ],
    ids=["wrong MD5", "cut off", "empty", "endless number", "no field", "too long", "no key", "no data", "nameless tag"],
)
def test_s01_a_spoilt_aggregate_is_a_plain_record(data: bytes) -> None:
    """And so one dead letter of its own bytes, for consumer and replay alike."""
    assert user_records(data) == UserRecords([data])


def test_s01_what_only_newer_writers_know_is_passed_over() -> None:
    """Unknown fields of every kind, tags, and a field that is there twice: the last counts."""
    extra = field(9, b"?") + b"\x50\x01" + b"\x59" + bytes(8) + b"\x65" + bytes(4)
    record = b"\x08\x07\x08\x00" + field(3, b"first") + extra + field(4, field(1, b"tag")) + field(3, b"one")
    assert user_records(sealed(field(3, record) + extra + field(1, b"a"))) == UserRecords([b"one"])


@pytest.mark.parametrize("key_index", [1, 2**31, 2**32 - 1])
def test_s01_user_records_from_a_broken_key_on_are_lost_and_counted(key_index: int) -> None:
    """KCL logs an error and goes on with the next record of the stream."""
    parts = [field(3, b"\x08" + varint(index) + field(3, b"%d" % index)) for index in (0, key_index, 0)]
    assert user_records(sealed(field(1, b"a") + b"".join(parts))) == UserRecords([b"0"], lost=2)


@pytest.mark.parametrize(
    ("hash_keys", "expected"),
    [
        (["0", str(2**128 - 1), "+7"], UserRecords([b"1", b"2", b"3"])),
        (["0", "seven", "0"], UserRecords([b"1"], lost=2)),
        (["0", TOO_FAR, "0"], UserRecords([], lost=3)),
        (["0", "0", "-1"], UserRecords([], lost=3)),
    ],
)
def test_s01_an_impossible_hash_key_loses_what_kcl_loses(hash_keys: list[str], expected: UserRecords) -> None:
    """One that is no number takes what follows with it, one outside the hash key space the whole aggregate."""
    assert user_records(aggregate([b"1", b"2", b"3"], hash_keys=hash_keys)) == expected

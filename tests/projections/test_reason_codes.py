"""Consumer and replay say of the same bytes the same codes, and these depend on the bytes alone."""

import gzip
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.decoding import LETTERS_MAX, Decoder, Record
from projections.effects import DeadLetter
from projections.letters import dead_letter_items
from replay.events import Choice, Events, Passed
from telemetry.errors import ReasonCode
from telemetry.log import LogRecord, Page
from telemetry.shards import Shard
from tests.projections.logs import SHARD
from tests.support.aggregates import MAGIC, aggregate
from tests.telemetry.unreadable import GOOD, LINES, RECORDS

NOWHERE = Shard("shardId-000000000001", 0, 0)
"""No sensor hashes into it."""
bad_lines = st.sampled_from([line for lines in LINES.values() for line in lines if len(line) < 1_000])
some_lines = st.lists(st.just(GOOD) | bad_lines | st.binary(max_size=30), max_size=8).map(b"\n".join)
bodies = st.one_of(
    some_lines,
    some_lines.map(gzip.compress),
    some_lines.map(lambda body: gzip.compress(body)[:-9]),
    st.sampled_from([record for records in RECORDS.values() for record in records if len(record) < 1_000]),
)


def letters_of(*parts: bytes, shard: Shard = SHARD, sequence_number: int = 1, arrived_at_ms: int = 0) -> list[DeadLetter]:
    """What the consumer keeps of a record."""
    record = Record(sequence_number, parts[0], arrived_at_ms, parts[1:])
    return [found for found in Decoder(shard).decode(record) if isinstance(found, DeadLetter)]


def codes_of(letters: Sequence[DeadLetter]) -> Counter[ReasonCode]:
    return Counter(letter.code for letter in letters)


def passed_of(data: bytes) -> Counter[ReasonCode]:
    """What replay passes over in a record of the stream."""
    passed = Passed()
    list(Events(Choice(), passed).of(Page("shard", [LogRecord(1, 0, data)])))
    return passed.codes


@pytest.mark.parametrize(
    ("code", "data"), [(code, data) for table in (LINES, RECORDS) for code, each in table.items() for data in each]
)
def test_consumer_and_replay_give_what_is_no_event_its_code(code: ReasonCode, data: bytes) -> None:
    """One letter of these bytes, whose item names the code, and one place that replay passed over."""
    (letter,) = letters_of(data)
    assert (letter.data, letter.code) == (data, code)
    assert {item["code"]["S"] for item in dead_letter_items(letter)} == {code.value}
    assert passed_of(data) == {code: 1}


def test_a_record_keeps_each_of_its_lines_under_its_own_code() -> None:
    """In the order of the lines."""
    lines = [line for _, lines in sorted(LINES.items()) for line in lines]
    letters = letters_of(gzip.compress(b"\n".join(lines)))
    assert [(letter.data, letter.code) for letter in letters] == [
        (line, code) for code, lines in sorted(LINES.items()) for line in lines
    ]


@pytest.mark.parametrize(("code", "line"), [(code, lines[0]) for code, lines in LINES.items()])
@pytest.mark.parametrize("parts", [1, 150])
def test_s06_a_whole_records_letter_is_many_lines(code: ReasonCode, line: bytes, parts: int) -> None:
    """Whatever its lines are, gzip'd or an aggregate's; up to the bound each keeps its own. Replay counts the lines."""
    for count in (LETTERS_MAX, LETTERS_MAX + 1):
        bodies = [gzip.compress(b"\n".join([line] * count))] if parts == 1 else [line] * count
        expected = {code: count} if count <= LETTERS_MAX else {ReasonCode.MANY_LINES: 1}
        assert codes_of(letters_of(*bodies)) == expected
        assert passed_of(bodies[0] if parts == 1 else aggregate(bodies)) == {code: count}


def test_s06_a_record_that_breaks_off_after_many_lines_is_many_lines() -> None:
    """What breaks it off is in the text."""
    (letter,) = letters_of(gzip.compress(b"\n".join([b"no event"] * 200))[:-4])
    assert (letter.code, letter.reason.endswith("; broken gzip: it ends too early")) == (ReasonCode.MANY_LINES, True)


@given(st.lists(bodies.filter(lambda body: not body.startswith(MAGIC)), min_size=1, max_size=4))
def test_consumer_and_replay_count_the_same(parts: list[bytes]) -> None:
    """From the user records that KCL hands out, and from the bytes of the stream."""
    assert codes_of(letters_of(*parts)) == passed_of(aggregate(parts))
    assert codes_of(letters_of(parts[0])) == passed_of(parts[0])


@given(bodies)
def test_the_codes_of_a_record_depend_on_it_alone(data: bytes) -> None:
    """Not on when it is read, in which shard, or beside which sensors: code, text and bytes are the same for each line."""

    def kept(letters: list[DeadLetter]) -> list[tuple[int, bytes, ReasonCode, str]]:
        return [(letter.origin.line, letter.data, letter.code, letter.reason) for letter in letters]

    assert kept(letters_of(data)) == kept(letters_of(data, shard=NOWHERE, sequence_number=10**55, arrived_at_ms=1))
    assert kept(letters_of(data)) == kept(next(map(letters_of, [data])))

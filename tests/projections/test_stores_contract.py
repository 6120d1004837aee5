"""One contract for the stores in memory and the stores on DynamoDB and Kinesis."""

import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from projections.dynamodb import AwsStores
from projections.effects import Believed, DeadLetter, Origin, Sighting, Stores
from projections.fold import Fold, Stats
from projections.letters import KeptLetter, read_letters
from projections.memory import MemoryStores
from projections.packs import READINGS_MAX, Bucket, Pack, Place, Search, bucket_of, pack_of
from projections.retention import Gap
from projections.rows import FLEET, PROGRESS, TOTAL, Mark, Progress, Row, RowKey, Sensor, row_keys, sensor_scope, sensor_total
from projections.sheets import CELLS, Cell
from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.canonical import token_of
from telemetry.errors import ReasonCode
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome
from telemetry.limits import HASH_KEY_MAX
from telemetry.reading import Reading
from telemetry.shards import hash_key, list_shards
from tests.projections.logs import reading
from tests.support.oracle import stored_directory
from tests.support.stack import Stack

BIG = 10**55
"""Sequence numbers have 56 digits; 10⁵⁵ is the first of them."""


@dataclass
class Subject:
    """Stores under the contract, and how a test looks into them."""

    stores: Stores
    dead_letters: Callable[[str], dict[Origin, DeadLetter]]
    """The dead letters of a shard, parts joined."""
    marks: Callable[[str], dict[Origin, LetterMark]]
    """What was decided about the dead letters of a shard."""
    directory: Callable[[str], tuple[int, set[str]] | None]
    """When a sensor was last seen, and the shards it has rows in."""
    appended: Callable[[], list[tuple[str, bytes]]]
    """Partition key and data of what was appended, in no order."""


@pytest.fixture(params=["memory", "aws"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Empty stores in memory, or AwsStores on the module's stack."""
    if request.param == "memory":
        yield in_memory()
    else:
        stack: Stack = request.getfixturevalue("stack")
        dynamodb, kinesis = dynamodb_client(stack.settings), kinesis_client(stack.settings)
        stores = AwsStores(dynamodb, kinesis, stack.names, patience_s=10)
        yield Subject(
            stores,
            lambda shard: {kept.origin: kept.letter for kept in kept_in_table(stack, shard) if kept.letter},
            lambda shard: {kept.origin: kept.mark for kept in kept_in_table(stack, shard) if kept.mark},
            lambda sensor_id: stored_directory(stack).get(sensor_id),
            lambda: records_of(stack),
        )
        stores.close()
        dynamodb.close()
        kinesis.close()


@pytest.fixture
def shard() -> str:
    """A shard id that no other test uses, since tests share tables."""
    return f"shardId-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def sensor() -> str:
    """A sensor id that no other test uses, with characters that need care."""
    return f"{uuid.uuid4().hex[:12]}#ü 🌡"


def in_memory() -> Subject:
    stores = MemoryStores()
    return Subject(
        stores,
        lambda shard: {origin: letter for origin, letter in stores.dead_letters.items() if origin.shard_id == shard},
        lambda shard: {origin: mark for origin, mark in stores.marks.items() if origin.shard_id == shard},
        lambda sensor_id: stored_in_memory(stores, sensor_id),
        lambda: [(key, line + b"\n") for key, line in stores.appended],
    )


def stored_in_memory(stores: MemoryStores, sensor_id: str) -> tuple[int, set[str]] | None:
    found = stores.directory.get(sensor_id)
    return found and (found[0], set(found[1]))


def kept_in_table(stack: Stack, shard: str) -> list[KeptLetter]:
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=stack.names.dead_letters,
        KeyConditionExpression="shard_id = :shard",
        ExpressionAttributeValues={":shard": {"S": shard}},
        ConsistentRead=True,
    )
    return list(read_letters(item for page in pages for item in page["Items"]))


def records_of(stack: Stack) -> list[tuple[str, bytes]]:
    """Every record of the stream; each was found in the shard its key hashes into."""
    found = []
    shards = list_shards(stack.kinesis, stack.names.stream)
    for shard in shards.open:
        iterator = stack.kinesis.get_shard_iterator(
            StreamName=stack.names.stream, ShardId=shard.shard_id, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = stack.kinesis.get_records(ShardIterator=iterator)["Records"]
        assert all(shards.owner(hash_key(record["PartitionKey"])) == shard for record in records)
        found += [(record["PartitionKey"], record["Data"]) for record in records]
    return found


def stats_of(one: Reading) -> Stats:
    """The stats of one reading."""
    folding = Fold(Stats())
    folding.add(one)
    return folding.stats()


def progress_row(position: int, beat: int, **what: Any) -> Row:
    """A progress row."""
    return Row(PROGRESS, position, progress=Progress(beat=beat, **what))


def a_pack(shard: str, readings: Sequence[Reading], begin: int = BIG) -> Pack:
    """A pack of readings of one bucket."""
    return pack_of(shard, Place(begin, 0), Place(begin + 9, len(readings)), readings)


ANYBODYS = Believed("none of these", 0)
TEXT_CHARS = 10_000


def texts_of(subject: Subject, buckets: Collection[Bucket]) -> dict[Bucket, set[str]]:
    """What the packs of each bucket hold."""
    found = subject.stores.search_packs(dict.fromkeys(buckets, ()), ANYBODYS, TEXT_CHARS)
    return {bucket: set((search.text or "").split()) for bucket, search in found.items()}


class TestPacks:
    def test_what_was_stored_is_found_by_bucket(self, subject: Subject, shard: str, sensor: str) -> None:
        """More packs than a request holds; of two shards, and several in a bucket; those of other buckets are left out."""
        packs = [
            a_pack(name, [reading(sensor, 600 * number), reading(sensor, 600 * number + 5, celsius=-0.5)], BIG + begin)
            for number in range(20)
            for name in (shard, shard + "0")
            for begin in (0, 10)
        ]
        subject.stores.store_packs(packs)
        buckets = [pack.bucket for pack in packs[:8]]
        assert texts_of(subject, buckets) == {
            bucket: {token for pack in packs if pack.bucket == bucket for token in pack.text.split()} for bucket in buckets
        }

    def test_what_was_not_stored_is_absent(self, subject: Subject, shard: str, sensor: str) -> None:
        """No pack of the ten minutes before or after, nor of a sensor whose name begins alike."""
        stored = a_pack(shard, [reading(sensor)])
        subject.stores.store_packs([stored])
        others = [bucket_of(one) for one in (reading(sensor, 600), reading(sensor, -600), reading(sensor[:-1]))]
        assert texts_of(subject, others) == {bucket: set() for bucket in others}

    def test_writing_again_changes_nothing(self, subject: Subject, shard: str, sensor: str) -> None:
        """The same packs may be written any number of times."""
        stored = [a_pack(shard, [reading(sensor)])]
        subject.stores.store_packs(stored)
        subject.stores.store_packs(stored)
        assert texts_of(subject, [stored[0].bucket]) == {stored[0].bucket: {stored[0].text}}

    def test_packs_of_other_bounds_lie_side_by_side(self, subject: Subject, shard: str, sensor: str) -> None:
        """As after a crash, when the next worker flushes at another place: none overwrites another."""
        packs = [pack_of(shard, Place(1, 0), Place(2, line), [reading(sensor)]) for line in (0, 1)]
        for pack in packs:
            subject.stores.store_packs([pack])
        found = subject.stores.search_packs({packs[0].bucket: []}, ANYBODYS, TEXT_CHARS)
        assert found[packs[0].bucket].text == " ".join(pack.text for pack in packs)

    def test_a_bucket_of_more_than_a_page_is_found_whole(self, subject: Subject, shard: str, sensor: str) -> None:
        """A query's page ends at 1 MB."""
        full = [reading(sensor, number / 10_000, celsius=number) for number in range(READINGS_MAX)]
        packs = [a_pack(shard, full, BIG + 10 * number) for number in range(25)]
        subject.stores.store_packs(packs)
        bucket, last = packs[0].bucket, packs[0].text.split()[-1]
        found = subject.stores.search_packs({bucket: [last, "9:59=1"]}, ANYBODYS, 10**9)[bucket]
        assert found.found == {last}
        assert found.text is not None
        assert len(found.text.split()) == 25 * READINGS_MAX
        assert subject.stores.search_packs({bucket: [last]}, ANYBODYS, 10**6)[bucket] == Search(frozenset({last}), None)

    def test_a_reading_is_found_whole_or_not(self, subject: Subject, shard: str, sensor: str) -> None:
        """18 degrees is in the text of 18.7, and the fifth second in that of a fraction after it: neither is the reading."""
        stored = a_pack(shard, [reading(sensor, 5, celsius=18.7), reading(sensor, 5.5, celsius=1)])
        subject.stores.store_packs([stored])
        others = [token_of(one).decode() for one in (reading(sensor, 5, celsius=18), reading(sensor, 5, celsius=1))]
        told = stored.text.split()
        found = subject.stores.search_packs({stored.bucket: [*others, *told, told[0][1:]]}, ANYBODYS, TEXT_CHARS)
        assert found == {stored.bucket: Search(frozenset(told), stored.text)}

    def test_packs_of_its_own_that_go_further_are_not_believed(self, subject: Subject, shard: str, sensor: str) -> None:
        """Of this shard those that end no later than it says, of all others every one."""
        ends = {(shard, 0): 5, (shard, 1): 6, (shard + "0", 2): 6}
        packs = [pack_of(name, Place(1, 0), Place(end, 0), [reading(sensor, at_s)]) for (name, at_s), end in ends.items()]
        subject.stores.store_packs(packs)
        found = subject.stores.search_packs({packs[0].bucket: []}, Believed(shard, 5), TEXT_CHARS)[packs[0].bucket]
        assert set((found.text or "").split()) == {packs[0].text, packs[2].text}

    def test_the_end_of_a_sensors_latest_bucket_is_found(self, subject: Subject, shard: str, sensor: str) -> None:
        """Of whatever shard but the one that asks; sensors of which nothing else is stored are left out."""
        packs = [a_pack(name, [reading(sensor, at_s)]) for name, at_s in ((shard, 0), (shard + "0", 3600), (shard, 600))]
        subject.stores.store_packs(packs)
        total = sensor_total(sensor)
        asked = [total, sensor_total(sensor + "0")]
        assert subject.stores.find_newest(asked, besides="other") == {total: bucket_of(reading(sensor, 3600)).last_us}
        assert subject.stores.find_newest(asked, besides=shard + "0") == {total: bucket_of(reading(sensor, 600)).last_us}
        hours = [row_keys(reading(sensor, at_s))[-1] for at_s in (-3600, 0, 3600)]
        assert subject.stores.find_newest(hours, besides="other") == {
            hours[1]: bucket_of(reading(sensor, 600)).last_us,
            hours[2]: bucket_of(reading(sensor, 3600)).last_us,
        }

    def test_a_shards_own_packs_are_passed_over(self, subject: Subject, shard: str, sensor: str) -> None:
        """However many it wrote before a crash, and although its id begins like another's."""
        own = [a_pack(shard, [reading(sensor, 3600 + 600 * number)]) for number in range(150)]
        subject.stores.store_packs(own)
        assert subject.stores.find_newest([sensor_total(sensor)], besides=shard) == {}
        subject.stores.store_packs([a_pack(shard + "0", [reading(sensor)])])
        newest = subject.stores.find_newest([sensor_total(sensor)], besides=shard)
        assert newest == {sensor_total(sensor): bucket_of(reading(sensor)).last_us}

    def test_nothing_is_asked_and_written_in_vain(self, subject: Subject) -> None:
        """Empty questions have empty answers."""
        subject.stores.store_packs([])
        assert subject.stores.search_packs({}, ANYBODYS, TEXT_CHARS) == {}
        assert subject.stores.find_newest([], besides="") == {}


class TestRows:
    def test_rows_that_do_not_exist_are_absent(self, subject: Subject, shard: str) -> None:
        """A new shard has no rows."""
        assert subject.stores.load_rows(shard, [PROGRESS]) == {}

    def test_a_new_row_is_written_over_nothing(self, subject: Subject, shard: str, sensor: str) -> None:
        """More rows than a request holds are written and loaded again, whole."""
        one = reading(sensor)
        keys = [RowKey(sensor_scope(sensor), f"hour#{number}") for number in range(110)]
        rows = [Row(key, BIG, replace(stats_of(one), duplicates=1), 1_700_000_000_000_001) for key in keys]
        assert not subject.stores.store_rows(shard, [(row, Row(row.key)) for row in rows])
        assert subject.stores.load_rows(shard, keys) == {row.key: row for row in rows}

    def test_a_row_asked_for_twice_is_loaded_once(self, subject: Subject, shard: str) -> None:
        """Repeated keys are left out before the request."""
        subject.stores.store_rows(shard, [(progress_row(BIG, 1), Row(PROGRESS))])
        assert subject.stores.load_rows(shard, [PROGRESS, PROGRESS]) == {PROGRESS: progress_row(BIG, 1)}

    def test_a_progress_row_moves_on_from_the_beat_that_was_read(self, subject: Subject, shard: str) -> None:
        """The condition holds when nobody else wrote. All of it is stored, what is left out of comparisons too."""
        first = progress_row(BIG, 1)
        full = Progress(
            windows=Mark(BIG, 1_700_000_000_000_001),
            flushed=Mark(BIG - 1, 1_700_000_000_000_000),
            refusals=tuple(range(len(ReasonCode))),
            sensors=7,
            hash_range=(2**127, HASH_KEY_MAX),
            beat=2,
            gap=Gap(1_000_000, 2_000_000),
        )
        second = Row(PROGRESS, BIG + 1, stats_of(reading()), 1_700_000_000_000_002, progress=full)
        assert not subject.stores.store_rows(shard, [(first, Row(PROGRESS))])
        assert not subject.stores.store_rows(shard, [(second, first)])
        found = subject.stores.load_rows(shard, [PROGRESS])[PROGRESS]
        assert (found, found.version, found.progress.hash_range) == (second, second.version, full.hash_range)

    def test_a_progress_row_that_somebody_moved_is_refused(self, subject: Subject, shard: str) -> None:
        """Known as absent, or at another beat, whatever the positions: nothing is written, the key comes back."""
        theirs = progress_row(BIG + 1, 2)
        subject.stores.store_rows(shard, [(theirs, Row(PROGRESS))])
        for known in (Row(PROGRESS), progress_row(BIG + 1, 1), progress_row(BIG + 1, 3)):
            assert list(subject.stores.store_rows(shard, [(progress_row(BIG + 3, 4), known)])) == [PROGRESS]
        found = subject.stores.load_rows(shard, [PROGRESS])[PROGRESS]
        assert (found, found.version) == (theirs, theirs.version)
        assert not subject.stores.store_rows(shard, [(progress_row(BIG + 3, 3), progress_row(BIG, 2))]), "only the beat counts"

    def test_a_progress_row_that_vanished_is_refused(self, subject: Subject, shard: str) -> None:
        """Known with a beat, and not there any more (a projection wiped under a worker): refused."""
        assert list(subject.stores.store_rows(shard, [(progress_row(BIG + 1, 2), progress_row(BIG, 1))])) == [PROGRESS]
        assert subject.stores.load_rows(shard, [PROGRESS]) == {}

    def test_a_final_row_keeps_its_end(self, subject: Subject, shard: str) -> None:
        """Nobody who has not read it writes the end away; whoever has may renew its beat."""
        mark = Mark(BIG, 1_700_000_000_000_000)
        ended = Row(PROGRESS, BIG, as_of_us=mark.as_of_us, progress=Progress(mark, mark, ended=True, beat=2))
        subject.stores.store_rows(shard, [(ended, Row(PROGRESS))])
        assert list(subject.stores.store_rows(shard, [(progress_row(BIG, 2), progress_row(BIG, 1))])) == [PROGRESS]
        renewed = replace(ended, progress=replace(ended.progress, beat=3))
        assert not subject.stores.store_rows(shard, [(renewed, ended)])
        found = subject.stores.load_rows(shard, [PROGRESS])[PROGRESS]
        assert (found, found.version) == (renewed, renewed.version)

    def test_s05_a_gap_is_part_of_what_was_known(self, subject: Subject, shard: str) -> None:
        """At equal beats too: nobody writes a gap away unseen, and one that was removed does not come back."""
        plain, lost = progress_row(BIG, 1), progress_row(BIG, 1, gap=Gap(1_000_000, 2_000_000))
        subject.stores.store_rows(shard, [(lost, Row(PROGRESS))])
        assert subject.stores.load_rows(shard, [PROGRESS])[PROGRESS].progress.gap == lost.progress.gap
        other = progress_row(BIG, 1, gap=Gap(1_000_000, 3_000_000))
        assert list(subject.stores.store_rows(shard, [(plain, plain)])) == [PROGRESS]
        assert list(subject.stores.store_rows(shard, [(plain, other)])) == [PROGRESS]
        assert not subject.stores.store_rows(shard, [(plain, lost)])
        assert subject.stores.load_rows(shard, [PROGRESS])[PROGRESS].progress.gap is None
        assert list(subject.stores.store_rows(shard, [(lost, lost)])) == [PROGRESS]

    def test_a_day_sheet_is_stored_whole(self, subject: Subject, shard: str) -> None:
        """Written, and written over on the position that was read."""
        key = RowKey(FLEET, "sheet#2026-11-24")
        cells = tuple(Cell(10**9, -(10**18), 10**28, -40_000_000, 1) if number % 2 else None for number in range(CELLS))
        first, second = Row(key, BIG), Row(key, BIG + 1, sheet=cells)
        assert not subject.stores.store_rows(shard, [(first, Row(key))])
        assert not subject.stores.store_rows(shard, [(second, first)])
        assert list(subject.stores.store_rows(shard, [(first, first)])) == [key]
        assert subject.stores.load_rows(shard, [key]) == {key: second}

    def test_a_row_of_a_window_is_written_only_where_it_was_known(self, subject: Subject, shard: str, sensor: str) -> None:
        """Known as absent and there, known as there and absent, known at another position: refused. Members may come."""
        key = RowKey(sensor_scope(sensor), TOTAL)
        bare = Row(key, BIG)
        full = Row(key, BIG + 1, stats_of(reading(sensor)), sensor=Sensor(past_us=5, seen_s=3600))
        assert list(subject.stores.store_rows(shard, [(full, bare)])) == [key]
        assert not subject.stores.store_rows(shard, [(bare, Row(key))])
        assert list(subject.stores.store_rows(shard, [(full, Row(key))])) == [key]
        assert list(subject.stores.store_rows(shard, [(full, Row(key, BIG + 1))])) == [key]
        assert subject.stores.load_rows(shard, [key]) == {key: bare}
        assert not subject.stores.store_rows(shard, [(full, bare)])
        assert subject.stores.load_rows(shard, [key]) == {key: full}

    def test_refused_rows_do_not_hold_up_the_others(self, subject: Subject, shard: str) -> None:
        """Of many rows only those that somebody moved are refused."""
        keys = [RowKey(FLEET, f"minute#{number}") for number in range(20)]
        subject.stores.store_rows(shard, [(Row(key, BIG), Row(key)) for key in keys[::3]])
        refused = subject.stores.store_rows(shard, [(Row(key, BIG + 1), Row(key)) for key in keys])
        assert set(refused) == set(keys[::3])
        positions = {key: row.position for key, row in subject.stores.load_rows(shard, keys).items()}
        assert positions == {key: BIG if key in refused else BIG + 1 for key in keys}

    def test_shards_do_not_share_rows(self, subject: Subject, shard: str) -> None:
        """The same key in another shard is another row."""
        subject.stores.store_rows(shard, [(progress_row(BIG, 1), Row(PROGRESS))])
        assert subject.stores.load_rows(shard + "0", [PROGRESS]) == {}


class TestDirectory:
    def test_a_sensor_that_was_sighted_is_listed(self, subject: Subject, shard: str, sensor: str) -> None:
        """More of them than a call takes, each with its hour and its shard."""
        some = [Sighting(f"{sensor}{number}", 3600 * number, new=True) for number in range(60)]
        subject.stores.sight(shard, some)
        assert {one: subject.directory(one.sensor_id) for one in some[::7]} == {one: (one.seen_s, {shard}) for one in some[::7]}
        assert subject.directory(sensor) is None

    @pytest.mark.parametrize("new", [True, False])
    def test_the_latest_time_stays(self, subject: Subject, shard: str, sensor: str, *, new: bool) -> None:
        """Whoever tells an earlier one, such as a zombie, lowers nothing; saying it again changes nothing."""
        for seen_s, latest_s in ((7200, 7200), (7200, 7200), (3600, 7200), (10_800, 10_800)):
            subject.stores.sight(shard, [Sighting(sensor, seen_s, new=new)])
            assert subject.directory(sensor) == (latest_s, {shard})

    @pytest.mark.parametrize("seen_s", [3600, 7200, 10_800])
    def test_a_new_shard_is_one_more_whatever_the_time(self, subject: Subject, shard: str, sensor: str, seen_s: int) -> None:
        """After a reshard a sensor has rows in parent and child, though what the child brought may be older."""
        subject.stores.sight(shard, [Sighting(sensor, 7200, new=True)])
        for _ in range(2):
            subject.stores.sight(shard + "0", [Sighting(sensor, seen_s, new=True)])
            assert subject.directory(sensor) == (max(7200, seen_s), {shard, shard + "0"})

    def test_a_later_time_keeps_the_other_shards(self, subject: Subject, shard: str, sensor: str) -> None:
        """One item a sensor, whoever writes it."""
        subject.stores.sight(shard, [Sighting(sensor, 0, new=True)])
        subject.stores.sight(shard + "0", [Sighting(sensor, 0, new=True)])
        subject.stores.sight(shard, [Sighting(sensor, 3600, new=False)])
        assert subject.directory(sensor) == (3600, {shard, shard + "0"})


class TestDeadLetters:
    @pytest.mark.parametrize("data", [b"{broken", b"", bytes(range(256)) * 4096], ids=["short", "empty", "1 MB"])
    def test_a_dead_letter_is_kept_whole(self, subject: Subject, shard: str, data: bytes) -> None:
        """Bytes of any length, more than an item of 400 KB holds as well as none, are kept with place, code and reason."""
        letter = DeadLetter(Origin(shard, BIG, 3), data, ReasonCode.NOT_JSON, "not JSON", 1_700_000_000_250)
        subject.stores.store_dead_letters([letter])
        subject.stores.store_dead_letters([letter])
        assert subject.dead_letters(shard) == {letter.origin: letter}

    def test_h27_letters_of_one_record_are_kept_by_line(self, subject: Subject, shard: str) -> None:
        """Two bad lines of one record do not overwrite one another."""
        codes = {2: ReasonCode.UNKNOWN_TYPE, 10: ReasonCode.OUT_OF_RANGE}
        letters = [DeadLetter(Origin(shard, BIG, line), b"%d" % line, code, "why", 0) for line, code in codes.items()]
        subject.stores.store_dead_letters(letters)
        assert subject.dead_letters(shard) == {letter.origin: letter for letter in letters}


class TestMarks:
    def test_of_several_marks_the_latest_stays(self, subject: Subject, shard: str) -> None:
        """In whatever order they come, and however often; of one moment always the same one."""
        place = LetterPlace(shard, BIG, 3)
        first = LetterMark(place, Outcome.DISCARDED, "me", "garbage", 1_000_000)
        later = LetterMark(place, Outcome.RESOLVED, "me", "", 2_000_000, (f"{shard}:{BIG + 1}",))
        same = first._replace(because="noise", marked_at_us=2_000_000)
        for marks in ([first, later], [first], [later]):
            subject.stores.mark_letters(marks)
        assert subject.marks(shard) == {Origin(*place): later}
        for marks in ([same], [later], [same]):
            subject.stores.mark_letters(marks)
        assert subject.marks(shard) == {Origin(*place): max(same, later, key=lambda mark: mark.order)}

    def test_a_letter_that_comes_again_leaves_its_mark(self, subject: Subject, shard: str) -> None:
        """Nor does a mark touch the letter; it may come before."""
        letter = DeadLetter(Origin(shard, BIG, 3), b"{broken", ReasonCode.NOT_JSON, "not JSON", 250)
        mark = LetterMark(LetterPlace(*letter.origin), Outcome.DISCARDED, "me", "garbage", 1_000_000)
        subject.stores.mark_letters([mark])
        for _ in range(2):
            subject.stores.store_dead_letters([letter])
            assert (subject.dead_letters(shard), subject.marks(shard)) == ({letter.origin: letter}, {letter.origin: mark})
            subject.stores.mark_letters([mark])


class TestLiveProgress:
    def test_the_live_generations_row_is_found(self, subject: Subject, shard: str) -> None:
        """As the pointer leads to it; these tables are the live ones."""
        assert subject.stores.load_live_progress(shard) is None
        subject.stores.store_rows(shard, [(progress_row(BIG, 1), Row(PROGRESS))])
        assert subject.stores.load_live_progress(shard) == progress_row(BIG, 1)


class TestAppendAgain:
    def test_events_go_to_the_stream_each_under_its_own_key(self, subject: Subject, sensor: str) -> None:
        """More events than one call takes are appended as records of one line, where their keys hash to."""
        events: Sequence[tuple[str, bytes]] = [(f"{sensor}{number}", b'{"n":%d}' % number) for number in range(50)]
        subject.stores.append_again(events)
        appended = [(key, data) for key, data in subject.appended() if key.startswith(sensor)]
        assert sorted(appended) == sorted((key, line + b"\n") for key, line in events)

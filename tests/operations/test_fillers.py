"""Processes that fold shards: what comes out of them, and that none of them is left, however it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from functools import partial
from multiprocessing import active_children
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from archive.folder import FolderTarget
from archive.source import ArchiveSource
from operations.fillers import fillers
from operations.filling import Filled
from operations.sharing import Sharing
from projections.effects import Stores
from projections.memory import MemoryStores
from telemetry.errors import ArchiveUnreadable, NotRebuilt, StoreUnavailable, TelemetryError
from telemetry.events import encode_event
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import Page, Position, Source
from telemetry.processes import end_with_parent
from telemetry.shards import Shard
from tests.archive.records import CREATED, chained, numbered
from tests.projections.logs import reading, sensors_of
from tests.projections.worlds import HALVES
from tests.support.waiting import eventually

WHOLE = Shard("shardId-000000000002", 0, HASH_KEY_MAX, tuple(half.shard_id for half in HALVES))


class Odd:
    """Two shards; something happens where they are read."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens = happens

    def shards(self) -> Collection[Shard]:
        return HALVES

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        self._happens()
        yield Page(shard.shard_id, ended=True)


def filled(source: Source, open_stores: Callable[[], Stores] = MemoryStores) -> Filled:
    """By two processes, each with tables of its own."""
    with fillers(2, source, open_stores) as fold:
        return Sharing(source, MemoryStores(), lambda _: None, fold, at_once=2).run()


def running() -> list[int]:
    """The processes that fold for us."""
    return [process.pid for process in active_children() if process.pid]


def refuse() -> None:
    raise ArchiveUnreadable("An object is spoilt.")


def fail(*_: object) -> MemoryStores:
    raise StoreUnavailable("the table did not answer") from ClientError({"Error": {"Code": "Slow", "Message": "later"}}, "Put")


def die(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def wait() -> None:
    sys.stdout.write("waiting\n")
    sys.stdout.flush()
    threading.Event().wait()


def fill_for_ever() -> None:
    """Say which processes fold, and that each of them does, which it does for ever."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background has it ignored
    with fillers(2, source := Odd(wait), MemoryStores) as fold:
        sys.stdout.write(json.dumps(running()) + "\n")
        sys.stdout.flush()
        Sharing(source, MemoryStores(), lambda _: None, fold, at_once=2).run()


def test_what_they_folded_adds_up(tmp_path: Path) -> None:
    """A child is folded when its parents have ended. Ctrl-C is not theirs to hear, and none is left at the end."""
    target = FolderTarget(tmp_path)
    for shard in (*HALVES, WHOLE):
        lines = [encode_event(reading(sensor_id, len(shard.parents)), 0) for sensor_id in sensors_of(shard, 3)]
        chained(target, [numbered(lines)], shard=shard, created=CREATED, ended=True)
    assert filled(ArchiveSource(target, [CREATED])) == Filled(9, 9, {}, {shard.shard_id for shard in (*HALVES, WHOLE)})
    assert filled(Odd(interrupt)).ended == {half.shard_id for half in HALVES}
    assert running() == []


def test_what_is_raised_in_one_is_raised_here() -> None:
    """In its words, with what it was raised from: that is what a person is told of. And the others end, whatever they do."""
    with pytest.raises(ArchiveUnreadable) as refused:
        filled(Odd(refuse))
    assert str(refused.value) == "An object is spoilt."
    assert "in refuse" in refused.value.__notes__[0]
    with pytest.raises(StoreUnavailable) as failed:
        filled(Odd(wait), fail)
    assert (str(failed.value), type(failed.value.__cause__)) == ("the table did not answer", ClientError)
    assert running() == []


@pytest.mark.parametrize(
    ("number", "why"),
    [(signal.SIGKILL, "died: it was killed, or memory was short"), (signal.SIGSEGV, "died of Segmentation fault (signal 11)")],
)
def test_one_that_dies_ends_the_filling(number: signal.Signals, why: str) -> None:
    """With a sentence that tells why; the other one ends as well."""
    with pytest.raises(NotRebuilt, match=re.escape(why) + r"\. .* goes on there\.$"):
        filled(Odd(partial(die, number)))
    assert running() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TelemetryError("It was dropped.")])
def test_none_is_left_when_we_end(error: BaseException) -> None:
    """In the middle of it, by whatever is raised here."""

    def begin_and_fail() -> None:
        with fillers(2, Odd(wait), MemoryStores):
            assert len(running()) == 2
            raise error

    with pytest.raises(type(error)):
        begin_and_fail()
    assert running() == []


@pytest.mark.parametrize(
    ("number", "early"), [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGKILL, True)]
)
def test_none_outlives_us(number: signal.Signals, log: Path, *, early: bool) -> None:
    """Whether they are ready yet, or fold. Ctrl-C goes to all of us, and one of us says so; who is killed tells nobody."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import fill_for_ever; fill_for_ever()"],
            stdout=subprocess.PIPE,
            stderr=out,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
        )
    try:
        assert process.stdout
        pids: list[int] = json.loads(process.stdout.readline())
        assert len(pids) == 2
        assert early or [process.stdout.readline() for _ in pids] == [b"waiting\n"] * 2
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        process.wait(20)
        for pid in pids:
            eventually(partial(_is_gone, pid))
        assert log.read_text().count("Traceback") == (number == signal.SIGINT), log.read_text()
    finally:
        process.kill()
        process.communicate()


def _is_gone(pid: int) -> None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return
    raise AssertionError(pid)

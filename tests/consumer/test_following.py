"""Who may write, by the pointer as it is read; and what a supervisor makes of one that has moved."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from consumer.following import Following
from consumer.oversight import AwsWorld
from projections.generations import Next, Pointer, read_pointer, replace_pointer
from telemetry.errors import NotSetUp, PointerMoved
from tests.support.promoting import POINTER
from tests.support.stack import Stack, new_stack
from tests.support.waiting import eventually

COMING = replace(POINTER, next=Next(2, "", "a promote"))
MOVED = replace(POINTER, generation=2)


class Subject:
    """Follows a pointer that a test moves, by a clock that it sets. What sleeps lets time pass, and the test act."""

    def __init__(self, generation: int = 1, *, pinned: bool = False) -> None:
        self.pointer: Pointer | None = POINTER
        self.now_s = 100.0
        self.reads = self.sleeps = 0
        self.meanwhile: Callable[[], object] = lambda: None
        self.following = Following(self.read, generation, pinned=pinned, clock_s=lambda: self.now_s, sleep=self.sleep)

    def read(self) -> Pointer | None:
        self.reads += 1
        return self.pointer

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.sleeps += 1
        assert self.sleeps < 100, "it waits for ever"
        self.meanwhile()

    def becomes(self, pointer: Pointer) -> None:
        self.pointer = pointer

    def becomes_after(self, sleeps: int, pointer: Pointer) -> None:
        def meanwhile() -> None:
            if self.sleeps == sleeps:
                self.pointer = pointer

        self.meanwhile = meanwhile


def test_the_pointer_is_read_once_a_second_however_much_is_written() -> None:
    """By a read that began less than a second before the write."""
    subject = Subject()
    for _ in range(40):
        subject.following.leave()
        subject.now_s += 0.0625
    assert (subject.reads, subject.sleeps) == (3, 0)


def test_a_delivery_is_begun_by_a_newer_pointer_than_its_writes_need() -> None:
    """So that what takes less than half a second is done before it would be looked at again. AWS being away keeps nobody."""
    subject = Subject()
    for _ in range(16):
        assert not subject.following.begin()
        subject.following.leave()
        subject.now_s += 0.125
    assert subject.reads == 4
    subject.becomes(COMING)
    subject.becomes_after(2, POINTER)
    assert subject.following.begin(), "it had to wait"
    assert subject.sleeps == 2


def test_writes_wait_while_a_promote_is_under_way_and_go_on_when_it_is_taken_back() -> None:
    """Within a second of its mark, and as soon as the mark is gone."""
    subject = Subject()
    subject.following.leave()
    subject.becomes(COMING)
    subject.now_s += 0.9
    subject.following.leave()
    subject.now_s += 0.1
    subject.becomes_after(7, POINTER)
    subject.following.leave()
    assert subject.sleeps == 7


def test_what_is_not_live_any_more_is_not_written() -> None:
    """Until the supervisor ends its processors; here somebody makes it live again."""
    subject = Subject()
    subject.becomes(MOVED)
    subject.becomes_after(5, POINTER)
    subject.following.leave()
    assert subject.sleeps == 5


def test_one_that_is_pinned_fills_its_generation_live_or_not() -> None:
    """And stands still as others do while that is the live one, and about to be another's turn."""
    subject = Subject(2, pinned=True)
    for pointer in (POINTER, COMING, MOVED, replace(MOVED, generation=3)):
        subject.becomes(pointer)
        subject.now_s += 1
        subject.following.leave()
    assert subject.sleeps == 0
    subject.becomes(replace(MOVED, next=Next(3, "", "a promote")))
    subject.now_s += 1
    subject.becomes_after(3, replace(MOVED, generation=3))
    subject.following.leave()
    assert subject.sleeps == 3


def test_who_is_about_to_be_live_hurries_once_the_live_one_has_stopped() -> None:
    """A second after it has seen the mark; not for another generation's, and not when it is live itself."""
    subject = Subject(2, pinned=True)
    hurried = []
    for pointer in (POINTER, COMING, COMING, COMING, replace(POINTER, next=Next(3, "", "")), COMING, COMING, MOVED, MOVED):
        subject.becomes(pointer)
        hurried.append(subject.following.hurried())
        subject.now_s += 1
    assert hurried == [False, False, True, True, False, False, True, False, False]
    reads = subject.reads
    subject.now_s += 10
    assert not subject.following.hurried()
    assert subject.reads == reads, "what is live need not look"


def test_aws_being_away_is_no_reason_to_hurry_and_one_to_write_nothing() -> None:
    """Writing would fail as well; whoever writes tries again, and so reads again."""

    def away() -> Pointer:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    following = Following(away, 2, pinned=True)
    assert not following.hurried()
    following.begin()
    with pytest.raises(EndpointConnectionError):
        following.leave()
    with pytest.raises(NotSetUp):
        Following(lambda: None, 1).leave()


def test_all_threads_wait_and_go_on_together() -> None:
    """Each call of a round asks by itself."""
    at, went = [COMING], list[int]()
    following = Following(lambda: at[0], 1)

    def go() -> None:
        following.leave()
        went.append(1)

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    threading.Event().wait(0.3)
    assert went == []
    at[0] = POINTER

    def gone_on() -> None:
        assert len(went) == 4

    eventually(gone_on)
    for thread in threads:
        thread.join()


@pytest.fixture
def own_stack(endpoint: str, java: str) -> Iterator[Stack]:
    """A stack whose pointer the test may move."""
    with new_stack(endpoint, java, shards=1) as made:
        yield made


def test_a_supervisor_follows_the_pointer_unless_it_is_pinned(own_stack: Stack) -> None:
    """A promote that is under way is no reason for a new daemon, one that has come to its end is. The mark of one that died is
    taken away, and no other.
    """
    settings, names, dynamodb = own_stack.settings, own_stack.names, own_stack.dynamodb
    first = read_pointer(dynamodb, names)
    assert first
    follower = AwsWorld(settings, names, first)
    pinned = AwsWorld(settings, replace(names, generation=1), first, pinned=True)
    marked = replace(first, next=Next(2, "", "a promote"))
    assert replace_pointer(dynamodb, names, first, marked)
    for world in (follower, pinned):
        assert world.follow() == marked.next
        world.observe()
    assert marked.next
    assert not follower.take_back(marked.next._replace(since="another"))
    assert follower.take_back(marked.next)
    assert (follower.follow(), follower.take_back(marked.next), read_pointer(dynamodb, names)) == (None, False, first)
    assert replace_pointer(dynamodb, names, first, marked)
    assert replace_pointer(dynamodb, names, marked, replace(first, generation=2))
    assert not follower.take_back(marked.next)
    pinned.follow()
    pinned.observe()
    for look in (follower.follow, follower.observe):
        with pytest.raises(PointerMoved, match=r"names generation and stream \(2, 1\) now, and named \(1, 1\)"):
            look()

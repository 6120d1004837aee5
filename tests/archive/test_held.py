"""What all shards hold together is bounded: the largest goes first, the others wait."""

import threading

from archive.held import Held
from tests.support.waiting import eventually


def test_the_largest_goes_first() -> None:
    """Only when all hold too much together."""
    held = Held(100)
    held.tell("a", 40)
    held.tell("b", 60)
    assert not held.is_too_much("a")
    assert not held.is_too_much("b")
    held.tell("c", 1)
    assert [held.is_too_much(shard) for shard in "abc"] == [False, True, False]


def test_the_others_wait_until_it_has_gone() -> None:
    """Whoever is the largest goes on, or nobody would."""
    held, stopping, waited = Held(100), threading.Event(), threading.Event()
    held.tell("a", 40)
    held.tell("b", 80)
    held.wait("b", stopping)

    def wait() -> None:
        held.wait("a", stopping)
        waited.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not waited.is_set()
    held.tell("b", 0)
    eventually(lambda: _is_true(waited.is_set()))
    waiting.join()


def test_nobody_waits_who_is_to_stop() -> None:
    """It has its last object to put."""
    held, stopping = Held(100), threading.Event()
    held.tell("a", 40)
    held.tell("b", 80)
    stopping.set()
    held.wait("a", stopping)


def _is_true(what: bool) -> None:
    assert what

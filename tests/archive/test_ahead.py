"""Work that is begun before its turn: in order, a few at once, nothing left open."""

import threading
from collections.abc import Callable, Iterator

import pytest

from archive.ahead import ahead
from tests.support.waiting import eventually


def test_results_come_in_their_order_and_few_are_begun() -> None:
    """However long each takes: the first waits until the third was begun, and no fourth was."""
    begun: list[int] = []
    third = threading.Event()

    def piece(number: int) -> Callable[[], int]:
        def work() -> int:
            begun.append(number)
            if number == 2:
                third.set()
            assert third.wait(20)
            return number

        return work

    results = ahead((piece(number) for number in range(10)), 3, lambda _: None)
    assert next(results) == 0
    assert sorted(begun) == [0, 1, 2]
    assert list(results) == list(range(1, 10))


def test_what_a_piece_raises_is_raised_in_its_turn() -> None:
    """After the results before it."""

    def failing() -> int:
        raise OSError("away")

    results = ahead(iter([lambda: 1, failing, lambda: 3]), 3, lambda _: None)
    assert next(results) == 1
    with pytest.raises(OSError, match="away"):
        next(results)


def test_what_nobody_took_is_handed_back() -> None:
    """Also what comes after the reader has left."""
    left = threading.Event()
    unwanted: list[int] = []

    def late() -> int:
        assert left.wait(20)
        return 2

    def pieces() -> Iterator[Callable[[], int]]:
        yield lambda: 1
        yield late
        yield lambda: 3

    results = ahead(pieces(), 3, unwanted.append)
    assert next(results) == 1
    results.close()  # type: ignore[attr-defined]
    left.set()

    def all_are_back() -> None:
        assert sorted(unwanted) == [2, 3]

    eventually(all_are_back)

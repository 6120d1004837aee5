"""Work that is begun before its turn: a few pieces at once, and their results in order."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from telemetry.log import Handed


def ahead[T](pieces: Iterator[Callable[[], T]], at_once: int, unwanted: Callable[[T], object]) -> Iterator[T]:
    """The results of pieces of work, so many of which are under way or wait. What a piece raises is raised in its turn.

    Whoever leaves early has `unwanted` done with the results that nobody took. The threads end with the process.
    """
    begun: deque[Future[T]] = deque()
    try:
        for piece in pieces:
            begun.append(_begun(piece))
            if len(begun) >= at_once:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.add_done_callback(lambda done: done.exception() or unwanted(done.result()))


def _begun[T](piece: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()

    def work() -> None:
        with Handed(future.set_exception):
            future.set_result(piece())

    threading.Thread(target=work, name="ahead", daemon=True).start()
    return future

"""Work that is begun before its turn: a few pieces at once, and their results in order."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future


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
        try:
            result = piece()
        except Exception as error:  # noqa: BLE001  it is raised where the result is taken
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=work, name="ahead", daemon=True).start()
    return future

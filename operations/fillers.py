"""Processes that fold the shards of a filling which shares them out (`sharing.py`), each of them one shard at a time.

A pipe leads to each: shards go in; how far it is comes out, or the error that was raised. Whoever finds that the other end is
closed knows that the other is gone. One that is killed leaves the tables as any filling does that was.
"""

import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from multiprocessing.resource_tracker import ensure_running
from traceback import format_exception
from typing import Any, Final, NamedTuple

from operations.filling import Filled
from operations.sharing import Fold, Folded, fold_shard
from projections.effects import Stores
from telemetry.errors import NotRebuilt
from telemetry.log import Handed, Position, Source
from telemetry.processes import collect_garbage_seldom, end_with_parent
from telemetry.shards import Shard

_TELL_EVERY_S: Final = 0.5
_END_S: Final = 5.0


class _Filler(NamedTuple):
    process: BaseProcess
    pipe: Any


class _Failed(NamedTuple):
    """What was raised, and from what: through a pipe an error loses that."""

    error: Exception
    cause: BaseException | None


class _Died(Exception):
    """A process did. Whoever started it waits for it, and no other thread: only one of two is told how it ended."""

    def __init__(self, process: BaseProcess) -> None:
        super().__init__(process.name)
        self.process = process


@contextmanager
def fillers(count: int, source: Source, open_stores: Callable[[], Stores]) -> Iterator[Fold]:
    """So many processes, which end with the block; what folds by them, as many shards at once as they are.

    Each works with a copy of the source, which goes through a pipe, and opens its own stores. Folding raises what is raised
    there; where a process died the block ends with NotRebuilt. To be entered by a thread that lasts as long.
    """
    begun, idle = list[_Filler](), list[_Filler]()

    def fold(shard: Shard, after: Position | None) -> Iterator[Folded]:
        filler = idle.pop()
        try:
            filler.pipe.send((shard, after))
            while isinstance(told := filler.pipe.recv(), Folded):
                yield told
        except (EOFError, OSError):
            raise _Died(filler.process) from None
        if isinstance(told, _Failed):
            raise told.error from told.cause
        idle.append(filler)

    try:
        with _interrupts_later():
            for _ in range(count):
                begun.append(_start(source, open_stores))
        idle += begun
        yield fold
    except _Died as died:
        raise NotRebuilt(
            f"One of the processes that fill the tables died{_why(died.process)}. What they wrote stays, and whoever fills "
            "again goes on there."
        ) from None
    finally:
        _end([filler.process for filler in begun])


def _start(source: Source, open_stores: Callable[[], Stores]) -> _Filler:
    context = get_context("spawn")  # there are threads, and no client works in two processes
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, source, open_stores), daemon=True)
    process.start()
    theirs.close()
    return _Filler(process, ours)


def _why(process: BaseProcess) -> str:
    process.join(_END_S)
    match process.exitcode:
        case None | 0:
            return ""
        case -9:
            return ": it was killed, or memory was short"
        case code if code < 0:
            return f" of {signal.strsignal(-code) or 'a signal'} (signal {-code})"
        case code:
            return f" with status {code}"


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Ctrl-C comes to us after the block, and never to what is started in it: that is ended by us."""
    ensure_running()  # multiprocessing's own helper, at whose start it lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(processes: Collection[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_END_S)
        process.kill()
        process.join()


def _serve(pipe: Any, source: Source, open_stores: Callable[[], Stores]) -> None:
    """What each process does, until nobody wants anything of it."""
    end_with_parent()
    if not (parent := parent_process()) or not parent.is_alive():
        return  # it was gone before that
    collect_garbage_seldom()
    stores: Stores | None = None
    with suppress(EOFError, OSError):
        while True:
            shard, after = pipe.recv()
            with Handed(lambda error: pipe.send(_failed(error))):
                stores = stores or open_stores()
                pipe.send(fold_shard(source, shard, after, stores, _seldom(pipe.send)))
                pipe.send(None)


def _failed(error: Exception) -> _Failed:
    error.add_note("".join(format_exception(error)))  # for who looks for a mistake of ours
    return _Failed(error, error.__cause__)


def _seldom(tell: Callable[[Folded], object]) -> Callable[[Filled], object]:
    said_s = time.monotonic()

    def say(filled: Filled) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= _TELL_EVERY_S:
            said_s = time.monotonic()
            tell(Folded(filled))

    return say

"""A replay: from the log to an output, and the place moved along behind it."""

import os
from collections.abc import Callable, Iterable
from typing import BinaryIO, Final

from replay.events import Event, Events
from replay.formats import Output, Repeated, Writing
from replay.place import Place, Progress
from replay.repeats import Repeats
from telemetry.log import Page

_SAVED_EVERY_S: Final = 5.0
"""What is written since then is written again by whoever goes on after a kill."""


class Lines:
    """Events as lines of a file."""

    def __init__(self, out: BinaryIO, writing: Writing, clock: Callable[[], float], *, mark: bool, stays: bool) -> None:
        """`stays`: whether it is a file that outlives the machine's sudden end, and not a pipe. `clock` tells seconds."""
        self._out, self._writing, self._clock, self._mark, self._stays = out, writing, clock, mark, stays
        self._saved_at_s = clock()

    def write(self, event: Event, *, repeat: bool) -> None:
        """One more line."""
        self._out.write(self._writing(event, repeat and self._mark))

    def is_due(self) -> bool:
        """Every few seconds."""
        return self._clock() - self._saved_at_s >= _SAVED_EVERY_S

    def save(self) -> int:
        """How many bytes the file has."""
        self._out.flush()
        self._saved_at_s = self._clock()
        if not self._stays:
            return 0
        os.fsync(self._out.fileno())
        return self._out.tell()


def export(
    pages: Iterable[Page],
    events: Events,
    output: Output,
    place: Place,
    progress: Progress,
    *,
    repeated: Repeated,
    told: Callable[[Page], None],
) -> None:
    """Everything that is chosen of the pages into the output, and at the end all of it saved. `told` hears of each page."""
    repeats = None if repeated is Repeated.KEEP else Repeats(place.database)
    for page in pages:
        if page.gap:
            progress.add(page.gap)
        for event in events.of(page):
            repeat = repeats is not None and repeats.is_repeat(event.reading)
            progress.repeats += repeat
            if not (repeat and repeated is Repeated.DROP):
                output.write(event, repeat=repeat)
                progress.events += 1
        if page.position:
            progress.positions[page.shard_id] = page.position
        if page.ended:
            progress.ended.add(page.shard_id)
        if output.is_due():
            _save(output, place, progress, repeats)
        told(page)
    _save(output, place, progress, repeats)


def _save(output: Output, place: Place, progress: Progress, repeats: Repeats | None) -> None:
    """The output first: what the place says that it holds, it holds."""
    progress.written = output.save()
    if repeats:
        repeats.write()
    place.save(progress)

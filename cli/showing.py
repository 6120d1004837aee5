"""What is said beside the results, on standard error: how far a reading is, what was passed over, and what may be missing."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable
from typing import Final

import click

from replay.events import By, Choice, Passed
from replay.place import Progress
from replay.progress import Course, progress_line
from replay.stream import Stretch
from telemetry.errors import ReasonCode
from telemetry.log import Gap, Log, Page
from telemetry.reading import rfc3339

_EVERY_S: Final = 0.5
_ERASE_LINE: Final = "\r\x1b[K"
_SAY_EVERY_S: Final = 30.0
"""Into a file."""
_GAPS_MAX: Final = 5


class Ticker:
    """A line that changes, on a terminal; nothing where standard error is none."""

    def __init__(self) -> None:
        self.wanted = _is_terminal()
        self.began_s = self._shown_s = time.monotonic()
        self._length = 0

    def show(self, line: Callable[[float], str]) -> None:
        """The line that is told of so many seconds since the beginning, if the last one was shown long enough."""
        now_s = time.monotonic()
        if self.wanted and now_s - self._shown_s >= _EVERY_S:
            self._shown_s = now_s
            text = line(now_s - self.began_s)
            click.echo(f"{self._erase()}{text}", nl=False, err=True)
            self._length = len(text)

    def clear(self) -> None:
        """The line gives way to what is said last."""
        if self.wanted:
            click.echo(self._erase(), nl=False, err=True)
            self._length = 0

    def _erase(self) -> str:
        """What takes the last line away, which may have taken several of the terminal's."""
        rows = max(0, self._length - 1) // shutil.get_terminal_size().columns
        return f"\x1b[{rows}A\r\x1b[J" if rows else _ERASE_LINE


class Lines:
    """A line that changes, on a terminal; elsewhere one of its own whenever its gist is another, and now and then."""

    def __init__(self) -> None:
        self._ticker = Ticker()
        self._gist: object = None
        self._said_s = 0.0

    def show(self, gist: object, line: Callable[[], str]) -> None:
        """The line as it would be now."""
        self._ticker.show(lambda _: line())
        now_s = time.monotonic()
        if not self._ticker.wanted and (gist != self._gist or now_s - self._said_s >= _SAY_EVERY_S):
            self._gist, self._said_s = gist, now_s
            click.echo(line(), err=True)

    def clear(self) -> None:
        """The line gives way to what is said next."""
        self._ticker.clear()


class Shown:
    """The progress of a replay, on a terminal."""

    def __init__(self, log: Log, begin_ms: int, stretch: Stretch, progress: Progress) -> None:
        """`begin_ms`: before when nothing that is read can have arrived, in ms since 1970."""
        self._progress = progress
        self._ticker = Ticker()
        self._events_before = progress.events
        if self._ticker.wanted:
            assert stretch.until_ms is not None
            self._course = Course(begin_ms, stretch.until_ms, len(log.shards()))
            self._course.go_on(progress.positions, progress.ended)
            self._share_before = self._course.share

    def note(self, page: Page) -> None:
        """A page was read."""
        if not self._ticker.wanted:
            return
        self._course.note(page)
        events = self._progress.events - self._events_before
        self._ticker.show(lambda elapsed_s: progress_line(events, elapsed_s, self._course.share, self._share_before))

    def clear(self) -> None:
        """The line gives way to what is said last."""
        self._ticker.clear()


def _is_terminal() -> bool:
    """Whether a person sees standard error; else a line that changes would be many lines in a file."""
    return sys.stderr.isatty()


def say_passed(passed: Passed) -> None:
    """What was no event."""
    if passed.codes:
        found = ", ".join(f"{code} {passed.codes[code]}" for code in ReasonCode if passed.codes[code])
        places = passed.codes.total()
        click.echo(f"Passed over what is no event, in {places} places ({found}); the dead letters hold it.", err=True)
    if passed.lost:
        click.echo(f"KCL hands {passed.lost} user records of broken KPL aggregates to nobody: no table has them.", err=True)


def say_gaps(gaps: Iterable[Gap]) -> None:
    """What may be missing, the earliest first."""
    ordered = sorted(gaps, key=lambda gap: (gap.after_ms, gap.shard_id))
    for gap in ordered[:_GAPS_MAX]:
        until = "on" if gap.before_ms is None else f"to {rfc3339(gap.before_ms * 1000)}"
        since = rfc3339(gap.after_ms * 1000)
        click.echo(f"A gap: what arrived in {gap.shard_id} from {since} {until} may have left the stream unread.", err=True)
    if len(ordered) > _GAPS_MAX:
        click.echo(f"A gap: the same holds for {len(ordered) - _GAPS_MAX} more shards.", err=True)


def described(choice: Choice) -> str:
    """A choice in words: ` of sensor 'a', measured before …`."""
    sensors = " or ".join(repr(sensor_id) for sensor_id in sorted(choice.sensors))
    done = "measured" if choice.by is By.MEASURED else "arrived"
    parts = [
        f" of sensor {sensors}" if sensors else "",
        f" {done} from {rfc3339(choice.from_us)} on" if choice.from_us is not None else "",
        f" {done} before {rfc3339(choice.to_us)}" if choice.to_us is not None else "",
    ]
    return ",".join(part for part in parts if part)

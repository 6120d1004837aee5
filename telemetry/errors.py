"""What can go wrong, in few types.

    TelemetryError
    ├── InvalidReading      the sender's mistake: every bad field with its fix
    ├── InvalidBatch        the sender's mistake: what was sent is no batch of readings
    ├── UndecodableEvent    bytes in the log that are not an event we know: goes to the dead letters
    ├── InvalidQuestion     the asker's mistake: every bad parameter with its fix
    ├── Unanswerable        a question that is well put and cannot be answered as asked: why, and what is near
    ├── UnknownSensor       nothing of a sensor was ever counted
    ├── NotYetCounted       what the question waits for is in the log, and not in the tables yet
    ├── TooManyStreams      no place for another live stream
    ├── Unauthenticated     no key where one is needed, or one that is not taken
    ├── NotPermitted        a key that is not for this
    ├── TooFast             more than a key may send, or an address may try
    ├── NotStored           the log did not confirm in time: the reading may or may not be stored
    │   ├── Overloaded      refused before anything was sent
    │   └── Refused         the log refused it: it is known not to be stored
    ├── StoreUnavailable    a table did not answer within the time for retries
    │   ├── StreamMissing   the stream is not there, or about to go
    │   └── KeysUnavailable the table of keys did not answer, and what was read of it is too old
    ├── WrongStream         the stream is not the log's last: it was made anew since the projection was filled
    │   ├── NotSetUp        nobody has said yet which stream the projection is filled from
    │   └── Dropped         a projection generation that is no more: nothing may be written into it
    ├── PointerMoved        the pointer names other tables, or another stream, than those that are worked on
    ├── NotContinued        the log may not go on in the stream that is there, and why
    ├── NotRebuilt          a projection generation may not be filled, fed or dropped, and why
    │   └── LogLacks        the log does not hold all that the live generation has counted
    ├── ArchiveUnreadable   an object of the archive is not what its readers know
    └── InvalidSettings     every bad setting with its fix

Which HTTP status each one becomes is decided in one table, `producer_api/problems.py`.
"""

from collections.abc import Mapping
from enum import StrEnum


class TelemetryError(Exception):
    """Base of everything we raise on purpose."""


class InvalidReading(TelemetryError):
    """A reading was refused. `fields` maps each bad field's name to what is expected of it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in fields.items()))
        self.fields = dict(fields)


class InvalidBatch(TelemetryError):
    """What was sent is no batch, so that nothing can be said of its readings one by one."""


class ReasonCode(StrEnum):
    """Why bytes of the log are no event, in words and an order that stay: people read the text beside it, programs the code."""

    NOT_JSON = "not-json"
    NOT_AN_EVENT = "not-an-event"
    """JSON, but no CloudEvents 1.0 object, or one without a type, time, subject or temperature of the right form; or a spoilt
    KPL aggregate."""
    UNKNOWN_TYPE = "unknown-type"
    """Of a type or version that this reader does not know: its writer is newer."""
    OUT_OF_RANGE = "out-of-range"
    """A time, subject or temperature of the right form, beyond the hard limits (`telemetry/limits.py`)."""
    TOO_LONG = "too-long"
    BAD_GZIP = "bad-gzip"
    MANY_LINES = "many-lines"
    """A whole record, kept once because so many of its lines are no events."""


class UndecodableEvent(TelemetryError):
    """Bytes from the log cannot be read as an event. Code and text are kept beside the dead letter."""

    def __init__(self, code: ReasonCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class InvalidQuestion(TelemetryError):
    """A question was refused. `parameters` maps each bad parameter's name to what is wrong with it."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in parameters.items()))
        self.parameters = dict(parameters)


class Unanswerable(TelemetryError):
    """A question of the right form cannot be answered as asked.

    `code` is for programs and stays; `parameters` maps each parameter that is in the way to what is wrong with it, `nearest`
    those to be changed, or left out (None), to what would be answered.
    """

    def __init__(self, code: str, parameters: Mapping[str, str], nearest: Mapping[str, str | None] | None = None) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in parameters.items()))
        self.code = code
        self.parameters = dict(parameters)
        self.nearest = dict(nearest or {})


class UnknownSensor(TelemetryError):
    """Nothing of this sensor was ever counted."""


class NotYetCounted(TelemetryError):
    """A position was not counted within the time that the asker would wait: `which` mark, and as of when (µs since 1970)."""

    def __init__(self, which: str, as_of_us: int | None) -> None:
        super().__init__(f"{which} as of {as_of_us}")
        self.which = which
        self.as_of_us = as_of_us


class TooManyStreams(TelemetryError):
    """As many live streams are open, or as many different questions under way, as a process serves."""


class Unauthenticated(TelemetryError):
    """A request needs a key and has none, or one (`given`) that is not taken. The text never repeats it."""

    def __init__(self, why: str, *, given: bool) -> None:
        super().__init__(why)
        self.given = given


class NotPermitted(TelemetryError):
    """Whoever asks is not allowed to, whether what is asked for is there or not. `code` is for programs and stays."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class TooFast(TelemetryError):
    """More comes than was allowed: again in so many seconds."""

    def __init__(self, why: str, after_s: float) -> None:
        super().__init__(why)
        self.after_s = after_s


class NotStored(TelemetryError):
    """The log did not confirm the reading in time. It may be stored; sending it again is safe."""


class Overloaded(NotStored):
    """The writer's queue is full or closing: nothing was sent."""


class Refused(NotStored):
    """The log refused the reading, whenever it was tried: it is not stored."""


class StoreUnavailable(TelemetryError):
    """A table or stream did not answer within the time allowed for retries."""


class StreamMissing(StoreUnavailable):
    """The stream is not there, or is being deleted. It may come back, as itself or as another."""


class KeysUnavailable(StoreUnavailable):
    """Whether a key is one cannot be told at the moment."""


class WrongStream(TelemetryError):
    """The stream is not the one this projection was filled from: shard ids would repeat."""


class NotSetUp(WrongStream):
    """The tables hold no pointer to a stream yet."""


class Dropped(WrongStream):
    """A projection generation was dropped, and its number is never used again: no worker of it may go on."""


class PointerMoved(TelemetryError):
    """The pointer does not name any more what is worked on. What it names now is to be taken up in its place."""


class NotContinued(TelemetryError):
    """The log may not go on in the stream that is there, as things are: the text says why, and what to do."""


class NotRebuilt(TelemetryError):
    """A projection generation may not be filled, fed or dropped, as things are: the text says why, and what to do."""


class LogLacks(NotRebuilt):
    """What can be read of the log does not hold all that the live generation has counted."""


class ArchiveUnreadable(TelemetryError):
    """An object of the archive cannot be read: it is of a newer format, spoilt, or not where its chain leads."""


class InvalidSettings(TelemetryError):
    """The environment holds settings that cannot be used; the text lists them all."""

"""Live streams: who listens to what, one look a second for all of them, and none when nobody listens.

No buffer of what was told before: a stream begins with the whole state, so any process serves any client.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from producer_api.live.topics import State, Topic, differences, freshness, state_of
from producer_api.reading.answers import now_us
from producer_api.reading.asking import THREADS, Asking
from producer_api.reading.shapes import ENCODER
from projections.dynamodb_reads import LiveLook
from telemetry.errors import TelemetryError, TooManyStreams, Unanswerable
from telemetry.logs import SparseLog
from telemetry.retry import SENSELESS

TOPICS_MAX: Final = 200
UNSENT_BYTES_MAX: Final = 64 * 1024
_LOOK_S: Final = 1.0
_FRESHNESS_S: Final = 5.0
_CLOSING_S: Final = 5.0
"""Over which all streams close when the process is asked to stop, so that their clients do not come back all at once."""
_FAULTS: Final = (ClientError, BotoCoreError, TelemetryError, *SENSELESS)

log = SparseLog(__name__)


@dataclass(eq=False)
class Stream:
    """One client that listens."""

    stopping: Callable[[], bool]
    """Whether the server was asked to stop."""
    unsent: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    """Messages in order; None ends it."""
    unsent_bytes: int = 0

    def tell(self, message: bytes) -> None:
        """Send a message, which may be of any size; one who has not taken what was sent before is left."""
        self.unsent.put_nowait(message if self.unsent_bytes < UNSENT_BYTES_MAX else None)
        self.unsent_bytes += len(message)

    async def messages(self) -> AsyncIterator[bytes]:
        """What was told, until the end."""
        while (message := await self.unsent.get()) is not None:
            yield message
            self.unsent_bytes -= len(message)


@dataclass
class _Told:
    """A topic, who listens, and what they know."""

    streams: set[Stream]
    state: State
    fresh_s: float
    """When they were told last how fresh it is."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Of who tells the next state."""


class Hub:
    """All streams of a process."""

    def __init__(self, asking: Asking, streams_max: int, clock_s: Callable[[], float] = monotonic) -> None:
        self._asking = asking
        self._clock_s = clock_s
        self._streams_max = streams_max
        self._topics: dict[Topic, _Told] = {}
        self._beginning: dict[Topic, asyncio.Task[_Told]] = {}
        self._arriving: Counter[Topic] = Counter()
        """Streams that have a place and do not listen yet."""
        self._looking: asyncio.Task[None] | None = None
        self._at_once = asyncio.Semaphore(THREADS)

    @property
    def streams(self) -> int:
        """How many listen."""
        return sum(len(told.streams) for told in self._topics.values())

    async def snapshot(self, topic: Topic) -> bytes:
        """The message that a stream begins with."""
        return message_of("snapshot", (await self._told(topic)).state.snapshot)

    async def listen(self, topic: Topic, stopping: Callable[[], bool]) -> AsyncIterator[bytes]:
        """The state, and what changes from then on. Raises TooManyStreams, and what asking raises, before the first message."""
        topics = self._topics.keys() | self._arriving.keys()
        if self.streams + self._arriving.total() >= self._streams_max or (topic not in topics and len(topics) >= TOPICS_MAX):
            raise TooManyStreams
        self._arriving[topic] += 1
        try:
            told, stream = await self._told(topic), Stream(stopping)
        finally:
            self._arriving -= Counter([topic])
        # Nothing is awaited in between: what is told from now on follows this state.
        stream.tell(message_of("snapshot", told.state.snapshot))
        self._topics[topic] = told
        told.streams.add(stream)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())
        return self._messages(topic, told, stream)

    async def _messages(self, topic: Topic, told: _Told, stream: Stream) -> AsyncIterator[bytes]:
        try:
            yield f"retry: {random.randint(1_000, 5_000)}\n\n".encode()  # noqa: S311  so that clients do not come back all at once
            async for message in stream.messages():
                yield message
        finally:
            told.streams.discard(stream)
            if not told.streams and self._topics.get(topic) is told:
                del self._topics[topic]

    async def _told(self, topic: Topic) -> _Told:
        if told := self._topics.get(topic):
            look = await self._asking.look()
            if told.state.snapshot.generation != look.pointer.generation:  # nobody begins with what was live before
                await self._tell_of(topic, told, look)
            return told
        if (task := self._beginning.get(topic)) is None:
            task = self._beginning[topic] = asyncio.create_task(self._begin(topic))
            task.add_done_callback(lambda _: self._beginning.pop(topic))
        return await asyncio.shield(task)

    async def _begin(self, topic: Topic) -> _Told:
        return _Told(set(), await state_of(topic, await self._asking.look(), self._asking, now_us()), self._clock_s())

    async def _look_on(self) -> None:
        """While anybody listens. A look that takes long, or fails, keeps no stream from being closed."""
        telling = asyncio.create_task(self._tell_all())
        while self._topics:
            await asyncio.sleep(_LOOK_S)
            self._close_if_stopping()
            if telling.done():
                telling = asyncio.create_task(self._tell_all())

    def _close_if_stopping(self) -> None:
        for told in self._topics.values():
            for stream in [stream for stream in told.streams if stream.stopping()]:
                told.streams.discard(stream)
                later_s = random.uniform(0, _CLOSING_S - _LOOK_S)  # noqa: S311  as above
                asyncio.get_running_loop().call_later(later_s, stream.unsent.put_nowait, None)

    async def _tell_all(self) -> None:
        try:
            look = await self._asking.look()
        except _FAULTS as error:
            # Whoever listens sees that nothing comes, and shows it.
            log.warning("live_streams_wait", error=str(error))
            return
        await asyncio.gather(*(self._tell_if_known(topic, told, look) for topic, told in list(self._topics.items())))

    async def _tell_if_known(self, topic: Topic, told: _Told, look: LiveLook) -> None:
        """Tell of a topic. What is the matter with one is no other's business."""
        try:
            async with self._at_once:
                await self._tell_of(topic, told, look)
        except Unanswerable as error:  # it will stay so: asked for anew, the refusal says why
            log.warning("live_streams_end", error=str(error))
            for stream in told.streams:
                stream.unsent.put_nowait(None)
        except _FAULTS as error:
            log.warning("live_streams_wait", error=str(error))

    async def _tell_of(self, topic: Topic, told: _Told, look: LiveLook) -> None:
        async with told.turn:
            after = await state_of(topic, look, self._asking, now_us(), told.state)
            before, told.state = told.state, after
            events = list(differences(before.snapshot, after.snapshot)) if after is not before else []
            if (now_s := self._clock_s()) - told.fresh_s >= _FRESHNESS_S - _LOOK_S / 2:
                told.fresh_s = now_s
                events.append(("freshness", freshness(look, topic)))
            if events:  # written once for all, and sent at once: sending costs more than what is sent
                _tell(told, b"".join(message_of(*event) for event in events))


def message_of(name: str, data: Struct) -> bytes:
    """A server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), ENCODER.encode(data))


def _tell(told: _Told, message: bytes) -> None:
    for stream in list(told.streams):
        stream.tell(message)

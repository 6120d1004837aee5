"""Whether the stream is the one that the projection is filled from, looked at beside the requests.

Storing a reading needs the stream alone. But one that was deleted and made again under its name belongs to no projection
(hazard H29): what is stored there would never be counted. It is also known here what its shards are called in the log.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from projections.generations import Pointer, created_us
from telemetry.errors import NotSetUp, StoreUnavailable, StreamMissing, WrongStream
from telemetry.reading import rfc3339
from telemetry.retry import SENSELESS, error_code
from telemetry.streams import FIRST_PLACE, StreamPlace

_EVERY_S = 2.0
"""Kinesis answers 20 DescribeStreamSummary calls a second in an account: enough for some forty processes."""

log = structlog.get_logger(__name__)


class StreamCheck:
    """Runs `check` now and then; it raises WrongStream, or boto3's errors when nothing can be said.

    `anew` is called when the stream is ours for the first time, or after another was, and before anything is said to be stored
    in it; it may raise the same.
    """

    def __init__(self, check: Callable[[], Pointer], anew: Callable[[], Awaitable[None]]) -> None:
        self._check = check
        self._anew = anew
        self._created = ""
        self._place = FIRST_PLACE
        self._wrong: WrongStream | None = None
        self._missing = ""
        """Why there was no stream at the last look that could tell; empty when there was one."""

    def require_ours(self) -> None:
        """Raises WrongStream when the stream is known to be another than the projection's."""
        if self._wrong:
            raise WrongStream(str(self._wrong))  # anew: one that is raised again and again keeps every request's frames

    def require_writable(self) -> None:
        """Raises WrongStream also while the stream is known not to be there.

        Whatever is made under its name is another: what were stored there before the log names it, nobody might count.
        """
        self.require_ours()
        if self._missing:
            raise WrongStream(self._missing)

    @property
    def place(self) -> StreamPlace:
        """Of the stream in the log, so that receipts say what the log calls its shards.

        Until the tables have answered it is the first: few logs ever lose a stream. A receipt that is wrong is told so (422)
        when it is asked for, as a place in a shard that does not reach so far.
        """
        return self._place

    @property
    def created(self) -> str | None:
        """When the stream was made, RFC 3339: who replays into us asks whether it is the one that is read."""
        return rfc3339(created_us(self._created)) if self._created else None

    async def look(self) -> None:
        """Look once. What cannot be seen says nothing: the last verdict stands."""
        try:
            pointer = await asyncio.to_thread(self._check)
            self._place = pointer.place
            if pointer.stream_created != self._created:
                await self._anew()
                self._created = pointer.stream_created
        except StreamMissing as missing:
            self._missing = str(missing)
            log.warning("stream_not_checked", error=error_code(missing))
        except NotSetUp as unknown:
            self._say(None, str(unknown))
        except WrongStream as wrong:
            self._say(wrong, str(wrong))
        except (StoreUnavailable, ClientError, BotoCoreError, *SENSELESS) as error:
            log.warning("stream_not_checked", error=error_code(error))
        else:
            self._say(None, "")

    async def keep_looking(self) -> None:
        """Look for as long as the API runs."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.look()

    def _say(self, wrong: WrongStream | None, why: str) -> None:
        if why and (str(wrong) != str(self._wrong) or not wrong):
            log.error("wrong_stream" if wrong else "not_set_up", why=why)
        elif self._wrong and not wrong:
            log.info("stream_is_ours_again")
        self._wrong, self._missing = wrong, ""

"""Readings into the log, by the door that everybody uses: the API, asked again until it says what became of them."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import urllib3

from telemetry.errors import TelemetryError
from telemetry.keys import as_header
from telemetry.retry import backoff_s

LINES_MAX: Final = 1000
LINES_BYTES_MAX: Final = 1024 * 1024
"""Of a batch: a fraction of what the API takes, so that it never is too large."""
_PATIENCE_S: Final = 60.0
_CONTACT_PATIENCE_S: Final = 3.0
"""Whoever has not answered at all by then is not there: a person waits for that, not for an outage to pass."""
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=10)
"""The answer to a batch comes within four seconds of its last byte (docs/batch.md)."""
_MAY_PASS: Final = {408, 429, 500, 502, 503, 504}


class NotSent(TelemetryError):
    """The API does not answer, or takes none of it."""


class Sent(NamedTuple):
    """What became of readings that were sent together."""

    stored: int
    refused: Mapping[int, Mapping[str, str]]
    """What is wrong with each that never will be, by its index: the field, and what is expected of it."""


class Api:
    """The API at an address."""

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`key` is sent along, where the API asks for one. `clock` tells seconds and never goes back; `sleep` takes seconds."""
        self._headers = as_header(key)
        self._url = url.rstrip("/")
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
        self._clock, self._sleep = clock, sleep
        self._patience_s = _CONTACT_PATIENCE_S

    def stream_created(self) -> str:
        """When the stream that it writes to was made, RFC 3339; asked where no key is needed. Raises NotSent."""
        created = self._asked("GET", "/readyz", b"", "application/json", (200,)).json().get("streamCreated")
        if created is None:
            raise NotSent(f"{self._url} does not say yet which stream it writes to: try again.")
        return str(created)

    def put(self, reading: Mapping[str, Any]) -> Sent:
        """One reading. Raises NotSent."""
        answer = self._asked("PUT", "/api/temperature", json.dumps(reading).encode(), "application/json", (200, 400))
        if answer.status == 200:
            return Sent(1, {})
        return Sent(0, {0: answer.json()["message"]})

    def batch(self, lines: Sequence[bytes]) -> Sent:
        """Readings, each the JSON of one, in their order. Raises NotSent."""
        body = b"\n".join(lines)
        answer = self._asked("POST", "/api/temperature/batch", body, "application/x-ndjson", (200, 207)).json()
        refused = {one["index"]: one["message"] for one in answer["results"] if one["status"] == "refused"}
        return Sent(answer["stored"], refused)

    def _asked(self, method: str, path: str, body: bytes, kind: str, good: Sequence[int]) -> urllib3.BaseHTTPResponse:
        """An answer that says what became of it; again until there is one. Equal readings count once."""
        began_s, attempt = self._clock(), 0
        while True:
            wait_s = backoff_s(attempt)
            try:
                answer = self._pool.request(method, self._url + path, body=body, headers={"Content-Type": kind} | self._headers)
            except urllib3.exceptions.HTTPError as error:
                failure = f"Nobody answers at {self._url}: {error}"
            else:
                self._patience_s = _PATIENCE_S
                if answer.status in good:
                    return answer
                failure = f"{self._url} answered {answer.status}: {_detail(answer)}"
                if answer.status not in _MAY_PASS:
                    raise NotSent(failure)
                wait_s = max(wait_s, _retry_after_s(answer))
            if self._clock() + wait_s > began_s + self._patience_s:
                raise NotSent(f"{failure} (tried for {self._patience_s:g} s)")
            self._sleep(wait_s)
            attempt += 1


def _retry_after_s(answer: urllib3.BaseHTTPResponse) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def _detail(answer: urllib3.BaseHTTPResponse) -> str:
    """What a problem says of itself, or else the answer's reason."""
    try:
        told = answer.json()
        return str(told["detail"])
    except (ValueError, LookupError, TypeError):
        return answer.reason or "no reason"

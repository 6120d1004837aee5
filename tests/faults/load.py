"""Sensors that go on sending while things break, and the log of what they were told: ok, failed, or unknown."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from telemetry.reading import Reading
from tests.support.sensors import Message, messages
from tests.support.waiting import eventually

_SENSORS = 200
_TIMEOUT_S = 15
_RETRY_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Operation:
    """One attempt to store a message. `status` 0: nobody answered."""

    message: Message
    began_s: float
    """On the monotonic clock."""
    ended_s: float
    status: int

    @property
    def outcome(self) -> str:
        """What the sensor knows now."""
        if self.status == 200:
            return "ok"
        return "failed" if 400 <= self.status < 500 else "unknown"


class Load:
    """`clients` sensors' worth of messages, each sent until it is ok or refused, about `per_s` of them a second."""

    def __init__(self, url: str, seed: int, per_s: float, clients: int) -> None:
        self._address = urlsplit(url)
        self._messages = messages(seed, _SENSORS)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._pause_s = clients / per_s
        self.operations: list[Operation] = []
        self._outcomes: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._send_all, name=f"sensors-{n}") for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send nothing new; returns once every message sent has its final answer."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def outcomes(self) -> Counter[str]:
        """How many attempts ended how."""
        with self._lock:
            return self._outcomes.copy()

    def acknowledged(self) -> set[Reading]:
        """Readings somebody was told are stored."""
        return {o.message.reading for o in list(self.operations) if o.outcome == "ok" and o.message.reading}

    def attempted(self) -> set[Reading]:
        """Readings that may be stored: sent, and not refused."""
        return {o.message.reading for o in list(self.operations) if o.outcome != "failed" and o.message.reading}

    def wait_for_more(self, acknowledgements: int, within_s: float = 60) -> None:
        """Until so many more attempts were ok."""
        wanted = self.outcomes["ok"] + acknowledgements

        def enough() -> None:
            assert self.outcomes["ok"] >= wanted, self.outcomes

        eventually(enough, within_s)

    def _send_all(self) -> None:
        connection = _Connection(self._address.hostname or "", self._address.port or 80)
        while not self._stopping.wait(self._pause_s):
            with self._lock:
                message = next(self._messages)
            while True:
                began_s = time.monotonic()
                status = connection.put(message.body)
                operation = Operation(message, began_s, time.monotonic(), status)
                with self._lock:
                    self.operations.append(operation)
                    self._outcomes[operation.outcome] += 1
                if operation.outcome != "unknown":
                    break
                threading.Event().wait(_RETRY_PAUSE_S)
        connection.close()


class _Connection:
    """Kept alive, made anew after an error, as a sensor's is."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)

    def put(self, body: bytes) -> int:
        """The answer's status, or 0 when none came."""
        try:
            self._connection.request("PUT", "/api/temperature", body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0
        return answer.status

    def close(self) -> None:
        self._connection.close()


@contextmanager
def sensors_sending(url: str, seed: int, per_s: float, clients: int) -> Iterator[Load]:
    """Sensors that send during the block; at its end every message has its final answer."""
    load = Load(url, seed, per_s, clients)
    try:
        yield load
    finally:
        load.stop()

"""Simulated sensors for `make run DEMO=1`: they cope with an API that is away, or refuses."""

import http.client
import json
import os
import random
import signal
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TextIO
from urllib.parse import urlsplit

from replay.fleet import readings

_PAUSE_S = 0.25
_TIMEOUT_S = 10
_KEPT_MAX = 1000
_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class Sender:
    """PUTs readings to the API at `url`, a round at a time."""

    def __init__(self, url: str, out: TextIO = sys.stderr) -> None:
        self._address, self._out = urlsplit(url), out
        self._refused = 0
        self.unsent: list[dict[str, object]] = []
        """readings of which it is not known that they are stored; they go first in the next round"""

    def send(self, bodies: Iterable[dict[str, object]]) -> None:
        """One round over one connection."""
        waiting = [*self.unsent, *bodies][-_KEPT_MAX:]
        self.unsent = list(waiting)
        connection = http.client.HTTPConnection(self._address.hostname or "", self._address.port, timeout=_TIMEOUT_S)
        try:
            for body in waiting:
                connection.request("PUT", "/api/temperature", json.dumps(body), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == HTTPStatus.OK:
                    self.unsent.remove(body)
                elif answer.status // 100 == 4 and answer.status not in _TRY_AGAIN:
                    self.unsent.remove(body)
                    self._say_refused(answer.status, text)
        except (OSError, http.client.HTTPException) as error:
            self._out.write(f"{error}\n")
        finally:
            connection.close()
        if self.unsent:
            self._out.write(f"{len(self.unsent)} readings not accepted, to be sent again\n")

    def _say_refused(self, status: int, text: bytes) -> None:
        """The first refusal, the tenth, the hundredth and so on: the answer would be the same however often it is asked for."""
        self._refused += 1
        if str(self._refused).strip("0") == "1":
            said = text.decode(errors="replace").strip()
            self._out.write(f"{self._refused} readings refused and dropped, the last with {status}: {said}\n")


def main() -> int:
    """Send rounds of readings to the API at URL until told to stop."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    sender = Sender(os.environ["URL"])
    chance = random.Random()  # noqa: S311  weather, not secrets
    while not stopping.wait(_PAUSE_S):
        sender.send(readings(chance, datetime.now(UTC)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Keys while DynamoDB is away: what was known goes on, and a key revoked meanwhile stops soon after."""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from producer_api.keys.ring import FRESH_S
from telemetry.key_table import KeyTable
from telemetry.keys import Credential, Key, Role, as_header, new_id, new_secret
from tests.faults import faults
from tests.faults.conftest import Trial
from tests.faults.proxy import Rule
from tests.faults.test_outages import lasts
from tests.support.stack import at
from tests.support.waiting import eventually


def made(table: KeyTable) -> Credential:
    """A key to send with."""
    credential = Credential(new_id(secrets.choice), new_secret(secrets.choice))
    assert table.add(Key(credential.key_id, Role.INGEST, credential.digest, int(time.time())))
    return credential


class Sender:
    """Ten readings a second with one key, and each answer with its time."""

    def __init__(self, url: str, key: Credential) -> None:
        self.answers: list[tuple[float, int]] = []
        self._url, self._key, self._stop = url, key, threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()
        self._thread.join()

    def since(self, began_s: float) -> Counter[int]:
        """The answers from then on, by status; 0 where there was none."""
        return Counter(status for at_s, status in list(self.answers) if at_s >= began_s)

    def _send(self) -> None:
        with httpx.Client(base_url=self._url, headers=as_header(self._key.text), timeout=20) as client:
            number = 0
            while not self._stop.wait(0.1):
                number += 1
                at = f"2026-03-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
                reading = {"sensorId": self._key.key_id, "temperature": 1, "timestamp": at}
                began_s = time.monotonic()
                try:
                    status = client.put("/api/temperature", json=reading).status_code
                except httpx.TransportError:
                    status = 0
                self.answers.append((began_s, status))


@contextmanager
def sending(url: str, key: Credential) -> Iterator[Sender]:
    """Readings with this key during the block."""
    sender = Sender(url, key)
    try:
        yield sender
    finally:
        sender.stop()


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["broken", "silent"])
def test_dynamodb_away_for_who_has_a_key(trial: Trial, how: str) -> None:
    """Known keys store all the while; one that was never seen is 503; one revoked meanwhile is 401 within ten seconds."""
    seconds = trial.often(20, 300)
    table = KeyTable(trial.stack.dynamodb, trial.stack.names.keys)
    good, gone, new = (made(table) for _ in range(3))
    fault = {"broken": faults.drop_before, "silent": faults.hang}[how]
    with (
        trial.serving(**at(trial.proxy.url), KEYS="true") as api,
        sending(api.url, good) as staying,
        sending(api.url, gone) as leaving,
    ):
        eventually(lambda: _stored(staying, leaving))
        began_s = time.monotonic()
        trial.proxy.rules = [Rule(fault, "DynamoDB")]
        assert table.revoke(gone.key_id)  # by an operator whose own way to DynamoDB is whole
        lasts(FRESH_S + seconds)
        reading = {"sensorId": "new", "temperature": 1, "timestamp": "2026-03-01T12:00:00Z"}
        unknown = httpx.put(f"{api.url}/api/temperature", json=reading, headers=as_header(new.text), timeout=20)
        assert unknown.status_code == 503
        during = staying.since(began_s), leaving.since(began_s)
        trial.proxy.rules = []
        back_s = time.monotonic()
        eventually(lambda: _refused(leaving), within_s=FRESH_S + 5)
        eventually(lambda: _goes_on(staying, back_s))
        stopped_s = next(at_s for at_s, status in leaving.answers if status == 401) - back_s
        after = staying.since(back_s)
    assert set(during[0]) == {200}, during
    assert set(during[1]) == {200}, "what is not known to be revoked goes on"
    assert stopped_s <= FRESH_S
    assert set(after) == {200}
    trial.report(
        "6",
        f"DynamoDB away for {seconds} s, keys on: {how}",
        1,
        stored_meanwhile=during[0][200],
        a_revoked_key_stopped_after_s=round(stopped_s, 1),
    )


def _stored(*senders: Sender) -> None:
    assert all((200 in sender.since(0)) for sender in senders)


def _goes_on(sender: Sender, began_s: float) -> None:
    assert sender.since(began_s).total() > 5


def _refused(sender: Sender) -> None:
    assert sender.answers[-1][1] == 401

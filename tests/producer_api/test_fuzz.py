"""Whatever is asked, nothing breaks: no 5xx but the 503s that are documented, and each refusal is a problem with a known code.

`FUZZ_CASES` says how many requests are sent, `FUZZ_SEED` which: `FUZZ_CASES=200000 pytest tests/producer_api/test_fuzz.py`.
"""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import batched
from random import Random
from typing import NamedTuple

import httpx
import pytest

from producer_api.pages.errors import CODES
from producer_api.problems import UNAVAILABLE
from tests.producer_api.drawn import Asked, draw, known_readings
from tests.producer_api.raw import Answer, Connection
from tests.producer_api.world import World
from tests.support.stack import Stack

CASES = int(os.environ.get("FUZZ_CASES", "1500"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
CLIENTS = 4
AWAY = {code for code, _ in UNAVAILABLE.values()} | {"not-yet-counted"}
"""Codes of 503."""


@pytest.fixture(scope="module")
def filled(api: str, stack: Stack) -> Iterator[World]:
    """An API of its own, that may be written to."""
    with httpx.Client(base_url=api, timeout=30) as client:
        world = World(client, stack)
        world.fill(known_readings())
        yield world


class Client:
    """Connections, as many as are used at a time; one is made anew when the server ends it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: list[Connection] = []

    def ask(self, asked: Asked) -> Answer:
        """The answer to a request."""
        connection = self._free.pop() if self._free else Connection(self._url, timeout_s=60)
        answer = connection.send(asked.encode()).answer(head=asked.method == "HEAD")
        if answer.headers.get("connection") == "close" or asked.body:
            connection.close()
        else:
            self._free.append(connection)
        return answer

    def close(self) -> None:
        """End all connections."""
        for connection in self._free:
            connection.close()


def unpacked(answer: Answer) -> bytes:
    """The body."""
    return gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body


class Refusal(NamedTuple):
    """What a problem says."""

    nearest: str
    """Where to go instead; empty when it does not say."""
    faults: frozenset[tuple[str, str]]
    """Its code, and each parameter that is in the way."""


def judge(asked: Asked, answer: Answer) -> Refusal | None:
    """What a refusal says; None for any other answer, and for HEAD. Fails unless the answer is as it should be."""
    kind = answer.headers.get("content-type", "")
    assert answer.headers["x-request-id"]
    if answer.status < 400:
        assert answer.status in (200, 204, 207, 304) or (answer.status == 303 and asked.target.startswith(b"/sensor"))
        if kind == "application/json" and asked.method != "HEAD":
            json.loads(unpacked(answer))
        return None
    if answer.status == 503 and kind == "application/json":
        assert asked.target == b"/api/temperature/batch"
        return None
    if answer.status == 400 and kind == "application/json":
        assert asked.target.partition(b"?")[0] in {b"/query", b"/write", b"/api/v2/write"}, "its clients read this form"
        assert asked.method == "HEAD" or json.loads(unpacked(answer))["error"]
        return None
    assert kind == "application/problem+json"
    if asked.method == "HEAD":
        assert answer.status < 500 or answer.status == 503
        return None
    members = json.loads(unpacked(answer))
    assert members["status"] == answer.status
    assert members["code"] in (AWAY if answer.status >= 500 else CODES)
    assert members["type"] == f"/docs/errors/{members['code']}"
    assert all(members[name] for name in ("title", "detail", "message"))
    faults = frozenset((members["code"], error.get("parameter", "")) for error in members.get("errors", []))
    return Refusal(members.get("nearest", ""), faults)


@pytest.mark.timeout(300 + CASES // 20)
def test_whatever_is_asked_nothing_breaks(filled: World) -> None:
    """And in what a refusal offers instead, nothing is in the way that was."""
    rng, client = Random(SEED), Client(filled.url)  # noqa: S311

    def check(asked: Asked) -> int:
        answer = client.ask(asked)
        try:
            first, refused = answer.status, judge(asked, answer)
            while refused and refused.nearest and asked.method == "GET":
                asked = Asked("GET", refused.nearest.encode(), asked.headers, b"")
                before, answer = refused.faults, client.ask(asked)
                refused = judge(asked, answer)
                assert not refused or not refused.faults & before, "nearest does not mend it"
        except (AssertionError, ValueError) as error:
            raise AssertionError(f"{asked.encode()[:3000]!r} was answered {answer}: {error}") from error
        return first

    statuses: Counter[int] = Counter()
    with closing(client), ThreadPoolExecutor(CLIENTS) as threads:
        for some in batched((draw(rng) for _ in range(CASES)), 1_000, strict=False):
            statuses.update(threads.map(check, some))
    assert {200, 400, 404, 405, 406, 415, 422, 503} <= statuses.keys(), statuses
    assert statuses[200] > CASES / 3, statuses

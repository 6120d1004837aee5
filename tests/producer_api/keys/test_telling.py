"""Nobody tells an id that there is from one that there is not: look-ups and tries are counted, at the gate, not timed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest

from producer_api.keys.gate import TRIED_BURST
from producer_api.keys.policy import POLICY
from producer_api.keys.ring import FRESH_S
from telemetry.errors import KeysUnavailable, Unauthenticated
from telemetry.keys import Credential, Role
from tests.producer_api.keys.entrance import Entrance

ADDRESS = "10.0.0.1"
ID = "reader00"
WRONG = Credential(ID, "x" * 30).text
OTHER = "y" * 30


type Prepare = Callable[[Entrance], Coroutine[Any, Any, str]]
"""Makes ready, and says what is tried."""


def scenario(test: Callable[[Entrance], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an asynchronous test at a gate of its own."""

    def run() -> None:
        asyncio.run(test(Entrance()))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


class Try(NamedTuple):
    """What came of one."""

    answer: str
    look_ups: int
    tries: float
    """That its address has fewer than before."""


async def ask(made: Entrance, text: str) -> str:
    """The answer's words at the gate."""
    headers = [(b"x-api-key", text.encode())]
    scope = {"path": "/api/stats", "method": "GET", "query_string": b"", "headers": headers, "client": (ADDRESS, 1)}
    try:
        await made.gate.admit(scope, POLICY["/api/stats"])
    except (Unauthenticated, KeysUnavailable) as error:
        return str(error)
    return "let in"


def tries_left(made: Entrance) -> float:
    """Of the address."""
    bucket = made.gate._tried.get(ADDRESS)
    return bucket.level(made.clock()) if bucket else TRIED_BURST


async def attempt(made: Entrance, text: str) -> Try:
    """One try."""
    reads, left = made.table.reads, tries_left(made)
    return Try(await ask(made, text), made.table.reads - reads, left - tries_left(made))


async def unknown(made: Entrance) -> str:
    """An id that there never was."""
    return Credential("nobody00", "x" * 30).text


async def wrong_cached(made: Entrance) -> str:
    """The key is known to the process, and so fresh that its owner's requests ask nobody."""
    assert await ask(made, made.table.make("reader", Role.READ)) == "let in"
    made.clock.now_s += FRESH_S * 0.8  # and so old that they have it read again beside
    return WRONG


async def wrong_stale(made: Entrance) -> str:
    """The key was used, minutes ago."""
    assert await ask(made, made.table.make("reader", Role.READ)) == "let in"
    made.clock.now_s += FRESH_S * 10
    return WRONG


async def wrong_uncached(made: Entrance) -> str:
    """Nobody used the key here."""
    made.table.make("reader", Role.READ)
    return WRONG


async def revoked(made: Entrance) -> str:
    """It was let in, and is no more."""
    text = made.table.make("reader", Role.READ)
    assert await ask(made, text) == "let in"
    made.table.revoke(ID)
    made.clock.now_s += FRESH_S
    return text


async def revoked_uncached(made: Entrance) -> str:
    """It was never used here."""
    text = made.table.make("reader", Role.READ)
    made.table.revoke(ID)
    return text


async def rotated_out(made: Entrance) -> str:
    """The secret before, whose time is over."""
    text = made.table.make("reader", Role.READ)
    assert await ask(made, text) == "let in"
    made.table.rotate(made.table.keys[ID], Credential(ID, OTHER).digest, 0)
    made.clock.now_s += FRESH_S
    return text


KINDS = [unknown, wrong_cached, wrong_stale, wrong_uncached, revoked, revoked_uncached, rotated_out]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_none_is_looked_up_counted_and_remembered_alike(kind: Prepare) -> None:
    """The first try, the second within ten seconds, and one after these, twice."""

    @scenario
    async def look(made: Entrance) -> None:
        text = await kind(made)
        words = "There is no such key: it was never made, or was revoked."
        for _ in range(2):
            assert await attempt(made, text) == Try(words, 1, 1)
            made.clock.now_s += FRESH_S - 0.1
            left = tries_left(made)
            assert await attempt(made, text) == Try(words, 0, 0)
            assert tries_left(made) == left
            made.clock.now_s += 0.1

    look()


@pytest.mark.parametrize("kind", [unknown, wrong_cached, wrong_stale, wrong_uncached, revoked_uncached])
def test_while_the_table_is_away_they_are_not_told_apart_either(kind: Prepare) -> None:
    """Nor is the secret that a key was just given called wrong. What was refused before stays so for its ten seconds."""

    @scenario
    async def look(made: Entrance) -> None:
        text = await kind(made)
        made.table.away = True
        unsure = "The table of keys does not answer."
        for _ in range(3):
            assert await attempt(made, text) == Try(unsure, 1, 1)
        made.table.away = False
        assert (await attempt(made, text))[1:] == (1, 1)
        made.table.away = True
        assert (await attempt(made, text))[1:] == (0, 0)

    look()


@scenario
async def test_a_new_secret_opens_at_once_where_the_key_is_known(made: Entrance) -> None:
    """For one look-up and no try; the one before goes on for its grace, and neither is in the other's way."""
    text = made.table.make("reader", Role.READ)
    assert await ask(made, text) == "let in"
    made.table.rotate(made.table.keys[ID], Credential(ID, OTHER).digest, int(made.clock()) + 100)
    new = Credential(ID, OTHER).text
    assert await attempt(made, new) == Try("let in", 1, 0)
    for one in (new, text, new):
        assert await attempt(made, one) == Try("let in", 0, 0)


@scenario
async def test_tries_of_others_keep_no_owner_out(made: Entrance) -> None:
    """Neither wrong secrets of the key, nor an address that has no tries left."""
    text = made.table.make("reader", Role.READ)
    assert await ask(made, text) == "let in"
    assert await ask(made, WRONG) != "let in"
    assert await attempt(made, text) == Try("let in", 0, 0)
    for number in range(TRIED_BURST - 1):
        await ask(made, Credential(f"{number:08}", "x" * 30).text)
    assert tries_left(made) == 0
    assert await attempt(made, text) == Try("let in", 0, 0)
    made.clock.now_s += FRESH_S
    assert await attempt(made, text) == Try("let in", 1, 0)

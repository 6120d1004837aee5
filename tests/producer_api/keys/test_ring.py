"""The keys a process has seen: how soon a revoked one stops, and what goes on while the table is away."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from producer_api.keys.ring import FRESH_S, STALE_S, Ring
from telemetry.errors import KeysUnavailable
from telemetry.keys import Role
from tests.producer_api.keys.table import Clock, MemoryTable

ID = "reader00"


def scenario(test: Callable[[Ring, MemoryTable, Clock], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an asynchronous test with a table that holds one key."""

    def run() -> None:
        table, clock = MemoryTable(), Clock()
        table.make("reader", Role.READ)
        asyncio.run(test(Ring(table.find, clock), table, clock))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def settled() -> None:
    """What is read beside has been read."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait_for(asyncio.gather(*others), 10)


async def get(ring: Ring) -> bool:
    """Whether there is the key, as a request of its owner learns it."""
    return bool(await (ring.current(ID) if ring.known(ID) else ring.ask(ID)))


@scenario
async def test_a_key_is_read_once_in_a_while(ring: Ring, table: MemoryTable, clock: Clock) -> None:
    """Not for each request; many at once share a read."""
    assert ring.known(ID) is None
    assert await asyncio.gather(*(get(ring) for _ in range(20))) == [True] * 20
    for _ in range(20):
        assert await get(ring)
    assert (table.reads, ring.known(ID)) == (1, table.keys[ID])


@scenario
async def test_a_revoked_key_stops_within_ten_seconds(ring: Ring, table: MemoryTable, clock: Clock) -> None:
    """At the latest, and sooner where it is used: half-way it is read again beside."""
    assert await get(ring)
    table.revoke(ID)
    clock.now_s += FRESH_S
    assert not await get(ring)

    table.make("reader", Role.READ)
    assert await get(ring)
    table.revoke(ID)
    clock.now_s += FRESH_S / 2
    assert await get(ring), "as it was, while it is read again"
    await settled()
    assert not await get(ring)


@scenario
async def test_that_an_id_was_refused_is_remembered_for_ten_seconds(ring: Ring, table: MemoryTable, clock: Clock) -> None:
    """Of 10,000 ids at most, those refused last; the keys that there are stay."""
    assert await get(ring)
    assert not ring.refused(ID)
    ring.refuse(ID)
    clock.now_s += FRESH_S - 0.1
    assert ring.refused(ID)
    clock.now_s += 0.1
    assert not ring.refused(ID)
    for number in range(10_001):
        ring.refuse(f"{number:08}")
    assert [ring.refused(f"{number:08}") for number in (0, 1, 10_000)] == [False, True, True]
    assert ring.known(ID)


@scenario
async def test_while_the_table_is_away_keys_that_were_seen_go_on(ring: Ring, table: MemoryTable, clock: Clock) -> None:
    """For ten minutes; others are not told to be unknown."""
    assert await get(ring)
    assert await ring.ask("nobody00") is None
    table.away = True
    clock.now_s += FRESH_S
    for _ in range(59):
        assert await get(ring)
        clock.now_s += FRESH_S
    for unsure in (ID, "nobody00", "another0"):
        with pytest.raises(KeysUnavailable):
            await ring.ask(unsure)
    clock.now_s += STALE_S - 59 * FRESH_S
    with pytest.raises(KeysUnavailable):
        await get(ring)


@scenario
async def test_a_key_revoked_during_an_outage_stops_when_the_table_is_back(
    ring: Ring, table: MemoryTable, clock: Clock
) -> None:
    """Within a second of the next request."""
    assert await get(ring)
    table.away = True
    clock.now_s += 300
    assert await get(ring)
    table.away = False
    table.revoke(ID)
    clock.now_s += 1
    assert not await get(ring)


@scenario
async def test_a_table_that_failed_is_not_asked_by_every_request(ring: Ring, table: MemoryTable, clock: Clock) -> None:
    """Once a second will do."""
    assert await get(ring)
    table.away = True
    clock.now_s += FRESH_S
    for _ in range(20):
        assert await get(ring)
    assert table.reads == 2


@scenario
async def test_who_goes_on_for_long_learns_that_the_key_ended(ring: Ring, table: MemoryTable, clock: Clock) -> None:
    """Without waiting: it is read beside."""
    assert await get(ring)
    assert ring.peek(ID)
    table.revoke(ID)
    clock.now_s += FRESH_S / 2
    assert ring.peek(ID)
    await settled()
    assert ring.peek(ID) is None

"""All generations watched on a clock of the test's own."""

from dataclasses import replace

import pytest

from operations.generations import Watch, watched
from operations.movement import Living
from operations.observation import Lease, Observation, Worker
from operations.stages import Stage
from projections.register import Registered
from tests.support.generations import MAP, Scene

PATIENCE_S = 5


@pytest.fixture
def scene() -> Scene:
    return Scene()


def stages(scene: Scene) -> dict[int, Stage]:
    return {one.number: one.stage for one in watched(scene.look, lambda: scene.now_s, scene.sleep, PATIENCE_S)}


def test_who_is_at_work_is_seen_at_once(scene: Scene) -> None:
    """With a second look, wherever somebody works on each; the live one is always among them."""
    scene.living = {1: {"a"}, 2: {"b"}}
    assert stages(scene) == {1: Stage.LIVE, 2: Stage.READY}
    assert scene.looks == 2
    scene.register = {}
    assert stages(scene) == {1: Stage.LIVE}


def test_that_nobody_is_takes_a_while(scene: Scene) -> None:
    """What a worker left behind is no sign of life."""
    scene.living, scene.dead, scene.owners = {1: {"a"}}, {2: {"b"}}, {2: {"left": "b"}}
    assert stages(scene) == {1: Stage.LIVE, 2: Stage.STANDBY}
    assert scene.now_s >= PATIENCE_S
    scene.owners = {}
    assert stages(scene) == {1: Stage.LIVE, 2: Stage.FILLING}


def test_a_filling_shows_by_its_beat(scene: Scene) -> None:
    """Which moves every few seconds; what it was at the first look tells nothing, and one that stands still is over."""
    watch = Watch(PATIENCE_S)

    def works(beat: int) -> bool:
        scene.register[2] = Registered(2, 2, beat=beat)
        scene.sleep(1)
        return next(one.at_work for one in watch.see(scene.look(), scene.now_s) if one.number == 2)

    assert [works(beat) for beat in (7, 7, 8, 8, 9)] == [False, False, True, True, True]
    assert [works(9) for _ in range(PATIENCE_S + 1)][-1] is False


def test_what_was_dropped_is_not_looked_at(scene: Scene) -> None:
    """Its tables are gone, or about to go. Without tables a generation has failed."""
    scene.living = {1: {"a"}}
    scene.register[2] = Registered(2, 2, dropped_us=3)
    assert stages(scene) == {1: Stage.LIVE, 2: Stage.DROPPED}
    assert scene.now_s <= 1
    scene.register[2], scene.without_tables = Registered(2, 2), {2}
    assert stages(scene) == {1: Stage.LIVE, 2: Stage.FAILED}


def test_who_lives_gives_signs_of_its_own() -> None:
    """A lease that was given to a worker, or taken from it, is none; one that it renews is. Silence ends it."""
    seen = Observation(MAP, {"left": Lease("a", 1, ended=False)}, {"b": Worker("1", measured=False)}, None, {})
    living = Living(PATIENCE_S)
    assert living.see(seen, 0) == set()
    given = replace(seen, leases={"left": Lease("b", 2, ended=False), "right": Lease("a", 1, ended=False)})
    assert living.see(given, 1) == set()
    renewed = replace(given, leases={**given.leases, "left": Lease("b", 3, ended=False)})
    assert living.see(renewed, 2) == {"b"}
    assert living.see(replace(renewed, workers={**renewed.workers, "c": Worker("9", measured=False)}), 3) == {"b", "c"}
    assert living.see(renewed, 2 + PATIENCE_S) == {"b", "c"}
    assert living.see(renewed, 3 + PATIENCE_S) == {"c"}

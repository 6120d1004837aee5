"""Staying with a generation until others feed it: on made-up looks, a clock of the test's own, and a consumer that is none."""

from collections.abc import Callable

import pytest

from operations.attending import attend
from operations.generations import Look
from operations.stages import Stage, State
from projections.register import Registered
from telemetry.errors import Dropped, NotRebuilt
from tests.support.generations import SHARDS, Scene

OURS = "worker-1-g2"
PATIENCE_S = 5
BOTH = dict.fromkeys(SHARDS, OURS)


class Consumer:
    """Lives in the scene from the look after its start on."""

    def __init__(self, scene: Scene) -> None:
        self.worker_id = OURS
        self.did: list[str] = []
        self.status: int | None = None
        self._scene = scene

    def start(self) -> None:
        self.did.append("start")
        self._scene.living.setdefault(2, set()).add(OURS)

    def stop(self) -> None:
        self.did.append("stop")
        self._scene.living[2].discard(OURS)

    def ended(self) -> int | None:
        return self.status


@pytest.fixture
def scene() -> Scene:
    return Scene(owners={2: BOTH})


def attended(scene: Scene, happens: Callable[[int, Consumer], object]) -> tuple[list[str], list[State]]:
    """What becomes of the consumer, and what is told, when something happens before each look, by its number."""
    consumer, told = Consumer(scene), list[State]()

    def look() -> Look:
        happens(scene.looks, consumer)
        assert scene.looks < 100, told[-1]
        return scene.look()

    attend(2, consumer, look, told.append, now_s=lambda: scene.now_s, sleep=scene.sleep, patience_s=PATIENCE_S)
    return consumer.did, told


def test_it_stays_until_others_have_every_shard(scene: Scene) -> None:
    """Which KCL gives them only when ours is gone: it gives way as soon as another one lives on the live generation."""

    def happens(look: int, _: Consumer) -> None:
        if look == 3:
            scene.live = 2
        elif look == 5:
            scene.living[2].add("other")
        elif look == 9:
            scene.owners = {2: {"left": "other", "right": OURS}}
        elif look == 12:
            scene.owners = {2: dict.fromkeys(SHARDS, "other")}

    did, told = attended(scene, happens)
    assert did == ["start", "stop"]
    assert scene.looks == 13
    assert [(one.stage, one.why) for one in told] == [
        (Stage.LAGGING, "its consumer starts"),
        *[(Stage.READY, "telemetry promote g2 makes it live")] * 2,
        *[(Stage.LIVE, "feeds it until another consumer does: start one (python -m consumer)")] * 2,
        *[(Stage.LIVE, "waits until others have left and right")] * 4,
        *[(Stage.LIVE, "waits until others have right")] * 3,
    ]


def test_before_it_is_live_nobody_takes_its_place(scene: Scene) -> None:
    """A second rebuild of the same generation, say."""

    def happens(look: int, consumer: Consumer) -> None:
        scene.living[2].add("other")
        consumer.status = 1 if look == 10 else None

    with pytest.raises(NotRebuilt, match="consumer of g2 ended by itself with status 1"):
        attended(scene, happens)


def test_it_comes_back_when_the_others_go(scene: Scene) -> None:
    """A deployment that failed, for one: no shard is left without a reader."""

    def happens(look: int, consumer: Consumer) -> None:
        scene.live = 2
        if look == 2:
            scene.living[2].add("other")
        elif look == 4:
            scene.living[2].discard("other")
            scene.dead = {2: {"other"}}
        elif look == 20:
            assert consumer.did == ["start", "stop", "start"]
            scene.living[2].add("third")
            scene.owners = {2: dict.fromkeys(SHARDS, "third")}

    assert attended(scene, happens)[0] == ["start", "stop", "start", "stop"]


def test_a_generation_that_is_dropped_is_left(scene: Scene) -> None:
    """At once, whatever was reached."""

    def happens(look: int, _: Consumer) -> None:
        if look == 4:
            scene.register[2] = Registered(2, 2, dropped_us=3)

    with pytest.raises(Dropped, match="g2 was dropped"):
        attended(scene, happens)

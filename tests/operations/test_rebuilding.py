"""What a rebuild asks for before it begins."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from operations.observation import Lease, Observation, Worker
from operations.rebuilding import begin, choose, lost_shards, others_unfinished, require_nobody, require_whole
from projections.fold import Stats
from projections.register import Registered
from projections.rows import PROGRESS, Mark, Progress, Row
from telemetry.errors import Dropped, LogLacks, NotRebuilt
from telemetry.names import ResourceNames
from telemetry.shards import Shard
from tests.support.generations import MAP, Scene

CREATED_US, KEPT_US = 100, 500


def row(position: int, as_of_us: int, *, ended: bool = False) -> Row:
    progress = Progress(flushed=Mark(position, as_of_us), ended=ended)
    return Row(PROGRESS, position, Stats(count=position), as_of_us, progress=progress)


LIVE = {"parent": row(9, 600, ended=True), "child": row(4, 900), "other": row(5, 900)}
LISTED = {"child": Shard("child", 0, 1, ("parent",)), "other": Shard("other", 2, 3)}


def lost(
    own: Mapping[str, Row] | None = None, *archived: str, created_us: int = CREATED_US, live: Mapping[str, Row] = LIVE
) -> list[str]:
    return lost_shards(live, own or {}, archived, LISTED, created_us=created_us, kept_since_us=KEPT_US)


def test_a_stream_that_keeps_all_it_ever_had_lacks_nothing() -> None:
    """And a child began no sooner than its parents ended, which the stream may still keep."""
    assert lost(created_us=KEPT_US, live={"other": LIVE["other"]}) == []
    assert lost(None, "parent", created_us=KEPT_US) == []
    assert lost(None, "parent", "other") == []


def test_what_neither_stream_nor_archive_nor_rows_hold_is_lost() -> None:
    """A shard that is gone, and one that is older than what the stream keeps."""
    assert lost() == ["other", "parent"]
    assert lost(None, "parent", live={**LIVE, "parent": row(9, KEPT_US - 1, ended=True)}) == ["child", "other"]
    assert lost(live={"empty": row(0, 0)}) == [], "nothing of it was counted"


def test_a_generation_that_goes_on_needs_what_comes_behind_its_rows() -> None:
    """It was filled already, and is caught up from where it stands."""
    own = {"parent": row(9, 600, ended=True), "other": row(3, KEPT_US)}
    assert lost(own) == []
    assert lost({**own, "other": row(3, KEPT_US - 1)}) == ["other"]
    assert lost({**own, "other": row(5, KEPT_US - 1)}) == [], "it has all that was counted"
    assert lost({**own, "parent": row(8, 600)}) == ["parent"]


def test_a_log_that_lacks_something_is_refused() -> None:
    """With what it lacks, and how to say that this is meant."""
    require_whole(2, [])
    said = r"g2 would not hold.*a and b.*ARCHIVE_TARGET.*--forget-before"
    with pytest.raises(LogLacks, match=said):
        require_whole(2, ["a", "b"])
    with pytest.raises(LogLacks, match=said):
        require_whole(2, [], ["a", "b"])


class Tables:
    """What the register and the tables hold, in place of DynamoDB."""

    def __init__(self) -> None:
        self.register: dict[int, Registered] = {}
        self.made: list[int] = []
        self.there: set[int] = {1}
        self.faster: list[int] = []
        """Numbers that somebody else takes just before us."""

    def take(self, _: object, names: ResourceNames, now_us: int) -> bool:
        number = names.generation
        if number in self.faster:
            self.faster.remove(number)
            self.register[number] = Registered(number, 1)
        if number in self.register:
            return False
        self.register[number] = Registered(number, now_us)
        return True

    def make(self, names: ResourceNames) -> None:
        assert names.generation in self.register, "it is taken before anything is made"
        self.made.append(names.generation)
        self.there.add(names.generation)

    def require_kept(self, _: object, names: ResourceNames) -> None:
        if self.register[names.generation].dropped_us:
            raise Dropped("It was dropped.")


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    tables = Tables()
    monkeypatch.setattr("operations.rebuilding.take", tables.take)
    monkeypatch.setattr("operations.rebuilding.require_kept", tables.require_kept)
    monkeypatch.setattr("operations.rebuilding.read_register", lambda *_: dict(tables.register))
    monkeypatch.setattr(
        "operations.rebuilding.missing_tables", lambda _, names: [] if names.generation in tables.there else [names.stats]
    )
    return tables


NAMES = ResourceNames("t", 1)
NO_CLIENT: Any = None


def test_a_number_is_taken_and_its_tables_are_made(tables: Tables) -> None:
    """The live generation is registered too: it may be rolled back to, when there is another one."""
    assert begin(NO_CLIENT, NAMES, None, 7, tables.make) == replace(NAMES, generation=2)
    assert (tables.made, tables.register) == ([2], {1: Registered(1, 7), 2: Registered(2, 7)})
    assert begin(NO_CLIENT, NAMES, 2, 8, tables.make).generation == 2
    assert begin(NO_CLIENT, NAMES, None, 8, tables.make).generation == 3
    assert tables.made == [2, 3]
    assert choose(NO_CLIENT, NAMES, None)[0].generation == 4
    assert sorted(tables.register) == [1, 2, 3]


def test_two_who_begin_at_once_take_two_numbers(tables: Tables) -> None:
    """Whoever comes second makes no table of the first one's number."""
    tables.faster = [2]
    assert begin(NO_CLIENT, NAMES, None, 7, tables.make).generation == 3
    assert tables.made == [3]


def test_where_terraform_makes_the_tables_its_variable_is_named(tables: Tables) -> None:
    """And no number is taken before they are there."""
    with pytest.raises(NotRebuilt, match="add 2 to generations in infra/terraform/environment"):
        begin(NO_CLIENT, NAMES, None, 7, None)
    assert 2 not in tables.register
    tables.there.add(2)
    assert begin(NO_CLIENT, NAMES, None, 7, None).generation == 2


def test_what_was_dropped_is_not_begun(tables: Tables) -> None:
    """Nor what is dropped while it begins."""
    tables.register[2] = Registered(2, 1, dropped_us=1)
    with pytest.raises(NotRebuilt, match="g2 was dropped"):
        begin(NO_CLIENT, NAMES, 2, 7, tables.make)
    assert begin(NO_CLIENT, NAMES, None, 7, tables.make).generation == 3
    assert tables.made == [3]


def observed(beat: str, owner: str | None = "w") -> Observation:
    leases = {"left": Lease(owner, 1, ended=False)} if owner else {}
    return Observation(MAP, leases, {"w": Worker(beat, measured=False)} if owner else {}, None, {})


def test_a_worker_that_lives_is_in_the_way() -> None:
    """Two would only be in each other's way, and leases are made anew while nobody reads them."""
    looks = iter([observed("1"), observed("2")])
    with pytest.raises(NotRebuilt, match=r"feeds g2 already: w\. Stop it"):
        require_nobody(lambda: next(looks), lambda: None, 2)


def test_what_the_dead_left_is_not() -> None:
    """That takes a while to tell; where nobody ever was it need not be told."""
    waited: list[int] = []
    require_nobody(lambda: observed("1"), lambda: waited.append(1), 2)
    assert waited == [1]
    require_nobody(lambda: observed("1", owner=None), lambda: waited.append(2), 2)
    assert waited == [1]


def test_others_that_were_begun_are_told() -> None:
    """Neither the live one nor what was dropped."""
    scene = Scene()
    scene.register |= {3: Registered(3, 3, dropped_us=4), 4: Registered(4, 4)}
    assert others_unfinished(scene.look(), 4) == [2]

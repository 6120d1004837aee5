"""Whoever meets a stray sends it home, unless the live generation surely met it before."""

from typing import Any

import pytest

from projections.decoding import Record
from projections.dynamodb import AwsStores
from projections.effects import run
from projections.items import row_item
from projections.memory import MemoryStores
from projections.retention import Gap
from projections.rows import NO_REFUSALS, PROGRESS, Mark, Progress, Row
from projections.strays import surely_met
from telemetry.names import ResourceNames
from tests.projections.logs import reading, record, sensors_of
from tests.projections.worlds import HALVES, life

FOREIGN = sensors_of(HALVES[0], 3, inside=False)
LOG = [record(number, reading(sensor)) for number, sensor in enumerate(FOREIGN, 1)]
REFUSED = (*NO_REFUSALS[:-1], 1)


def progress(flushed: int, **what: Any) -> Row:
    """A progress row whose total is far ahead of all the rest."""
    return Row(PROGRESS, 10**9, progress=Progress(flushed=Mark(flushed, 1), beat=1, **what))


def beside(live: Row | None) -> list[str]:
    """The sensors whose strays a generation sends home that is filled beside one with this row, or with none."""
    there, stores = MemoryStores(), MemoryStores()
    if live:
        there.rows[HALVES[0].shard_id, PROGRESS] = live
    stores.live = there
    run(life(HALVES[0], LOG), stores)
    return [sensor_id for sensor_id, _ in stores.appended]


def test_what_the_live_generation_has_flushed_is_left_to_it() -> None:
    """What lies behind that is sent: the live one may be stopped by a promote before it comes there."""
    assert [beside(progress(flushed)) for flushed in range(4)] == [FOREIGN, FOREIGN[1:], FOREIGN[2:], []]


@pytest.mark.parametrize(
    "live",
    [
        None,
        progress(0),
        progress(3, gap=Gap(1, 2)),
        progress(3, refusals=REFUSED),
        progress(0, ended=True),
    ],
    ids=["no row", "nothing flushed", "lost something", "read it otherwise", "ended before"],
)
def test_in_doubt_strays_are_sent(live: Row | None) -> None:
    """How far the total is tells nothing, nor that the shard has ended."""
    assert beside(live) == FOREIGN


def test_the_live_generation_itself_sends_each_stray_it_meets() -> None:
    """Those that come again too: only what it has flushed it does not meet again."""
    stores = MemoryStores()
    run(life(HALVES[0], LOG), stores)
    assert [sensor_id for sensor_id, _ in stores.appended] == FOREIGN
    run(life(HALVES[0], [*LOG, *_again(LOG)]), stores)
    assert [sensor_id for sensor_id, _ in stores.appended] == 2 * FOREIGN


def test_a_position_without_doubt() -> None:
    """The flushed one, never the total's."""
    assert surely_met(progress(7)) == 7
    assert surely_met(None) == 0


@pytest.mark.parametrize(("stream", "found"), [(1, None), (2, 7)], ids=["lost", "there"])
def test_of_a_stream_that_is_lost_nothing_is_sure(stream: int, found: int | None) -> None:
    """What was sent home there may be lost with it."""
    names = ResourceNames("p", generation=5)
    stores = AwsStores(Tables(), None, names, patience_s=1)  # type: ignore[arg-type]  # no stream is asked
    row = stores.load_live_progress("shardId-0" if stream == 1 else "2/shardId-0")
    stores.close()
    assert (row and row.progress.flushed.position) == found


class Tables:
    """A pointer to generation 4 and two streams, and a row of it."""

    def get_item(self, **_: Any) -> Any:
        stream = {"name": {"S": "s"}, "created": {"S": "2.000"}, "before": {"L": []}}
        item = {"generation": {"N": "4"}, "stream_created": {"S": "1.000"}, "continued": {"L": [{"M": stream}]}}
        return {"Item": {"name": {"S": "live"}, **item}}

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803  AWS's own name
        ((table, _),) = RequestItems.items()
        assert table == ResourceNames("p", generation=4).stats
        return {"Responses": {table: [row_item("2/shardId-0", progress(7))]}}


def _again(log: list[Record]) -> list[Record]:
    return [Record(10 + one.sequence_number, one.data, one.arrived_at_ms) for one in log]

"""docs/performance.md says of every figure what was measured, and of each that is short that it is."""

import json
import time
from typing import Any

import pytest

from benchmarks.consuming import drain, replayed_s
from benchmarks.table import WHY_SHORT, table, why_short
from telemetry.events import encode_event
from telemetry.limits import HASH_KEY_MAX
from telemetry.log import LogRecord
from telemetry.records import encode_record
from telemetry.shards import Shard
from tests.cli.kinesis import STREAM, Kinesis
from tests.projections.logs import reading
from tests.tidy.tree import ROOT

FIGURES: list[dict[str, Any]] = json.loads((ROOT / "benchmarks/results.json").read_text())["figures"]


@pytest.mark.parametrize("goals", [True, False])
def test_the_page_has_the_figures_as_they_were_measured(*, goals: bool) -> None:
    """All of them, in the table's own words."""
    page = (ROOT / "docs/performance.md").read_text()
    assert table(FIGURES, goals=goals) in page


def test_what_is_short_is_told_as_such() -> None:
    """By what it should reach now; and every reason is one of a figure that is short."""
    for figure in FIGURES:
        for goal, met in (("reach", "met"), ("then", "met_then")):
            if figure[goal] is None:
                assert figure[met] is None
            else:
                near = figure["median"] <= figure[goal] if figure["smaller_is_better"] else figure["median"] >= figure[goal]
                assert figure[met] is near, figure["what"]
    short = [figure for figure in FIGURES if figure["met"] is False]
    told = {why_short(figure) for figure in short} - {""}
    assert told == set(WHY_SHORT.values())
    for line in table(short, goals=True).splitlines()[2:]:
        assert "**no**" in line
    assert all(why in table(short, goals=True) for why in told)


def test_replay_and_the_raw_drain_read_the_same() -> None:
    """All shards, in several pages; what is paced waits between them."""
    begin_ms = time.time_ns() // 1_000_000 - 60_000
    kinesis: Any = Kinesis(begin_ms)
    middle = HASH_KEY_MAX // 2
    for name, first, last in (("a", 0, middle), ("b", middle + 1, HASH_KEY_MAX)):
        records = [LogRecord(n, begin_ms + n, encode_record([encode_event(reading("s", n), n)])) for n in range(1, 3001)]
        kinesis.put(Shard(name, first, last), records)
    assert drain(kinesis, STREAM) == 6000
    asked, kinesis.asked = sorted(kinesis.asked), []
    waits: list[float] = []
    assert replayed_s(kinesis, STREAM, 6000) > 0
    assert sorted(kinesis.asked) == asked
    assert replayed_s(kinesis, STREAM, 6000, sleep=waits.append) > 0
    assert waits

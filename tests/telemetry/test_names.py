"""What things are called, here and in the definition that makes them."""

import pytest

from infra.setup import load_definition
from telemetry.names import GENERATION_MAX, ResourceNames
from telemetry.streams import StreamPlace


def test_names_hold_the_prefix_and_the_generation_where_it_matters() -> None:
    """What a rebuild fills anew is numbered; log and pointer are not."""
    names = ResourceNames("telemetry-dev", 2)
    assert names.stream == "telemetry-dev-temperature-events"
    assert names.readings == "telemetry-dev-temperature-readings-g2"
    assert names.stats == "telemetry-dev-temperature-stats-g2"
    assert names.dead_letters == "telemetry-dev-dead-letters-g2"
    assert names.generations == "telemetry-dev-generations"
    assert names.application == "telemetry-dev-projector-g2"


def test_each_stream_of_the_log_has_tables_of_kcls_own() -> None:
    """Shard ids repeat, so leases of a stream that was lost must not be met again; all else is the same for all streams."""
    first, second = ResourceNames("t", 3), ResourceNames("t", 3, StreamPlace(2, ("shardId-000000000000",)))
    assert (first.application, second.application) == ("t-projector-g3", "t-projector-g3-s2")
    assert (second.coordinator, second.workers) == ("t-projector-g3-s2-CoordinatorState", "t-projector-g3-s2-WorkerMetricStats")
    ours = ("stream", "readings", "stats", "dead_letters", "generations", "keys")
    assert [getattr(first, name) for name in ours] == [getattr(second, name) for name in ours]


@pytest.mark.parametrize("number", [1, 2, 10])
def test_the_definition_makes_what_these_names_name(number: int) -> None:
    """Every table, and the stream."""
    names = ResourceNames("t", 3, StreamPlace(number))
    definition = load_definition(names)
    tables = {table["name"] for table in definition["tables"].values()}
    assert definition["stream"]["name"] == names.stream
    assert tables == {
        names.readings,
        names.stats,
        names.dead_letters,
        names.generations,
        names.keys,
        names.application,
        names.coordinator,
        names.workers,
    }


def test_the_longest_prefix_gives_names_that_aws_takes() -> None:
    """128 characters for a stream, 255 for a table (API references, CreateStream and CreateTable)."""
    names = ResourceNames("p" * 64, GENERATION_MAX, StreamPlace(999_999))
    assert len(names.stream) <= 128
    assert all(len(table["name"]) <= 255 for table in load_definition(names)["tables"].values())

"""What things are called, here and in the definition that makes them."""

from infra.setup import load_definition
from telemetry.names import ResourceNames


def test_names_hold_the_prefix_and_the_generation_where_it_matters() -> None:
    """What a rebuild fills anew is numbered; log, dead letters and pointer are not."""
    names = ResourceNames("telemetry-dev", 2)
    assert names.stream == "telemetry-dev-temperature-events"
    assert names.readings == "telemetry-dev-temperature-readings-g2"
    assert names.stats == "telemetry-dev-temperature-stats-g2"
    assert names.dead_letters == "telemetry-dev-dead-letters"
    assert names.generations == "telemetry-dev-generations"
    assert names.application == "telemetry-dev-projector-g2"


def test_the_definition_makes_what_these_names_name() -> None:
    """Every table, and the stream."""
    names = ResourceNames("t", 3)
    definition = load_definition(names)
    tables = {table["name"] for table in definition["tables"].values()}
    assert definition["stream"]["name"] == names.stream
    assert tables == {
        names.readings,
        names.stats,
        names.dead_letters,
        names.generations,
        names.application,
        names.coordinator,
        names.workers,
    }


def test_the_longest_prefix_gives_names_that_aws_takes() -> None:
    """128 characters for a stream, 255 for a table (API references, CreateStream and CreateTable)."""
    names = ResourceNames("p" * 64, 999_999)
    assert len(names.stream) <= 128
    assert all(len(table["name"]) <= 255 for table in load_definition(names)["tables"].values())

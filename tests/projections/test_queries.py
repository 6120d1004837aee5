"""The read side on real tables."""

from projections.dynamodb import AwsStores
from projections.packs import Decision, make_packs
from projections.queries import readings_between
from telemetry.reading import Reading
from tests.projections.logs import START_S, reading
from tests.support.stack import Stack


def test_a_sensors_readings_between_two_times_are_found(stack: Stack) -> None:
    """Both ends included, in order of time, each once: from packs of two shards, of which some overlap."""
    some = [reading("202#ü", 60.5 * number, celsius=number / 4) for number in range(100)]
    stores = AwsStores(stack.dynamodb, stack.kinesis, stack.names, patience_s=10)
    for shard_id, members in (("a", some[:60]), ("a", some[:30]), ("b", some[60:]), ("b", [reading("202", 60)])):
        decisions = [Decision(number, 0, one, counted=True) for number, one in enumerate(members, 1)]
        stores.store_packs(list(make_packs(shard_id, decisions)))
    stores.close()

    def between(first: Reading, last: Reading) -> list[Reading]:
        return readings_between(stack.dynamodb, stack.names, "202#ü", first.measured_at_us, last.measured_at_us)

    assert between(some[0], some[99]) == some
    assert between(some[25], some[77]) == some[25:78]
    assert between(some[41], some[41]) == some[41:42]
    assert between(reading(at_s=-START_S), reading(at_s=-1)) == []

"""Decides whether the promises held: what sensors were told, what the log holds, and what the tables say, compared.

The log is read with plain GetRecords and parsed by other means than ours.
"""

import gzip
import json
import zlib
from collections import Counter
from dataclasses import dataclass

from projections.queries import fleet_stats
from telemetry.reading import Reading, parse_temperature, parse_timestamp
from tests.faults.load import Load
from tests.producer_api.stream import records_by_shard
from tests.support.oracle import eventually_equal
from tests.support.stack import Stack
from tests.support.waiting import eventually


@dataclass(frozen=True, slots=True)
class Found:
    """What a run came to, once everything was found equal."""

    acknowledged: int
    """Distinct readings that somebody was told are stored."""
    readings: int
    """Distinct readings in the log."""
    repeats: int
    """Events in the log beyond those."""
    unknown: int
    """Attempts of which the sensor did not learn what became."""


def events_in_log(stack: Stack) -> Counter[Reading]:
    """How often the log holds each reading; what is no event of ours is left out."""
    found: Counter[Reading] = Counter()
    for records in records_by_shard(stack).values():
        for record in records:
            for line in _plain(record.data).splitlines():
                if b'"type":"telemetry.temperature.recorded.v1"' not in line:
                    continue
                event = json.loads(line, parse_float=str, parse_int=str)
                temperature = parse_temperature(event["data"]["temperature"])
                found[Reading(parse_timestamp(event["time"]), event["subject"], temperature)] += 1
    return found


def _plain(data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""  # poison that a test put there


def check_log(stack: Stack, load: Load, others: set[Reading]) -> tuple[Counter[Reading], Found]:
    """Events in the log, and what the run came to; fail when the log lacks something, or holds what nobody sent."""
    log = events_in_log(stack)
    acknowledged, attempted = load.acknowledged(), load.attempted()
    lost = acknowledged - log.keys()
    assert not lost, f"{len(lost)} acknowledged readings are not in the log, one of them {next(iter(lost))}"
    invented = log.keys() - attempted - others
    assert not invented, f"{len(invented)} readings nobody sent, one of them {next(iter(invented))}"
    return log, Found(len(acknowledged), len(log), log.total() - len(log), load.outcomes["unknown"])


def check(stack: Stack, load: Load, others: set[Reading], within_s: float) -> Found:
    """Wait until the tables are what the log adds up to; fail when they do not become so, or the log lacks something."""
    log, found = check_log(stack, load, others)

    def counted() -> None:
        count = fleet_stats(stack.dynamodb, stack.names).stats.count
        assert count == len(log), f"{count} counted, {len(log)} in the log"

    eventually(counted, within_s)
    eventually_equal(stack, log, within_s)
    return found

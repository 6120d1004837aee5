"""`telemetry tail` prints what comes in from now on, or from a time on, through reshards, until nobody looks any more."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import telemetry
from telemetry.events import decode_event, encode_event
from telemetry.log import Gap, LogRecord, Page, Position
from telemetry.shards import Shard
from tests.cli.fakes import HOUR_MS, Stream, record, there
from tests.projections.logs import SHARD, reading
from tests.support.stack import Stack


class Ended(Stream):
    """A stream whose shard, and the one that follows it, end: so does looking at it."""

    def shards(self) -> list[Shard]:
        child = Shard("shardId-000000000001", 0, 1, (SHARD.shard_id,))
        return [SHARD, child] if self.asked[1:] else [SHARD]

    def read(self, shard: Shard, after: Position | None) -> Iterator[Page]:
        self.asked.append(self.asked[0])
        yield Page(shard.shard_id, [LogRecord(1, 0, one.data) for one in self.records], self.gap)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Ended:
    made = Ended(
        [record(b"no event", encode_event(reading("a"), 0), encode_event(reading("a"), 0), encode_event(reading("b"), 0))]
    )
    there(monkeypatch, made)
    return made


def typed(*words: str) -> tuple[list[str], str]:
    answer = CliRunner().invoke(telemetry, ["tail", *words])
    assert answer.exit_code == 0
    return [decode_event(line).sensor_id for line in answer.stdout_bytes.splitlines()], answer.stderr


def test_every_event_is_printed_and_shards_that_follow_too(stream: Ended) -> None:
    """Repeats included; what is no event is passed over."""
    assert typed() == (["a", "a", "b"] * 2, "")
    stream.asked.clear()
    assert typed("--sensor", "b") == (["b", "b"], "")


@pytest.mark.parametrize(
    ("words", "from_ms"),
    [
        ([], HOUR_MS),
        (["--from", "1970-01-01T00:30"], HOUR_MS // 2),
        (["--from", "1970-01-01T01:30", "--tz", "+01:00"], HOUR_MS // 2),
    ],
)
def test_looking_begins_now_or_at_a_time_of_arrival(stream: Ended, words: list[str], from_ms: int) -> None:
    """And has no end."""
    typed(*words)
    assert (stream.asked[0].from_ms, stream.asked[0].until_ms) == (from_ms, None)


def test_a_time_to_come_is_now(stream: Ended) -> None:
    """Kinesis refuses to begin there."""
    typed("--from", "2199-01-01")
    assert stream.asked[0].from_ms == HOUR_MS


def test_a_gap_is_said_at_once(stream: Ended) -> None:
    """On standard error."""
    stream.gap = Gap("shard", 0, 1000)
    assert typed()[1].count("A gap: what arrived in shard") == 2


def test_what_comes_in_is_printed_within_seconds(stack: Stack) -> None:
    """Against a stream, until Ctrl-C."""
    command = [str(Path(sys.executable).with_name("telemetry")), "tail", "--from", "-1h"]
    looking = subprocess.Popen(
        command,
        env=stack.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Which a shell ignores for what it runs in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  it only makes a system call
    )
    try:
        assert looking.stdout
        for number in range(2):
            data = encode_event(reading(f"sensor-{number}"), 0) + b"\n"
            stack.kinesis.put_record(StreamName=stack.names.stream, PartitionKey="key", Data=data)
            assert looking.stdout.readline() == data
        looking.send_signal(signal.SIGINT)
        assert looking.communicate(timeout=60) == (b"", b"")
        assert looking.returncode == 130
    finally:
        looking.kill()
        looking.communicate()

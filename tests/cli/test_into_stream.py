"""A replay into another stream, and never into the one that is read, however that is written."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from cli.main import telemetry
from telemetry.events import encode_event
from tests.cli.fakes import STRETCH, Stream, record, there
from tests.projections.logs import reading

OTHER = "other-temperature-events"
READ = "t-cli-temperature-events"
LINES = [encode_event(reading(sensor_id), 0) for sensor_id in ("Küche", "b")]

type Typed = Callable[..., Result]


class Kinesis:
    """Streams by their names, of which one is the one that is read, also by its ARN and in other letters."""

    def __init__(self) -> None:
        self.created_ms = {READ: STRETCH.created_ms, OTHER: STRETCH.created_ms, READ.upper(): STRETCH.created_ms}
        self.put: list[bytes] = []

    def describe_stream_summary(self, **named: str) -> Any:
        name = named.get("StreamName") or named["StreamARN"].rpartition("/")[2]
        if name not in self.created_ms:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": name}}, "DescribeStreamSummary")
        created = datetime.fromtimestamp(self.created_ms[name] / 1000, UTC)
        return {"StreamDescriptionSummary": {"StreamName": name, "StreamCreationTimestamp": created}}

    def put_records(self, Records: list[dict[str, Any]], **_: str) -> Any:  # noqa: N803  as boto3 names them
        self.put += [one["Data"] for one in Records]
        return {"Records": [{"SequenceNumber": "1"} for _ in Records]}

    def close(self) -> None:
        """As clients have it."""


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> Kinesis:
    made = Kinesis()
    monkeypatch.setattr("cli.targets.kinesis_client", lambda *_, **__: made)
    return made


@pytest.fixture
def typed(kinesis: Kinesis, monkeypatch: pytest.MonkeyPatch) -> Typed:
    there(monkeypatch, Stream([record(*LINES)]))
    environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "PREFIX": "t-cli", "ARCHIVE_TARGET": ""}
    return lambda *words: CliRunner(env=environ).invoke(telemetry, ["replay", *words])


def test_events_go_into_another_stream(typed: Typed, kinesis: Kinesis) -> None:
    """Byte for byte; how many is said, status 0. None that match is status 3."""
    answer = typed("--into-stream", OTHER)
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, f"2 events put into {OTHER}.\n", "")
    assert kinesis.put == [line + b"\n" for line in LINES]
    answer = typed("--into-stream", OTHER, "--sensor", "nobody")
    assert (answer.exit_code, answer.stdout) == (3, f"0 events put into {OTHER}.\n")


@pytest.mark.parametrize("name", [READ, f"arn:aws:kinesis:eu-west-1:000000000000:stream/{READ}", READ.upper()])
def test_the_stream_that_is_read_is_refused(typed: Typed, kinesis: Kinesis, name: str) -> None:
    """It would be read for ever. Status 2, and nothing is put."""
    answer = typed("--into-stream", name)
    assert answer.exit_code == 2
    assert f"--into-stream {name} is {READ}, which is what is read." in answer.stderr
    assert not kinesis.put


def test_a_stream_of_the_same_name_that_was_made_later_is_another(typed: Typed, kinesis: Kinesis) -> None:
    """In another region, say."""
    kinesis.created_ms[READ] += 1000
    assert typed("--into-stream", READ).exit_code == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--into-stream", "nobody's"], 1, "There is no such stream or table"),
        (
            ["--into-stream", OTHER, "--into-url", "http://127.0.0.1:9"],
            2,
            "--into-stream puts events, which have no --into-url",
        ),
        (["--into-stream", OTHER, "--format", "csv"], 2, "which have no --into-url, --output, --format"),
        (["--into-stream", OTHER, "--output", "x"], 2, "which have no --into-url, --output"),
        (["--into-stream", OTHER, "--repeats", "mark"], 2, "and --repeats mark"),
        (["--speed", "10x"], 2, "--speed is that of --into-url and --into-stream."),
    ],
)
def test_what_cannot_be_is_said(typed: Typed, kinesis: Kinesis, words: list[str], status: int, said: str) -> None:
    """In a sentence, with its status."""
    answer = typed(*words)
    assert answer.exit_code == status
    assert said in answer.stderr
    assert not kinesis.put

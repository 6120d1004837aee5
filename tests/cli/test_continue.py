"""What `telemetry continue` says to whoever types it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from cli.main import telemetry
from operations.continuing import Asked, Means
from projections.generations import LogStream, Pointer
from telemetry.errors import NotContinued, StreamMissing, TelemetryError

GOES_ON = Pointer(1, (LogStream("s", "1.000"),)).continued("s", "2.000", [], 7)

type Typed = Callable[..., Result]


@pytest.fixture
def asked() -> dict[str, Any]:
    """What the log was asked to do."""
    return {}


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]) -> Callable[[Pointer | TelemetryError], Typed]:
    """Types the command against a log that goes on, or does not."""

    def log(becomes: Pointer | TelemetryError) -> Typed:
        def continue_log(_kinesis: object, _dynamodb: object, prefix: str, typed: Asked, means: Means) -> Pointer:
            asked.update(prefix=prefix, typed=typed, watched_s=means.watched_s, makes=means.make_tables is not None)
            if isinstance(becomes, TelemetryError):
                raise becomes
            return becomes

        monkeypatch.setattr("cli.operating.stream_created", lambda *_: "2.000")
        monkeypatch.setattr("cli.operating.continue_log", continue_log)
        return lambda *words: CliRunner(env={"PREFIX": "t-cli"}).invoke(telemetry, ["continue", *words])

    return log


def test_it_says_how_the_log_goes_on(typed: Callable[[Pointer], Typed], asked: dict[str, Any]) -> None:
    """In which stream and generation, what its shards are called, and what to do next."""
    answer = typed(GOES_ON)("--generation", "7")
    assert answer.exit_code == 0
    for part in ("t-cli-temperature-events", "stream 2", "generation 7", "2/shardId-…", "Start the consumers"):
        assert part in answer.stdout
    assert asked == {"prefix": "t-cli", "typed": Asked(7), "watched_s": 25, "makes": False}
    typed(GOES_ON)("--forget-unarchived")
    assert asked["typed"] == Asked(forget=True)


@pytest.mark.parametrize("error", [NotContinued("The tables hold something."), StreamMissing("It is not there: make it.")])
def test_what_is_in_the_way_is_one_sentence(typed: Callable[[TelemetryError], Typed], error: TelemetryError) -> None:
    """With status 1. Where AWS's own error lies behind a missing stream, ours names the fix."""
    if isinstance(error, StreamMissing):
        error.__cause__ = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "told"}}, "Describe")
    answer = typed(error)()
    assert (answer.exit_code, answer.stdout, answer.stderr) == (1, "", f"Error: {error}\n")


@pytest.mark.parametrize("number", ["0", "1000000", "two"])
def test_a_generation_is_a_number_from_1_on(typed: Callable[[Pointer], Typed], asked: dict[str, Any], number: str) -> None:
    """Anything else is a question of usage, and nothing is done."""
    answer = typed(GOES_ON)("--generation", number)
    assert (answer.exit_code, "--generation" in answer.stderr, asked) == (2, True, {})

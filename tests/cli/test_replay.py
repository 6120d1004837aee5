"""What `telemetry replay` answers to whoever types it: lines, or a sentence and a status that says which."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ProfileNotFound
from click.testing import CliRunner, Result

from cli.main import telemetry
from replay.api import Sent
from telemetry.errors import ReasonCode, StoreUnavailable
from telemetry.events import decode_event, encode_event
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome, encode_mark
from telemetry.log import Gap
from tests.cli.fakes import HOUR_MS, Stream, record, there
from tests.projections.logs import SHARD, reading
from tests.support.waiting import eventually

ADDRESS = "http://127.0.0.1:9"
NOBODY = StoreUnavailable("no success within 3 s")
NOBODY.__cause__ = EndpointConnectionError(endpoint_url=ADDRESS)
MISSING = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no stream"}}, "ListShards")
REFUSED = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "the token is old"}}, "ListShards")

type Typed = Callable[..., Result]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """A log of one sensor's event."""
    made = Stream([record(encode_event(reading("Küche"), 0))])
    there(monkeypatch, made)
    return made


@pytest.fixture
def typed(stream: Stream) -> Typed:
    """Types a command against it."""
    return lambda *words: CliRunner(env={"AWS_ENDPOINT_URL": ADDRESS, "PREFIX": "t-cli"}).invoke(telemetry, words)


def test_r04_what_matches_is_printed(typed: Typed) -> None:
    """One line an event, nothing on standard error, status 0."""
    answer = typed("replay")
    assert (answer.exit_code, answer.stdout.count("\n"), answer.stderr) == (0, 1, "")


def test_r04_a_range_that_ends_before_it_begins_is_refused(typed: Typed) -> None:
    """Naming both; so is an empty one."""
    for ends in ("2021-11-26", "2021-11-27"):
        answer = typed("replay", "--from", "2021-11-27", "--to", ends)
        assert answer.exit_code == 2
        assert "--from 2021-11-27T00:00:00Z is not before --to" in answer.stderr
        assert f"--to {ends}T00:00:00Z" in answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sensor", "nobody"], "of sensor 'nobody'."),
        (["--sensor", "x", "--to", "2001-01-01"], "of sensor 'x', measured before 2001-01-01T00:00:00Z."),
    ],
)
def test_r04_nothing_matched_is_said(typed: Typed, words: list[str], said: str) -> None:
    """In a line on standard error that repeats what was asked, and by status 3."""
    answer = typed("replay", *words)
    assert (answer.exit_code, answer.stdout) == (3, "")
    assert answer.stderr == f"Nothing matched: the log holds no event {said}\n"


@pytest.mark.parametrize(
    ("words", "since", "hours"),
    [
        ([], "2030-12-30T23:50:00Z", 24),
        (["--ahead", "0"], "2030-12-31T23:50:00Z", 0),
        (["--ahead", "100"], "2030-12-27T19:50:00Z", 100),
    ],
)
def test_l07_where_reading_begins_is_said(typed: Typed, words: list[str], since: str, hours: int) -> None:
    """Else a reading that was further ahead would be missing in silence. What was not read is not said to hold nothing."""
    answer = typed("replay", "--from", "2031-01-01", *words)
    assert answer.exit_code == 3
    assert answer.stderr == (
        f"Reading what arrived from {since} on: readings may be {hours} h ahead of time (--ahead).\n"
        "Nothing matched: what was read holds no event measured from 2031-01-01T00:00:00Z on.\n"
    )


@pytest.mark.parametrize("words", [["--from", "2021-11-26", "--ahead", "876000"], ["--from", "1970-01-01"]])
def test_l07_where_all_is_read_nothing_is_said(typed: Typed, words: list[str]) -> None:
    """From its oldest record on."""
    answer = typed("replay", *words)
    assert "Reading" not in answer.stderr


def test_l07_the_log_is_asked_for_what_arrived_since(typed: Typed, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes before --from less what readings may be ahead, whatever this shell's settings say; without --from for all."""
    monkeypatch.setenv("CLOCK_SKEW_H_MAX", "1")
    stream.records = []
    for words in ([], ["--from", "1970-01-03"], ["--from", "1970-01-03", "--ahead", "47"], ["--to", "2021-11-26"]):
        assert typed("replay", *words).exit_code == 3
    assert [stretch.from_ms for stretch in stream.asked] == [None, (24 * 60 - 10) * 60_000, 50 * 60_000, None]
    assert {stretch.until_ms for stretch in stream.asked} == {HOUR_MS}


def test_by_arrival_only_that_stretch_is_asked_for(typed: Typed, stream: Stream) -> None:
    """With ten minutes at both ends, since arrival times are about right; the choice itself is exact."""
    answer = typed("replay", "--by", "arrived", "--from", "1970-01-01T00:15", "--to", "1970-01-01T00:20")
    assert (answer.exit_code, stream.asked[0].from_ms, stream.asked[0].until_ms) == (3, 5 * 60_000, 30 * 60_000)
    assert "arrived from 1970-01-01T00:15:00Z on, arrived before 1970-01-01T00:20:00Z" in answer.stderr
    assert typed("replay", "--by", "arrived", "--to", "1970-01-01T00:00:01").exit_code == 3
    assert typed("replay", "--by", "arrived", "--from", "1970-01-01T00:00:01", "--to", "1970-01-01T00:00:02").exit_code == 0


def test_what_is_no_event_is_counted_by_its_code(typed: Typed, stream: Stream) -> None:
    """In the order of the codes, on standard error; what was printed remains."""
    stream.records = [record(b"[]", encode_event(reading("Küche"), 0), b"{broken", b"hello")]
    answer = typed("replay")
    assert (answer.exit_code, answer.stdout.count("\n")) == (0, 1)
    assert answer.stderr == (
        f"Passed over what is no event, in 3 places ({ReasonCode.NOT_JSON} 2, {ReasonCode.NOT_AN_EVENT} 1);"
        " the dead letters hold it.\n"
    )


def test_what_operators_decided_is_neither_printed_nor_missed(typed: Typed, stream: Stream) -> None:
    """A mark of a dead letter is an event, and no reading."""
    mark = LetterMark(LetterPlace("shardId-000000000000", 1, 0), Outcome.DISCARDED, "me", "garbage", 0)
    stream.records = [record(encode_mark(mark), encode_event(reading("a"), 0))]
    answer = typed("replay")
    assert (answer.exit_code, answer.stdout.count("\n"), answer.stderr) == (0, 1, "")


def test_times_are_read_in_the_zone(typed: Typed, stream: Stream) -> None:
    """Without an offset; a date is its first instant there."""
    line = encode_event(reading("a"), 0)  # measured at 2023-11-14T22:13:20Z
    stream.records = [record(line)]
    for begin, end, zone, status in (
        ("2023-11-15", "2023-11-16", "UTC", 3),
        ("2023-11-15", "2023-11-16", "asia/Kathmandu", 0),
        ("2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z", "Asia/Kathmandu", 0),
        ("2023-11-15T03:58:20", "2023-11-15T03:58:21", "+05:45", 0),
        ("-9999d", "now", "UTC", 0),
    ):
        assert typed("replay", "--from", begin, "--to", end, "--tz", zone).exit_code == status, (begin, zone)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tz", "Berlin"], "Near to it: Europe/Berlin"),
        (["--from", "yesterday"], "a date, a date and time, now, -15m"),
        (["--from", "2021-11-26T18:10:00 01:00"], "a blank stands where an offset's plus or minus was meant"),
        (["--format", "xml"], "'jsonl', 'csv', 'parquet'"),
        (["--repeats", "hide"], "'drop', 'keep', 'mark'"),
        (["--source", "tape"], "'auto', 'stream', 'archive'"),
        (["--by", "size"], "'measured', 'arrived'"),
        (["--format", "parquet"], "--format parquet needs --output"),
        (["--into-url", "http://other", "--format", "csv"], "--into-url sends readings"),
        (["--into-url", "http://other", "--output", "x"], "--into-url sends readings"),
        (["--speed", "10x"], "--speed is that of --into-url and --into-stream"),
        (["--into-url", "http://other", "--speed", "fast"], "expected a number above 0 and an x"),
        (["--into-url", "http://other", "--speed", "0x"], "expected a number above 0 and an x"),
        (["--output", "/nowhere/there/out.csv"], "there is no folder /nowhere/there"),
    ],
)
def test_what_is_not_asked_as_the_help_says_is_refused(typed: Typed, words: list[str], said: str) -> None:
    """With a sentence that names the fix; status 2."""
    answer = typed("replay", *words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert said in answer.stderr


def test_several_sensors_may_be_asked_for(typed: Typed, stream: Stream) -> None:
    """Each of them matches; the sentence names all of them when none does."""
    stream.records = [record(*(encode_event(reading(name), 0) for name in ("a", "b", "c")))]
    assert typed("replay", "--sensor", "a", "--sensor", "c").stdout.count("\n") == 2
    assert "of sensor 'x' or 'y'." in typed("replay", "--sensor", "y", "--sensor", "x").stderr


ONCE, AGAIN = encode_event(reading("a"), 0), encode_event(reading("a"), 1)


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ([], [ONCE]),
        (["--repeats", "keep"], [ONCE, AGAIN]),
        (["--repeats", "mark"], [ONCE, AGAIN.removesuffix(b"}") + b',"repeat":true}']),
    ],
)
def test_a_reading_that_comes_again_is_dropped_kept_or_marked(
    typed: Typed, stream: Stream, words: list[str], printed: list[bytes]
) -> None:
    """The first one stays as it is in the log, byte for byte; the mark is an attribute of the event."""
    stream.records = [record(ONCE, AGAIN)]
    answer = typed("replay", *words)
    assert answer.stdout_bytes.splitlines() == printed
    assert {decode_event(line) for line in printed} == {reading("a")}


def test_csv_holds_what_the_event_says_and_where_it_stands(typed: Typed, stream: Stream) -> None:
    """Exact decimals, times in the zone asked for, the place of each line; RFC 4180."""
    stream.records = [record(*(encode_event(reading('a "quoted", one'), received) for received in (0, 1)), number=7)]
    answer = typed("replay", "--format", "csv", "--tz", "Europe/Berlin", "--repeats", "mark")
    place = f"1970-01-01T01:00:01+01:00,{SHARD.shard_id},7"
    assert answer.stdout_bytes.decode() == (
        "sensor_id,temperature,measured_at,arrived_at,shard,sequence_number,line,repeat\r\n"
        f'"a ""quoted"", one",18.5,2023-11-14T23:13:20+01:00,{place},0,false\r\n'
        f'"a ""quoted"", one",18.5,2023-11-14T23:13:20+01:00,{place},1,true\r\n'
    )
    assert "repeat" not in typed("replay", "--format", "csv").stdout


def test_parquet_without_its_extra_is_a_sentence_that_names_it(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before anything is read or written."""
    monkeypatch.setattr("cli.targets.find_spec", lambda _: None)
    answer = typed("replay", "--format", "parquet", "--output", str(tmp_path / "out"))
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == "Error: --format parquet needs pyarrow: install the extra, telemetry-pipeline[parquet].\n"
    assert not list(tmp_path.iterdir())


def test_a_gap_is_said_and_is_a_status_of_its_own(typed: Typed, stream: Stream) -> None:
    """5, whether anything matched or not."""
    stream.gap = Gap(SHARD.shard_id, 0, 60_000)
    for words in ([], ["--sensor", "nobody"]):
        answer = typed("replay", *words)
        assert answer.exit_code == 5
        assert (
            f"A gap: what arrived in {SHARD.shard_id} from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z "
            "may have left the stream unread.\n"
        ) in answer.stderr
    assert "Nothing matched" in answer.stderr


def test_a_dry_run_says_what_a_replay_comes_to(typed: Typed, stream: Stream) -> None:
    """On standard output, and reads no more than samples; a gap is said and is status 5 here too."""
    stream.honours_from = True
    answer = typed("replay", "--dry-run", "--format", "csv")
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert answer.stdout == "About 1 readings, repeats included; 0.0 MB to read; 1 s.\n"
    stream.gap = Gap(SHARD.shard_id, 0, 60_000)
    answer = typed("replay", "--dry-run")
    assert (answer.exit_code, answer.stderr.count("A gap: ")) == (5, 1)


def test_progress_is_shown_on_a_terminal_only(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """And gives way to what is said last."""
    monkeypatch.setattr("cli.showing._EVERY_S", 0)
    assert typed("replay").stderr == ""
    monkeypatch.setattr("cli.showing._is_terminal", lambda: True)
    answer = typed("replay", "--sensor", "nobody")
    assert "0 events  0/s  100 %  1 s left" in answer.stderr
    assert answer.stderr.endswith("left\rNothing matched: the log holds no event of sensor 'nobody'.\n")


@pytest.mark.parametrize("asked", ["Küche", "  Küche ", "\tKüche\n"])
def test_r04_a_sensor_id_is_trimmed_as_put_does(typed: Typed, asked: str) -> None:
    """Whatever was pasted around it."""
    assert typed("replay", "--sensor", asked).exit_code == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("", "cannot be blank"),
        (" ", "cannot be blank"),
        ("x" * 257, "at most 256"),
        ("a\x00b", "control and format characters"),
    ],
)
def test_r04_an_impossible_sensor_id_is_refused_as_put_does(typed: Typed, asked: str, said: str) -> None:
    """With the parser's own text."""
    answer = typed("replay", "--sensor", asked)
    assert answer.exit_code == 2
    assert said in answer.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NOBODY, [f"Nobody answers at {ADDRESS}", "make run", "AWS_ENDPOINT_URL"]),
        (NoCredentialsError(), ["Unable to locate credentials", "AWS_ACCESS_KEY_ID"]),
        (ProfileNotFound(profile="gone"), ["profile (gone)"]),
        (MISSING, ["PREFIX=t-cli"]),
        (REFUSED, ["ExpiredTokenException", "the token is old"]),
        (OSError(2, "Could not find a CA bundle"), ["CA bundle"]),
    ],
    ids=["nobody", "no credentials", "no profile", "no stream", "refused", "no certificates"],
)
def test_r04_a_failure_is_one_sentence(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, error: Exception, said: list[str]
) -> None:
    """That names what to do, without a traceback; status 1."""

    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr("cli.contact.look_at", fail)
    answer = typed("replay")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.startswith("Error: ")
    assert answer.stderr.count("\n") == 1
    assert all(text in answer.stderr for text in said)


@pytest.mark.parametrize(("command", "status"), [("replay", 1), ("doctor", 5)])
def test_r04_nobody_at_the_address_is_found_out_in_few_tries(
    monkeypatch: pytest.MonkeyPatch, command: str, status: int
) -> None:
    """A refused connection ends the command within its short patience, not that of a reader in the middle of a log."""
    waited_s: list[float] = []
    monkeypatch.setattr("telemetry.retry.time.monotonic", lambda: sum(waited_s))
    monkeypatch.setattr("telemetry.retry.time.sleep", waited_s.append)
    environ = {"AWS_ENDPOINT_URL": ADDRESS, "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "JAVA": "none such"}
    answer = CliRunner(env=environ).invoke(telemetry, [command])
    assert answer.exit_code == status
    assert f"Nobody answers at {ADDRESS}" in answer.output
    assert 1 < sum(waited_s) < 6


ENDLESS = """
import itertools, signal, cli.main
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores for what it runs in the background
from telemetry.log import LogRecord, Page
from telemetry.events import decode_event, encode_event
from telemetry.reading import Reading
from tests.cli.fakes import STRETCH, Stream
class Endless(Stream):
    def read(self, shard, after):
        for number in itertools.count():
            line = encode_event(Reading(number, "a", 0), 0)
            yield Page(shard.shard_id, [LogRecord(number, 0, line)])
cli.contact.look_at = lambda *_: STRETCH
cli.sources.read_pointer = lambda *_: None
cli.sources.StreamSource = Endless([])
cli.main.telemetry(["replay"])
"""


@pytest.fixture
def endless() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a replay of a log without an end; whatever still runs is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(stdout: int) -> subprocess.Popen[bytes]:
        environ = {"PATH": "/usr/bin:/bin", "AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t"}
        started.append(subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=stdout, stderr=subprocess.PIPE, env=environ))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_r04_ctrl_c_ends_a_replay_without_a_traceback(endless: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """With the status that shells give; every line that was printed is whole."""
    printed = tmp_path / "printed.jsonl"
    with printed.open("wb") as out:
        replaying = endless(out.fileno())

        def has_begun() -> None:
            assert printed.stat().st_size > 0

        eventually(has_begun, within_s=60)
        replaying.send_signal(signal.SIGINT)
        _, errors = replaying.communicate(timeout=60)
    assert (replaying.returncode, errors) == (130, b"")
    assert printed.read_bytes().endswith(b"}\n")


def test_r04_a_full_disk_is_said(endless: Callable[..., subprocess.Popen[bytes]]) -> None:
    """In one sentence, status 1."""
    with Path("/dev/full").open("wb") as full:
        replaying = endless(full.fileno())
        _, errors = replaying.communicate(timeout=60)
    assert (replaying.returncode, errors) == (1, b"Error: Cannot write: No space left on device.\n")


def test_r04_a_reader_that_has_enough_is_no_error(endless: Callable[..., subprocess.Popen[bytes]]) -> None:
    """As with `| head -1`."""
    replaying = endless(subprocess.PIPE)
    assert replaying.stdout
    replaying.stdout.readline()
    replaying.stdout.close()
    assert replaying.stderr
    assert replaying.stderr.read() == b""
    assert replaying.wait(60) == 0


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What an API is sent that writes to another stream, unless its address says otherwise; it refuses the sensor b."""
    sent: list[bytes] = []

    class Door:
        def __init__(self, url: str) -> None:
            self._url = url

        def stream_created(self) -> str:
            return "1970-01-01T00:00:00Z" if "same" in self._url else "2021-11-26T18:10:00Z"

        def batch(self, lines: Sequence[bytes]) -> Sent:
            sent.extend(lines)
            refused = {index: {"sensorId": "why"} for index, line in enumerate(lines) if b'"b"' in line}
            return Sent(len(lines) - len(refused), refused)

    monkeypatch.setattr("cli.replaying.Api", Door)
    monkeypatch.setattr("cli.targets.Api", Door)
    return sent


def test_a_replay_into_an_api_says_what_became_of_it(typed: Typed, stream: Stream, door: list[bytes]) -> None:
    """Status 4 when something was refused."""
    assert (
        typed("replay", "--into-url", "http://other", "--speed", "10x").stdout
        == "1 readings stored at http://other; 0 refused.\n"
    )
    stream.records = [record(*(encode_event(reading(name), 0) for name in "aab"))]
    answer = typed("replay", "--into-url", "http://other", "--repeats", "keep")
    assert (answer.exit_code, answer.stdout) == (4, "2 readings stored at http://other; 1 refused.\n")
    assert len(door) == 4


def test_a_replay_into_what_it_reads_is_refused(typed: Typed, door: list[bytes]) -> None:
    """It would read what it sends; nothing is sent."""
    answer = typed("replay", "--into-url", "http://same")
    assert (answer.exit_code, door) == (2, [])
    assert "writes to t-cli-temperature-events, which is what is read" in answer.stderr


def test_the_shell_can_complete_commands_and_options() -> None:
    """Click's own way, which docs/analysts.md shows."""
    for words, place, found in (("telemetry rep", "1", "replay"), ("telemetry replay --rep", "2", "--repeats")):
        asked = {"_TELEMETRY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": place}
        answer = CliRunner(env=asked).invoke(telemetry, prog_name="telemetry")
        assert answer.stdout.splitlines() == [f"plain,{found}"]


def test_r04_the_help_tells_the_statuses() -> None:
    """For scripts."""
    said = " ".join(CliRunner().invoke(telemetry, ["replay", "--help"]).stdout.split())
    assert "0 printed, 1 failed, 2 not asked as --help says, 3 nothing matched, 4 the API refused some, 5 what was " in said
    assert "5 what was asked has a gap, 130 interrupted." in said

"""What gets readings in: one, a table, a fleet that does not exist; each says what became of it, and by its status."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import telemetry
from replay.api import NotSent, Sent
from tests.support.stack import Stack

type Typed = Callable[..., Result]


class Door:
    """An API that refuses what is warm."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []
        self.away = self.interrupted = False

    def __call__(self, url: str, *, key: str) -> "Door":
        assert (url, key) == ("http://127.0.0.1:8080", "")
        return self

    def batch(self, lines: Sequence[bytes]) -> Sent:
        if self.away:
            raise NotSent("nobody there")
        if self.interrupted:
            raise KeyboardInterrupt
        found = [json.loads(line) for line in lines]
        self.sent += found
        refused = {index: {"temperature": "why"} for index, one in enumerate(found) if one["temperature"] in ("warm", 85_000)}
        return Sent(len(found) - len(refused), refused)

    def put(self, reading: dict[str, object]) -> Sent:
        return self.batch([json.dumps(reading).encode()])


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    made = Door()
    monkeypatch.setattr("cli.sending.Api", made)
    return made


@pytest.fixture
def typed(door: Door) -> Typed:
    return lambda *words: CliRunner().invoke(telemetry, words)


def test_one_reading_is_sent(typed: Typed, door: Door) -> None:
    """As it was typed; now, when no time was."""
    answer = typed("send", "202", "18.70", "--at", "2021-11-26T18:10:00")
    assert (answer.exit_code, answer.stdout) == (0, "Stored: 202 18.70 °C at 2021-11-26T18:10:00\n")
    assert door.sent == [{"sensorId": "202", "temperature": "18.70", "timestamp": "2021-11-26T18:10:00"}]
    assert typed("send", "202", "--", "-5").exit_code == 0
    assert str(door.sent[1]["timestamp"]).endswith("+00:00")


def test_a_reading_that_is_refused_is_said(typed: Typed) -> None:
    """With the field and the fix; status 4."""
    answer = typed("send", "202", "warm")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (4, "", "Refused: temperature: why\n")


@pytest.mark.parametrize("words", [["send", "a", "1"], ["simulate"]])
def test_an_api_that_is_away_is_one_sentence(typed: Typed, door: Door, words: list[str]) -> None:
    """Status 1."""
    door.away = True
    answer = typed(*words)
    assert (answer.exit_code, answer.stderr) == (1, "Error: nobody there\n")


def test_a_fleet_is_simulated(typed: Typed, door: Door) -> None:
    """As large, and as bad, as asked for; what was sent is said."""
    answer = typed("simulate", "--sensors", "2000", "--every", "0.01", "--for", "0.01", "--repeated", "50", "--broken", "10")
    assert answer.exit_code == 0
    assert len({one["sensorId"] for one in door.sent}) > 1900
    distinct = {json.dumps(one) for one in door.sent}
    assert 0.3 < len(door.sent) / len(distinct) - 1 < 0.6
    broken = sum(one["temperature"] in ("warm", 85_000) for one in door.sent)
    assert answer.stdout == f"{len(door.sent) - broken} readings stored, repeats included; {broken} refused.\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text("id,temperature,timestamp\na,1,x\nb,warm,x\nc,3,x\n")
    return path


def test_a_table_is_imported(typed: Typed, door: Door, table: Path) -> None:
    """What is refused is in a file, with its row and reason; status 4. Without any, there is no such file, and status 0."""
    answer = typed("import", str(table), "--map", "sensorId=id")
    assert (answer.exit_code, answer.stderr) == (4, "")
    assert answer.stdout == f"2 readings stored; 1 rows refused, see {table}.refused.\n"
    [told] = [json.loads(line) for line in Path(f"{table}.refused").read_text().splitlines()]
    assert (told["row"], told["message"], told["reading"]["sensorId"]) == (2, {"temperature": "why"}, "b")
    table.write_text("sensorId,temperature,timestamp\na,1,x\n")
    answer = typed("import", str(table), "--refused", str(table.with_name("new")))
    assert (answer.exit_code, answer.stdout) == (0, "1 readings stored; 0 rows refused.\n")
    assert sorted(path.name for path in table.parent.iterdir()) == ["table.csv", "table.csv.refused"]


def test_an_import_that_broke_off_goes_on(typed: Typed, door: Door, table: Path) -> None:
    """The place stays until it is done; something else is refused."""
    door.away = True
    words = ("import", str(table), "--map", "sensorId=id")
    answer = typed(*words)
    assert (answer.exit_code, answer.stderr) == (1, "Error: nobody there\n")
    door.away = False
    answer = typed("import", str(table), "--map", "sensorId=id", "--map", "timestamp=id")
    assert answer.exit_code == 1
    assert "is the place of another import: --map was" in answer.stderr
    assert typed(*words).exit_code == 4
    assert not Path(f"{table}.place").exists()


def test_who_is_interrupted_is_told_how_far_it_came(typed: Typed, door: Door, table: Path) -> None:
    """Status 130."""
    door.interrupted = True
    answer = typed("simulate")
    assert (answer.exit_code, answer.stdout) == (130, "0 readings stored, repeats included; 0 refused.\n")
    answer = typed("import", str(table), "--map", "sensorId=id")
    assert (answer.exit_code, answer.stdout) == (130, "")
    assert answer.stderr == f"Interrupted after 0 rows. The same command goes on with {table}.\n"
    door.interrupted = False
    assert typed("import", str(table), "--map", "sensorId=id").exit_code == 4


@pytest.mark.parametrize(
    ("table", "words", "status", "said"),
    [
        (("t.csv", "id\n"), [], 1, "no column for sensorId"),
        (("t.csv", "sensorId,temperature,timestamp\n"), [], 3, ""),
        (("t.txt", ""), [], 2, "say --format csv|ndjson|parquet"),
        (("t.txt", ""), ["--format", "ndjson"], 3, ""),
        (("t.csv", ""), ["--map", "id=sensorId"], 2, "expected field=column"),
        (("t.csv", ""), ["--map", "sensorId"], 2, "expected field=column"),
    ],
)
def test_what_cannot_be_imported_is_said(
    typed: Typed, tmp_path: Path, *, table: tuple[str, str], words: list[str], status: int, said: str
) -> None:
    """With a sentence and a status of its own."""
    (tmp_path / table[0]).write_text(table[1])
    answer = typed("import", str(tmp_path / table[0]), *words)
    assert answer.exit_code == status
    assert said in answer.stderr


def test_refused_rows_write_over_nothing(typed: Typed, table: Path) -> None:
    """A file that is there already is somebody's."""
    Path(f"{table}.refused").write_text("mine")
    answer = typed("import", str(table), "--map", "sensorId=id")
    assert answer.exit_code == 2
    assert "is there already" in answer.stderr
    assert Path(f"{table}.refused").read_text() == "mine"


def test_what_is_imported_is_in_the_log(stack: Stack, api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a real API: exact, each row stored or refused with the API's own words."""
    path = tmp_path / "t.ndjson"
    rows = [{"sensorId": f"s-{n}", "temperature": n / 10, "timestamp": "2021-11-26T18:10:00"} for n in range(1500)]
    path.write_text("\n".join(map(json.dumps, [*rows, {"sensorId": "bad", "temperature": "warm", "timestamp": "x"}])))
    answer = CliRunner().invoke(telemetry, ["import", str(path), "--url", api])
    assert (answer.exit_code, answer.stdout.split(";")[0]) == (4, "1500 readings stored")
    [told] = [json.loads(line) for line in Path(f"{path}.refused").read_text().splitlines()]
    assert (told["row"], set(told["message"])) == (1501, {"temperature", "timestamp"})
    assert CliRunner().invoke(telemetry, ["send", "one", "18.7", "--url", api]).exit_code == 0
    answer = CliRunner(env=stack.environ).invoke(telemetry, ["replay", "--into-url", api])
    assert answer.exit_code == 2
    assert "which is what is read" in answer.stderr
    monkeypatch.setattr("replay.pace.pause_s", lambda _: 0)
    answer = CliRunner(env=stack.environ).invoke(telemetry, ["replay", "--dry-run"])
    assert (answer.exit_code, answer.stdout.split(";")[0]) == (0, "About 1,501 readings, repeats included")
    answer = CliRunner(env=stack.environ).invoke(telemetry, ["replay"])
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    found = {event["subject"]: event["data"]["temperature"] for event in events}
    assert found == {**{row["sensorId"]: row["temperature"] for row in rows}, "one": 18.7}

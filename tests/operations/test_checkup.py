"""A checkup of an AWS that is scripted: every part is looked at, whatever another one says."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from infra.setup import load_definition
from operations import checkup
from operations.checkup import Checkup, exit_status, left_promote, letters_seen
from operations.doctor import LettersSeen, Section, State
from projections.effects import DeadLetter, Origin
from projections.generations import Next
from projections.letters import KeptLetter
from telemetry.errors import ReasonCode
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome
from telemetry.names import ResourceNames
from telemetry.reading import rfc3339
from telemetry.settings import Settings
from tests.support.promoting import POINTER

NOW_US = 1_800_000_000_000_000
MADE = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ResourceNames("t")
PARTS = ["AWS", "clock", "stream", "tables", "consumer", "archive", "Java and jars", "ports"]


def refused(code: str, **headers: str) -> ClientError:
    metadata: Any = {"HTTPStatusCode": 400, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code, "Message": "scripted"}, "ResponseMetadata": metadata}, "Scripted")


class Aws:
    """Kinesis and DynamoDB, with nothing in them until it is put there."""

    def __init__(self) -> None:
        self.stream: dict[str, Any] | Exception = refused("ResourceNotFoundException")
        self.pointer: dict[str, Any] | None = None
        self.tables: dict[str, Any] = {}
        self.date = f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT"

    def describe_stream_summary(self, **_: str) -> Any:
        if isinstance(self.stream, Exception):
            raise self.stream
        return {"StreamDescriptionSummary": self.stream, "ResponseMetadata": {"HTTPHeaders": {"date": self.date}}}

    def get_item(self, **_: Any) -> Any:
        if self.pointer is None:
            raise refused("ResourceNotFoundException")
        return {"Item": self.pointer}

    def describe_table(self, **asked: str) -> Any:
        if asked["TableName"] not in self.tables:
            raise refused("ResourceNotFoundException")
        return {"Table": self.tables[asked["TableName"]]}

    def set_up(self) -> None:
        """As the set-up leaves it."""
        self.stream = {
            "StreamStatus": "ACTIVE",
            "StreamCreationTimestamp": MADE,
            "RetentionPeriodHours": 168,
            "OpenShardCount": 2,
        }
        self.pointer = {"generation": {"N": "1"}, "stream_created": {"S": f"{MADE.timestamp():.3f}"}}
        for table in load_definition(NAMES)["tables"].values():
            keys = [("HASH", table["hash_key"])] + ([("RANGE", table["range_key"])] if "range_key" in table else [])
            self.tables[table["name"]] = {
                "TableStatus": "ACTIVE",
                "KeySchema": [{"AttributeName": name, "KeyType": kind} for kind, name in reversed(keys)],
                "GlobalSecondaryIndexes": [
                    {"IndexName": index["name"], "IndexStatus": "ACTIVE"} for index in [table.get("index")] if index
                ],
            }


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    for client in ("kinesis_client", "dynamodb_client"):
        monkeypatch.setattr(checkup, client, lambda *_, **__: made)
    return made


def sections(tmp_path: Path, **settings: str) -> dict[str, Section]:
    (tmp_path / "lock").write_text("")
    made = Settings.model_validate({"prefix": "t", "aws_endpoint_url": "http://127.0.0.1:1", "port": 0, **settings})
    found = list(Checkup(made, load_definition, tmp_path / "lock", str).sections())
    assert [section.name for section in found] == PARTS
    return {section.name: section for section in found}


def test_where_nothing_is_set_up_that_is_said(aws: Aws, tmp_path: Path) -> None:
    """The stream, and every table; who would work on them is not looked for."""
    found = sections(tmp_path)
    assert [found[name].state for name in PARTS[:6]] == [
        *(State.OK, State.NONE, State.FOUND, State.FOUND, State.NONE, State.NONE)
    ]
    assert "There is no stream t-temperature-events" in found["stream"].findings[0].what
    assert len(found["tables"].findings) == len(load_definition(NAMES)["tables"])


def test_what_is_set_up_is_looked_at(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but one part: that says why it could not be."""

    def fail(*_: object) -> None:
        raise refused("AccessDeniedException")

    monkeypatch.setattr(checkup, "observe", fail)
    aws.set_up()
    found = sections(tmp_path)
    assert [found[name].state for name in PARTS[:5]] == [State.OK, State.OK, State.OK, State.OK, State.UNSEEN]
    assert "AccessDenied" in found["consumer"].told
    assert found["stream"].told == "t-temperature-events, 2 open shards, keeps 168 h"


def test_another_stream_in_its_place_is_said(aws: Aws, tmp_path: Path) -> None:
    """The consumers' tables speak of one that is gone."""
    aws.set_up()
    aws.pointer = {"generation": {"N": "1"}, "stream_created": {"S": "1.000"}}
    found = sections(tmp_path)
    assert "telemetry continue" in found["stream"].findings[0].mend
    assert found["consumer"].state is State.NONE


def test_an_aws_that_is_away_keeps_nobody_from_the_rest(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is looked at; all that is AWS's is unseen."""
    monkeypatch.setattr(checkup, "_PATIENCE_S", 0.0)
    aws.stream = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    found = sections(tmp_path)
    assert {found[name].state for name in PARTS[:6]} == {State.UNSEEN}
    assert found["ports"].state is State.OK


def test_a_clock_that_aws_refuses_is_a_finding(aws: Aws, tmp_path: Path) -> None:
    """It is known what mends it."""
    aws.stream = refused("InvalidSignatureException", date="Thu, 01 Jan 2026 00:00:00 GMT")
    found = sections(tmp_path)
    (finding,) = found["AWS"].findings
    assert "clock" in finding.what
    assert found["stream"].state is State.UNSEEN


@pytest.mark.parametrize(
    ("states", "status"),
    [([State.OK, State.NONE], 0), ([State.OK, State.FOUND], 1), ([State.FOUND, State.UNSEEN], 5)],
)
def test_the_exit_status_is_that_of_the_worst(states: list[State], status: int) -> None:
    """What could not be looked at outweighs what was found."""
    found = [Section("a", "", (None,) if state is State.FOUND else (), state) for state in states]  # type: ignore[arg-type]
    assert exit_status(found, found=1, unseen=5) == status


@pytest.mark.parametrize(("age_s", "said"), [(14, None), (16, "of g2 began at ")])
def test_a_promote_that_has_stood_for_longer_than_any_lasts_is_said(age_s: int, said: str | None) -> None:
    """One that is under way is none."""
    since = rfc3339(NOW_US - age_s * 10**6)
    marked = replace(POINTER, next=Next(2, since, "killed"))
    assert left_promote(marked, NOW_US) == (said and said + since)
    assert left_promote(POINTER, NOW_US) is None


@pytest.mark.parametrize(
    ("decided", "undecided", "seen"),
    [(5_000, 3, LettersSeen(3)), (5_000, 0, LettersSeen()), (1, 1_001, LettersSeen(1_000, more=True))],
)
def test_undecided_letters_are_found_behind_any_number_of_decided_ones(decided: int, undecided: int, seen: LettersSeen) -> None:
    """Up to a thousand, which is said. A mark without its letter is none."""
    letter = DeadLetter(Origin("a", 1, 0), b"", ReasonCode.NOT_JSON, "", 1)
    mark = LetterMark(LetterPlace("a", 1, 0), Outcome.DISCARDED, "ada", "a test", 1)
    heads = [KeptLetter(letter.origin, letter, mark)] * decided + [KeptLetter(letter.origin, None, mark)]
    assert letters_seen([*heads, *[KeptLetter(letter.origin, letter, None)] * undecided]) == seen

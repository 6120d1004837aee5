"""Least privilege (hazard H26): each process may do what it was seen to do, and nothing else.

The calls are those of a running API, consumer and archiver, written down by LocalStack; the policies are those of Terraform's
plan.
"""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.setup import load_definition, make_tables
from projections.queries import fleet_stats
from telemetry.aws import s3_client
from telemetry.events import encode_event
from telemetry.key_table import KeyTable
from telemetry.keys import parse_key
from telemetry.letter_marks import LetterMark, LetterPlace, Outcome, encode_mark
from telemetry.limits import HASH_KEY_MAX
from telemetry.names import ResourceNames
from telemetry.processes import end_with_parent
from telemetry.shards import hash_key, list_shards
from tests.support.policies import Call, allowed, calls_of, missing, unused
from tests.support.processes import running, running_api, stop
from tests.support.sensors import send_all, workload
from tests.support.stack import Stack, at
from tests.support.terraform import ACCOUNT, planned
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(900)  # a rebuild takes minutes where the machine is busy

NAMES = ResourceNames("telemetry-dev")
PUTS = 200
ARCHIVE = f"{NAMES.prefix}-archive-{ACCOUNT}"
QUESTIONS = (
    "/api/stats",
    "/api/status",
    "/api/sensors?order=silent",
    "/api/sensors/sensor-001",
    "/api/sensors/sensor-001/readings",
)
KINESIS_READS = ("DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")

# Allowed although no such call is made in this run, each for its reason.
NOT_SEEN: Mapping[str, Mapping[Call, str]] = {
    "api": {},
    "consumer": {
        Call("dynamodb:UpdateItem", NAMES.stats): "a sensor in the directory that is seen again hours later",
        Call("dynamodb:PutItem", NAMES.generations): "restarts of the daemon: there is none in this run",
        Call("dynamodb:UpdateItem", NAMES.generations): "the mark of a promote that was killed: there is none in this run",
        Call("dynamodb:DeleteItem", NAMES.coordinator): "a dead leader's lock: see tests/faults/test_supervision.py",
        Call("dynamodb:UpdateItem", NAMES.coordinator): "the leader's lock beats every 30 s, which is longer than this run",
        Call("dynamodb:DeleteItem", NAMES.workers): "KCL forgets a worker that has been silent for a day",
        Call("dynamodb:DeleteItem", NAMES.application): "KCL forgets a shard's lease hours after the shard's end",
    },
    "archiver": {},
    "operator": {
        Call("dynamodb:PartiQLUpdate", NAMES.stats): "rows that a rebuild's consumer goes on with: it comes late in this run",
        Call("dynamodb:UpdateItem", NAMES.stats): "as the consumer's",
        Call("dynamodb:Query", NAMES.readings): "a repeat that is looked up in its pack, as the consumer does",
        Call("kinesis:PutRecords", NAMES.stream): "a stray that the live generation has not sent home",
        Call("dynamodb:DeleteItem", NAMES.coordinator): "as the consumer's",
        Call("dynamodb:UpdateItem", NAMES.coordinator): "as the consumer's",
        Call("dynamodb:DeleteItem", NAMES.workers): "as the consumer's",
        Call("dynamodb:DeleteItem", NAMES.application): "the leases of a rebuild that goes on, which are made anew",
    },
}
TABLES = [table["name"] for table in load_definition(NAMES)["tables"].values()]
TERRAFORMS = frozenset(
    {
        *(Call(f"dynamodb:{action}", table) for action in ("CreateTable", "DeleteTable") for table in TABLES),
        *(Call("dynamodb:DescribeTable", table) for table in (NAMES.generations, NAMES.keys)),
    }
)
"""What operators' commands do on one machine only: on AWS Terraform makes and deletes tables, and waits for them."""


@pytest.fixture(scope="module")
def lines(stack: Stack, calls_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str, str]]:
    """Who called what while an API, a consumer, an archiver and an operator did all that they do, on whichever generation."""
    if not calls_file.exists():
        pytest.skip("policies are not compared with calls: AWS_ENDPOINT_URL names a LocalStack that does not write them down")
    log = tmp_path_factory.mktemp("policies") / "processes.log"
    with (
        running_api(_as("api", stack), log) as url,
        running("consumer", _as("consumer", stack), log),
    ):
        assert httpx.get(f"{url}/readyz").status_code == 200
        stored = {reply.message.reading for reply in send_all(url, workload(1, PUTS, 20), clients=8) if reply.message.reading}
        _spoil(stack)

        def settled() -> None:
            assert fleet_stats(stack.dynamodb, stack.names).stats.count == len(stored), log.read_text()[-3000:]
            assert stack.dynamodb.scan(TableName=stack.names.dead_letters)["Items"]

        eventually(settled, within_s=90)
        eventually(partial(_flushed, stack), within_s=60)
    # A consumer that did not see them itself looks repeats up in their packs.
    with running_api(_as("api", stack), log) as url, running("consumer", _as("consumer", stack), log):
        _look_up(stack, url)
        for question in QUESTIONS:
            assert httpx.get(url + question).status_code == 200, question
    _use_a_key(stack, log)
    _archive(stack, log)
    _operate(stack, log)
    written = re.sub(r"-g[23]\b", "-g1", calls_file.read_text().replace(stack.names.prefix, NAMES.prefix))
    return [tuple(json.loads(line)) for line in written.splitlines()]


def _archive(stack: Stack, log: Path) -> None:
    """An archiver takes up the stream, another goes on where that ended, and an API tells how old the archive is."""
    s3, bucket = s3_client(stack.settings), f"{stack.names.prefix}-archive-{ACCOUNT}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    environ = {**_as("archiver", stack), "ARCHIVE_TARGET": f"s3://{bucket}", "ARCHIVE_INTERVAL_S": "1"}
    shards = list_shards(stack.kinesis, stack.names.stream).shards

    def archived(lives: int) -> None:
        names = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        assert any(name.startswith("log/") for name in names), log.read_text()[-3000:]
        assert sum(name.startswith("state/") for name in names) == len(shards)
        assert log.read_text().count('"shard_taken_up"') == lives * len(shards)

    for lives in (1, 2):
        with running("archive", environ, log):
            eventually(partial(archived, lives), within_s=60)
    with running_api({**_as("api", stack), "ARCHIVE_TARGET": f"s3://{bucket}"}, log) as url:
        assert httpx.get(f"{url}/api/status").json()["archive"]["ageMs"] is not None, log.read_text()[-3000:]


def _operate(stack: Stack, log: Path) -> None:
    """An operator has a generation rebuilt, proved and promoted, drops another, and asks for what is not to be done."""
    environ = {**_as("operator", stack), "ARCHIVE_TARGET": f"s3://{stack.names.prefix}-archive-{ACCOUNT}"}
    for number in (2, 3):
        make_tables(stack.dynamodb, replace(stack.names, generation=number))

    def typed(*words: str, status: int = 0) -> str:
        done = subprocess.run([sys.executable, "-m", "cli", *words], env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr + log.read_text()[-3000:]
        return done.stdout

    def ready() -> None:
        assert rebuilding.poll() is None, log.read_text()[-3000:]
        assert re.search("^g2 +ready", typed("generations"), re.MULTILINE)

    with running("consumer", _as("consumer", stack), log), log.open("ab") as out:
        command = [sys.executable, "-m", "cli", "rebuild", "--generation", "2"]
        rebuilding = subprocess.Popen(command, env=environ, stdout=out, stderr=out, preexec_fn=end_with_parent)  # noqa: PLW1509
        try:
            eventually(ready, within_s=240)
            typed("verify", "g2")
            typed("promote", "g2")
            assert rebuilding.wait(240) == 0, log.read_text()[-3000:]
        finally:
            stop(rebuilding)
    typed("drop", "g3")
    typed("continue", status=1)  # the log goes on as it is


def _use_a_key(stack: Stack, log: Path) -> None:
    """Make a key, as a person does, and ask an API that wants one: it looks the key up and notes the day."""
    table = KeyTable(stack.dynamodb, stack.names.keys)
    command = [sys.executable, "-m", "cli", "keys", "new", "--role", "admin"]
    key = subprocess.run(command, env=stack.environ, capture_output=True, text=True, check=True).stdout.strip()
    credential = parse_key(key)
    assert credential

    def noted() -> None:
        found = table.find(credential.key_id)
        assert found
        assert found.used_on

    with running_api({**_as("api", stack), "KEYS": "true"}, log) as url:
        assert httpx.get(f"{url}/api/status").status_code == 401
        assert httpx.get(f"{url}/api/status", headers={"X-API-Key": key}).status_code == 200
        eventually(noted)


def _look_up(stack: Stack, url: str) -> None:
    """Send readings again: they are looked up in their packs."""

    def repeated() -> None:
        assert fleet_stats(stack.dynamodb, stack.names).stats.duplicates > before

    before = fleet_stats(stack.dynamodb, stack.names).stats.duplicates
    send_all(url, workload(1, PUTS, 20)[:20], clients=8)
    eventually(repeated, within_s=60)


def _flushed(stack: Stack) -> None:
    rows = fleet_stats(stack.dynamodb, stack.names).shards.values()
    assert all(row.position == row.progress.flushed.position for row in rows)


def _as(process: str, stack: Stack) -> dict[str, str]:
    """A process's environment, with an access key that tells its calls from others'."""
    return {
        **stack.environ,
        **at(stack.settings.aws_endpoint_url or ""),
        "AWS_ACCESS_KEY_ID": f"{stack.names.prefix}-{process}",
    }


def _spoil(stack: Stack) -> None:
    """Put garbage on the stream, a decision about some, and an event on the shard that its sensor does not belong to."""
    mark = LetterMark(LetterPlace("shardId-000000000000", 1, 0), Outcome.DISCARDED, "me", "garbage", 0)
    reading = next(message.reading for message in workload(1, PUTS, 20) if message.reading)
    home = list_shards(stack.kinesis, stack.names.stream).owner(hash_key(reading.sensor_id))
    elsewhere = 0 if home.first_hash_key else HASH_KEY_MAX
    records: list[Any] = [
        {"PartitionKey": "garbage", "Data": b"garbage"},
        {"PartitionKey": "mark", "Data": encode_mark(mark)},
        {"PartitionKey": reading.sensor_id, "ExplicitHashKey": str(elsewhere), "Data": encode_event(reading, 0)},
    ]
    stack.kinesis.put_records(StreamName=stack.names.stream, Records=records)


@pytest.fixture(scope="module")
def policies(plans: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The policies of the processes, as they are planned."""
    found = planned(plans["environment"], "aws_iam_role_policy").values()
    return {policy["name"]: json.loads(policy["policy"]) for policy in found}


@pytest.fixture(params=["api", "consumer", "archiver", "operator"])
def process(request: pytest.FixtureRequest) -> str:
    """Each process that has a role."""
    name: str = request.param
    return name


@pytest.fixture
def calls(lines: list[tuple[str, str, str, str]], process: str) -> set[Call]:
    """What a process called."""
    found = calls_of(lines, f"{NAMES.prefix}-{process}", NAMES.stream)
    return {call for call in found if process != "operator" or call not in TERRAFORMS}


def test_whatever_is_called_is_allowed(policies: Mapping[str, Any], calls: set[Call], process: str) -> None:
    """No call of the running system would be refused on AWS."""
    assert calls
    assert not missing(policies[process], calls)


def test_whatever_is_allowed_is_called(policies: Mapping[str, Any], calls: set[Call], process: str) -> None:
    """But for the few that NOT_SEEN gives reasons for, each of which is still allowed."""
    assert not unused(policies[process], calls, NOT_SEEN[process].keys())


def test_one_action_less_is_noticed(policies: Mapping[str, Any], calls: set[Call], process: str) -> None:
    """Whichever it is."""
    for doctored in _each_with_one_less(policies[process]):
        assert missing(doctored, calls) or unused(doctored, calls, NOT_SEEN[process].keys())


def test_one_action_more_is_noticed(policies: Mapping[str, Any], calls: set[Call], process: str) -> None:
    """In whichever statement it is."""
    for number in range(len(policies[process]["Statement"])):
        doctored = copy.deepcopy(policies[process])
        doctored["Statement"][number]["Action"] = [*_actions(doctored["Statement"][number]), "dynamodb:DeleteTable"]
        assert unused(doctored, calls, NOT_SEEN[process].keys())


def test_the_consumer_may_write_its_restarts_and_not_the_pointer(policies: Mapping[str, Any]) -> None:
    """They are items of one table, told apart by their key. Of the pointer it may take a promote's mark away, no more."""
    found = {one.get("Sid"): one for one in policies["consumer"]["Statement"]}
    assert found["KeepRestarts"]["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "supervisor#*"}}
    assert found["TakeBackPromotes"]["Action"] == "dynamodb:UpdateItem"
    assert found["TakeBackPromotes"]["Condition"] == {
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "live", "dynamodb:Attributes": ["name", "next"]}
    }


def test_an_archiver_may_list_get_and_put(policies: Mapping[str, Any]) -> None:
    """And read the stream: nothing of it deletes, and none of the tables is its business."""
    assert set(allowed(policies["archiver"])) == {
        *(Call(f"kinesis:{action}", NAMES.stream) for action in KINESIS_READS),
        Call("s3:ListBucket", ARCHIVE),
        *(Call(f"s3:{action}", f"{ARCHIVE}/{part}/*") for action in ("GetObject", "PutObject") for part in ("log", "state")),
    }


def test_the_archive_keeps_its_log_from_everybody(plans: Mapping[str, dict[str, Any]]) -> None:
    """Nobody deletes of it, nobody puts into it without If-None-Match; states are overwritten and days replaced."""
    guards = planned(plans["environment"], "aws_s3_bucket_policy")
    statements = json.loads(guards["module.archive[0].aws_s3_bucket_policy.archive"]["policy"])["Statement"]
    assert all((statement["Effect"], statement["Principal"]) == ("Deny", "*") for statement in statements)
    keeping = [statement for statement in statements if statement["Sid"] != "TlsOnly"]
    assert {statement["Resource"] for statement in keeping} == {f"arn:aws:s3:::{ARCHIVE}/log/*"}
    found = {tuple(sorted(_actions(statement))): statement.get("Condition") for statement in keeping}
    assert found == {
        ("s3:DeleteObject", "s3:DeleteObjectVersion"): None,
        ("s3:PutObject",): {"Null": {"s3:if-none-match": "true"}},
    }


def test_fargates_agent_may_fetch_the_image_and_write_the_logs(policies: Mapping[str, Any]) -> None:
    """No process has these rights, and the agent has no others."""
    groups = {f"/{NAMES.prefix}/{process}" for process in ("api", "archiver", "canary", "consumer", "operator")}
    assert {call.action for call in allowed(policies["execution"])} == {
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream", "logs:PutLogEvents",
        "secretsmanager:GetSecretValue",  # the canary's keys, which it hands over when it starts one
    }  # fmt: skip
    (arns,) = (statement["Resource"] for statement in policies["execution"]["Statement"] if statement["Sid"] == "WriteLogs")
    assert set(arns) == {f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{group}:log-stream:*" for group in groups}


def _each_with_one_less(policy: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for number, statement in enumerate(policy["Statement"]):
        for action in _actions(statement):
            doctored = copy.deepcopy(dict(policy))
            doctored["Statement"][number]["Action"] = [other for other in _actions(statement) if other != action]
            yield doctored


def _actions(statement: Mapping[str, Any]) -> list[str]:
    actions = statement["Action"]
    return actions if isinstance(actions, list) else [actions]

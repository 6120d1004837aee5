"""The first keys: made once, handed to secrets and to nobody else."""

import io
import json
from typing import Any

import pytest

from infra import rollout
from infra.first_keys import fill, main
from operations.canary import SENSOR
from telemetry.keys import Key, Role, parse_key
from tests.producer_api.keys.table import MemoryTable

WANTED = {"admin-key": "t-prod-admin-key", "canary-keys": "t-prod-canary-keys"}


class Manager:
    """Secrets Manager with Terraform's secrets in it, which have no value yet."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def describe_secret(self, **asked: str) -> dict[str, Any]:
        name = asked["SecretId"]
        return {"VersionIdsToStages": {"one": ["AWSCURRENT"]}} if name in self.values else {}

    def put_secret_value(self, **given: str) -> None:
        self.values[given["SecretId"]] = given["SecretString"]


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


def key_of(table: MemoryTable, text: str) -> Key:
    """The key that a text opens."""
    credential = parse_key(text)
    assert credential
    key = table.keys[credential.key_id]
    assert key.opened_by(credential.digest, 0)
    return key


def test_a_person_gets_an_admin_key_and_the_canary_two_that_do_no_more_than_it_does(table: MemoryTable) -> None:
    """They open, for these roles and sensors."""
    manager = Manager()
    assert fill(manager, table.add, WANTED, 1_000) == list(WANTED.values())
    admin = key_of(table, manager.values["t-prod-admin-key"])
    assert (admin.role, admin.created_s) == (Role.ADMIN, 1_000)
    canarys = json.loads(manager.values["t-prod-canary-keys"])
    stores, asks = (key_of(table, canarys[name]) for name in ("API_KEY", "API_READ_KEY"))
    assert (stores.role, stores.patterns) == (Role.INGEST, (SENSOR,))
    assert (asks.role, asks.covers_all) == (Role.READ, True)


def test_secrets_that_have_keys_are_left_alone(table: MemoryTable) -> None:
    """Whoever replaced or revoked one meant it: the next deployment changes nothing."""
    manager = Manager()
    fill(manager, table.add, WANTED, 0)
    before = dict(manager.values)
    table.keys.clear()
    assert fill(manager, table.add, WANTED, 0) == []
    assert (manager.values, table.keys) == (before, {})


def test_one_that_was_interrupted_goes_on(table: MemoryTable) -> None:
    """With the secrets that are still empty."""
    manager = Manager()
    fill(manager, table.add, {"admin-key": WANTED["admin-key"]}, 0)
    assert fill(manager, table.add, WANTED, 0) == [WANTED["canary-keys"]]


def test_where_there_are_no_keys_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Terraform's output is null there."""
    monkeypatch.setattr("sys.stdin", io.StringIO("null"))
    monkeypatch.setattr("infra.first_keys.secrets_client", lambda _: pytest.fail("asked"))
    main()
    assert capsys.readouterr().out == "nothing: filled with first keys\n"


def test_where_terraform_said_nothing_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without a state gives an empty pipe, to the roll-out as well."""
    for run in (main, rollout.main):
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        with pytest.raises(SystemExit, match="is not Terraform's output"):
            run()

"""The table of keys, in memory and in DynamoDB: both do the same."""

from dataclasses import replace

import pytest

from telemetry.key_table import KeyTable
from telemetry.keys import Credential, Key, Role
from tests.producer_api.keys.table import MemoryTable
from tests.support.stack import Stack

OLD, NEW = Credential("key00001", "a" * 30), Credential("key00001", "b" * 30)
KEY = Key(
    "key00001", Role.INGEST, OLD.digest, 1_700_000_000, ("hall-*", "Käse"), 1_800_000_000, rate=2.5, burst=25, note="the hall"
)

type Table = KeyTable | MemoryTable


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> Table:
    """An empty one."""
    if request.param == "memory":
        return MemoryTable()
    stack: Stack = request.getfixturevalue("stack")
    made = KeyTable(stack.dynamodb, stack.names.keys)
    for key in made.all():
        made.revoke(key.key_id)
    return made


def test_a_key_is_found_as_it_was_stored(table: Table) -> None:
    """All of it; with an end and without."""
    assert table.find(KEY.key_id) is None
    assert table.add(KEY)
    assert table.find(KEY.key_id) == KEY
    other = replace(KEY, key_id="key00002", role=Role.ADMIN, patterns=("*",), expires_s=None, rate=0, burst=0, note="")
    assert table.add(other)
    assert sorted(table.all(), key=lambda key: key.key_id) == [KEY, other]


def test_an_id_is_given_once(table: Table) -> None:
    """A key is never written over."""
    assert table.add(KEY)
    assert not table.add(replace(KEY, role=Role.ADMIN))
    assert table.find(KEY.key_id) == KEY


def test_a_key_gets_another_secret_and_keeps_the_one_before_for_a_while(table: Table) -> None:
    """All else stays."""
    table.add(KEY)
    assert table.rotate(KEY, NEW.digest, 1_700_000_100)
    assert table.find(KEY.key_id) == replace(KEY, digest=NEW.digest, old_digest=OLD.digest, old_until_s=1_700_000_100)


def test_what_somebody_else_changed_meanwhile_is_not_changed(table: Table) -> None:
    """Two who rotate at once cannot both believe that theirs is the key's secret."""
    table.add(KEY)
    assert table.rotate(KEY, NEW.digest, 1)
    assert not table.rotate(KEY, bytes(32), 1)


def test_a_revoked_key_is_gone_and_its_use_does_not_bring_it_back(table: Table) -> None:
    """Nor does a second revocation find it."""
    table.add(KEY)
    table.note_use(KEY.key_id, "2026-11-26")
    assert table.find(KEY.key_id) == replace(KEY, used_on="2026-11-26")
    assert table.revoke(KEY.key_id)
    table.note_use(KEY.key_id, "2026-11-27")
    assert table.find(KEY.key_id) is None
    assert not table.revoke(KEY.key_id)

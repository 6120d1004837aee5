"""`telemetry keys`: what is printed, once, and what is stored."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner, Result

from cli import keys as module
from cli.main import telemetry
from telemetry.keys import Role, parse_key
from tests.producer_api.keys.table import MemoryTable


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> MemoryTable:
    """A table in memory."""
    made = MemoryTable()

    @contextmanager
    def opened() -> Iterator[MemoryTable]:
        yield made

    monkeypatch.setattr(module, "_table", opened)
    return made


def run(*words: str) -> Result:
    """A command."""
    return CliRunner().invoke(telemetry, ["keys", *words])


def made(*words: str) -> str:
    """The key that a command printed."""
    done = run(*words)
    assert done.exit_code == 0, done.output
    [text] = done.stdout.splitlines()
    return text


def test_a_new_key_is_printed_once_and_its_secret_is_not_stored(table: MemoryTable) -> None:
    """Alone on standard output, so that it can be piped into a secret store."""
    text = made(
        *[
            "new",
            "--role",
            "ingest",
            "--sensors",
            "hall-*",
            "--sensors",
            "cellar",
            "--rate",
            "100",
            "--expires",
            "90d",
            "--note",
        ],
        "the hall",
    )
    credential = parse_key(text)
    assert credential
    key = table.keys[credential.key_id]
    assert key.opened_by(credential.digest, 0)
    assert credential.secret.encode() not in repr(key).encode()
    assert (key.role, key.patterns, key.rate, key.burst, key.note) == (Role.INGEST, ("hall-*", "cellar"), 100, 1000, "the hall")
    assert key.expires_s == key.created_s + 90 * 86_400
    for command in (["list"], ["show", key.key_id]):
        told = run(*command)
        assert "hall-*" in told.output
        assert credential.secret not in told.output


@pytest.mark.parametrize(
    "words",
    [
        "new",
        "new --role chief",
        "new --role read --sensors a*b",
        "new --role admin --sensors hall-*",
        "new --role read --rate 5",
        "new --role read --expires 5",
        "new --role read --expires 0d",
        "share",
        "rotate",
    ],
)
def test_what_makes_no_sense_is_refused(table: MemoryTable, words: str) -> None:
    """Status 2, and nothing is stored."""
    assert run(*words.split()).exit_code == 2
    assert not table.keys


def test_a_key_is_rotated_with_two_secrets_for_a_while(table: MemoryTable) -> None:
    """So that its users change one after the other."""
    old = parse_key(made("new", "--role", "read"))
    assert old
    new = parse_key(made("rotate", old.key_id, "--grace", "1h"))
    assert new
    assert new.key_id == old.key_id
    key = table.keys[old.key_id]
    until_s = key.old_until_s
    assert key.opened_by(new.digest, until_s)
    assert key.opened_by(old.digest, until_s - 1)
    assert not key.opened_by(old.digest, until_s)


def test_a_link_opens_the_pages_with_a_key_to_read(table: MemoryTable) -> None:
    """In its fragment, which browsers send to nobody."""
    link = made("share", "--sensors", "hall-*", "--expires", "7d", "--url", "https://telemetry.example/")
    match = re.fullmatch(r"https://telemetry\.example/#key=(tlm_\w+)", link)
    assert match
    credential = parse_key(match[1])
    assert credential
    key = table.keys[credential.key_id]
    assert (key.role, key.patterns, key.note) == (Role.READ, ("hall-*",), "shared link")


def test_a_key_is_revoked_by_its_id_and_others_are_named(table: MemoryTable) -> None:
    """There is no way back."""
    credential = parse_key(made("new", "--role", "read"))
    assert credential
    assert run("revoke", credential.key_id).exit_code == 0
    assert not table.keys
    for command in ("revoke", "show", "rotate"):
        told = run(command, credential.key_id)
        assert told.exit_code == 1
        assert "There is no key" in told.output


def test_keys_that_nobody_uses_are_marked(table: MemoryTable) -> None:
    """And those that have expired."""
    table.make("old", Role.READ)
    table.make("done", Role.READ, expires_s=5, used_on="2999-01-01")
    lines = {line.split()[0]: line for line in run("list").output.splitlines()}
    assert "UNUSED FOR 90 DAYS" in lines["old00000"]
    assert "EXPIRED" in lines["done0000"]
    assert "UNUSED" not in lines["done0000"]

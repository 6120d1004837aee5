"""Keys: their form, what they allow, and what tells them from one another."""

import secrets
import string
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.keys import Credential, Key, Role, new_id, new_secret, parse_key, parse_pattern, redacted

MADE = Credential("AbCdEf01", "0123456789ABCDEFGHIJabcdefghij")
SIGNS = string.digits + string.ascii_letters


def key(*patterns: str, **changed: Any) -> Key:
    """A key for these sensors."""
    return replace(Key(MADE.key_id, Role.INGEST, MADE.digest, 0, patterns), **changed)


def test_a_key_is_read_as_it_was_written() -> None:
    """49 characters; its id is seen, its secret is random."""
    text = MADE.text
    assert (len(text), text[:13], parse_key(text)) == (49, "tlm_AbCdEf01_", MADE)
    fresh = {Credential(new_id(secrets.choice), new_secret(secrets.choice)).text for _ in range(50)}
    assert len(fresh) == 50
    assert all(parse_key(one) for one in fresh)


@given(st.integers(0, 48), st.sampled_from(SIGNS))
def test_a_typo_is_told_without_asking_anybody(place: int, sign: str) -> None:
    """Any single character, wherever it stands."""
    text = MADE.text
    if text[place] != sign:
        assert parse_key(text[:place] + sign + text[place + 1 :]) is None


@pytest.mark.parametrize("text", ["", "tlm_", MADE.text[:-1], MADE.text + "0", " " + MADE.text, MADE.text.lower(), "x" * 49])
def test_junk_is_no_key(text: str) -> None:
    """Nor is part of one."""
    assert parse_key(text) is None


def test_a_secret_opens_its_key_and_the_one_before_for_a_while() -> None:
    """And no other."""
    old = Credential(MADE.key_id, "x" * 30)
    rotated = key("*", old_digest=old.digest, old_until_s=100)
    assert rotated.opened_by(MADE.digest, 1e9)
    assert rotated.opened_by(old.digest, 99.9)
    assert not rotated.opened_by(old.digest, 100)
    assert not key("*").opened_by(bytes(32), 0)
    assert not key("*").opened_by(old.digest, 0)


def test_a_key_expires_to_the_second() -> None:
    """One without an end never does."""
    assert not key("*").expired(1e12)
    assert not key("*", expires_s=10).expired(9.9)
    assert key("*", expires_s=10).expired(10)


@pytest.mark.parametrize(
    ("patterns", "covered", "foreign"),
    [
        (["hall-1"], ["hall-1"], ["hall-10", "hall-", "Hall-1"]),
        (["hall-*", "cellar"], ["hall-", "hall-10", "cellar"], ["hall", "cellar-1", ""]),
        (["*"], ["", "anything", "東"], []),
        ([], [], ["anything"]),
    ],
)
def test_a_key_covers_what_its_patterns_name(patterns: list[str], covered: list[str], foreign: list[str]) -> None:
    """An id, or a beginning."""
    assert [one for one in covered + foreign if key(*patterns).covers(one)] == covered


def test_a_list_is_covered_when_all_that_may_be_in_it_is() -> None:
    """By one beginning."""
    assert key("hall-*").covers_prefix("hall-1")
    assert key("*").covers_prefix("")
    assert not any(key("hall-*", "cellar").covers_prefix(prefix) for prefix in ("hall", "", "cellar"))


@pytest.mark.parametrize(("text", "pattern"), [(" hall-* ", "hall-*"), ("*", "*"), ("202", "202"), ("Ka\u0308se*", "Käse*")])
def test_patterns_are_normalised_as_ids_are(text: str, pattern: str) -> None:
    """Else what is typed would never fit."""
    assert parse_pattern(text) == pattern


@pytest.mark.parametrize("text", ["", " ", "a*b", "**", "a\u200b*", "x" * 300])
def test_other_patterns_are_refused(text: str) -> None:
    """With a text."""
    with pytest.raises(ValueError, match=r"Expected|cannot be blank"):
        parse_pattern(text)


@pytest.mark.parametrize("text", ["room 1 *", "room 1 * ", "room\t*", "room\u00a0*", "\u3000 a *"])
def test_a_beginning_ends_with_no_blank(text: str) -> None:
    """`room 1 *` would be kept as `room 1*`, which is for `room 10` as well."""
    with pytest.raises(ValueError, match="Expected no blank before the \\*"):
        parse_pattern(text)
    assert parse_pattern("room 1*") == "room 1*"


def test_texts_are_told_without_the_keys_in_them() -> None:
    """Which keys they were still can be seen."""
    texts = [f"GET /?key={MADE.text}&x", f"not '{MADE.text[:32]}'", MADE.text[:14], "no key"]
    assert redacted(texts) == ["GET /?key=tlm_AbCdEf01_…&x", "not 'tlm_AbCdEf01_…'", "tlm_AbCdEf01_…", "no key"]

"""The search for keys in logs, which the end of every run makes, finds what it is made for."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from telemetry.keys import Credential
from tests.support.secrets import leaks, logs_below

KEY = Credential("AbCdEf01", "0123456789ABCDEFGHIJabcdefghij").text


@pytest.fixture
def folder() -> Iterator[Path]:
    """Gone before the run ends, which would find what lies here."""
    with TemporaryDirectory() as name:
        yield Path(name)


def test_a_whole_key_is_found_and_told_by_its_id(folder: Path) -> None:
    """In any log, between anything; what only looks like one, or says which key it was, is none."""
    for name, text in (
        ("leaks.log", f'{{"event":"request_refused","path":"/write?p={KEY}"}}\n'),
        ("deep/also.log", f"x{KEY}\n{KEY}"),
        ("fine.log", f"tlm_AbCdEf01_… {KEY[:-1]} {KEY[:-1]}x tlm_"),
        ("page.html", KEY),
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    found = leaks(logs_below(folder))
    assert found == [f"{folder / 'deep/also.log'}: AbCdEf01", f"{folder / 'leaks.log'}: AbCdEf01"]
    assert not any(KEY[13:43] in line for line in found)

"""Lines that change on a terminal, and lines of a file."""

import os

import pytest

from cli.showing import Lines


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test lets pass."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    return now


def test_a_line_takes_the_place_of_the_one_before(monkeypatch: pytest.MonkeyPatch, now_s: list[float]) -> None:
    """Also of one that was wider than the terminal; twice a second at most."""
    said: list[str] = []
    monkeypatch.setattr("cli.showing._is_terminal", lambda: True)
    monkeypatch.setattr("click.echo", lambda text, **_: said.append(text))
    lines = Lines()
    for text in ("a" * 80, "b" * 81, "c", "never shown"):
        now_s[0] += 0.5 if text != "never shown" else 0.1
        lines.show(None, lambda text=text: text)  # type: ignore[misc]
    lines.clear()
    assert said == [f"\r\x1b[K{'a' * 80}", f"\r\x1b[K{'b' * 81}", "\x1b[1A\r\x1b[Jc", "\r\x1b[K"]


def test_a_file_has_a_line_when_its_gist_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], now_s: list[float]
) -> None:
    """And now and then."""
    monkeypatch.setattr("cli.showing._is_terminal", lambda: False)
    lines = Lines()
    for gist, text in (("filling", "1"), ("filling", "2"), ("ready", "3"), ("ready", "4")):
        now_s[0] += 1
        lines.show(gist, lambda text=text: text)  # type: ignore[misc]
    now_s[0] += 30
    lines.show("ready", lambda: "5")
    lines.clear()
    assert capsys.readouterr().err == "1\n3\n5\n"

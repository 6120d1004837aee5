"""`make run`: what the whole of it does is tested in tests/end_to_end/."""

import os
import signal
from collections.abc import Iterator

import pytest

from infra.local import run


@pytest.fixture
def signals() -> Iterator[None]:
    """Handlers are as they were, afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_a_signal_stops_it_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within a call that takes any exception for a failure and tries again, as boto3's do."""

    def ask(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it went on")

    monkeypatch.setattr(run, "_run", ask)
    assert run.main() == 0
    assert not issubclass(run._StopError, Exception)

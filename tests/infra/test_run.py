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

    def swallow(*_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except Exception:  # noqa: BLE001  that is what is to be survived
            pytest.fail("the wish to stop was taken for a failure")

    monkeypatch.setattr(run, "_run", swallow)
    assert run.main() == 0

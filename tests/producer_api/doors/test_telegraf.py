"""Telegraf itself, with each of its outputs that leads here. `make test-senders` builds and tries it, which takes minutes."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from telemetry.keys import Role
from telemetry.reading import Reading
from tests.producer_api.doors.app import listening, stored
from tests.producer_api.fakes import FakeKinesis, refused_with, store_but_time_out
from tests.producer_api.keys.entrance import Entrance
from tests.support.telegraf import NotBuilt, ensure_telegraf
from tests.support.waiting import eventually

AT_NS = 1_732_545_600_123_456_789
AT_US = AT_NS // 1000
OUTPUTS = {
    "influxdb_v2": 'urls = ["{url}"]\ntoken = "{key}"\norganization = "any"\nbucket = "any"',
    "influxdb": 'urls = ["{url}"]\ndatabase = "any"\nskip_database_creation = false\npassword = "{key}"\nusername = "any"',
    "http": 'url = "{url}/api/temperature/batch"\nmethod = "POST"\ndata_format = "cloudevents"\n'
    '[outputs.http.headers]\nContent-Type = "application/cloudevents-batch+json"\nX-API-Key = "{key}"',
}

type Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def telegraf() -> Path:
    """The program."""
    if not os.environ.get("SENDERS"):
        pytest.skip("Telegraf is built in minutes: make test-senders does it")
    try:
        return ensure_telegraf()
    except NotBuilt as reason:
        pytest.skip(f"Telegraf is not tried: {reason}")


def configured(folder: Path, output: str, url: str, lines: list[str], key: str) -> Path:
    """Telegraf's configuration, that reads these lines once a second."""
    (folder / "lines").write_text("\n".join(lines) + "\n")
    config = folder / "telegraf.conf"
    config.write_text(
        '[agent]\ninterval = "1s"\nflush_interval = "1s"\nflush_jitter = "0s"\nprecision = "1ns"\n'
        "omit_hostname = true\nmetric_batch_size = 100\n"
        f'[[inputs.file]]\nfiles = [{json.dumps(str(folder / "lines"))}]\ndata_format = "influx"\n'
        f"[[outputs.{output}]]\n" + OUTPUTS[output].format(url=url, key=key) + "\n"
    )
    return config


@contextmanager
def running(telegraf: Path, config: Path) -> Iterator[Path]:
    """Telegraf as it runs on a machine; its log."""
    log = config.with_name("log")
    with log.open("wb") as out:
        process = subprocess.Popen([telegraf, "--config", config], stdout=out, stderr=out)
    try:
        yield log
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("output", OUTPUTS)
def test_readings_arrive_exactly(telegraf: Path, tmp_path: Path, output: str) -> None:
    """With a key, and among metrics that are none of our business."""
    kinesis, entrance = FakeKinesis(), Entrance()
    key = entrance.table.make("telegraf", Role.INGEST)
    lines = [
        f"temperature,sensorId=hall\\ 1 value=21.15 {AT_NS}",
        f"mqtt_consumer,device=attic temperature=-0.1,battery=80i {AT_NS}",
        f"cpu,host=pi usage_idle=97.5 {AT_NS}",
    ]
    with listening(kinesis, gate=entrance.gate) as address:
        config = configured(tmp_path, output, address, lines, key)
        done = subprocess.run([telegraf, "--config", config, "--once"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert stored(kinesis) == [Reading(AT_US, "attic", -100_000), Reading(AT_US, "hall 1", 21_150_000)]
    assert " E! " not in done.stderr, done.stderr


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("fault", [store_but_time_out, refused_with("AccessDeniedException")])
def test_what_is_503_comes_again_and_counts_once(
    telegraf: Path, tmp_path: Path, output: str, fault: Callable[..., object]
) -> None:
    """Whether it was stored or not."""
    kinesis = FakeKinesis()
    kinesis.faults.extend([fault] * 3)  # type: ignore[list-item]
    line = f"temperature,sensorId=hall value=21.15 {AT_NS}"

    def there() -> None:
        assert len(kinesis.calls) > 4
        assert stored(kinesis)

    with listening(kinesis, deadline_s=0.5) as address:
        config = configured(tmp_path, output, address, [line], "")
        with running(telegraf, config):
            eventually(there, within_s=60)
    assert set(stored(kinesis)) == {Reading(AT_US, "hall", 21_150_000)}


def test_what_is_400_is_dropped_and_the_good_lines_of_it_are_stored(telegraf: Path, tmp_path: Path) -> None:
    """By the output for InfluxDB 2, the one to use: it goes on with what comes next, and logs our reason."""
    kinesis = FakeKinesis()
    lines = [f"temperature,sensorId=hall value=21.15 {AT_NS}", f"temperature,sensorId=hall value=99999 {AT_NS}"]
    with listening(kinesis) as address, running(telegraf, configured(tmp_path, "influxdb_v2", address, lines, "")) as log:

        def dropped() -> None:
            assert "line 2: value: Expected" in log.read_text()

        eventually(dropped, within_s=60)
    assert set(stored(kinesis)) == {Reading(AT_US, "hall", 21_150_000)}


@pytest.mark.parametrize("output", OUTPUTS)
def test_without_a_key_nothing_is_stored(telegraf: Path, tmp_path: Path, output: str) -> None:
    """401; which of them keep it until a key is there, docs/devices.md says."""
    kinesis, entrance = FakeKinesis(), Entrance()
    answers: Counter[str] = Counter()
    with listening(kinesis, gate=entrance.gate) as address:
        config = configured(tmp_path, output, address, [f"temperature,sensorId=hall value=1 {AT_NS}"], "tlm_no_key")
        done = subprocess.run([telegraf, "--config", config, "--once"], capture_output=True, text=True, check=False, timeout=60)
    answers.update(word for word in done.stderr.split() if word.strip("[]:().") in ("401", "Unauthorized"))
    assert answers, done.stderr
    assert not stored(kinesis)

"""Settings: defaults, the environment, and all mistakes at once."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from telemetry.errors import InvalidSettings
from telemetry.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    """Those of the original, and nothing that is open to the network."""
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert (settings.prefix, settings.host, settings.port) == ("telemetry-dev", "127.0.0.1", 8080)
    assert (settings.put_in_flight_max, settings.put_deadline_s) == (4, 5)
    assert (settings.temperature_min, settings.temperature_max) == (Decimal("-273.15"), Decimal(10_000))
    assert settings.clock_skew_h_max == 24
    assert settings.aws_endpoint_url is None


def test_a_variable_is_the_settings_name_in_upper_case() -> None:
    """Numbers are parsed, decimals exactly; other variables are none of ours."""
    settings = Settings.from_environment({"PORT": "0", "TEMPERATURE_MAX": "99.9", "PREFIX": "t-1", "HOME": "/", "port": "1"})
    assert (settings.port, settings.temperature_max, settings.prefix) == (0, Decimal("99.9"), "t-1")


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    """As compose files and CI systems pass them."""
    assert Settings.from_environment({"PORT": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": ""}) == Settings()


@pytest.mark.parametrize(
    ("environ", "region"),
    [
        ({}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "us-east-2"}, "us-east-2"),
        ({"AWS_REGION": "eu-north-1"}, "eu-north-1"),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "us-east-2"}, "eu-north-1"),
    ],
    ids=["neither", "default", "region", "both"],
)
def test_the_region_is_found_under_either_of_its_names(environ: dict[str, str], region: str) -> None:
    """AWS_REGION goes first, as in AWS's own SDKs of today."""
    assert Settings.from_environment(environ).aws_region == region


@pytest.mark.parametrize(
    ("environ", "worker_id"),
    [
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/0123abcd-4567"}, "0123abcd-4567"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/0123abcd-4567/"}, "0123abcd-4567"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/0123abcd-4567", "WORKER_ID": "mine"}, "mine"),
    ],
    ids=["ecs", "slash", "given"],
)
def test_a_worker_on_ecs_is_named_after_its_container(environ: dict[str, str], worker_id: str) -> None:
    """Two tasks of one service share their environment, but may not share a name."""
    assert Settings.from_environment(environ).worker_id == worker_id


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str | None], str]:
    """What a consumer without a name is called on a host of this name and machine id."""

    def name(host: str, machine: str | None) -> str:
        path = tmp_path / "machine-id"
        path.unlink(missing_ok=True)
        if machine:
            path.write_text(f"{machine}\n")
        monkeypatch.setattr("telemetry.processes._MACHINE_ID", path)
        monkeypatch.setattr("socket.gethostname", lambda: host)
        return Settings.from_environment({"WORKER_ID": ""}).worker_id

    return name


def test_s10_a_worker_without_a_name_is_named_after_its_host(host: Callable[[str, str | None], str]) -> None:
    """Unique a host, also among hosts of one name, and the same after each start; a name that KCL and file names can hold."""
    hosts = [("localhost", "1a"), ("localhost", "2b"), ("sensor_1", "1a"), ("a" * 200, "1a"), ("Küche.local", None)]
    names = [host(*one) for one in hosts]
    assert names == [host(*one) for one in hosts]
    assert len(set(names)) == len(names)
    assert all(Settings(worker_id=name).worker_id == name for name in names)
    assert names[0].startswith("worker-localhost-")


def test_s10_whatever_makes_the_settings_a_worker_has_a_name() -> None:
    """Settings made by hand are named as well."""
    assert Settings().worker_id == Settings.from_environment({}).worker_id != ""


def test_all_mistakes_are_told_at_once_with_their_fixes() -> None:
    """Each with its variable, its value and what the setting is for."""
    environ = {"PORT": "70000", "PREFIX": "no spaces", "TEMPERATURE_MAX": "hot", "LOG_LEVEL": "loud", "HOST": "127.0.0.1"}
    with pytest.raises(InvalidSettings) as refused:
        Settings.from_environment(environ)
    first, *mistakes = str(refused.value).splitlines()
    assert first == "These settings cannot be used:"
    assert [mistake.split(":")[0].strip() for mistake in mistakes] == [
        "PREFIX='no spaces'",
        "LOG_LEVEL='loud'",
        "PORT='70000'",
        "TEMPERATURE_MAX='hot'",
    ]
    assert mistakes[2].endswith("less than or equal to 65535. The port the API listens on.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUT_DEADLINE_S", "0"),
        ("PUT_DEADLINE_S", "nan"),
        ("PUT_IN_FLIGHT_MAX", "0"),
        ("PUT_IN_FLIGHT_MAX", "2.5"),
        ("QUEUE_EVENTS_MAX", "-1"),
        ("CLOCK_SKEW_H_MAX", "inf"),
        ("TEMPERATURE_MIN", "-274"),
        ("TEMPERATURE_MIN", "NaN"),
        ("AWS_ENDPOINT_URL", "localhost:4566"),
        ("AWS_REGION", "Ireland, West"),
        ("PREFIX", "telemetry\n"),
        ("PREFIX", "a" * 65),
        ("STORE_RETRY_S", "60"),
        ("WORKER_ID", "a b"),
    ],
)
def test_a_setting_beyond_its_bounds_is_refused_by_name(name: str, value: str) -> None:
    """Before anything is started with it."""
    with pytest.raises(InvalidSettings, match=f"{name}="):
        Settings.from_environment({name: value})


def test_settings_cannot_be_changed() -> None:
    """One object for the life of a process."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_every_setting_says_what_it_is_for() -> None:
    """The text stands beside each mistake and in the documentation."""
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


def test_limits_that_leave_no_room_are_refused() -> None:
    """Every reading would be."""
    with pytest.raises(InvalidSettings, match="TEMPERATURE_MIN is above TEMPERATURE_MAX"):
        Settings.from_environment({"TEMPERATURE_MIN": "30", "TEMPERATURE_MAX": "20"})

"""Clients say their time-outs and attempts out loud."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from telemetry.aws import dynamodb_client, kinesis_client
from telemetry.settings import Settings

SETTINGS = Settings(aws_endpoint_url="http://127.0.0.1:9", aws_region="eu-north-1")


@pytest.mark.parametrize("client", [kinesis_client, dynamodb_client])
def test_a_client_gives_up_in_seconds_not_minutes(client: Callable[..., Any]) -> None:
    """1 s to connect, 2 s to read, as many attempts as asked for; boto3's defaults are 60 s, 60 s and five."""
    with closing(client(SETTINGS, attempts=1, pool=7)) as made:
        config = made.meta.config
        assert (config.connect_timeout, config.read_timeout) == (1, 2)
        assert config.retries == {"mode": "standard", "total_max_attempts": 1}
        assert config.max_pool_connections == 7


@pytest.mark.parametrize("client", [kinesis_client, dynamodb_client])
def test_a_client_goes_where_the_settings_say(client: Callable[..., Any]) -> None:
    """Address and region; three attempts when nothing else is said."""
    with closing(client(SETTINGS)) as made:
        assert made.meta.endpoint_url == "http://127.0.0.1:9"
        assert made.meta.region_name == "eu-north-1"
        assert made.meta.config.retries["total_max_attempts"] == 3

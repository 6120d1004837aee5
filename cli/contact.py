"""The settings of this shell, and the first word with AWS: within seconds a person knows whether anybody is there."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from cli.failures import told
from replay.stream import Stretch, look_at
from telemetry.aws import kinesis_client
from telemetry.names import ResourceNames
from telemetry.settings import Settings

CONTACT_PATIENCE_S: Final = 3.0
"""Whoever has not answered at all by then is not there: a person waits for that, not for an outage to pass."""


@contextmanager
def contact(status: int = 1) -> Iterator[tuple[Settings, ResourceNames, Stretch]]:
    """Settings, names, and what the stream holds now.

    Whatever fails there or inside ends the command with one sentence, and this status.
    """
    with told(status=status):
        settings = Settings.from_environment(os.environ)
    with told(settings, status):
        names = ResourceNames(settings.prefix)
        with closing(kinesis_client(settings, attempts=1)) as kinesis:
            stretch = look_at(kinesis, names.stream, CONTACT_PATIENCE_S)
        yield settings, names, stretch

"""What is taken of the user's shell, by what runs and by what installs; nothing else of it reaches either.

A shell holds what its owner's other work needs: a proxy, an AWS profile, options for Java. They would keep our processes from
each other on loopback, or change what they do from one machine to the next.
"""

import os
import re
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from telemetry.settings import Settings

_MACHINE = ("PATH", "HOME", "TMPDIR")
_OWN = ("DEMO", "FRESH", "LOCALSTACK_PORT", *(name.upper() for name in Settings.model_fields if not name.startswith("aws_")))
_ELSEWHERE = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
_NO_FILES = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""SDKs look for files in HOME, and ask a machine at EC2 who it is, even where no variable says so."""

_INSTALLING = re.compile(
    "|".join(re.escape(name).replace("%", ".+") for name in Path(__file__).with_name("installing.list").read_text().split()),
    re.IGNORECASE,
)
"""Names of proxy, certificate and package-index settings; the Makefile reads the list too. `%` stands for any text."""

_SHELL = dict(os.environ)
"""As this process found it."""

_lock = threading.RLock()


def machine(environ: Mapping[str, str]) -> dict[str, str]:
    """Where programs, home and temporary folder are, and no settings at all."""
    return {name: environ[name] for name in _MACHINE if environ.get(name)}


def aws(environ: Mapping[str, str]) -> dict[str, str]:
    """Where AWS is and who we are there: with AWS_ENDPOINT_URL what the variables beside it say, else nothing of the user's."""
    elsewhere = _ELSEWHERE if environ.get("AWS_ENDPOINT_URL") else ()
    return {**{name: environ[name] for name in elsewhere if environ.get(name)}, **_NO_FILES}


def for_running(environ: Mapping[str, str]) -> dict[str, str]:
    """All that a run takes of a shell."""
    return {**machine(environ), **{name: environ[name] for name in _OWN if environ.get(name)}, **aws(environ)}


def leave_alone(environ: MutableMapping[str, str]) -> None:
    """Take out what would reach the AWS and HTTP clients of this process, and leave the rest as it is: for the tests' own."""
    kept = aws(environ)
    for name in [name for name in environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        del environ[name]
    environ.update(kept)


def for_installing(environ: Mapping[str, str]) -> dict[str, str]:
    """All that an installation takes of a shell."""
    return {**machine(environ), **{name: value for name, value in environ.items() if _INSTALLING.fullmatch(name)}}


@contextmanager
def installing() -> Iterator[None]:
    """For the block, `os.environ` is what installs, whatever has been taken out of it since this process began."""
    with _lock:
        before = dict(os.environ)
        _replace(for_installing({**_SHELL, **before}))
        try:
            yield
        finally:
            _replace(before)


def _replace(environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)

"""What went wrong, in one sentence that names the fix, and the statuses the commands exit with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from telemetry.errors import LogLacks, StreamMissing, TelemetryError
from telemetry.settings import Settings

FOUND = 1
"""Something is not as it should be."""
NOTHING_MATCHED = 3
REFUSED = 4
"""Some readings were refused, and will be whenever they are sent."""
DIFFERENT = 4
"""What is stored is not what the log says."""
GAP = 5
"""What was asked is not all there, or may not be; or it could not be looked at."""
INTERRUPTED = 130
"""As shells count it: 128 and the number of SIGINT."""


@contextmanager
def told(settings: Settings | None = None, status: int = 1) -> Iterator[None]:
    """Whatever fails inside ends the command with one sentence and a status: Ctrl-C with 130, what the log lacks with 5."""
    try:
        yield
    except (TelemetryError, ClientError, BotoCoreError, OSError) as error:
        click.ClickException(sentence(error, settings)).show()
        sys.exit(GAP if isinstance(error, LogLacks) else status)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def sentence(error: Exception, settings: Settings | None) -> str:
    """What to tell a person about an error of ours or of boto3."""
    cause = error if isinstance(error, StreamMissing) else error.__cause__ or error
    if isinstance(cause, EndpointConnectionError | ConnectTimeoutError | ReadTimeoutError):
        return _nobody_answers(settings)
    if isinstance(cause, NoCredentialsError | PartialCredentialsError):
        return f"{cause} Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (a local run takes any keys)."
    if isinstance(cause, ClientError) and settings:
        code = cause.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            archived = " What is archived is read by telemetry replay --source archive." * bool(settings.archive_target)
            return f"There is no such stream or table; is PREFIX={settings.prefix} right? ({cause}){archived}"
        return f"AWS refused: {cause}"
    return str(error)


def _nobody_answers(settings: Settings | None) -> str:
    if settings and settings.aws_endpoint_url:
        return (
            f"Nobody answers at {settings.aws_endpoint_url}. Start the pipeline there (make run), "
            "or set AWS_ENDPOINT_URL to the address that it printed."
        )
    region = f" of {settings.aws_region}" if settings else ""
    return (
        f"AWS{region} does not answer. For a pipeline on this machine set AWS_ENDPOINT_URL to the address that "
        "make run printed; else look at the network and at AWS_REGION."
    )

"""Every aws command of the documents is one that its service knows, with parameters and values that it takes."""

import pytest

from tests.support.aws_commands import command_faults
from tests.tidy.test_documents import DOCUMENTS, commands

SHOWN = [(document, command) for document in DOCUMENTS for command in commands(document) if command.startswith("aws ")]


@pytest.mark.parametrize("document", sorted({document for document, _ in SHOWN}))
def test_every_command_is_known_to_its_service(document: str) -> None:
    """By the model that botocore ships."""
    assert not [(command, fault) for of, command in SHOWN if of == document for fault in command_faults(command)]


@pytest.mark.parametrize(
    "command",
    [
        "aws kinesys list-streams",
        "aws ecs start-services",
        "aws ecs wait services-ready --cluster c --services s",
        "aws ecs describe-services --services api --clusters c",
        "aws kinesis update-shard-count --stream-name s --scaling-type UNIFORM_SCALING",
        "aws kinesis update-shard-count --stream-name s --target-shard-count 2 --scaling-type UNIFORM",
        'aws dynamodb get-item --table-name t --key \'{"shard_id": {"X": "s"}}\'',
    ],
)
def test_what_aws_would_not_know_is_seen(command: str) -> None:
    """A service, a command, a wait, an option, a missing parameter, a value, a value within a value."""
    assert list(command_faults(command))

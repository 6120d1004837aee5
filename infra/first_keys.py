"""Makes the first keys of an environment on AWS; `python -m infra.first_keys` reads Terraform's output `first_keys`.

Terraform makes secrets without values. Each that still has none gets the keys that are made for it here: one for admin, with
which a person reads everything, and the canary's two. Others are made by whoever may write the table (`telemetry keys`).

A key is shown to nobody on the way, and a secret that has a value is left alone, so this runs after every apply. What the table
of keys has and a secret lacks, because somebody interrupted this, is a key that nobody knows: `telemetry keys list` shows it as
never used.
"""

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from infra.outputs import output
from operations.canary import SENSOR
from telemetry.aws import dynamodb_client, secrets_client
from telemetry.errors import InvalidSettings
from telemetry.key_table import KeyTable
from telemetry.keys import KEY_VARIABLE, READ_KEY_VARIABLE, Credential, Key, Role, new_id, new_secret
from telemetry.names import ResourceNames
from telemetry.settings import Settings

type Make = Callable[[Role, tuple[str, ...], str], str]
"""Makes a key for a role and some sensors, with a note; its text."""


def values(role: str, make: Make) -> str:
    """What a secret is to hold, by what Terraform calls it. Raises KeyError for one that is not known here."""
    fillers: dict[str, Callable[[], str]] = {
        "admin-key": lambda: make(Role.ADMIN, ("*",), "the first key"),
        "canary-keys": lambda: json.dumps(
            {
                KEY_VARIABLE: make(Role.INGEST, (SENSOR,), "canary: stores"),
                READ_KEY_VARIABLE: make(Role.READ, ("*",), "canary: asks"),
            }
        ),
    }
    return fillers[role]()


def fill(manager: Any, add: Callable[[Key], bool], wanted: Mapping[str, str], now_s: int) -> list[str]:
    """Give each secret its keys that has none; the names of those filled. `add` stores a key. Raises boto3's errors."""
    filled = []

    def make(role: Role, patterns: tuple[str, ...], note: str) -> str:
        credential = Credential(new_id(secrets.choice), new_secret(secrets.choice))
        if not add(Key(credential.key_id, role, credential.digest, now_s, patterns, note=note)):
            raise RuntimeError("an id was taken, which is next to impossible: run this again")
        return credential.text

    for role, name in wanted.items():
        if not manager.describe_secret(SecretId=name).get("VersionIdsToStages"):
            manager.put_secret_value(SecretId=name, SecretString=values(role, make))
            filled.append(name)
    return filled


def main() -> None:
    """Fill what standard input names, as Terraform's output `first_keys` has it: `null` where there are no keys."""
    wanted: Mapping[str, str] = output("first_keys", sys.stdin) or {}
    try:
        settings = Settings.from_environment(os.environ)
    except InvalidSettings as error:
        sys.exit(str(error))
    table = KeyTable(dynamodb_client(settings), ResourceNames(settings.prefix).keys)
    filled = fill(secrets_client(settings), table.add, wanted, int(time.time())) if wanted else []
    sys.stdout.write(f"{', '.join(filled) or 'nothing'}: filled with first keys\n")


if __name__ == "__main__":
    main()

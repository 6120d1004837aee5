"""P28: what keys cost a PUT, and what a key that sends too much costs the others."""

import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from benchmarks.figures import Figure, ratios
from benchmarks.rig import ROOT, Rig, Server, load
from telemetry.key_table import KeyTable
from telemetry.keys import KEY_VARIABLE, Credential, Key, Role, new_id, new_secret
from telemetry.processes import end_with_parent
from tests.support.stack import Stack

_PAIRS: Final = 7
_PUTS: Final[dict[str, Any]] = {"clients": 64, "readings": 16_000}
_QUIET: Final[dict[str, Any]] = {"clients": 32, "readings": 2_000, "per_s": 200, "now": True}
"""Ten seconds of sensors that keep to what they may."""
_ALLOWED_PER_S: Final = 50.0
_NOISY: Final[dict[str, Any]] = {"clients": 16, "readings": 5_500, "per_s": 500}
"""Ten times what its key may send, and for a little longer."""


def cost(rig: Rig) -> Iterator[Figure]:
    """P28: processor time of the API a PUT, with keys and without; who comes first takes turns, each on a stream of its own."""
    used: dict[str, list[float]] = {"on": [], "off": []}
    for pair in range(_PAIRS):
        for what in ("off", "on") if pair % 2 else ("on", "off"):
            with rig.stack() as stack, rig.server(stack, "producer_api", KEYS=str(what == "on").lower()) as server:
                sent = _key(stack) if what == "on" else ""
                load(server.url, key=sent, **{**_PUTS, "readings": 500})
                before_s = server.cpu_s()
                load(server.url, key=sent, **_PUTS)
                used[what].append((server.cpu_s() - before_s) / _PUTS["readings"] * 1e6)
    more = [on - off for on, off in zip(used["on"], used["off"], strict=True)]
    beside = {f"keys {what}, CPU µs a PUT": statistics.median(values) for what, values in used.items()}
    yield Figure("P28", "processor time a PUT, keys on − off", "µs", 15, None, more, beside, smaller_is_better=True)


def noisy(rig: Rig) -> Iterator[Figure]:
    """P28: PUTs of a key that keeps to what it may, while another sends ten times its rate, and without, in turn."""
    p99_s: dict[str, list[float]] = {"beside": [], "alone": []}
    refused = 0
    with rig.stack() as stack, rig.server(stack, "producer_api", KEYS="true") as server:
        quiet, loud = _key(stack), _key(stack, rate=_ALLOWED_PER_S, burst=int(_ALLOWED_PER_S))
        load(server.url, key=quiet, **_QUIET)
        for _ in range(_PAIRS):
            p99_s["alone"].append(load(server.url, key=quiet, **_QUIET)["p99_s"])
            with _sending(server, loud) as told:
                p99_s["beside"].append(load(server.url, key=quiet, **_QUIET)["p99_s"])
            assert told["refused"] > told["readings"] / 2, told  # it was too much, and was told so
            refused += told["refused"]
    beside = {"PUT p99 s alone": statistics.median(p99_s["alone"]), "refusals": float(refused)}
    what = "PUT p99 beside a key that sends ten times its rate ÷ without"
    yield Figure("P28", what, "×", 1.5, None, ratios(p99_s["beside"], p99_s["alone"]), beside, smaller_is_better=True)


def _key(stack: Stack, *, rate: float = 0, burst: int = 0) -> str:
    credential = Credential(new_id(secrets.choice), new_secret(secrets.choice))
    key = Key(credential.key_id, Role.INGEST, credential.digest, int(time.time()))
    assert KeyTable(stack.dynamodb, stack.names.keys).add(replace(key, rate=rate, burst=burst))
    return credential.text


@contextmanager
def _sending(server: Server, key: str) -> Iterator[dict[str, Any]]:
    """Too many PUTs for the block; after it, what they were told."""
    options = [text for name, value in _NOISY.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "benchmarks.load", server.url, *options]
    told: dict[str, Any] = {}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, KEY_VARIABLE: key},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=end_with_parent,  # noqa: PLW1509  it only makes a system call
    ) as process:
        yield told
        assert process.stdout
        told.update(json.loads(process.stdout.read()))

"""`telemetry keys`: what an operator types to make keys, see them, give them another secret, and end them.

A key is shown once, when it is made: the table holds a hash. The commands need the right to write the table of keys.
"""

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import click

from cli.failures import told
from cli.parameters import OneOf
from telemetry.aws import dynamodb_client
from telemetry.key_table import KeyTable
from telemetry.keys import PATTERNS_MAX, Credential, Key, Role, new_id, new_secret, parse_pattern
from telemetry.limits import MICRO
from telemetry.names import ResourceNames
from telemetry.reading import parse_timestamp, rfc3339
from telemetry.settings import Settings

_DURATION: Final = re.compile(r"([1-9]\d{0,5})([smhdw])", re.ASCII)
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_UNUSED_S: Final = 90 * 86_400
"""After so long without use a key is marked: it may be forgotten somewhere."""
_URL: Final = "http://127.0.0.1:8080"


class _Duration(click.ParamType[int]):
    """A number and a unit, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if not (match := _DURATION.fullmatch(value)):
            self.fail(f"{value!r}: expected a number and s, m, h, d or w, e.g. 24h or 90d.", param, ctx)
        return int(match[1]) * _UNIT_S[match[2]]


class _Pattern(click.ParamType[str]):
    """A sensor's id, or the beginning of ids and a `*`."""

    name = "sensors"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return parse_pattern(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


_sensors = click.option(
    "--sensors",
    "patterns",
    type=_Pattern(),
    multiple=True,
    help="An id, or the beginning of ids and one *. May be given several times; without, all sensors.",
)
_note = click.option("--note", default="", help="Whose it is, or what for.")


@click.group("keys", epilog="Exit status: 0 done, 1 failed, 2 not asked as --help says, 130 interrupted.")
def keys() -> None:
    """Make, list, change and end the keys that the API asks for where KEYS is on."""


@keys.command("new")
@click.option("--role", type=OneOf(Role), required=True, help="ingest: send readings; read; admin: operate, and read all.")
@_sensors
@click.option("--expires", "lasts_s", type=_Duration(), help="For how long it opens, e.g. 90d; without, until it is revoked.")
@click.option("--rate", type=click.FloatRange(0), default=0.0, help="Readings a second it may send in the long run; 0 for any.")
@click.option("--burst", type=click.IntRange(1), help="And at once; ten seconds' worth when left out.")
@_note
def new(role: Role, patterns: tuple[str, ...], lasts_s: int | None, note: str, *, rate: float, burst: int | None) -> None:
    """Make a key and print it, this once."""
    if role is Role.ADMIN and patterns:
        raise click.UsageError("An admin key is for all sensors: leave out --sensors.")
    if role is not Role.INGEST and rate:
        raise click.UsageError("--rate counts readings that are sent: it is for --role ingest.")
    key, text = _made(role, patterns, lasts_s, note)
    burst = burst or max(1, round(rate * 10)) if rate else 0
    with _table() as table:
        _add(table, replace(key, rate=rate, burst=burst))
    click.echo(text)
    click.echo(f"Key {key.key_id} for {role}. It is shown this once; keep it where only its user can read it.", err=True)


@keys.command("share")
@_sensors
@click.option("--expires", "lasts_s", type=_Duration(), required=True, help="For how long the link opens, e.g. 7d.")
@click.option(
    "--url", default=_URL, show_default=True, envvar="PUBLIC_URL", show_envvar=True, help="Where people reach the API."
)
@_note
def share(patterns: tuple[str, ...], lasts_s: int, url: str, note: str) -> None:
    """Make a key to read with, and print a link that opens the pages with it."""
    key, text = _made(Role.READ, patterns, lasts_s, note or "shared link")
    with _table() as table:
        _add(table, key)
    click.echo(f"{url.rstrip('/')}/#key={text}")
    click.echo(f"Whoever has the link can read, until it expires or: telemetry keys revoke {key.key_id}", err=True)


@keys.command("list")
def list_() -> None:
    """List the keys, those made last first."""
    with _table() as table:
        found = sorted(table.all(), key=lambda key: key.created_s, reverse=True)
    now_s = int(time.time())
    for key in found:
        marks = [mark for mark, holds in _marks(key, now_s) if holds]
        fields = (key.key_id, key.role.value, ",".join(key.patterns), f"used {key.used_on or 'never'}", *marks, key.note)
        click.echo("  ".join(field for field in fields if field))


@keys.command("show")
@click.argument("key_id", metavar="ID")
def show(key_id: str) -> None:
    """Show what is known of a key."""
    with _table() as table:
        key = _found(table, key_id)
    until = "no end" if key.expires_s is None else _when(key.expires_s)
    rate = f"{key.rate:g} readings a second, {key.burst} at once" if key.rate else "any"
    for name, text in (
        ("id", key.key_id),
        ("role", key.role.value),
        ("sensors", ", ".join(key.patterns)),
        ("rate", rate),
        ("made", _when(key.created_s)),
        ("expires", until),
        ("last used", key.used_on or "never"),
        ("old secret until", _when(key.old_until_s) if key.old_digest else ""),
        ("note", key.note),
    ):
        if text:
            click.echo(f"{name:17} {text}")


@keys.command("rotate")
@click.argument("key_id", metavar="ID")
@click.option(
    "--grace", "grace_s", type=_Duration(), default="24h", show_default=True, help="How long the old secret opens too."
)
def rotate(key_id: str, grace_s: int) -> None:
    """Give a key another secret, and print it, this once."""
    fresh = Credential(key_id, new_secret(secrets.choice))
    with _table() as table:
        until_s = int(time.time()) + grace_s
        if not table.rotate(_found(table, key_id), fresh.digest, until_s):
            raise click.ClickException("Somebody else changed the key just now: look at it, and try again.")
    click.echo(fresh.text)
    click.echo(f"The secret before opens until {_when(until_s)}.", err=True)


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """End a key. It stops within ten seconds, its live streams too."""
    with _table() as table:
        if not table.revoke(key_id):
            raise click.ClickException(_nothing(key_id))
    click.echo(f"Key {key_id} is revoked.")


@contextmanager
def _table() -> Iterator[KeyTable]:
    with told():
        settings = Settings.from_environment(os.environ)
    with told(settings):
        yield KeyTable(dynamodb_client(settings), ResourceNames(settings.prefix).keys)


def _made(role: Role, patterns: tuple[str, ...], lasts_s: int | None, note: str) -> tuple[Key, str]:
    if len(patterns) > PATTERNS_MAX:
        raise click.UsageError(f"A key has at most {PATTERNS_MAX} --sensors.")
    credential, now_s = Credential(new_id(secrets.choice), new_secret(secrets.choice)), int(time.time())
    expires_s = None if lasts_s is None else now_s + lasts_s
    return Key(credential.key_id, role, credential.digest, now_s, patterns or ("*",), expires_s, note=note), credential.text


def _add(table: KeyTable, key: Key) -> None:
    if not table.add(key):
        raise click.ClickException("The id was taken, which is next to impossible: try again.")


def _found(table: KeyTable, key_id: str) -> Key:
    key = table.find(key_id)
    if key is None:
        raise click.ClickException(_nothing(key_id))
    return key


def _nothing(key_id: str) -> str:
    return f"There is no key {key_id!r}. `telemetry keys list` shows those there are, each by its first eight characters."


def _marks(key: Key, now_s: int) -> Iterator[tuple[str, bool]]:
    """What is to be seen at once, and whether it holds."""
    yield f"until {_when(key.expires_s or 0)}", key.expires_s is not None and not key.expired(now_s)
    yield "EXPIRED", key.expired(now_s)
    used_s = _day_s(key.used_on) if key.used_on else key.created_s
    yield "UNUSED FOR 90 DAYS", now_s - used_s >= _UNUSED_S


def _day_s(day: str) -> int:
    return parse_timestamp(f"{day}T00:00") // MICRO


def _when(time_s: int) -> str:
    return rfc3339(time_s * MICRO)

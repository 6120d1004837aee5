"""Keys: how they are written, what they allow, and how they are told from one another. Pure.

`tlm_`, eight characters that name the key, `_`, thirty that prove it, and six that are a CRC-32 of all before; each one of 62.
A typo or junk is told without asking anybody, leak scanners find keys by their form, and a double click takes a whole one.
"""

import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from telemetry.reading import parse_sensor_id

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX: Final = "tlm"
_ID_CHARS: Final = 8
_SECRET_CHARS: Final = 30
"""178 random bits: nobody guesses them, so that a fast hash of them gives nothing away."""
_CHECK_CHARS: Final = 6
KEY_FORM: Final = re.compile(
    rf"{_PREFIX}_([0-9A-Za-z]{{{_ID_CHARS}}})_([0-9A-Za-z]{{{_SECRET_CHARS}}})([0-9A-Za-z]{{{_CHECK_CHARS}}})"
)
"""What looks like a key, wherever it stands."""
_BEGUN_KEY: Final = re.compile(rf"{_PREFIX}_([0-9A-Za-z]{{{_ID_CHARS}}})_[0-9A-Za-z]+")
ID_FORM: Final = re.compile(rf"[0-9A-Za-z]{{{_ID_CHARS}}}")
PATTERNS_MAX: Final = 50
KEY_VARIABLE: Final = "API_KEY"
"""In the environment of whoever sends: the key that goes with it. An option's would be kept in the shell's history."""
READ_KEY_VARIABLE: Final = "API_READ_KEY"
"""And of who asks beside: a key to send with reads nothing."""
_NO_DIGEST: Final = bytes(32)


class Role(StrEnum):
    """What a key is for. Which role each route needs is a table of the API's."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"


class Credential(NamedTuple):
    """What a key says, taken apart."""

    key_id: str
    secret: str

    @property
    def text(self) -> str:
        """The whole key, as it is handed out and sent."""
        body = f"{_PREFIX}_{self.key_id}_{self.secret}"
        return body + _check(body)

    @property
    def digest(self) -> bytes:
        """What of the secret is stored."""
        return hashlib.sha256(self.secret.encode()).digest()


def new_secret(choose: Callable[[str], str]) -> str:
    """A secret; `choose` picks a character of a text, as `secrets.choice` does."""
    return "".join(choose(_ALPHABET) for _ in range(_SECRET_CHARS))


def new_id(choose: Callable[[str], str]) -> str:
    """A key's id."""
    return "".join(choose(_ALPHABET) for _ in range(_ID_CHARS))


def parse_key(text: str) -> Credential | None:
    """What a key says; None for what is none, or is mistyped."""
    match = KEY_FORM.fullmatch(text)
    if not match or _check(text[:-_CHECK_CHARS]) != match[3]:
        return None
    return Credential(match[1], match[2])


def _check(body: str) -> str:
    number, signs = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        signs = _ALPHABET[digit] + signs
    return signs


def parse_pattern(text: str) -> str:
    """Which sensors: an id, or the beginning of ids and a `*`. Raises ValueError with a text for who typed it."""
    begin = text.strip().removesuffix("*")
    if begin != begin.rstrip():
        # Normalised as ids are it would lose the blank, and fit more than was meant.
        raise ValueError(f"Expected no blank before the *, not {text!r}: it would be for {begin.rstrip() + '0'!r} as well.")
    if "*" in begin:
        raise ValueError(f"Expected a sensor's id, or the beginning of ids and one * at the end, not {text!r}.")
    if not begin and text.strip() == "*":
        return "*"
    return parse_sensor_id(begin) + ("*" if text.strip().endswith("*") else "")


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key. Its secret is not."""

    key_id: str
    role: Role
    digest: bytes
    """SHA-256 of its secret."""
    created_s: int
    """Seconds since 1970."""
    patterns: tuple[str, ...] = ("*",)
    expires_s: int | None = None
    rate: float = 0
    """Readings a second that it may send in the long run; 0 for any."""
    burst: int = 0
    """And at once."""
    note: str = ""
    used_on: str = ""
    """The last day it was used, in UTC."""
    old_digest: bytes | None = None
    """Of the secret before, which opens as well until `old_until_s`."""
    old_until_s: int = 0

    def opened_by(self, digest: bytes, now_s: float) -> bool:
        """Whether a secret is this key's. It takes as long whatever the answer is."""
        old = self.old_digest if self.old_digest and now_s < self.old_until_s else self.digest
        new_fits, old_fits = hmac.compare_digest(self.digest, digest), hmac.compare_digest(old, digest)
        return new_fits or old_fits

    def expired(self, now_s: float) -> bool:
        """Whether its time is over."""
        return self.expires_s is not None and now_s >= self.expires_s

    @property
    def covers_all(self) -> bool:
        """Whether it is for every sensor."""
        return "*" in self.patterns

    def covers(self, sensor_id: str) -> bool:
        """Whether it is for this sensor."""
        return self.covers_all or any(
            sensor_id.startswith(pattern[:-1]) if pattern.endswith("*") else sensor_id == pattern for pattern in self.patterns
        )

    def covers_prefix(self, prefix: str) -> bool:
        """Whether it is for every sensor whose id begins so."""
        return any(pattern.endswith("*") and prefix.startswith(pattern[:-1]) for pattern in self.patterns)


def as_header(key: str) -> dict[str, str]:
    """How a key is sent; nothing where there is none."""
    return {"Authorization": f"Bearer {key}"} if key else {}


NOBODY: Final = Key("", Role.READ, _NO_DIGEST, 0, ())
"""Stands for a key that is not there: no secret has this digest."""


def redacted(texts: Iterable[str]) -> list[str]:
    """Texts without the keys in them, whole or cut off: what is left still says which keys they were."""
    return [_BEGUN_KEY.sub(rf"{_PREFIX}_\1_…", text) for text in texts]

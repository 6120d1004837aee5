"""Whether a request may go on: its key, its role, the sensors it is about, and how much its key may send."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, unquote

from botocore.exceptions import BotoCoreError, ClientError
from starlette.types import Scope

from producer_api.keys.bucket import Bucket
from producer_api.keys.credentials import certified, presented
from producer_api.keys.policy import About, Rule, may
from producer_api.keys.ring import Ring
from telemetry.errors import NotPermitted, TooFast, Unauthenticated
from telemetry.keys import ID_FORM, NOBODY, Credential, Key, parse_key
from telemetry.logs import SparseLog
from telemetry.reading import parse_sensor_id
from telemetry.retry import SENSELESS, error_code

_NO_KEY: Final = "This needs a key: send it as `Authorization: Bearer …` or `X-API-Key: …`."
_MISTYPED: Final = "This is no key: it is mistyped, or not whole."
_UNKNOWN: Final = "There is no such key: it was never made, or was revoked."
_UNCERTIFIED: Final = "The certificate's common name is no key's id: `telemetry keys new` makes one, `keys list` shows them."
FOREIGN: Final = "The key is not for this sensor."
_NEEDS_SENSOR: Final = "The key is for some sensors only: name one of them."

_TRIED_RATE: Final = 10.0
TRIED_BURST: Final = 1_000
"""Tries of an address for which the table is asked: whoever can compute a CRC-32 could else have that done at will.

Behind a load balancer many devices share an address: as many first requests of theirs may be in hand. What a good key took is
put back.
"""
_ADDRESSES_MAX: Final = 10_000
_DAY_S: Final = 24 * 3600
_SEGMENTS_BEFORE: Final = 3
"""Of /api/sensors/ in a path: nothing, api, sensors."""

log = SparseLog(__name__)


class Grant:
    """What a request may do with its key."""

    def __init__(self, key: Key, digest: bytes | None, gate: "Gate") -> None:
        """`digest` is of the secret that opened it; None for a certificate."""
        self.key = key
        self._digest = digest
        self._gate = gate

    def may_write(self, sensor_id: str) -> bool:
        """Whether it may send readings of this sensor."""
        return self.key.covers(sensor_id)

    def spend(self, readings: int) -> None:
        """So many readings were sent with it."""
        self._gate.spend(self.key, readings)

    def ended(self) -> bool:
        """Whether the key was revoked, expired or got another secret meanwhile: for who goes on for long."""
        return self._gate.ended(self.key, self._digest)

    def rate_headers(self) -> dict[str, str]:
        """What is left of its rate, as draft-ietf-httpapi-ratelimit-headers has it; none where it may send any number."""
        return self._gate.rate_headers(self.key)


class Gate:
    """The keys of a process. `note_use` blocks and raises boto3's errors; `clock_s` goes forward, `now_s` is since 1970."""

    def __init__(
        self,
        ring: Ring,
        note_use: Callable[[str, str], None],
        *,
        clock_s: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
        certificates: bool = False,
        public_url: str = "",
    ) -> None:
        """With `certificates` a load balancer's word is believed that a client has proved to be the one whose id it names."""
        self._ring = ring
        self._certificates = certificates
        self._public_url = public_url
        self._note_use = note_use
        self._clock_s = clock_s
        self._now_s = now_s
        self._buckets: dict[str, Bucket] = {}
        self._tried: OrderedDict[str, Bucket] = OrderedDict()
        self._noted: dict[str, int] = {}
        """The day on which each key's use was noted last, counted from 1970."""
        self._noting: set[asyncio.Task[None]] = set()

    async def admit(self, scope: Scope, rule: Rule) -> Grant:
        """What a request may do. Raises Unauthenticated, NotPermitted, TooFast, KeysUnavailable."""
        assert rule.role  # routes that need none do not come here
        grant = await self._grant_of(scope)
        key = grant.key
        if not may(key.role, rule.role):
            raise NotPermitted("insufficient-role", f"The key is for {key.role.value}; this is for {rule.role.value}.")
        if not key.covers_all:
            _require_covered(key, scope, rule.about)
        if rule.about is About.READINGS and key.rate and (bucket := self._bucket(key)).level(self._clock_s()) <= 0:
            after_s = bucket.until_s(0, self._clock_s())
            raise TooFast(f"The key may send {key.rate:g} readings a second. Nothing was stored.", after_s)
        return grant

    async def unlock(self, text: str, address: str) -> Grant:
        """What may be done with a credential. Raises Unauthenticated, TooFast, KeysUnavailable."""
        credential, digest = _parsed(text)
        if credential is None:
            raise Unauthenticated(_MISTYPED, given=True)
        key = await self._find(credential.key_id, address, digest)
        if key is None:
            raise Unauthenticated(_UNKNOWN, given=True)
        return Grant(self._current(key), digest, self)

    async def _grant_of(self, scope: Scope) -> Grant:
        """Of a request's key: one that was sent, or else the one that the client's certificate names."""
        address = scope["client"][0] if scope.get("client") else ""
        text = presented(scope, self._public_url)
        if text is not None:
            return await self.unlock(text, address)
        name = certified(scope["headers"]) if self._certificates else None
        if name is None:
            raise Unauthenticated(_NO_KEY, given=False)
        key = await self._find(name, address, None) if ID_FORM.fullmatch(name) else None
        if key is None:
            raise Unauthenticated(_UNCERTIFIED, given=True)
        return Grant(self._current(key), None, self)

    async def _find(self, key_id: str, address: str, digest: bytes | None) -> Key | None:
        """The key that a secret of this digest opens, or by its id alone for who has proved whose it is (None).

        Whether there is no such key or the secret is wrong: the same is asked, compared, counted and remembered, in this order,
        so that nobody tells one from the other.
        """
        known = self._ring.known(key_id)
        if _opens(known, digest, self._now_s()):
            key = await self._ring.current(key_id)
            if key is known or _opens(key, digest, self._now_s()):
                return key
            self._bucket_of(address).take(1, self._clock_s())  # whoever had a key is not refused for others' tries
        elif self._ring.refused(key_id):
            return None
        else:
            tried = self._take_try(address)
            key = await self._ring.ask(key_id)  # the secret may be newer than what is known
            if _opens(key, digest, self._now_s()):
                tried.put_back(1, self._clock_s())
                return key
        self._ring.refuse(key_id)
        return None

    def _current(self, key: Key) -> Key:
        """The same key, whose time is not over; its use is noted."""
        now_s = self._now_s()
        if key.expired(now_s):
            raise Unauthenticated("The key has expired.", given=True)
        self._use(key, now_s)
        return key

    def ended(self, key: Key, digest: bytes | None) -> bool:
        """Whether a key that was let in is no longer to be, or not by this secret."""
        now, now_s = self._ring.peek(key.key_id), self._now_s()
        return now is None or now.expired(now_s) or not _opens(now, digest, now_s)

    def spend(self, key: Key, readings: int) -> None:
        """Count readings against a key's rate."""
        if key.rate:
            self._bucket(key).take(readings, self._clock_s())

    def rate_headers(self, key: Key) -> dict[str, str]:
        """As `Grant.rate_headers`."""
        if not key.rate:
            return {}
        bucket, now_s = self._bucket(key), self._clock_s()
        left, full_s = max(0, math.floor(bucket.level(now_s))), math.ceil(bucket.until_s(key.burst, now_s))
        window_s = max(1, round(key.burst / key.rate))
        return {
            "RateLimit-Policy": f'"readings";q={key.burst};w={window_s}',
            "RateLimit": f'"readings";r={left};t={full_s}',
        }

    def _bucket(self, key: Key) -> Bucket:
        bucket = self._buckets.get(key.key_id)
        if bucket is None or (bucket.rate, bucket.burst) != (key.rate, key.burst):
            bucket = self._buckets[key.key_id] = Bucket(key.rate, key.burst, self._clock_s())
        return bucket

    def _take_try(self, address: str) -> Bucket:
        """Count a try of an address before the table is asked; from where it was taken. Raises TooFast."""
        bucket, now_s = self._bucket_of(address), self._clock_s()
        if bucket.level(now_s) < 1:
            raise TooFast("Too many unknown keys were tried from this address.", bucket.until_s(1, now_s))
        bucket.take(1, now_s)
        return bucket

    def _bucket_of(self, address: str) -> Bucket:
        bucket = self._tried.setdefault(address, Bucket(_TRIED_RATE, TRIED_BURST, self._clock_s()))
        self._tried.move_to_end(address)
        while len(self._tried) > _ADDRESSES_MAX:
            self._tried.popitem(last=False)
        return bucket

    def _use(self, key: Key, now_s: float) -> None:
        """Note, once a day, that a key is used; nothing waits for it."""
        number = int(now_s // _DAY_S)
        if self._noted.get(key.key_id) == number:
            return
        self._noted[key.key_id] = number
        day = datetime.fromtimestamp(now_s, UTC).date().isoformat()
        if key.used_on == day:
            return
        task = asyncio.create_task(self._note(key.key_id, day))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _note(self, key_id: str, day: str) -> None:
        try:
            await asyncio.to_thread(self._note_use, key_id, day)
        except (ClientError, BotoCoreError, *SENSELESS) as error:
            self._noted.pop(key_id, None)
            log.warning("key_use_not_noted", key=key_id, error=error_code(error))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Credential | None, bytes]:
    """What a credential says, and the digest of its secret: to compute them takes longer than all else."""
    credential = parse_key(text)
    return credential, credential.digest if credential else b""


def _opens(key: Key | None, digest: bytes | None, now_s: float) -> bool:
    """Whether a key is opened. One that is not there is compared as well: that takes no less time than a wrong secret."""
    return (digest is None or (key or NOBODY).opened_by(digest, now_s)) and key is not None


def _require_covered(key: Key, scope: Scope, about: About) -> None:
    """Refuse what a key that is for some sensors is not for. The same for sensors that are not there."""
    match about:
        case About.READINGS | About.OWN:
            return
        case About.PATH:
            segment = scope["raw_path"].decode("latin-1").split("/")[_SEGMENTS_BEFORE]
            named = {unquote(segment, errors="surrogateescape")}
        case About.QUERY:
            named = _values(scope, "sensorId")
        case About.PREFIX:
            prefixes = _values(scope, "prefix")
            if len(prefixes) == 1 and key.covers_prefix(_normal(prefixes.pop())):
                return
            named = set()
        case About.ALL:
            named = set()
    if len(named) != 1:
        raise NotPermitted("needs-sensor", _NEEDS_SENSOR)
    if not key.covers(_normal(named.pop())):
        raise NotPermitted("foreign-sensor", FOREIGN)


def _values(scope: Scope, name: str) -> set[str]:
    query = scope["query_string"].decode(errors="surrogateescape")
    return {value for key, value in parse_qsl(query, keep_blank_values=True, errors="surrogateescape") if key == name}


def _normal(sensor_id: str) -> str:
    """As the question will be understood; what is no id is nobody's."""
    try:
        return parse_sensor_id(sensor_id)
    except ValueError:
        return ""

"""Zones to be tried: those with oddities of their own, and when their offsets change."""

import importlib.resources
import struct
from zoneinfo import ZoneInfo

from projections.zones import Zone

ODD_ZONES = [
    # Of whole, half and quarter hours, with clocks that change in both directions, and with oddities of their own.
    "UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Moscow", "Europe/Istanbul",
    "Europe/Kirov", "Africa/Casablanca", "Africa/Cairo", "Africa/Monrovia", "Africa/Lagos", "Africa/Juba", "Asia/Beirut",
    "Asia/Tehran", "Asia/Kabul", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Yangon", "Asia/Pyongyang", "Asia/Tokyo",
    "Asia/Gaza", "Asia/Manila", "Australia/Lord_Howe", "Australia/Eucla", "Australia/Adelaide", "Australia/Sydney",
    "Pacific/Chatham", "Pacific/Apia", "Pacific/Fakaofo", "Pacific/Kwajalein", "Pacific/Marquesas", "Pacific/Kiritimati",
    "Pacific/Norfolk", "America/St_Johns", "America/New_York", "America/Caracas", "America/Sao_Paulo", "America/Santiago",
    "America/Scoresbysund", "America/Havana", "Antarctica/Troll", "Antarctica/Casey", "+05:45", "-09:30",
]  # fmt: skip


def changes(zone: Zone) -> list[int]:
    """When the zone's offset changes from 1970 on, as far as the database lists it, read from its bytes (RFC 8536)."""
    if not isinstance(zone.rules, ZoneInfo):
        return []
    data = importlib.resources.files("tzdata").joinpath("zoneinfo", *zone.rules.key.split("/")).read_bytes()
    counts = struct.unpack(">6l", data[20:44])
    skip = 44 + counts[3] * 5 + counts[4] * 6 + counts[5] + counts[2] * 8 + counts[1] + counts[0]
    _, _, leaps, times, types, _ = struct.unpack(">6l", data[skip + 20 : skip + 44])
    assert not leaps
    at = skip + 44
    moments = struct.unpack(f">{times}q", data[at : at + 8 * times])
    kinds = data[at + 8 * times : at + 9 * times]
    offsets = [struct.unpack(">l", data[at + 9 * times + 6 * n : at + 9 * times + 6 * n + 4])[0] for n in range(types)]
    found, before = [], None
    for moment, kind in zip(moments, kinds, strict=True):
        if moment >= 0 and before is not None and offsets[kind] != before:
            found.append(moment * 1_000_000)
        before = offsets[kind]
    return found

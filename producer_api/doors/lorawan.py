"""What LoRaWAN servers post: which of it is a temperature, of which device, and when. Pure.

Shapes are those of The Things Stack (its `ApplicationUp` in JSON) and of ChirpStack 4 (its HTTP integration). Joins,
acknowledgements and devices without a decoder come to the same URL: they are well written, and ignored.
"""

from collections.abc import Callable
from typing import Any, Final

from producer_api.writing.parsing import Ignored, reading_from
from telemetry.errors import InvalidReading
from telemetry.reading import Reading, parse_sensor_id, parse_temperature, parse_timestamp
from telemetry.settings import Settings

UPLINK: Final = "up"
"""ChirpStack's event that may hold a measurement."""
_TTN: Final = ("end_device_ids.device_id", "uplink_message.decoded_payload.temperature", "received_at")
_CHIRPSTACK: Final = ("deviceInfo.devEui", "object.temperature", "time")
_NO_UPLINK: Final = Ignored("Not an uplink: it holds no measurement.")


def reading_of_ttn(document: object, _: str, settings: Settings, now_us: int) -> Reading | Ignored:
    """The reading in a message of The Things Stack. Raises InvalidReading."""
    if isinstance(document, dict) and "end_device_ids" in document and "uplink_message" not in document:
        return _NO_UPLINK
    return _reading(document, _TTN, parse_sensor_id, settings, now_us)


def reading_of_chirpstack(document: object, event: str, settings: Settings, now_us: int) -> Reading | Ignored:
    """The reading in an event of ChirpStack 4, whose kind stands in the URL. Raises InvalidReading.

    Device EUIs are written in either case by whoever types them: ours are lower case, as ChirpStack's.
    """
    if event != UPLINK:
        return _NO_UPLINK
    return _reading(document, _CHIRPSTACK, lambda value: parse_sensor_id(value).lower(), settings, now_us)


def _reading(
    document: object, names: tuple[str, str, str], parse_id: Callable[[Any], str], settings: Settings, now_us: int
) -> Reading | Ignored:
    if not isinstance(document, dict):
        raise InvalidReading({"body": f"Expected a JSON object with {names[0]} and {names[2]}."})
    sensor_id, temperature, timestamp = (_at(document, name) for name in names)
    if temperature is None and sensor_id is not None and timestamp is not None:
        return Ignored(f"No temperature: there is no {names[1]}. A decoder in the network server makes it.")
    parsers = (parse_id, parse_temperature, parse_timestamp)
    return reading_from((sensor_id, temperature, timestamp), names, parsers, settings, now_us)


def _at(document: object, name: str) -> Any:
    """The member at a path; None where there is none."""
    for part in name.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document

"""GET /api/live: the state, and what changes, as server-sent events."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from producer_api.keys.guarded import grant_of
from producer_api.live.topics import Topic
from producer_api.parameters import Parameter, asked, choice_of, flag, whole
from producer_api.reading.answers import VARY
from producer_api.reading.times import TZ
from producer_api.services import services
from projections.calendar import Interval
from telemetry.reading import parse_sensor_id

_SENSORS_MAX: Final = 50

SENSOR_IDS: Final = Parameter[tuple[str, ...]](
    "sensorId",
    lambda text: (parse_sensor_id(text),),
    (),
    f"A sensor, up to {_SENSORS_MAX} times. One: figures and windows are its own. More: the fleet's, and each sensor's beside.",
    {"type": "string", "format": "sensor-id"},
    times=_SENSORS_MAX,
)
INTERVAL: Final = choice_of(
    "interval",
    "What a window is long.",
    {one.value: one for one in (Interval.MINUTE, Interval.HOUR, Interval.DAY)},
    "minute",
)
POINTS: Final = whole("points", "How many windows there are.", 1, 500, 60)
ONCE: Final = flag("once", "Whether the stream ends after the snapshot.")
PARAMETERS = (SENSOR_IDS, INTERVAL, POINTS, TZ, ONCE)

HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": VARY}


async def live(request: Request) -> Response:
    """A stream of events."""
    found = services(request)
    found.stream.require_ours()
    question = asked(request, PARAMETERS)
    topic = Topic(tuple(dict.fromkeys(question[SENSOR_IDS])), question[INTERVAL], question[POINTS], question[TZ])
    if request.method == "HEAD" or question[ONCE]:
        body = await found.hub.snapshot(topic)
        return Response(body, headers=HEADERS, media_type="text/event-stream")
    stopping, grant = getattr(request.state, "stopping", bool), grant_of(request.scope)

    def ends() -> bool:
        return stopping() or (grant is not None and grant.ended())

    return StreamingResponse(await found.hub.listen(topic, ends), headers=HEADERS, media_type="text/event-stream")

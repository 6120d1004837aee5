"""GET /api/sensors/{id} and /api/sensors/{id}/readings, where the id is one segment of the raw path.

Cut before it is decoded: `x%2Freadings` is a sensor, whose readings stand at `x%2Freadings/readings`.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from producer_api.parameters import asked
from producer_api.reading.readings import PARAMETERS as READINGS_PARAMETERS
from producer_api.reading.readings import answer_readings
from producer_api.reading.sensors import ONE_PARAMETERS, answer_sensor, id_in_path

_SEGMENTS_BEFORE = 3
"""Of /api/sensors/: nothing, api, sensors."""


async def sensor_in_path(request: Request) -> Response:
    """A sensor, or its readings."""
    raw: bytes = request.scope["raw_path"]
    match raw.decode("latin-1").split("/")[_SEGMENTS_BEFORE:]:
        case [segment] if segment:
            return await answer_sensor(request, id_in_path(segment), asked(request, ONE_PARAMETERS))
        case [segment, "readings"] if segment:
            return await answer_readings(request, id_in_path(segment), asked(request, READINGS_PARAMETERS))
        case _:
            raise HTTPException(404)

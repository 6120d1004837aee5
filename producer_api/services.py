"""What the endpoints share: made in `app.py`'s lifespan, handed to each request as typed state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request

from producer_api.keys.gate import Gate
from producer_api.live.hub import Hub
from producer_api.operating.archived import ArchiveSight
from producer_api.operating.outcomes import Outcomes
from producer_api.operating.recent import Recent
from producer_api.operating.sight import Sight
from producer_api.reading.asking import Asking
from producer_api.shared import Shared
from producer_api.stream_check import StreamCheck
from producer_api.writing.sending import Turns
from producer_api.writing.writer import Writer
from projections.dynamodb_reads import LiveLook
from telemetry.settings import Settings

if TYPE_CHECKING:  # they ask for services themselves
    from producer_api.operating.metrics import Metrics
    from producer_api.pages.looking import ForPages


@dataclass(frozen=True, slots=True)
class Services:
    """Everything an endpoint may use."""

    settings: Settings
    writer: Writer
    stream: StreamCheck
    looks: Shared[LiveLook]
    """At the fleet's totals."""
    asking: Asking
    hub: Hub
    """Of live streams."""
    sight: Shared[Sight]
    """Of the whole pipeline, for who operates it."""
    for_pages: "ForPages"
    outcomes: Outcomes
    metrics: "Metrics"
    readiness: Mapping[str, Shared[object]]
    """What must answer for the API to be ready, by name, beside what the writer meets."""
    gate: Gate | None = None
    """None while keys are off."""
    archive: ArchiveSight | None = None
    """None where the API is told of no archive."""
    recent: Recent = field(default_factory=Recent)
    turns: Turns = field(default_factory=Turns)
    """Of batches."""


def services(request: Request) -> Services:
    """The services of the application that got this request."""
    found: Services = request.state.services
    return found

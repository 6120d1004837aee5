"""GET /api/status: how the pipeline is, shard by shard, for operators and pages (contract, "Operating")."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from operations.archived import Archived
from operations.restarts import Supervisor
from operations.stages import Stage, State
from operations.verdicts import ShardState, ShardVerdict, worst
from producer_api.operating.sight import Sight
from producer_api.parameters import asked
from producer_api.reading.answers import json_answer
from producer_api.reading.shapes import Time, Whole
from producer_api.services import services
from projections.generations import created_us
from telemetry.errors import ReasonCode
from telemetry.reading import rfc3339

SHARED_S = 5.0
"""Who asks within so long of a look gets what it saw."""

PARAMETERS = ()


class OtherShape(Struct, rename="camel"):
    """A projection generation beside the live one, as `telemetry generations` tells it."""

    generation: int
    state: Stage
    why: Annotated[str, Meta(description="What it waits for, or what is the matter with it.")]
    readings: Whole
    behind_live_ms: Annotated[Whole | None, Meta(description="How far behind the live one; null when nothing of it says.")]
    workers: Annotated[Sequence[str], Meta(description="Those that were seen to live since this process began to look.")]


class GenerationsShape(Struct, rename="camel"):
    """The projection that answers, the stream that it is made from, and what is filled beside it."""

    live: int
    stream_created: Time
    others: Annotated[Sequence[OtherShape], Meta(description="Those that were not dropped.")]


class ShardShape(Struct, rename="camel"):
    """A shard whose turn it is to be read."""

    shard_id: str
    owner: Annotated[str | None, Meta(description="The worker that reads it.")]
    verdict: ShardVerdict
    lag_ms: Annotated[Whole | None, Meta(description="How long ago the moment was up to which it is counted.")]
    position_age_ms: Annotated[
        Whole, Meta(description="For how long its position was seen where it is; of a quiet shard it grows, and all is well.")
    ]


class RestartShape(Struct):
    """When a worker's daemon was started anew, and why."""

    at: Time
    reason: str


class SupervisorShape(Struct, rename="camel"):
    """A worker's last ten restarts, the newest first."""

    worker_id: str
    restarts: Sequence[RestartShape]


class ArchiveShape(Struct, rename="camel"):
    """How old the archive is."""

    as_of: Annotated[Time | None, Meta(description="When it was looked at last; null while it cannot be.")]
    age_ms: Annotated[
        Whole | None, Meta(description="For how long what arrived may lie in no object yet: the longest of the open shards'.")
    ]


class StatusShape(Struct, rename="camel"):
    """How the pipeline is."""

    verdict: Annotated[ShardVerdict, Meta(description="The worst of the shards'.")]
    as_of: Annotated[Time, Meta(description="When it was looked at, up to 5 s ago.")]
    generations: GenerationsShape
    shards: Sequence[ShardShape]
    sensors: Annotated[Whole, Meta(description="Sensors of which a reading was ever counted.")]
    dead_letters: Annotated[
        dict[ReasonCode, int],
        # msgspec says nothing of the names by itself.
        Meta(
            description="What could not be read, ever, by reason code.",
            extra_json_schema={"propertyNames": {"$ref": "#/components/schemas/ReasonCode"}},
        ),
    ]
    supervisors: Annotated[Sequence[SupervisorShape], Meta(description="Those that ever restarted their daemon.")]
    archive: Annotated[ArchiveShape | None, Meta(description="null where ARCHIVE_TARGET names none to the API.")] = None


async def status(request: Request) -> Response:
    """What was seen at most `SHARED_S` ago."""
    found = services(request)
    found.stream.require_ours()
    asked(request, PARAMETERS)
    sight = await found.sight.get()
    archive = _archive(await found.archive.get(sight)) if found.archive else None
    return await json_answer(lambda: status_shape(sight, archive), {"Cache-Control": "no-cache"})


def status_shape(sight: Sight, archive: ArchiveShape | None = None) -> StatusShape:
    """What is told of what was seen."""
    created = rfc3339(created_us(sight.pointer.stream_created))
    return StatusShape(
        verdict=worst(sight.shards),
        as_of=rfc3339(sight.at_us),
        generations=GenerationsShape(sight.pointer.generation, created, [_other(one) for one in sight.others]),
        shards=[_shard(state) for state in sight.shards],
        sensors=sight.sensors,
        dead_letters={code: sum(shard[code] for shard in sight.dead_letters.values()) for code in ReasonCode},
        supervisors=[_supervisor(one) for one in sight.supervisors],
        archive=archive,
    )


def _shard(state: ShardState) -> ShardShape:
    lag_ms = None if state.lag_us is None else state.lag_us // 1000
    return ShardShape(state.shard_id, state.owner, state.verdict, lag_ms, int(state.position_age_s * 1000))


def _other(state: State) -> OtherShape:
    behind_ms = None if state.behind_us is None else state.behind_us // 1000
    return OtherShape(state.number, state.stage, state.why, state.readings, behind_ms, state.workers)


def _archive(seen: Archived | None) -> ArchiveShape:
    if seen is None:
        return ArchiveShape(None, None)
    return ArchiveShape(rfc3339(seen.at_ms * 1000), int(max(seen.ages_s.values(), default=0) * 1000))


def _supervisor(one: Supervisor) -> SupervisorShape:
    return SupervisorShape(one.worker_id, [RestartShape(rfc3339(restart.at_us), restart.reason) for restart in one.restarts])

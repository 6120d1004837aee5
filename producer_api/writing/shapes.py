"""The shapes of answers to what was sent: what is written as JSON and what OpenAPI says of it, in one definition."""

from typing import Annotated

from msgspec import Meta, Struct

Index = Annotated[int, Meta(ge=0, description="Which reading of the batch, counted from 0.")]
Position = Annotated[str, Meta(description="Shard and sequence number in the log.", examples=["shardId-000000000000:495906"])]
Many = Annotated[int, Meta(ge=0)]


class RecordedShape(Struct):
    """A reading is stored."""

    message: Annotated[str, Meta(examples=["Temperature reading recorded successfully"])]


class FaultShape(Struct):
    """What is wrong with one member of a reading."""

    pointer: Annotated[str, Meta(description="Where it stands (RFC 6901).", examples=["/1/temperature"])]
    detail: str


class StoredShape(Struct, rename="camel", tag_field="status", tag="stored"):
    """A reading that the log has."""

    index: Index
    event_id: Annotated[str, Meta(description="The same for the same reading, however it is sent.")]
    position: Position


class RefusedShape(Struct, tag_field="status", tag="refused"):
    """A reading that will be refused whenever it is sent: mend it, or let go of it."""

    index: Index
    message: Annotated[dict[str, str], Meta(description="What is wrong, by member; `body` is the reading as a whole.")]
    errors: list[FaultShape]


class UnknownShape(Struct, tag_field="status", tag="unknown"):
    """A reading that is not known to be stored; sending it again is safe."""

    index: Index
    detail: str


class IgnoredShape(Struct, tag_field="status", tag="ignored"):
    """Something well written that is no temperature, as gateways send along: nothing to be mended."""

    index: Index
    detail: str


class BatchShape(Struct):
    """What became of a batch, reading by reading."""

    stored: Many
    refused: Many
    unknown: Many
    ignored: Many
    after: Annotated[
        list[Position] | None,
        Meta(description="The last position in each shard, for the parameter `after`; null where they are more than it takes."),
    ]
    results: list[StoredShape | RefusedShape | IgnoredShape | UnknownShape]

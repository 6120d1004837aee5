"""Settings: one frozen object read from a mapping that is passed in, all mistakes reported at once.

Where AWS is, and who we are there, is told by the standard AWS variables alone (`AWS_REGION`, `AWS_ENDPOINT_URL`,
credentials); boto3 reads those itself. `docs/settings.md` is checked against this file by a test.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from telemetry.errors import InvalidSettings
from telemetry.processes import host_name

CLOCK_SKEW_H: Final = 24
"""How far ahead of the server's clock a timestamp may be, in hours, where a deployment does not say otherwise (contract C20).
Who reads the log cannot know what its writers were told, and so takes this, not the setting."""
CLOCK_SKEW_H_BOUND: Final = 876_000
"""What a deployment may say at most: a hundred years."""

_ECS_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
"""An address that ECS gives to each container. Its last part names that container and no other; on Fargate it begins with the
task's id. So every task has a name of its own, and its health check finds the same one, without a word to the network."""


class Settings(BaseModel):
    """Every setting of every process; the variable's name is the field's in upper case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: Annotated[
        str,
        Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$", description="Begins the name of every stream and table, as in the original."),
    ] = "telemetry-dev"
    aws_region: Annotated[
        str, Field(pattern=r"^[a-z0-9-]{4,32}$", description="The region; AWS_DEFAULT_REGION is read when it is not set.")
    ] = "eu-west-1"
    aws_endpoint_url: Annotated[
        str | None, Field(pattern=r"^https?://", description="Where AWS is, when it is not AWS itself: LocalStack's address.")
    ] = None
    aws_endpoint_url_dynamodb: Annotated[
        str | None, Field(pattern=r"^https?://", description="Where DynamoDB is, when it is not at AWS_ENDPOINT_URL.")
    ] = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="The least level that is logged.")] = (
        "info"
    )

    host: Annotated[str, Field(description="The address the API listens on, and the supervisor's metrics.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="The port the API listens on.")] = 8080
    temperature_min: Annotated[
        Decimal, Field(ge=Decimal("-273.15"), le=10_000, description="Colder readings are refused at the HTTP edge, in °C.")
    ] = Decimal("-273.15")
    temperature_max: Annotated[
        Decimal, Field(ge=Decimal("-273.15"), le=10_000, description="Hotter readings are refused at the HTTP edge, in °C.")
    ] = Decimal(10_000)
    clock_skew_h_max: Annotated[
        float,
        Field(ge=0, le=CLOCK_SKEW_H_BOUND, description="How far ahead of the server's clock a timestamp may be, in hours."),
    ] = CLOCK_SKEW_H
    put_in_flight_max: Annotated[int, Field(ge=1, le=64, description="PutRecords calls under way at once.")] = 4
    put_deadline_s: Annotated[
        float, Field(gt=0, le=60, description="How long the API tries to store a reading before it answers 503, in seconds.")
    ] = 5
    drain_s: Annotated[
        float, Field(ge=0, le=60, description="How long a body that is still coming may take once the API was asked to stop.")
    ] = 2
    stop_timeout_s: Annotated[
        float,
        Field(gt=0, le=600, description="When whoever stops the API kills it; DRAIN_S, PUT_DEADLINE_S and 4 s more must fit."),
    ] = 30
    request_timeout_s: Annotated[
        float,
        Field(gt=0, le=600, description="How long a head, a body, or a client's reading of its answer may take, in seconds."),
    ] = 10
    keep_alive_s: Annotated[
        float,
        Field(
            gt=0, le=4000, description="How long an idle connection stays open; longer than LOAD_BALANCER_IDLE_S, in seconds."
        ),
    ] = 75
    load_balancer_idle_s: Annotated[
        float, Field(ge=0, le=4000, description="How long the load balancer keeps an idle connection; 0 without one.")
    ] = 60
    connections_max: Annotated[
        int, Field(ge=1, le=1_000_000, description="Connections open at once; beyond, idle ones give way, or new ones get 503.")
    ] = 2000
    live_streams_max: Annotated[
        int, Field(ge=0, le=100_000, description="Live streams open at once, of CONNECTIONS_MAX; more get 503.")
    ] = 1000
    public_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~/-]*)?$",
            description="Where people reach the API, for the page's examples.",
        ),
    ] = None
    allowed_hosts: Annotated[
        str,
        Field(
            pattern=r"^(\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(,\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*)*)?$",
            description="Names beside PUBLIC_URL's that the API is reached under, separated by commas; .a.b for all below a.b.",
        ),
    ] = ""
    frame_ancestors: Annotated[
        str,
        Field(
            pattern=r"^('none'|('self'|https?://[A-Za-z0-9.:\[\]*-]+)( ('self'|https?://[A-Za-z0-9.:\[\]*-]+))*)$",
            description="Who may show the pages in a frame, as a Content-Security-Policy writes it.",
        ),
    ] = "'none'"
    cors_origins: Annotated[
        str,
        Field(
            pattern=r"^(\*|https?://[A-Za-z0-9.:\[\]-]+(,https?://[A-Za-z0-9.:\[\]-]+)*)?$",
            description="Origins whose pages may call the API, separated by commas; * for any, none by default.",
        ),
    ] = ""
    keys: Annotated[bool, Field(description="Whether the API asks for keys, which `telemetry keys` makes; on AWS it does.")] = (
        False
    )
    mutual_tls: Annotated[
        bool, Field(description="Whether a load balancer verifies clients' certificates, whose common names are ids of keys.")
    ] = False
    write_id_tags: Annotated[
        str,
        Field(
            pattern=r"^[^,\s]+(,[^,\s]+)*$",
            description="Tags of line protocol that may name the sensor: the first that is there does.",
        ),
    ] = "sensorId,sensor_id,sensor,device,entity_id,host"
    queue_events_max: Annotated[
        int, Field(ge=1, le=1_000_000, description="Readings that may wait to be stored; more are answered 503 at once.")
    ] = 20_000

    worker_id: Annotated[
        str,
        Field(
            pattern=r"^[a-zA-Z0-9_.:-]{1,128}$",
            description="This consumer's name; unique among the living, best the same after a restart; else its host's.",
        ),
    ] = ""
    kcl_timing: Annotated[
        Literal["local", "aws"], Field(description="Which set of KCL's intervals to use: `consumer/properties.py` has both.")
    ] = "aws"
    metrics_port: Annotated[
        int, Field(ge=0, le=65535, description="The port at HOST where the consumer's supervisor tells Prometheus; 0 for none.")
    ] = 0
    java: Annotated[str, Field(description="The java that runs KCL's daemon, 17 or newer.")] = "java"
    archive_target: Annotated[
        str,
        Field(
            pattern=r"^($|[^s]|s($|[^3])|s3($|[^:])|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_.=/-]*)?$)",
            description="Where the archive lies: a folder, or s3://bucket/prefix.",
        ),
    ] = ""
    archive_interval_s: Annotated[
        float, Field(gt=0, le=3600, description="How long the archiver collects before it puts an object, in seconds.")
    ] = 300
    archive_object_bytes: Annotated[
        int, Field(ge=1, le=10**9, description="Which size makes the archiver put an object sooner, in bytes.")
    ] = 64_000_000
    archive_held_bytes: Annotated[
        int, Field(ge=1, le=10**11, description="What it holds of all shards together; beyond, the largest goes first.")
    ] = 256_000_000
    archiver_share: Annotated[
        str,
        Field(
            pattern=r"^[1-9][0-9]{0,2}/[1-9][0-9]{0,2}$",
            description="Which share of the shards an archiver takes: i/n, the i-th of n.",
        ),
    ] = "1/1"
    archiver_metrics_port: Annotated[
        int, Field(ge=0, le=65535, description="The port at HOST where the archiver tells Prometheus; 0 for none.")
    ] = 0
    store_retry_s: Annotated[
        float,
        Field(gt=0, le=50, description="How long consumer and archiver retry a call to AWS, in seconds."),
    ] = 30

    @model_validator(mode="before")
    @classmethod
    def _name_after_host(cls, given: Any) -> Any:
        return {**given, "worker_id": given.get("worker_id") or host_name()}

    @model_validator(mode="after")
    def _leave_room(self) -> Self:
        if self.temperature_min > self.temperature_max:
            raise ValueError("TEMPERATURE_MIN is above TEMPERATURE_MAX, so every reading would be refused")
        if self.mutual_tls and not self.keys:
            raise ValueError("MUTUAL_TLS needs KEYS: a certificate names the key that says what its client may do")
        number, of = map(int, self.archiver_share.split("/"))
        if number > of:
            raise ValueError(f"ARCHIVER_SHARE={self.archiver_share}: there are only {of} shares, the last of them {of}/{of}")
        if self.stopping_s > self.stop_timeout_s:
            raise ValueError(
                f"DRAIN_S and PUT_DEADLINE_S: stopping takes {self.stopping_s:g} s: STOP_TIMEOUT_S={self.stop_timeout_s:g} "
                "would cut it short, and readings under way would get no answer"
            )
        if 0 < self.load_balancer_idle_s <= self.put_deadline_s:
            raise ValueError(
                f"LOAD_BALANCER_IDLE_S={self.load_balancer_idle_s:g} is not above PUT_DEADLINE_S={self.put_deadline_s:g}. "
                "The load balancer would answer 504 before the API has its answer"
            )
        if self.keep_alive_s <= self.load_balancer_idle_s:
            raise ValueError(
                f"KEEP_ALIVE_S={self.keep_alive_s:g} is not above LOAD_BALANCER_IDLE_S={self.load_balancer_idle_s:g}. "
                "The load balancer would at times send a request into a connection that is just being closed, and answer 502"
            )
        return self

    @property
    def id_tags(self) -> tuple[str, ...]:
        """WRITE_ID_TAGS, one by one."""
        return tuple(self.write_id_tags.split(","))

    @property
    def dynamodb_url(self) -> str | None:
        """Where DynamoDB is; None for AWS."""
        return self.aws_endpoint_url_dynamodb or self.aws_endpoint_url

    @property
    def stopping_s(self) -> float:
        """How long the API may take to stop: bodies, then their readings, then a call that hangs (`telemetry/aws.py`)."""
        return self.drain_s + self.put_deadline_s + 4

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """The settings that `environ` holds, defaults for the others. Raises InvalidSettings naming every bad one."""
        given = {name: environ[name.upper()] for name in cls.model_fields if environ.get(name.upper(), "") != ""}
        if "aws_region" not in given and environ.get("AWS_DEFAULT_REGION"):
            given["aws_region"] = environ["AWS_DEFAULT_REGION"]
        if "worker_id" not in given and environ.get(_ECS_VARIABLE):
            given["worker_id"] = environ[_ECS_VARIABLE].rstrip("/").rpartition("/")[2]
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            mistakes = [cls._mistake(str(fault["loc"][0]) if fault["loc"] else "", fault) for fault in error.errors()]
            raise InvalidSettings("These settings cannot be used:\n  " + "\n  ".join(mistakes)) from None

    @classmethod
    def _mistake(cls, name: str, fault: ErrorDetails) -> str:
        if not name:  # it lies between several settings
            return fault["msg"]
        shown = re.sub(r"//[^/@]*@", "//…@", repr(fault["input"]))  # a password in an address is nobody's business
        return f"{name.upper()}={shown}: {fault['msg']}. {cls.model_fields[name].description}"

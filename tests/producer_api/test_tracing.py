"""Which traceparents are taken over."""

import pytest

from producer_api.tracing import keep, sampled, traceparent_of
from telemetry.canonical import LineDecoder
from telemetry.events import encode_event
from telemetry.reading import Reading

IDS = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"


def taken(*values: str) -> str | None:
    """What is taken of a request with these headers."""
    return traceparent_of([(b"host", b"x"), *((b"traceparent", value.encode()) for value in values)])


@pytest.mark.parametrize("flags", ["00", "01", "ff"])
def test_a_valid_one_is_taken_as_it_is(flags: str) -> None:
    """And stays with the request; only one that is sampled is the event's."""
    assert taken(f"00-{IDS}-{flags}") == f"00-{IDS}-{flags}"
    scope: dict[str, object] = {}
    assert sampled(scope) == ""
    keep(scope, f"00-{IDS}-{flags}")
    assert sampled(scope) == ("" if flags == "00" else f"00-{IDS}-{flags}")


def test_of_a_later_version_what_is_known_is_taken() -> None:
    """In the form of ours, which readers of the log know."""
    assert taken(f"cc-{IDS}-01") == taken(f"cc-{IDS}-01-what the future brings") == f"00-{IDS}-01"


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("",),
        (f"00-{IDS}",),
        (f"00-{IDS}-1",),
        (f"00-{IDS}-01-more",),
        (f"00-{IDS.upper()}-01",),
        (f"ff-{IDS}-01",),
        (f"00-{'0' * 32}-b7ad6b7169203331-01",),
        (f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",),
        (f"cc-{IDS}-01.what",),
        (f" 00-{IDS}-01",),
        (f'00-{IDS}-01","x":"',),
        (f"00-{IDS}-01", f"00-{IDS}-01"),
    ],
    ids=repr,
)
def test_what_is_not_valid_is_passed_over(values: tuple[str, ...]) -> None:
    """As if it were not there; nothing of it comes near the log."""
    assert taken(*values) is None


def test_an_event_with_a_trace_is_decoded_the_fast_way() -> None:
    """So that tracing costs the consumer nothing."""
    reading = Reading(1_637_950_200_000_000, "202", 18_700_000)
    line = encode_event(reading, 1_637_950_200_000_000, traceparent=f"00-{IDS}-01")
    assert LineDecoder().decode_all(line + b"\n") == [LineDecoder().decode(line)]

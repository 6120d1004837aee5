"""What a verification leaves behind, and for how long it says enough."""

import pytest

from operations.verified import VERIFIED_S_MAX, Verified, read_verified, unproved, write_verified
from projections.generations import read_pointer
from tests.support.promoting import LIVE, OTHER, row
from tests.support.stack import Stack

LARGE = 49_654_321_987_654_321_987_654_321_987_654_321_987_654_321_987_654_321_98
NOW_US = 1_800_000_000_000_000
FOUND = Verified(2, NOW_US, {LIVE: 5})


@pytest.mark.parametrize(
    ("verified", "later_s", "why"),
    [
        (FOUND, 0, ""),
        (FOUND, VERIFIED_S_MAX, ""),
        (FOUND, VERIFIED_S_MAX + 60, "g2 was last verified 61 minutes ago, at 2027-01-15T08:00:00Z: telemetry verify g2"),
        (None, 0, "Nobody has verified g2: telemetry verify g2 first, or say --unverified."),
        (Verified(2, NOW_US, {LIVE: 6}), 0, "g2 was verified when its tables held more"),
        (Verified(2, NOW_US, {LIVE: 5, OTHER: 1}), 0, "g2 was verified when its tables held more"),
    ],
)
def test_it_says_enough_for_an_hour_and_of_these_tables_only(verified: Verified | None, later_s: int, why: str) -> None:
    """What was counted since takes nothing away."""
    told = unproved(verified, 2, {LIVE: row(5), "another": row(1)}, NOW_US + later_s * 10**6)
    assert (told == "") == (why == "")
    assert told.startswith(why)


def test_each_generation_has_one_beside_the_pointer(stack: Stack) -> None:
    """The last one; positions keep all their digits, and the pointer stands."""
    dynamodb, names = stack.dynamodb, stack.names
    pointer = read_pointer(dynamodb, names)
    assert read_verified(dynamodb, names, 2) is None
    for verified in (FOUND, Verified(3, 1, {}), Verified(2, NOW_US + 1, {LIVE: LARGE, f"2/{OTHER}": 0})):
        write_verified(dynamodb, names, verified)
        assert read_verified(dynamodb, names, verified.generation) == verified
    assert read_verified(dynamodb, names, 3) == Verified(3, 1, {})
    assert read_pointer(dynamodb, names) == pointer

"""What evidence covers (gateway/receipt/covered.py)."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from gateway.receipt.covered import Covered

TIMES = [f"2026-03-0{day}T05:06:07.000000Z" for day in range(1, 6)]
RECEIPTS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.sampled_from(TIMES),
            "stage": st.sampled_from(["received", "checked", "delivered"]),
            "environment": st.sampled_from(["test", "production"]),
        }
    ),
    max_size=6,
)


def covered(receipts: list[Mapping[str, str]]) -> Covered:
    counted = Covered()
    for receipt in receipts:
        counted.take(receipt)
    return counted


@given(RECEIPTS)
def test_receipts_are_counted(receipts: list[Mapping[str, str]]) -> None:
    """By stage, those of test traffic, and between which times they lie; of none there is nothing to say."""
    counted = covered(receipts)
    stages = [receipt["stage"] for receipt in receipts]
    assert counted.stages == {stage: stages.count(stage) for stage in stages}
    assert counted.tests == sum(receipt["environment"] == "test" for receipt in receipts)
    times = sorted(receipt["at"] for receipt in receipts)
    assert (counted.first, counted.last) == ((times[0], times[-1]) if times else ("", ""))


@given(RECEIPTS, RECEIPTS)
def test_two_parts_cover_what_the_whole_does(one: list[Mapping[str, str]], other: list[Mapping[str, str]]) -> None:
    """Counted apart and put together, in whichever order, the same is covered."""
    together = covered(one)
    together.merge(covered(other))
    assert together == covered([*one, *other])

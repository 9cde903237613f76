"""What is remembered of control references."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.parse.references import References


@given(st.lists(st.from_regex(r"[AB]?[0-9]{0,3}", fullmatch=True), max_size=60))
def test_a_reference_repeats_if_it_was_there_before(references):
    """Whatever their form and order, exactly those that stood before are told."""
    seen, known = References(), set()
    for reference in references:
        assert seen.repeats(reference) == (reference in known), reference
        known.add(reference)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 4)), max_size=12))
def test_runs_that_meet_or_overlap_are_told_apart(runs):
    """References that count up from anywhere, in several forms, end in no false verdict."""
    seen, known = References(), set()
    for first, count, width in runs:
        for reference in (f"{n:0{width}}" for n in range(first, first + count)):
            assert seen.repeats(reference) == (reference in known), reference
            known.add(reference)


@pytest.mark.parametrize(
    ("form", "most"),
    [
        # (how message n is named, bytes at most for 100,000 of them)
        ("{0}", 10_000),
        ("{0:014}", 10_000),
        ("INV-{0:06}", 10_000),
        # nothing to count by: 20 MB at most, however many
        ("{1:014x}", 20_000_000),
    ],
)
def test_many_references_take_little_memory(form, most):
    """Those that count up take no room at all, those in any order a bounded one; each is still told."""
    draw = random.Random(7)
    tracemalloc.start()
    seen = References()
    repeated = sum(seen.repeats(form.format(n, draw.getrandbits(56))) for n in range(100_000))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert repeated == 0
    assert used < most
    draw.seed(7)
    assert seen.repeats(form.format(0, draw.getrandbits(56)))


def test_references_without_order_are_remembered_up_to_a_limit():
    """A hostile interchange of millions of them cannot fill memory."""
    seen = References()
    for number in range(400_000):
        seen.repeats(f"X{number}Y")
    assert len(seen._others) == 300_000

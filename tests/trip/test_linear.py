"""What an interchange of very many small things costs grows as their number does, from its bytes to its acknowledgement."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest

from gateway.catalogue_folders import shipped
from gateway.model import Acknowledge, Agreement, Direction
from gateway.trip.examine import Bounds, examine
from gateway.trip.examined import Interchange
from tests.conformance import rig
from tests.counted import count_calls
from tests.faults import heavy
from tests.trip.rig import RULES, START

AGREEMENT = Agreement("a", "acme", Direction.IN, "*", "*", acknowledge=Acknowledge.ALWAYS)
MANY = 10_000
FEW = 400
TIMES = 4
"""How many times as many things there are in the larger one."""


def work(body: bytes) -> None:
    """Examine, and write the acknowledgement of each interchange."""
    bounds = Bounds(interchanges=MANY + 1, groups=MANY + 1)
    rules = RULES.at(START.date())
    for item in examine(shipped(), body, [AGREEMENT], rules, unpacked_limit=1 << 30, bounds=bounds):
        if isinstance(item, Interchange):
            assert item.last - item.first < MANY
            rig.answered(item)


def rejected(size: int) -> bytes:
    """EDIFACT messages as small as they may be, each with a fault of its own."""
    sets = "".join(f"UNH+{n}+CUSDEC:D:96B:UN'BGM+X'UNT+3+{n}'" for n in range(1, size + 1))
    return f"UNB+UNOC:3+SENDER+GATEWAY+260305:0130+R1'{sets}UNZ+{size}+R1'".encode()


KINDS: list[Callable[[int], bytes]] = [
    heavy.messages,
    heavy.sets,
    heavy.empty_groups,
    heavy.full_groups,
    heavy.interchanges,
    heavy.empty_interchanges,
    rejected,
]


@pytest.mark.parametrize("kind", KINDS)
def test_many_small_things_take_work_in_proportion(kind: Callable[[int], bytes]) -> None:
    """Four times as many call no more than five times as many functions."""
    work(kind(1))  # what is loaded once is loaded
    calls = [count_calls(partial(work, kind(size))) for size in (FEW, TIMES * FEW)]
    assert calls[1] < 1.25 * TIMES * calls[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [heavy.messages, heavy.sets, heavy.empty_groups])
def test_ten_thousand_take_time_in_proportion(kind: Callable[[int], bytes]) -> None:
    """They take nothing like sixteen times as long as a quarter of them: what C code does in one call grows no faster."""
    work(kind(1))

    def seconds(body: bytes) -> float:
        began = time.process_time()
        work(body)
        return time.process_time() - began

    small, large = kind(MANY // TIMES), kind(MANY)
    short = min(seconds(small) for _ in range(2))
    assert seconds(large) < 2.5 * TIMES * short

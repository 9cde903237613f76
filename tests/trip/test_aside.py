"""Work on long documents, off the event loop."""

from __future__ import annotations

import gc
import threading

import pytest

from gateway.documents import Manifest
from gateway.trip.aside import MANY_ITEMS, run_aside, uncollected


def manifest(bills: int, seals: int = 0) -> Manifest:
    bill = {"containers": [{"seals": ["S"] * seals}]} if seals else {}
    return Manifest.model_validate({"number": "M-1", "function": "9", "bills": [bill] * bills})


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("bills", "seals", "aside"),
    [(1, 0, False), (MANY_ITEMS, 0, False), (MANY_ITEMS + 1, 0, True), (2, MANY_ITEMS // 2, True)],
)
async def test_only_long_documents_go_to_a_thread(bills, seals, aside, as_json):
    """What takes long leaves the event loop free, what does not costs no thread; the items of all lists count together."""
    document = manifest(bills, seals)
    ran = await run_aside(document.to_json() if as_json else document, threading.current_thread)
    assert (ran is not threading.main_thread()) is aside


async def test_work_on_nothing_stays_here():
    """A message that was not read has no document, and what is done about it is short."""
    assert await run_aside(None, threading.current_thread) is threading.main_thread()


def test_garbage_is_looked_for_again_after_the_last():
    """Of several pieces of work at once, the last to end lets the collector go on."""
    with uncollected():
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()

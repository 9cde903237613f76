"""Work on long documents, off the event loop."""

from __future__ import annotations

import gc
import threading

import pytest

from gateway.deliver.aside import MANY_ITEMS, has_many_items, run_aside, uncollected
from gateway.documents import Manifest


def manifest(bills: int, seals: int = 0) -> Manifest:
    bill = {"containers": [{"seals": ["S"] * seals}]} if seals else {}
    return Manifest.model_validate({"number": "M-1", "function": "9", "bills": [bill] * bills})


@pytest.mark.parametrize(
    ("document", "many"),
    [
        (manifest(MANY_ITEMS), False),
        (manifest(MANY_ITEMS + 1), True),
        (manifest(2, MANY_ITEMS // 2), True),  # the items of all lists count, however deep
        (manifest(2, MANY_ITEMS // 2).to_json(), True),
        (manifest(1).to_json(), False),
    ],
)
def test_items_are_counted_in_all_lists(document, many):
    """A document is long by all that is in it, as a model and as JSON."""
    assert has_many_items(document) is many


@pytest.mark.parametrize("bills", [1, MANY_ITEMS + 1])
async def test_only_long_documents_go_to_a_thread(bills):
    """What takes long leaves the event loop free; what does not costs no thread."""
    ran = await run_aside(manifest(bills), threading.current_thread)
    assert (ran is threading.main_thread()) is (bills == 1)
    assert await run_aside(None, threading.current_thread) is threading.main_thread()


def test_garbage_is_looked_for_again_after_the_last():
    """Of several pieces of work at once, the last to end lets the collector go on."""
    with uncollected():
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()

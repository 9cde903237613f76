"""The X12 reader: whatever comes is a stream of events that ends."""

from gateway.parse import x12
from tests.fuzz.invariants import Budget, same_events

SEEDS = ("*.x12",)


def one(body: bytes) -> None:
    """Read whole and in pieces, the same comes out."""
    with Budget(body) as budget:
        budget.gives(same_events(x12.read, body))

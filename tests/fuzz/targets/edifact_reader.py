"""The EDIFACT reader: whatever comes is a stream of events that ends."""

from gateway.parse import edifact
from tests.fuzz.invariants import Budget, same_events

SEEDS = ("*.edi",)


def one(body: bytes) -> None:
    """Read whole and in pieces, the same comes out."""
    with Budget(body) as budget:
        budget.gives(same_events(edifact.read, body))

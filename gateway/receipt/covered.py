"""What verified evidence covers: the only things that whoever verified it may say about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.receipt.signed import Checkpoint


@dataclass(slots=True)
class Covered:
    """Receipts under a verified checkpoint, and the files of a bundle that they vouch for.

    Filled by a verifier: nothing counts here that the log's key does not vouch for.
    """

    origin: str = ""
    """The log's name in the checkpoint."""
    size: int = 0
    """Leaves under the checkpoint, of which the evidence may hold few."""
    stages: Counter[str] = field(default_factory=Counter)
    tests: int = 0
    """Those of the receipts that are about test traffic."""
    first: str = ""
    last: str = ""
    """The earliest and the latest time that a receipt gives."""
    files: int = 0
    """Files of a bundle whose digest stands in a receipt."""
    uncovered: list[str] = field(default_factory=list)
    """Files of a bundle that nothing signed says anything about."""
    recipients: dict[int, str] = field(default_factory=dict)
    """Partners that receipts were shown to be about, by index."""

    def take(self, receipt: Mapping[str, Any]) -> None:
        """Count a receipt that was verified."""
        at = str(receipt["at"])
        self.stages[str(receipt["stage"])] += 1
        self.tests += receipt["environment"] == "test"
        self.first = min(self.first or at, at)
        self.last = max(self.last, at)

    def take_head(self, head: Checkpoint) -> None:
        """Note the checkpoint that covers what is counted."""
        self.origin, self.size = head.origin, head.size

    def merge(self, other: Covered) -> None:
        """Count what `other` has counted as well."""
        self.stages += other.stages
        self.tests += other.tests
        self.first = min(filter(None, (self.first, other.first)), default="")
        self.last = max(self.last, other.last)

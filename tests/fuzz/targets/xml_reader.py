"""The XML reader: a root or findings, never both missing."""

from gateway.parse import xml
from tests.fuzz.invariants import Budget, worded

SEEDS = ("*.xml",)


def one(body: bytes) -> None:
    """A message, or the reasons why there is none."""
    with Budget(body) as budget:
        read = xml.read(body)
        assert (read.root is None) == any(f.severity == "error" for f in read.findings)
        budget.gives(worded(read.findings))

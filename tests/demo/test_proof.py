"""What the receipts must tell of, beside that they hold."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.demo import plan
from gateway.demo.house import House
from gateway.demo.proof import EVIDENCE_KINDS, find_gaps
from gateway.demo.show import WAYS

CAME = [{"transport": "http"}]


@pytest.mark.parametrize(
    ("ways", "received", "delivered", "said"),
    [
        (["as2", "http"], CAME, {"as2_mdn": 2, "http_digest": 1}, []),
        ([], [], {}, ["no partner could send anything; the logs of the processes say why"]),
        (["as2", "http"], CAME, {"http_digest": 1}, ["no receipt says that anything was delivered over as2"]),
        # An older kind that nobody knows here is no proof for a way.
        (
            ["http"],
            CAME,
            {"pigeon": 1},
            [
                "no receipt says that anything was delivered over http",
                "receipts name an evidence that the demo does not know: pigeon",
            ],
        ),
    ],
)
def test_every_way_that_was_agreed_has_a_receipt(
    ways: list[str], received: list[dict[str, Any]], delivered: dict[str, int], said: list[str]
) -> None:
    """A way over which nothing was delivered is a problem, and so is a proof that has no name."""
    assert list(find_gaps(ways, received, delivered)) == said


def test_the_demo_delivers_over_every_way_that_pushes(tmp_path: Any) -> None:
    """The partner file agrees all transports that push, each with a name for people and a kind of proof."""
    ways = House(tmp_path, plan.partners()).ways
    assert ways == ["as2", "folder", "http", "sftp", "smtp", "webhook"]
    assert {kind.way for kind in EVIDENCE_KINDS.values()} == set(ways) == WAYS.keys()

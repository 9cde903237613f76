"""Whatever comes gets an answer or a refusal, and every answer passes our own strict check."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.trip import refusals
from gateway.trip.examined import Interchange
from gateway.trip.in_hand import InHand
from tests.conformance import rig
from tests.conformance.test_rules import FRAMES
from tests.flows import world
from tests.fuzz.invariants import Budget
from tests.fuzz.outgoing import accepted, advised

HEADS = ["", "UNA:+.?*'", "UNB+UNOC:4+A+B", "UIB+UNOA:4", "ISA*00*", "<", "{", "PK\x03\x04", "\x1f\x8b"]
WORDS = ["'", "+", ":", "?", "*", "~", "UNH", "UNT", "UNZ", "GS", "SE", "IEA", "\x00", "\xff", "号", "9" * 40, " " * 40]


def answer(body: bytes) -> None:
    """See that each interchange in `body` is answered, or refused with reasons, by what passes our own check."""
    with Budget(body) as budget:
        came = rig.outcome(body)
        assert came.interchanges, "nothing is said of it at all"
        for interchange, said in zip(came.interchanges, came.answers, strict=True):
            assert not said.faults
            assert not rig.bare_rejections(said.body.decode("utf-8", "replace"))
            accepted(said.body, budget)
            if not said.body and interchange.rejected:
                _refused(interchange, budget)


def _refused(interchange: Interchange, budget: Budget) -> None:
    """What cannot be answered in its syntax is refused by a document that gives every reason."""
    in_hand = InHand("0" * 32, world.FACTORY, world.NOW)
    for language in ("en", "zh"):
        document = refusals.unreadable(interchange, in_hand, language)
        assert document.reasons
        advised(document, budget)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(HEADS), st.binary(max_size=300))
def test_any_bytes_are_answered_or_refused(head: str, rest: bytes) -> None:
    """Bytes of any kind, behind the beginnings by which syntaxes are known."""
    answer(head.encode("latin-1") + rest)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FRAMES)), st.integers(0, 2**32))
def test_broken_interchanges_are_answered_or_refused(frame: str, seed: int) -> None:
    """Sound interchanges of each kind with a few changes anywhere, the envelope included."""
    draw = random.Random(seed)
    text = FRAMES[frame]
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(text) + 1)
        text = text[:at] + draw.choice(WORDS) + text[at + draw.choice((0, 0, 1, 3, 12)) :]
    answer(text.encode("utf-8"))

"""What a bureau's word on the goods means beside itself, whichever document or person brings it."""

from __future__ import annotations

from gateway.decide.effects import Alert, Effect
from gateway.flows.consignment.tracks import Cleared, Inspected
from gateway.model import Case, Finding

Happening = tuple[str, str]
"""A track, and the event on it."""


def implied_by(happening: Happening) -> tuple[Happening, ...]:
    """What a bureau's word says by itself: what it inspects it has accepted, what it has judged it no longer changes."""
    if happening[0] != "inspection":
        return ()
    judged = happening[1] in ("pass", "fail")
    return (("declaration", "accept"), *((("declaration", "overtake"),) if judged else ()))


def find_contradiction(case: Case, event: str, why: tuple[Finding, ...]) -> list[Effect]:
    """An alert where goods are said to have failed that have passed, or that customs let go: the word comes too late."""
    passed = case.tracks.get("inspection") == Inspected.PASSED or case.tracks.get("clearance") == Cleared.RELEASED
    return [Alert("contradiction", why, case.id)] if event in ("fail", "refuse") and passed else []


def find_out_of_customs(case: Case, event: str, why: tuple[Finding, ...]) -> list[Effect]:
    """An alert where goods fail that customs has let go already: they are on their way, and somebody must stop them."""
    if event != "fail" or case.tracks.get("clearance") != Cleared.RELEASED:
        return []
    return [Alert("failed_after_clearance", why, case.id)]

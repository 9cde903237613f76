"""Whether an act may be done on a case: what must hold on its tracks, and what of that is still wanting.

The conditions are data (schemas/rules/gates); a flow asks for an act by name, under the mode of supervision that the case
has, and tells the enterprise what is found in words that say what is still wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gateway.check.gates import GateRules, Need
from gateway.decide.answers import fault
from gateway.decide.tracks import NONE
from gateway.model import Case, Finding

OFFICER = "officer"
"""The waiver that an officer's own order is: what only a rule wants is not wanted of the officer."""


def find_missing(
    rules: GateRules,
    act: str,
    case: Case,
    mode: str = "",
    *,
    others: Iterable[Case] = (),
    waivers: Collection[str] = (),
) -> tuple[Finding, ...]:
    """What is still wanted before `act` on `case`, each thing once; nothing where it may be done.

    `mode` is the id of the case's mode of supervision; `others` are linked cases whose tracks gates may speak of;
    `waivers` name what waives, such as OFFICER.
    """
    by_kind = {case.kind: case, **{other.kind: other for other in others if other.kind != case.kind}}
    found: dict[str, Finding] = {}
    for gate in rules.find(act, case.kind, mode):
        for need in gate.need:
            state = _state(by_kind.get(need.kind or gate.kind), need)
            if state in need.states or _is_waived(need, case, waivers):
                continue
            args = {"act": act, "track": need.track, "reason": need.en, "reason_zh": need.zh}
            found.setdefault(need.en, fault("decide.gate.wanting", "", state, **args))
    return tuple(found.values())


def _state(case: Case | None, need: Need) -> str:
    """Where the track that the need speaks of stands; where no such case is there, nothing has happened on it."""
    return case.tracks.get(need.track, NONE) if case is not None else NONE


def _is_waived(need: Need, case: Case, waivers: Collection[str]) -> bool:
    if not need.waived_by.isdisjoint(waivers):
        return True
    return bool(need.waived_when) and all(
        case.tracks.get(track, NONE) in states for track, states in need.waived_when.items()
    )

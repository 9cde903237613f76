"""Whether a declared container may leave the port, as its consignment stands now.

    void     its declaration is withdrawn, or its goods failed                     locked, until an officer opens it
    risk     where it comes from, what is in it, whose it is                       locked, until an officer opens it
    open     what the gates before a release want, a change that is open           waits, and is released by itself
    clean    none of these                                                         released

What an officer has let pass is no reason any more, until another one is found.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.check.rulebook import PortInspection
from gateway.decide.answers import fault
from gateway.decide.cases import kept
from gateway.decide.desk import Desk
from gateway.decide.gates import find_missing
from gateway.documents.declaration import Declaration
from gateway.documents.manifest import Manifest, ManifestContainer
from gateway.flows.containers.decisions import Ruling, Standing, mark
from gateway.flows.containers.risks import find_risks
from gateway.flows.containers.status import ContainerEvent, ContainerStatus, container_step
from gateway.flows.declared import INSPECTION_ORDER, InspectionOrder
from gateway.flows.standing import mode_of
from gateway.model import Case, Finding

RELEASE_CONTAINER = "release_container"
"""The act before which schemas/rules/gates say what must hold, be it a rule that releases or an officer."""
ELSEWHERE = "elsewhere"
"""The waiver that an inspection is which is done elsewhere than at the port."""
_OVER = ("cancelled", "refused")
_FAILED = ("failed", "treating", "returned", "destroyed")
_DIFFERING = ("mismatched", "declined")
"""States of a notice and of a transfer in which customs, or a bureau, does not agree."""
_UNDER_WAY = ("ordered", "sampled", "testing")


def counts(case: Case) -> bool:
    """Whether containers may be decided on the case's declaration: it stands as accepted, and its goods have not failed."""
    return case.tracks.get("declaration") == "accepted" and case.tracks.get("inspection") not in _FAILED


def rule_container(
    desk: Desk,
    case: Case,
    declaration: Declaration,
    part: Manifest,
    unit: ManifestContainer,
    standing: Standing,
    *,
    at: str = "",
) -> Ruling | None:
    """What is decided for a container of the case; None where it stands as it was decided.

    `part` has the container's bill alone, `at` is that bill's place in the message in hand, if it came with that.
    """
    void = find_void(case, declaration)
    why: tuple[Finding, ...]
    if void is not None:
        event, why = ContainerEvent.FOUND_VOID, (void,)
    else:
        risks = tuple(r for r in find_risks(desk, declaration, part, unit, at) if mark(r) not in standing.waived)
        open_ = tuple(o for o in _find_open(desk, case, declaration, standing) if mark(o) not in standing.waived)
        why = (*risks, *open_)
        event = (
            ContainerEvent.FOUND_RISK if risks else ContainerEvent.FOUND_OPEN if open_ else ContainerEvent.FOUND_CLEAN
        )
    taken = container_step(standing.state, event)
    if taken is None or taken.late:
        return None  # only an officer changes that
    found = tuple(mark(finding) for finding in why)
    return Ruling(standing.model_copy(update={"state": ContainerStatus(taken.state), "found": found}), why)


def find_alarming(
    desk: Desk, case: Case, declaration: Declaration, part: Manifest, unit: ManifestContainer, standing: Standing
) -> tuple[Finding, ...]:
    """Why a container that has left already should not have: what is known of that is not told again."""
    void = find_void(case, declaration)
    why = (void,) if void is not None else find_risks(desk, declaration, part, unit)
    return tuple(finding for finding in why if mark(finding) not in (*standing.waived, *standing.found))


def find_void(case: Case, declaration: Declaration) -> Finding | None:
    """Why nothing may leave on the declaration any more."""
    if case.tracks.get("declaration") in _OVER or case.tracks.get("inspection") in _FAILED:
        return fault("decide.port.void", value=declaration.number, status=case.status)
    return None


def _find_open(desk: Desk, case: Case, declaration: Declaration, standing: Standing) -> Iterator[Finding]:
    """What the container waits for; once released, it is shut again only by what the rules say shuts it."""
    rules = desk.rules.of(PortInspection)
    released = standing.state is ContainerStatus.RELEASED
    state = case.tracks.get("declaration", "")
    if state in rules.lock_while or (state != "accepted" and not released):
        yield fault("decide.port.open", value=declaration.number, status=state)
    order = _find_order(case, declaration, rules)
    if order is not None:
        yield order
    if not released:
        yield from _find_wanting(desk, case, declaration, told=order is not None)


def _find_wanting(desk: Desk, case: Case, declaration: Declaration, *, told: bool) -> Iterator[Finding]:
    """What the gates want before a rule releases under the mode; of an inspection that is `told` already, nothing more."""
    waivers = () if told else (ELSEWHERE,)
    wanting = find_missing(desk.rules.gates, RELEASE_CONTAINER, case, mode_of(desk, declaration).id, waivers=waivers)
    differs = [one for one in wanting if one.value in _DIFFERING]
    if differs:
        yield fault("decide.port.differs", value=declaration.number)
    for finding in wanting:
        track = finding.args["track"]
        if not (finding in differs or track == "declaration" or (track == "inspection" and told)):
            yield finding


def _find_order(case: Case, declaration: Declaration, rules: PortInspection) -> Finding | None:
    """The inspection that stands, where it is one that is done at the port."""
    state = case.tracks.get("inspection", "")
    if state not in ("assigned", *_UNDER_WAY):
        return None
    order = kept(case, INSPECTION_ORDER, InspectionOrder)
    office = order.office if order else ""
    holding = rules.holding_assignments if state == "assigned" else rules.holding_orders
    parts = {
        "port": declaration.port_organisation,
        "declared_to": declaration.declaration_organisation,
        "destination": declaration.purpose_organisation,
    }
    if office and not any(parts[part] == office for part in holding):
        return None
    return fault("decide.port.inspection", value=office or "–", state=state)

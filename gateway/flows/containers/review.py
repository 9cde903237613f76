"""Containers of a consignment that has moved: each that is here is decided anew, and what follows from failed goods.

the consignment moves                  released where nothing stands against it any more, shut where something does
an amendment takes a container out     undeclared, until another declaration covers it
goods are treated, sent back           so are their containers, as far as they are locked
goods are treated, and looked at       their containers are locked again, until an officer opens them
goods are to be destroyed              their containers stay locked, and their port is told why
what should be shut has left           an alert
"""

from __future__ import annotations

from gateway.decide.answers import fault
from gateway.decide.apply import changed
from gateway.decide.cases import kept
from gateway.decide.desk import Desk
from gateway.decide.effects import Alert, Effect
from gateway.documents.manifest import BillOfLading, Manifest, ManifestContainer
from gateway.documents.parts import Function
from gateway.documents.release import ReleaseNotice
from gateway.flows.containers.bills import is_covered, wait_for
from gateway.flows.containers.decisions import (
    Ruling,
    Standing,
    announce,
    audience_questions,
    find_locking,
    keep_standings,
    make_notice,
    mark,
    standings,
)
from gateway.flows.containers.judgement import find_alarming, find_void, rule_container
from gateway.flows.containers.status import ContainerEvent, ContainerStatus, container_step
from gateway.flows.declared import declaration_of, is_inbound
from gateway.model import Case, Finding

_DISPOSED = {"treating": ContainerEvent.TREAT_ORDER, "returned": ContainerEvent.RETURN_ORDER}
"""By what becomes of the goods, what becomes of their containers; destroyed goods leave theirs locked."""


def review_containers(desk: Desk, case: Case) -> list[Effect]:
    """Decide anew for every container of the case that is here; of what has left, an alert where it should not have."""
    known = standings(case) if is_inbound(case) else {}
    if not known:
        return []
    declaration = declaration_of(case)
    desk.facts.require(audience_questions(case, declaration, ()))
    manifest = kept(case, "manifest", Manifest)
    rulings: list[Ruling] = []
    waits: list[Effect] = []
    out: list[Standing] = []
    alarming: list[Finding] = []
    for standing in known.values():
        part, unit = _find_unit(manifest, standing)
        if standing.is_gone:
            if why := find_alarming(desk, case, declaration, part, unit, standing):
                alarming += [fault("decide.port.out", value=standing.number), *why]
                out.append(standing.model_copy(update={"found": (*standing.found, *map(mark, why))}))
            continue
        if is_covered(declaration, part.bills[0], standing.number):
            ruling = rule_container(desk, case, declaration, part, unit, standing)
        else:
            ruling = _uncover(standing)
            if ruling is not None and standing.port:
                waits.append(wait_for(desk.derive("wait", standing.number), part, standing.port))
        if ruling is not None:
            rulings.append(ruling)
    effects = list(waits)
    if out:
        effects += [keep_standings(case, out), Alert("container_out", tuple(alarming), case.id)]
    if rulings:
        said = manifest or kept(case, "release", ReleaseNotice)
        effects += announce(desk, changed(desk, case, effects), make_notice(desk, said, case.id, "review"), rulings)
    if why := find_locking(rulings):
        effects.append(Alert("locked", why, case.id))
    if unknown := [ruling for ruling in rulings if not ruling.standing.port and ruling.standing.state.is_shut]:
        # Nobody can be told to keep it: somebody must find out who has it.
        lost = tuple(fault("decide.port.unknown", value=ruling.standing.number) for ruling in unknown)
        effects.append(Alert("port_unknown", lost, case.id))
    return effects


def _find_unit(manifest: Manifest | None, standing: Standing) -> tuple[Manifest, ManifestContainer]:
    """The manifest with the container's bill and the container alone; where it names neither, what is known of them."""
    bare = ManifestContainer(number=standing.number)
    if manifest is not None:
        for bill in manifest.bills:
            for unit in bill.containers:
                if unit.number == standing.number and (not standing.bill or bill.number == standing.bill):
                    alone = bill.model_copy(update={"containers": (unit,)})
                    return manifest.model_copy(update={"bills": (alone,)}), unit
    base = manifest or Manifest(number="–", function=Function.ORIGINAL)
    bill = BillOfLading(number=standing.bill or None, containers=(bare,))
    return base.model_copy(update={"bills": (bill,)}), bare


def _uncover(standing: Standing) -> Ruling | None:
    """An amendment took the container out of its declaration: it is undeclared again, until another one covers it."""
    taken = container_step(standing.state, ContainerEvent.FOUND_NO_DECLARATION)
    if taken is None or taken.late:
        return None
    why = (fault("decide.port.amended_away", value=standing.number),)
    found = tuple(map(mark, why))
    return Ruling(standing.model_copy(update={"state": ContainerStatus(taken.state), "found": found}), why)


def hold_ordered(desk: Desk, case: Case) -> list[Effect]:
    """An inspection that is ordered now holds what an officer let pass before it was."""
    if not is_inbound(case):
        return []
    fresh = [
        standing.model_copy(update={"waived": kept_})
        for standing in standings(case).values()
        if (kept_ := tuple(one for one in standing.waived if not one.startswith("decide.port.inspection:")))
        != standing.waived
    ]
    effects: list[Effect] = [keep_standings(case, fresh)] if fresh else []
    return [*effects, *review_containers(desk, changed(desk, case, effects))]


def dispose_containers(desk: Desk, case: Case) -> list[Effect]:
    """Failed goods are treated, sent back or destroyed: what becomes of the containers that are locked for them."""
    event = _DISPOSED.get(case.tracks.get("inspection", ""))
    void = find_void(case, declaration_of(case))
    if void is None or not is_inbound(case):
        return []
    rulings: list[Ruling] = []
    for standing in standings(case).values():
        found = tuple(dict.fromkeys((*standing.found, mark(void))))
        after = standing.model_copy(update={"found": found})
        if standing.is_gone:
            continue
        if event is None:
            # Destroyed goods leave theirs locked.
            rulings += [Ruling(after, (void,))] if standing.state.is_shut else []
        elif (taken := container_step(standing.state, event)) is not None and not taken.late:
            rulings.append(Ruling(after.model_copy(update={"state": ContainerStatus(taken.state)}), (void,)))
    return _announce(desk, case, rulings, "disposal")


def end_treatment(desk: Desk, case: Case) -> list[Effect]:
    """The goods were looked at again after their treatment: containers that were treated with them are locked, as before."""
    if not is_inbound(case):
        return []
    rulings: list[Ruling] = []
    for standing in standings(case).values():
        was_void = any(one.startswith("decide.port.void:") for one in standing.found)
        taken = container_step(standing.state, ContainerEvent.TREATED)
        if was_void and not standing.is_gone and taken is not None and not taken.late:
            over = fault("decide.port.treated", value=standing.number)
            after = standing.model_copy(update={"state": ContainerStatus(taken.state)})
            rulings.append(Ruling(after, (over,)))
    why = find_locking(rulings)
    return [*_announce(desk, case, rulings, "treated"), *([Alert("locked", why, case.id)] if why else [])]


def _announce(desk: Desk, case: Case, rulings: list[Ruling], name: str) -> list[Effect]:
    if not rulings:
        return []
    desk.facts.require(audience_questions(case, declaration_of(case), ()))
    said = kept(case, "manifest", Manifest) or kept(case, "release", ReleaseNotice)
    return announce(desk, case, make_notice(desk, said, case.id, name), rulings)


def end_and_review(desk: Desk, case: Case) -> list[Effect]:
    """The goods passed or failed: what was treated with them is locked again, and all else is decided anew."""
    effects = end_treatment(desk, case)
    return [*effects, *review_containers(desk, changed(desk, case, effects))]

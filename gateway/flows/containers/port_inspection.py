"""The port inspection flow (口岸快速查验): a manifest against the declarations; release, lock or alert.

A manifest covers many consignments and may come before their declarations. What matches nothing yet
waits, bill of lading by bill of lading, and is decided when the declaration is accepted. What is decided for
containers is decided anew whenever their consignment moves or a manifest says something new, as long as they are
here: a release may become a lock, a lock never a release (see judgement.py). A lock that a rule has set is opened
only by an officer's release notice (see release.py).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from gateway.check.rulebook import Epidemic, PortInspection
from gateway.decide.answers import Subject, fault, reasons, response
from gateway.decide.apply import changed
from gateway.decide.cases import kept
from gateway.decide.desk import Desk
from gateway.decide.effects import (
    AddKeys,
    Alert,
    Attach,
    Effect,
    Keep,
    Note,
    Party,
    Purpose,
    Respond,
    Send,
)
from gateway.decide.facts import CasesByKeys, Key, Waiting, WaitingDocument
from gateway.decide.flow import Flow, On, Takes
from gateway.documents.declaration import Declaration
from gateway.documents.manifest import BillOfLading, Manifest
from gateway.documents.parts import Function, Movement
from gateway.documents.release import ContainerAct, ContainerDecision, ReleaseNotice
from gateway.documents.response import Outcome, Reason
from gateway.flows.containers.bills import (
    covers,
    keys_of_bill,
    keys_of_declared,
    manifest_key,
    ordered_keys,
    wait_for,
)
from gateway.flows.containers.decisions import (
    RELEASES,
    Ruling,
    Standing,
    announce,
    audience_questions,
    find_locking,
    make_notice,
    standings,
    to_port,
)
from gateway.flows.containers.judgement import counts, rule_container
from gateway.flows.containers.review import dispose_containers, end_and_review, hold_ordered, review_containers
from gateway.flows.containers.risks import find_risks_of_empty, is_discharged_here, is_empty, stays_aboard
from gateway.flows.containers.status import ContainerStatus
from gateway.flows.declared import declaration_of, is_inbound
from gateway.model import Case, Finding, Role

_SHOWN = 20
"""How many container numbers one reason lists."""

Declared = tuple[Case, Declaration]
Undeclared = tuple[BillOfLading, tuple[Finding, ...]]
"""A bill, with the containers that no declaration covers, and why."""


def decide(desk: Desk) -> list[Effect]:
    """What a manifest comes to: every bill is decided, or waits for its declaration."""
    manifest = desk.document
    assert isinstance(manifest, Manifest)
    subject = Subject("manifest", manifest.number, manifest.number)
    asked = CasesByKeys(frozenset(key for bill in manifest.bills for key in keys_of_bill(bill)), desk.test)
    waits = Waiting(frozenset({manifest_key(manifest)}), desk.test)
    desk.facts.require([asked, waits] if asked.keys else [waits])
    waiting = [w for w in desk.facts[waits] if w.partner_id == desk.sender.id]
    copies: list[Effect] = [
        Send("", "manifest", manifest, Party(role), Purpose.PORT_CONTROL) for role in (Role.BUREAU, Role.CUSTOMS)
    ]
    if manifest.function is Function.CANCELLATION:
        answer = response(desk, subject, Outcome.CANCELLED, desk.sender.language)
        return [*(Attach(w.id, "") for w in waiting), *copies, Respond("", answer)]

    found = desk.facts[asked] if asked.keys else ()
    declared = {case.id: (case, declaration_of(case)) for case in found if is_inbound(case)}
    desk.facts.require(
        query for pair in declared.values() for query in audience_questions(*pair, ports=[desk.sender.id])
    )
    by_key = _by_key(declared.values())
    boxes = {number for _, declaration in declared.values() for number in declaration.container_numbers}
    effects: list[Effect] = []
    told: list[Finding] = []
    empty: list[Ruling] = []
    rests: list[tuple[int, Manifest, tuple[Finding, ...]]] = []
    for index, bill in enumerate(manifest.bills):
        at = f"bills[{index}]"
        if not is_discharged_here(bill, desk.sender, desk.rules.of(PortInspection)):
            told.append(
                fault("decide.port.through", f"{at}.discharge_port", bill.discharge_port, bill=bill.number or "–")
            )
            continue
        ashore, left_aboard = _without_aboard(desk, bill, at)
        told += left_aboard
        if ashore is None:
            continue
        part = manifest.model_copy(update={"bills": (ashore,), "function": Function.ORIGINAL})
        matched = list(dict.fromkeys(id_ for key in ordered_keys(bill) for id_ in by_key.get(key, ())))
        valid = [id_ for id_ in matched if counts(declared[id_][0])]
        for case_id in valid:
            case, declaration = declared[case_id]
            met = _meet(desk, case, declaration, part, desk.sender.id, index, at=at)
            declared[case_id] = (changed(desk, case, met), declaration)
            effects += met
        rest = _without(part, [declared[id_][1] for id_ in valid]) if valid else part
        if rest is not None:
            rest, free = _without_empties(desk, rest, at)
            empty += free
        if rest is not None and keys_of_bill(rest.bills[0]):
            why = _why_undeclared(desk, rest, at, [declared[id_][0] for id_ in matched], boxes)
            rests.append((index, rest, why))
    effects += _renewed(desk, manifest, waiting, rests)
    known = {_text(w.document) for w in waiting}
    new = [(rest.bills[0], why) for _, rest, why in rests if _text(rest.to_kept()) not in known]
    effects += _tell_undeclared(desk, manifest, new, empty)
    told += [finding for _, _, why in rests for finding in why]
    answer = response(desk, subject, Outcome.ACCEPTED, desk.sender.language, why=told)
    return [*copies, *effects, Respond("", answer)]


def attach_waiting(desk: Desk, case: Case) -> list[Effect]:
    """Decide what waits for the declaration of `case`, now that it counts, and anew what was decided before."""
    effects = review_containers(desk, case)
    case = changed(desk, case, effects)
    declaration = declaration_of(case)
    keys = frozenset(keys_of_declared(declaration))
    if declaration.direction is not Movement.INBOUND or not keys or not counts(case):
        return effects
    found = [w for w in desk.facts[Waiting(keys, desk.test)] if w.document_type == "manifest"]
    desk.facts.require(audience_questions(case, declaration, [w.partner_id for w in found]))
    for waiting in found:
        part = Manifest.from_kept(waiting.document)
        met = _meet(desk, case, declaration, part, waiting.partner_id, waiting.id)
        case = changed(desk, case, met)
        effects += [Attach(waiting.id, case.id), *met]
        rest = _without(part, [declaration])
        if rest is not None:
            # Another declaration under the same bill covers these, or none does: they stay locked.
            effects.append(wait_for(desk.derive("wait", waiting.id), rest, waiting.partner_id))
    return effects


def _meet(
    desk: Desk,
    case: Case,
    declaration: Declaration,
    part: Manifest,
    port: str,
    name: object,
    *,
    at: str = "",
) -> list[Effect]:
    """A case and its bill of a manifest: each container it covers is decided, and everybody told.

    `port` is the id of who has the containers; `name` tells this notice from the others of the message; `at` is the
    bill's path in the message in hand, if it came with that.
    """
    bill = part.bills[0]
    known = standings(case)
    rulings: list[Ruling] = []
    for unit in bill.containers:
        if unit.number is None or not covers(declaration, unit.number):
            continue
        before = known.get(unit.number)
        here = {"port": port, "bill": bill.number or ""}
        standing = before.model_copy(update=here) if before else _expected(unit.number, here)
        ruling = None if standing.is_gone else rule_container(desk, case, declaration, part, unit, standing, at=at)
        if ruling is None and before is not None and not before.port and before.state.is_shut:
            # An officer's order came before the manifest did: now somebody has the container, and must be told.
            ruling = Ruling(standing, said=_said(case, unit.number))
        if ruling is not None:
            rulings.append(ruling)
    effects: list[Effect] = [Keep(case.id, "manifest", _joined(case, part)), AddKeys(case.id, keys_of_bill(bill))]
    if not rulings:
        return [*effects, Note(case.id, "manifest", (fault("decide.port.nothing_new", value=bill.number),))]
    effects += announce(desk, case, make_notice(desk, part, case.id, name), rulings)
    if why := find_locking(rulings):
        effects.append(Alert("locked", why, case.id))
    return effects


def _expected(number: str, here: Mapping[str, str]) -> Standing:
    return Standing(number=number, state=ContainerStatus.EXPECTED, **here)


def _said(case: Case, number: str) -> tuple[Reason, ...]:
    """What was said of the container when it was decided."""
    notice = kept(case, "release", ReleaseNotice)
    units = notice.containers if notice else ()
    return next((unit.reasons for unit in units if unit.number == number), ())


def _without_aboard(desk: Desk, bill: BillOfLading, at: str) -> tuple[BillOfLading | None, list[Finding]]:
    """What of a bill is put ashore here, None where nothing is; and each container that stays on the conveyance, told."""
    rules = desk.rules.of(PortInspection)
    aboard = [
        fault("decide.port.aboard", f"{at}.containers[{n}].equipment_status", unit.number, bill=bill.number or "–")
        for n, unit in enumerate(bill.containers)
        if stays_aboard(unit, rules)
    ]
    if not aboard:
        return bill, []
    left = tuple(unit for unit in bill.containers if not stays_aboard(unit, rules))
    if not left and not bill.goods:
        return None, aboard
    return bill.model_copy(update={"containers": left}), aboard


def _without_empties(desk: Desk, part: Manifest, at: str) -> tuple[Manifest | None, list[Ruling]]:
    """What of an undeclared bill must be declared, and its empty containers, which are free without a declaration."""
    rules = desk.rules.of(PortInspection)
    bill = part.bills[0]
    if rules.empties != "release" or not any(is_empty(unit, rules) for unit in bill.containers):
        return part, []
    if find_risks_of_empty(desk, part, at):
        return part, []
    free = [
        Ruling(Standing(number=unit.number, state=ContainerStatus.RELEASED, bill=bill.number or ""))
        for unit in bill.containers
        if unit.number and is_empty(unit, rules)
    ]
    left = tuple(unit for unit in bill.containers if not is_empty(unit, rules))
    if not left and not bill.goods:
        return None, free
    return part.model_copy(update={"bills": (bill.model_copy(update={"containers": left}),)}), free


def _tell_undeclared(
    desk: Desk, manifest: Manifest, bills: Sequence[Undeclared], empty: Sequence[Ruling]
) -> list[Effect]:
    """One notice to the port for all that belongs to no case, as the rule set wants it; an alert for what is undeclared."""
    language = desk.sender.language
    units: list[ContainerDecision] = []
    effects: list[Effect] = []
    if desk.rules.of(PortInspection).undeclared == "lock" and bills:
        units = [
            ContainerDecision(
                number=unit.number,
                bill_of_lading=bill.number,
                decision=ContainerAct.LOCK,
                is_undeclared=True,
                reasons=reasons(why[:1], language),
            )
            for bill, why in bills
            for unit in bill.containers
            if unit.number
        ]
        effects.append(Alert("undeclared", tuple(finding for _, why in bills for finding in why)))
    units += [ruling.decision(None, language) for ruling in empty]
    if units:
        notice = make_notice(desk, manifest, "undeclared").model_copy(update={"containers": tuple(units)})
        effects += to_port(notice, "", desk.sender.id)
    return effects


def _renewed(
    desk: Desk,
    manifest: Manifest,
    waiting: Sequence[WaitingDocument],
    rests: Sequence[tuple[int, Manifest, tuple[Finding, ...]]],
) -> list[Effect]:
    """What waits after this manifest: what it says anew; not what it replaces.

    A manifest may come in several messages under one number, so only a replacement (1225 = 5) takes
    away bills that it does not mention.
    """
    wanted = {_text(rest.to_kept()): (index, rest) for index, rest, _ in rests}
    named = {bill.number for bill in manifest.bills}
    whole = manifest.function is Function.REPLACE
    effects: list[Effect] = [
        Attach(w.id, "")
        for w in waiting
        if _text(w.document) not in wanted and (whole or Manifest.from_kept(w.document).bills[0].number in named)
    ]
    known = {_text(w.document) for w in waiting}
    effects += [wait_for(desk.derive("wait", i), rest) for text, (i, rest) in wanted.items() if text not in known]
    return effects


def _text(document: Mapping[str, object]) -> str:
    """A document's values as one text, whatever order a database gave them in."""
    return json.dumps(document, sort_keys=True)


def _joined(case: Case, part: Manifest) -> Manifest:
    """`part` with the case's other bills of the same manifest."""
    earlier = kept(case, "manifest", Manifest)
    if earlier is None or earlier.number != part.number:
        return part
    others = tuple(bill for bill in earlier.bills if bill.number != part.bills[0].number)
    return part.model_copy(update={"bills": (*others, *part.bills)})


def _by_key(declared: Iterable[Declared]) -> dict[Key, list[str]]:
    """Ids of the cases that a bill with this key belongs to."""
    found: dict[Key, list[str]] = defaultdict(list)
    for case, declaration in declared:
        for key in keys_of_declared(declaration):
            found[key].append(case.id)
    return found


def _without(part: Manifest, declarations: Sequence[Declaration]) -> Manifest | None:
    """What of `part` none of `declarations` covers; None where nothing is left."""
    bill = part.bills[0]
    left = tuple(unit for unit in bill.containers if not any(covers(d, unit.number) for d in declarations))
    return part.model_copy(update={"bills": (bill.model_copy(update={"containers": left}),)}) if left else None


def _why_undeclared(
    desk: Desk, part: Manifest, at: str, matched: Sequence[Case], boxes: set[str]
) -> tuple[Finding, ...]:
    """Why a bill, or the rest of one, found no declaration that counts; `boxes` are all containers declared."""
    bill = part.bills[0]
    if any(map(counts, matched)):
        named = [unit.number for unit in bill.containers if unit.number]
        shown = ", ".join(named[:_SHOWN]) + (" …" if len(named) > _SHOWN else "")
        return (fault("decide.port.container_undeclared", f"{at}.containers", bill.number, containers=shown),)
    if matched:
        status = ", ".join(sorted({c.status for c in matched}))
        return (fault("decide.port.not_accepted", f"{at}.number", bill.number, status=status),)
    rules = desk.rules.of(PortInspection)
    if bill.containers and all(is_empty(unit, rules) for unit in bill.containers):
        return (*find_risks_of_empty(desk, part, at), fault("decide.port.undeclared", f"{at}.number", bill.number))
    elsewhere = [
        fault("decide.port.other_bill", f"{at}.containers[{n}].number", unit.number)
        for n, unit in enumerate(bill.containers)
        if unit.number in boxes
    ]
    return (fault("decide.port.undeclared", f"{at}.number", bill.number), *elsewhere)


FLOW = Flow(
    "port_inspection",
    takes=(Takes(Manifest),),
    decide=decide,
    feeds=(RELEASES,),
    rules=(Epidemic, PortInspection),
    reacts=(
        # From each of these on the declaration counts; what came before that waits.
        *(
            On("declaration", event, attach_waiting)
            for event in (
                "accept",
                "amendment_agreed",
                "amendment_declined",
                "cancellation_declined",
                "overtake",
            )
        ),
        *(
            On("declaration", event, review_containers)
            for event in ("amend", "replace", "cancel", "cancellation_agreed")
        ),
        *(On("inspection", event, hold_ordered) for event in ("assign", "order", "reopen")),
        On("inspection", "waive", review_containers),
        *(On("inspection", event, end_and_review) for event in ("pass", "fail")),
        *(On("inspection", event, dispose_containers) for event in ("treat", "return", "destroy")),
        # What waited because customs or a bureau differed.
        *(On("clearance", event, review_containers) for event in ("match", "notify", "withdraw", "expire")),
        *(On("transfer", event, review_containers) for event in ("send", "withdraw")),
    ),
)

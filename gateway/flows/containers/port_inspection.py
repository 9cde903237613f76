"""The port inspection flow (口岸快速查验): a manifest against the declarations; release, lock or alert.

A manifest covers many consignments and may come before their declarations. What matches nothing yet
waits, bill of lading by bill of lading, and is decided when the declaration is accepted. A lock that a
rule has set is opened only by an officer's release notice (see release.py).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.check.rulebook import Credit, Epidemic, PortInspection
from gateway.decide import china
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
    Wait,
)
from gateway.decide.facts import (
    CasesByKeys,
    Key,
    PartnerById,
    PartnerByIdentifier,
    Query,
    Waiting,
    WaitingDocument,
)
from gateway.decide.flow import Flow, On, Takes
from gateway.decide.gates import find_missing
from gateway.decide.parties import REGISTRATION
from gateway.documents.declaration import Declaration
from gateway.documents.manifest import BillOfLading, Manifest
from gateway.documents.parts import Function, Movement
from gateway.documents.release import ContainerAct, ContainerDecision, ReleaseNotice
from gateway.documents.response import Outcome
from gateway.flows.containers.decisions import (
    RELEASE_CONTAINER,
    RELEASES,
    keep_port,
    merged,
    ports_of,
    states,
    to_port,
    to_ports,
)
from gateway.flows.containers.status import ContainerEvent, ContainerStatus, container_step
from gateway.flows.declared import declaration_of, is_inbound, mode_of, owner_code
from gateway.model import Case, Finding, Partner, Role

_LOCODE = re.compile(r"([A-Z]{2})[A-Z0-9]{3}")
_SHOWN = 20
"""How many container numbers one reason lists."""
# A declaration that nobody has accepted, or that is over, opens no gate.
_COUNTS = ("accepted", "amending")
"""Where the declaration stands while containers are released on it."""

Declared = tuple[Case, Declaration]
Undeclared = tuple[BillOfLading, tuple[Finding, ...]]
"""A bill, with the containers that no declaration covers, and why."""


def decide(desk: Desk) -> list[Effect]:
    """What a manifest comes to: every bill is decided, or waits for its declaration."""
    manifest = desk.document
    assert isinstance(manifest, Manifest)
    subject = Subject("manifest", manifest.number, manifest.number)
    asked = CasesByKeys(frozenset(key for bill in manifest.bills for key in _keys(bill)), desk.test)
    waits = Waiting(frozenset({_manifest_key(manifest)}), desk.test)
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
    desk.facts.require(_owner_questions(declaration for _, declaration in declared.values()))
    inspection = _Inspection(desk)
    by_key = _by_key(declared.values())
    boxes = {number for _, declaration in declared.values() for number in declaration.container_numbers}
    effects: list[Effect] = []
    rests: list[tuple[int, Manifest, tuple[Finding, ...]]] = []
    for index, bill in enumerate(manifest.bills):
        at = f"bills[{index}]"
        part = manifest.model_copy(update={"bills": (bill,), "function": Function.ORIGINAL})
        matched = list(dict.fromkeys(id_ for key in _ordered_keys(bill) for id_ in by_key.get(key, ())))
        valid = [id_ for id_ in matched if _counts(declared[id_][0])]
        for case_id in valid:
            case, declaration = declared[case_id]
            met = inspection.meet(case, declaration, part, desk.sender, index, at=at)
            declared[case_id] = (changed(desk, case, met), declaration)
            effects += met
        rest = _without(part, [declared[id_][1] for id_ in valid]) if valid else part
        if rest is not None and _keys(rest.bills[0]):
            why = _why_undeclared(rest.bills[0], at, [declared[id_][0] for id_ in matched], boxes)
            rests.append((index, rest, why))
    effects += _renewed(desk, manifest, waiting, rests)
    known = {_text(w.document) for w in waiting}
    new = [(rest.bills[0], why) for _, rest, why in rests if _text(rest.to_kept()) not in known]
    effects += inspection.undeclared(manifest, new)
    told = [finding for _, _, why in rests for finding in why]
    answer = response(desk, subject, Outcome.ACCEPTED, desk.sender.language, why=told)
    return [*copies, *effects, Respond("", answer)]


def _counts(case: Case) -> bool:
    """Whether containers may be released on the case's declaration: it is accepted, and its goods have not failed."""
    return case.tracks.get("declaration") in _COUNTS and case.tracks.get("inspection") != "failed"


def attach_waiting(desk: Desk, case: Case) -> list[Effect]:
    """Decide what waits for the declaration of `case`, now that it counts."""
    declaration = declaration_of(case)
    keys = frozenset(_declared_keys(declaration))
    if declaration.direction is not Movement.INBOUND or not keys:
        return []
    found = [w for w in desk.facts[Waiting(keys, desk.test)] if w.document_type == "manifest"]
    desk.facts.require([*(PartnerById(w.partner_id) for w in found), *_owner_questions([declaration])])
    inspection = _Inspection(desk)
    effects: list[Effect] = []
    for waiting in found:
        part = Manifest.from_kept(waiting.document)
        port = desk.facts[PartnerById(waiting.partner_id)] or Partner(waiting.partner_id, waiting.partner_id)
        met = inspection.meet(case, declaration, part, port, waiting.id, before=ContainerStatus.UNDECLARED)
        case = changed(desk, case, met)
        effects += [Attach(waiting.id, case.id), *met]
        rest = _without(part, [declaration])
        if rest is not None:
            # Another declaration under the same bill covers these, or none does: they stay locked.
            effects.append(_wait(desk.derive("wait", waiting.id), rest, waiting.partner_id))
    return effects


@dataclass(frozen=True, slots=True)
class _Inspection:
    """One message's inspection."""

    desk: Desk

    def meet(
        self,
        case: Case,
        declaration: Declaration,
        part: Manifest,
        port: Partner,
        mark: object,
        *,
        before: ContainerStatus = ContainerStatus.EXPECTED,
        at: str = "",
    ) -> list[Effect]:
        """A case and its bill of a manifest: each container it covers is released or locked, and the port told.

        `mark` tells this notice from the others of the message; `before` is where containers stand that
        nothing was decided for; `at` is the bill's path in the message in hand, if it came with that.
        """
        bill = part.bills[0]
        risks = self._risks(case, declaration, part, at)
        found = ContainerEvent.FOUND_RISK if risks else ContainerEvent.FOUND_CLEAN
        known = states(case)
        decisions: list[ContainerDecision] = []
        for unit in bill.containers:
            if unit.number is None or not _covers(declaration, unit.number):
                continue
            taken = container_step(known.get(unit.number, before), found)
            if taken is None or taken.late:
                continue  # it stands as it was decided; only an officer changes that
            decisions.append(
                ContainerDecision(
                    number=unit.number,
                    bill_of_lading=bill.number,
                    declaration_number=declaration.number,
                    decision=ContainerAct.LOCK if risks else ContainerAct.RELEASE,
                    reasons=reasons(risks, port.language),
                )
            )
        effects: list[Effect] = [Keep(case.id, "manifest", _joined(case, part)), AddKeys(case.id, _keys(bill))]
        if not decisions:
            return [*effects, Note(case.id, "manifest", (fault("decide.port.nothing_new", value=bill.number),))]
        notice = self._notice(part, decisions, case.id, mark)
        effects.append(Keep(case.id, "release", merged(case, notice, decisions)))
        effects += [*keep_port(case, port.id), *to_port(notice, case.id, port.id)]
        if risks:
            effects.append(Alert("locked", risks, case.id))
        return effects

    def undeclared(self, manifest: Manifest, bills: Sequence[Undeclared]) -> list[Effect]:
        """One notice to the port and one alert for all that no declaration covers, as the rule set wants it."""
        if self.desk.rules.of(PortInspection).undeclared != "lock" or not bills:
            return []
        language = self.desk.sender.language
        locked = [
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
        effects: list[Effect] = [Alert("undeclared", tuple(finding for _, why in bills for finding in why))]
        if locked:
            effects += to_port(self._notice(manifest, locked, "undeclared"), "", self.desk.sender.id)
        return effects

    def _risks(self, case: Case, declaration: Declaration, part: Manifest, at: str) -> tuple[Finding, ...]:
        """Why a consignment's containers must be looked at; nothing where they may go."""
        rules, setting = self.desk.rules, self.desk.rules.of(PortInspection)
        bill = part.bills[0]
        found: list[Finding] = []
        countries = _origins(declaration, part, bill)
        if not countries and setting.unknown_origin == "lock":
            found.append(fault("decide.port.origin_unknown", f"{at}.number" if at else "", bill.number))
        for country in sorted(countries):
            found += [
                fault("decide.port.epidemic", f"{at}.loading_port" if at else "", country, disease=disease)
                for disease in self.desk.rules.of(Epidemic).diseases(country, china.day(self.desk.now))
            ]
        if wanting := find_missing(rules.gates, RELEASE_CONTAINER, case, mode_of(rules, declaration).id):
            found += [
                fault("decide.port.negative_list", value=goods.hs_code)
                for goods in declaration.goods
                if rules.modes.find_listed(goods.hs_code, declaration.direction.value)
            ]
            found += wanting
        _, code = owner_code(declaration)
        owner = self.desk.facts[PartnerByIdentifier(REGISTRATION, code)] if code else None
        treatment = rules.of(Credit).treatment(owner.credit_grade if owner else "")
        if rules.modes.is_blacklisted([code]) or treatment in setting.lock_treatments:
            found.append(fault("decide.port.enterprise", value=code))
        return tuple(found)

    def _notice(self, manifest: Manifest, decisions: Sequence[ContainerDecision], *parts: object) -> ReleaseNotice:
        return ReleaseNotice(
            number=self.desk.derive("release", *parts),
            manifest_number=manifest.number,
            decided_at=self.desk.now,
            transport=manifest.transport,
            containers=tuple(decisions),
        )


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
    effects += [_wait(desk.derive("wait", i), rest) for text, (i, rest) in wanted.items() if text not in known]
    return effects


def _text(document: Mapping[str, object]) -> str:
    """A document's values as one text, whatever order a database gave them in."""
    return json.dumps(document, sort_keys=True)


def _wait(id_: str, part: Manifest, partner_id: str = "") -> Wait:
    return Wait(id_, "manifest", part, _keys(part.bills[0]) | {_manifest_key(part)}, partner_id)


def _joined(case: Case, part: Manifest) -> Manifest:
    """`part` with the case's other bills of the same manifest."""
    earlier = kept(case, "manifest", Manifest)
    if earlier is None or earlier.number != part.number:
        return part
    others = tuple(bill for bill in earlier.bills if bill.number != part.bills[0].number)
    return part.model_copy(update={"bills": (*others, *part.bills)})


def _owner_questions(declarations: Iterable[Declaration]) -> list[Query]:
    codes = {owner_code(declaration)[1] for declaration in declarations}
    return [PartnerByIdentifier(REGISTRATION, code) for code in sorted(c for c in codes if c)]


def _by_key(declared: Iterable[Declared]) -> dict[Key, list[str]]:
    """Ids of the cases that a bill with this key belongs to."""
    found: dict[Key, list[str]] = defaultdict(list)
    for case, declaration in declared:
        for key in _declared_keys(declaration):
            found[key].append(case.id)
    return found


def _declared_keys(declaration: Declaration) -> tuple[Key, ...]:
    """What a manifest finds the declaration by: its bills of lading, or its containers where it names no bill."""
    numbers = (declaration.bill_of_lading, declaration.house_bill)
    bills = tuple(dict.fromkeys(("bill", number) for number in numbers if number))
    return bills or tuple(("container", number) for number in declaration.container_numbers)


def _ordered_keys(bill: BillOfLading) -> tuple[Key, ...]:
    bills = (("bill", number) for number in (bill.number, bill.master_number) if number)
    return (*bills, *(("container", unit.number) for unit in bill.containers if unit.number))


def _keys(bill: BillOfLading) -> frozenset[Key]:
    return frozenset(_ordered_keys(bill))


def _manifest_key(manifest: Manifest) -> Key:
    return ("manifest", manifest.number)


def _covers(declaration: Declaration, number: str | None) -> bool:
    """Whether the declaration covers a container of its bill; one that names no containers covers them all."""
    named = declaration.container_numbers
    return not named or number in named


def _without(part: Manifest, declarations: Sequence[Declaration]) -> Manifest | None:
    """What of `part` none of `declarations` covers; None where nothing is left."""
    bill = part.bills[0]
    left = tuple(unit for unit in bill.containers if not any(_covers(d, unit.number) for d in declarations))
    return part.model_copy(update={"bills": (bill.model_copy(update={"containers": left}),)}) if left else None


def _why_undeclared(bill: BillOfLading, at: str, matched: Sequence[Case], boxes: set[str]) -> tuple[Finding, ...]:
    """Why a bill, or the rest of one, found no declaration that counts; `boxes` are all containers declared."""
    if any(map(_counts, matched)):
        named = [unit.number for unit in bill.containers if unit.number]
        shown = ", ".join(named[:_SHOWN]) + (" …" if len(named) > _SHOWN else "")
        return (fault("decide.port.container_undeclared", f"{at}.containers", bill.number, containers=shown),)
    if matched:
        status = ", ".join(sorted({c.status for c in matched}))
        return (fault("decide.port.not_accepted", f"{at}.number", bill.number, status=status),)
    elsewhere = [
        fault("decide.port.other_bill", f"{at}.containers[{n}].number", unit.number)
        for n, unit in enumerate(bill.containers)
        if unit.number in boxes
    ]
    return (fault("decide.port.undeclared", f"{at}.number", bill.number), *elsewhere)


def _origins(declaration: Declaration, part: Manifest, bill: BillOfLading) -> frozenset[str]:
    """Every country that the goods or the containers are said to come from."""
    ports = (bill.loading_port, bill.receipt_place, part.loading_port, declaration.departure_port)
    matches = (_LOCODE.fullmatch(port) for port in ports if port)
    named = [
        declaration.departure_country,
        *(goods.origin_country for goods in declaration.goods),
        *(goods.origin_country for unit in bill.containers for goods in unit.goods),
        *(goods.origin_country for goods in bill.goods),
        *(match[1] for match in matches if match),
    ]
    return frozenset(country for country in named if country)


def lock_again(desk: Desk, case: Case) -> list[Effect]:
    """Lock the containers that were released on a declaration that no longer counts, and tell the ports that have them."""
    earlier = kept(case, "release", ReleaseNotice)
    standing = states(case)
    released = [
        unit
        for unit in (earlier.containers if earlier else ())
        if (taken := container_step(standing[unit.number], ContainerEvent.FOUND_VOID)) is not None and not taken.late
    ]
    if earlier is None or not released:
        return []
    known = [PartnerById(port) for port in ports_of(case)]
    desk.facts.require(known)
    port = next((found for one in known if (found := desk.facts[one]) is not None), None)
    void = fault("decide.port.void", value=declaration_of(case).number, status=case.status)
    why = reasons((void,), port.language if port else "")
    units = [unit.model_copy(update={"decision": ContainerAct.LOCK, "reasons": why}) for unit in released]
    changes = {"number": desk.derive("release"), "decided_at": desk.now, "containers": tuple(units)}
    notice = earlier.model_copy(update=changes)
    return [
        Keep(case.id, "release", merged(case, notice, units)),
        *to_ports(notice, case.id, [case]),
        Alert("locked", (void,), case.id),
    ]


FLOW = Flow(
    "port_inspection",
    takes=(Takes(Manifest),),
    decide=decide,
    feeds=(RELEASES,),
    rules=(Epidemic, PortInspection),
    gates=frozenset({RELEASE_CONTAINER}),
    # From each of these on the declaration counts; what came before that waits.
    reacts=(
        *(
            On("declaration", event, attach_waiting)
            for event in ("accept", "amendment_agreed", "cancellation_declined", "overtake")
        ),
        On("declaration", "cancellation_agreed", lock_again),
        On("inspection", "fail", lock_again),
    ),
)

"""The port inspection flow (口岸快速查验): a manifest against the declarations; release, lock or alert.

A manifest covers many consignments and may come before their declarations. What matches nothing yet
waits, bill of lading by bill of lading, and is decided when the declaration is accepted. A lock that a
rule has set is opened only by an officer's release notice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from gateway.check.rulebook import Rules
from gateway.decide.answers import Subject, fault, reasons, response
from gateway.decide.cases import REGISTRATION, declaration_of, is_inbound, owner_code
from gateway.decide.effects import (
    AddKeys,
    Alert,
    Attach,
    Effect,
    Keep,
    Note,
    Party,
    Publish,
    Purpose,
    Respond,
    Send,
    Wait,
)
from gateway.decide.facts import (
    CasesByKeys,
    Facts,
    Key,
    PartnerById,
    PartnerByIdentifier,
    Query,
    Waiting,
    WaitingDocument,
)
from gateway.decide.incoming import Incoming
from gateway.decide.release import merged, states
from gateway.decide.status import ContainerEvent, ContainerStatus, Status, container_step
from gateway.documents.declaration import Declaration
from gateway.documents.manifest import BillOfLading, Manifest
from gateway.documents.parts import Function, Movement
from gateway.documents.release import ContainerDecision, Decision, ReleaseNotice
from gateway.documents.response import Outcome
from gateway.model import Case, Finding, Partner, Role

_LOCODE = re.compile(r"([A-Z]{2})[A-Z0-9]{3}")
_SHOWN = 20
"""How many container numbers one reason lists."""
# A declaration that nobody has accepted, or that is over, opens no gate.
_VOID = frozenset(
    {Status.DECLARED, Status.IN_REVIEW, Status.REFUSED, Status.CANCELLED, Status.CANCELLING, Status.FAILED}
)

Undeclared = tuple[BillOfLading, tuple[Finding, ...]]
"""A bill, with the containers that no declaration covers, and why."""


def decide(incoming: Incoming, facts: Facts, rules: Rules, now: datetime) -> list[Effect]:
    """What a manifest comes to: every bill is decided, or waits for its declaration."""
    manifest = incoming.document
    assert isinstance(manifest, Manifest)
    subject = Subject("manifest", manifest.number, manifest.number)
    keys = frozenset(key for bill in manifest.bills for key in _keys(bill))
    facts.require([CasesByKeys(keys, incoming.test), Waiting(keys, incoming.test)])
    cases = facts[CasesByKeys(keys, incoming.test)]
    waiting = [
        w
        for w in facts[Waiting(keys, incoming.test)]
        if w.partner_id == incoming.sender.id and w.document.get("number") == manifest.number
    ]
    copies: list[Effect] = [
        Send("", "manifest", manifest, Party(role), Purpose.PORT_CONTROL) for role in (Role.BUREAU, Role.CUSTOMS)
    ]
    if manifest.function is Function.CANCELLATION:
        answer = response(incoming, now, subject, Outcome.CANCELLED, incoming.sender.language)
        return [*(Attach(w.id, "") for w in waiting), *copies, Respond("", answer)]

    inbound = [c for c in cases if is_inbound(c)]
    facts.require(_owners(inbound))
    effects: list[Effect] = []
    undeclared: list[Undeclared] = []
    for index, bill in enumerate(manifest.bills):
        part = manifest.model_copy(update={"bills": (bill,), "function": Function.ORIGINAL})
        old = [w for w in waiting if _bill_numbers(w) == {bill.number}]
        matched = [c for c in inbound if not _bill_keys(bill).isdisjoint(c.keys)]
        valid = [(c, declaration_of(c)) for c in matched if c.status not in _VOID]
        for case, declaration in valid:
            units = [n for n, unit in enumerate(bill.containers) if _covers(declaration, unit.number)]
            at = f"bills[{index}]"
            effects += _meet(incoming, case, declaration, part, units, incoming.sender, facts, rules, now, at=at)
        rest = _without(part, [declaration for _, declaration in valid]) if valid else part
        if rest is None or not _keys(rest.bills[0]):
            effects += [Attach(w.id, valid[0][0].id if valid else "") for w in old]
        elif not any(w.document == rest.to_json() for w in old):  # else it waits already
            effects += [Attach(w.id, "") for w in old]
            effects.append(Wait(incoming.derive("wait", index), "manifest", rest, _keys(rest.bills[0])))
            undeclared.append((rest.bills[0], _why_undeclared(rest.bills[0], f"bills[{index}]", matched, inbound)))
    effects += _undeclared(incoming, manifest, undeclared, rules, now)
    why = [finding for _, found in undeclared for finding in found]
    answer = response(incoming, now, subject, Outcome.ACCEPTED, incoming.sender.language, why=why)
    return [*copies, *effects, Respond("", answer)]


def attach_waiting(
    incoming: Incoming, case: Case, declaration: Declaration, facts: Facts, rules: Rules, now: datetime
) -> list[Effect]:
    """Decide what waits under the bills of lading of `declaration`, now that `case` has it accepted."""
    bills = (declaration.bill_of_lading, declaration.house_bill)
    keys = frozenset(("bill", value) for value in bills if value)
    if declaration.direction is not Movement.INBOUND or not keys:
        return []
    found = [w for w in facts[Waiting(keys, incoming.test)] if w.document_type == "manifest"]
    facts.require([PartnerById(w.partner_id) for w in found])
    effects: list[Effect] = []
    for waiting in found:
        part = Manifest.model_validate(waiting.document)
        port = facts[PartnerById(waiting.partner_id)] or Partner(waiting.partner_id, waiting.partner_id)
        units = [n for n, unit in enumerate(part.bills[0].containers) if _covers(declaration, unit.number)]
        effects.append(Attach(waiting.id, case.id))
        effects += _meet(
            incoming, case, declaration, part, units, port, facts, rules, now, before=ContainerStatus.UNDECLARED
        )
        rest = _without(part, [declaration])
        if rest is not None:
            # Another declaration under the same bill covers these, or none does: they stay locked.
            again = incoming.derive("wait", waiting.id)
            effects.append(Wait(again, "manifest", rest, _keys(rest.bills[0]), waiting.partner_id))
    return effects


def _owners(cases: Sequence[Case]) -> list[Query]:
    codes = {owner_code(declaration_of(case))[1] for case in cases}
    return [PartnerByIdentifier(REGISTRATION, code) for code in sorted(c for c in codes if c)]


def _covers(declaration: Declaration, number: str | None) -> bool:
    """Whether the declaration covers a container of its bill; one that names no containers covers them all."""
    named = declaration.container_numbers
    return not named or number in named


def _without(part: Manifest, declarations: Sequence[Declaration]) -> Manifest | None:
    """What of `part` none of `declarations` covers; None where nothing is left."""
    bill = part.bills[0]
    left = tuple(unit for unit in bill.containers if not any(_covers(d, unit.number) for d in declarations))
    return part.model_copy(update={"bills": (bill.model_copy(update={"containers": left}),)}) if left else None


def _keys(bill: BillOfLading) -> frozenset[Key]:
    return _bill_keys(bill) | {("container", unit.number) for unit in bill.containers if unit.number}


def _bill_keys(bill: BillOfLading) -> frozenset[Key]:
    return frozenset(("bill", number) for number in (bill.number, bill.master_number) if number)


def _bill_numbers(waiting: WaitingDocument) -> set[str | None]:
    return {bill.number for bill in Manifest.model_validate(waiting.document).bills}


def _why_undeclared(
    bill: BillOfLading, path: str, matched: Sequence[Case], cases: Sequence[Case]
) -> tuple[Finding, ...]:
    """Why a bill, or the rest of one, found no declaration that counts."""
    number = bill.number or ""
    if any(c.status not in _VOID for c in matched):
        named = [unit.number for unit in bill.containers if unit.number]
        shown = ", ".join(named[:_SHOWN]) + (" …" if len(named) > _SHOWN else "")
        return (fault("decide.port.container_undeclared", f"{path}.containers", number, containers=shown),)
    if matched:
        status = ", ".join(sorted({c.status for c in matched}))
        return (fault("decide.port.not_accepted", f"{path}.number", number, status=status),)
    elsewhere = [
        fault("decide.port.other_bill", f"{path}.containers[{n}].number", unit.number)
        for n, unit in enumerate(bill.containers)
        if unit.number and any(("container", unit.number) in c.keys for c in cases)
    ]
    return (fault("decide.port.undeclared", f"{path}.number", number), *elsewhere)


def _undeclared(
    incoming: Incoming, manifest: Manifest, bills: Sequence[Undeclared], rules: Rules, now: datetime
) -> list[Effect]:
    """One notice to the port and one alert for all that no declaration covers, as the rule set wants it."""
    if rules.port_inspection.undeclared != "lock" or not bills:
        return []
    language = incoming.sender.language
    locked = tuple(
        ContainerDecision(
            number=unit.number,
            bill_of_lading=bill.number,
            decision=Decision.LOCK,
            is_undeclared=True,
            reasons=reasons(why[:1], language),
        )
        for bill, why in bills
        for unit in bill.containers
        if unit.number
    )
    effects: list[Effect] = [Alert("undeclared", tuple(finding for _, why in bills for finding in why))]
    if locked:
        effects += _to_port(_notice(incoming, manifest, locked, now, "undeclared"), "", incoming.sender.id)
    return effects


def _meet(
    incoming: Incoming,
    case: Case,
    declaration: Declaration,
    part: Manifest,
    units: Sequence[int],
    port: Partner,
    facts: Facts,
    rules: Rules,
    now: datetime,
    *,
    before: ContainerStatus = ContainerStatus.EXPECTED,
    at: str = "",
) -> list[Effect]:
    """A case and its part of a manifest: each container it covers is released or locked, and the port told."""
    bill = part.bills[0]
    risks = _risks(declaration, part, facts, rules, now, at)
    found = ContainerEvent.FOUND_RISK if risks else ContainerEvent.FOUND_CLEAN
    known = states(case)
    decisions: list[ContainerDecision] = []
    for number in (bill.containers[n].number for n in units):
        taken = container_step(known.get(number, before), found) if number else None
        if number is None or taken is None or taken.late:
            continue  # it stands as it was decided; only an officer changes that
        decisions.append(
            ContainerDecision(
                number=number,
                bill_of_lading=bill.number,
                declaration_number=declaration.number,
                decision=Decision.LOCK if risks else Decision.RELEASE,
                reasons=reasons(risks, port.language),
            )
        )
    effects: list[Effect] = [Keep(case.id, "manifest", part), AddKeys(case.id, _keys(bill))]
    if not decisions:
        return [*effects, Note(case.id, "manifest", (fault("decide.port.nothing_new", value=bill.number or ""),))]
    notice = _notice(incoming, part, decisions, now, case.id, bill.number)
    effects.append(Keep(case.id, "release", merged(case, notice, decisions)))
    effects += _to_port(notice, case.id, port.id)
    if risks:
        effects.append(Alert("locked", risks, case.id))
    return effects


def _risks(
    declaration: Declaration, part: Manifest, facts: Facts, rules: Rules, now: datetime, at: str
) -> tuple[Finding, ...]:
    """Why a consignment's containers must be looked at; nothing where they may go."""
    setting, listed = rules.port_inspection, rules.negative_list
    bill = part.bills[0]
    found: list[Finding] = []
    countries = _origins(declaration, part, bill)
    if not countries and setting.unknown_origin == "lock":
        found.append(fault("decide.port.origin_unknown", f"{at}.number" if at else "", bill.number or ""))
    for country in sorted(countries):
        found += [
            fault("decide.port.epidemic", f"{at}.loading_port" if at else "", country, disease=disease)
            for disease in rules.epidemic.diseases(country, now.date())
        ]
    if setting.lock_negative_list:
        found += [
            fault("decide.port.negative_list", value=goods.hs_code or "")
            for goods in declaration.goods
            if listed.lists(goods.hs_code, inbound=True)
        ]
    _, code = owner_code(declaration)
    owner = facts[PartnerByIdentifier(REGISTRATION, code)] if code else None
    treatment = rules.credit.treatment(owner.credit_grade if owner else "")
    if code in listed.blacklist or treatment in setting.lock_treatments:
        found.append(fault("decide.port.enterprise", value=code or ""))
    return tuple(found)


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


def _notice(
    incoming: Incoming, manifest: Manifest, decisions: Sequence[ContainerDecision], now: datetime, *parts: object
) -> ReleaseNotice:
    return ReleaseNotice(
        number=incoming.derive("release", *parts),
        manifest_number=manifest.number,
        decided_at=now,
        transport=manifest.transport,
        containers=tuple(decisions),
    )


def _to_port(notice: ReleaseNotice, case_id: str, port_id: str) -> list[Effect]:
    keys = {"manifest": notice.manifest_number or "", "release": notice.number}
    return [
        Send(case_id, "release", notice, Party(Role.PORT, partner_id=port_id), Purpose.PORT_CONTROL),
        Publish("release", case_id, "release", notice, keys, port_id),
    ]

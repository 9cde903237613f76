"""What is decided for the containers of a case: as the case keeps it, and whom it is told.

the port that has the container   the notice, pushed and on its feed; no other port
the bureau of the port            the same, unless it decided itself
customs                           what is shut, where the declaration names the office
declarer and owner                a response that names each container with the reasons, and never the officer
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.decide.answers import Subject, fault, reasons
from gateway.decide.cases import kept
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Keep, Party, Publish, Purpose, Send
from gateway.decide.facts import PartnerById, PartnerByIdentifier, Query
from gateway.decide.flow import Feed
from gateway.decide.parties import CUSTOMS_OFFICE, bureau, bureau_questions
from gateway.documents.base import Document, Moment, Part
from gateway.documents.declaration import Declaration
from gateway.documents.inspection_result import InspectionResult
from gateway.documents.manifest import Manifest
from gateway.documents.release import ContainerAct, ContainerDecision, ReleaseNotice
from gateway.documents.response import Outcome, Reason
from gateway.flows.containers.status import ContainerStatus
from gateway.flows.declared import declaration_of
from gateway.flows.enterprises import enterprise_questions, tell_enterprises
from gateway.model import Case, Finding, Role

RELEASES = Feed("release", frozenset({Role.PORT, Role.YARD}))
"""What a port or yard may let out, and what it may not."""
_ACTS = {
    ContainerStatus.RELEASED: ContainerAct.RELEASE,
    ContainerStatus.TREATING: ContainerAct.TREAT,
    ContainerStatus.RETURNED: ContainerAct.RETURN,
}
"""What the port is told of a container that stands so; a lock of every other one."""


class Standing(Part):
    """Where one container stands, as the case keeps it."""

    number: str
    state: ContainerStatus
    port: str = ""
    """Id of the partner that has it, by its manifest; empty where none has named it yet."""
    bill: str = ""
    found: tuple[str, ...] = ()
    """Marks of the reasons for which it stands so."""
    waived: tuple[str, ...] = ()
    """Marks of reasons that an officer has let pass: they shut it no more."""
    passage: str = ""
    """What its port told last of it: discharged, in or out by the gate."""
    passed_at: Moment | None = None
    """When that was."""
    left_shut: bool = False
    """Whether it left though it was shut: it stands as it stood, and is gone all the same."""

    @property
    def is_gone(self) -> bool:
        """Whether it is not at its port any more, so that nobody there can shut it."""
        return self.left_shut or self.state is ContainerStatus.OUT


class PortSide(Document):
    """A case's containers, and the ports whose manifests named them."""

    partner_ids: tuple[str, ...] = ()
    """As earlier versions kept it, which did not say which port has which container."""
    containers: tuple[Standing, ...] = ()


_PORT_SIDE = "port_side"
"""Under this name a case keeps its `PortSide`."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is decided for one container, and why."""

    standing: Standing
    """Where it stands then."""
    why: tuple[Finding, ...] = ()
    said: tuple[Reason, ...] = ()
    """An officer's own reasons."""

    def decision(self, declaration_number: str | None, language: str) -> ContainerDecision:
        """As a release notice says it, with the reasons in that language."""
        return ContainerDecision(
            number=self.standing.number,
            bill_of_lading=self.standing.bill or None,
            declaration_number=declaration_number,
            decision=_ACTS.get(self.standing.state, ContainerAct.LOCK),
            is_undeclared=True if self.standing.state is ContainerStatus.UNDECLARED else None,
            reasons=(*self.said, *reasons(self.why, language)),
        )


def mark(finding: Finding) -> str:
    """What tells a reason from others: the same one found again has the same mark."""
    return ":".join((finding.code, finding.value, *(f"{name}={finding.args[name]}" for name in sorted(finding.args))))


def standings(case: Case) -> dict[str, Standing]:
    """The containers of the case for which something was decided, by number."""
    side = kept(case, _PORT_SIDE, PortSide)
    found = {unit.number: unit for unit in side.containers} if side else {}
    notice = kept(case, "release", ReleaseNotice)
    port = side.partner_ids[0] if side and len(side.partner_ids) == 1 else ""
    for unit in notice.containers if notice else ():
        if unit.number not in found:  # decided by an earlier version, which kept the notice alone
            bill = unit.bill_of_lading or ""
            found[unit.number] = Standing(number=unit.number, state=_state(unit), port=port, bill=bill)
    return found


def _state(unit: ContainerDecision) -> ContainerStatus:
    if unit.decision is ContainerAct.RELEASE:
        return ContainerStatus.RELEASED
    return ContainerStatus.UNDECLARED if unit.is_undeclared else ContainerStatus.LOCKED


def states(case: Case) -> Mapping[str, ContainerStatus]:
    """Where each container of the case stands."""
    return {number: standing.state for number, standing in standings(case).items()}


def keep_standings(case: Case, changed: Iterable[Standing]) -> Keep:
    """The effect by which the case keeps where these containers stand, beside its others."""
    units = {**standings(case), **{standing.number: standing for standing in changed}}
    return Keep(case.id, _PORT_SIDE, PortSide(containers=tuple(units.values())))


def audience_questions(case: Case, declaration: Declaration, ports: Iterable[str]) -> list[Query]:
    """What `announce` will ask."""
    ids = sorted({*ports, *(standing.port for standing in standings(case).values())} - {""})
    office = declaration.customs_office
    return [
        *(PartnerById(id_) for id_ in ids),
        *bureau_questions(declaration.port_organisation),
        *([PartnerByIdentifier(CUSTOMS_OFFICE, office)] if office else []),
        *enterprise_questions(case),
    ]


def announce(desk: Desk, case: Case, notice: ReleaseNotice, rulings: Sequence[Ruling]) -> list[Effect]:
    """Keep what is decided, and tell everybody whom it concerns; `notice` says all but the containers.

    A container that no port has named yet is told to the port once one does.
    """
    declaration = declaration_of(case)
    desk.facts.require(audience_questions(case, declaration, [ruling.standing.port for ruling in rulings]))
    by_port: dict[str, list[Ruling]] = {}
    for ruling in rulings:
        by_port.setdefault(ruling.standing.port, []).append(ruling)
    first = desk.facts[PartnerById(min(ports))] if (ports := by_port.keys() - {""}) else None
    decisions = _decisions(declaration, rulings, first.language if first else "en")
    effects: list[Effect] = [
        Keep(case.id, "release", _merged(case, notice.model_copy(update={"containers": decisions}))),
        keep_standings(case, (ruling.standing for ruling in rulings)),
    ]
    for port_id in sorted(ports):
        port = desk.facts[PartnerById(port_id)]
        own = _decisions(declaration, by_port[port_id], port.language if port else "en")
        number = notice.number if len(ports) == 1 else desk.derive("release", notice.number, port_id)
        effects += to_port(notice.model_copy(update={"number": number, "containers": own}), case.id, port_id)
    effects += _tell_authorities(desk, case, notice, rulings)
    return [*effects, *_tell_enterprises(desk, case, notice, rulings)]


def _decisions(declaration: Declaration, rulings: Iterable[Ruling], language: str) -> tuple[ContainerDecision, ...]:
    return tuple(ruling.decision(declaration.number, language) for ruling in rulings)


def _merged(case: Case, notice: ReleaseNotice) -> ReleaseNotice:
    """`notice` with the earlier decisions on containers that it does not mention."""
    earlier = kept(case, "release", ReleaseNotice)
    units = {unit.number: unit for unit in earlier.containers} if earlier else {}
    units |= {unit.number: unit for unit in notice.containers}
    return notice.model_copy(update={"containers": tuple(units.values())})


def to_port(notice: ReleaseNotice, case_id: str, partner_id: str) -> list[Effect]:
    """A notice for the port that has the containers, pushed to it and on its feed."""
    keys = {"manifest": notice.manifest_number, "release": notice.number}
    named = {kind: value for kind, value in keys.items() if value}
    return [
        Send(case_id, "release", notice, Party(Role.PORT, partner_id=partner_id), Purpose.PORT_CONTROL),
        Publish("release", case_id, "release", notice, named, partner_id),
    ]


def _tell_authorities(desk: Desk, case: Case, notice: ReleaseNotice, rulings: Sequence[Ruling]) -> list[Effect]:
    """The bureau of the port has all of it, unless it is its own order or finding; customs has what is shut."""
    declaration = declaration_of(case)
    effects: list[Effect] = []
    in_charge = bureau(desk.facts, declaration.port_organisation)
    ordered = isinstance(getattr(desk.occasion, "document", None), ReleaseNotice | InspectionResult)
    if in_charge is not None and not (ordered and in_charge.id == desk.sender.id):
        units = _decisions(declaration, rulings, in_charge.language)
        party = Party(Role.BUREAU, partner_id=in_charge.id)
        told = notice.model_copy(update={"containers": units})
        effects.append(Send(case.id, "release", told, party, Purpose.INFORMATION))
    office = declaration.customs_office
    customs = desk.facts[PartnerByIdentifier(CUSTOMS_OFFICE, office)] if office else None
    shut = [ruling for ruling in rulings if ruling.standing.state.is_shut]
    if customs is not None and shut:
        told = notice.model_copy(update={"containers": _decisions(declaration, shut, customs.language)})
        party = Party(Role.CUSTOMS, partner_id=customs.id)
        effects.append(Send(case.id, "release", told, party, Purpose.INFORMATION))
    return effects


def _tell_enterprises(desk: Desk, case: Case, notice: ReleaseNotice, rulings: Sequence[Ruling]) -> list[Effect]:
    """What is shut as held, what is free as released: each container with its reasons."""
    declaration = declaration_of(case)
    subject = Subject("release", declaration.client_reference, notice.number, declaration.number)
    effects: list[Effect] = []
    for outcome, is_shut in ((Outcome.HELD, True), (Outcome.RELEASED, False)):
        why = [
            finding
            for ruling in rulings
            if ruling.standing.state.is_shut is is_shut
            for finding in _told_findings(ruling)
        ]
        if why:
            effects += tell_enterprises(desk, case, subject, outcome, why=why)
    return effects


def _told_findings(ruling: Ruling) -> list[Finding]:
    number = ruling.standing.number
    code = "decide.port.shut" if ruling.standing.state.is_shut else "decide.port.free"
    act = _ACTS.get(ruling.standing.state, ContainerAct.LOCK)
    said = [text for reason in ruling.said if (text := reason.text or reason.code)]
    return [
        fault(code, "", number, act=act.value),
        *ruling.why,
        *(fault("decide.port.said", "", number, text=text) for text in said),
    ]


def make_notice(desk: Desk, said: Manifest | ReleaseNotice | None, *parts: object) -> ReleaseNotice:
    """A release notice by rule, which says nothing of containers yet: of the manifest, or as an earlier notice said it."""
    return ReleaseNotice(
        number=desk.derive("release", *parts),
        manifest_number=said.number if isinstance(said, Manifest) else said.manifest_number if said else None,
        decided_at=desk.now,
        transport=said.transport if said else None,
    )


def find_locking(rulings: Iterable[Ruling]) -> tuple[Finding, ...]:
    """Why containers are locked until an officer opens them, each reason once."""
    shut = (ruling for ruling in rulings if ruling.standing.state is ContainerStatus.LOCKED)
    return tuple({mark(finding): finding for ruling in shut for finding in ruling.why}.values())

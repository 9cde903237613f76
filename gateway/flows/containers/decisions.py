"""What is decided for the containers of a case, as the case keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.decide.cases import kept
from gateway.decide.effects import Effect, Keep, Party, Publish, Purpose, Send
from gateway.decide.flow import Feed
from gateway.documents.base import Document
from gateway.documents.release import ContainerAct, ContainerDecision, ReleaseNotice
from gateway.flows.containers.status import ContainerStatus
from gateway.model import Case, Role

RELEASES = Feed("release", frozenset({Role.PORT, Role.YARD}))
"""What a port or yard may let out, and what it may not."""
RELEASE_CONTAINER = "release_container"
"""The act before which schemas/rules/gates say what must hold."""


def states(case: Case) -> Mapping[str, ContainerStatus]:
    """Where each container of the case stands, by its newest decision."""
    notice = kept(case, "release", ReleaseNotice)
    return {unit.number: _state(unit) for unit in notice.containers} if notice else {}


def _state(unit: ContainerDecision) -> ContainerStatus:
    if unit.decision is ContainerAct.RELEASE:
        return ContainerStatus.RELEASED
    return ContainerStatus.UNDECLARED if unit.is_undeclared else ContainerStatus.LOCKED


def merged(case: Case, notice: ReleaseNotice, decisions: Iterable[ContainerDecision]) -> ReleaseNotice:
    """`notice` with the earlier decisions on containers that it does not mention."""
    earlier = kept(case, "release", ReleaseNotice)
    units = {unit.number: unit for unit in earlier.containers} if earlier else {}
    units |= {unit.number: unit for unit in decisions}
    return notice.model_copy(update={"containers": tuple(units.values())})


class PortSide(Document):
    """The ports whose manifests named a case's containers: whoever decides for the containers later tells these."""

    partner_ids: tuple[str, ...]


_PORT_SIDE = "port_side"
"""Under this name a case keeps its `PortSide`."""


def ports_of(case: Case) -> tuple[str, ...]:
    """The ports that have containers of the case, by partner id."""
    side = kept(case, _PORT_SIDE, PortSide)
    return side.partner_ids if side else ()


def keep_port(case: Case, partner_id: str) -> list[Effect]:
    """Remember that a port has containers of the case; nothing where that is known."""
    known = ports_of(case)
    return [] if partner_id in known else [Keep(case.id, _PORT_SIDE, PortSide(partner_ids=(*known, partner_id)))]


def to_port(notice: ReleaseNotice, case_id: str, partner_id: str = "") -> list[Effect]:
    """A notice for one port, pushed to it and on its feed; for every port where nobody knows which has the containers."""
    keys = {"manifest": notice.manifest_number, "release": notice.number}
    named = {kind: value for kind, value in keys.items() if value}
    return [
        Send(case_id, "release", notice, Party(Role.PORT, partner_id=partner_id), Purpose.PORT_CONTROL),
        Publish("release", case_id, "release", notice, named, partner_id),
    ]


def to_ports(notice: ReleaseNotice, case_id: str, cases: Iterable[Case]) -> list[Effect]:
    """A notice for the ports that have containers of `cases`; where no manifest has named any yet, for every port."""
    ports = sorted({port for case in cases for port in ports_of(case)})
    return [effect for port in ports or [""] for effect in to_port(notice, case_id, port)]

"""What is decided for the containers of a case, as the case keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.decide.flow import Feed
from gateway.documents.release import ContainerDecision, Decision, ReleaseNotice
from gateway.flows.consignment.cases import kept
from gateway.flows.containers.status import ContainerStatus
from gateway.model import Case, Role

RELEASES = Feed("release", frozenset({Role.PORT, Role.YARD}))
"""What a port or yard may let out, and what it may not."""


def states(case: Case) -> Mapping[str, ContainerStatus]:
    """Where each container of the case stands, by its newest decision."""
    notice = kept(case, "release", ReleaseNotice)
    return {unit.number: _state(unit) for unit in notice.containers} if notice else {}


def _state(unit: ContainerDecision) -> ContainerStatus:
    if unit.decision is Decision.RELEASE:
        return ContainerStatus.RELEASED
    return ContainerStatus.UNDECLARED if unit.is_undeclared else ContainerStatus.LOCKED


def merged(case: Case, notice: ReleaseNotice, decisions: Iterable[ContainerDecision]) -> ReleaseNotice:
    """`notice` with the earlier decisions on containers that it does not mention."""
    earlier = kept(case, "release", ReleaseNotice)
    units = {unit.number: unit for unit in earlier.containers} if earlier else {}
    units |= {unit.number: unit for unit in decisions}
    return notice.model_copy(update={"containers": tuple(units.values())})

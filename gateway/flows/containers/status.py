"""Whether a container may leave the port, and what may change that.

Containers have a table of their own, because a consignment's containers need not share one fate.

    expected     nobody has named it yet
    undeclared   shut for want of a declaration; one that covers it decides
    waiting      shut until its consignment may go: an inspection is under way, a change is open, customs differs
    locked       shut by a risk or an order; only an officer opens it
    treating     being treated (检疫处理); it is locked afterwards, and still only an officer opens it
    released     may leave
    out          has left
    returned     sent back
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gateway.decide.tracks import Row, Step, make_row, to
from gateway.decide.tracks import step as table_step


class ContainerStatus(StrEnum):
    """Whether a container may leave the port."""

    EXPECTED = "expected"
    UNDECLARED = "undeclared"
    WAITING = "waiting"
    LOCKED = "locked"
    TREATING = "treating"
    RELEASED = "released"
    OUT = "out"
    RETURNED = "returned"

    @property
    def is_shut(self) -> bool:
        """Whether the port is told to keep it."""
        return self not in (ContainerStatus.EXPECTED, ContainerStatus.RELEASED, ContainerStatus.OUT)


class ContainerEvent(StrEnum):
    """What may happen to a container: judgements by rule, orders by an officer, and that it has left."""

    FOUND_NO_DECLARATION = "found_no_declaration"
    FOUND_CLEAN = "found_clean"
    FOUND_OPEN = "found_open"
    FOUND_RISK = "found_risk"
    FOUND_VOID = "found_void"
    UNLOCK_ORDER = "unlock_order"
    LOCK_ORDER = "lock_order"
    TREAT_ORDER = "treat_order"
    TREATED = "treated"
    RETURN_ORDER = "return_order"
    GATE_OUT = "gate_out"


_C = ContainerStatus
_GONE = (_C.OUT, _C.RETURNED)
_SHUT = (_C.LOCKED, _C.TREATING)
CONTAINER: Mapping[ContainerEvent, Row] = {
    # Also what an amended declaration no longer names: another declaration may cover it.
    ContainerEvent.FOUND_NO_DECLARATION: make_row(
        to(_C.UNDECLARED, _C.EXPECTED, _C.WAITING, _C.RELEASED), (_C.UNDECLARED, *_SHUT, *_GONE)
    ),
    # Only an officer opens a lock; a clean finding opens what was shut for want of a declaration, or waited.
    ContainerEvent.FOUND_CLEAN: make_row(
        to(_C.RELEASED, _C.EXPECTED, _C.UNDECLARED, _C.WAITING), (*_SHUT, _C.RELEASED, *_GONE)
    ),
    ContainerEvent.FOUND_OPEN: make_row(
        to(_C.WAITING, _C.EXPECTED, _C.UNDECLARED, _C.RELEASED), (_C.WAITING, *_SHUT, *_GONE)
    ),
    # A release may become a lock, a lock never a release.
    ContainerEvent.FOUND_RISK: make_row(
        to(_C.LOCKED, _C.EXPECTED, _C.UNDECLARED, _C.WAITING, _C.RELEASED), (*_SHUT, *_GONE)
    ),
    # What it was released on has failed, or was withdrawn.
    ContainerEvent.FOUND_VOID: make_row(to(_C.LOCKED, _C.WAITING, _C.RELEASED), (*_SHUT, _C.UNDECLARED, *_GONE)),
    ContainerEvent.UNLOCK_ORDER: make_row(to(_C.RELEASED, _C.LOCKED, _C.WAITING), (_C.RELEASED,)),
    # Ordered while it is treated, a lock says that the treatment is over.
    ContainerEvent.LOCK_ORDER: make_row(to(_C.LOCKED, _C.EXPECTED, _C.WAITING, _C.RELEASED, _C.TREATING), (_C.LOCKED,)),
    ContainerEvent.TREAT_ORDER: make_row(to(_C.TREATING, _C.LOCKED), (_C.TREATING,)),
    # What was treated is opened by an officer, who looks at it first.
    ContainerEvent.TREATED: make_row(to(_C.LOCKED, _C.TREATING), (_C.LOCKED, _C.RELEASED, *_GONE)),
    ContainerEvent.RETURN_ORDER: make_row(to(_C.RETURNED, _C.LOCKED), (_C.RETURNED,)),
    ContainerEvent.GATE_OUT: make_row(to(_C.OUT, _C.RELEASED), (_C.OUT,)),
}


def container_step(status: ContainerStatus | str, event: ContainerEvent) -> Step | None:
    """Where `event` takes a container in `status`; None where it is not allowed there."""
    return table_step(CONTAINER[event], ContainerStatus(status))

"""Whether a container may leave the port, and what may change that.

Containers have a table of their own, because a consignment's containers need not share one fate.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gateway.decide.tracks import Row, Step, make_row, to
from gateway.decide.tracks import step as table_step


class ContainerStatus(StrEnum):
    """Whether a container may leave the port. `expected` is one that no manifest has named yet."""

    EXPECTED = "expected"
    UNDECLARED = "undeclared"
    LOCKED = "locked"
    RELEASED = "released"


class ContainerEvent(StrEnum):
    """What may happen to a container: four judgements by rule, two orders by an officer."""

    FOUND_NO_DECLARATION = "found_no_declaration"
    FOUND_CLEAN = "found_clean"
    FOUND_RISK = "found_risk"
    FOUND_VOID = "found_void"
    UNLOCK_ORDER = "unlock_order"
    LOCK_ORDER = "lock_order"


_C = ContainerStatus
CONTAINER: Mapping[ContainerEvent, Row] = {
    ContainerEvent.FOUND_NO_DECLARATION: make_row(
        to(_C.UNDECLARED, _C.EXPECTED), (_C.UNDECLARED, _C.LOCKED, _C.RELEASED)
    ),
    # Only an officer opens a lock; a clean finding opens what was shut for want of a declaration.
    ContainerEvent.FOUND_CLEAN: make_row(to(_C.RELEASED, _C.EXPECTED, _C.UNDECLARED), (_C.LOCKED, _C.RELEASED)),
    ContainerEvent.FOUND_RISK: make_row(to(_C.LOCKED, _C.EXPECTED, _C.UNDECLARED), (_C.LOCKED, _C.RELEASED)),
    # What it was released on has failed, or was withdrawn.
    ContainerEvent.FOUND_VOID: make_row(to(_C.LOCKED, _C.RELEASED), (_C.LOCKED, _C.UNDECLARED)),
    ContainerEvent.UNLOCK_ORDER: make_row(to(_C.RELEASED, _C.LOCKED), (_C.RELEASED,)),
    ContainerEvent.LOCK_ORDER: make_row(to(_C.LOCKED, _C.EXPECTED, _C.RELEASED), (_C.LOCKED,)),
}


def container_step(status: ContainerStatus | str, event: ContainerEvent) -> Step | None:
    """Where `event` takes a container in `status`; None where it is not allowed there."""
    return table_step(CONTAINER[event], ContainerStatus(status))

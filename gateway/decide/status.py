"""Where a consignment stands, and what may move it: two tables, one for the case, one for a container.

Status is not a ladder on which the greater number wins: a refusal that arrives after the release must
not undo it, and an amendment may well set a declaration back. So each event has a row that says from
which status it moves the case to which, and in which it comes too late and changes nothing. What a row
does not mention is not allowed, and the flow refuses or holds the message. A row may also say that a case
returns to where it stood before: a request that was declined leaves it where it was made.

    declared -> in_review -> accepted -> inspecting -> released -> transferred -> notified -> cleared
                   |            |            |             the middle steps may be skipped |
                refused   amending, cancelling            failed                         held

`released` is the bureau's word on the goods (放行), `notified` means that customs has the clearance
notice (通关单), `cleared` that customs' own data agrees with it (已通关). Containers are let out of the
port by a table of their own, because a consignment's containers need not share one fate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar


class Status(StrEnum):
    """Where a case stands."""

    DECLARED = "declared"
    IN_REVIEW = "in_review"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    AMENDING = "amending"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    INSPECTING = "inspecting"
    RELEASED = "released"
    FAILED = "failed"
    TRANSFERRED = "transferred"
    NOTIFIED = "notified"
    HELD = "held"
    CLEARED = "cleared"


class Event(StrEnum):
    """What may happen to a case."""

    REVIEW = "review"
    ACCEPT = "accept"
    REFUSE = "refuse"
    AMEND = "amend"
    AMENDMENT_AGREED = "amendment_agreed"
    AMENDMENT_DECLINED = "amendment_declined"
    REPLACE = "replace"
    CANCEL = "cancel"
    CANCELLATION_AGREED = "cancellation_agreed"
    CANCELLATION_DECLINED = "cancellation_declined"
    INSPECT = "inspect"
    RELEASE = "release"
    FAIL = "fail"
    TRANSFER = "transfer"
    TRANSFER_DECLINED = "transfer_declined"
    TRANSFER_WITHDRAWN = "transfer_withdrawn"
    NOTIFY = "notify"
    NOTICE_DECLINED = "notice_declined"
    NOTICE_WITHDRAWN = "notice_withdrawn"
    MATCH = "match"
    MISMATCH = "mismatch"


class ContainerStatus(StrEnum):
    """Whether a container may leave the port. `expected` is one that no manifest has named yet."""

    EXPECTED = "expected"
    UNDECLARED = "undeclared"
    LOCKED = "locked"
    RELEASED = "released"


class ContainerEvent(StrEnum):
    """What may happen to a container: three judgements by rule, two orders by an officer."""

    FOUND_NO_DECLARATION = "found_no_declaration"
    FOUND_CLEAN = "found_clean"
    FOUND_RISK = "found_risk"
    UNLOCK_ORDER = "unlock_order"
    LOCK_ORDER = "lock_order"


StatusT = TypeVar("StatusT", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Step(Generic[StatusT]):
    """The status after an event; `late` where the event came too late, or again, and changed nothing."""

    status: StatusT
    late: bool = False


@dataclass(frozen=True, slots=True)
class Row(Generic[StatusT]):
    """What one event does: `moves` from a status to the next, `late` where it changes nothing.

    A status in `returns` leads back to the one left for it, if that is among those named; else it moves.
    """

    moves: Mapping[StatusT, StatusT]
    late: frozenset[StatusT] = frozenset()
    returns: Mapping[StatusT, frozenset[StatusT]] = field(default_factory=dict)


def _row(
    moves: Mapping[StatusT, StatusT],
    late: Iterable[StatusT] = (),
    returns: Mapping[StatusT, Iterable[StatusT]] = MappingProxyType({}),
) -> Row[StatusT]:
    return Row(moves, frozenset(late), {status: frozenset(left) for status, left in returns.items()})


def _to(target: StatusT, *sources: StatusT) -> dict[StatusT, StatusT]:
    return dict.fromkeys(sources, target)


_S = Status
_PAST_RELEASE = (_S.TRANSFERRED, _S.NOTIFIED, _S.HELD, _S.CLEARED)
_PAST_ACCEPTANCE = (_S.ACCEPTED, _S.AMENDING, _S.CANCELLING, _S.INSPECTING, _S.RELEASED, _S.FAILED, *_PAST_RELEASE)
_AT_WORK = (_S.ACCEPTED, _S.AMENDING, _S.INSPECTING)
_OVER = (_S.CANCELLED, _S.FAILED)

CASE: Mapping[Event, Row[Status]] = {
    Event.REVIEW: _row(_to(_S.IN_REVIEW, _S.DECLARED), (_S.IN_REVIEW, *_PAST_ACCEPTANCE)),
    Event.ACCEPT: _row(_to(_S.ACCEPTED, _S.DECLARED, _S.IN_REVIEW), (*_PAST_ACCEPTANCE, _S.CANCELLED)),
    # A refusal after the acceptance is late; what the bureau finds while inspecting is FAIL.
    Event.REFUSE: _row(_to(_S.REFUSED, _S.DECLARED, _S.IN_REVIEW), (_S.REFUSED, *_PAST_ACCEPTANCE, _S.CANCELLED)),
    Event.AMEND: _row(
        {_S.IN_REVIEW: _S.IN_REVIEW, **_to(_S.AMENDING, *_AT_WORK)},
    ),
    # Where the bureau has gone on with the goods meanwhile, its word on the amendment comes too late.
    Event.AMENDMENT_AGREED: _row(
        _to(_S.ACCEPTED, _S.AMENDING),
        (_S.ACCEPTED, _S.CANCELLING, _S.INSPECTING, _S.RELEASED, *_OVER, *_PAST_RELEASE),
    ),
    Event.AMENDMENT_DECLINED: _row(
        _to(_S.ACCEPTED, _S.AMENDING),
        (_S.ACCEPTED, _S.CANCELLING, _S.INSPECTING, _S.RELEASED, *_OVER, *_PAST_RELEASE),
        {_S.AMENDING: (_S.ACCEPTED, _S.INSPECTING)},
    ),
    Event.REPLACE: _row({**_to(_S.DECLARED, _S.IN_REVIEW, _S.REFUSED), **_to(_S.AMENDING, *_AT_WORK)}),
    Event.CANCEL: _row(
        {**_to(_S.CANCELLED, _S.DECLARED, _S.IN_REVIEW), **_to(_S.CANCELLING, *_AT_WORK, _S.RELEASED)},
        (_S.CANCELLING, _S.CANCELLED),
    ),
    Event.CANCELLATION_AGREED: _row(
        _to(_S.CANCELLED, _S.CANCELLING, *_AT_WORK, _S.RELEASED),
        _OVER,
    ),
    Event.CANCELLATION_DECLINED: _row(
        _to(_S.ACCEPTED, _S.CANCELLING),
        (*_AT_WORK, _S.RELEASED, *_OVER, *_PAST_RELEASE),
        # An amendment that was open when the cancellation was asked for is open again.
        {_S.CANCELLING: (*_AT_WORK, _S.RELEASED)},
    ),
    # A bureau's inspection or release says by itself that the declaration was accepted.
    Event.INSPECT: _row(
        _to(_S.INSPECTING, _S.IN_REVIEW, _S.ACCEPTED),
        (_S.INSPECTING, _S.AMENDING, _S.CANCELLING, _S.RELEASED, *_OVER, *_PAST_RELEASE),
    ),
    Event.RELEASE: _row(_to(_S.RELEASED, _S.IN_REVIEW, *_AT_WORK, _S.CANCELLING), (_S.RELEASED, *_PAST_RELEASE)),
    # "Failed" never outranks "released": from there on only a notice or a hold moves the case.
    Event.FAIL: _row(_to(_S.FAILED, *_AT_WORK, _S.CANCELLING), (_S.FAILED, _S.RELEASED, *_PAST_RELEASE)),
    # A transfer document or a notice says by itself that the goods have passed.
    Event.TRANSFER: _row(
        _to(_S.TRANSFERRED, _S.ACCEPTED, _S.INSPECTING, _S.RELEASED, _S.HELD), (_S.TRANSFERRED, _S.NOTIFIED, _S.CLEARED)
    ),
    Event.TRANSFER_DECLINED: _row(_to(_S.HELD, _S.TRANSFERRED), (_S.HELD, _S.NOTIFIED, _S.CLEARED)),
    Event.TRANSFER_WITHDRAWN: _row(_to(_S.RELEASED, _S.TRANSFERRED, _S.HELD), (_S.RELEASED,)),
    Event.NOTIFY: _row(
        _to(_S.NOTIFIED, _S.ACCEPTED, _S.INSPECTING, _S.RELEASED, _S.TRANSFERRED, _S.HELD), (_S.NOTIFIED, _S.CLEARED)
    ),
    Event.NOTICE_DECLINED: _row(_to(_S.HELD, _S.NOTIFIED), (_S.HELD, _S.CLEARED)),
    Event.NOTICE_WITHDRAWN: _row(_to(_S.RELEASED, _S.NOTIFIED, _S.HELD), (_S.RELEASED,)),
    Event.MATCH: _row(_to(_S.CLEARED, _S.NOTIFIED, _S.HELD), (_S.CLEARED,)),
    Event.MISMATCH: _row(_to(_S.HELD, _S.NOTIFIED), (_S.HELD, _S.CLEARED)),
}

_C = ContainerStatus
CONTAINER: Mapping[ContainerEvent, Row[ContainerStatus]] = {
    ContainerEvent.FOUND_NO_DECLARATION: _row(_to(_C.UNDECLARED, _C.EXPECTED), (_C.UNDECLARED, _C.LOCKED, _C.RELEASED)),
    # Only an officer opens a lock; a clean finding opens what was shut for want of a declaration.
    ContainerEvent.FOUND_CLEAN: _row(_to(_C.RELEASED, _C.EXPECTED, _C.UNDECLARED), (_C.LOCKED, _C.RELEASED)),
    ContainerEvent.FOUND_RISK: _row(_to(_C.LOCKED, _C.EXPECTED, _C.UNDECLARED), (_C.LOCKED, _C.RELEASED)),
    ContainerEvent.UNLOCK_ORDER: _row(_to(_C.RELEASED, _C.LOCKED), (_C.RELEASED,)),
    ContainerEvent.LOCK_ORDER: _row(_to(_C.LOCKED, _C.EXPECTED, _C.RELEASED), (_C.LOCKED,)),
}


def step(status: Status | str, event: Event, left: Status | None = None) -> Step[Status] | None:
    """Where `event` takes a case in `status`, which it took when it left `left`; None where it is not allowed there."""
    return _step(CASE[event], Status(status), left)


def container_step(status: ContainerStatus | str, event: ContainerEvent) -> Step[ContainerStatus] | None:
    """Where `event` takes a container in `status`; None where it is not allowed there."""
    return _step(CONTAINER[event], ContainerStatus(status))


def _step(row: Row[StatusT], status: StatusT, left: StatusT | None = None) -> Step[StatusT] | None:
    if left is not None and left in row.returns.get(status, ()):
        return Step(left)
    if status in row.moves:
        return Step(row.moves[status])
    return Step(status, late=True) if status in row.late else None

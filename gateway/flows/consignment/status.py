"""Where a consignment stands, and what may move it.

    declared -> in_review -> accepted -> inspecting -> released -> transferred -> notified -> cleared
                   |            |            |             the middle steps may be skipped |
                refused   amending, cancelling            failed                         held

`released` is the bureau's word on the goods (放行), `notified` means that customs has the clearance
notice (通关单), `cleared` that customs' own data agrees with it (已通关).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gateway.decide.tracks import Row, Step, make_row, to
from gateway.decide.tracks import step as table_step


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


_S = Status
_PAST_RELEASE = (_S.TRANSFERRED, _S.NOTIFIED, _S.HELD, _S.CLEARED)
_PAST_ACCEPTANCE = (_S.ACCEPTED, _S.AMENDING, _S.CANCELLING, _S.INSPECTING, _S.RELEASED, _S.FAILED, *_PAST_RELEASE)
_AT_WORK = (_S.ACCEPTED, _S.AMENDING, _S.INSPECTING)
_OVER = (_S.CANCELLED, _S.FAILED)

CASE: Mapping[Event, Row[Status]] = {
    Event.REVIEW: make_row(to(_S.IN_REVIEW, _S.DECLARED), (_S.IN_REVIEW, *_PAST_ACCEPTANCE)),
    Event.ACCEPT: make_row(to(_S.ACCEPTED, _S.DECLARED, _S.IN_REVIEW), (*_PAST_ACCEPTANCE, _S.CANCELLED)),
    # A refusal after the acceptance is late; what the bureau finds while inspecting is FAIL.
    Event.REFUSE: make_row(to(_S.REFUSED, _S.DECLARED, _S.IN_REVIEW), (_S.REFUSED, *_PAST_ACCEPTANCE, _S.CANCELLED)),
    Event.AMEND: make_row(
        {_S.IN_REVIEW: _S.IN_REVIEW, **to(_S.AMENDING, *_AT_WORK)},
    ),
    # Where the bureau has gone on with the goods meanwhile, its word on the amendment comes too late.
    Event.AMENDMENT_AGREED: make_row(
        to(_S.ACCEPTED, _S.AMENDING),
        (_S.ACCEPTED, _S.CANCELLING, _S.INSPECTING, _S.RELEASED, *_OVER, *_PAST_RELEASE),
    ),
    Event.AMENDMENT_DECLINED: make_row(
        to(_S.ACCEPTED, _S.AMENDING),
        (_S.ACCEPTED, _S.CANCELLING, _S.INSPECTING, _S.RELEASED, *_OVER, *_PAST_RELEASE),
        {_S.AMENDING: (_S.ACCEPTED, _S.INSPECTING)},
    ),
    Event.REPLACE: make_row({**to(_S.DECLARED, _S.IN_REVIEW, _S.REFUSED), **to(_S.AMENDING, *_AT_WORK)}),
    Event.CANCEL: make_row(
        {**to(_S.CANCELLED, _S.DECLARED, _S.IN_REVIEW), **to(_S.CANCELLING, *_AT_WORK, _S.RELEASED)},
        (_S.CANCELLING, _S.CANCELLED),
    ),
    Event.CANCELLATION_AGREED: make_row(
        to(_S.CANCELLED, _S.CANCELLING, *_AT_WORK, _S.RELEASED),
        _OVER,
    ),
    Event.CANCELLATION_DECLINED: make_row(
        to(_S.ACCEPTED, _S.CANCELLING),
        (*_AT_WORK, _S.RELEASED, *_OVER, *_PAST_RELEASE),
        # An amendment that was open when the cancellation was asked for is open again.
        {_S.CANCELLING: (*_AT_WORK, _S.RELEASED)},
    ),
    # A bureau's inspection or release says by itself that the declaration was accepted.
    Event.INSPECT: make_row(
        to(_S.INSPECTING, _S.IN_REVIEW, _S.ACCEPTED),
        (_S.INSPECTING, _S.AMENDING, _S.CANCELLING, _S.RELEASED, *_OVER, *_PAST_RELEASE),
    ),
    Event.RELEASE: make_row(to(_S.RELEASED, _S.IN_REVIEW, *_AT_WORK, _S.CANCELLING), (_S.RELEASED, *_PAST_RELEASE)),
    # "Failed" never outranks "released": from there on only a notice or a hold moves the case.
    Event.FAIL: make_row(to(_S.FAILED, *_AT_WORK, _S.CANCELLING), (_S.FAILED, _S.RELEASED, *_PAST_RELEASE)),
    # A transfer document or a notice says by itself that the goods have passed.
    Event.TRANSFER: make_row(
        to(_S.TRANSFERRED, _S.ACCEPTED, _S.INSPECTING, _S.RELEASED, _S.HELD), (_S.TRANSFERRED, _S.NOTIFIED, _S.CLEARED)
    ),
    Event.TRANSFER_DECLINED: make_row(to(_S.HELD, _S.TRANSFERRED), (_S.HELD, _S.NOTIFIED, _S.CLEARED)),
    Event.TRANSFER_WITHDRAWN: make_row(to(_S.RELEASED, _S.TRANSFERRED, _S.HELD), (_S.RELEASED,)),
    Event.NOTIFY: make_row(
        to(_S.NOTIFIED, _S.ACCEPTED, _S.INSPECTING, _S.RELEASED, _S.TRANSFERRED, _S.HELD), (_S.NOTIFIED, _S.CLEARED)
    ),
    Event.NOTICE_DECLINED: make_row(to(_S.HELD, _S.NOTIFIED), (_S.HELD, _S.CLEARED)),
    Event.NOTICE_WITHDRAWN: make_row(to(_S.RELEASED, _S.NOTIFIED, _S.HELD), (_S.RELEASED,)),
    Event.MATCH: make_row(to(_S.CLEARED, _S.NOTIFIED, _S.HELD), (_S.CLEARED,)),
    Event.MISMATCH: make_row(to(_S.HELD, _S.NOTIFIED), (_S.HELD, _S.CLEARED)),
}


def step(status: Status | str, event: Event, left: Status | None = None) -> Step[Status] | None:
    """Where `event` takes a case in `status`, which it took when it left `left`; None where it is not allowed there."""
    return table_step(CASE[event], Status(status), left)

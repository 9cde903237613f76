"""The state machine of deliveries, one for all transports: what may happen to a delivery, and where it stands then.

Whatever moves one asks this table, so that no order, report or confirmation makes of a delivery what it cannot become.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from gateway.errors import TransitionRefused
from gateway.model import DeliveryState

_S = DeliveryState


class DeliveryEvent(StrEnum):
    """What happens to a delivery."""

    RELEASED = "released"
    """Its payload's last commit lets it into its lane."""
    HELD = "held"
    """Its agreement, or an operator, wants a person's word first."""
    CLAIMED = "claimed"
    """A worker has it, for the first time or after a lease ran out, or the time is over for which it was held."""
    TAKEN = "taken"
    """Its recipient has it, by a report or by a confirmation of any attempt."""
    RELAYED = "relayed"
    """Whoever carries it for its recipient has it."""
    HANDED_OVER = "handed_over"
    """Its recipient has it, and will say so by itself."""
    DEFERRED = "deferred"
    """An attempt failed, or was not confirmed, and there will be another."""
    PUT_OFF = "put_off"
    """It was not tried at all: its recipient is not to be sent to just now."""
    GIVEN_UP = "given_up"
    """There will be no other attempt, or there is nothing left to send."""
    ANSWERED = "answered"
    """Its recipient's business answer has come; while it is being sent, that is said once its worker reports."""
    RETRIED = "retried"
    """An operator wants it sent now."""
    SKIPPED = "skipped"
    """An operator wants it never sent."""
    RESENT = "resent"
    """Its recipient, or an operator, wants it sent once more though it is over."""
    SET_BACK = "set_back"
    """The store was set back, and its recipient may have it already."""


_E = DeliveryEvent

SUCCESS: Mapping[str, DeliveryEvent] = {"delivered": _E.TAKEN, "relayed": _E.RELAYED}
"""How an attempt, or the confirmation of one, may have succeeded, and what that means for the delivery."""

TRANSITIONS: Mapping[DeliveryState, Mapping[DeliveryEvent, DeliveryState]] = {
    _S.STAGED: {_E.RELEASED: _S.PENDING},
    _S.PENDING: {
        _E.CLAIMED: _S.SENDING,
        _E.TAKEN: _S.DELIVERED,
        _E.RELAYED: _S.RELAYED,
        _E.GIVEN_UP: _S.DEAD,
        _E.ANSWERED: _S.ANSWERED,
        _E.RETRIED: _S.PENDING,
        _E.HELD: _S.HELD,
        _E.SET_BACK: _S.HELD,
    },
    _S.HELD: {
        _E.CLAIMED: _S.SENDING,
        _E.TAKEN: _S.DELIVERED,
        _E.RELAYED: _S.RELAYED,
        _E.GIVEN_UP: _S.DEAD,
        _E.ANSWERED: _S.ANSWERED,
        _E.RETRIED: _S.PENDING,
        _E.SKIPPED: _S.SKIPPED,
        _E.SET_BACK: _S.HELD,
    },
    _S.SENDING: {
        _E.CLAIMED: _S.SENDING,
        _E.TAKEN: _S.DELIVERED,
        _E.RELAYED: _S.RELAYED,
        _E.HANDED_OVER: _S.AWAITING,
        _E.DEFERRED: _S.PENDING,
        _E.PUT_OFF: _S.PENDING,
        _E.GIVEN_UP: _S.DEAD,
        _E.ANSWERED: _S.ANSWERED,
        _E.SET_BACK: _S.HELD,
    },
    _S.AWAITING: {
        _E.TAKEN: _S.DELIVERED,
        _E.RELAYED: _S.RELAYED,
        _E.DEFERRED: _S.PENDING,
        _E.GIVEN_UP: _S.DEAD,
        _E.ANSWERED: _S.ANSWERED,
        _E.RETRIED: _S.PENDING,
        _E.SET_BACK: _S.HELD,
    },
    _S.DEAD: {
        _E.TAKEN: _S.DELIVERED,
        _E.RELAYED: _S.RELAYED,
        _E.ANSWERED: _S.ANSWERED,
        _E.RETRIED: _S.PENDING,
        _E.SKIPPED: _S.SKIPPED,
        _E.SET_BACK: _S.HELD,
    },
    _S.DELIVERED: {_E.ANSWERED: _S.ANSWERED, _E.RESENT: _S.PENDING},
    _S.RELAYED: {_E.ANSWERED: _S.ANSWERED, _E.RESENT: _S.PENDING},
    _S.ANSWERED: {_E.RESENT: _S.PENDING},
    _S.SKIPPED: {_E.ANSWERED: _S.ANSWERED, _E.RESENT: _S.PENDING},
}
"""By state, what may happen, and the state that follows. Of those that are over only an answer or a wish leads on."""

OVER = frozenset({_S.DELIVERED, _S.RELAYED, _S.ANSWERED, _S.SKIPPED})
"""Where a delivery stands in no lane any more."""


def follow(state: DeliveryState | str, event: DeliveryEvent, delivery_id: str = "") -> DeliveryState:
    """Where a delivery stands after `event`. TransitionRefused where that cannot happen to it."""
    here = DeliveryState(state)
    there = TRANSITIONS[here].get(event)
    if there is None:
        raise TransitionRefused(f"A delivery that is {here} cannot be {event}.", delivery_id=delivery_id)
    return there


def states_before(event: DeliveryEvent) -> frozenset[DeliveryState]:
    """The states in which `event` may happen."""
    return frozenset(state for state, leads in TRANSITIONS.items() if event in leads)

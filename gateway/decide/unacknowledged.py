"""What is decided once a recipient that was asked to acknowledge a delivery has not done so in time: somebody is told.

The term begins when the delivery is made, by what its agreement asks for (`acknowledge = "on_request"`), and is taken
back by any CONTRL, TA1, 997, 999, APERAK, 824 or business answer that names the delivery. A recipient that refused has
acknowledged: that rings by itself.
"""

from __future__ import annotations

from gateway.decide.answers import fault
from gateway.decide.deadlines import find_case
from gateway.decide.desk import Desk
from gateway.decide.effects import Alert, Effect
from gateway.model import derive_id

UNACKNOWLEDGED = "unacknowledged"
"""The kind of such deadlines."""


def name_wait(delivery_id: str) -> str:
    """The id of the deadline by which a delivery is acknowledged."""
    return derive_id(delivery_id, "deadline", UNACKNOWLEDGED)


def report(desk: Desk) -> list[Effect]:
    """What comes of a delivery that nobody has acknowledged in time."""
    args = desk.deadline.args
    why = fault("deliver.unacknowledged", "", args["reference"], partner=args["partner"], document=args["document"])
    case = find_case(desk)
    return [Alert(UNACKNOWLEDGED, (why,), case.id if case is not None else "")]

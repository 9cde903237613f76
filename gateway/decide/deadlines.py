"""Deadlines: what is decided because a term is over, and nobody has sent anything.

A flow sets one by `Due` and takes it back by `Undo`. The store keeps it; once it is over, and every message received
before is decided, the function that a flow declares for its kind decides, with an `Alarm` as the occasion. A deadline
has one name for each case and kind, so that whoever sets it anew or undoes it need not ask which one there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.decide.desk import Desk
from gateway.decide.effects import Due, Undo
from gateway.decide.facts import CaseById
from gateway.model import Case, derive_id

MOST_FAULTS = 5
"""Faults of ours in a row, deciding a deadline, after which it is left to an operator."""


def name_deadline(case_id: str, kind: str) -> str:
    """The id of a case's deadline of `kind`."""
    return derive_id(case_id, "deadline", kind)


def set_deadline(case_id: str, kind: str, at: datetime, args: Mapping[str, str] | None = None) -> Due:
    """The effect that sets the case's deadline of `kind` to `at`, whatever it was before."""
    return Due(name_deadline(case_id, kind), at, kind, case_id, args or {})


def undo_deadline(case_id: str, kind: str) -> Undo:
    """The effect that takes the case's deadline of `kind` back."""
    return Undo(name_deadline(case_id, kind))


def find_case(desk: Desk) -> Case | None:
    """The case that the deadline is about; None where it is gone. TypeError where the occasion is no deadline."""
    return desk.facts[CaseById(desk.deadline.case_id, desk.test)]

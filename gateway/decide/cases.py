"""What flows read of a case, and say of it: its documents as models, and what an event on one of its tracks comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from gateway.decide.answers import fault
from gateway.decide.apply import changed
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Move, Note
from gateway.documents.base import Document
from gateway.model import Case, Finding

DocumentT = TypeVar("DocumentT", bound=Document)


def kept(case: Case, document_type: str, model: type[DocumentT]) -> DocumentT | None:
    """The case's newest document of that type."""
    values = case.documents.get(document_type)
    return None if values is None else model.from_kept(values)


@dataclass(frozen=True, slots=True)
class Taken:
    """What an event comes to: the effects that say so, and the case as it is then; `late` where it changed nothing."""

    effects: tuple[Effect, ...]
    case: Case
    late: bool = False


def moved(desk: Desk, case: Case, track: str, event: str, why: tuple[Finding, ...] = ()) -> Taken | None:
    """What `event` on `track` comes to: a move, or a note that it came too late. None where it may not happen there."""
    taken = desk.step(case, track, event)
    if taken is None:
        return None
    if taken.late:
        late = fault("decide.late", event=event, status=taken.state)
        return Taken((Note(case.id, "late", (late, *why)),), case, late=True)
    effect = Move(case.id, track, event, why)
    return Taken((effect,), changed(desk, case, [effect]))


def moved_on(desk: Desk, case: Case, *events: tuple[str, str]) -> Taken:
    """What those of `events` (track, event) come to, one after the other, that change something."""
    effects: list[Effect] = []
    for track, event in events:
        taken = moved(desk, case, track, event)
        if taken is not None and not taken.late:
            effects += taken.effects
            case = taken.case
    return Taken(tuple(effects), case)


def not_allowed(case: Case, event: str, field: str = "") -> Finding:
    """Why `event` may not happen to the case: where it stands."""
    return fault("decide.status.not_allowed", field, event, event=event, status=case.status)

"""What a flow is given: the occasion of a decision, the facts, the rules of the day, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.check.rulebook import Rules
from gateway.decide.facts import Facts
from gateway.decide.tracks import Step, Tracks
from gateway.documents.base import Document
from gateway.model import Case, Partner, Role, derive_id


@dataclass(frozen=True, slots=True)
class MessageIn:
    """The occasion that a checked document is: it came in a message of `sender`."""

    document_type: str
    document: Document
    sender: Partner
    id: str
    """The message's; the ids of all that the decision makes derive from it."""
    test: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """What lies on the desk of whoever decides, and all that may be looked at: equal desks give equal effects."""

    occasion: MessageIn
    facts: Facts
    rules: Rules
    now: datetime
    origin: tuple[str, ...] = ()
    """Of a reaction: its flow, the track, the event and the case, so that what it makes has ids of its own."""
    tracks: Tracks = Tracks()  # noqa: RUF009 - it never changes
    """The tables of all flows."""

    @property
    def document(self) -> Document:
        """The document that came."""
        return self.occasion.document

    @property
    def sender(self) -> Partner:
        """Who sent it."""
        return self.occasion.sender

    @property
    def test(self) -> bool:
        """Whether it is test traffic, which meets test things only."""
        return self.occasion.test

    def derive(self, *parts: object) -> str:
        """An id for something that the decision makes: the same each time it is decided."""
        return derive_id(self.occasion.id, *self.origin, *parts)

    def step(self, case: Case, track: str, event: str) -> Step | None:
        """What would come of `event` on `track`; None where it may not happen there."""
        return self.tracks.step(case.tracks, track, event, case.left.get(track, ""))

    def sent_by(self, *roles: Role) -> bool:
        """Whether the sender has one of `roles`."""
        return not self.sender.roles.isdisjoint(roles)

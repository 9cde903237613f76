"""What a flow is given: the occasion of a decision, the facts, the rules of the day, and the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gateway.check.rulebook import Rules
from gateway.decide.facts import Facts
from gateway.decide.figures import FigureKind
from gateway.decide.kinds import CaseKind
from gateway.decide.ledgers import Books
from gateway.decide.sampling import Lots, SampleKind
from gateway.decide.tasks import TaskKind
from gateway.decide.tracks import Step, Tracks
from gateway.documents.base import Document
from gateway.model import GATEWAY, Case, Deadline, Partner, Role, derive_id


@dataclass(frozen=True, slots=True)
class Actor:
    """Who causes a decision: a partner, perhaps by one of its persons."""

    partner: Partner
    person: str = ""
    role: str = ""
    """In which of its roles the person acts."""


@dataclass(frozen=True, slots=True)
class MessageIn:
    """The occasion that a checked document is: it came in a message."""

    document_type: str
    document: Document
    actor: Actor
    id: str
    """The message's; the ids of all that the decision makes derive from it."""
    at: datetime
    """When it was received, by which terms are judged."""
    test: bool = False
    without_declaration: bool = False
    """Whether what it hands on or clears counts though its declaration came by another way."""
    repeated: frozenset[int] | None = None
    """Of a piece of a long document, its items about what an item before them is about, in whatever piece that is."""


@dataclass(frozen=True, slots=True)
class Act:
    """The occasion that a person's decision is: it came in a message, and somebody waits for what comes of it."""

    document_type: str
    document: Document
    actor: Actor
    id: str
    """The message's."""
    at: datetime
    """When it was received."""
    test: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """The occasion that a deadline is which is over."""

    deadline: Deadline
    id: str
    """Of this deadline at this time: one that is set anew is another occasion."""

    @property
    def at(self) -> datetime:
        """When the deadline was over, however long ago that is."""
        return self.deadline.at

    @property
    def test(self) -> bool:
        """Whether it is about test traffic."""
        return self.deadline.test

    @property
    def actor(self) -> Actor:
        """The gateway."""
        return Actor(GATEWAY)


@dataclass(frozen=True, slots=True)
class Raised:
    """The occasion that a document is which another decision made: nobody sent it."""

    document_type: str
    document: Document
    actor: Actor
    """In whose name."""
    id: str
    """Of its row among the messages; the ids of all that its decision makes derive from it."""
    at: datetime
    """When what raised it was received."""
    parent: str
    """Id of the occasion that raised it."""
    depth: int = 1
    """How many decisions lead to it from what was received."""
    test: bool = False


Occasion = MessageIn | Act | Alarm | Raised
"""What causes a decision."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What lies on the desk of whoever decides, and all that may be looked at: equal desks give equal effects."""

    occasion: Occasion
    facts: Facts
    rules: Rules
    now: datetime
    origin: tuple[str, ...] = ()
    """Of a reaction: its flow, the track, the event and the case, so that what it makes has ids of its own."""
    tracks: Tracks = Tracks()  # noqa: RUF009 - it never changes
    """The tables of all flows."""
    tasks: Mapping[str, TaskKind] = field(default_factory=dict)
    """The kinds of tasks that flows ask, by name."""
    kinds: Mapping[str, CaseKind] = field(default_factory=dict)
    """The kinds of cases that flows open, by name."""
    feeds: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    """The roles that read each feed, by its name."""
    figures: Mapping[str, FigureKind] = field(default_factory=dict)
    """What flows count, by name."""
    samples: Mapping[str, SampleKind] = field(default_factory=dict)
    """The plans by which flows draw samples, by name."""
    secret: bytes = field(default=b"", repr=False)
    """What the keys of sampling come from; empty where there is none, so that nothing can be drawn."""

    @property
    def document(self) -> Document:
        """The document that came. TypeError where the occasion is none."""
        if isinstance(self.occasion, Alarm):
            raise TypeError("no document comes with a deadline")
        return self.occasion.document

    def find_repeated(self) -> frozenset[int]:
        """Positions of the document's items about what an item before them is about; of a piece, as the whole has them."""
        known = self.occasion.repeated if isinstance(self.occasion, MessageIn) else None
        return self.document.repeated() if known is None else known

    @property
    def deadline(self) -> Deadline:
        """The deadline that is over. TypeError where the occasion is none."""
        if not isinstance(self.occasion, Alarm):
            raise TypeError("a document is no deadline")
        return self.occasion.deadline

    @property
    def sender(self) -> Partner:
        """Who sent it; the gateway where nobody did."""
        return self.occasion.actor.partner

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

    def open_books(self) -> Books:
        """The accounts as the facts have them, to try postings on: what may not be posted is told, and changes nothing."""

        def in_kilograms(unit: str) -> Decimal | None:
            kilograms = self.rules.code_list("mass_unit").from_canonical(unit, "kg")
            return None if kilograms is None else Decimal(kilograms)

        return Books(self.facts, self.occasion.id, self.occasion.at, in_kilograms, self.test)

    def open_lots(self) -> Lots:
        """The tallies as the facts have them, to draw in: what is drawn counts by the effect `Count`."""
        occasion = self.occasion
        return Lots(
            self.facts, self.rules.sampling, self.samples, self.secret, occasion.id, occasion.at, test=self.test
        )

    def sent_by(self, *roles: Role) -> bool:
        """Whether the sender has one of `roles`."""
        return not self.sender.roles.isdisjoint(roles)

"""What is known of a payload once it is examined: its messages, its interchanges, and what receipts must say of them.

`examine` makes these values; the stages after it know them alone, and nothing of how they came about.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway import findings
from gateway.documents import Document
from gateway.model import Agreement, Direction, Finding, InterchangeRef, Syntax
from gateway.parse.segments import Envelope, GroupEnded, MessageType, SegmentMessage
from gateway.trip import faults

HEADERS = {Syntax.EDIFACT: "UNH", Syntax.X12: "ST"}
"""The first segment of a message, at which stands what concerns the whole of it."""

CONTROL = frozenset({"CONTRL", "997", "999", "TA1"})
"""Syntax acknowledgements: they are never acknowledged themselves (ISO 9735-1, 9; X12 997 and TA1 purpose)."""

ADVICE = frozenset({"APERAK", "824"})
"""What an application answers; unlike CONTROL it gets a syntax acknowledgement like any other message."""

ANY = Agreement(id="", partner_id="", direction=Direction.IN, document="*", format="*")
"""An agreement that takes everything, strictly: what `gateway validate` checks by."""


@dataclass(slots=True)
class Verdict:
    """What an acknowledgement must say about one message."""

    type: MessageType
    reference: str
    findings: Sequence[Finding]
    group: int = -1
    """Index into the interchange's groups; -1 where there is none."""
    segments: int = 0
    number: int = 0
    """The message's number in the payload."""
    convention: str = ""
    """ST03, which AK203 repeats."""


@dataclass(frozen=True, slots=True)
class Failed:
    """What an acknowledgement must know of a message that a fault of ours kept from being processed."""

    format: str
    reference: str

    @property
    def type(self) -> MessageType:
        """The message's type, as its format names it."""
        syntax, *parts = self.format.split(":")
        return MessageType(Syntax(syntax), *parts)


@dataclass(slots=True)
class Message:
    """One message, examined. `document` is None where an error stands in its findings, or nothing maps it."""

    number: int
    """1-based position in the payload."""
    syntax: Syntax
    format: str
    reference: str
    findings: list[Finding]
    """What syntax, schema and mapping have against it, as the agreement judges it."""
    agreement: Agreement | None = None
    document_type: str = ""
    document: Document | None = None
    refusals: list[Finding] = field(default_factory=list)
    """What the rules have against the document, placed in the sender's own message."""
    schema: str = ""
    mapping: str = ""
    sent: SegmentMessage | bytes | None = None
    """The message as its sender wrote it, an XML or JSON one as bytes: from it is found where each value stood (see
    `origins`). Of what is no document and no syntax acknowledgement it is not kept."""
    fault: str = ""
    """What went wrong in our own code, with its traceback, for the log; empty where nothing did."""

    @property
    def control(self) -> SegmentMessage | None:
        """The message itself where it is a syntax acknowledgement."""
        sent = self.sent
        return sent if isinstance(sent, SegmentMessage) and sent.type.name in CONTROL else None

    @property
    def advice(self) -> SegmentMessage | None:
        """The message itself where it is an application's answer that no mapping reads."""
        sent = self.sent
        return sent if isinstance(sent, SegmentMessage) and sent.type.name in ADVICE and self.document is None else None

    @property
    def rejected(self) -> bool:
        """Whether syntax, schema or mapping reject it."""
        return findings.rejects(self.findings)


@dataclass(slots=True)
class Interchange:
    """One interchange (or one XML or JSON message, or what could not be read), complete."""

    syntax: Syntax | None
    findings: list[Finding]
    first: int
    """Number of its first message in the payload; `last` is smaller where it has none."""
    last: int
    ref: InterchangeRef | None = None
    agreement: Agreement | None = None
    envelope: Envelope | None = None
    groups: list[GroupEnded] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    """On its messages; those with nothing to be said about them are left out after the first MOST_NAMED."""
    unnamed: Mapping[int, int] = field(default_factory=dict)
    """How many verdicts were left out, by group (-1 where there is none)."""
    begins: list[int] = field(default_factory=list)
    """Number of the first message of each group, in order."""
    control: bool = False
    """Whether it holds syntax acknowledgements only."""
    fault: str = ""
    """As `Message.fault`: its reader failed, and so nothing in it counts."""

    @property
    def rejected(self) -> bool:
        """Whether its header or trailer rejects everything in it."""
        return findings.rejects(self.findings)

    def failing(self, failed: Mapping[int, Failed]) -> Interchange:
        """This, with a verdict that says of these messages that a fault of ours kept them from being processed."""
        if not failed or not (self.verdicts or self.unnamed):
            return self
        verdicts, unnamed = list(self.verdicts), Counter(self.unnamed)
        places = {verdict.number: place for place, verdict in enumerate(verdicts)}
        for number, message in failed.items():
            if number in places:
                verdict = verdicts[places[number]]
            else:
                group = self.group_of(number)
                unnamed[group] -= 1
                verdict = Verdict(message.type, message.reference, (), group, 0, number)
                places[number] = len(verdicts)
                verdicts.append(verdict)
            reason = faults.finding(HEADERS.get(verdict.type.syntax, ""))
            if reason not in verdict.findings:
                verdicts[places[number]] = replace(verdict, findings=[*verdict.findings, reason])
        return replace(self, verdicts=verdicts, unnamed=unnamed)

    def group_of(self, number: int) -> int:
        """Index of the group that message `number` stands in; -1 where it stands in none."""
        # Of groups that begin at the same number all but the last are empty.
        group = bisect_right(self.begins, number) - 1
        within = group >= 0 and number < self.begins[group] + self.groups[group].message_count
        return group if within else -1

    def rejects(self, number: int) -> bool:
        """Whether the envelope, or the group it stands in, rejects message `number`."""
        if self.rejected:
            return True
        group = self.group_of(number)
        return group >= 0 and findings.rejects(self.groups[group].findings)


Examined = Message | Interchange

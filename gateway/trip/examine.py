"""The pure half of the trip: bytes are parsed, checked, read into documents and judged by the rules.

`examine` takes a payload and the sender's agreements and yields, in wire order, one `Message` for each
message and one `Interchange` when an interchange is complete, since only then are its counts known.
It reads a large payload from its file and holds one message at a time, so that it can run anywhere: in the
process that received the payload, in a worker process, or under `gateway validate`.

What it keeps until the end of an interchange is bounded however many messages that holds: an acknowledgement
names every rejected message and the first of the others, and counts the rest. What would need more than that
(very many groups, rejected messages or faults) rejects the interchange whole, by name; its other messages are
counted and not examined, since nothing could come of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from gateway import findings
from gateway.catalogue import Catalogue
from gateway.check import rules as rule_check
from gateway.check import second_opinion, structure, tables, xsd
from gateway.check.nodes import Table
from gateway.check.rulebook import Rules
from gateway.documents import MODELS, Document
from gateway.errors import PayloadTooLarge, PayloadUnreadable
from gateway.findings import make_finding
from gateway.model import Agreement, Finding, InterchangeRef, Place, Severity, Strictness, Syntax
from gateway.parse import edifact, x12
from gateway.parse import json as json_reader
from gateway.parse import xml as xml_reader
from gateway.parse.segments import (
    Envelope,
    Event,
    GroupBegun,
    GroupEnded,
    InterchangeBegun,
    InterchangeEnded,
    MessageRead,
    SegmentMessage,
)
from gateway.receive.unpack import RATIO, Part, unpack
from gateway.translate import table as mappings
from gateway.translate.context import context_of
from gateway.translate.outcome import Read
from gateway.trip import faults
from gateway.trip.examined import ADVICE, ANY, CONTROL, HEADERS, Examined, Interchange, Message, Verdict
from gateway.trip.placed import numbered, ruled, traced, without_echoes

_PACKAGE = "UNO"
"""The type under which the reader of EDIFACT gives an object that travels in a package."""

_MAX_STATED = 200
"""Characters of a format, a reference or a party in the envelope of a JSON message: a message id of a platform has 60."""

_READ_ON = frozenset({"json.duplicate", "json.number"})
"""Faults of a JSON message that reject it, and leave it to be read for its other faults."""

Chosen = str | Finding | None
"""The document that a message is read into: None where no mapping reads its format, a finding where the format is
mapped and the message is nothing that a mapping takes."""

MOST_NAMED = 10_000
"""Messages of a payload that acknowledgements name although nothing is wrong with them; later ones are counted. A
sender who wants to see each named sends fewer at once: the standards ask for the rejected ones only."""

MOST_REJECTED = 10_000
"""Rejected messages of a payload that acknowledgements name, at a tenth of what CONTRL has places for (0110, UCM):
whoever gets more wrong has one cause for it, and the interchange in which there are more is rejected whole."""

MOST_FAULTS = 100_000
"""Findings of a payload's rejected messages after which the interchange they stand in is rejected whole: nobody mends
them one by one, and finding more takes the time of those who sent what can be read."""

MOST_SAID = 20_000
"""Findings of a payload that acknowledgements can tell, apart from the first of each rejected message: some 20 MB."""

MOST_FINDINGS = 3_000
"""Findings kept of one EDI message (a reader tells 1,000 at most, and the check of its segments 2,000), or of one
group's or interchange's envelope; where there are more, those that reject it are kept first. Of an XML or JSON message
it is `findings.MOST_TOLD`."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one payload may hold; `config.Limits` says why."""

    ratio: int = RATIO
    interchanges: int = 1000
    groups: int = 1000


def examine(
    catalogue: Catalogue,
    source: bytes | Path,
    agreements: Sequence[Agreement],
    rules: Rules,
    *,
    unpacked_limit: int,
    bounds: Bounds = Bounds(),
) -> Iterator[Examined]:
    """What a payload holds by `catalogue`, given as bytes or as the file that holds them.

    Never raises for wrong input: what cannot be read is an interchange with findings.
    """
    examiner = Examiner(catalogue, agreements, rules, bounds)
    with faults.caught() as fault:
        try:
            for part in unpack(source, unpacked_limit, ratio=bounds.ratio):
                yield from examiner.part(part)
            yield from examiner.left_out()
        except PayloadTooLarge as error:
            yield examiner.unreadable("payload.too_large", str(error))
        except PayloadUnreadable as error:
            yield examiner.unreadable("payload.unreadable", str(error))
    if fault:
        yield examiner.failed(fault)


class Examiner:
    """Examines the parts of one payload; it counts messages, groups and interchanges across them."""

    def __init__(
        self,
        catalogue: Catalogue,
        agreements: Sequence[Agreement],
        rules: Rules,
        bounds: Bounds = Bounds(),
        *,
        acknowledged: bool = True,
    ) -> None:
        """`agreements` are the sender's inbound ones; `rules` are those of `catalogue` that are in force.

        Where nothing will be `acknowledged`, no verdicts are kept for that, nothing is too many, and a message that
        no mapping reads is well-formed and no more: whoever only checks asks for nothing to come of it.
        """
        self._catalogue = catalogue
        self._agreements = agreements
        self._acknowledged = acknowledged
        self._rules = rules
        self._bounds = bounds
        self._number = 0
        self._interchanges = self._groups = self._named = self._rejected = self._faults = self._said = 0
        self._first_left_out = ""

    def part(self, part: Part) -> Iterator[Examined]:
        """One piece of the payload."""
        match part.syntax:
            case Syntax.EDIFACT:
                yield from self.events(edifact.read(part.pieces(), self._charset(Syntax.EDIFACT)))
            case Syntax.X12:
                yield from self.events(x12.read(part.pieces(), self._charset(Syntax.X12)))
            case Syntax.XML:
                yield from self._xml(part)
            case Syntax.JSON:
                yield from self._json(part)
            case None:
                yield self.unreadable("payload.unknown_syntax", part.name)

    def unreadable(self, code: str, value: str, **args: str) -> Interchange:
        """What stands for bytes that no reader can take."""
        return Interchange(None, [make_finding(code, Place(), value[:200], **args)], self._number + 1, self._number)

    def left_out(self) -> Iterator[Interchange]:
        """At the end of the payload: what stands for the interchanges that were too many."""
        if self._is_too_many():
            most = self._bounds.interchanges
            args = {"max": str(most), "count": str(self._interchanges - most), "reference": self._first_left_out}
            yield self.unreadable("payload.too_many_interchanges", self._first_left_out, **args)

    def _is_too_many(self) -> bool:
        return self._acknowledged and self._interchanges > self._bounds.interchanges

    def failed(self, fault: faults.Fault) -> Interchange:
        """What stands for bytes whose unpacking failed."""
        return Interchange(None, [faults.finding()], self._number + 1, self._number, fault=fault.text)

    def events(self, events: Iterable[Event]) -> Iterator[Examined]:
        """The messages and interchanges of one EDI stream."""
        gathered = _Gathered(self._number + 1)
        with faults.caught() as fault:
            for event in events:
                if isinstance(event, InterchangeBegun):
                    self._interchanges += 1
                    gathered = _Gathered(self._number + 1, event.envelope)
                    if self._is_too_many():
                        self._first_left_out = self._first_left_out or event.envelope.reference
                    else:
                        gathered.found = [
                            *event.findings,
                            *self._service_findings(event.envelope.header, event.envelope),
                        ]
                elif self._is_too_many():
                    continue  # counted, and told at the payload's end
                elif isinstance(event, InterchangeEnded):
                    yield self._ended(event, gathered)
                    gathered = _Gathered(self._number + 1)  # until the next one begins, there is none
                elif gathered.is_refused:
                    gathered.groups_left_out += isinstance(event, GroupBegun)
                    gathered.messages_left_out += isinstance(event, MessageRead)
                elif isinstance(event, GroupBegun):
                    self._begin_group(event, gathered)
                elif isinstance(event, GroupEnded):
                    self._end_group(event, gathered)
                else:
                    message = self._segments(event)
                    gathered.agreement = gathered.agreement or message.agreement
                    gathered.messages += 1
                    gathered.outdated += not message.schema and tables.is_outdated(self._catalogue, event.message.type)
                    gathered.control = gathered.control and event.message.type.name in CONTROL
                    if self._acknowledged:
                        self._keep_verdict(event.message, message.findings, gathered)
                    yield message
        if fault:
            yield self._broken_off(gathered, fault)

    def _broken_off(self, gathered: _Gathered, fault: faults.Fault) -> Interchange:
        """What stands for an interchange whose reader failed, with what it had read so far."""
        envelope = gathered.envelope
        return Interchange(
            envelope.syntax if envelope is not None else None,
            [faults.finding()],
            gathered.first,
            self._number,
            _ref(envelope) if envelope is not None else None,
            gathered.agreement,
            envelope,
            gathered.groups,
            gathered.verdicts,
            gathered.unnamed,
            gathered.begins,
            fault=fault.text,
        )

    def _begin_group(self, event: GroupBegun, gathered: _Gathered) -> None:
        self._groups += 1
        if self._acknowledged and self._groups > self._bounds.groups:
            gathered.groups_left_out = 1
            gathered.refused_for = "payload.too_many_groups"
            return
        # Its findings wait for the group's end, where the verdict on the group is made.
        begun = [*event.findings, *self._service_findings(event.group.header, gathered.envelope)]
        gathered.groups.append(GroupEnded(event.group, 0, begun))
        gathered.begins.append(self._number + 1)
        gathered.in_group = len(gathered.groups) - 1
        gathered.outdated = 0

    def _end_group(self, event: GroupEnded, gathered: _Gathered) -> None:
        if gathered.in_group >= 0:
            of_group = [
                *gathered.groups[gathered.in_group].findings,
                *event.findings,
                *self._service_findings(event.trailer, gathered.envelope),
            ]
            if gathered.is_outdated(event):
                place = Place(tag="GS", element=8)
                of_group.append(make_finding("x12.gs.version_unsupported", place, event.group.version))
            table = findings.catalogue()
            if not any(table[f.code].x12_group for f in of_group):
                # What X12's codes of groups have no word for is the interchange's fault: TA105 024 is for a bad GS.
                gathered.found += [f for f in of_group if table[f.code].ta1]
                of_group = [f for f in of_group if not table[f.code].ta1]
            judged = findings.kept(findings.judged(of_group, self._strictness(gathered.agreement)), MOST_FINDINGS)
            gathered.groups[gathered.in_group] = replace(event, findings=judged)
        gathered.in_group = -1

    def _keep_verdict(self, message: SegmentMessage, found: list[Finding], gathered: _Gathered) -> None:
        """Keep what the acknowledgement has to say about a message, as long as there are not too many of that kind."""
        told = [finding for finding in found if finding.severity is not Severity.NOTE]
        rejected = findings.rejects(told)
        if not told or (not rejected and self._said + len(told) > MOST_SAID):
            self._named += 1
            if self._named > MOST_NAMED:
                gathered.unnamed[gathered.in_group] += 1
                return
        elif rejected:
            self._rejected += 1
            self._faults += len(found)
            if self._rejected > MOST_REJECTED:
                gathered.refused_for = "payload.too_many_rejected"
                return
            if self._faults > MOST_FAULTS:
                gathered.refused_for = "payload.too_many_faults"
        if self._said + len(found) > MOST_SAID:
            found = [next(finding for finding in told if finding.severity is Severity.ERROR)] if rejected else []
        else:
            self._said += len(found)
        gathered.verdicts.append(
            Verdict(
                message.type,
                message.reference,
                found,
                gathered.in_group,
                len(message.segments),
                self._number,
                message.convention,
            )
        )

    def _ended(self, event: InterchangeEnded, gathered: _Gathered) -> Interchange:
        found = [*gathered.found, *event.findings, *self._service_findings(event.trailer, event.envelope)]
        found += self._identity(event.envelope, gathered.agreement)
        if gathered.is_refused:
            most = {"payload.too_many_groups": self._bounds.groups, "payload.too_many_rejected": MOST_REJECTED}
            args = {
                "max": str(most.get(gathered.refused_for, MOST_FAULTS)),
                "groups": str(len(gathered.groups) + gathered.groups_left_out),
                "messages": str(gathered.messages_left_out),
            }
            found.append(make_finding(gathered.refused_for, place=Place(segment=0), **args))
        return Interchange(
            event.envelope.syntax,
            findings.kept(findings.judged(found, self._strictness(gathered.agreement)), MOST_FINDINGS),
            gathered.first,
            self._number,
            _ref(event.envelope),
            gathered.agreement,
            event.envelope,
            gathered.groups,
            gathered.verdicts,
            gathered.unnamed,
            gathered.begins,
            control=gathered.control and bool(gathered.messages) and self._acknowledged,
        )

    def _segments(self, event: MessageRead) -> Message:
        """One EDI message, checked and read."""
        self._number += 1
        wire = event.message
        message = Message(self._number, wire.type.syntax, wire.type.format, wire.reference, [])
        with faults.caught() as fault:
            table = tables.find(self._catalogue, wire.type)
            if table is not None and message.format not in (table.base or table).formats:
                # A guide that GS08 or ST03 names and nobody knows is read as the set that it is a part of.
                message.format = replace(wire.type, version=wire.type.version[:6]).format
            chosen = mappings.choose(self._catalogue, message.format, wire)
            message.agreement = self._agreement(message.format, chosen)
            if message.agreement is not None and message.agreement.guide:
                table = tables.find(self._catalogue, wire.type, message.agreement.guide)
            self._check_segments(message, event, chosen, table)
        if fault:
            self._give_up(message, event.findings, fault, HEADERS[wire.type.syntax])
        return message

    def _check_segments(self, message: Message, event: MessageRead, chosen: Chosen, table: Table | None) -> None:
        """Check one EDI message by its table, and read what passes as what was chosen for it."""
        wire = event.message
        if wire.type.name == _PACKAGE:
            message.findings = [*event.findings, *structure.check_ends(self._catalogue, wire)]
            if not self._judged(message).rejected:
                self._read(message, None, wire, wire)
            return
        if table is None:
            message.findings = [*event.findings, *structure.check_ends(self._catalogue, wire), _no_table(wire)]
            self._judged(message)
            return
        checked = structure.check(wire, table)
        message.findings = [*event.findings, *findings.unsaid(checked.findings, event.findings)]
        if wire.type.format not in (message.format, *table.formats):
            place = Place(wire.reference, 1, HEADERS[wire.type.syntax])
            message.findings.append(make_finding("x12.guide.unknown", place, wire.type.version, format=message.format))
        message.findings = self._with_fields(message, chosen, (wire, checked))
        message.schema = table.digest
        if message.agreement is not None and message.agreement.second_opinion and wire.type.syntax is Syntax.X12:
            second = second_opinion.check(self._catalogue, wire, table.base or table)
            message.findings += second_opinion.additional(message.findings, second)
        self._judged(message)
        if wire.type.name in CONTROL:
            message.sent = wire
        elif findings.tolerable(message.findings):
            # What a lenient agreement reads in spite of its faults is read by a strict one for its other faults.
            sent = replace(wire, packages=()) if wire.packages else wire
            self._read(message, chosen, (wire, checked), sent)

    def _xml(self, part: Part) -> Iterator[Examined]:
        """One XML message."""
        self._number += 1
        self._interchanges += 1
        message = Message(self._number, Syntax.XML, "xml", "", [])
        parties = ("", "")
        with faults.caught() as fault:
            read = xml_reader.too_large(part.size) if part.size > xml_reader.MAX_BYTES else xml_reader.read(part.body)
            message.reference, message.findings = read.head.get("MESSAGE_ID", ""), list(read.findings)
            parties = read.head.get("MESSAGE_SOURCE", ""), read.head.get("MESSAGE_DEST", "")
            if read.root is not None:
                self._check_xml(message, read.root, part.body)
        if fault:
            self._give_up(message, (), fault)
        yield from self._alone(message, *parties)

    def _check_xml(self, message: Message, root: Any, body: bytes) -> None:
        """Check one XML message, whose root is `root` of `body`, and read what passes."""
        known = xsd.recognise(self._catalogue, root)
        message.format = known.format if known is not None else f"xml:{xml_reader.local_name(root)[:_MAX_STATED]}"
        chosen = mappings.choose(self._catalogue, message.format)
        message.agreement = self._agreement(message.format, chosen)
        if known is None:
            message.findings.append(xsd.unknown(self._catalogue, root))
            self._judged(message)
            return
        message.findings += xsd.check(self._catalogue, known.root, known.format)
        message.findings = self._with_fields(message, chosen, known.root)
        message.schema = xsd.digest(self._catalogue, known.format)
        if not self._judged(message).rejected:
            self._read(message, chosen, known.root, body)

    def _json(self, part: Part) -> Iterator[Examined]:
        """One JSON message: `{"format": "json:declaration:1", "reference": "...", "document": {...}}`, or a bare document."""
        self._number += 1
        self._interchanges += 1
        message = Message(self._number, Syntax.JSON, "json", "", [])
        parties = ("", "")
        with faults.caught() as fault:
            large = part.size > json_reader.MAX_BYTES
            read = json_reader.too_large(part.size) if large else json_reader.read(part.body)
            message.findings = list(read.findings)
            value = read.rest or {}
            resembled = _resembled(value)
            if "format" not in value and len(resembled) == 1:
                value = {"format": f"json:{resembled[0]}:1", "document": value}
            parties = _stated(value, "sender", message.findings), _stated(value, "recipient", message.findings)
            message.reference = _stated(value, "reference", message.findings)
            message.format = _stated(value, "format", message.findings) or "json"
            if all(found.code in _READ_ON for found in message.findings):
                self._check_json(message, value, resembled, part.body)
        if fault:
            self._give_up(message, (), fault)
        yield from self._alone(message, *parties)

    def _check_json(self, message: Message, value: Mapping[str, Any], resembled: Sequence[str], body: bytes) -> None:
        """Check the envelope of one JSON message, and read what passes."""
        chosen = mappings.choose(self._catalogue, message.format)
        message.agreement = self._agreement(message.format, chosen)
        wrong = None
        if "format" not in value:
            likely = ", ".join(f"json:{name}:1" for name in resembled or MODELS)
            wrong = make_finding("json.format_missing", formats=likely)
        elif chosen is None or not message.format.startswith("json:"):
            wrong = make_finding("schema.none", place=Place(path="/format"), format=message.format)
        elif not isinstance(value.get("document"), dict):
            wrong = make_finding("json.document_missing", place=Place(path="/document"))
        if wrong is not None:
            # First, so that it is told however much else is wrong.
            message.findings.insert(0, wrong)
        self._judged(message)
        if wrong is None and message.agreement is not None:
            self._read(message, chosen, value["document"], body)

    def _give_up(self, message: Message, found: Sequence[Finding], fault: faults.Fault, tag: str = "") -> None:
        """A message that could not be examined, through a fault of ours; `found` is what its reader found."""
        message.findings = list(findings.judged([*found, faults.finding(tag)], self._strictness(message.agreement)))
        message.fault = fault.text
        message.document, message.document_type, message.sent, message.refusals = None, "", None, []

    def _alone(self, message: Message, sender: str, recipient: str) -> Iterator[Examined]:
        """A message that is its own interchange."""
        yield message
        ref = None
        if message.reference and not message.fault:
            ref = InterchangeRef(message.syntax, sender, recipient, message.reference)
        found = []
        if sender and message.agreement is not None and not _names(message.agreement.their_id, "", sender):
            found.append(make_finding("identity.sender", value=sender, sender=sender))
        yield Interchange(message.syntax, found, message.number, message.number, ref, message.agreement)

    def _read(self, message: Message, chosen: Chosen, wire: Any, sent: SegmentMessage | bytes) -> None:
        """Read the checked wire message into the document chosen for it, and judge that by the rules."""
        if not isinstance(chosen, str):
            if message.rejected:
                return
            # Its syntax is right, and is acknowledged so. An application's answer is not answered in turn, or two
            # gateways would answer each other for ever; anything else was sent for something to come of it.
            if message.format.split(":")[1] in ADVICE:
                message.findings.append(make_finding("mapping.none_needed", format=message.format))
                message.sent = sent
            elif chosen is None and self._takes_unread(message):
                message.findings.append(make_finding("mapping.unread", format=message.format))
            else:
                message.refusals = findings.kept([chosen or make_finding("mapping.none", format=message.format)], 1)
            return
        agreement = message.agreement or ANY
        mapping = mappings.load(self._catalogue, chosen, message.format, agreement.mapping)
        read: Read = mapping.read(wire, context_of(agreement))
        message.document_type = chosen
        message.mapping = mapping.digest
        strictness = self._strictness(message.agreement)
        most = _most_findings(message)
        said = mapping.named(read.findings, wire)
        found = findings.unsaid(without_echoes(findings.judged(said, strictness), read), message.findings)
        if message.syntax in HEADERS:
            found = [numbered(self._catalogue, finding, *wire) for finding in found]
        if isinstance(read.partial, Document):
            found += findings.judged(ruled(read.partial, read, self._rules), strictness)
        message.findings = findings.kept([*message.findings, *found], most)
        if isinstance(read.document, Document) and not message.rejected:
            message.document, message.sent = read.document, sent
            against = findings.judged(rule_check.check(read.document, self._rules), strictness)
            room = max(most - len(message.findings), 1)
            message.refusals = [traced(f, read) for f in findings.kept(against, room)]
            if any(f.code == rule_check.TOO_MANY_ITEMS for f in message.refusals):
                message.document = message.sent = None  # it is refused, and too much to hold until that is told

    def _with_fields(self, message: Message, chosen: Chosen, wire: Any) -> list[Finding]:
        """The findings of a checked message, with the fields that stand at their places by the mapping that reads it."""
        if not isinstance(chosen, str) or not message.findings:
            return message.findings
        variation = message.agreement.mapping if message.agreement is not None else ""
        mapping = mappings.find(self._catalogue, chosen, message.format, variation)
        return message.findings if mapping is None else mapping.named(message.findings, wire)

    def _takes_unread(self, message: Message) -> bool:
        """Whether a message that no mapping reads is taken as it is: its agreement names its format, and no document.

        Under an agreement for any format nobody has said that such a message is wanted, and it is refused.
        """
        agreed = message.agreement
        named = agreed is not None and agreed.format == message.format and agreed.document == "*"
        return named or not self._acknowledged

    def _judged(self, message: Message) -> Message:
        """`message` with its findings as its agreement sees them; no agreement is a finding of its own."""
        if message.agreement is None:
            message.findings.append(make_finding("agreement.none", format=message.format))
        judged = findings.judged(message.findings, self._strictness(message.agreement))
        message.findings = findings.kept(judged, _most_findings(message))
        return message

    def _agreement(self, format_: str, chosen: Chosen) -> Agreement | None:
        """The most particular agreement under which such a message may come."""
        document_type = chosen if isinstance(chosen, str) else None
        fitting = [
            a
            for a in self._agreements
            if a.format in (format_, "*") and (a.document in (document_type, "*") or document_type is None)
        ]
        return max(fitting, key=lambda a: (a.format != "*", a.document != "*"), default=None)

    def _strictness(self, agreement: Agreement | None) -> Strictness:
        """How the envelope is judged: by the message's agreement, else by any that the sender has."""
        chosen = agreement or next(iter(self._agreements), None)
        return chosen.strictness if chosen is not None else Strictness.STRICT

    def _charset(self, syntax: Syntax) -> str:
        """The charset that an agreement for this syntax names, where its envelope cannot say it."""
        return next((a.charset for a in self._agreements if a.charset and a.format.startswith((syntax, "*"))), "")

    def _service_findings(self, segment: Sequence[Sequence[str]], envelope: Envelope | None) -> list[Finding]:
        """What its table has against UNB, UNG, UNE or UNZ, where it is there; X12's reader judges its own envelopes."""
        if envelope is None or envelope.syntax is not Syntax.EDIFACT or not segment:
            return []
        return structure.check_service(self._catalogue, segment, envelope.delimiters, envelope.version)

    def _identity(self, envelope: Envelope, agreement: Agreement | None) -> list[Finding]:
        """Whoever is authenticated may use only the envelope identifiers that its agreements give it."""
        if agreement is None or _names(agreement.their_id, envelope.sender_qualifier, envelope.sender):
            return []
        return [make_finding("identity.sender", value=envelope.sender, sender=envelope.sender)]


@dataclass(slots=True)
class _Gathered:
    """What is known of an interchange until its trailer is read."""

    first: int
    envelope: Envelope | None = None
    found: list[Finding] = field(default_factory=list)
    agreement: Agreement | None = None
    groups: list[GroupEnded] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    unnamed: Counter[int] = field(default_factory=Counter)
    in_group: int = -1
    messages: int = 0
    outdated: int = 0
    """Messages of the group in hand whose set is known in other versions only."""
    control: bool = True
    refused_for: str = ""
    """The finding that rejects it whole before its end is read; what comes after is counted."""
    groups_left_out: int = 0
    messages_left_out: int = 0

    def is_outdated(self, group: GroupEnded) -> bool:
        """Whether no set of the group that ended is known in its version, and one is in another."""
        return 0 < self.outdated == group.message_count

    @property
    def is_refused(self) -> bool:
        """Whether nothing more can come of it."""
        return bool(self.refused_for)


def _most_findings(message: Message) -> int:
    """How many findings are kept of a message, whoever finds them."""
    return MOST_FINDINGS if message.syntax in HEADERS else findings.MOST_TOLD


def _stated(value: Mapping[str, Any], name: str, found: list[Finding]) -> str:
    """What the envelope of a JSON message states under `name`, empty for nothing; what is no short text goes to `found`."""
    stated = value.get(name)
    text = str(stated) if isinstance(stated, str | int) and not isinstance(stated, bool) else ""
    if stated is None or ((text or stated == "") and len(text) <= _MAX_STATED):
        return text
    found.append(make_finding("json.envelope", place=Place(path=f"/{name}"), name=name, max=_MAX_STATED))
    return ""


def _resembled(value: Mapping[str, object]) -> list[str]:
    """Which documents a bare JSON object may be, by the names in it: those that fit best, of which there may be two."""
    scores = {name: 2 * len(value.keys() & model.model_fields.keys()) - len(value) for name, model in MODELS.items()}
    best = max(scores.values())
    found = [name for name, score in scores.items() if score == best > 0]
    # Of several, it is one of those of which nothing is missing.
    return [name for name in found if _required(name) <= value.keys()] or found


@cache
def _required(document_type: str) -> frozenset[str]:
    """The names that every JSON object of a document has."""
    return frozenset(name for name, field in MODELS[document_type].model_fields.items() if field.is_required())


def _no_table(wire: SegmentMessage) -> Finding:
    """A message for which no table is there: its envelope was checked, and nothing else."""
    format_ = wire.type.format
    tag = wire.segments[0][:3] if wire.type.syntax is Syntax.EDIFACT and wire.segments else HEADERS[wire.type.syntax]
    place = Place(segment=1, tag=tag)
    return make_finding("edi.message.no_table", place=place, value=format_, format=format_)


def _names(agreed: str, qualifier: str, identifier: str) -> bool:
    """Whether `agreed` (`qualifier:id` or `id`, empty for any) allows this identifier."""
    return not agreed or agreed in (identifier, f"{qualifier}:{identifier}")


def _ref(envelope: Envelope) -> InterchangeRef | None:
    """What makes the interchange unique; None where its header could not be read."""
    if not envelope.reference:
        return None
    sender = f"{envelope.sender_qualifier}:{envelope.sender}"
    recipient = f"{envelope.recipient_qualifier}:{envelope.recipient}"
    return InterchangeRef(envelope.syntax, sender, recipient, envelope.reference, envelope.test)

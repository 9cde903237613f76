"""Answers to EDIFACT interchanges: CONTRL (syntax versions 3 and 4) and APERAK D.96B.

CONTRL tells what became of an interchange's syntax, level by level (ISO 9735-4): UCI the interchange, UCF a
group, UCM a message, UCS a segment, UCD an element. A level is rejected with all below it (4),
acknowledged with all below it that is not rejected by name (7), or received and not looked at yet (8). There is nothing
in between: faults are listed under rejected messages only. CONTRL is never acknowledged.

APERAK tells what became of a document. It is a business message like any other and is acknowledged itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway import findings as known
from gateway.catalogue import Catalogue
from gateway.check.nodes import ElementUse
from gateway.check.structure import check_service
from gateway.check.tables import service
from gateway.model import Finding, Place, Severity, Syntax
from gateway.parse.charsets import CODECS, strangers
from gateway.parse.edifact import DEFAULT
from gateway.parse.edifact_writer import write_interchange
from gateway.parse.segments import Delimiters, Envelope, GroupEnded, MessageType, join

REJECTED, ACKNOWLEDGED, RECEIVED = "4", "7", "8"
"""0083, action coded."""

APERAK = MessageType(Syntax.EDIFACT, "APERAK", "D", "96B", "UN")
_CONTRL = {
    "3": MessageType(Syntax.EDIFACT, "CONTRL", "D", "3", "UN"),
    "4": MessageType(Syntax.EDIFACT, "CONTRL", "4", "1", "UN"),
}

_UNSPECIFIED = "18"
# 0085 differs between the versions: what one of them lacks is said by the nearest code that it has.
_OTHER_CODES = {
    "3": {"45": "16", "46": "14", "47": "15", "48": "13"},
    "4": {"19": "37", "27": _UNSPECIFIED, "31": "12", "34": "15", "38": "37"},
}
# 0013 of version 3 and 0135 of version 4; UNA is no segment any more in version 4.
_SERVICE_TAGS = frozenset({"UNB", "UNG", "UNH", "UNT", "UNE", "UNZ"})
_MISSING = frozenset({"edi.segment.missing", "edi.group.missing"})
_NO_TABLE = "edi.message.no_table"
_TYPE_PLACE = Place(tag="UNH", element=2, component=1)
"""S009 0065, where a message says what it is."""
_MAX_MESSAGES, _MAX_SEGMENTS, _MAX_ELEMENTS = 99_999, 999, 99
"""UCM of one CONTRL, UCS of one UCM, UCD of one UCS."""

_MOST_COUNTED, _MOST_PARTS = 999_999, 999
"""Segments (0096) and repetitions (0136), and elements (0098) and components (0104), that an answer can count: what lies
beyond is told at the next higher level."""

_UNNAMED = "-"
"""Stands for what a group or message does not say of itself, or says so that it cannot be repeated; version 3 cannot
leave it out."""


class Detail(StrEnum):
    """How much a CONTRL says, from all of it to the least that is still an answer."""

    FAULTS = "faults"
    """Every fault of a rejected message."""
    MESSAGES = "messages"
    """Rejected groups and messages by name, without the faults in their segments."""
    INTERCHANGE = "interchange"
    """The interchange alone; one that holds rejected messages is then only said to have been received."""


class Verdict(Protocol):
    """What was found in one message, as its agreement judges it; an error rejects it."""

    @property
    def type(self) -> MessageType:
        """What the message claims to be; `UNO` for a package."""

    @property
    def reference(self) -> str:
        """UNH 0062, or UNO 0800."""

    @property
    def findings(self) -> Sequence[Finding]:
        """All of them."""

    @property
    def group(self) -> int:
        """Index into the interchange's groups; -1 where it stands in none."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A message to be sent back: its type and its raw segments between UNH and UNT."""

    type: MessageType
    segments: list[str]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a document was refused: a code of up to 8 characters, words, and the place, where it is at one."""

    code: str
    text: str
    place: Place | None = None


def acknowledge(
    catalogue: Catalogue,
    envelope: Envelope,
    findings: Sequence[Finding],
    verdicts: Sequence[Verdict],
    groups: Sequence[GroupEnded] = (),
    *,
    reference: str,
    at: datetime,
    received_only: bool = False,
) -> bytes:
    """The interchange that carries the CONTRL for `envelope`; empty where `contrl` gives None."""
    reply = contrl(catalogue, envelope, findings, verdicts, groups, received_only=received_only)
    return interchange(envelope, [reply], reference=reference, at=at) if reply else b""


def interchange(envelope: Envelope, replies: Sequence[Reply], *, reference: str, at: datetime) -> bytes:
    """`replies` in an interchange back to the sender of `envelope`, in its syntax version and character set.

    `reference` is 0020 (14 characters at most); `at` is in the recipient's time zone.
    """
    header = envelope.header
    returned = replace(
        envelope,
        header=[],
        delimiters=_delimiters(envelope),
        sender=envelope.recipient,
        sender_qualifier=envelope.recipient_qualifier,
        recipient=envelope.sender,
        recipient_qualifier=envelope.sender_qualifier,
        version=envelope.version if envelope.version in {"1", "2", "3", "4"} else "3",
        repertoire=_repertoire(envelope),
        reference=reference,
        date=at.strftime("%Y%m%d" if envelope.version == "4" else "%y%m%d"),
        time=at.strftime("%H%M"),
        acknowledgement_requested=False,
        application_reference="",
    )
    messages = [(reply.type, str(number), reply.segments) for number, reply in enumerate(replies, 1)]
    plain = replace(returned.delimiters, repetition="") == DEFAULT or not header
    return write_interchange(returned, messages, advice=not plain)


def contrl(
    catalogue: Catalogue,
    envelope: Envelope,
    findings: Sequence[Finding],
    verdicts: Sequence[Verdict],
    groups: Sequence[GroupEnded] = (),
    *,
    received_only: bool = False,
    detail: Detail = Detail.FAULTS,
) -> Reply | None:
    """The CONTRL that answers an interchange; None where none may be sent.

    `findings` are of the interchange's own level, those in `groups` of theirs, all as the agreement judges
    them. A repeated interchange has the finding `interchange.duplicate` among them.
    `received_only` answers with action 8, before anything else is known.

    None where the interchange holds CONTRL only, or where what UCI must copy (0020, S002, S003) is
    missing or faulty: then, by the rules of CONTRL, its faults are told by other means.
    """
    answerable = [verdict for verdict in verdicts if verdict.type.name != "CONTRL"]
    if (verdicts and not answerable) or not _copyable(catalogue, envelope):
        return None
    writer = _Writer(catalogue, envelope)
    identity = [[envelope.reference], *envelope.header[2:4]]
    errors = _errors(findings)
    rejected = [verdict for verdict in answerable if _errors(verdict.findings)][:_MAX_MESSAGES]
    if detail is Detail.INTERCHANGE and not errors:
        received_only = received_only or bool(rejected) or any(_errors(ended.findings) for ended in groups)
    if errors or received_only:
        writer.level("UCI", identity, REJECTED if errors else RECEIVED, errors, {"UNB", "UNZ", "UNA"})
        return Reply(_CONTRL[writer.version], writer.segments)
    writer.level("UCI", identity, ACKNOWLEDGED, [], set())
    by_group: dict[int, list[Verdict]] = {}
    for verdict in rejected:
        by_group.setdefault(verdict.group, []).append(verdict)
    for verdict in by_group.get(-1, ()):
        writer.message(verdict, detail)
    for index, ended in enumerate(groups):
        within = by_group.get(index, [])
        group_errors = _errors(ended.findings)
        if group_errors or within:
            writer.group(ended, group_errors)
        for verdict in () if group_errors else within:
            writer.message(verdict, detail)
    return Reply(_CONTRL[writer.version], writer.segments)


class _Writer:
    """Writes the segments of one CONTRL."""

    def __init__(self, catalogue: Catalogue, envelope: Envelope) -> None:
        self._catalogue = catalogue
        self.version = "4" if envelope.version == "4" else "3"
        self.delimiters = _delimiters(envelope)
        self.repertoire = _repertoire(envelope)
        self.segments: list[str] = []

    def _copied(self, tag: str, number: str, values: Sequence[str]) -> list[str]:
        """The components of element `number` of the answer's segment `tag`, from what the sender wrote there.

        Each is copied where it may stand there; else something stands for it, since a part of it may be another's name.
        """
        use = next(use for use in service(self._catalogue, self.version)[tag].elements if use.item == number)
        return [
            value if self._may_stand(part, value) else _UNNAMED if part.mandatory or (value and not at) else ""
            for at, (part, value) in enumerate(zip(use.components or (use,), [*values, *[""] * 9], strict=False))
        ]

    def _may_stand(self, use: ElementUse, value: str) -> bool:
        """Whether `value` is one that our own check takes at `use`."""
        least, most = use.min_length or 1, use.max_length or len(value)
        return least <= len(value) <= most and not value.isspace() and not strangers(value, self.repertoire, "")

    def level(
        self, tag: str, identity: list[list[str]], action: str, errors: Sequence[Finding], tags: set[str]
    ) -> None:
        """UCI, UCF or UCM: what is meant, the action, and the first error of the level's own service segments `tags`."""
        error = next((e for e in errors if e.place.tag in tags), errors[0] if errors else None)
        said: list[list[str]] = []
        if error:
            place = _TYPE_PLACE if error.code == _NO_TABLE else error.place
            said = [[self._code(error)], [place.tag if place.tag in _SERVICE_TAGS else ""]]
            if said[1][0] and _is_countable(place):
                said.append(self._position(place))
        self.segments.append(join([[tag], *identity, [action], *said], self.delimiters))

    def group(self, ended: GroupEnded, errors: Sequence[Finding]) -> None:
        """UCF."""
        header = [*ended.group.header, *[[""]] * 4][:4]
        identity = [self._copied("UCF", "0048", [ended.group.reference])]
        for number, element in (("S006", header[2]), ("S007", header[3])):
            # Version 4 leaves out what is not there.
            identity.append(self._copied("UCF", number, element) if any(element) or self.version == "3" else [""])
        self.level("UCF", identity, REJECTED if errors else ACKNOWLEDGED, errors, {"UNG", "UNE"})

    def message(self, verdict: Verdict, detail: Detail) -> None:
        """UCM of a rejected message, with UCS and UCD for every error below it."""
        errors = _errors(verdict.findings)
        own = [e for e in errors if _is_own(e)]
        if verdict.type.name == "UNO" and self.version == "4":
            # A package has no 0062 and S009; version 4 names it by 0800, after S011.
            self.segments.append(
                join(
                    [
                        ["UCM"],
                        [],
                        [],
                        [REJECTED],
                        [self._code(errors[0])],
                        ["UNO"],
                        [],
                        self._copied("UCM", "0800", [verdict.reference]),
                    ],
                    self.delimiters,
                )
            )
            return
        type_ = verdict.type
        parts = [type_.name, type_.version, type_.release, type_.agency, type_.association]
        identity = [self._copied("UCM", "0062", [verdict.reference]), self._copied("UCM", "S009", parts)]
        self.level("UCM", identity, REJECTED, own, {"UNH", "UNT"})
        if detail is Detail.FAULTS:
            for segments in _limited(self._below(e for e in errors if not _is_own(e))):
                self.segments += segments

    def _below(self, errors: Iterable[Finding]) -> Iterator[list[str]]:
        """For each UCS, itself and its UCD, by position."""
        by_position: dict[int, list[Finding]] = {}
        for error in errors:
            # 0096: what is missing is reported at the segment before it.
            position = (error.place.segment or 1) - (1 if error.code in _MISSING else 0)
            by_position.setdefault(max(position, 1), []).append(error)
        for position in sorted(by_position):
            found = by_position[position]
            whole = [self._code(e) for e in found if not _is_countable(e.place) or e.code in _MISSING]
            parts = [e for e in found if _is_countable(e.place) and e.code not in _MISSING]
            first = [join([["UCS"], [str(position)], whole[:1]], self.delimiters)]
            told = (
                join([["UCD"], [self._code(error)], self._position(error.place)], self.delimiters) for error in parts
            )
            first += list(dict.fromkeys(told))[:_MAX_ELEMENTS]
            yield first
            for code in dict.fromkeys(whole[1:]):
                yield [join([["UCS"], [str(position)], [code]], self.delimiters)]

    def _position(self, place: Place) -> list[str]:
        """S011: the tag counts as position 1 (0098), so element 1 is at 2; version 4 adds the repetition (0136)."""
        component = str(place.component) if place.component is not None and place.component <= _MOST_PARTS else ""
        said = place.repetition is not None and self.version != "3" and place.repetition <= _MOST_COUNTED
        repetition = str(place.repetition) if said else ""
        return [str((place.element or 0) + 1), component, repetition]

    def _code(self, error: Finding) -> str:
        """0085 for a finding, in the writer's version."""
        entry = known.catalogue().get(error.code)
        code = entry.contrl if entry and entry.contrl else _UNSPECIFIED
        return _OTHER_CODES[self.version].get(code, code)


def _limited(blocks: Iterable[list[str]]) -> Iterator[list[str]]:
    for count, block in enumerate(blocks):
        if count == _MAX_SEGMENTS:
            return
        yield block


def _errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def _is_own(error: Finding) -> bool:
    """Whether an error is of the message as a whole, told in UCM: of UNH, UNT or of no segment that 0096 can count."""
    return error.place.tag in {"UNH", "UNT"} or not 0 < (error.place.segment or 0) <= _MOST_COUNTED


def _is_countable(place: Place) -> bool:
    """Whether a place is at an element that 0098 can count; one beyond is told at its segment."""
    return place.element is not None and place.element < _MOST_PARTS


def _delimiters(envelope: Envelope) -> Delimiters:
    """The separators of an answer: the sender's own, but for those that version 4 does not allow."""
    unfit = envelope.version == "4" and not envelope.delimiters.release
    return DEFAULT if unfit else envelope.delimiters


def _repertoire(envelope: Envelope) -> str:
    """The repertoire that an answer to `envelope` is written in."""
    return envelope.repertoire if envelope.repertoire in CODECS else "UNOC"


def _copyable(catalogue: Catalogue, envelope: Envelope) -> bool:
    """Whether UCI's mandatory elements can be copied from UNB: they are right, and so are all their characters."""
    copied = [envelope.reference, *(part for element in envelope.header[2:4] for part in element)]
    if envelope.header[:1] != [["UNB"]] or strangers("".join(copied), _repertoire(envelope), ""):
        return False
    faults = check_service(catalogue, envelope.header, envelope.delimiters, envelope.version)
    return bool(envelope.header) and not any(
        f.place.element in {2, 3, 5} for f in faults if f.severity is Severity.ERROR
    )


def reasons(findings: Iterable[Finding], language: str = "en") -> list[Reason]:
    """The errors among `findings` as reasons of an APERAK: the code of 0085 where there is one."""
    table = known.catalogue()
    return [
        Reason(
            table[e.code].contrl if e.code in table and table[e.code].contrl else _UNSPECIFIED,
            known.text(e, language),
            e.place,
        )
        for e in _errors(findings)
    ]


def aperak(
    envelope: Envelope,
    *,
    number: str,
    at: datetime,
    message_reference: str,
    document_number: str = "",
    refused: Sequence[Reason] = (),
) -> Reply:
    """The APERAK about one document that came in `envelope`: accepted, or refused with its reasons.

    `number` is the answer's own number; `message_reference` (UNH 0062) and `document_number` (BGM 1004) are the
    document's. A reason's place goes into RFF (the message's reference, with the segment's position as line
    number) and FTX: APERAK has no ERP. Words that the envelope's character set cannot carry are replaced by `?`.
    """
    d, wording = envelope.delimiters, _Wording(envelope)
    rows = [
        # 1225: 27 not accepted, 29 accepted without amendment; 4343: RE rejected, AP accepted.
        [["BGM"], [""], [number[:35]], ["27" if refused else "29"], ["RE" if refused else "AP"]],
        [["DTM"], ["137", at.strftime("%Y%m%d%H%M"), "203"]],
        [["RFF"], ["ACW", message_reference[:35]]],
    ]
    if document_number:
        rows.append([["RFF"], ["DM", document_number[:35]]])
    for reason in refused[:99_999]:
        rows.append([["ERC"], [reason.code[:8]]])
        rows.append([["FTX"], ["AAO"], [], [], wording.lines(reason.text)])
        if reason.place and reason.place.segment:
            rows.append([["RFF"], ["ACW", message_reference[:35], str(reason.place.segment)[:6]]])
            rows.append([["FTX"], ["AAO"], [], [], wording.lines(str(reason.place))])
    return Reply(APERAK, [join(row, d) for row in rows])


class _Wording:
    """Fits words into an envelope's character set and into 4440, five lines of 70."""

    def __init__(self, envelope: Envelope) -> None:
        self.repertoire = envelope.repertoire
        self.codec = envelope.charset or CODECS.get(envelope.repertoire, "latin-1")

    def lines(self, text: str) -> list[str]:
        """Up to five lines; at least one that holds something."""
        text = text.encode(self.codec, "replace").decode(self.codec)
        unfit = strangers(text, self.repertoire, "")
        if unfit:
            # Level A has no small letters.
            text = "".join(
                c.upper() if c in unfit and not strangers(c.upper(), self.repertoire, "") else c for c in text
            )
            text = "".join("?" if c in strangers(text, self.repertoire, "") else c for c in text)
        text = " ".join(text.split()) or "-"
        return [text[start : start + 70].strip() for start in range(0, min(len(text), 350), 70)]

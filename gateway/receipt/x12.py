"""What X12 answers: TA1 for an interchange, 997 or 999 for a functional group, 824 for what a transaction set means.

Findings come in judged (`findings.judged`): an error rejects, a warning is named with the acceptance. Which
codes a finding has in an acknowledgement is in the catalogue; codes that the answer's own table does not
list are left out. A functional acknowledgement (GS01 = FA) and a TA1 are never acknowledged, so that two
gateways cannot answer each other for ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from gateway.catalogue import Catalogue
from gateway.check import tables
from gateway.findings import Entry, rejects
from gateway.findings import catalogue as known_findings
from gateway.model import Finding, Severity, Syntax
from gateway.parse.segments import Delimiters, Envelope, Group, MessageType
from gateway.parse.x12_envelope import QUALIFIER, is_date
from gateway.parse.x12_writer import DELIMITERS, Body, GroupHeader, InterchangeHeader, plain, segment, write

CONVENTION_999 = "005010X231A1"
"""The implementation convention our 999 follows (ST03)."""
_MOST_SEGMENTS = 1_000
"""Segments named per transaction set. A sender mends the first hundred and sends again; the standards allow more."""
_MOST_ELEMENTS = 99
"""AK4 per AK3 (997, 004010)."""
_MOST_COUNTED, _MOST_PARTS, _MOST_REPETITIONS = 999_999, 99, 9_999
"""Segments (719), elements (722) and components (1528), and repetitions (1686), that an answer can count: what lies beyond
is told at the next higher level."""
_MOST_CODES = 5
"""AK502 to AK506, AK905 to AK909."""
_INVALID_CONTENT = "024"
"""TA105, element I18."""
_SEGMENTS_IN_ERROR = "5"
"""AK502, element 718."""
_ELEMENTS_IN_ERROR = "8"
"""AK304, element 720: at least one AK4 follows."""
_LONGEST_COPY = 99
"""AK404, element 724."""

# X12 005010, elements 716, 718 (618), 720 (620) and 723 (621): what versions before lack, by what they have. That GS06 stands twice is a
# fault of the number; a set in a group of another kind has the wrong identifier there; a convention that is not of the
# group is not supported.
_OLDER_CODES: Mapping[str, Mapping[str, str]] = {
    "AK9": {"19": "6"},
    "AK5": {"18": "6", "19": "1"},
    "IK5": {},
    # A guide's faults: not used by unexpected, too few by missing, a code or pattern of a guide by an invalid code.
    "AK3": {"I4": "2", "I6": "3", "I7": "3", "I8": "3", "I9": "2"},
    "AK4": {"I6": "7", "I9": "1", "I10": "10", "I11": "1", "I12": "7", "I13": "10"},
    "IK3": {},
    "IK4": {},
}

# X12 005010, element 621: what 004010 calls too many elements is told apart.
_ELEMENT_CODES_999 = {"edi.element.too_many_repetitions": "12", "edi.element.too_many_components": "13"}


_Pick = Callable[[Entry], str]
"""Takes one kind of code from a catalogue entry."""


class Form(StrEnum):
    """Which functional acknowledgement an agreement wants."""

    FUNCTIONAL = "997"
    IMPLEMENTATION = "999"


class Outcome(StrEnum):
    """What the application made of a transaction set: OTI01, element 110."""

    ACCEPTED = "TA"
    ACCEPTED_WITH_ERRORS = "TE"
    REJECTED = "TR"


@dataclass(frozen=True, slots=True)
class SetVerdict:
    """One transaction set of the group that is acknowledged, and its judged findings."""

    name: str
    reference: str
    findings: Sequence[Finding] = ()
    convention: str = ""


def interchange_acknowledgement(
    envelope: Envelope, found: Iterable[Finding], at: datetime, *, only_acknowledgements: bool = False
) -> str | None:
    """The TA1 that an interchange gets, as a raw segment, or None where it gets none.

    It gets one if it asked for it (ISA14) or has faults of its own (`found`, not those of its groups and
    sets); none if it holds nothing but acknowledgements, or no ISA to answer. Its date and time are the
    interchange's own; `at` stands in where they cannot be repeated.
    """
    if only_acknowledgements or not envelope.header:
        return None
    found = list(found)
    noted = sorted(_noted(found, lambda entry: entry.ta1), key=lambda note: note[0].severity is not Severity.ERROR)
    if rejects(found) and not (noted and noted[0][0].severity is Severity.ERROR):
        # rejected for something that TA1 has no code of its own for
        noted.insert(0, (next(f for f in found if f.severity is Severity.ERROR), _INVALID_CONTENT))
    if not noted and not envelope.acknowledgement_requested:
        return None
    code = noted[0][1] if noted else "000"
    verdict = "A" if not noted else "R" if noted[0][0].severity is Severity.ERROR else "E"
    reference = envelope.reference if re.fullmatch(r"[0-9]{1,9}", envelope.reference) else "0"
    date = envelope.date if is_date(envelope.date, 6) else f"{at:%y%m%d}"
    time = envelope.time if _is_valid(r"([01]\d|2[0-3])[0-5]\d", envelope.time) else f"{at:%H%M}"
    return segment("TA1", reference.zfill(9), date, time, verdict, code)


def group_acknowledgement(
    catalogue: Catalogue,
    group: Group,
    sets: Iterable[SetVerdict],
    found: Sequence[Finding] = (),
    *,
    unnamed: int = 0,
    claimed: int | None = None,
    reference: str = "0001",
    form: Form = Form.FUNCTIONAL,
    delimiters: Delimiters = DELIMITERS,
) -> Body | None:
    """The 997 or 999 for `group`, or None where it is itself one (GS01 = FA).

    `found` are the group's own findings (GS, GE); an error among them rejects all its sets. `unnamed` is how many
    more sets it has, with which nothing is wrong: AK9 counts them, and AK2, which is optional, is left out for
    them. `claimed` is GE01, where it is known otherwise than by a finding that it is wrong.
    A 999 is for groups of version 005010 and up; older ones get a 997 whatever `form` says. In a rejected group only
    the sets with faults of their own are named: of the others there is nothing to say but what AK9 says.
    """
    if group.identifier == "FA":
        return None
    version = acknowledgement_version(group)
    form = form if version >= "005010" else Form.FUNCTIONAL
    sets = list(sets)
    writer = _Writer(catalogue, form, version, delimiters, _unused(verdict.reference for verdict in sets))
    group_rejected = rejects(found)
    segments = [writer.head(group)]
    received, accepted, with_errors = unnamed, 0 if group_rejected else unnamed, 0
    for verdict in sets:
        lines, code = writer.set_response(verdict, group_rejected=group_rejected)
        segments += lines
        received += 1
        accepted += code != "R" and not group_rejected
        with_errors += code == "E"
    codes = writer.codes("AK9", 5, found, lambda entry: entry.x12_group)
    if group_rejected or (received and not accepted):
        verdict_code = "R"
    elif accepted < received:
        verdict_code = "P"
    else:
        verdict_code = "E" if with_errors or codes else "A"
    included = _claimed(found) or received if claimed is None else claimed
    segments.append(writer.line("AK9", verdict_code, str(min(included, 999_999)), str(received), str(accepted), *codes))
    convention = CONVENTION_999 if form is Form.IMPLEMENTATION else ""
    return Body(form.value, reference, segments, convention)


def brief(body: Body) -> Body:
    """The 997 or 999 `body` with what it says of the group alone."""
    return replace(body, segments=[raw for raw in body.segments if raw.startswith(("AK1", "AK9"))])


def acknowledgement_version(group: Group) -> str:
    """The version of the acknowledgement for `group`: 005010 from that version on, else 004010."""
    return "005010" if re.match(r"0(?:0[5-9]|[1-9])", group.version) else "004010"


def _unused(references: Iterable[str]) -> str:
    """What stands in AK202 for a control number that cannot be repeated, and is the number of no other set."""
    used = set(references)
    return next(stand_in for n in range(len(used) + 1) if (stand_in := "?" * 4 + str(n or "")) not in used)


_NAMELESS = "?"
"""What stands for a reference of which X12 can carry nothing."""


def application_advice(
    outcome: Outcome,
    business_reference: str,
    reasons: Iterable[str] = (),
    *,
    reference: str,
    at: datetime,
    number: str = "0001",
    version: str = "004010",
    delimiters: Delimiters = DELIMITERS,
) -> Body:
    """The 824 that tells the sender of a transaction set what became of it, with a TED for each reason.

    `business_reference` is the number that the sender knows it by (OTI03), `reference` our own (BGN02), `number` the
    control number of the 824 (ST02).
    """
    longest = 30 if version < "004011" else 50

    def line(tag: str, *elements: str) -> str:
        return segment(tag, *(plain(element, delimiters) for element in elements), delimiters=delimiters)

    # One of nothing but delimiters and odd blanks is blank here, and OTI03 is mandatory.
    named = plain(business_reference, delimiters).strip()[:longest].strip() or _NAMELESS
    segments = [
        line("BGN", "11", reference[:longest], f"{at:%Y%m%d}", f"{at:%H%M}"),
        line("OTI", outcome.value, "TN", named),
    ]
    for reason in list(reasons)[:_MOST_SEGMENTS]:
        words = plain(reason, delimiters)
        # 647 = ZZZ: mutually defined; the words say what it is
        segments.append(line("TED", "ZZZ", words[:60].strip()))
        rest = words[60:]
        segments += [line("NTE", "", rest[i : i + 80]) for i in range(0, len(rest), 80) if rest[i : i + 80].strip()]
    return Body("824", number, segments)


def reply(
    envelope: Envelope,
    reference: str,
    at: datetime,
    *,
    acknowledgements: Sequence[str] = (),
    groups: Iterable[tuple[GroupHeader, Iterable[Body]]] = (),
    delimiters: Delimiters = DELIMITERS,
) -> bytes:
    """The interchange that carries answers back to whoever sent `envelope`; it asks for no TA1 itself."""
    header = InterchangeHeader(
        sender=_identifier(envelope.recipient, delimiters),
        sender_qualifier=_qualifier(envelope.recipient_qualifier),
        recipient=_identifier(envelope.sender, delimiters),
        recipient_qualifier=_qualifier(envelope.sender_qualifier),
        reference=reference,
        at=at,
        version="00501" if envelope.version >= "00501" else "00401",
        test=envelope.test,
        delimiters=delimiters,
        charset=envelope.charset or "utf-8",
    )
    return write(header, groups, acknowledgements)


def reply_group(group: Group, reference: str, identifier: str = "FA", form: Form = Form.FUNCTIONAL) -> GroupHeader:
    """The functional group that carries answers to `group` back: FA for 997 and 999, AG for 824."""
    version = acknowledgement_version(group)
    if identifier == "FA" and form is Form.IMPLEMENTATION and version >= "005010":
        version = CONVENTION_999
    sender, recipient = _identifier(group.recipient, DELIMITERS), _identifier(group.sender, DELIMITERS)
    return GroupHeader(identifier, sender, recipient, reference, version)


def _identifier(text: str, delimiters: Delimiters) -> str:
    """A party's identifier (ISA06, GS02) as it can be copied: in ASCII, since ISA's widths are bytes, and at most 15."""
    fit = re.sub(r"[^ -~]", "?", plain(text, delimiters)).strip()
    return fit[:15].ljust(2, "?") if fit else "??"


def _qualifier(text: str) -> str:
    """I05 as it can be copied; mutually defined (ZZ) where it cannot."""
    return text if QUALIFIER.fullmatch(text) else "ZZ"


class _Writer:
    """Writes the segments of one functional acknowledgement."""

    def __init__(self, catalogue: Catalogue, form: Form, version: str, delimiters: Delimiters, unused: str) -> None:
        """`unused` stands for control numbers that cannot be repeated."""
        self.form = form
        self.delimiters = delimiters
        self.unused = unused
        self.newer = version >= "005010"
        self.segment_tag, self.element_tag, self.trailer_tag = (
            ("IK3", "IK4", "IK5") if form is Form.IMPLEMENTATION else ("AK3", "AK4", "AK5")
        )
        table = tables.find(catalogue, MessageType(Syntax.X12, form.value, version))
        assert table is not None, "the tables of the acknowledgements are part of the package"
        self.allowed: Mapping[tuple[str, int], frozenset[str] | None] = {
            (node.tag, position): use.codes for node in table.nodes for position, use in enumerate(node.elements, 1)
        }

    def line(self, tag: str, *elements: str) -> str:
        """One segment; trailing empty elements are left out."""
        return segment(tag, *elements, delimiters=self.delimiters)

    def head(self, group: Group) -> str:
        """AK1: which group; its version too from 005010 on. ZZ is no group's identifier, and stands for what is none."""
        identifier = group.identifier if _is_valid(r"[0-9A-Z]{2}", group.identifier) else "ZZ"
        reference = group.reference if _is_valid(r"\d{1,9}", group.reference) else "0"
        version = group.version if self.newer and _is_valid(r"[0-9A-Z]{1,12}", group.version) else ""
        return self.line("AK1", identifier, reference, version)

    def set_response(self, verdict: SetVerdict, *, group_rejected: bool) -> tuple[list[str], str]:
        """AK2 to AK5 (IK5) of one set, and its acknowledgement code."""
        errors = self._segment_errors(verdict.findings)
        codes = self.codes(self.trailer_tag, 2, verdict.findings, lambda entry: entry.x12_set)
        rejected = rejects(verdict.findings)
        if rejected and not codes:
            codes = [_SEGMENTS_IN_ERROR]
        code = "R" if rejected or (group_rejected and codes) else "E" if errors or codes else "A"
        if group_rejected and not codes:
            return [], code
        # X12 has no set 000.
        name = verdict.name if _is_valid(r"[0-9A-Z]{3}", verdict.name) else "000"
        reference = self._copied(verdict.reference, 4, 9) or self.unused
        convention = self._copied(verdict.convention, 1, 35) if self.newer else ""
        return [
            self.line("AK2", name, reference, convention),
            *errors,
            self.line(self.trailer_tag, code, *codes),
        ], code

    def _copied(self, text: str, least: int, most: int) -> str:
        """`text` where it is one that our own check takes, else nothing: a part of it may be another's name."""
        fits = least <= len(text.rstrip(" ")) and len(text) <= most and text == plain(text, self.delimiters).rstrip(" ")
        return text if fits else ""

    def codes(self, tag: str, position: int, found: Iterable[Finding], pick: _Pick) -> list[str]:
        """The distinct codes of `found`, as many as the segment takes; what its version lacks, by the nearest it has."""
        allowed = self.allowed[tag, position]
        codes = dict.fromkeys(
            told
            for _, code in _noted(found, pick)
            for told in (code, _OLDER_CODES[tag].get(code, ""))[: 1 if allowed is None or code in allowed else 2]
            if told and (allowed is None or told in allowed)
        )
        return list(codes)[:_MOST_CODES]

    def _segment_errors(self, found: Iterable[Finding]) -> list[str]:
        """AK3 and AK4 (IK3, IK4): one AK3 for each segment and segment code, its elements under it."""
        grouped: dict[tuple[int, str, str], list[Finding]] = {}
        for finding, told in _noted(found, lambda entry: entry.x12_segment):
            code = self._own(self.segment_tag, 4, told)
            position = finding.place.segment or 0
            if 0 < position <= _MOST_COUNTED:
                grouped.setdefault((position, _tag(finding.place.tag), code), []).append(finding)
        lines: list[str] = []
        for (position, tag, code), findings in sorted(grouped.items(), key=lambda item: item[0][0])[:_MOST_SEGMENTS]:
            elements = list(dict.fromkeys(line for finding in findings if (line := self._element_error(finding))))
            if elements or code != _ELEMENTS_IN_ERROR:
                lines.append(self.line(self.segment_tag, tag, str(position), "", code))
                lines += elements[:_MOST_ELEMENTS]
        return lines

    def _own(self, tag: str, position: int, code: str) -> str:
        """`code`, or what this version has for it where it lacks it."""
        allowed = self.allowed[tag, position]
        return code if allowed is None or code in allowed else _OLDER_CODES[tag].get(code, code)

    def _element_error(self, finding: Finding) -> str | None:
        place = finding.place
        code = known_findings()[finding.code].x12_element
        if self.newer:
            code = _ELEMENT_CODES_999.get(finding.code, code)
        code = self._own(self.element_tag, 3, code)
        allowed = self.allowed[self.element_tag, 3]
        if not code or not 0 < (place.element or 0) <= _MOST_PARTS or (allowed is not None and code not in allowed):
            return None
        component = place.component if (place.component or 0) <= _MOST_PARTS else None
        repetition = place.repetition if self.newer and (place.repetition or 0) <= _MOST_REPETITIONS else None
        position = [str(place.element), str(component or ""), str(repetition or "")]
        while not position[-1]:
            position.pop()
        copy = plain(finding.value, self.delimiters)[:_LONGEST_COPY].rstrip(" ")
        at = self.delimiters.component.join(position)
        return self.line(self.element_tag, at, _element_number(finding), code, copy)


def _noted(found: Iterable[Finding], pick: _Pick) -> list[tuple[Finding, str]]:
    """The errors and warnings among `found` that have a code of the picked kind, with it."""
    table = known_findings()
    return [
        (finding, code)
        for finding in found
        if finding.severity is not Severity.NOTE and finding.code in table and (code := pick(table[finding.code]))
    ]


def _claimed(found: Iterable[Finding]) -> int | None:
    """GE01, where a finding says that it is wrong."""
    counts = [f.args.get("claimed", "") for f in found if f.code == "x12.ge.count"]
    return int(counts[0]) if counts and _is_valid(r"\d{1,9}", counts[0]) else None


def _element_number(finding: Finding) -> str:
    """The data element's reference number, where it has one (AK402, TED06)."""
    number = finding.args.get("number", "")
    return number if _is_valid(r"\d{1,4}", number) else ""


def _tag(tag: str) -> str:
    """A segment identifier fit for element 721, two or three characters, whatever the sender wrote."""
    return re.sub(r"[^0-9A-Z]", "Z", tag.upper())[:3].ljust(2, "Z")


def _is_valid(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value, re.ASCII) is not None

"""Runs one rule: an input is examined and acknowledged as in a trip, and what comes of it is compared with tokens.

A rule expects, parted by `;`:

    +CODE@PLACE      a finding whose code begins so, at that place: UNB.4.1 in an envelope, DTM#3.1.2 in a message
                     (segment, its number in the message, element, component); more of the place may be left open
    -CODE            no finding whose code begins so
    clean            no error and no warning
    ack:TEXT         TEXT stands in the acknowledgement; !ack:TEXT does not
    noack            there is no acknowledgement
    read             the messages are read into documents

Whatever a rule expects, its acknowledgement passes our own strict check, says why where it rejects anything, and is
written as fully as it can be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from gateway.catalogue_folders import shipped
from gateway.check import rulebook
from gateway.discovery import find_flows
from gateway.model import Finding, Place, Syntax
from gateway.receipt import acknowledgement, x12
from gateway.trip.acknowledge import functional_groups
from gateway.trip.examine import examine
from gateway.trip.examined import ANY, Interchange, Message

AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
RULES = rulebook.load(shipped(), find_flows().rules).at(date(2026, 3, 4))


@dataclass(frozen=True)
class Outcome:
    """What came of an input."""

    messages: list[Message]
    interchanges: list[Interchange]
    answers: list[acknowledgement.Answer]

    @property
    def acknowledged(self) -> str:
        """Every acknowledgement, as text."""
        return "\n".join(answer.body.decode("utf-8", "replace") for answer in self.answers)

    def findings(self) -> Iterator[Finding]:
        """All findings, those of groups and of what documents may not say included."""
        for message in self.messages:
            yield from message.findings
            yield from message.refusals
        for interchange in self.interchanges:
            yield from interchange.findings
            for group in interchange.groups:
                yield from group.findings


def outcome(body: bytes) -> Outcome:
    """What comes of `body` under an agreement that takes everything, strictly."""
    messages, interchanges = [], []
    for item in examine(shipped(), body, [ANY], RULES, unpacked_limit=1 << 20):
        assert not item.fault, item.fault
        if isinstance(item, Message):
            messages.append(item)
        else:
            interchanges.append(item)
    return Outcome(messages, interchanges, [answered(interchange) for interchange in interchanges])


def answered(interchange: Interchange) -> acknowledgement.Answer:
    """The acknowledgement of one interchange."""
    envelope = interchange.envelope
    if interchange.control or envelope is None or not envelope.header:
        return acknowledgement.Answer()
    if interchange.syntax is Syntax.EDIFACT:
        return acknowledgement.contrl(
            shipped(), envelope, interchange.findings, interchange.verdicts, interchange.groups, reference="ACK1", at=AT
        )
    ta1 = x12.interchange_acknowledgement(envelope, interchange.findings, AT)
    groups = functional_groups(shipped(), interchange)
    if ta1 is None and not groups:
        return acknowledgement.Answer()
    return acknowledgement.functional(shipped(), envelope, ta1, groups, reference="000000001", at=AT)


def misses(expected: str, came: Outcome) -> list[str]:
    """The tokens of `expected` that do not hold, and what must always hold and does not."""
    found, acknowledged = list(came.findings()), came.acknowledged
    missed = [token for token in map(str.strip, expected.split(" ; ")) if not _holds(token, found, acknowledged, came)]
    for answer in came.answers:
        missed += [f"our own check: {fault.code} at {fault.place}" for fault in answer.faults]
        missed += [f"no reason: {raw}" for raw in bare_rejections(answer.body.decode("utf-8", "replace"))]
    return missed


def _holds(token: str, found: list[Finding], acknowledged: str, came: Outcome) -> bool:
    match token[:1], token:
        case "+", _:
            code, _, place = token[1:].partition("@")
            return any(finding.code.startswith(code) and at(finding.place, place) for finding in found)
        case "-", _:
            return not any(finding.code.startswith(token[1:]) for finding in found)
        case _, "clean":
            return not any(finding.severity in {"error", "warning"} for finding in found)
        case _, "read":
            return bool(came.messages) and all(message.document is not None for message in came.messages)
        case _, "noack":
            return not acknowledged
        case _, "ackvalid":
            return True  # which is asked of every rule
        case _ if token.startswith("!ack:"):
            return token[5:] not in acknowledged
        case _ if token.startswith("ack:"):
            return token[4:] in acknowledged
    raise ValueError(token)


def at(place: Place, wanted: str) -> bool:
    """Whether `place` is the one that `wanted` names, or within it."""
    if not wanted:
        return True
    head, *parts = wanted.split(".")
    tag, _, segment = head.partition("#")
    given = [place.element, place.component]
    return (
        place.tag == tag
        and (not segment or place.segment == int(segment))
        and [str(part) for part in given[: len(parts)]] == parts
    )


def bare_rejections(acknowledged: str) -> list[str]:
    """The segments of an acknowledgement that reject something without saying why, there or below."""
    terminator = "'" if acknowledged.startswith("UN") else "~"
    segments = [raw.strip() for raw in acknowledged.split(terminator)]
    bare = []
    for index, raw in enumerate(segments):
        following = segments[index + 1] if index + 1 < len(segments) else ""
        parts = raw.split("+" if terminator == "'" else "*")
        match parts[0]:
            case "AK9" | "AK5" | "IK5" if parts[1] == "R":
                reasons = parts[5:] if parts[0] == "AK9" else parts[2:]
                below = parts[0] == "AK9" and any(s.startswith(("AK5*R", "IK5*R")) for s in segments[:index])
                bare += [] if reasons or below else [raw]
            case "AK3" | "IK3" if parts[4:5] == ["8"]:
                bare += [] if following.startswith(("AK4", "IK4")) else [raw]
            case "UCI" | "UCF" if parts[4] == "4":
                bare += [] if parts[5:] else [raw]
            case "UCM" if parts[3] == "4":
                bare += [] if parts[4:] or following.startswith("UCS") else [raw]
    return bare

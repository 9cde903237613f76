"""A message of a large payload as it waits in the store until its trailer says whether it counts: whole, as examined.

What is kept is a JSON object of the message's own fields, each left out where it is empty. Its agreement is named by its
id, and its envelope and group are those of its interchange, which is known once the message is read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from gateway.documents import MODELS
from gateway.model import Agreement, Finding, Place, Severity, Syntax
from gateway.parse.segments import Delimiters, MessageType, SegmentMessage
from gateway.reasons import reason_json
from gateway.store.contract import StagedMessage
from gateway.trip.examined import Interchange, Message


def to_staged(message: Message) -> StagedMessage:
    """`message` as it is kept until its interchange is complete."""
    kept = {
        "syntax": message.syntax,
        "format": message.format,
        "reference": message.reference,
        "agreement": message.agreement.id if message.agreement is not None else None,
        "findings": [_kept_finding(finding) for finding in message.findings],
        "refusals": [_kept_finding(finding) for finding in message.refusals],
        "document_type": message.document_type,
        "document": message.document.to_kept() if message.document is not None else None,
        "schema": message.schema,
        "mapping": message.mapping,
        "sent": _kept_segments(message.sent) if isinstance(message.sent, SegmentMessage) else None,
        # Bytes are in whatever charset their sender chose; Latin-1 has a sign for each.
        "body": message.sent.decode("latin-1") if isinstance(message.sent, bytes) else None,
        "fault": message.fault,
    }
    told = {name: value for name, value in kept.items() if value not in (None, "", [])}
    return StagedMessage(message.number, told)


def from_staged(staged: StagedMessage, agreements: Mapping[str, Agreement], interchange: Interchange | None) -> Message:
    """The message that `to_staged` kept, which came in `interchange`; `agreements` are those it may have come under."""
    kept: Mapping[str, Any] = staged.examined
    sent = None
    if "body" in kept:
        sent = kept["body"].encode("latin-1")
    elif "sent" in kept and interchange is not None:
        sent = _segments(kept["sent"], staged.number, interchange)
    document_type = kept.get("document_type", "")
    return Message(
        number=staged.number,
        syntax=Syntax(kept["syntax"]),
        format=kept.get("format", ""),
        reference=kept.get("reference", ""),
        findings=_findings(kept.get("findings", ())),
        agreement=agreements.get(kept.get("agreement", "")),
        document_type=document_type,
        document=MODELS[document_type].from_kept(kept["document"]) if "document" in kept else None,
        refusals=_findings(kept.get("refusals", ())),
        schema=kept.get("schema", ""),
        mapping=kept.get("mapping", ""),
        sent=sent,
        fault=kept.get("fault", ""),
    )


def unreadable(staged: StagedMessage, fault: str) -> Message:
    """What stands for a staged message that cannot be read back, through a fault of ours: what it is, and nothing it said."""
    kept: Mapping[str, Any] = staged.examined
    syntax = Syntax(kept["syntax"])
    return Message(staged.number, syntax, kept.get("format", syntax.value), kept.get("reference", ""), [], fault=fault)


def _kept_finding(finding: Finding) -> dict[str, Any]:
    """A finding as it is kept, with the weight that its agreement gave it."""
    return {**reason_json(finding), "severity": finding.severity}


def _findings(kept: Sequence[Mapping[str, Any]]) -> list[Finding]:
    return [
        Finding(
            one["code"],
            Severity(one["severity"]),
            Place(**one.get("place", {})),
            one.get("value", ""),
            one.get("args", {}),
        )
        for one in kept
    ]


def _kept_segments(sent: SegmentMessage) -> dict[str, Any]:
    return {
        "type": astuple(sent.type),
        "reference": sent.reference,
        "segments": sent.segments,
        "delimiters": astuple(sent.delimiters),
        "number": sent.number,
        "access_reference": sent.access_reference,
        "convention": sent.convention,
    }


def _segments(kept: Mapping[str, Any], number: int, interchange: Interchange) -> SegmentMessage | None:
    if interchange.envelope is None:
        return None
    syntax, *names = kept["type"]
    group = interchange.group_of(number)
    return SegmentMessage(
        type=MessageType(Syntax(syntax), *names),
        reference=kept["reference"],
        segments=kept["segments"],
        delimiters=Delimiters(*kept["delimiters"]),
        number=kept["number"],
        envelope=interchange.envelope,
        group=interchange.groups[group].group if group >= 0 else None,
        access_reference=kept["access_reference"],
        convention=kept["convention"],
    )

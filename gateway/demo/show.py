"""What a person sees of the demo: each case as a timeline under its one number, and a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.demo.house import DAY_SECONDS, Held
from gateway.demo.plan import Case
from gateway.demo.proof import EVIDENCE_KINDS, Proof
from gateway.demo.watch import Evidence
from gateway.signs import visible

WIDE = 184
"""Columns from which a row stands on one line; on narrower screens its receipts stand below it."""
_ACTIONS: Mapping[str, str] = {
    "4": "rejected", "7": "accepted", "8": "received",  # CONTRL: UN/EDIFACT 0083
    "A": "accepted", "E": "accepted with errors", "P": "partly accepted", "R": "rejected",  # 997: X12 715; TA1: I17
}  # fmt: skip
WAYS: Mapping[str, str] = {
    "http": "HTTP", "webhook": "webhook", "as2": "AS2", "smtp": "mail", "sftp": "SFTP", "folder": "folders",
}  # fmt: skip
"""What people call the transports."""
_SHORTEST = 4
"""Characters that a reference needs to tell one case from another: many number their messages from 1."""
_FINDINGS = 3
"""How many findings of a rejected message are shown."""
_MARGIN = 12
"""Columns before what stands below a row: `    0.00 s  `."""


@dataclass(frozen=True, slots=True)
class Row:
    """Something that moved: a message that came in, a delivery that went out, something fetched."""

    at: datetime
    sender: str
    recipient: str
    document: str
    says: str
    """What it says, where it says something in one word: `released`."""
    format: str
    receipts: str
    seconds: float | None = None
    """From its arrival to its last receipt; None where nothing tells."""
    findings: Sequence[Mapping[str, Any]] = ()
    """Why it was rejected."""


def rows(found: Evidence, held: Held) -> list[Row]:
    """Everything that moved for a case, in order."""
    return sorted([*_came(found, held), *_went(found, held), *_fetched(found, held)], key=lambda row: row.at)


def _came(found: Evidence, held: Held) -> Iterator[Row]:
    received = {r["payload"]: r for r in found.receipts if r["stage"] == "received"}
    for checked in (r for r in found.receipts if r["stage"] == "checked"):
        came = received.get(checked["payload"])
        if came is None:
            continue
        message = found.messages.get(checked["message"], {})
        findings = message.get("findings", ())
        rejected = checked["verdict"] == "rejected"
        told = f", {plural(len(findings), 'finding')}" if findings else ""
        yield Row(
            found.at(came),
            came["sender"],
            "gateway",
            message.get("document") or "unread",
            held.sent.get(checked["payload"], ""),
            checked["format"],
            f"{name_way(came['transport'])}: received #{came['index']}, checked #{checked['index']} {checked['verdict']}{told}",
            (found.at(checked) - found.at(came)).total_seconds(),
            findings if rejected else (),
        )


def _went(found: Evidence, held: Held) -> Iterator[Row]:
    decided = {r["message"]: r for r in found.receipts if r["stage"] == "checked"}
    answered = {r["delivery"]: r for r in found.receipts if r["stage"] == "answered"}
    for delivered in (r for r in found.receipts if r["stage"] in ("delivered", "relayed")):
        delivery = found.deliveries.get(delivered["delivery"])
        begun = decided.get(delivered["message"])
        if delivery is None:
            continue
        receipts = f"{_name_kind(delivered['evidence'])}: {delivered['stage']} #{delivered['index']}"
        if delivery["attempts"] > 1:
            receipts += f" at attempt {delivery['attempts']}"
        if answer := answered.get(delivered["delivery"]):
            receipts += f", answered #{answer['index']} {answer['verdict']}"
        line = held.got.get(delivered["delivery"], {})
        yield Row(
            # What a deadline sends came of no message: nothing tells when that was decided.
            found.at(begun or delivered),
            "gateway",
            delivery["recipient"],
            delivery["document"],
            line.get("says", ""),
            delivery["format"],
            receipts,
            (found.at(delivered) - found.at(begun)).total_seconds() if begun else None,
        )


def _fetched(found: Evidence, held: Held) -> Iterator[Row]:
    """What partners without an address fetched from their inbox about the case: no delivery, so no receipt."""
    names = {m["interchange"] for m in found.messages.values()} | {m["reference"] for m in found.messages.values()}
    names = {name for name in names if len(name) >= _SHORTEST}
    names |= {number for numbers in (found.case or {"keys": {}})["keys"].values() for number in numbers}
    senders = {r["sender"] for r in found.receipts if r["stage"] == "received"} | {found.owner}
    for one in held.fetched:
        if one.partner in senders and names & one.names:
            yield Row(one.at, "gateway", one.partner, one.document, one.says, one.kind, "HTTP: fetched from its inbox")


def name_way(transport: str) -> str:
    """What people call a transport."""
    return WAYS.get(transport, transport)


def _name_kind(evidence: str) -> str:
    """The way that a delivery went, and what shows that it is there."""
    kind = EVIDENCE_KINDS.get(evidence)
    return f"{name_way(kind.way)} ({kind.words})" if kind is not None else evidence


def timeline(console: Console, case: Case, found: Evidence, problems: Sequence[str], held: Held) -> None:
    """Print one case."""
    moved = rows(found, held)
    number = found.number or (found.payloads[0]["id"] if found.payloads else "")
    state = found.status or ", ".join(p["state"] for p in found.payloads)
    title = Table.grid(padding=0)
    title.add_column(width=2)
    title.add_column(overflow="fold")  # Chinese has no spaces to break at
    mark = Text("✘", style="bold red") if problems else Text("✔", style="bold green")
    title.add_row(mark, Text(case.title, style="bold"))
    if case.zh:
        title.add_row("", Text(case.zh))
    console.print()
    console.print(title)
    test = f"   test number {case.test}" if case.test else ""
    console.print(Text.assemble("  ", (visible(number), "cyan"), "  ", (visible(state), "bold"), test))
    for row in moved:
        _print(console, row, (row.at - moved[0].at).total_seconds())
    for alert in found.alerts:
        console.print(Padding(Text(visible(_alert(alert)), style="yellow"), (0, 0, 0, 2), expand=False))
    for problem in problems:
        console.print(Padding(Text(visible(problem), style="red"), (0, 0, 0, 2), expand=False))


def _print(console: Console, row: Row, seconds: float) -> None:
    """Print one row, on one line or two."""
    says = _ACTIONS.get(row.says, row.says) if row.document == "acknowledgement" else row.says
    what = f"{row.document}: {says}" if says else row.document
    days, within = divmod(seconds, DAY_SECONDS)
    later = f"  +{days:.0f} d " if days else "  "
    head = f"{later}{within:6.2f} s  {f'{row.sender} → {row.recipient}':<24} "
    took = "" if row.seconds is None else f"{row.seconds * 1000:.0f} ms"
    if console.width >= WIDE:
        console.print(
            Text(visible(f"{head}{what:<38} {row.format:<24} {took:>7}  ")).append(visible(row.receipts), style="dim")
        )
    else:
        console.print(Text(visible(f"{head}{what}")))
        below = "  ".join(part for part in (row.format, took, row.receipts) if part)
        console.print(Padding(Text(visible(below), style="dim"), (0, 0, 0, _MARGIN), expand=False))
    for finding in row.findings[:_FINDINGS]:
        console.print(Padding(Text(visible(_line(finding)), style="yellow"), (0, 0, 0, _MARGIN), expand=False))
    if len(row.findings) > _FINDINGS:
        more = f"and {len(row.findings) - _FINDINGS} more"
        console.print(Padding(Text(more, style="yellow"), (0, 0, 0, _MARGIN), expand=False))


def _alert(alert: Mapping[str, Any]) -> str:
    """What the operator is told about the case."""
    reasons = " ".join(reason["text"] for reason in alert["reasons"])
    return f"alert to the operator, {alert['alert']}: {reasons}"


def _line(finding: Mapping[str, Any]) -> str:
    """A finding with its place."""
    place = finding.get("place") or {}
    numbers = ".".join(str(place[n]) for n in ("element", "component") if place.get(n))
    where = place.get("path") or f"{place.get('tag') or ''} {place.get('segment') or ''}".strip()
    line = f" (line {place['line']})" if place.get("line") else ""
    return f"{f'{where}{line}' + (f', {numbers}' if numbers else '')}: {finding['text']}".removeprefix(": ")


def plural(count: int, noun: str) -> str:
    """`1 finding`, `2 findings`, `2 retries`, `2 days`."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{count} {noun if count == 1 else many}"


def counts(evidence: Sequence[Evidence], proof: Proof, seconds: float) -> dict[str, Any]:
    """The figures of the whole demo."""
    deliveries = {id_: d for found in evidence for id_, d in found.deliveries.items()}
    messages = {id_ for found in evidence for id_ in found.messages}
    return {
        "cases": len(evidence),
        "messages": len(messages),
        "deliveries": len(deliveries),
        "receipts": proof.receipts,
        "receipts_by_stage": proof.stages,
        "received_by": dict(proof.received),
        "delivered_by": dict(proof.delivered),
        "retries": sum(max(0, d["attempts"] - 1) for d in deliveries.values()),
        "seconds": round(seconds, 1),
    }


def summary(console: Console, figures: Mapping[str, Any], proof: Proof, problems: Sequence[str], folder: str) -> None:
    """Print what it all came to."""
    stages = ", ".join(f"{count} {stage}" for stage, count in figures["receipts_by_stage"].items())
    console.print()
    console.print(
        f"{plural(figures['cases'], 'case')}, {plural(figures['messages'], 'message')} in, "
        f"{plural(figures['deliveries'], 'delivery')} out, {plural(figures['retries'], 'retry')}, {figures['seconds']} s"
    )
    console.print(f"{plural(figures['receipts'], 'receipt')} in the log ({stages})")
    came = ", ".join(f"{count} {name_way(way)}" for way, count in sorted(proof.received.items()))
    went = ", ".join(f"{count} {_name_kind(kind)}" for kind, count in sorted(proof.delivered.items()))
    console.print(f"Came in by {came}")
    console.print(f"Went out, with its receipt, by {went}")
    if not proof.problems:
        console.print(
            f"The whole log and {plural(proof.bundles, 'evidence bundle')}, one for each way something came, verify offline, "
            "by the public key alone."
        )
        console.print(Text(visible(f"With one byte changed: {proof.changed_byte}")))
    for problem in problems:
        console.print(Text(visible(problem), style="bold red"), soft_wrap=True)
    console.print(Text(visible(f"To look at, {folder}/README.md says what lies where.")), soft_wrap=True)

"""What a person sees of the demo: each case as a timeline under its one number, and a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from gateway.demo.plan import Case
from gateway.demo.proof import Proof
from gateway.demo.watch import Evidence

Row = tuple[datetime, str, str, str, str, str, float]
"""When it began, from whom, to whom, which document, in which format, its receipts, how many seconds it took."""


def rows(found: Evidence) -> list[Row]:
    """Everything that moved for a case, in order: messages that came in, deliveries that went out."""
    return sorted([*_came(found), *_went(found)], key=lambda row: row[0])


def _came(found: Evidence) -> Iterator[Row]:
    received = {r["payload"]: r for r in found.receipts if r["stage"] == "received"}
    for checked in (r for r in found.receipts if r["stage"] == "checked"):
        came = received.get(checked["payload"])
        if came is None:
            continue
        message = found.messages.get(checked["message"], {})
        findings = len(message.get("findings", ()))
        verdict = checked["verdict"] + (f", {findings} findings" if findings else "")
        receipts = f"received #{came['index']}, checked #{checked['index']} {verdict}"
        took = (found.at(checked) - found.at(came)).total_seconds()
        document = message.get("document") or "unread"
        yield found.at(came), came["sender"], "gateway", document, checked["format"], receipts, took


def _went(found: Evidence) -> Iterator[Row]:
    decided = {r["message"]: r for r in found.receipts if r["stage"] == "checked"}
    answered = {r["delivery"]: r for r in found.receipts if r["stage"] == "answered"}
    for delivered in (r for r in found.receipts if r["stage"] in ("delivered", "relayed")):
        delivery = found.deliveries.get(delivered["delivery"])
        begun = decided.get(delivered["message"])
        if delivery is None or begun is None:
            continue
        receipts = f"{delivered['stage']} #{delivered['index']}"
        if delivery["attempts"] > 1:
            receipts += f" at attempt {delivery['attempts']}"
        if answer := answered.get(delivered["delivery"]):
            receipts += f", answered #{answer['index']} {answer['verdict']}"
        took = (found.at(delivered) - found.at(begun)).total_seconds()
        yield (
            found.at(begun),
            "gateway",
            delivery["recipient"],
            delivery["document"],
            delivery["format"],
            receipts,
            took,
        )


def timeline(console: Console, case: Case, found: Evidence, problems: Sequence[str]) -> None:
    """Print one case."""
    moved = rows(found)
    mark = Text("✘ ", style="bold red") if problems else Text("✔ ", style="bold green")
    number = found.number or (found.payloads[0]["id"] if found.payloads else "")
    state = found.status or ", ".join(p["state"] for p in found.payloads)
    console.print()
    console.print(mark + Text(case.title, style="bold"))
    console.print(Text.assemble("  ", (number, "cyan"), "  ", (state, "bold"), f"   test {case.test or '–'}"))
    start = moved[0][0] if moved else None
    for at, sender, recipient, document, format_, receipts, took in moved:
        assert start is not None, "what moved began at some time"
        ways = f"{sender} → {recipient}"
        line = (
            f"  {(at - start).total_seconds():6.2f} s  {ways:<24} {document:<16} {format_:<24} {took * 1000:6.0f} ms  "
        )
        console.print(Text(line).append(receipts, style="dim"), soft_wrap=True)
    for problem in problems:
        console.print(Text(f"  {problem}", style="red"), soft_wrap=True)


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
        "retries": sum(max(0, d["attempts"] - 1) for d in deliveries.values()),
        "seconds": round(seconds, 1),
    }


def summary(console: Console, figures: Mapping[str, Any], proof: Proof, problems: Sequence[str], folder: str) -> None:
    """Print what it all came to."""
    stages = ", ".join(f"{count} {stage}" for stage, count in figures["receipts_by_stage"].items())
    console.print()
    console.print(
        f"{figures['cases']} cases, {figures['messages']} messages in, {figures['deliveries']} deliveries out, "
        f"{figures['retries']} retries, {figures['seconds']} s"
    )
    console.print(f"{figures['receipts']} receipts in the log ({stages})")
    if not proof.problems:
        console.print("The whole log and an evidence bundle verify offline, by the public key alone.")
        console.print(f"With one byte changed: {proof.changed_byte}")
    for problem in problems:
        console.print(Text(problem, style="bold red"), soft_wrap=True)
    console.print(
        f"To look at: {folder}/partners (what each sent and got), {folder}/evidence (log, bundle, key)", soft_wrap=True
    )

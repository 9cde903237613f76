"""What is missing, or not as it must be: each in one line that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.demo.house import House
from gateway.demo.plan import Case, Expected, Step
from gateway.demo.watch import DONE, Evidence

ACKNOWLEDGED = {".edi": ("CONTRL",), ".x12": ("997", "999", "TA1")}
"""What answers a message by its syntax; XML and JSON are answered by a response."""

_ACTIONS = {"accepted": ("7", "8", "A", "E"), "rejected": ("4", "R", "P")}
"""The actions of an acknowledgement (UCI 0083, AK901, TA104) that fit a verdict."""


def judge(case: Case, found: Evidence, house: House) -> Iterator[str]:
    """Everything wrong with what became of `case`; nothing where all is as planned."""
    if case.status and found.status != case.status:
        yield f"the consignment is {found.status or 'unknown'}, not {case.status}"
    for track, state in case.tracks.items():
        if (stands := found.tracks.get(track, "not begun")) != state:
            yield f"its {track} is {stands}, not {state}"
    if case.owner and (seen := found.owned["status"] if found.owned else "nothing") != case.status:
        yield f"{case.owner}, who owns it, sees {seen}, not {case.status}"
    for kind in case.alerts:
        if kind not in {alert["alert"] for alert in found.alerts}:
            yield f"the operator has no alert {kind}"
    for step, payload in zip(case.steps, found.payloads, strict=False):
        if payload["state"] != step.verdict:
            yield f"{step.sample.path} was {payload['state']}, not {step.verdict}"
        yield from _acknowledged(step, payload, house)
    for expected in case.expect:
        said = list(_said(expected, found, house))
        if expected.which == "last":
            said = said[-1:]
        if not any(expected.says in ("", word) for word in said):
            yield f"no {expected}"
    yield from _proven(found, house)


def _said(expected: Expected, found: Evidence, house: House) -> Iterator[str]:
    """What each delivery of the expected kind says, by what its recipient read in it, in order of arrival."""
    for one in house.fetched(expected.partner):
        if (one.document, one.kind) == (expected.document, expected.format) and found.number in one.names:
            yield one.says
    kind = (expected.partner, expected.document, expected.format)
    wanted = {d["id"] for d in found.deliveries.values() if (d["recipient"], d["document"], d["format"]) == kind}
    yield from (line["says"] for delivery, line in house.got(expected.partner).items() if delivery in wanted)


def _acknowledged(step: Step, payload: Mapping[str, Any], house: House) -> Iterator[str]:
    """That the sender has got, and read by itself, the answer that its syntax provides."""
    name, sender, state = step.sample.path, step.sender, payload["state"]
    if state == "received":
        return
    verdict = "rejected" if state == "rejected" else "accepted"
    wanted = ACKNOWLEDGED.get(step.file.suffix)
    if wanted is None:
        answers = {d["id"] for d in payload["acknowledgements"] if d["document"] == "response"}
        if answers.isdisjoint(house.got(sender)):
            yield f"no response to {name} at {sender}"
        return
    references = {reference for m in payload["messages"] for reference in (m["interchange"], m["reference"])}
    inbox = house.got(sender)
    got = [line for line in inbox.values() if line["kind"] in wanted and references & {*line["answers"]}]
    responses = [inbox[d["id"]] for d in payload["acknowledgements"] if d["id"] in inbox]
    # What the rules refuse was right as a message: its syntax is acknowledged, and a response refuses it.
    refused = verdict == "rejected" and any(line["says"] == "refused" for line in responses)
    if not got or not (refused or any(line["action"] in _ACTIONS[verdict] for line in got)):
        told = ", ".join(f"{line['kind']} {line['action']}" for line in got) or "nothing"
        yield f"{name} was {state}, and {sender} was told {told}"


def _proven(found: Evidence, house: House) -> Iterator[str]:
    """That every message has its receipts, and that every recipient holds the very bytes its receipt names."""
    written = {(r["stage"], r.get("delivery") or r.get("message") or r["payload"]): r for r in found.receipts}
    for payload in found.payloads:
        if ("received", payload["id"]) not in written:
            yield f"no receipt that {payload['id']} was received"
    for message in found.messages.values():
        if ("checked", message["id"]) not in written:
            yield f"no receipt that {message['format']} {message['reference']} was checked"
    for delivery in found.deliveries.values():
        name = f"{delivery['document']} to {delivery['recipient']}"
        if delivery["state"] not in DONE:
            yield f"{name} is {delivery['state']}"
            continue
        receipt = written.get(("delivered", delivery["id"]))
        if receipt is None:
            yield f"no receipt that {name} was delivered"
            continue
        held = house.got(delivery["recipient"]).get(delivery["id"])
        if held is None:
            yield f"{delivery['recipient']} does not have {name}, which a receipt says it has"
        elif held["sha256"] != receipt["sha256"]:
            yield f"{delivery['recipient']} holds other bytes of {name} than the receipt says"
        elif not _kind_fits(delivery["format"], held["kind"]):
            yield f"{delivery['recipient']} reads {name} as {held['kind']}, not as {delivery['format']}"


def _kind_fits(format_: str, kind: str) -> bool:
    """Whether what an independent reader found is what the format says."""
    syntax, name, *_ = [*format_.split(":"), ""]
    if syntax == "json":
        return kind == format_
    if name == "EEntDeclIo":
        return kind in ("EEntDeclIo", "OBORMessage")
    return kind == name or (name == "997" and kind in ACKNOWLEDGED[".x12"])

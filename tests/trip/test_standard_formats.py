"""Transfers as SANCRT, locks and releases as COHAOR and COREOR, through the whole trip: what goes in, and what leaves."""

from __future__ import annotations

import json

from gateway import data
from gateway.model import Agreement, Direction, Identifier, MessageState, Partner, Role
from gateway.store.alerts import OPERATOR
from tests.trip.rig import AGREEMENTS, PARTNERS, House, codes, elements, outgoing

SANCRT, COREOR, COHAOR = (f"edifact:{name}:D:99B:UN" for name in ("SANCRT", "COREOR", "COHAOR"))
ORIGIN = Partner("origin", "Bureau of the producing area", frozenset({Role.BUREAU}), (Identifier("ciq-org", "370800"),))
NUMBER = "370800226000123"


def transfer(sample: str, name: str) -> bytes:
    """A sample of a transfer as SANCRT."""
    return (data.samples() / "transfer" / sample / name).read_bytes()


async def agree(gateway: House) -> None:
    """The bureaus hand over by SANCRT; one port reads every instruction, the other release orders alone."""
    trusting = Agreement("origin-in", "origin", Direction.IN, "*", "*", without_declaration=True)
    agreed = (
        *AGREEMENTS,
        trusting,
        outgoing("bureau", "transfer", SANCRT),
        outgoing("strict-port", "release", COHAOR),
        outgoing("lenient-port", "release", COREOR),
    )
    await gateway.store.import_partners((*PARTNERS, ORIGIN), agreed, ())


async def bodies(gateway: House, partner_id: str, document: str) -> list[bytes]:
    """What a partner is sent of one type, in order."""
    found = [d for d in await gateway.deliveries(partner_id) if d.document_type == document]
    return [(await gateway.store.delivery(d.id)).body for d in found]


def manifest(number: str, status: str) -> bytes:
    """A manifest of one container that nobody declared, loaded or empty by 8169."""
    unit = {"number": "CSQU3054383", "load_status": status}
    bill = {"number": f"BL-{number}", "loading_port": "DEHAM", "discharge_port": "CNTAO", "containers": [unit]}
    document = {"number": number, "function": "9", "bills": [bill]}
    return json.dumps({"format": "json:manifest:1", "reference": number, "document": document}).encode()


async def test_a_transfer_goes_from_bureau_to_bureau_as_sancrt(gateway: House) -> None:
    """It comes as SANCRT and leaves as SANCRT, amended and withdrawn the same way; a repeat is handed over once."""
    await agree(gateway)
    first = transfer("outbound", "out.edi")
    resent = first.replace(b"TR0002", b"TR0012")  # the same transfer in an interchange of its own
    for body in (first, resent, transfer("amendment", "in.edi"), transfer("withdrawal", "in.edi")):
        view = await gateway.through(body, "origin")
        assert [m.state for m in view.messages] == [MessageState.ACCEPTED], codes(view)
    view = await gateway.through(first, "origin")
    assert codes(view) == ["interchange.duplicate"]
    sent = await bodies(gateway, "bureau", "transfer")
    assert [elements(body, "BGM")[0][1:] for body in sent] == [
        ["856:::TRANSFER", NUMBER, function] for function in ("9", "5", "1")
    ]
    (issued, *_) = sent
    assert elements(issued, "STS") == [["STS", "3", "1::ZZZ"]]
    assert ["PNA", "IS", "", "370200"] in elements(issued, "PNA")


async def test_a_transfer_that_the_rules_exclude_is_refused(gateway: House) -> None:
    """What is well written as SANCRT may still not be handed over: goods that were inspected before they were declared."""
    await agree(gateway)
    body = transfer("outbound", "out.edi").replace(b"FTX+ACD++1::ZZZ+0'", b"FTX+ACD++1::ZZZ+1'")
    view = await gateway.through(body, "origin")
    assert [m.state for m in view.messages] == [MessageState.REJECTED]
    assert await bodies(gateway, "bureau", "transfer") == []


async def test_a_lock_leaves_as_cohaor_and_a_release_as_coreor(gateway: House) -> None:
    """Each port has what it is told in its own message; a lock never leaves as a release order, and somebody is told."""
    await agree(gateway)
    for port in ("strict-port", "lenient-port"):
        await gateway.through(manifest(f"M-{port}", "4"), port)
    (told,) = await bodies(gateway, "strict-port", "release")
    assert (elements(told, "BGM")[0][1], elements(told, "HAN")) == ("127", [["HAN", "REL::ZZZ"]])
    (order,) = await bodies(gateway, "lenient-port", "release")
    assert (elements(order, "BGM")[0][1], elements(order, "EQD")) == (
        "129",
        [["EQD", "CN", "CSQU3054383", "", "", "11"]],
    )
    for port in ("strict-port", "lenient-port"):
        await gateway.through(manifest(f"N-{port}", "5"), port)
    (_, lock) = await bodies(gateway, "strict-port", "release")
    assert elements(lock, "HAN") == [["HAN", "LCK::ZZZ"]]
    assert await bodies(gateway, "lenient-port", "release") == [order]
    alerts = [json.loads(entry.body) for entry in await gateway.feed("alerts", OPERATOR)]
    (unsent,) = [alert for alert in alerts if alert["alert"] == "not_rendered"]
    assert "translate.only" in {reason["code"] for reason in unsent["reasons"]}

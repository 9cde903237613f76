"""What each role does with what it gets: a bureau answers and hands on, customs reports back, others only read.

A role reads values that its own reader found, and writes JSON or XML of its own; see `readers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gateway.simulators.partner import Answer, Behaviour, Partner, behaviour
from gateway.simulators.readers import Values, find
from gateway.simulators.wire import declaration_values, notice_values, transfer_values, transfer_xml

RELEASED = "2000"
"""The inspection service's code for released goods (放行)."""


async def watch(partner: Partner, values: Values) -> None:
    """An enterprise or a port: it keeps what it gets and answers nothing."""


async def bureau(partner: Partner, values: Values) -> None:
    """A bureau: it judges declarations, hands inspected goods on, and issues clearance notices."""
    match values["document_type"]:
        case "declaration":
            await _judge(partner, declaration_values(values))
        case "transfer":
            await _take_over(partner, transfer_values(values))


async def customs(partner: Partner, values: Values) -> None:
    """Customs: it reports its own data about goods that a clearance notice names."""
    if values["document_type"] != "clearance":
        return
    notice = notice_values(values)
    asked = behaviour(notice.get("contract_number", ""))
    if asked is Behaviour.SILENCE or notice.get("status") == "cancelled":
        return
    goods = [dict(item) for item in notice["goods"]]
    if asked is Behaviour.MISMATCH:
        # Twice as many as the notice allows: no tolerance covers that.
        goods[0]["quantity"] = {**goods[0]["quantity"], "value": str(2 * float(goods[0]["quantity"]["value"]))}
    number = notice["number"]
    await partner.send_json(
        f"entry-{number}",
        "customs_entry",
        {
            "number": f"4200{number[-14:]}",
            "function": "9",
            "notice_number": number,
            "declaration_number": number[:15],
            "direction": notice["direction"],
            "status": "released",
            "customs_office": partner.settings.organisation,
            "goods": goods,
        },
    )


ROLES: Mapping[str, Answer] = {
    "enterprise": watch,
    "port": watch,
    "bureau": bureau,
    "customs": customs,
}


async def _judge(partner: Partner, declaration: Values) -> None:
    """Accept or refuse a declaration; accepted goods are released and handed on."""
    asked = behaviour(declaration.get("contract_number", ""))
    if asked is Behaviour.SILENCE or declaration.get("function") == "1":
        return
    reference = declaration["client_reference"]
    if asked is Behaviour.REJECT:
        await _respond(partner, declaration, "refused", "1101", "Inspected and found wanting.")
        return
    if not declaration.get("number"):
        await _respond(partner, declaration, "accepted", "1100")
        declaration["number"] = await _number(partner, reference)
    await _respond(partner, declaration, "released", RELEASED)
    if declaration["direction"] == "inbound":
        await _notify(partner, declaration)
    else:
        number = f"T{declaration['number']}"
        to = str(partner.settings.options["port_bureau"])
        await partner.send(number, transfer_xml(declaration, number, partner.settings.organisation, to))


async def _take_over(partner: Partner, transfer: Values) -> None:
    """Take a transferred consignment over, and issue its clearance notice."""
    await partner.send_json(
        f"taken-{transfer['number']}",
        "response",
        {
            "id": f"taken-{transfer['number']}",
            "document": "transfer",
            "number": transfer["number"],
            "declaration_number": transfer["declaration_number"],
            "outcome": "accepted",
        },
    )
    await _notify(partner, {**transfer, "number": transfer["declaration_number"]})


async def _respond(partner: Partner, declaration: Values, outcome: str, code: str, why: str = "") -> None:
    """Answer a declaration."""
    reference = declaration["client_reference"]
    await partner.send_json(
        f"{outcome}-{reference}"[:35],
        "response",
        {
            "id": f"{outcome}-{reference}"[:35],
            "document": "declaration",
            "reference": reference,
            "declaration_number": declaration.get("number"),
            "outcome": outcome,
            "code": code,
            "organisation": partner.settings.organisation,
            "reasons": [{"code": "sim.reason", "text": why}] if why else [],
        },
    )


async def _notify(partner: Partner, consignment: Values) -> None:
    """Issue a clearance notice for goods that have passed."""
    await partner.send_json(
        f"notice-{consignment['number']}",
        "clearance",
        {
            "number": f"{consignment['number']}000",
            "function": "9",
            "direction": consignment["direction"],
            "declaration_number": consignment["number"],
            "status": "issued",
            "issuing_organisation": partner.settings.organisation,
            "customs_office": partner.settings.options.get("customs_office"),
            "contract_number": consignment.get("contract_number"),
            "bill_of_lading": consignment.get("bill_of_lading"),
            "goods": [
                {k: g[k] for k in ("sequence_number", "hs_code", "name", "quantity", "origin_country") if g.get(k)}
                for g in consignment["goods"]
            ],
        },
    )


async def _number(partner: Partner, reference: str) -> str:
    """The number the gateway gave after our acceptance, asked for like any client asks."""
    for _ in range(100):
        case = await partner.get(f"/v1/cases/{reference}")
        found = find(case, "number")
        if found:
            return found
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{reference}: no number came")

"""What each role does with what it gets: a bureau answers and hands on, customs reports back, others only read.

A role works with values that its own reader found, and writes JSON or XML of its own. It reports one
thing after the other, each when the gateway has decided the one before, as a clerk would.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from gateway.simulators.behaviour import Behaviour, behaviour
from gateway.simulators.partner import Answer, Partner
from gateway.simulators.readers import Values
from gateway.simulators.wire import (
    declaration_values,
    entry_document,
    notice_values,
    notice_xml,
    response_values,
    transfer_document,
    transfer_values,
)

REVIEW_PASSED, REVIEW_FAILED, INSPECTION_ORDERED, RELEASED = "1100", "1101", "1500", "2000"
"""The inspection service's response codes."""

CANCELLATION, CHANGE, REPLACEMENT, ORIGINAL = "1", "4", "5", "9"
"""Message functions, UN/EDIFACT 1225."""

CHINA = timezone(timedelta(hours=8))


async def watch(partner: Partner, values: Values) -> None:
    """An enterprise or a port: it keeps what it gets and answers nothing."""


class Bureau:
    """Judges declarations, hands inspected goods on to the port, and issues clearance notices."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        """The number of each consignment whose declaration it has dealt with, by the declarer's own reference."""
        self._issued = 900_000
        """Its own numbers begin here, far above those that the gateway gives out."""
        self._unchanged: dict[str, Values] = {}
        """What it has taken over and waits for a change of, by the transfer's number."""

    async def __call__(self, partner: Partner, values: Values) -> None:
        """Answer one document."""
        match values["document_type"]:
            case "declaration":
                await self._judge(partner, declaration_values(values))
            case "transfer":
                await self._take_over(partner, transfer_values(values))
            case "response":
                await self._go_on(partner, response_values(values))

    async def _judge(self, partner: Partner, declaration: Values) -> None:
        """Accept or refuse a declaration; accepted goods are inspected, released and handed on."""
        asked = behaviour(declaration["contract_number"])
        reference = declaration["client_reference"]
        if asked is Behaviour.SILENCE:
            return
        if declaration["function"] == CANCELLATION:
            await self._respond(partner, declaration, "cancelled", REVIEW_PASSED)
            return
        if reference in self._known:
            # A change of what it has accepted already: agreed, and nothing is inspected again.
            await self._respond(partner, declaration, "accepted", REVIEW_PASSED, "changed")
            return
        if asked is Behaviour.REJECT:
            await self._respond(partner, declaration, "refused", REVIEW_FAILED, why="Examined and found wanting.")
            return
        if not declaration["number"]:
            declaration["number"] = self._number(declaration)
            await self._respond(partner, declaration, "accepted", REVIEW_PASSED)
        self._known[reference] = declaration["number"]
        if asked is Behaviour.INSPECT:
            await self._respond(partner, declaration, "received", INSPECTION_ORDERED, "ordered")
        if asked is Behaviour.HOLD:
            return
        if asked is Behaviour.DESTINATION:
            # Customs may let the goods in before they are examined where they are going.
            await self._hand_over(partner, declaration)
            await self._notify(partner, declaration)
            return
        await self._respond(partner, declaration, "released", RELEASED)
        if declaration["direction"] == "inbound" or asked is Behaviour.LISTED:
            await self._notify(partner, declaration)
        if declaration["direction"] == "outbound":
            await self._hand_over(partner, declaration)

    async def _hand_over(self, partner: Partner, declaration: Values) -> None:
        """Hand a consignment over to the bureau that it goes to."""
        number = f"T{declaration['number']}"
        own = self._own(partner, declaration["inspection_organisation"])
        excluded = behaviour(declaration["contract_number"]) is Behaviour.EXCLUDE
        await partner.report_json(number, "transfer", transfer_document(declaration, number, own, excluded=excluded))

    async def _take_over(self, partner: Partner, transfer: Values) -> None:
        """Take a transferred consignment over; an export is let out by whom it is handed to, with a clearance notice."""
        if transfer.get("function") == CHANGE:
            return  # it has agreed to that
        number = f"taken-{transfer['number']}"
        answer = {
            "id": number,
            "document": "transfer",
            "number": transfer["number"],
            "declaration_number": transfer["declaration_number"],
            "outcome": "accepted",
        }
        waits = behaviour(transfer["contract_number"]) is Behaviour.CHANGE
        if waits:
            self._unchanged[transfer["number"]] = transfer
        await partner.report_json(number, "response", answer)
        if transfer["direction"] == "outbound" and not waits:
            await self._notify(partner, {**transfer, "number": transfer["declaration_number"]})

    async def _go_on(self, partner: Partner, told: Values) -> None:
        """Agree to another bureau's change of a transfer; let out what it waited to change itself."""
        if told["document"] != "transfer":
            return
        if told["outcome"] == "held":
            await partner.decide("transfer_change", "agree")
        elif told["outcome"] == "accepted" and (transfer := self._unchanged.pop(told["number"], None)):
            await self._notify(partner, {**transfer, "number": transfer["declaration_number"]})

    async def _respond(
        self, partner: Partner, declaration: Values, outcome: str, code: str, what: str = "", why: str = ""
    ) -> None:
        """Answer a declaration."""
        name = f"{what or outcome}-{declaration['client_reference']}"[:35]
        answer = {
            "id": name,
            "document": "declaration",
            "reference": declaration["client_reference"],
            "declaration_number": declaration["number"],
            "outcome": outcome,
            "code": code,
            "organisation": self._own(partner, declaration["declaration_organisation"]),
            "reasons": [{"code": "simulated", "text": why}] if why else [],
        }
        await partner.report_json(name, "response", answer)

    async def _notify(self, partner: Partner, consignment: Values) -> None:
        """Issue a clearance notice for goods that have passed."""
        office = consignment.get("customs_office") or partner.settings.options.get("customs_office", "")
        own = self._own(partner, consignment.get("inspection_organisation", ""))
        asked = behaviour(consignment.get("contract_number") or "")
        last_day = _tomorrow() if asked is Behaviour.EXPIRE else ""
        await partner.report(f"notice-{consignment['number']}", notice_xml(consignment, own, office, last_day=last_day))
        if asked is Behaviour.REPLACE:
            first, *others = consignment["goods"]
            halved = {**first["quantity"], "value": str(Decimal(first["quantity"]["value"]) / 2)}
            less = {**consignment, "goods": [{**first, "quantity": halved}, *others]}
            await partner.report(f"notice-{consignment['number']}-2", notice_xml(less, own, office, REPLACEMENT))

    def _number(self, declaration: Values) -> str:
        """A declaration number of its own: organisation 6, direction 1, year 2, sequence 6."""
        self._issued += 1
        direction = "1" if declaration["direction"] == "inbound" else "2"
        return f"{declaration['declaration_organisation']}{direction}{_year()}{self._issued}"

    @staticmethod
    def _own(partner: Partner, organisation: str) -> str:
        """`organisation` where it is one of the bureau's, else its first."""
        owned = partner.settings.organisations
        return organisation if organisation in owned else owned[0]


async def customs(partner: Partner, values: Values) -> None:
    """Customs: it reports its own data about goods that a clearance notice names."""
    if values["document_type"] != "clearance":
        return
    notice = notice_values(values)
    asked = behaviour(notice["contract_number"])
    if asked in (Behaviour.SILENCE, Behaviour.EXPIRE) or notice["status"] == "cancelled":
        return
    if asked is Behaviour.REPLACE and notice.get("function") != REPLACEMENT:
        return
    goods = notice["goods"]
    number = f"{partner.settings.organisations[0]}{notice['number'][-14:]}"
    office = partner.settings.organisations[0]
    if asked in (Behaviour.MISMATCH, Behaviour.CORRECT):
        # Twice as many as the notice allows: no tolerance covers that.
        doubled = {**goods[0]["quantity"], "value": str(2 * Decimal(goods[0]["quantity"]["value"]))}
        wrong = [{**goods[0], "quantity": doubled}, *goods[1:]]
        await partner.report_json(
            f"entry-{number}", "customs_entry", entry_document(notice, number, ORIGINAL, wrong, office)
        )
        if asked is Behaviour.MISMATCH:
            return
        await partner.report_json(
            f"entry-{number}-2", "customs_entry", entry_document(notice, number, REPLACEMENT, goods, office)
        )
        return
    await partner.report_json(
        f"entry-{number}", "customs_entry", entry_document(notice, number, ORIGINAL, goods, office)
    )


def answer_of(role: str) -> Answer:
    """What a partner with `role` does; KeyError for a role that is not simulated."""
    answers: Mapping[str, Answer] = {
        "enterprise": watch,
        "agent": watch,
        "port": watch,
        "bureau": Bureau(),
        "customs": customs,
    }
    return answers[role]


def _year() -> str:
    """The two digits of the year in China, where the bureaus are."""
    return f"{datetime.now(CHINA):%y}"


def _tomorrow() -> str:
    """The next day in China: not today, which may end before the notice has arrived."""
    return f"{datetime.now(CHINA) + timedelta(days=1):%Y-%m-%d}"

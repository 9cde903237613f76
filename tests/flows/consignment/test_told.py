"""What everybody is told of a consignment: under which numbers, with which code, and at which field a reason stands.

A response names the document that it answers by its sender's own number of it (`reference`), the number that it goes by
(`number`), and the numbers that were issued, as the fields of `gateway/documents/response.py` say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.decide.effects import Effect, Hold, Note, Publish, Respond, Send
from gateway.documents import Document, Response
from gateway.model import Partner
from tests.flows.consignment.test_declaration import newcomers
from tests.flows.world import (
    BUREAU,
    CUSTOMS,
    FACTORY,
    NEWCOMER,
    NOW,
    ORIGIN,
    PORT_BUREAU,
    PORT_SIDE,
    STRANGER,
    World,
    answer,
    codes,
    entry,
    notice,
    of,
    outbound,
    transfer,
)

NUMBER = f"{ORIGIN}226000001"
NOTICE = f"{NUMBER}000"
ENTRY = "420020260000000001"
GIVEN = f"{ORIGIN}226000777"


@dataclass(frozen=True)
class Told:
    """A response as its reader has it."""

    whom: str
    document: str
    outcome: str
    reference: str | None = None
    number: str | None = None
    declaration: str | None = None
    notice: str | None = None
    code: str | None = None
    organisation: str | None = None
    reasons: tuple[tuple[str, str | None, str | None], ...] = ()
    """(code, field, value)."""


def told(effects: list[Effect]) -> list[Told]:
    """The answer to the sender, and what others are sent."""
    said = [("sender", one.document) for one in of(effects, Respond)]
    said += [(one.to.partner_id, one.document) for one in of(effects, Send) if one.document_type == "response"]
    return [_told(whom, document) for whom, document in said]


def _told(whom: str, said: Response) -> Told:
    return Told(
        whom, said.document, said.outcome.value, said.reference, said.number, said.declaration_number,
        said.notice_number, said.code, said.organisation, tuple((r.code, r.field, r.value) for r in said.reasons),
    )  # fmt: skip


def lines(effects: list[Effect]) -> dict[tuple[str, str], dict[str, str]]:
    """What is put on feeds, by feed and reader."""
    return {(one.feed, one.partner_id): dict(one.keys) for one in of(effects, Publish)}


SENT = transfer(NUMBER, client_reference="E-1")
STORY: list[tuple[Document, Partner, list[Told], dict[tuple[str, str], dict[str, str]]]] = [
    # The declaration is accepted: 1100, by the bureau declared to.
    (
        outbound(), FACTORY,
        [Told("sender", "declaration", "accepted", "E-1", NUMBER, NUMBER, code="1100", organisation=ORIGIN)],
        {("status", "factory"): {"status": "accepted", "declaration": NUMBER, "reference": "E-1"}},
    ),
    # The same again is told where it stands, under the number it was given.
    (outbound(), FACTORY, [Told("sender", "declaration", "accepted", "E-1", NUMBER, NUMBER)], {}),
    # Another one under the same number of the enterprise's is refused (1101).
    (
        outbound(marks="N/M"), FACTORY,
        [Told("sender", "declaration", "refused", "E-1", code="1101",
              reasons=(("decide.declaration.reference_used", "client_reference", "E-1"),))],
        {},
    ),
    # An officer of the bureau is assigned: the enterprise has the bureau's own words and code.
    (
        answer("received", "R-1", code="1400", text="分单"), BUREAU,
        [Told("factory", "declaration", "received", "E-1", NUMBER, NUMBER, code="1400", organisation=ORIGIN,
              reasons=(("decide.told", None, "received"),))],
        {("status", "factory"): {"status": "inspecting", "declaration": NUMBER, "reference": "E-1"}},
    ),
    # The transfer: its own number, and the enterprise's.
    (
        SENT, BUREAU,
        [
            Told("sender", "transfer", "accepted", "E-1", "T-1", NUMBER),
            Told("factory", "transfer", "accepted", "E-1", "T-1", NUMBER, organisation=ORIGIN),
        ],
        {
            ("transfer", "port-bureau"): {"declaration": NUMBER, "transfer": "T-1"},
            ("status", "factory"): {"status": "transferred", "declaration": NUMBER, "reference": "E-1"},
        },
    ),
    (SENT, BUREAU, [Told("sender", "transfer", "accepted", "E-1", "T-1", NUMBER)], {}),
    (
        transfer(NUMBER, number="T-2"), BUREAU,
        [Told("sender", "transfer", "refused", None, "T-2", NUMBER, reasons=(("decide.transfer.open", "number", "T-2"),))],
        {},
    ),
    # A change by the port's bureau goes back to the one that issued it.
    (
        transfer(NUMBER, function="4", client_reference="E-1", departure_date="2026-12-01"), PORT_SIDE,
        [
            Told("sender", "transfer", "accepted", "E-1", "T-1", NUMBER),
            Told("factory", "transfer", "accepted", "E-1", "T-1", NUMBER, organisation=PORT_BUREAU),
        ],
        {
            ("transfer", "origin-bureau"): {"declaration": NUMBER, "transfer": "T-1"},
            ("status", "factory"): {"status": "transferred", "declaration": NUMBER, "reference": "E-1"},
        },
    ),
    # The notice: the bureau knows no number of the enterprise's, which is pushed the notice's (3000).
    (
        notice(NUMBER), PORT_SIDE,
        [
            Told("sender", "clearance", "accepted", None, NOTICE, NUMBER, NOTICE),
            Told("factory", "clearance", "accepted", "E-1", NOTICE, NUMBER, NOTICE, "3000", PORT_BUREAU),
        ],
        {
            ("clearance", "customs"): {"declaration": NUMBER, "notice": NOTICE},
            ("status", "factory"):
                {"status": "notified", "declaration": NUMBER, "notice": NOTICE, "reference": "E-1"},
        },
    ),
    (notice(NUMBER), PORT_SIDE, [Told("sender", "clearance", "accepted", None, NOTICE, NUMBER, NOTICE)], {}),
    # Customs' data differs: held, with the difference, and both sides have it.
    (
        entry(NUMBER, containers=["TGHU1234567"]), CUSTOMS,
        [
            Told("sender", "customs_entry", "held", None, ENTRY, NUMBER, NOTICE, reasons=(
                DIFFERS := ("decide.clearance.mismatch", "containers", "TGHU1234567"),)),
            Told("factory", "clearance", "held", "E-1", NOTICE, NUMBER, NOTICE, reasons=(DIFFERS,)),
        ],
        {("status", "factory"): {"status": "held", "declaration": NUMBER, "notice": NOTICE, "reference": "E-1"}},
    ),
    # It agrees and customs let the goods go: cleared, for customs under its own entry, for the declarer under the notice.
    (
        entry(NUMBER), CUSTOMS,
        [
            Told("sender", "customs_entry", "cleared", None, ENTRY, NUMBER, NOTICE),
            Told("factory", "clearance", "cleared", "E-1", NOTICE, NUMBER, NOTICE),
        ],
        {("status", "factory"): {"status": "cleared", "declaration": NUMBER, "notice": NOTICE, "reference": "E-1"}},
    ),
    (entry(NUMBER), CUSTOMS, [Told("sender", "customs_entry", "cleared", None, ENTRY, NUMBER, NOTICE)], {}),
    # What can no longer be is refused at the field that asks for it.
    (
        transfer(NUMBER, function="4", client_reference="E-1"), PORT_SIDE,
        [Told("sender", "transfer", "refused", "E-1", "T-1", NUMBER,
              reasons=(("decide.status.not_allowed", "function", "change"),))],
        {},
    ),
    (
        entry(NUMBER, number="420020260000000002"), CUSTOMS,
        [Told("sender", "customs_entry", "refused", None, "420020260000000002", None, NOTICE,
              reasons=(("decide.clearance.used", "notice_number", NOTICE),))],
        {},
    ),
]  # fmt: skip


def test_a_consignment_is_told_of_from_start_to_end() -> None:
    """Everybody is told under the numbers that they know, at every step, and nobody else is told anything."""
    world = World()
    for step, (document, sender, expected, published) in enumerate(STORY):
        effects = world.send(document, sender)
        assert (step, told(effects), lines(effects)) == (step, expected, published)


def test_a_declaration_in_review_is_told_of() -> None:
    """Pre-entered (1000) with the reasons; then the bureau's number and code, under the enterprise's own number."""
    world = World()
    effects = world.send(newcomers(client_reference="N-1"), NEWCOMER)
    (first,) = told(effects)
    assert (first.reference, first.number, first.outcome, first.code) == ("N-1", None, "received", "1000")
    assert first.organisation == ORIGIN
    assert [code for code, _, _ in first.reasons] == ["decide.review.credit"]
    assert lines(effects) == {("status", "newcomer"): {"status": "in_review", "reference": "N-1"}}
    said = answer("accepted", reference="N-1", declaration_number=GIVEN, code="1100", organisation=PORT_BUREAU)
    effects = world.send(said, BUREAU)
    assert told(effects) == [
        Told("newcomer", "declaration", "accepted", "N-1", GIVEN, GIVEN, code="1100", organisation=PORT_BUREAU)
    ]
    assert lines(effects) == {("status", "newcomer"): {"status": "accepted", "declaration": GIVEN, "reference": "N-1"}}


DECLINED = [
    # (what is refused, by whom, under which name and number the declarer has it, what its issuer is told)
    (
        answer("refused", document="transfer", reference=None, number="T-1"), PORT_SIDE,
        Told("factory", "transfer", "held", "E-1", "T-1", NUMBER, reasons=(("decide.told", None, "refused"),)),
        [Told("origin-bureau", "transfer", "refused", None, "T-1", NUMBER, reasons=(("decide.told", None, "refused"),))],
    ),
    # An answer that gives the notice's number in one place only.
    (
        answer("refused", document="clearance", reference=None, notice_number=NOTICE), CUSTOMS,
        Told("factory", "clearance", "held", "E-1", NOTICE, NUMBER, NOTICE,
             reasons=(("decide.told", None, "refused"),)), [],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("refusal", "sender", "declarer", "issuer"), DECLINED)
def test_what_the_other_side_declines_is_told_as_held(
    refusal: Response, sender: Partner, declarer: Told, issuer: list[Told]
) -> None:
    """The declarer has it under its own number, the bureau that issued a transfer under the transfer's."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(SENT, BUREAU)
    if refusal.document == "clearance":
        world.send(notice(NUMBER), PORT_SIDE)
    effects = world.send(refusal, sender)
    first, *others = told(effects)
    assert (first, others) == (declarer, issuer)
    assert lines(effects)["status", "factory"]["status"] == "held"


@pytest.mark.parametrize(
    ("named", "declines"),
    [({"number": "T-1"}, False), ({"number": "T-2"}, True), ({"number": "X-7"}, True), ({"reference": "E-1"}, True)],
)
def test_a_refusal_of_what_was_replaced_declines_nothing(named: dict[str, str], declines: bool) -> None:
    """It is noted as late; one that names the transfer in force, or none that the case knows, declines that."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(transfer(NUMBER, client_reference="E-1", valid_until="2026-12-01"), BUREAU)
    world.let_pass("transfer_validity")
    later = NOW + timedelta(days=20)
    world.send(transfer(NUMBER, client_reference="E-1", number="T-2"), BUREAU, now=later)
    refusal = answer("refused", "R-1", document="transfer", declaration_number=NUMBER, **({"reference": None} | named))
    effects = world.send(refusal, PORT_SIDE, now=later)
    assert world.case.tracks["transfer"] == ("declined" if declines else "sent")
    assert noted(effects) == ([] if declines else [("late", ["decide.told"])])
    assert [(one.whom, one.number) for one in told(effects)] == (
        [("factory", "T-2"), ("origin-bureau", "T-2")] if declines else []
    )


def test_what_expires_is_told_as_held() -> None:
    """Both bureaus have a transfer's end under its numbers, the declarer under its own; a notice's end likewise."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(transfer(NUMBER, client_reference="E-1", valid_until="2026-12-01"), BUREAU)
    why = (("decide.transfer.expired", "valid_until", "2026-12-01"),)
    effects = world.let_pass("transfer_validity")
    assert told(effects) == [
        Told(whom, "transfer", "held", "E-1", "T-1", NUMBER, reasons=why)
        for whom in ("origin-bureau", "port-bureau", "factory")
    ]
    later = NOW + timedelta(days=20)
    world.send(transfer(NUMBER, client_reference="E-1", number="T-2"), BUREAU, now=later)
    world.send(notice(NUMBER, valid_until="2026-12-20"), PORT_SIDE, now=later)
    why = (("decide.clearance.expired", "valid_until", "2026-12-20"),)
    bureau, office, declarer = told(world.let_pass("notice_validity"))
    assert bureau == Told("port-bureau", "clearance", "held", None, NOTICE, NUMBER, NOTICE, reasons=why)
    assert office == replace(bureau, whom="customs")
    assert declarer == replace(bureau, whom="factory", reference="E-1")


NOBODYS = "370100226000009"
REFUSED: list[tuple[Document, Partner, Told]] = [
    # Nothing was declared under that number.
    (transfer(NOBODYS), STRANGER, Told("sender", "transfer", "refused", None, "T-1", NOBODYS, reasons=(
        ("decide.case.unknown", "declaration_number", NOBODYS),))),
    (notice(NOBODYS), STRANGER, Told("sender", "clearance", "refused", None, f"{NOBODYS}000", NOBODYS, f"{NOBODYS}000",
        reasons=(("decide.case.unknown", "declaration_number", NOBODYS),))),
    (entry(NUMBER), CUSTOMS, Told("sender", "customs_entry", "refused", None, ENTRY, None, NOTICE, reasons=(
        ("decide.clearance.unknown", "notice_number", NOTICE),))),
    (outbound(client_reference="E-9", function="4"), FACTORY, Told("sender", "declaration", "refused", "E-9", code="1101",
        reasons=(("decide.declaration.unknown", "function", None),))),
    (outbound(client_reference="E-9", number=NOBODYS), FACTORY, Told("sender", "declaration", "refused", "E-9", NOBODYS,
        NOBODYS, code="1101", reasons=(("decide.declaration.number_unknown", "number", NOBODYS),))),
    # Somebody else's.
    (transfer(NUMBER), STRANGER, Told("sender", "transfer", "refused", None, "T-1", NUMBER, reasons=(
        ("decide.sender.not_concerned", "from_organisation", ORIGIN),))),
    (notice(NUMBER), STRANGER, Told("sender", "clearance", "refused", None, NOTICE, NUMBER, NOTICE, reasons=(
        ("decide.sender.not_concerned", "issuing_organisation", PORT_BUREAU),))),
    (outbound(client_reference="E-9", number=NUMBER), NEWCOMER, Told("sender", "declaration", "refused", "E-9", NUMBER,
        NUMBER, code="1101", reasons=(("decide.declarant.not_sender", "declarant.registration_number", "3701000001"),
        ("decide.enterprise.not_appointed", "consignor.code", "3701000001"),
        ("decide.case.not_yours", "number", NUMBER)))),
    # What is named is not there, or does not fit.
    (transfer(NUMBER, to_organisation="999999"), BUREAU, Told("sender", "transfer", "refused", None, "T-1", NUMBER,
        reasons=(("decide.bureau.unknown", "to_organisation", "999999"),))),
    (transfer(NUMBER, function="5"), BUREAU, Told("sender", "transfer", "refused", None, "T-1", NUMBER,
        reasons=(("decide.transfer.unknown", "number", "T-1"),))),
    (outbound(client_reference="E-9", declaration_organisation="999999"), FACTORY, Told("sender", "declaration",
        "refused", "E-9", code="1101", reasons=(("decide.bureau.unknown", "declaration_organisation", "999999"),))),
    (transfer(NUMBER, direction="inbound", valid_until="2026-11-19"), BUREAU, Told("sender", "transfer", "refused", None,
        "T-1", NUMBER, reasons=(("decide.differs", "direction", "inbound"),
        ("decide.transfer.expired", "valid_until", "2026-11-19")))),
    (notice(NUMBER, direction="inbound", goods=[{"hs_code": "0101210010"}]), PORT_SIDE, Told("sender", "clearance",
        "refused", None, NOTICE, NUMBER, NOTICE, reasons=(("decide.differs", "direction", "inbound"),
        ("decide.goods.not_declared", "goods[0].hs_code", "0101210010")))),
    (outbound(function="4", kind="99", direction="inbound", declaration_organisation=PORT_BUREAU, consignee=None), FACTORY,
        Told("sender", "declaration", "refused", "E-1", NUMBER, NUMBER, code="1101", reasons=(
        ("decide.amendment.fixed", "direction", "inbound"),
        ("decide.amendment.fixed", "declaration_organisation", PORT_BUREAU)))),
    (transfer(NUMBER, function="1"), BUREAU, Told("sender", "transfer", "refused", None, "T-1", NUMBER,
        reasons=(("decide.transfer.unknown", "number", "T-1"),))),
]  # fmt: skip


@pytest.mark.parametrize(("document", "sender", "expected"), REFUSED)
def test_a_refusal_names_the_field_and_its_value(document: Document, sender: Partner, expected: Told) -> None:
    """Whoever is refused has every reason at its field, with the value that stands there; nobody else hears of it."""
    world = World()
    world.send(outbound(), FACTORY)
    effects = world.send(document, sender)
    assert told(effects) == [expected]
    assert lines(effects) == {}


def noted(effects: list[Effect]) -> list[tuple[str, list[str]]]:
    """The lines on the case's timeline: kind and codes."""
    return [(one.kind, codes(one.reasons)) for one in of(effects, Note)]


def test_what_changes_nothing_of_where_the_goods_stand_is_noted() -> None:
    """A repeat, a change of what was sent, a late answer: each is a line of its own, and moves no track."""
    world = World()
    world.send(outbound(), FACTORY)
    assert noted(world.send(outbound(), FACTORY)) == [("repeat", ["decide.repeat"])]
    world.send(SENT, BUREAU)
    assert noted(world.send(SENT, BUREAU)) == [("repeat", ["decide.repeat"])]
    changes: list[tuple[Document, Partner, str, list[str]]] = [
        (transfer(NUMBER, function="5", goods_place="3号仓"), BUREAU, "changed", ["decide.transfer.changed"]),
        (transfer(NUMBER, function="4", goods_place="3号仓"), PORT_SIDE, "changed", ["decide.transfer.changed"]),
        (answer("accepted"), BUREAU, "late", ["decide.late", "decide.told"]),
        (notice(NUMBER), PORT_SIDE, "", []),
        (notice(NUMBER), PORT_SIDE, "repeat", ["decide.repeat"]),
        (notice(NUMBER, function="5", remarks="改单"), PORT_SIDE, "changed", ["decide.clearance.changed"]),
        (answer("received", "R-2", document="clearance", notice_number=NOTICE), CUSTOMS, "answered", ["decide.told"]),
        (answer("received", "R-2", document="clearance", notice_number=NOTICE), CUSTOMS, "repeat", ["decide.repeat"]),
    ]
    for document, sender, kind, why in changes:
        before = world.case.tracks
        assert noted(world.send(document, sender)) == ([(kind, why)] if kind else [])
        assert (world.case.tracks == before) is bool(kind)


@pytest.mark.parametrize(
    "given_up",
    [{"status": "refused"}, {"status": "cancelled"}, {"function": "1"}, {"function": "1", "status": "released"}],
)
def test_an_entry_that_customs_gives_up_holds_the_case(given_up: dict[str, Any]) -> None:
    """By its status or by its function: the declarer and customs are told that it is held, and why."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(SENT, BUREAU)
    world.send(notice(NUMBER), PORT_SIDE)
    effects = world.send(entry(NUMBER, **given_up), CUSTOMS)
    why = (("decide.clearance.withdrawn", "status", given_up.get("status", "released")),)
    assert told(effects) == [
        Told("sender", "customs_entry", "held", None, ENTRY, NUMBER, NOTICE, reasons=why),
        Told("factory", "clearance", "held", "E-1", NOTICE, NUMBER, NOTICE, reasons=why),
    ]
    assert [codes(one.reasons) for one in of(effects, Hold)] == [["decide.clearance.withdrawn"]]

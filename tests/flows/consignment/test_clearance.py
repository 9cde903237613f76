from __future__ import annotations

import pytest

from gateway.decide.effects import Alert, Hold, Note, Publish, Refuse, Respond, Send
from gateway.documents import CustomsEntry
from tests.flows.world import (
    BUREAU,
    CUSTOMS,
    FACTORY,
    ORIGIN,
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


def transferred() -> World:
    world = World()
    world.send(outbound(), FACTORY)
    world.send(transfer(NUMBER), BUREAU)
    return world


def notified() -> World:
    world = transferred()
    world.send(notice(NUMBER), PORT_SIDE)
    return world


def test_a_notice_goes_to_customs():
    """Customs gets the document and a line on its feed; the case can be found by the notice number."""
    world = transferred()
    effects = world.send(notice(NUMBER), PORT_SIDE)
    assert world.case.status == "notified"
    assert [(s.document_type, s.to.partner_id) for s in of(effects, Send)] == [
        ("clearance", "customs"),
        ("response", "factory"),
    ]
    assert ("clearance", "customs") in {(p.feed, p.partner_id) for p in of(effects, Publish)}
    assert ("notice", f"{NUMBER}000") in world.case.keys


def test_an_unknown_customs_office_is_alerted():
    """The notice is not shown to other offices instead."""
    world = transferred()
    effects = world.send(notice(NUMBER, customs_office="5300"), PORT_SIDE)
    assert [send.to.partner_id for send in of(effects, Send)] == ["factory"]
    assert codes(of(effects, Alert)[0].reasons) == ["decide.customs.unknown"]


NOTICES_REFUSED = [
    # No such declaration, from somebody who is not who issues it.
    (STRANGER, notice("370100226000009"), "decide.case.unknown"),
    # Not the bureau it says.
    (STRANGER, notice(NUMBER), "decide.sender.not_concerned"),
    # A bureau that the consignment does not concern.
    (STRANGER, notice(NUMBER, issuing_organisation="440100"), "decide.sender.not_concerned"),
    # Goods that were never declared.
    (PORT_SIDE, notice(NUMBER, goods=[{"hs_code": "0101210010"}]), "decide.goods.not_declared"),
    # The other direction.
    (PORT_SIDE, notice(NUMBER, direction="inbound"), "decide.differs"),
]


@pytest.mark.parametrize(("sender", "document", "code"), NOTICES_REFUSED)
def test_a_notice_that_cannot_stand_never_reaches_customs(sender, document, code):
    """It is refused with its reason."""
    world = transferred()
    effects = world.send(document, sender)
    assert code in codes(of(effects, Refuse)[0].reasons)
    assert not of(effects, Send)


def test_no_notice_before_the_declaration_is_accepted():
    """A declaration in review has no number, so nothing can be cleared under it: the notice waits."""
    world = World()
    world.send(outbound(total_value_usd="9000000"), FACTORY)
    effects = world.send(notice(NUMBER), PORT_SIDE)
    assert not of(effects, Send)
    assert (world.case.status, len(world.waiting)) == ("in_review", 1)


def test_the_same_notice_again_goes_out_once():
    """A repeat is told so; another one must replace the first."""
    world = notified()
    assert not of(world.send(notice(NUMBER), PORT_SIDE), Send)
    effects = world.send(notice(NUMBER, remarks="改单"), PORT_SIDE)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.clearance.open"]
    effects = world.send(notice(NUMBER, function="5", remarks="改单"), PORT_SIDE)
    assert [s.document.remarks for s in of(effects, Send) if s.document_type == "clearance"] == ["改单"]
    assert world.case.status == "notified"


def test_customs_data_that_agrees_clears_the_case():
    """Customs, the bureau and the enterprise learn it; the notice is used."""
    world = notified()
    effects = world.send(entry(NUMBER), CUSTOMS)
    assert world.case.status == "cleared"
    assert of(effects, Respond)[0].document.outcome == "cleared"
    assert {(s.document_type, s.to.partner_id) for s in of(effects, Send)} == {
        ("customs_entry", "port-bureau"),
        ("response", "factory"),
    }
    assert world.case.documents["clearance"]["status"] == "used"


MATCHES = [
    # A quantity may be less than the notice allows, never more.
    ({"goods": {"quantity": {"value": "999", "unit": "KGM"}}}, []),
    ({"goods": {"quantity": {"value": "1000.01", "unit": "KGM"}}}, ["goods[0].quantity.value"]),
    # Weight may differ by five percent.
    ({"goods": {"weight": {"value": "1050", "unit": "KGM"}}}, []),
    ({"goods": {"weight": {"value": "1051", "unit": "KGM"}}}, ["goods[0].weight.value"]),
    # Value may differ by ten percent.
    ({"goods": {"value": {"value": "4500", "currency": "USD"}}}, []),
    ({"goods": {"value": {"value": "4499", "currency": "USD"}}}, ["goods[0].value.value"]),
    ({"goods": {"value": {"value": "5000", "currency": "EUR"}}}, ["goods[0].value.currency"]),
    # Another tariff line, another unit.
    ({"goods": {"hs_code": "2008199100"}}, ["goods[0].hs_code"]),
    ({"goods": {"quantity": {"value": "1", "unit": "TNE"}}}, ["goods[0].quantity.unit"]),
    # A missing quantity is a mismatch, a missing weight is not.
    ({"goods": {"quantity": None}}, ["goods[0].quantity.value", "goods[0].quantity.unit"]),
    ({"goods": {"weight": None}}, []),
    # Other containers, the same in another order.
    ({"containers": ["TGHU1234567"]}, ["containers"]),
    # An item that the notice does not have leaves the notice's own unaccounted for.
    ({"goods": {"sequence_number": 2}}, ["goods[0]", "goods"]),
    # Two faults are two reasons.
    (
        {"goods": {"hs_code": "2008199100", "origin_country": "VN"}},
        ["goods[0].hs_code", "goods[0].origin_country"],
    ),
]


@pytest.mark.parametrize(("changes", "places"), MATCHES)
def test_customs_data_is_matched_field_by_field(changes, places):
    """The rule file's fields and tolerances decide; each difference is one reason at its field."""
    world = notified()
    effects = world.send(entry(NUMBER, **changes), CUSTOMS)
    holds = of(effects, Hold)
    assert [f.place.path for f in holds[0].reasons] == places if places else not holds
    assert world.case.status == ("held" if places else "cleared")


def test_a_mismatch_holds_and_says_what_differs():
    """Nothing is released; an officer is alerted; both sides get field, ours and theirs."""
    world = notified()
    effects = world.send(entry(NUMBER, goods={"quantity": {"value": "1200", "unit": "KGM"}}), CUSTOMS)
    (reason,) = of(effects, Hold)[0].reasons
    assert dict(reason.args) == {"field": "quantity", "ours": "1000", "theirs": "1200"}
    assert of(effects, Alert)[0].kind == "mismatch"
    (told,) = [s.document for s in of(effects, Send) if s.document_type == "response"]
    assert (told.outcome, told.reasons[0].field) == ("held", "goods[0].quantity.value")
    assert not [p for p in of(effects, Publish) if p.feed in ("release", "clearance")]
    assert world.case.documents["clearance"]["status"] == "issued"


def test_corrected_customs_data_lifts_the_hold():
    """The second entry matches, and the case is cleared."""
    world = notified()
    world.send(entry(NUMBER, containers=["TGHU1234567"]), CUSTOMS)
    world.send(entry(NUMBER), CUSTOMS)
    assert world.case.status == "cleared"


def test_a_corrected_notice_lifts_the_hold_too():
    """A replaced notice goes to customs again."""
    world = notified()
    world.send(entry(NUMBER, containers=["TGHU1234567"]), CUSTOMS)
    effects = world.send(notice(NUMBER, function="5", containers=["TGHU1234567"]), PORT_SIDE)
    assert world.case.status == "notified"
    assert of(effects, Send)
    world.send(entry(NUMBER, containers=["TGHU1234567"]), CUSTOMS)
    assert world.case.status == "cleared"


def test_a_cleared_case_is_not_set_back():
    """Data that differs after the clearance raises an alert and changes no status."""
    world = notified()
    world.send(entry(NUMBER), CUSTOMS)
    effects = world.send(entry(NUMBER, containers=["TGHU1234567"]), CUSTOMS)
    assert world.case.status == "cleared"
    assert of(effects, Alert)[0].kind == "contradiction"


def test_the_same_entry_again_is_late():
    """A repeat of what cleared the case is noted."""
    world = notified()
    world.send(entry(NUMBER), CUSTOMS)
    effects = world.send(entry(NUMBER), CUSTOMS)
    assert of(effects, Note)
    assert not of(effects, Send)


def test_customs_data_for_no_notice_is_refused_and_alerted():
    """Somebody must find out what customs means."""
    effects = World().send(entry(NUMBER), CUSTOMS)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.clearance.unknown"]
    assert of(effects, Alert)[0].kind == "unmatched"


def test_customs_data_comes_from_customs():
    """A bureau cannot clear a case by sending an entry itself."""
    world = notified()
    assert of(world.send(entry(NUMBER), BUREAU), Refuse)
    assert world.case.status == "notified"


@pytest.mark.parametrize("status", ["refused", "cancelled"])
def test_an_entry_that_customs_gave_up_holds_the_case(status):
    """Customs has not gone on; the enterprise learns it."""
    world = notified()
    world.send(entry(NUMBER, status=status), CUSTOMS)
    assert world.case.status == "held"


def test_customs_declines_the_notice():
    """An answer that refuses the notice holds the case with customs' words."""
    world = notified()
    said = answer("refused", document="clearance", notice_number=f"{NUMBER}000", text="电子数据不全")
    effects = world.send(said, CUSTOMS)
    assert world.case.status == "held"
    assert of(effects, Hold)[0].reasons[0].args["text"] == "电子数据不全"


def test_a_withdrawn_notice_can_be_issued_again():
    """Withdrawn, the case stands where it stood before the notice; customs is told."""
    world = notified()
    effects = world.send(notice(NUMBER, function="1", status="cancelled"), PORT_SIDE)
    assert world.case.status == "transferred"
    assert [s.to.partner_id for s in of(effects, Send)] == ["customs", "factory"]
    world.send(notice(NUMBER), PORT_SIDE)
    assert world.case.status == "notified"


def test_a_split_entry_clears_what_the_notice_allows():
    """Two halves of the notice's one item clear the case; the whole twice holds it."""
    whole = entry(NUMBER).to_json()["goods"][0] | {"notice_sequence_number": 1}
    half = whole | {
        "quantity": {"value": "500", "unit": "KGM"},
        "weight": {"value": "500", "unit": "KGM"},
        "value": {"value": "2500", "currency": "USD"},
    }
    for line, status in ((half, "cleared"), (whole, "held")):
        world = notified()
        lines = [{**line, "sequence_number": n} for n in (1, 2)]
        world.send(CustomsEntry.model_validate({**entry(NUMBER).to_json(), "goods": lines}), CUSTOMS)
        assert world.case.status == status


def test_a_withdrawn_notice_clears_nothing():
    """Not even a case that is held for another reason: the data is refused, and an officer alerted."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(notice(NUMBER), PORT_SIDE)
    world.send(notice(NUMBER, function="1", status="cancelled"), PORT_SIDE)
    for status in ("released", "held"):
        if status == "held":
            world.send(transfer(NUMBER), BUREAU)
            declined = answer("refused", "R-9", document="transfer", declaration_number=NUMBER, reference=None)
            world.send(declined, PORT_SIDE)
        effects = world.send(entry(NUMBER), CUSTOMS)
        assert codes(of(effects, Refuse)[0].reasons) == ["decide.clearance.notice_withdrawn"]
        assert of(effects, Alert)[0].kind == "unmatched"
        assert of(effects, Respond)[0].document.outcome == "refused"
        assert world.case.status == status
    world.send(notice(NUMBER), PORT_SIDE)
    world.send(entry(NUMBER), CUSTOMS)
    assert world.case.status == "cleared"


WITHDRAWN = [{"function": "1"}, {"status": "cancelled"}, {"function": "1", "status": "cancelled"}]


@pytest.mark.parametrize("changes", WITHDRAWN)
def test_a_notice_is_withdrawn_by_function_or_by_status(changes):
    """Either says that it stands no longer."""
    world = notified()
    world.send(notice(NUMBER, **changes), PORT_SIDE)
    assert world.case.status == "transferred"
    assert codes(of(world.send(entry(NUMBER), CUSTOMS), Refuse)[0].reasons) == ["decide.clearance.notice_withdrawn"]


def test_a_notice_is_used_once():
    """A second customs declaration under it is not told that its goods are cleared; somebody must look."""
    world = notified()
    world.send(entry(NUMBER), CUSTOMS)
    effects = world.send(entry(NUMBER, number="420020260000000002"), CUSTOMS)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.clearance.used"]
    assert of(effects, Respond)[0].document.outcome == "refused"
    assert of(effects, Alert)[0].kind == "unmatched"
    assert world.case.status == "cleared"

from __future__ import annotations

import pytest

from gateway.decide.effects import AddKeys, Alert, Keep, Move, NewCase, Note, Publish, Refuse, Respond, Send
from gateway.decide.facts import NextNumber
from gateway.documents import Declaration
from tests.flows.world import (
    AGENT,
    BUREAU,
    FACTORY,
    NEWCOMER,
    NOW,
    ORIGIN,
    PORT_BUREAU,
    World,
    answer,
    blacklisting,
    codes,
    inbound,
    of,
    outbound,
)


def newcomers(**changes):
    """A declaration of the enterprise whose grade needs a review."""
    values = {
        "declarant": {"registration_number": "3701000002"},
        "consignor": {"code": "3701000002", "name": "新客贸易有限公司"},
    }
    return outbound(**(values | changes))


def responded(effects):
    (respond,) = of(effects, Respond)
    return respond.document


def test_a_trusted_enterprise_gets_its_number_at_once():
    """Direct-through: the number comes back with the answer, and the inspecting bureau has the declaration."""
    world = World()
    effects = world.send(outbound(), FACTORY)
    told = responded(effects)
    assert (told.outcome, told.declaration_number) == ("accepted", f"{ORIGIN}226000001")
    assert world.case.status == "accepted"
    (sent,) = of(effects, Send)
    assert (sent.to.partner_id, sent.document.number) == ("origin-bureau", f"{ORIGIN}226000001")
    assert world.case.keys >= {
        ("declaration", f"{ORIGIN}226000001"),
        ("reference", "E-1"),
        ("contract", "C-77"),
        ("container", "CSQU3054383"),
    }
    (line,) = of(effects, Publish)
    assert (line.feed, line.partner_id, line.keys["status"]) == ("status", "factory", "accepted")


def test_numbers_count_by_bureau_direction_and_year():
    """15 digits: organisation 6, direction 1, year 2, sequence 6, each series counted by itself."""
    world = World()
    given = [
        responded(world.send(document, FACTORY)).declaration_number
        for document in (
            outbound(client_reference="A"),
            outbound(client_reference="B"),
            inbound(client_reference="C"),
        )
    ]
    assert given == ["370100226000001", "370100226000002", "370200126000001"]


def test_the_year_of_a_number_is_the_bureaus():
    """At 17:00 UTC on New Year's Eve it is the new year in China."""
    world = World()
    told = responded(world.send(outbound(), FACTORY, now=NOW.replace(month=12, day=31, hour=17)))
    assert told.declaration_number == f"{ORIGIN}227000001"


def test_when_the_numbers_are_used_up_a_person_decides():
    """The gateway's share of the range ends at 899999: what follows is the bureau's own to give."""
    world = World()
    world.counters[f"declaration:{ORIGIN}226", False] = 899_998
    last = world.send(outbound(client_reference="E-0"), FACTORY)
    assert responded(last).declaration_number == f"{ORIGIN}226899999"
    world = World(counters=world.counters)
    effects = world.send(outbound(), FACTORY)
    assert world.case.status == "in_review"
    assert codes(of(effects, Alert)[0].reasons) == ["decide.number.exhausted"]


def test_a_number_that_a_case_has_is_not_given_again():
    """The bureau gave the very number that comes next: the one after it is given, and it stays with its declaration."""
    world = World()
    world.send(newcomers(client_reference="N-1"), NEWCOMER)
    world.send(answer("accepted", reference="N-1", declaration_number=f"{ORIGIN}226000001"), BUREAU)
    effects = world.send(outbound(client_reference="E-0"), FACTORY)
    assert responded(effects).declaration_number == f"{ORIGIN}226000002"
    assert [query.attempt for query in world.asked if isinstance(query, NextNumber)] == [1, 2]


REVIEWED = [
    # Grade B is not described by any source: reviewed, to be cautious.
    (NEWCOMER, newcomers(), ["decide.review.credit"]),
    # Goods of an enterprise that nobody has graded or approved, declared by a trusted one.
    (
        FACTORY,
        outbound(consignor={"code": "9999999999", "name": "无名厂"}),
        ["decide.review.credit", "decide.review.approval"],
    ),
    # Nobody says whose goods they are: whoever declares lends them no grade of its own.
    (FACTORY, outbound(consignor=None), ["decide.review.credit", "decide.review.approval"]),
    # Another kind than plain inspection.
    (FACTORY, outbound(kind="28"), ["decide.review.kind"]),
    (FACTORY, outbound(kind=None), ["decide.review.kind"]),
    # Fireworks are on the export negative list.
    (
        FACTORY,
        outbound(goods=[{"sequence_number": 1, "hs_code": "3604100000", "ciq_code": "3604100000101"}]),
        ["decide.review.negative_list"],
    ),
    # A dangerous good is looked at whoever declares it.
    (FACTORY, outbound(goods=[{"hs_code": "2804100000", "un_number": "1049"}]), ["decide.review.condition"]),
    # So is a great value.
    (FACTORY, outbound(total_value_usd="5000000.01"), ["decide.review.condition"]),
]


@pytest.mark.parametrize(("sender", "declaration", "why"), REVIEWED)
def test_what_must_be_reviewed_gets_no_number(sender, declaration, why):
    """A reviewed declaration goes to the bureau declared to, without a number, and none is reserved for it."""
    world = World()
    effects = world.send(declaration, sender)
    assert world.case.status == "in_review"
    told = responded(effects)
    assert (told.outcome, told.declaration_number, told.code) == ("received", None, "1000")
    assert [reason.code for reason in told.reasons] == why
    assert [send.to.partner_id for send in of(effects, Send)] == ["origin-bureau"]
    assert not [query for query in world.asked if isinstance(query, NextNumber)]


def test_exactly_the_threshold_is_not_above_it():
    """5,000,000 USD goes straight through."""
    world = World()
    world.send(outbound(total_value_usd="5000000"), FACTORY)
    assert world.case.status == "accepted"


def test_the_blacklist_outranks_the_grade():
    """An enterprise on the blacklist is excluded from the direct way, and an officer is alerted."""
    world = World(rules=blacklisting("3701000001"))
    effects = world.send(outbound(), FACTORY)
    assert world.case.status == "in_review"
    assert of(effects, Alert)[0].kind == "review"


REFUSED = [
    # A stranger's registration number.
    (
        NEWCOMER,
        newcomers(declarant={"registration_number": "3701000001"}),
        "decide.declarant.not_sender",
        "declarant.registration_number",
    ),
    # An agent that the goods' owner has not appointed.
    (
        AGENT,
        newcomers(declarant={"registration_number": "3701000003"}),
        "decide.enterprise.not_appointed",
        "consignor.code",
    ),
    # A bureau that is not there.
    (
        FACTORY,
        outbound(declaration_organisation="999999"),
        "decide.bureau.unknown",
        "declaration_organisation",
    ),
    # No bureau at all.
    (FACTORY, outbound(declaration_organisation=None), "decide.bureau.unknown", "declaration_organisation"),
    # A number brought along that was never issued.
    (FACTORY, outbound(number="370100226000099"), "decide.declaration.number_unknown", "number"),
    # A change of nothing.
    (FACTORY, outbound(function="4"), "decide.declaration.unknown", "function"),
    # A cancellation of nothing.
    (FACTORY, outbound(function="1"), "decide.declaration.unknown", "function"),
]


@pytest.mark.parametrize(("sender", "declaration", "code", "path"), REFUSED)
def test_what_cannot_be_is_refused_at_its_field(sender, declaration, code, path):
    """A refusal makes no case; the answer names the field."""
    world = World()
    effects = world.send(declaration, sender)
    assert not world.ground.cases
    (refusal,) = of(effects, Refuse)
    assert [(f.code, f.place.path) for f in refusal.reasons] == [(code, path)]
    assert responded(effects).outcome == "refused"


def test_an_agent_acts_for_the_enterprise_that_appointed_it():
    """The owner's grade decides; the agent is answered, in its own language."""
    world = World()
    effects = world.send(outbound(declarant={"registration_number": "3701000003"}), AGENT)
    assert world.case.status == "accepted"
    assert world.case.partner_id == "agent"
    assert of(effects, NewCase)[0].partner_id == "agent"


def test_the_same_declaration_again_is_told_where_it_stands():
    """A repeat under the same reference makes no second case and no second number."""
    world = World()
    first = responded(world.send(outbound(), FACTORY))
    effects = world.send(outbound(), FACTORY)
    assert len(world.ground.cases) == 1
    assert responded(effects).declaration_number == first.declaration_number
    assert not of(effects, Send)
    assert of(effects, Note)[0].kind == "repeat"


def test_another_declaration_under_the_same_reference_is_refused():
    """A business number stands for one declaration."""
    world = World()
    world.send(outbound(), FACTORY)
    effects = world.send(outbound(contract_number="C-78"), FACTORY)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.declaration.reference_used"]


def test_two_enterprises_may_use_the_same_reference():
    """The sender's own number is its own."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(newcomers(), NEWCOMER)
    assert len(world.ground.cases) == 2


def test_nobody_changes_anothers_declaration():
    """A number that belongs to another sender's case is refused without a word about that case."""
    world = World()
    number = responded(world.send(outbound(), FACTORY)).declaration_number
    effects = world.send(newcomers(number=number, function="1", client_reference="X"), NEWCOMER)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.case.not_yours"]
    assert of(effects, Respond)[0].case == ""


def test_an_amendment_of_an_accepted_declaration_waits_for_the_bureau():
    """Until the bureau agrees, the declaration as accepted stands; then the amendment does, under the same number."""
    world = World()
    number = responded(world.send(outbound(), FACTORY)).declaration_number
    effects = world.send(outbound(function="4", contract_number="C-78"), FACTORY)
    assert world.case.status == "amending"
    assert world.case.documents["declaration"]["contract_number"] == "C-77"
    assert of(effects, Send)[0].document.number == number
    world.send(answer("accepted", "R-2"), BUREAU)
    assert world.case.status == "accepted"
    assert world.case.documents["declaration"]["contract_number"] == "C-78"
    assert world.case.documents["declaration"]["number"] == number


def test_a_change_holds_only_what_changes():
    """What it does not mention stays; a second change is laid over the first; the bureau gets the whole."""
    world = World()
    number = responded(world.send(outbound(transport={"mode": "1", "voyage": "012E"}), FACTORY)).declaration_number
    base = {"direction": "outbound", "function": "4", "number": number}
    world.send(Declaration.model_validate(base | {"transport": {"voyage": "013E"}}), FACTORY)
    effects = world.send(Declaration.model_validate(base | {"contract_number": "C-78"}), FACTORY)
    (sent,) = [s.document for s in of(effects, Send)]
    assert (sent.transport.mode, sent.transport.voyage) == ("1", "013E")
    assert (sent.contract_number, sent.consignor.code) == ("C-78", "3701000001")
    world.send(answer("accepted"), BUREAU)
    assert world.case.documents["declaration"]["goods"][0]["name"] == "花生仁"
    assert world.case.documents["declaration"]["transport"] == {"mode": "1", "voyage": "013E"}


def test_a_declined_amendment_leaves_the_declaration_as_it_was():
    """The bureau's refusal of an amendment refuses the amendment, not the declaration."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(outbound(function="4", contract_number="C-78"), FACTORY)
    world.send(answer("refused", "R-2"), BUREAU)
    assert world.case.status == "accepted"
    assert world.case.documents["declaration"]["contract_number"] == "C-77"


def test_what_is_part_of_the_number_cannot_be_amended():
    """The number says bureau and direction."""
    world = World()
    world.send(outbound(), FACTORY)
    effects = world.send(outbound(function="4", declaration_organisation=PORT_BUREAU), FACTORY)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.amendment.fixed"]
    assert world.case.status == "accepted"


def test_an_amendment_in_review_replaces_what_is_reviewed():
    """Nobody has decided yet, so the newer declaration is simply the one to review."""
    world = World()
    world.send(newcomers(), NEWCOMER)
    effects = world.send(newcomers(function="4", contract_number="C-78"), NEWCOMER)
    assert world.case.status == "in_review"
    assert of(effects, Keep)[0].document_type == "declaration"


@pytest.mark.parametrize("function", ["5", "9"])
def test_a_refused_declaration_can_be_sent_anew(function):
    """After a refusal the corrected declaration comes under the same reference and is decided afresh."""
    world = World()
    world.send(newcomers(), NEWCOMER)
    world.send(answer("refused"), BUREAU)
    assert world.case.status == "refused"
    world.send(newcomers(function=function, contract_number="C-78"), NEWCOMER)
    assert world.case.status == "in_review"
    assert len(world.ground.cases) == 1


def test_a_cancellation_in_review_is_done_at_once():
    """Nobody has acted on it; the bureau is told."""
    world = World()
    world.send(newcomers(), NEWCOMER)
    effects = world.send(newcomers(function="1"), NEWCOMER)
    assert world.case.status == "cancelled"
    assert responded(effects).outcome == "cancelled"
    assert of(effects, Send)[0].document.function == "1"


def test_a_cancellation_after_acceptance_needs_the_bureau():
    """Cancelled only when the bureau says so; refused, the declaration stands."""
    for outcome, after in (("cancelled", "cancelled"), ("refused", "accepted")):
        world = World()
        world.send(outbound(), FACTORY)
        world.send(outbound(function="1"), FACTORY)
        assert world.case.status == "cancelling"
        world.send(answer(outcome), BUREAU)
        assert world.case.status == after


def test_the_bureau_in_charge_is_asked():
    """In review that is the bureau declared to, after the acceptance the inspecting one."""
    for sender, first, asked in ((FACTORY, outbound, "port-bureau"), (NEWCOMER, newcomers, "origin-bureau")):
        world = World()
        world.send(first(inspection_organisation=PORT_BUREAU), sender)
        for function in ("4", "1"):
            effects = world.send(first(inspection_organisation=PORT_BUREAU, function=function), sender)
            assert [s.to.partner_id for s in of(effects, Send)] == [asked]


def test_test_traffic_never_meets_a_live_case():
    """The same reference under the test flag is another case, with a number of its own series."""
    world = World()
    live = world.send(outbound(), FACTORY)
    test = world.send(outbound(), FACTORY, test=True)
    assert of(live, NewCase)[0].case != of(test, NewCase)[0].case
    assert world.counters == {(f"declaration:{ORIGIN}226", False): 1, (f"declaration:{ORIGIN}226", True): 1}
    assert all(getattr(query, "test", True) for query in world.asked)


def test_keys_of_a_refused_message_are_not_added():
    """Nothing of a refused declaration can be found later."""
    effects = World().send(outbound(declaration_organisation="999999"), FACTORY)
    assert not of(effects, AddKeys)
    assert not of(effects, Move)

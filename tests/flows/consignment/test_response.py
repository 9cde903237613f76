from __future__ import annotations

import pytest

from gateway.decide.effects import Alert, Effect, Hold, Note, Publish, Refuse, Respond, Send
from tests.flows.consignment.test_declaration import newcomers
from tests.flows.world import (
    AGENT,
    BUREAU,
    FACTORY,
    NEWCOMER,
    ORIGIN,
    PORT_SIDE,
    STRANGER,
    World,
    answer,
    codes,
    inbound,
    of,
    outbound,
    transfer,
)

NUMBER = f"{ORIGIN}226000001"


def reviewed() -> World:
    world = World()
    world.send(newcomers(), NEWCOMER)
    return world


def told(effects: list[Effect]):
    (send,) = [s for s in of(effects, Send) if s.document_type == "response"]
    return send


def test_the_bureaus_acceptance_sets_its_number():
    """The number comes with the bureau's answer, and the enterprise learns it."""
    world = reviewed()
    effects = world.send(answer("accepted", declaration_number=f"{ORIGIN}226000777"), BUREAU)
    assert world.case.status == "accepted"
    assert ("declaration", f"{ORIGIN}226000777") in world.case.keys
    assert told(effects).to.partner_id == "newcomer"
    assert [s.document_type for s in of(effects, Send)] == ["response"]  # the bureau has the declaration already
    assert told(effects).document.declaration_number == f"{ORIGIN}226000777"
    assert of(effects, Publish)[0].keys["status"] == "accepted"


def test_an_acceptance_without_a_number_gets_one():
    """A bureau that leaves the numbers to the gateway is given one."""
    world = reviewed()
    effects = world.send(answer("accepted"), BUREAU)
    assert told(effects).document.declaration_number == NUMBER


def test_after_review_the_inspecting_bureau_gets_the_declaration():
    """Declared to one bureau, inspected by another: the second has it once the number is there."""
    world = World()
    world.send(newcomers(inspection_organisation="370200"), NEWCOMER)
    effects = world.send(answer("accepted"), BUREAU)
    (sent,) = [s for s in of(effects, Send) if s.document_type == "declaration"]
    assert (sent.to.partner_id, sent.document.number) == ("port-bureau", NUMBER)


WRONG_NUMBERS = [
    # Another bureau's number.
    ("440100226000001", "decide.number.form"),
    # An inbound number for an outbound declaration.
    (f"{ORIGIN}126000001", "decide.number.form"),
]


@pytest.mark.parametrize(("number", "code"), WRONG_NUMBERS)
def test_a_number_that_cannot_be_is_held(number, code):
    """An officer must look; the case does not move."""
    world = reviewed()
    effects = world.send(answer("accepted", declaration_number=number), BUREAU)
    assert codes(of(effects, Hold)[0].reasons) == [code]
    assert of(effects, Alert)
    assert world.case.status == "in_review"


def test_a_case_keeps_its_number():
    """One number from start to end: an answer with another is held."""
    world = World()
    world.send(outbound(), FACTORY)
    effects = world.send(answer("released", number="E-1", declaration_number=f"{ORIGIN}226000555"), BUREAU)
    assert codes(of(effects, Hold)[0].reasons) == ["decide.number.differs"]
    assert world.case.status == "accepted"


def test_a_number_is_given_to_one_case_only():
    """A number that another case has is not given again."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(newcomers(client_reference="E-2"), NEWCOMER)
    effects = world.send(answer("accepted", reference="E-2", declaration_number=NUMBER), BUREAU)
    assert codes(of(effects, Hold)[0].reasons) == ["decide.number.taken"]


PROGRESS = [
    # Refused in review: the declaration is refused, with the bureau's words.
    (["refused"], "refused"),
    # Assigned, inspection ordered, released.
    (["accepted", "received/1400", "received/1500", "released"], "released"),
    # Refused after acceptance: the goods have failed.
    (["accepted", "refused"], "failed"),
    # Failed does not outrank released.
    (["accepted", "released", "refused"], "released"),
    # An acceptance after the release is late.
    (["released", "accepted"], "released"),
    # An inspection order after the release is late.
    (["accepted", "released", "received/1500"], "released"),
    # "Received" says nothing new.
    (["received"], "in_review"),
]


@pytest.mark.parametrize(("outcomes", "status"), PROGRESS)
def test_answers_move_the_case_along_the_table(outcomes, status):
    """Whatever order the bureau's answers come in, the case ends where the table says."""
    world = reviewed()
    for n, outcome in enumerate(outcomes):
        said, _, code = outcome.partition("/")
        world.send(answer(said, f"R-{n}", code=code or None), BUREAU)
    assert world.case.status == status


def test_the_same_answer_again_changes_nothing():
    """Answers have ids of their own; a repeat is noted, and not taken for a second decision."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(answer("accepted"), BUREAU)
    world.send(outbound(function="4", contract_number="C-78"), FACTORY)
    effects = world.send(answer("accepted"), BUREAU)
    assert world.case.status == "amending"
    assert [type(effect) for effect in effects] == [Note]


DECLINED = [
    # Declined, a request leaves the case where it was made.
    (["cancel", "refused"], "accepted"),
    (["1400", "cancel", "refused"], "inspecting"),
    (["released", "cancel", "refused"], "released"),
    (["1400", "amend", "refused"], "inspecting"),
    # Asked for again, and declined again.
    (["released", "cancel", "refused", "cancel", "refused"], "released"),
    (["1400", "amend", "amend", "refused"], "inspecting"),
    # The goods have gone on between two requests.
    (["cancel", "refused", "1400", "cancel", "refused"], "inspecting"),
    (["1400", "cancel", "refused", "released", "cancel", "refused"], "released"),
    # Once it is released again, a refusal is as late as it was before the cancellation.
    (["released", "cancel", "refused", "refused"], "released"),
    # An amendment is still open when the cancellation asked for after it is declined.
    # Let pass once more, the withdrawal that was asked for since is declined.
    (["released", "cancel", "released"], "released"),
    (["1400", "amend", "cancel", "refused"], "amending"),
    (["1400", "amend", "cancel", "refused", "refused"], "inspecting"),
    (["1400", "amend", "cancel", "refused", "accepted"], "inspecting"),
    (["1400", "amend", "cancel", "cancelled"], "cancelled"),
    # An amendment agreed is accepted anew; what was left before it counts no longer.
    (["1400", "amend", "accepted", "cancel", "refused"], "inspecting"),
]


def told_to_cancel(steps: list[str]) -> World:
    """A declaration that went straight through, and then what the enterprise asks and the bureau answers."""
    world = World()
    world.send(outbound(), FACTORY)
    for n, said in enumerate(steps):
        if said in ("amend", "cancel"):
            function, changes = ("4", {"contract_number": f"C-{n}"}) if said == "amend" else ("1", {})
            world.send(outbound(function=function, **changes), FACTORY)
        elif said == "1400":
            world.send(answer("received", f"R-{n}", code=said), BUREAU)
        else:
            world.send(answer(said, f"R-{n}"), BUREAU)
    return world


@pytest.mark.parametrize(("steps", "status"), DECLINED)
def test_a_declined_request_sets_nothing_back(steps, status):
    """The bureau's refusal of a change or a cancellation refuses that, and takes nothing from what it said before."""
    world = told_to_cancel(steps)
    assert world.case.status == status


def test_an_amendment_behind_a_cancellation_is_overtaken_too():
    """A release while both are open: the enterprise is told that its amendment had no effect."""
    world = told_to_cancel(["amend", "cancel"])
    effects = world.send(answer("released", "R-9"), BUREAU)
    assert world.case.status == "released"
    assert "decide.amendment.overtaken" in [reason.code for reason in told(effects).document.reasons]


def test_every_sender_counts_its_answers_by_itself():
    """The port's bureau answers with an id that the other bureau has used: it is heard; its repeat is not."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(answer("received", "1", code="1400"), BUREAU)
    world.send(transfer(NUMBER), BUREAU)
    declined = answer("refused", "1", document="transfer", declaration_number=NUMBER, reference=None, number="T-1")
    world.send(declined, PORT_SIDE)
    assert world.case.status == "held"
    world.send(transfer(NUMBER, number="T-2"), BUREAU)
    assert [type(effect) for effect in world.send(declined, PORT_SIDE)] == [Note]
    assert world.case.status == "transferred"


def test_an_id_seen_makes_no_stranger_concerned():
    """A stranger that repeats a known id is refused like any stranger, and the keys tell nobody who has answered."""
    world = reviewed()
    world.send(answer("received"), BUREAU)
    effects = world.send(answer("received"), STRANGER)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.sender.not_concerned"]
    (seen,) = [value for kind, value in world.case.keys if kind == "response"]
    assert BUREAU.id not in seen


def test_an_answer_from_a_stranger_is_refused():
    """Only a bureau that the declaration went to may answer it."""
    world = reviewed()
    effects = world.send(answer("accepted"), STRANGER)
    assert codes(of(effects, Refuse)[0].reasons) == ["decide.sender.not_concerned"]
    assert world.case.status == "in_review"


def test_an_answer_to_nothing_is_alerted():
    """An answer whose case is unknown is not lost: an operator sees it."""
    effects = World().send(answer("accepted", reference="NO-SUCH"), BUREAU)
    assert codes(of(effects, Alert)[0].reasons) == ["decide.case.unknown"]


def test_two_enterprises_with_one_reference_are_not_confused():
    """Where the reference alone does not tell, nothing is guessed; a bureau that only one concerns is clear."""
    world = World()
    world.send(newcomers(), NEWCOMER)
    world.send(outbound(), FACTORY)
    assert of(world.send(answer("released"), BUREAU), Alert)
    assert {case.status for case in world.ground.cases.values()} == {"in_review", "accepted"}
    world.send(inbound(declarant={"registration_number": "3701000003"}), AGENT)
    world.send(answer("released", "R-9"), PORT_SIDE)
    assert {c.partner_id: c.status for c in world.ground.cases.values()}["agent"] == "released"


def test_no_answer_is_ever_answered():
    """Two gateways that answer each other would never stop."""
    world = reviewed()
    for n, outcome in enumerate(("received", "accepted", "held", "released", "refused", "cancelled")):
        assert not of(world.send(answer(outcome, f"R-{n}"), BUREAU), Respond)
    assert not of(World().send(answer("accepted"), STRANGER), Respond)


def test_a_contradiction_raises_an_alert():
    """A bureau that says failed after it said released is not obeyed, but somebody must look."""
    world = reviewed()
    world.send(answer("released", "R-1"), BUREAU)
    effects = world.send(answer("refused", "R-2"), BUREAU)
    assert of(effects, Alert)[0].kind == "contradiction"


def test_a_release_while_an_amendment_is_open_overtakes_it():
    """The enterprise is told that its amendment had no effect."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(outbound(function="4", contract_number="C-78"), FACTORY)
    effects = world.send(answer("released"), BUREAU)
    assert world.case.status == "released"
    assert "decide.amendment.overtaken" in [reason.code for reason in told(effects).document.reasons]

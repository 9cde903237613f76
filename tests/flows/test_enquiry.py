"""The enquiry flow: own consignments are told of, and everything else is unknown in the same words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.decide.effects import Effect, Refuse, Respond
from gateway.documents import Enquiry, Response
from gateway.documents.response import Outcome, Told
from gateway.model import Partner
from tests.flows.world import BUREAU, FACTORY, NEWCOMER, World, outbound


def ask(world: World, sender: Partner, key: str, about: str = "progress", **more: object) -> list[Effect]:
    values = {"reference": "ENQ-1", "about": about, "key": key, **more}
    return world.send(Enquiry.model_validate(values), sender)


def answered(effects: list[Effect]) -> Response:
    """The answer, of which no case knows."""
    (respond,) = (effect for effect in effects if isinstance(effect, Respond))
    assert respond.case == ""
    assert isinstance(respond.document, Response)
    return respond.document


def lines(response: Response) -> list[tuple[str, str]]:
    return [(line.name, line.value) for line in response.answer]


def opened(sender: Partner = FACTORY) -> World:
    world = World()
    world.send(outbound(), sender)
    return world


def test_the_declarer_learns_where_its_consignment_stands() -> None:
    """The status and each track, in its language, under the number that people call it by; nothing changes by it."""
    world = opened()
    number = dict(world.case.keys)["declaration"]
    before = world.case
    response = answered(ask(world, FACTORY, number))
    assert (response.outcome, response.reference) == (Outcome.ACCEPTED, "ENQ-1")
    assert lines(response) == [("status", "accepted"), ("declaration", "accepted")]
    assert {line.number for line in response.answer} == {number}
    assert response.answer[0] == Told(number=number, name="status", value="accepted", text="accepted")
    assert world.case == before


def test_words_are_the_askers() -> None:
    """A Chinese reader is answered in Chinese, with no English word left."""
    response = answered(ask(opened(), replace(FACTORY, language="zh"), "E-1", question="何时放行？"))
    assert len(response.answer) == 2
    for line in response.answer:
        assert line.text
        assert not any("a" <= letter <= "z" for letter in line.text)
    (reason,) = response.reasons
    assert (reason.code, reason.text) == ("decide.enquiry.words", "文字提问已随查询留存，系统不自动答复。")


def test_business_is_numbers_and_documents() -> None:
    """Every number by which the consignment goes, none by which only the gateway finds it, and what documents there are."""
    world = opened()
    told = lines(answered(ask(world, FACTORY, "E-1", "business")))
    assert ("reference", "E-1") in told
    assert ("contract", "C-77") in told
    assert ("document", "declaration") in told
    assert "response" not in {name for name, _ in told}


@pytest.mark.parametrize("asker", [NEWCOMER, BUREAU], ids=lambda one: one.id)
@pytest.mark.parametrize("about", ["progress", "business"])
def test_anothers_is_unknown_in_the_same_words_as_nobodys(asker: Partner, about: str) -> None:
    """Word for word: nothing in the answer tells whether there is such a number."""
    world = opened()
    number = dict(world.case.keys)["declaration"]
    foreign, missing = ask(world, asker, number, about), ask(world, asker, "9" * 15, about)
    assert [type(effect) for effect in foreign] == [type(effect) for effect in missing]
    texts = []
    for effects, key in ((foreign, number), (missing, "9" * 15)):
        response = answered(effects)
        assert (response.outcome, response.answer) == (Outcome.REFUSED, ())
        (refuse,) = (effect for effect in effects if isinstance(effect, Refuse))
        assert refuse.case == ""
        said = response.to_json() | {"id": ""}
        texts.append(str(said).replace(key, "KEY"))
    assert texts[0] == texts[1]


def test_whoever_takes_part_is_told_too() -> None:
    """A bureau that was sent the declaration asks about it like its declarer."""
    world = opened()
    world.parts.add((world.case.id, BUREAU.id))
    assert answered(ask(world, BUREAU, "E-1")).outcome is Outcome.ACCEPTED

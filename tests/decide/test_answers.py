"""How a decision is worded (gateway/decide/answers.py)."""

from __future__ import annotations

import pytest

from gateway.decide.answers import Subject, fault, refuse, response, tell
from gateway.decide.desk import Actor, Desk, MessageIn
from gateway.decide.effects import Refuse, Respond
from gateway.decide.facts import Facts
from gateway.documents.response import Outcome
from gateway.model import Partner, Role
from tests.flows.world import FACTORY, NOW, RULES, outbound

DESK = Desk(MessageIn("declaration", outbound(), Actor(FACTORY), "m-1", NOW), Facts(), RULES, NOW)


@pytest.mark.parametrize(
    ("text", "shown"),
    [(None, ""), ("", ""), (7, "7"), ("x" * 1000, "x" * 1000), ("x" * 1001, "x" * 999 + "…")],
)
def test_a_reason_shows_a_value_as_long_as_there_is_room_for(text: object, shown: str) -> None:
    """A thousand characters, of the value and of each word in it; what is cut ends in an ellipsis."""
    found = fault("decide.differs", "number", text, ours=text)
    assert (found.value, found.args["ours"], found.place.path) == (shown, shown, "number")


def test_a_response_has_an_id_of_what_it_says() -> None:
    """The same said of the same is the same response; another outcome, number, type or language is another one."""
    about = Subject("transfer", number="T-1")

    def id_(subject: Subject = about, outcome: Outcome = Outcome.ACCEPTED, language: str = "en") -> str:
        return response(DESK, subject, outcome, language).id

    others = [
        id_(Subject("declaration", number="T-1")), id_(Subject("transfer", number="T-2")),
        id_(outcome=Outcome.HELD), id_(language="zh"),
    ]  # fmt: skip
    assert id_() == id_()
    assert len({id_(), *others}) == 5


@pytest.mark.parametrize(("document", "code"), [("declaration", "1101"), ("transfer", None)])
def test_a_refusal_is_told_to_the_sender(document: str, code: str | None) -> None:
    """With its reasons in the sender's language; of a declaration it has the inspection service's code."""
    why = [fault("decide.repeat")]
    refused, told = refuse(DESK, Subject(document), why, "case-1")
    assert refused == Refuse(tuple(why), "case-1")
    assert isinstance(told, Respond)
    assert (told.case, told.document.model_dump()["code"]) == ("case-1", code)


@pytest.mark.parametrize(
    ("roles", "role"), [({Role.PORT}, Role.PORT), (set(), Role.ENTERPRISE), ({Role.CUSTOMS, Role.BUREAU}, Role.BUREAU)]
)
def test_whoever_is_told_is_told_in_one_of_its_roles(roles: set[Role], role: Role) -> None:
    """The same one each time; a partner without any is an enterprise."""
    sent = tell("case-1", Partner("p", "P", frozenset(roles)), response(DESK, Subject("transfer"), Outcome.HELD, "en"))
    assert (sent.case, sent.to.role, sent.to.partner_id, sent.document_type) == ("case-1", role, "p", "response")

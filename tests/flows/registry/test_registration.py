"""The registration flow: each line by itself, versions with days, and who may register what (flows/registry)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decide import subjects
from gateway.decide.effects import Effect, Publish, Refuse, Register, Respond
from gateway.documents import Registration, Response
from gateway.documents.registration import Action, Attributes, Supervision
from gateway.documents.response import Outcome
from gateway.model import Partner, Registered, SubjectVersion
from tests.flows.world import BUREAU, CUSTOMS, FACTORY, NEWCOMER, NOW, PORT, World

FIRM = ("ciq-registration", "3701000009")
TODAY = date(2026, 11, 20)
LATER = date(2026, 12, 1)


def line(action: str = "register", valid_from: date = TODAY, subject: tuple[str, str] = FIRM, **more: Any) -> Any:
    scheme, value = subject
    return {"scheme": scheme, "value": value, "action": action, "valid_from": valid_from.isoformat(), **more}


def send(world: World, *lines: Any, sender: Partner = BUREAU, days: int = 0) -> list[Effect]:
    document = Registration.model_validate({"reference": "REG-1", "lines": lines})
    return world.send(document, sender, now=NOW + timedelta(days=days))


def outcomes(effects: list[Effect]) -> list[tuple[int, str, list[str]]]:
    """(number, outcome, codes of reasons) of each line of the answer."""
    (respond,) = (effect for effect in effects if isinstance(effect, Respond))
    assert isinstance(respond.document, Response)
    return [(one.number, one.outcome.value, [r.code for r in one.reasons]) for one in respond.document.lines]


def registered(world: World, day: date, subject: tuple[str, str] = FIRM) -> Registered:
    made = world.ground.subjects.get((*subject, False), ())
    return subjects.lay_over(Registered(), made, day)


def test_lines_stand_and_fall_by_themselves() -> None:
    """One bad line among good ones: the good ones are registered, each line has its outcome, and authorities are told."""
    world = World()
    effects = send(
        world,
        line(name="齐鲁食品"),
        line(subject=("postcode", "250000")),
        line(subject=("ciq-registration", "3701000010"), name="泰山果品"),
    )
    assert outcomes(effects) == [
        (1, "accepted", []),
        (2, "refused", ["decide.registration.scheme"]),
        (3, "accepted", []),
    ]
    assert len([one for one in effects if isinstance(one, Register)]) == 2
    (published,) = (one for one in effects if isinstance(one, Publish))
    assert isinstance(published.document, Registration)
    assert (published.feed, published.partner_id, len(published.document.lines)) == ("registry", "", 2)


def test_a_version_holds_from_its_day_on() -> None:
    """What is registered for a later day is not so before it, and both versions are kept."""
    world = World()
    send(world, line(name="齐鲁食品", attributes={"credit_grade": "B"}))
    send(world, line("change", LATER, attributes={"credit_grade": "AA"}))
    grades = [subjects.attributes_of(registered(world, day)).credit_grade for day in (TODAY, LATER)]
    assert grades == ["B", "AA"]
    assert (registered(world, TODAY - timedelta(days=1)).version, registered(world, LATER).newest) == (None, 2)


def test_a_change_is_laid_over_what_was_there() -> None:
    """An attribute that is not given stays; a list that is given is the whole list."""
    world = World()
    one, two = ({"agent": f"370100000{n}"} for n in (1, 2))
    send(world, line(name="齐鲁食品", attributes={"credit_grade": "B", "agents": [one, two]}))
    send(world, line("change", attributes={"agents": [two]}))
    attributes = subjects.attributes_of(registered(world, TODAY))
    assert (attributes.credit_grade, [one.agent for one in attributes.agents]) == ("B", ["3701000002"])


def test_classes_are_no_grades() -> None:
    """A class belongs to a group of products and leaves the firm's grade alone, and the other way round."""
    world = World()
    classes = [{"product_group": "fruit", "supervision": "I"}, {"product_group": "meat", "supervision": "III"}]
    send(world, line(attributes={"supervision": classes}))
    attributes = subjects.attributes_of(registered(world, TODAY))
    assert attributes.credit_grade is None
    found = [subjects.supervision_of(attributes, group) for group in ("fruit", "meat", "fish")]
    assert found == [Supervision.I, Supervision.III, None]


STATES = ("", "registered", "suspended", "closed")
ALLOWED = {
    ("", "register"), ("registered", "change"), ("suspended", "change"), ("registered", "suspend"),
    ("suspended", "restore"), ("registered", "close"), ("suspended", "close"),
    ("registered", "register"),  # a repeat
}  # fmt: skip
"""From which state what may be done, by hand from the table of filings."""
WAYS = {"": [], "registered": ["register"], "suspended": ["register", "suspend"], "closed": ["register", "close"]}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", [action.value for action in Action])
def test_every_action_in_every_state(state: str, action: str) -> None:
    """What the table does not allow is refused at its line, and changes nothing."""
    world = World()
    for step in WAYS[state]:
        send(world, line(step))
    before = registered(world, TODAY)
    effects = send(world, line(action))
    if (state, action) in ALLOWED:
        assert outcomes(effects) == [(1, "accepted", [])]
    else:
        assert outcomes(effects) == [(1, "refused", ["decide.registration.state"])]
        assert any(isinstance(effect, Refuse) for effect in effects)
        assert registered(world, TODAY) == before


def test_a_list_that_comes_again_changes_nothing() -> None:
    """Every line is accepted, and no version is made."""
    world = World()
    lines = [line(name="齐鲁食品", attributes={"credit_grade": "A"})]
    send(world, *lines)
    again = send(world, *lines)
    assert outcomes(again) == [(1, "accepted", [])]
    assert not [effect for effect in again if isinstance(effect, Register)]
    assert registered(world, TODAY).newest == 1


@pytest.mark.parametrize(
    ("sender", "lines", "codes"),
    [
        # nobody's day that is past is changed
        (BUREAU, [line(valid_from=TODAY - timedelta(days=1))], [["decide.registration.retroactive"]]),
        # the second line of one subject
        (BUREAU, [line(name="甲"), line(name="乙")], [[], ["decide.registration.twice"]]),
        # a firm registers nothing of another, nor its own grade
        (NEWCOMER, [line()], [["decide.registration.not_yours"]]),
        (FACTORY, [line(subject=("ciq-registration", "3701000001"), attributes={"credit_grade": "AA"})],
         [["decide.registration.attribute"]]),
        # it names its own agents
        (FACTORY, [line(subject=("ciq-registration", "3701000001"), attributes={"agents": [{"agent": "3701000003"}]})],
         [[]]),
        # customs excludes, and does not grade
        (CUSTOMS, [line(attributes={"blacklist": [{"since": "2026-11-20"}]})], [[]]),
        (CUSTOMS, [line(attributes={"credit_grade": "D"})], [["decide.registration.attribute"]]),
        (PORT, [line()], [["decide.registration.not_yours"]]),
    ],
)  # fmt: skip
def test_who_may_register_what(sender: Partner, lines: list[Any], codes: list[list[str]]) -> None:
    """A row: who sends, what, and why each line is refused."""
    assert [found for _, _, found in outcomes(send(World(), *lines, sender=sender))] == codes


def test_another_name_under_the_same_number_is_refused() -> None:
    """A number that is registered under another name is somebody's mistake, and is not overwritten by registering again."""
    world = World()
    send(world, line(name="齐鲁食品"))
    assert outcomes(send(world, line(name="鲁齐食品"))) == [(1, "refused", ["decide.registration.name"])]


def test_the_audit_tells_who_registered_what() -> None:
    """One entry a version, with the one before it and by name what is registered, but not what it says."""
    world = World()
    send(world, line(name="齐鲁食品", attributes={"credit_grade": "B"}))
    send(world, line("suspend"))
    assert [(one.action, one.partner_id, one.subject) for one in world.audit] == [
        ("registry.register", BUREAU.id, "ciq-registration 3701000009")
    ] * 2
    assert world.audit[1].before["state"] == "registered"
    assert world.audit[1].after == {
        "version": "2", "valid_from": "2026-11-20", "state": "suspended", "name": "齐鲁食品", "attributes": "credit_grade",
    }  # fmt: skip


# What holds on a day.


def version(number: int, day: date) -> SubjectVersion:
    return SubjectVersion(*FIRM, number, day, "registered")


@given(st.lists(st.dates(TODAY, LATER), min_size=1, max_size=12), st.dates(TODAY, LATER))
@settings(max_examples=200, deadline=None)
def test_the_version_of_a_day_is_the_last_that_had_begun(days: list[date], day: date) -> None:
    """However they were registered, and however they are laid over one another: walked day by day, it is the same."""
    versions = [version(number, begins) for number, begins in enumerate(days, 1)]
    walked = None
    for one in sorted(versions, key=lambda one: one.valid_from):  # stable: of one day, the later registered comes last
        if one.valid_from <= day:
            walked = one
    assert subjects.choose_version(versions, day) == walked
    known = subjects.lay_over(Registered(), versions[:1], day)
    assert subjects.lay_over(known, versions[1:], day) == Registered(walked, len(versions))


def test_spans_and_approvals_end_with_their_days() -> None:
    """First and last day count; an approval that is not yet, or none, is none."""
    attributes = Attributes.model_validate(
        {
            "blacklist": [{"since": "2026-11-20", "until": "2026-11-30"}],
            "direct_through": {"approved": True, "since": "2026-11-25"},
            "fast_release": {"approved": False},
            "agents": [{"agent": "3701000003", "since": "2026-11-20", "until": "2026-11-21"}],
            "persons": [{"number": "P-1", "until": "2026-11-21"}],
        }
    )
    days = [date(2026, 11, day) for day in (19, 20, 21, 22, 25, 30)] + [LATER]
    assert [subjects.is_blacklisted(attributes, day) for day in days] == [False, True, True, True, True, True, False]
    assert [subjects.is_direct_through(attributes, day) for day in days] == [False] * 4 + [True] * 3
    assert not any(subjects.is_fast_release(attributes, day) for day in days)
    assert [subjects.find_agent(attributes, "3701000003", day) is not None for day in days[:4]] == [
        False, True, True, False,
    ]  # fmt: skip
    assert [subjects.find_person(attributes, "P-1", day) is not None for day in days[:4]] == [True, True, True, False]
    assert subjects.is_active(Registered(version(1, TODAY), 1))
    assert not subjects.is_active(Registered())


def test_a_refusal_of_all_says_so() -> None:
    """Where no line can be registered, the whole is refused with the reasons of its lines."""
    effects = send(World(), line("change"))
    (respond,) = (effect for effect in effects if isinstance(effect, Respond))
    assert isinstance(respond.document, Response)
    assert respond.document.outcome is Outcome.REFUSED
    assert [reason.code for reason in respond.document.reasons] == ["decide.registration.state"]

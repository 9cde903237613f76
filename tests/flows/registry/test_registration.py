"""The registration flow: each line by itself, versions with days, and who may register what (flows/registry)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import findings
from gateway.decide import subjects
from gateway.decide.effects import Effect, Publish, Refuse, Register, Respond
from gateway.documents import Registration, Response
from gateway.documents.registration import Action, Attributes, Supervision
from gateway.documents.response import Outcome
from gateway.model import Partner, Registered, Role, SubjectVersion
from tests.flows.world import BUREAU, CUSTOMS, FACTORY, NEWCOMER, NOW, PORT, World

FIRM = ("ciq-registration", "3701000009")
ITSELF = ("ciq-registration", "3701000001")
"""FACTORY's own number."""
ITS_AGENT = replace(FACTORY, id="its-agent", roles=frozenset({Role.AGENT}))
"""An agent that goes by that number too."""
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
    found = {one.product_group: one.supervision for one in attributes.supervision}
    assert found == {"fruit": Supervision.I, "meat": Supervision.III}


def test_a_list_is_emptied_by_one_without_an_item() -> None:
    """Given without an item it takes away what was there, on paper too; left out, it changes nothing."""
    world = World()
    send(world, line(attributes={"credit_grade": "B", "agents": [{"agent": "3701000001"}]}))
    send(world, line("change", attributes={"credit_grade": "A"}))
    assert len(subjects.attributes_of(registered(world, TODAY)).agents) == 1
    effects = send(world, line("change", attributes={"agents": []}))
    (published,) = (one for one in effects if isinstance(one, Publish))
    assert published.document.to_json()["lines"][0]["attributes"] == {"agents": []}
    version = registered(world, TODAY).version
    assert version is not None
    assert version.attributes == {"credit_grade": "A"}


def test_what_authorities_register_today_holds_on_later_days() -> None:
    """A change that a firm dated ahead hides neither an exclusion nor the end of a registration that come after it."""
    world = World()
    send(world, line(subject=ITSELF, attributes={"credit_grade": "B"}))
    ahead = line("change", LATER, subject=ITSELF, attributes={"agents": [{"agent": "3701000003"}]})
    assert outcomes(send(world, ahead, sender=FACTORY)) == [(1, "accepted", [])]
    send(world, line("change", subject=ITSELF, attributes={"blacklist": [{"since": "2026-11-20"}]}), sender=CUSTOMS)
    then = subjects.attributes_of(registered(world, LATER, ITSELF))
    assert subjects.is_blacklisted(then, LATER)
    assert (then.credit_grade, len(then.agents)) == ("B", 1)
    send(world, line("suspend", subject=ITSELF))
    send(world, line("restore", LATER, subject=ITSELF))
    send(world, line("close", subject=ITSELF), sender=CUSTOMS)
    states = [version.state for day in (TODAY, LATER) if (version := registered(world, day, ITSELF).version)]
    assert states == ["closed", "closed"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(["credit_grade", "persons", "agents"]), st.sampled_from(["A", "B", "C"])
        ),
        max_size=8,
    ),
    st.none() | st.tuples(st.integers(0, 8), st.integers(0, 3)),
)
@settings(max_examples=100, deadline=None)
def test_nothing_is_hidden_by_what_was_dated_ahead(
    changes: list[tuple[int, str, str]], closing: tuple[int, int] | None
) -> None:
    """The last change stands on each day from its own on, until another of that attribute; who is closed stays closed."""
    world = World()
    send(world, line())
    closed = 9
    for at, (day, name, value) in enumerate(changes):
        if closing is not None and at == closing[0]:
            closed = closing[1]
            send(world, line("close", TODAY + timedelta(days=closed)))
        told: Any = {"credit_grade": value, "persons": [{"number": value}], "agents": [{"agent": value}]}[name]
        before = [_attributes(world, later) for later in range(4)]
        ((_, outcome, _),) = outcomes(send(world, line("change", TODAY + timedelta(days=day), attributes={name: told})))
        assert (outcome == "refused") == (day >= closed)
        is_hidden = False
        for later in range(4):
            is_hidden |= later > day and before[later].get(name) != before[day].get(name)
            kept = before[later] if later < day or is_hidden or outcome == "refused" else {**before[later], name: told}
            assert _attributes(world, later) == kept
            version = registered(world, TODAY + timedelta(days=later)).version
            assert version is not None
            assert (version.state == "closed") == (later >= closed)


def _attributes(world: World, day: int) -> dict[str, Any]:
    version = registered(world, TODAY + timedelta(days=day)).version
    return dict(version.attributes) if version is not None else {}


@pytest.mark.parametrize("action", ["change", "suspend", "restore", "close"])
def test_states_and_actions_are_worded(action: str) -> None:
    """A reason in Chinese says what is done and how the subject stands in Chinese words."""
    (effect,) = (one for one in send(World(), line(action)) if isinstance(one, Refuse))
    (reason,) = effect.reasons
    said = findings.text(reason, "zh")
    assert "未登记" in said
    assert not [sign for sign in said if sign.isascii()]
    assert "not registered" in findings.text(reason, "en")


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
        (FACTORY, [line("change", subject=ITSELF, attributes={"credit_grade": "AA"})],
         [["decide.registration.attribute"]]),
        (FACTORY, [line("change", subject=ITSELF, name="丙")], [["decide.registration.attribute"]]),
        (FACTORY, [line("change", subject=ITSELF, attributes={"blacklist": []})], [["decide.registration.attribute"]]),
        # it names its own agents
        (FACTORY, [line("change", subject=ITSELF, attributes={"agents": [{"agent": "3701000003"}]})], [[]]),
        # customs excludes, and does not grade
        (CUSTOMS, [line(attributes={"blacklist": [{"since": "2026-11-20"}]})], [[]]),
        (CUSTOMS, [line(attributes={"credit_grade": "D"})], [["decide.registration.attribute"]]),
        (PORT, [line()], [["decide.registration.not_yours"]]),
    ],
)  # fmt: skip
def test_who_may_register_what(sender: Partner, lines: list[Any], codes: list[list[str]]) -> None:
    """A row: who sends, what, and why each line is refused."""
    world = World()
    send(world, line(subject=ITSELF, name="甲"))
    assert [found for _, _, found in outcomes(send(world, *lines, sender=sender))] == codes


@pytest.mark.parametrize("sender", [BUREAU, CUSTOMS, FACTORY, ITS_AGENT, PORT], ids=lambda one: one.id)
@pytest.mark.parametrize("action", [action.value for action in Action])
def test_every_action_by_every_role(sender: Partner, action: str) -> None:
    """Authorities do everything; a firm or an agent only changes what it is, and does not lift what holds it up."""
    world = World()
    for step in {"register": [], "restore": ["register", "suspend"]}.get(action, ["register"]):
        send(world, line(step, subject=ITSELF))
    before = registered(world, TODAY, ITSELF)
    ((_, outcome, codes),) = outcomes(send(world, line(action, subject=ITSELF), sender=sender))
    if sender in (BUREAU, CUSTOMS) or (action == "change" and sender is not PORT):
        assert (outcome, codes) == ("accepted", [])
    else:
        assert outcome == "refused"
        assert ("decide.registration.not_yours" if sender is PORT else "decide.registration.action") in codes
        assert registered(world, TODAY, ITSELF) == before


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
    later = subjects.choose_later(versions, day)
    assert {one.valid_from for one in later} == {begins for begins in days if begins > day}
    known = subjects.lay_over(Registered(), versions[:1], day)
    assert subjects.lay_over(known, versions[1:], day) == Registered(walked, len(versions), later)


def test_spans_and_approvals_end_with_their_days() -> None:
    """First and last day count; an approval that is not yet, or none, is none."""
    attributes = Attributes.model_validate(
        {
            "blacklist": [{"since": "2026-11-20", "until": "2026-11-30"}],
            "direct_through": {"approved": True, "since": "2026-11-25"},
        }
    )
    days = [date(2026, 11, day) for day in (19, 20, 21, 22, 25, 30)] + [LATER]
    assert [subjects.is_blacklisted(attributes, day) for day in days] == [False, True, True, True, True, True, False]
    assert [subjects.is_direct_through(attributes, day) for day in days] == [False] * 4 + [True] * 3


def test_a_refusal_of_all_says_so() -> None:
    """Where no line can be registered, the whole is refused with the reasons of its lines."""
    effects = send(World(), line("change"))
    (respond,) = (effect for effect in effects if isinstance(effect, Respond))
    assert isinstance(respond.document, Response)
    assert respond.document.outcome is Outcome.REFUSED
    assert [reason.code for reason in respond.document.reasons] == ["decide.registration.state"]

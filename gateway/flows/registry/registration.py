"""The registration flow: each line of a registration is decided by itself, and the accepted ones stand.

    register    – -> registered            again with the same name and attributes: a repeat, which changes nothing
    change      registered, suspended      what the line gives is laid over what was there
    suspend     registered -> suspended
    restore     suspended -> registered
    close       registered, suspended -> closed, for good

Each accepted line is a version of its own, from its day on; one for a day that is past is refused, since what was decided
by then stands. Versions for later days that are there already take over what a line says, where they do not say
otherwise themselves; one who is closed stays so. Who may do and register what is said by rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from gateway.check.rulebook import RuleSet
from gateway.decide import china
from gateway.decide.answers import MOST_REASONS, fault, reasons, response
from gateway.decide.answers import Subject as About
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Publish, Refuse, Register, Respond
from gateway.decide.facts import Subject
from gateway.decide.flow import Feed, Flow, Takes
from gateway.decide.subjects import CLOSED, REGISTERED, SUSPENDED
from gateway.documents.registration import Action, Registration, RegistrationLine
from gateway.documents.response import Line, Outcome
from gateway.model import Finding, Identifier, Registered, Role, SubjectVersion

_ROWS: Mapping[Action, Mapping[str, str]] = {
    Action.REGISTER: {"": REGISTERED},
    Action.CHANGE: {REGISTERED: REGISTERED, SUSPENDED: SUSPENDED},
    Action.SUSPEND: {REGISTERED: SUSPENDED},
    Action.RESTORE: {SUSPENDED: REGISTERED},
    Action.CLOSE: {REGISTERED: CLOSED, SUSPENDED: CLOSED},
}
"""By action, the state that each state is left for; "" is that of a subject of which nothing is registered."""


class RegistrationRules(RuleSet):
    """备案登记: who may register what of whom."""

    kind = "registration"

    schemes: frozenset[str]
    """The schemes in which subjects are registered."""
    own: frozenset[Role]
    """Who may register of itself, and of nobody else, what `attributes` lets it."""
    others: frozenset[Role]
    """Who may register of anybody."""
    actions: Mapping[Action, frozenset[Role]]
    """By action, who may do it."""
    name: frozenset[Role]
    """Who may set the subject's name."""
    attributes: Mapping[str, frozenset[Role]]
    """By attribute, who may set it."""


def decide(desk: Desk) -> list[Effect]:
    """What becomes of each line; the whole is refused where every line is."""
    registration = desk.document
    assert isinstance(registration, Registration)
    about = About("registration", reference=registration.reference)
    lines = registration.lines
    questions = [Subject(line.scheme, line.value, line.valid_from, desk.test) for line in lines]
    desk.facts.require(dict.fromkeys(questions))
    desk.facts.require(
        replace(question, day=later.valid_from) for question in questions for later in desk.facts[question].later
    )
    effects: list[Effect] = []
    told: list[Line] = []
    accepted: list[RegistrationLine] = []
    repeated = desk.find_repeated()
    refused: list[Finding] = []
    for index, (line, question) in enumerate(zip(lines, questions, strict=True)):
        known = desk.facts[question]
        # What this very message registered before the gateway stopped is registered.
        done = known.version is not None and known.version.occasion == desk.occasion.id
        why = [] if done else list(_faults(desk, line, index, known, again=index in repeated))
        if not why:
            accepted.append(line)
            effects += () if done else _registered(line, known)
        refused += why
        told.append(_told(desk, line, index, why))
    if refused and not accepted:
        answer = response(desk, about, Outcome.REFUSED, desk.sender.language, why=refused[:MOST_REASONS])
        return [Refuse(tuple(refused)), Respond("", answer.model_copy(update={"lines": tuple(told)}))]
    if accepted:
        published = registration.model_copy(update={"lines": tuple(accepted)})
        effects.append(Publish("registry", "", "registration", published, {"reference": registration.reference}))
    answer = response(desk, about, Outcome.ACCEPTED, desk.sender.language)
    return [*effects, Respond("", answer.model_copy(update={"lines": tuple(told)}))]


def _told(desk: Desk, line: RegistrationLine, index: int, why: list[Finding]) -> Line:
    outcome = Outcome.REFUSED if why else Outcome.ACCEPTED
    return Line(number=index + 1, reference=line.value, outcome=outcome, reasons=reasons(why, desk.sender.language))


def _registered(line: RegistrationLine, known: Registered) -> Iterator[Effect]:
    """The next version, and one for each later day on which the line would be hidden; none that says nothing new."""
    before = known.version
    there: Mapping[str, Any] = before.attributes if before is not None else {}
    given = line.attributes.to_attributes() if line.attributes is not None else {}
    name = line.name or (before.name if before is not None else "")
    state = _next_state(line.action, known) or (before.state if before is not None else REGISTERED)
    yield from _made(line, line.valid_from, before, (state, name, _over(there, given)))
    holds, is_named = before is not None, before is not None and bool(line.name)
    for later in known.later:
        # What differs on a later day from what was there before was said for that day, and stands from then on.
        given = {key: value for key, value in given.items() if later.attributes.get(key) == there.get(key)}
        holds = holds and before is not None and later.state == before.state
        is_named = is_named and before is not None and later.name == before.name
        then = state if holds or state == CLOSED else later.state
        called = name if is_named else later.name or name
        yield from _made(line, later.valid_from, later, (then, called, _over(later.attributes, given)))


def _over(there: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is given laid over what was there; a list without an item is none."""
    return {name: value for name, value in {**there, **given}.items() if value != []}


def _made(
    line: RegistrationLine, day: date, before: SubjectVersion | None, said: tuple[str, str, Mapping[str, Any]]
) -> Iterator[Effect]:
    """The version that says state, name and attributes from `day` on, unless `before` says the same."""
    if before is None or (before.state, before.name, before.attributes) != said:
        yield Register(line.scheme, line.value, day, *said)


def _next_state(action: Action, known: Registered) -> str | None:
    return _ROWS[action].get(known.version.state if known.version is not None else "")


def _faults(desk: Desk, line: RegistrationLine, index: int, known: Registered, *, again: bool) -> Iterator[Finding]:
    """Why a line may not be registered."""
    rules, place = desk.rules.of(RegistrationRules), f"lines[{index}]"
    if line.scheme not in rules.schemes:
        yield fault("decide.registration.scheme", f"{place}.scheme", line.scheme)
    if not _may_name(desk, line, rules):
        yield fault("decide.registration.not_yours", f"{place}.value", line.value)
    elif desk.sender.roles.isdisjoint(rules.actions.get(line.action, ())):
        yield fault("decide.registration.action", f"{place}.action", line.action, action=f"registration.{line.action}")
    if line.name and desk.sender.roles.isdisjoint(rules.name):
        yield fault("decide.registration.attribute", f"{place}.name", "", item="name")
    given = line.attributes.to_attributes() if line.attributes is not None else {}
    for name in given:
        if desk.sender.roles.isdisjoint(rules.attributes.get(name, ())):
            yield fault("decide.registration.attribute", f"{place}.attributes.{name}", "", item=name)
    if line.valid_from < china.day(desk.occasion.at):
        yield fault("decide.registration.retroactive", f"{place}.valid_from", line.valid_from)
    if again:
        yield fault("decide.registration.twice", f"{place}.value", line.value)
        return  # how the subject stands is what the line before makes of it
    before = known.version
    if _next_state(line.action, known) is None and not _is_repeat(line, known, given):
        state = before.state if before is not None else "unregistered"
        words = {"state": f"registration.{state}", "action": f"registration.{line.action}"}
        yield fault("decide.registration.state", f"{place}.action", line.action, **words)
    elif line.action is Action.REGISTER and before is not None and line.name and line.name != before.name:
        yield fault("decide.registration.name", f"{place}.name", line.name)


def _is_repeat(line: RegistrationLine, known: Registered, given: Mapping[str, Any]) -> bool:
    """Whether a subject is registered again, as it is: a list that came before changes nothing."""
    before = known.version
    if line.action is not Action.REGISTER or before is None or before.state != REGISTERED:
        return False
    return all((before.attributes.get(name) or None) == (value or None) for name, value in given.items())


def _may_name(desk: Desk, line: RegistrationLine, rules: RegistrationRules) -> bool:
    """Whether the sender may register anything of the subject."""
    if not desk.sender.roles.isdisjoint(rules.others):
        return True
    itself = Identifier(line.scheme, line.value) in desk.sender.identifiers
    return itself and not desk.sender.roles.isdisjoint(rules.own)


FLOW = Flow(
    "registration",
    takes=(Takes(Registration),),
    decide=decide,
    feeds=(Feed("registry", frozenset({Role.BUREAU, Role.CUSTOMS})),),
    rules=(RegistrationRules,),
)

"""The declaration flow (报检): direct-through or review, amendment, replacement and cancellation.

A declaration that needs no look gets its number here and now and goes to the inspecting bureau
(直通); any other goes to the bureau declared to, whose answer sets the number (see response.py). Once it is accepted, a
change and a withdrawal are the bureau's to agree to: by its own system's answer, or by an officer (see changes.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.check.rulebook import Credit, Review, Treatment
from gateway.check.rules import holds, walk
from gateway.decide.answers import PRE_ENTERED, REVIEW_PASSED, fault, progress, refuse, response
from gateway.decide.apply import apply, changed
from gateway.decide.cases import kept, moved, not_allowed
from gateway.decide.desk import Desk
from gateway.decide.effects import (
    AddKeys,
    Alert,
    Effect,
    Keep,
    Move,
    NewCase,
    Note,
    Purpose,
    Respond,
    Send,
)
from gateway.decide.facts import CasesByKeys, Key, Query
from gateway.decide.flow import Flow, On, Takes
from gateway.decide.parties import REGISTRATION, bureau, bureau_questions, identified
from gateway.decide.persons import name_rule
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Function
from gateway.documents.response import Outcome
from gateway.findings import rejects
from gateway.flows.consignment.acceptance import NUMBER, accept_declaration, bureau_in_charge, issue_number, party_of
from gateway.flows.consignment.cases import CONSIGNMENT, STATUS, keys_of, subject_of
from gateway.flows.consignment.changes import (
    AMENDMENT,
    CANCELLATION,
    adopt_amendment,
    ask_office,
    find_dependent,
    find_fixed,
    find_standing,
    tell_officers_word,
)
from gateway.flows.consignment.kinds import find_kind_faults
from gateway.flows.consignment.rules import ConsignmentRules, DeclarationKinds
from gateway.flows.consignment.tracks import DECLARATION, INSPECTION, Declared
from gateway.flows.declared import declaration_of, owner_code
from gateway.flows.enterprises import find_owner, tell_enterprise
from gateway.flows.standing import Standing, find_halted, find_standing_of, standing_questions
from gateway.model import Case, Finding, Partner

_OUTCOMES = {
    "declared": Outcome.RECEIVED,
    "in_review": Outcome.RECEIVED,
    "amending": Outcome.RECEIVED,
    "cancelling": Outcome.RECEIVED,
    "refused": Outcome.REFUSED,
    "failed": Outcome.REFUSED,
    "cancelled": Outcome.CANCELLED,
    "held": Outcome.HELD,
    "released": Outcome.RELEASED,
    "cleared": Outcome.CLEARED,
}
"""What a declarer who asks again is told, by the word for where its consignment stands; else that it is accepted."""


def decide(desk: Desk) -> list[Effect]:
    """What a declaration comes to; by its function code it is new, or changes or withdraws an earlier one."""
    declaration = desk.document
    assert isinstance(declaration, Declaration)
    desk.facts.require(_questions(desk, declaration))
    owner = find_owner(declaration, desk.facts)
    case, faults = _earlier(desk, declaration)
    faults = [*_sender_faults(desk, declaration, owner), *faults, *_halted_faults(desk, declaration, case)]
    if rejects(faults):
        return refuse(desk, subject_of(declaration), faults)
    match declaration.function, case:
        case Function.ORIGINAL, None:
            return _new(desk, declaration)
        case Function.ORIGINAL, Case() if case.tracks["declaration"] != Declared.REFUSED:
            return _repeat(desk, declaration, case)
        case Function.CANCELLATION, Case():
            return _cancel(desk, declaration, case)
        case _, Case():
            return _change(desk, declaration, case)
        case _:
            return refuse(desk, subject_of(declaration), [fault("decide.declaration.unknown", "function")])


def _questions(desk: Desk, declaration: Declaration) -> list[Query]:
    """All that is asked of every declaration, so that one trip to the store answers it."""
    questions = bureau_questions(declaration.declaration_organisation, declaration.inspection_organisation)
    questions += standing_questions(desk, declaration)
    if keys := _own_keys(declaration):
        questions.append(CasesByKeys(keys, desk.test))
    return questions


def _own_keys(declaration: Declaration) -> frozenset[Key]:
    keys = (("declaration", declaration.number), ("reference", declaration.client_reference))
    return frozenset((kind, value) for kind, value in keys if value)


def _sender_faults(desk: Desk, declaration: Declaration, owner: Partner | None) -> list[Finding]:
    """Nobody declares in another's name: an agent acts for the enterprises that appointed it."""
    sender = desk.sender
    faults = []
    own = identified(sender, REGISTRATION)
    declared = declaration.declarant.registration_number if declaration.declarant else None
    if own and declared and declared not in own:
        faults.append(fault("decide.declarant.not_sender", "declarant.registration_number", declared))
    if owner is not None and owner.id != sender.id and owner.id not in sender.acts_for:
        field, code = owner_code(declaration)
        faults.append(fault("decide.enterprise.not_appointed", field, code))
    return faults


def _halted_faults(desk: Desk, declaration: Declaration, case: Case | None) -> list[Finding]:
    """What an enterprise whose registration is suspended or closed may not do any more: by rule, declare."""
    if declaration.function is Function.CANCELLATION:
        act = "cancel"
    elif case is not None and case.tracks["declaration"] != Declared.REFUSED:
        act = "change" if declaration.function is not Function.ORIGINAL else ""
    else:
        act = "declare"
    may = desk.rules.of(ConsignmentRules).may_while
    return [
        fault("decide.enterprise.halted", "", code, state=state, act=act)
        for code, state in find_halted(desk, declaration)
        if act and act not in may[state]
    ]


def _earlier(desk: Desk, declaration: Declaration) -> tuple[Case | None, list[Finding]]:
    """The sender's case that the declaration means: by the number issued, else by the sender's own number."""
    keys = _own_keys(declaration)
    cases = desk.facts[CasesByKeys(keys, desk.test)] if keys else ()
    numbered = next((c for c in cases if ("declaration", declaration.number) in c.keys), None)
    referred = next(
        (c for c in cases if ("reference", declaration.client_reference) in c.keys and c.partner_id == desk.sender.id),
        None,
    )
    if numbered is not None and numbered.partner_id != desk.sender.id:
        return None, [fault("decide.case.not_yours", "number", declaration.number)]
    if declaration.number and numbered is None:
        # Numbers are issued, never brought along.
        return None, [fault("decide.declaration.number_unknown", "number", declaration.number)]
    if numbered is not None and referred is not None and numbered.id != referred.id:
        return None, [fault("decide.declaration.reference_used", "client_reference", declaration.client_reference)]
    return numbered or referred, []


def _review_reasons(desk: Desk, declaration: Declaration, standing: Standing) -> list[Finding]:
    """Why the declaration cannot go straight through; nothing where it can."""
    review, listed = desk.rules.of(Review), desk.rules.modes
    why = []
    if standing.treatment not in review.direct_through:
        why.append(fault("decide.review.credit", treatment=standing.treatment.value))
    if review.direct_needs_approval and not standing.is_approved:
        why.append(fault("decide.review.approval", *owner_code(declaration)))
    if declaration.kind not in review.direct_kinds:
        why.append(fault("decide.review.kind", "kind", declaration.kind))
    why += [
        fault("decide.review.condition", reason=reason.en, reason_zh=reason.zh)
        for reason in review.reviewed
        if all(holds(declaration, condition) for condition in reason.when)
    ]
    for place, code in walk(declaration, "goods[].hs_code"):
        if listed.find_listed(code, declaration.direction.value):
            why.append(fault("decide.review.negative_list", place, code))
        if code and (class_ := standing.class_of(code)) in review.reviewed_classes:
            why.append(fault("decide.review.class", place, code, supervision=class_))
    return why


def _new(desk: Desk, declaration: Declaration) -> list[Effect]:
    if not declaration.client_reference:
        # Without its sender's own number nobody could answer it, or ask for it.
        return refuse(desk, subject_of(declaration), [fault("decide.declaration.no_reference", "client_reference")])
    case_id = desk.derive("case")
    opened = NewCase(case_id, desk.sender.id, CONSIGNMENT.name, tracks={"declaration": Declared.DECLARED})
    case = apply(desk, [opened]).cases[case_id].after
    return _admit(desk, declaration, case, [opened])


def _admit(desk: Desk, declaration: Declaration, case: Case, opened: Sequence[Effect]) -> list[Effect]:
    """Decide on a declaration that is `declared`: straight through, or to review."""
    reviewing = bureau(desk.facts, declaration.declaration_organisation)
    if reviewing is None:
        path, value = "declaration_organisation", declaration.declaration_organisation or ""
        return refuse(desk, subject_of(declaration), [fault("decide.bureau.unknown", path, value)])
    if faults := list(find_kind_faults(desk, declaration)):
        return refuse(desk, subject_of(declaration), faults)
    standing = find_standing_of(desk, declaration)
    why = _review_reasons(desk, declaration, standing)
    rule = name_rule(Review.kind, desk.rules.of(Review).valid_from)
    issued = declaration.number
    exhausted = False
    if not why and issued is None:
        issued = issue_number(desk, case.id, declaration)
        exhausted = issued is None
        if exhausted:
            why = [fault("decide.number.exhausted", "declaration_organisation", declaration.declaration_organisation)]
    numbered = declaration.model_copy(update={"number": issued})
    if why:
        outcome, code = Outcome.RECEIVED, PRE_ENTERED
        decided: list[Effect] = [
            Move(case.id, "declaration", "review", tuple(why), rule),
            Keep(case.id, "declaration", numbered),
            AddKeys(case.id, keys_of(numbered)),
            Send(case.id, "declaration", numbered, party_of(reviewing), Purpose.INSPECTION),
        ]
        if exhausted or standing.treatment is Treatment.EXCLUDED:
            decided.append(Alert("review", tuple(why), case.id))
    else:
        outcome, code = Outcome.ACCEPTED, REVIEW_PASSED
        decided = accept_declaration(desk, case.id, numbered, "accept", rule)
    # Of the effects that say where the case stands then, the first is the move.
    after = changed(desk, case, decided[:1])
    return [*opened, *decided, *_told(desk, numbered, after, outcome, code, why)]


def _told(
    desk: Desk,
    declaration: Declaration,
    case: Case,
    outcome: Outcome,
    code: str | None = None,
    why: Sequence[Finding] = (),
) -> list[Effect]:
    """Answer the sender, and put the same on its status feed; the goods' owner has it too, where another declared."""
    answer = response(
        desk,
        subject_of(declaration),
        outcome,
        desk.sender.language,
        why=why,
        code=code,
        organisation=declaration.declaration_organisation,
    )
    effects: list[Effect] = [Respond(case.id, answer), progress(case.id, desk.sender.id, answer, case.status)]
    owner = find_owner(declaration, desk.facts)
    if owner is not None and owner.id != desk.sender.id:
        subject = subject_of(declaration)
        office = declaration.declaration_organisation
        effects += tell_enterprise(desk, case, owner, subject, outcome, why=why, code=code, organisation=office)
    return effects


def _repeat(desk: Desk, declaration: Declaration, case: Case) -> list[Effect]:
    """The same declaration again is told where it stands; another one under the same number is refused."""
    earlier = declaration_of(case)
    if _content(declaration) != _content(earlier):
        why = [fault("decide.declaration.reference_used", "client_reference", declaration.client_reference)]
        return refuse(desk, subject_of(declaration), why, case.id)
    outcome = _OUTCOMES.get(case.status, Outcome.ACCEPTED)
    answer = response(desk, subject_of(earlier), outcome, desk.sender.language)
    return [Note(case.id, "repeat", (fault("decide.repeat"),)), Respond(case.id, answer)]


def _content(declaration: Declaration) -> dict[str, object]:
    """What makes two declarations the same: all but the number issued, and what the message did."""
    return declaration.model_dump(exclude={"number", "function"})


def _change(desk: Desk, declaration: Declaration, case: Case) -> list[Effect]:
    """An amendment (function 4) or a replacement (5, or an original again after a refusal)."""
    event = "amend" if declaration.function is Function.CHANGE else "replace"
    earlier, before = declaration_of(case), case.tracks["declaration"]
    taken = moved(desk, case, "declaration", event)
    if taken is None:
        return _not_allowed(desk, declaration, case, event)
    if event == "amend":
        open_amendment = kept(case, "amendment", Declaration) if before == Declared.AMENDING else None
        declaration = _laid_over(open_amendment or earlier, declaration)
    state = taken.case.tracks["declaration"]
    faults = list(find_kind_faults(desk, declaration)) if state != Declared.DECLARED else []
    if earlier.number:
        faults += find_fixed(desk, case, earlier, declaration)
    if faults:
        return refuse(desk, subject_of(earlier), faults, case.id)
    amended = declaration.model_copy(update={"number": earlier.number})
    if state == Declared.DECLARED:
        return _admit(desk, amended, taken.case, taken.effects)
    asked = bureau_in_charge(earlier, desk.facts, before)
    what = "amendment" if state == Declared.AMENDING else "declaration"
    effects: list[Effect] = [*taken.effects, Keep(case.id, what, amended)]
    if what == "declaration":
        effects.append(AddKeys(case.id, keys_of(amended)))
    else:
        effects += ask_office(desk, case, AMENDMENT, earlier, find_dependent(case))
    if asked is not None:
        effects.append(Send(case.id, "declaration", amended, party_of(asked), Purpose.INSPECTION))
    return [*effects, *_told(desk, amended, taken.case, Outcome.RECEIVED, PRE_ENTERED)]


def _laid_over(earlier: Declaration, change: Declaration) -> Declaration:
    """`earlier` with what `change` says: a change (1225 = 4) holds what changes, a list in it the whole list."""
    return Declaration.model_validate(_merged(earlier.to_json(), change.to_json()))


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    both = {
        name: _merged(old[name], value) if isinstance(value, dict) and isinstance(old.get(name), dict) else value
        for name, value in new.items()
    }
    return {**old, **both}


def _cancel(desk: Desk, declaration: Declaration, case: Case) -> list[Effect]:
    """A cancellation: at once while nobody has acted on the declaration, else with the bureau's agreement."""
    taken = moved(desk, case, "declaration", "cancel")
    if taken is None:
        return _not_allowed(desk, declaration, case, "cancel")
    earlier = declaration_of(case)
    withdrawn = earlier.model_copy(update={"function": Function.CANCELLATION})
    effects: list[Effect] = [*taken.effects]
    asked = bureau_in_charge(earlier, desk.facts, case.tracks["declaration"])
    if asked is not None and not taken.late:
        effects.append(Send(case.id, "declaration", withdrawn, party_of(asked), Purpose.INSPECTION))
    stands = find_standing(case)
    if taken.case.tracks["declaration"] == Declared.CANCELLING and not taken.late:
        effects += ask_office(desk, case, CANCELLATION, earlier, stands)
    return [*effects, *_told(desk, earlier, taken.case, _OUTCOMES[taken.case.tracks["declaration"]], why=stands)]


def _not_allowed(desk: Desk, declaration: Declaration, case: Case, event: str) -> list[Effect]:
    return refuse(desk, subject_of(declaration), [not_allowed(case, event, "function")], case.id)


FLOW = Flow(
    "declaration",
    takes=(Takes(Declaration),),
    decide=decide,
    feeds=(STATUS,),
    case_kind=CONSIGNMENT,
    tracks=(DECLARATION, INSPECTION),
    rules=(Credit, DeclarationKinds, Review),
    numbers=(NUMBER,),
    tasks=(AMENDMENT, CANCELLATION),
    reacts=(
        On("declaration", "amendment_agreed", adopt_amendment),
        *(
            On("declaration", event, tell_officers_word)
            for event in ("amendment_declined", "cancellation_agreed", "cancellation_declined")
        ),
    ),
)

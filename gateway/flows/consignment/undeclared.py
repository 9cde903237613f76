"""A transfer, a notice or a result whose declaration is not here: halls and other gateways declare too.

the sender is trusted (agreement option `without_declaration`)   it opens a case of its own, and is decided
else                                                            it waits for the declaration of its number
a bureau gives that number to a declaration                     it is decided then, as if it came at that moment
none comes in the term of the rules                             it is refused, and somebody is alerted
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gateway.decide.answers import Subject, fault, refuse, response, tell, without_places
from gateway.decide.apply import apply
from gateway.decide.desk import Actor, Desk, MessageIn
from gateway.decide.effects import (
    AddKeys,
    Alert,
    Attach,
    Due,
    Effect,
    Hold,
    Keep,
    Move,
    NewCase,
    Note,
    Refuse,
    Respond,
    Undo,
    Wait,
)
from gateway.decide.facts import Key, PartnerById, Waiting, WaitingDocument
from gateway.documents.base import Document
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.declaration import Declarant, Declaration
from gateway.documents.inspection_result import InspectionResult
from gateway.documents.parts import Function, Movement
from gateway.documents.response import Outcome, Response
from gateway.documents.transfer import Transfer
from gateway.flows.consignment.cases import CONSIGNMENT, keys_of
from gateway.flows.consignment.rules import ConsignmentRules
from gateway.flows.consignment.tracks import Declared
from gateway.model import Case, derive_id

Undeclared = Transfer | ClearanceNotice | InspectionResult
U = TypeVar("U", Transfer, ClearanceNotice, InspectionResult)


def is_trusted(desk: Desk) -> bool:
    """Whether the sender's documents count though nothing was declared here."""
    return isinstance(desk.occasion, MessageIn) and desk.occasion.without_declaration


def wait_for_declaration(desk: Desk, document: Undeclared, subject: Subject) -> list[Effect]:
    """Keep the document until its declaration comes; a later one of its number takes its place, or takes it back."""
    number = _find_number(document)
    keys = frozenset({("declaration", number)})
    earlier = [
        waiting
        for waiting in desk.facts[Waiting(keys, desk.test)]
        if waiting.partner_id == desk.sender.id and _numbered(waiting) == (document.document_type, document.number)
    ]
    effects: list[Effect] = []
    for waiting in earlier:
        if waiting.document == document.to_kept():
            return [_respond(desk, subject, Outcome.RECEIVED, number)]
        effects += [Attach(waiting.id, ""), Undo(_deadline(waiting.id))]
    if document.function is Function.CANCELLATION:
        if not earlier:
            return refuse(desk, subject, [fault("decide.case.unknown", "declaration_number", number)])
        return [*effects, Respond("", response(desk, subject, Outcome.CANCELLED, desk.sender.language))]
    id_ = desk.derive("wait", document.document_type, document.number)
    term = desk.rules.of(ConsignmentRules).undeclared_term
    kind = f"undeclared_{document.document_type}"
    args = {"wait": id_, "declaration": number}
    return [
        *effects,
        Wait(id_, document.document_type, document, keys),
        Due(_deadline(id_), desk.rules.calendar.end(term, desk.now), kind, "", args),
        _respond(desk, subject, Outcome.RECEIVED, number),
    ]


def _find_number(document: Undeclared) -> str:
    """The number of the declaration that the document is about."""
    assert document.declaration_number is not None, "its flow looks for a declaration by it"
    return document.declaration_number


def _numbered(waiting: WaitingDocument) -> tuple[str, object]:
    return waiting.document_type, waiting.document.get("number")


def _deadline(wait_id: str) -> str:
    return derive_id(wait_id, "deadline", "undeclared")


def _respond(desk: Desk, subject: Subject, outcome: Outcome, number: str) -> Respond:
    why = [fault("decide.case.awaited", "declaration_number", number)]
    return Respond("", response(desk, subject, outcome, desk.sender.language, why=why))


def open_case(desk: Desk, document: Undeclared, office: str) -> tuple[Case, list[Effect]]:
    """A case that begins with what the document says of its declaration; `office` is the bureau that sends it."""
    case_id = desk.derive("case")
    declaration = _declaration_from(document, office)
    effects: list[Effect] = [
        NewCase(case_id, desk.sender.id, CONSIGNMENT.name, tracks={"declaration": Declared.ACCEPTED}),
        Keep(case_id, "declaration", declaration),
        AddKeys(case_id, keys_of(declaration)),
        Note(case_id, "undeclared", (fault("decide.case.elsewhere", value=declaration.number),)),
    ]
    return apply(desk, effects).cases[case_id].after, effects


def begin_with(opened: list[Effect], decided: list[Effect]) -> list[Effect]:
    """What is decided in a case that begins with it; what is refused leaves no case behind."""
    if not any(isinstance(effect, Refuse) for effect in decided):
        return [*opened, *decided]
    return [replace(effect, case="") if isinstance(effect, Refuse | Respond | Alert) else effect for effect in decided]


def _declaration_from(document: Undeclared, office: str) -> Declaration:
    """What the document says of its declaration; `office` is the bureau that sends it."""
    if isinstance(document, InspectionResult):
        return _declaration_of_result(document, office)
    values = document.model_dump(mode="json", exclude_none=True)
    same = ("direction", "declaration_number", "consignor", "consignee", "contract_number", "marks", "trade_mode")
    named = {name: values[name] for name in same if name in values}
    wanted = ("sequence_number", "hs_code", "name", "quantity", "weight", "value", "origin_country")
    containers = [one["number"] if isinstance(one, dict) else one for one in values.get("containers", ())]
    return Declaration.model_validate(
        {
            "function": Function.ORIGINAL,
            "number": named.pop("declaration_number"),
            **named,
            "declaration_organisation": document.declaration_number[:6],
            "inspection_organisation": office
            if isinstance(document, Transfer)
            else values.get("inspection_organisation"),
            "purpose_organisation": document.to_organisation if isinstance(document, Transfer) else office,
            "customs_office": values.get("customs_office"),
            "declarant": Declarant(registration_number=document.declarant_registration).model_dump(exclude_none=True)
            if document.declarant_registration
            else None,
            "goods": [{name: item[name] for name in wanted if name in item} for item in values.get("goods", ())],
            "container_groups": [{"numbers": [number]} for number in containers if number],
        }
    )


def _declaration_of_result(result: InspectionResult, office: str) -> Declaration:
    """A result says nothing of the goods but what was looked at; the number says which way they go (报检号, its 7th digit)."""
    number, subject = _find_number(result), result.subject
    goods = {"hs_code": subject.hs_code, "name": subject.name}
    return Declaration.model_validate(
        {
            "function": Function.ORIGINAL,
            "number": number,
            "direction": Movement.INBOUND if number[6] == "1" else Movement.OUTBOUND,
            "declaration_organisation": number[:6],
            "inspection_organisation": office,
            "goods": [goods] if subject.hs_code else [],
        }
    )


def decide_waiting(
    desk: Desk, case: Case, model: type[Undeclared], decide: Callable[[Desk], list[Effect]]
) -> list[Effect]:
    """Decide what waits for the number that a bureau has just given to the case's declaration.

    Numbers that the gateway gives are new, and nobody waits for them.
    """
    if isinstance(desk.occasion, MessageIn) and not isinstance(desk.occasion.document, Response):
        return []
    keys: frozenset[Key] = frozenset(key for key in case.keys if key[0] == "declaration")
    if not keys:
        return []
    found = [w for w in desk.facts[Waiting(keys, desk.test)] if w.document_type == model.document_type]
    desk.facts.require(PartnerById(waiting.partner_id) for waiting in found)
    effects: list[Effect] = []
    for waiting in found:
        sender = desk.facts[PartnerById(waiting.partner_id)]
        effects += [Attach(waiting.id, case.id), Undo(_deadline(waiting.id))]
        if sender is None:
            continue
        document: Document = model.from_kept(waiting.document)
        at = desk.occasion.at
        occasion = MessageIn(model.document_type, document, Actor(sender), desk.occasion.id, at, desk.test)
        inner = replace(desk, occasion=occasion, origin=(*desk.origin, waiting.id))
        for effect in decide(inner):
            match effect:
                case Respond():
                    assert isinstance(effect.document, Response)
                    effects.append(tell(case.id, sender, effect.document))
                case Refuse() | Hold():
                    effects.append(Alert("unmatched", without_places(effect.reasons), case.id))
                case Move() | Note() | Alert():
                    effects.append(replace(effect, reasons=without_places(effect.reasons)))
                case _:
                    effects.append(effect)
    return effects


def give_up_waiting(desk: Desk, model: type[U], subject_of: Callable[[U], Subject]) -> list[Effect]:
    """What comes of a document whose declaration has not come in the term: its sender learns that nothing was decided."""
    number = desk.deadline.args["declaration"]
    waits = desk.facts[Waiting(frozenset({("declaration", number)}), desk.test)]
    waiting = next((one for one in waits if one.id == desk.deadline.args["wait"]), None)
    if waiting is None:
        return []
    why = (fault("decide.case.unknown", "declaration_number", number),)
    effects: list[Effect] = [Attach(waiting.id, ""), Alert("unmatched", why)]
    sender = desk.facts[PartnerById(waiting.partner_id)]
    if sender is not None:
        subject = subject_of(model.from_kept(waiting.document))
        effects.append(tell("", sender, response(desk, subject, Outcome.REFUSED, sender.language, why=why)))
    return effects

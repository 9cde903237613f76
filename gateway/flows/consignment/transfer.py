"""The transfer flow (电子转单): the office that inspects hands a consignment to the port's, or to the destination's.

What the rules exclude from electronic transfer is refused, with every ground at once. The receiving bureau
may correct a transfer within limits, and beyond them with the issuing bureau's agreement (see transfer_changes.py); the
issuing bureau may replace or withdraw it. An export is handed on once it has passed; an import is inspected by whom
it is handed to.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.check.rulebook import TransferRules
from gateway.check.rules import walk
from gateway.decide.answers import fault, refuse, response, tell
from gateway.decide.cases import kept, moved, moved_on, not_allowed
from gateway.decide.deadlines import set_deadline
from gateway.decide.desk import Desk
from gateway.decide.effects import Ask, Close, Effect, Hold, Keep, Note, Party, Purpose, Respond, Send
from gateway.decide.facts import TasksOf
from gateway.decide.flow import Feed, Flow, On, Takes
from gateway.decide.parties import BUREAU, bureau, bureau_questions, identified
from gateway.documents.declaration import Declaration
from gateway.documents.parts import Function, Movement
from gateway.documents.response import Outcome
from gateway.documents.transfer import Transfer
from gateway.findings import rejects
from gateway.flows.competence import HAND_ON, find_competent, receiving_office
from gateway.flows.consignment import validity
from gateway.flows.consignment.cases import STATUS, find_declared, subject_of
from gateway.flows.consignment.quantities import exceeding
from gateway.flows.consignment.rules import ConsignmentRules, DeclarationKinds
from gateway.flows.consignment.tracks import TRANSFER, Transferred
from gateway.flows.consignment.transfer_changes import (
    CHANGE,
    ISSUED,
    WITHDRAWAL,
    adopt_change,
    adopt_withdrawal,
    change_at_receiver,
    drop_change,
    is_open,
    keep_transfer,
    publish_transfer,
    refuse_withdrawal,
    tell_withdrawal,
    transfer_subject,
)
from gateway.flows.consignment.undeclared import (
    begin_with,
    decide_waiting,
    give_up_waiting,
    is_trusted,
    open_case,
    wait_for_declaration,
)
from gateway.flows.declared import declaration_of
from gateway.flows.enterprises import enterprise_questions, tell_enterprises
from gateway.flows.standing import mode_of
from gateway.model import Case, Finding, Partner, Role


def decide(desk: Desk) -> list[Effect]:
    """What a transfer comes to: handed on, changed, withdrawn, or refused with all the reasons."""
    transfer = desk.document
    assert isinstance(transfer, Transfer)
    subject = transfer_subject(transfer)
    case = find_declared(desk, transfer.declaration_number)
    bureaus = identified(desk.sender, BUREAU)
    if case is not None:
        return _decide_in(desk, transfer, case)
    if transfer.from_organisation not in bureaus:
        why = [fault("decide.case.unknown", "declaration_number", transfer.declaration_number)]
        return refuse(desk, subject, why)
    if not is_trusted(desk) or transfer.function is not Function.ORIGINAL:
        return wait_for_declaration(desk, transfer, subject)
    case, opened = open_case(desk, transfer, transfer.from_organisation)
    decided = _decide_in(desk, transfer, case)
    return begin_with(opened, decided)


def _decide_in(desk: Desk, transfer: Transfer, case: Case) -> list[Effect]:
    """What a transfer comes to in its case."""
    subject = transfer_subject(transfer)
    earlier = kept(case, "transfer", Transfer)
    others = (earlier.from_organisation, earlier.to_organisation) if earlier else ()
    asked = bureau_questions(transfer.from_organisation, transfer.to_organisation, *others)
    desk.facts.require([*asked, *enterprise_questions(case)])
    bureaus = identified(desk.sender, BUREAU)
    if transfer.function is Function.CHANGE and earlier is not None and earlier.to_organisation in bureaus:
        return change_at_receiver(desk, transfer, earlier, case)
    if transfer.from_organisation not in bureaus:
        why = [fault("decide.sender.not_concerned", "from_organisation", transfer.from_organisation)]
        return refuse(desk, subject, why, case.id)
    declaration = declaration_of(case)
    handing = find_competent(desk, HAND_ON, case, declaration)
    if not handing.may(desk.sender, {transfer.from_organisation}):
        ours = ", ".join(sorted(handing.offices)) or "–"
        why = [fault("decide.transfer.issuer", "from_organisation", transfer.from_organisation, ours=ours)]
        return refuse(desk, subject, why, case.id)
    if transfer.function is not Function.ORIGINAL and (earlier is None or earlier.number != transfer.number):
        return refuse(desk, subject, [fault("decide.transfer.unknown", "number", transfer.number)], case.id)
    if transfer.function is Function.CANCELLATION:
        assert earlier is not None
        return _withdraw(desk, transfer, earlier, case)
    receiving = bureau(desk.facts, transfer.to_organisation)
    if receiving is None:
        why = [fault("decide.bureau.unknown", "to_organisation", transfer.to_organisation)]
        return refuse(desk, subject, why, case.id)
    why = [*_exclusions(desk, transfer, declaration), *_disagreements(desk, transfer, declaration)]
    if rejects(why):
        return refuse(desk, subject, why, case.id)
    return _hand_over(desk, transfer, earlier, case, receiving)


def _exclusions(desk: Desk, transfer: Transfer, declaration: Declaration) -> list[Finding]:
    """Every ground on which the rules exclude the consignment from electronic transfer, stated or not."""
    rules = desk.rules.of(TransferRules)
    grounds: dict[str, tuple[str, object]] = {}
    if transfer.exclusions is not None:
        for ground in ("pre_inspected", "exit_port_open", "merged_at_port", "certified_at_port", "other"):
            if value := getattr(transfer.exclusions, ground):
                grounds[ground] = (f"exclusions.{ground}", value)
    if declaration.direction is Movement.OUTBOUND and receiving_office(declaration) is None:
        grounds.setdefault("exit_port_open", ("to_organisation", transfer.to_organisation))
    unqualified = [place for place, value in walk(transfer, "goods[].is_qualified") if value is False]
    if transfer.inspection is not None and transfer.inspection.is_qualified is False:
        unqualified.insert(0, "inspection.is_qualified")
    if unqualified:
        grounds["not_qualified"] = (unqualified[0], "false")
    found = [
        fault(f"decide.transfer.{ground}", path, "" if value is True else value)
        for ground, (path, value) in grounds.items()
        if ground in rules.excluded
    ]
    kind = desk.rules.of(DeclarationKinds).find(declaration.kind)
    if kind is not None and kind.transfer == "never":
        found.append(fault("decide.transfer.kind", "declaration_number", kind.code, kind=kind.zh))
    return found


def _disagreements(desk: Desk, transfer: Transfer, declaration: Declaration) -> Iterator[Finding]:
    """Where the transfer does not fit its declaration, or is out of date."""
    if transfer.direction is not declaration.direction:
        yield fault("decide.differs", "direction", transfer.direction, ours=declaration.direction)
    mode = mode_of(desk, declaration)
    if mode.transfer == "excluded":
        yield fault("decide.mode.no_transfer", mode=mode.en, mode_zh=mode.zh)
    if validity.is_over(desk, transfer.valid_until):
        yield fault("decide.transfer.expired", "valid_until", transfer.valid_until)
    declared = {goods.hs_code for goods in declaration.goods}
    for place, code in walk(transfer, "goods[].hs_code"):
        if code is not None and code not in declared:
            yield fault("decide.goods.not_declared", place, code)
    yield from exceeding(transfer.goods, declaration.goods, desk.rules.code_list("mass_unit"))
    # Another office than the one declared to is named by a change, so that the first one learns of it.
    receiving = receiving_office(declaration)
    if transfer.function is Function.ORIGINAL and receiving is not None and transfer.to_organisation != receiving:
        yield fault("decide.transfer.receiver", "to_organisation", transfer.to_organisation, ours=receiving)


def _hand_over(
    desk: Desk, transfer: Transfer, earlier: Transfer | None, case: Case, receiving: Partner
) -> list[Effect]:
    """Pass the transfer to the receiving bureau, and tell everybody."""
    subject = transfer_subject(transfer)
    taken = moved(desk, case, "transfer", "send")
    if taken is None:
        return refuse(desk, subject, [not_allowed(case, "send", "declaration_number")], case.id)
    effects = taken.effects
    replaced = taken.late and transfer.function is Function.REPLACE and is_open(case, Transferred.SENT)
    if replaced:
        # What the other office asked about the transfer before is asked no more.
        asked = [task for task in desk.facts[TasksOf(case.id, desk.test)] if task.kind == CHANGE.name]
        effects = (
            Note(case.id, "changed", (fault("decide.transfer.changed", value=transfer.number),)),
            *(Close(task.id) for task in asked),
        )
    elif taken.late:
        return _repeat(desk, transfer, case)
    elif declaration_of(case).direction is Movement.OUTBOUND:
        # The transfer of an export says by itself that the goods have passed; an import is inspected where it goes.
        taken = moved_on(desk, case, ("inspection", "pass"), ("transfer", "send"))
        effects = taken.effects
    party = Party(Role.BUREAU, partner_id=receiving.id)
    untaken = desk.rules.calendar.end(desk.rules.of(ConsignmentRules).untaken_term, desk.now)
    told = subject_of(declaration_of(case), "transfer", transfer.number)
    return [
        *effects,
        *validity.begin(desk, case, validity.TRANSFER_ENDS, transfer.valid_until),
        set_deadline(case.id, validity.TRANSFER_UNTAKEN, untaken),
        *keep_transfer(case, transfer),
        Keep(case.id, ISSUED, transfer),
        *(_tell_old_office(desk, earlier, case, receiving) if replaced and earlier is not None else ()),
        Send(case.id, "transfer", transfer, party, Purpose.TRANSFER),
        publish_transfer(transfer, case, receiving),
        Respond(case.id, response(desk, subject, Outcome.ACCEPTED, desk.sender.language)),
        *tell_enterprises(desk, taken.case, told, Outcome.ACCEPTED, organisation=transfer.from_organisation),
    ]


def _tell_old_office(desk: Desk, earlier: Transfer, case: Case, receiving: Partner) -> list[Effect]:
    """Where a change names another office, the old one is told that it has the transfer no more."""
    old = bureau(desk.facts, earlier.to_organisation)
    return [] if old is None or old.id == receiving.id else tell_withdrawal(earlier, case, old)


def _withdraw(desk: Desk, transfer: Transfer, earlier: Transfer, case: Case) -> list[Effect]:
    """Take a transfer back: at once while the other office has not taken it, else with that office's agreement."""
    subject = transfer_subject(transfer)
    old = bureau(desk.facts, earlier.to_organisation)
    if case.tracks.get("transfer") == Transferred.TAKEN and old is not None:
        why = (fault("decide.transfer.taken", "number", transfer.number, office=earlier.to_organisation),)
        answer = response(desk, subject, Outcome.HELD, desk.sender.language, why=why)
        told = response(desk, transfer_subject(earlier), Outcome.HELD, old.language, why=why)
        return [
            Ask(desk.derive("task", WITHDRAWAL.name), WITHDRAWAL.name, case.id, earlier.to_organisation, reasons=why),
            Hold(case.id, why),
            tell(case.id, old, told),
            Respond(case.id, answer),
        ]
    taken = moved(desk, case, "transfer", "withdraw")
    if taken is None:
        return refuse(desk, subject, [not_allowed(case, "withdraw", "declaration_number")], case.id)
    if taken.late:
        return _repeat(desk, transfer, case)
    return [
        *taken.effects,
        *validity.end_transfer(case),
        Keep(case.id, "transfer", transfer),
        *(tell_withdrawal(earlier, case, old) if old is not None else ()),
        Respond(case.id, response(desk, subject, Outcome.CANCELLED, desk.sender.language)),
        *tell_enterprises(
            desk,
            taken.case,
            subject_of(declaration_of(case), "transfer", transfer.number),
            Outcome.CANCELLED,
            organisation=transfer.from_organisation,
        ),
    ]


def _repeat(desk: Desk, transfer: Transfer, case: Case) -> list[Effect]:
    """The same transfer again is told so; another one is refused, for the consignment is handed over."""
    subject = transfer_subject(transfer)
    earlier = kept(case, "transfer", Transfer)
    if earlier is None or transfer != earlier:
        why = [fault("decide.transfer.open", "number", transfer.number, ours=earlier.number if earlier else "–")]
        return refuse(desk, subject, why, case.id)
    outcome = Outcome.CANCELLED if transfer.function is Function.CANCELLATION else Outcome.ACCEPTED
    answer = response(desk, subject, outcome, desk.sender.language)
    return [Note(case.id, "repeat", (fault("decide.repeat"),)), Respond(case.id, answer)]


def _attach_waiting(desk: Desk, case: Case) -> list[Effect]:
    return decide_waiting(desk, case, Transfer, decide)


def _give_up(desk: Desk) -> list[Effect]:
    return give_up_waiting(desk, Transfer, transfer_subject)


def _let_go(_desk: Desk, case: Case) -> list[Effect]:
    """What the receiving bureau has answered no longer runs out."""
    return validity.end_transfer(case)


FLOW = Flow(
    "transfer",
    takes=(Takes(Transfer),),
    decide=decide,
    tracks=(TRANSFER,),
    rules=(TransferRules, ConsignmentRules),
    feeds=(Feed("transfer", frozenset({Role.BUREAU})), STATUS),
    tasks=(CHANGE, WITHDRAWAL),
    competences=frozenset({HAND_ON}),
    deadlines={
        validity.TRANSFER_ENDS: validity.expire_transfer,
        validity.TRANSFER_UNTAKEN: validity.alert_untaken,
        "undeclared_transfer": _give_up,
    },
    reacts=(
        On("transfer", "decline", _let_go),
        On("transfer", "take", _let_go),
        On("transfer", "change_agreed", adopt_change),
        On("transfer", "change_declined", drop_change),
        On("transfer", "withdrawal_agreed", adopt_withdrawal),
        On("transfer", "withdrawal_declined", refuse_withdrawal),
        On("declaration", "accept", _attach_waiting),
    ),
)

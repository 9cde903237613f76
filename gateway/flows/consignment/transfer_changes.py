"""What the two offices of a transfer change about it: by one of them within limits, beyond them by both.

    the receiving office changes what it may change         stands at once, the issuing office is told
    it changes more, or reduces without a reason             the issuing office is asked, and the change waits
    the issuing office agrees, or declines                   it stands, or the transfer stays as it was
    it changes what identifies the transfer, or hands more
    than was declared                                        refused: nobody may agree to that
    the issuing office takes back what was taken over        the receiving office is asked

Values are compared with the transfer as it was issued, whatever changes came between: many small steps are one big one.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from gateway.check.rulebook import TransferRules
from gateway.check.rules import walk
from gateway.decide.answers import Subject, fault, refuse, response, tell
from gateway.decide.cases import kept
from gateway.decide.desk import Desk
from gateway.decide.effects import (
    AddKeys,
    Ask,
    Close,
    Effect,
    Hold,
    Keep,
    Note,
    Party,
    Publish,
    Purpose,
    Respond,
    Send,
)
from gateway.decide.facts import TasksOf
from gateway.decide.parties import bureau, bureau_questions
from gateway.decide.tasks import TaskKind
from gateway.documents.parts import Function
from gateway.documents.response import Outcome
from gateway.documents.transfer import Transfer
from gateway.findings import rejects
from gateway.flows.consignment import validity
from gateway.flows.consignment.cases import subject_of
from gateway.flows.consignment.quantities import exceeding
from gateway.flows.consignment.tracks import Cleared, Transferred
from gateway.flows.declared import declaration_of
from gateway.flows.enterprises import enterprise_questions, tell_enterprises
from gateway.model import Case, Finding, Partner, Role

CHANGE = TaskKind("transfer_change", "transfer", "approve", {"agree": "change_agreed", "decline": "change_declined"})
"""The issuing office decides whether a change beyond the limits stands (协商一致)."""
WITHDRAWAL = TaskKind(
    "transfer_withdrawal", "transfer", "approve", {"agree": "withdrawal_agreed", "decline": "withdrawal_declined"}
)
"""The receiving office decides whether what it has taken over is taken back."""
ISSUED = "transfer_issued"
"""Under this name a case keeps the transfer as its office issued it."""
_ASKED = "transfer_change"
"""Under this name a case keeps the change that waits for the issuing office."""


def transfer_subject(transfer: Transfer) -> Subject:
    """What to call a transfer in a response to an office."""
    return Subject("transfer", transfer.client_reference, transfer.number, transfer.declaration_number)


def is_open(case: Case, *states: Transferred) -> bool:
    """Whether the transfer stands so, and customs has no notice yet."""
    notified = case.tracks.get("clearance", Cleared.NONE) not in (Cleared.NONE, Cleared.WITHDRAWN, Cleared.EXPIRED)
    return case.tracks.get("transfer") in states and not notified


def keep_transfer(case: Case, transfer: Transfer) -> list[Effect]:
    """The transfer is the case's newest, which is found by its numbers from now on."""
    keys = {("transfer", transfer.number), *(("container", unit.number) for unit in transfer.containers)}
    named = frozenset((kind, value) for kind, value in keys if value)
    return [Keep(case.id, "transfer", transfer), AddKeys(case.id, named)]


def publish_transfer(transfer: Transfer, case: Case, reader: Partner) -> Publish:
    """A line on the transfer feed of one of the offices."""
    keys = {"declaration": transfer.declaration_number, "transfer": transfer.number}
    return Publish("transfer", case.id, "transfer", transfer, keys, reader.id)


def tell_withdrawal(transfer: Transfer, case: Case, office: Partner) -> list[Effect]:
    """An office that had the transfer is told that it has it no more."""
    withdrawn = transfer.model_copy(update={"function": Function.CANCELLATION})
    party = Party(Role.BUREAU, partner_id=office.id)
    return [
        Send(case.id, "transfer", withdrawn, party, Purpose.TRANSFER),
        publish_transfer(withdrawn, case, office),
    ]


def change_at_receiver(desk: Desk, transfer: Transfer, earlier: Transfer, case: Case) -> list[Effect]:
    """A correction by the receiving bureau: it stands, waits for the issuing one, or is refused."""
    subject = transfer_subject(transfer)
    rules = desk.rules.of(TransferRules)
    issued = kept(case, ISSUED, Transfer) or earlier
    refused = [*_identity_faults(transfer, earlier, rules), *_more_than_declared(desk, transfer, case)]
    if not is_open(case, Transferred.SENT, Transferred.TAKEN):
        refused.append(
            fault("decide.status.not_allowed", "function", "change", event=transfer.function.name, status=case.status)
        )
    if rejects(refused):
        return refuse(desk, subject, refused, case.id)
    beyond = list(_beyond_limits(transfer, earlier, issued, rules))
    if beyond:
        return _ask_issuer(desk, transfer, earlier, case, beyond)
    answer = response(desk, subject, Outcome.ACCEPTED, desk.sender.language)
    return [*_change(desk, transfer, earlier, case), Respond(case.id, answer)]


def _change(desk: Desk, transfer: Transfer, earlier: Transfer, case: Case) -> list[Effect]:
    """The change stands: the case has it, the issuing office and the enterprises are told."""
    effects: list[Effect] = [
        Note(case.id, "changed", (fault("decide.transfer.changed", value=transfer.number),)),
        *keep_transfer(case, transfer),
    ]
    issuer = bureau(desk.facts, earlier.from_organisation)
    if issuer is not None:
        party = Party(Role.BUREAU, partner_id=issuer.id)
        effects += [
            Send(case.id, "transfer", transfer, party, Purpose.INFORMATION),
            publish_transfer(transfer, case, issuer),
        ]
    about = subject_of(declaration_of(case), "transfer", transfer.number)
    organisation = transfer.to_organisation
    return [*effects, *tell_enterprises(desk, case, about, Outcome.ACCEPTED, organisation=organisation)]


def _ask_issuer(desk: Desk, transfer: Transfer, earlier: Transfer, case: Case, beyond: list[Finding]) -> list[Effect]:
    """Both offices must agree: the issuing one decides, and a newer change takes the place of one that waits."""
    why = tuple(beyond)
    open_ = [task for task in desk.facts[TasksOf(case.id, desk.test)] if task.kind == CHANGE.name]
    issuer = bureau(desk.facts, earlier.from_organisation)
    effects: list[Effect] = [
        *(Close(task.id) for task in open_),
        Keep(case.id, _ASKED, transfer),
        Ask(desk.derive("task", CHANGE.name), CHANGE.name, case.id, earlier.from_organisation, reasons=why),
        Hold(case.id, why),
        Respond(case.id, response(desk, transfer_subject(transfer), Outcome.HELD, desk.sender.language, why=why)),
    ]
    if issuer is not None:
        told = response(desk, transfer_subject(earlier), Outcome.HELD, issuer.language, why=why)
        effects.append(tell(case.id, issuer, told))
    return effects


def adopt_change(desk: Desk, case: Case) -> list[Effect]:
    """Both offices agree: the change that waited stands."""
    earlier, changed = kept(case, "transfer", Transfer), kept(case, _ASKED, Transfer)
    if earlier is None or changed is None:
        return []
    desk.facts.require([*_offices(earlier), *enterprise_questions(case)])
    receiver = bureau(desk.facts, earlier.to_organisation)
    effects = _change(desk, changed, earlier, case)
    if receiver is not None:
        answer = response(desk, transfer_subject(changed), Outcome.ACCEPTED, receiver.language)
        effects.append(tell(case.id, receiver, answer))
    return effects


def drop_change(desk: Desk, case: Case) -> list[Effect]:
    """The issuing office declines the change: the transfer stays as it was, and who asked is told."""
    earlier, changed = kept(case, "transfer", Transfer), kept(case, _ASKED, Transfer)
    if earlier is None or changed is None:
        return []
    desk.facts.require(_offices(earlier))
    receiver = bureau(desk.facts, earlier.to_organisation)
    if receiver is None:
        return []
    why = (fault("decide.transfer.change_declined", value=changed.number, office=earlier.from_organisation),)
    return [
        tell(case.id, receiver, response(desk, transfer_subject(changed), Outcome.REFUSED, receiver.language, why=why))
    ]


def adopt_withdrawal(desk: Desk, case: Case) -> list[Effect]:
    """The office that has the goods agrees to give them back: everybody is told."""
    transfer = kept(case, "transfer", Transfer)
    if transfer is None:
        return []
    desk.facts.require([*_offices(transfer), *enterprise_questions(case)])
    issuer = bureau(desk.facts, transfer.from_organisation)
    receiver = bureau(desk.facts, transfer.to_organisation)
    withdrawn = transfer.model_copy(update={"function": Function.CANCELLATION})
    effects: list[Effect] = [Keep(case.id, "transfer", withdrawn), *validity.end_transfer(case)]
    if receiver is not None:
        effects += tell_withdrawal(transfer, case, receiver)
    if issuer is not None:
        answer = response(desk, transfer_subject(transfer), Outcome.CANCELLED, issuer.language)
        effects.append(tell(case.id, issuer, answer))
    about = subject_of(declaration_of(case), "transfer", transfer.number)
    return [*effects, *tell_enterprises(desk, case, about, Outcome.CANCELLED, organisation=transfer.from_organisation)]


def refuse_withdrawal(desk: Desk, case: Case) -> list[Effect]:
    """The office that has the goods keeps them: who asked is told."""
    transfer = kept(case, "transfer", Transfer)
    if transfer is None:
        return []
    desk.facts.require(_offices(transfer))
    issuer = bureau(desk.facts, transfer.from_organisation)
    if issuer is None:
        return []
    why = (fault("decide.transfer.taken", value=transfer.number, office=transfer.to_organisation),)
    return [
        tell(case.id, issuer, response(desk, transfer_subject(transfer), Outcome.REFUSED, issuer.language, why=why))
    ]


def _offices(transfer: Transfer) -> list[Any]:
    return bureau_questions(transfer.from_organisation, transfer.to_organisation)


def _identity_faults(transfer: Transfer, earlier: Transfer, rules: TransferRules) -> Iterator[Finding]:
    """What identifies the transfer is not changed, by whomever."""
    for path in rules.identity:
        before, after = next(walk(earlier, path))[1], next(walk(transfer, path))[1]
        if before != after:
            yield fault("decide.transfer.fixed", path, after, ours=before)


def _more_than_declared(desk: Desk, transfer: Transfer, case: Case) -> Iterator[Finding]:
    """Other goods than were declared, and more of them: values have limits of their own."""
    declared = declaration_of(case).goods
    codes = {goods.hs_code for goods in declared}
    for place, code in walk(transfer, "goods[].hs_code"):
        if code is not None and code not in codes:
            yield fault("decide.goods.not_declared", place, code)
    yield from exceeding(transfer.goods, declared, desk.rules.code_list("mass_unit"), values=False)


def _beyond_limits(transfer: Transfer, earlier: Transfer, issued: Transfer, rules: TransferRules) -> Iterator[Finding]:
    """Every difference that the receiving office may not make by itself."""
    free = {*rules.changeable, "function", "change_reason"}
    limited: set[str] = set()
    for path in rules.reducible:
        for place, old, new in _pairs(earlier, transfer, path):
            limited.add(place)
            if new > old:
                yield fault("decide.transfer.increased", place, new, ours=old)
            elif new < old and rules.reduction_needs_reason and not transfer.change_reason:
                yield fault("decide.transfer.reason", place, new, ours=old)
    for path in rules.value_fields:
        limited.update(place for place, _, _ in _pairs(earlier, transfer, path))
        for place, old, new in _pairs(issued, transfer, path):
            if _apart(old, new) > rules.value_tolerance_percent:
                yield fault("decide.transfer.value", place, new, ours=old, percent=rules.value_tolerance_percent)
    for place, old, new in differences(earlier.model_dump(), transfer.model_dump()):
        bare = place.split("[")[0]
        if place in limited or free & {bare, *_prefixes(place)}:
            continue
        yield fault("decide.transfer.fixed", place, new, ours=old)


def _pairs(before: Transfer, after: Transfer, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Both values at every place of `path` where there are two."""
    new = dict(walk(after, path))
    for place, old in walk(before, path):
        if old is not None and new.get(place) is not None:
            yield place, old, new[place]


def _apart(old: Decimal, new: Decimal) -> Decimal:
    """How far `new` is from `old`, in percent of `old`."""
    if old == 0:
        return Decimal(0) if new == 0 else Decimal("Infinity")
    return abs(new - old) * 100 / old


def _prefixes(place: str) -> set[str]:
    steps = place.split(".")
    return {".".join(steps[: n + 1]) for n in range(len(steps))}


def differences(old: Any, new: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every place at which two documents' values differ, with both values; a list of another length as a whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old:
            yield from differences(old[name], new[name], f"{place}.{name}" if place else name)
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{place}[{index}]")
    elif old != new:
        simple = [("" if isinstance(value, dict | list | tuple) else value) for value in (old, new)]
        yield place, simple[0], simple[1]

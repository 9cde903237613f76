"""The transfer flow (电子转单): the producing area's bureau hands an inspected consignment to the port's.

What the rules exclude from electronic transfer is refused, with every ground at once. The port's bureau
may correct a transfer within limits; the issuing bureau may replace or withdraw it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from gateway.check.rulebook import TransferRules
from gateway.check.rules import walk
from gateway.decide.answers import Subject, fault, progress, refuse, response
from gateway.decide.cases import kept, moved, moved_on, not_allowed
from gateway.decide.desk import Desk
from gateway.decide.effects import AddKeys, Effect, Keep, Note, Party, Publish, Purpose, Respond, Send
from gateway.decide.facts import PartnerById
from gateway.decide.flow import Feed, Flow, On, Takes
from gateway.decide.parties import BUREAU, bureau, bureau_questions, declarer, identified
from gateway.documents.parts import Function
from gateway.documents.response import Outcome
from gateway.documents.transfer import Transfer
from gateway.findings import rejects
from gateway.flows.consignment import validity
from gateway.flows.consignment.cases import STATUS, find_declared
from gateway.flows.consignment.tracks import TRANSFER, Cleared, Transferred
from gateway.flows.declared import declaration_of, mode_of
from gateway.model import Case, Finding, Partner, Role


def decide(desk: Desk) -> list[Effect]:
    """What a transfer comes to: handed on, changed, withdrawn, or refused with all the reasons."""
    transfer = desk.document
    assert isinstance(transfer, Transfer)
    subject = _subject(transfer)
    case = find_declared(desk, transfer.declaration_number)
    if case is None:
        return refuse(desk, subject, [fault("decide.case.unknown", "declaration_number", transfer.declaration_number)])
    asked = bureau_questions(transfer.from_organisation, transfer.to_organisation)
    desk.facts.require([*asked, PartnerById(case.partner_id)])
    earlier = kept(case, "transfer", Transfer)
    bureaus = identified(desk.sender, BUREAU)
    if transfer.function is Function.CHANGE and earlier is not None and earlier.to_organisation in bureaus:
        return _change_at_port(desk, transfer, earlier, case)
    if transfer.from_organisation not in bureaus:
        why = [fault("decide.sender.not_concerned", "from_organisation", transfer.from_organisation)]
        return refuse(desk, subject, why, case.id)
    if transfer.function is not Function.ORIGINAL and (earlier is None or earlier.number != transfer.number):
        return refuse(desk, subject, [fault("decide.transfer.unknown", "number", transfer.number)], case.id)
    receiving = bureau(desk.facts, transfer.to_organisation)
    if receiving is None:
        why = [fault("decide.bureau.unknown", "to_organisation", transfer.to_organisation)]
        return refuse(desk, subject, why, case.id)
    if transfer.function is Function.CANCELLATION:
        return _hand_over(desk, transfer, case, receiving, "withdraw")
    why = [*_exclusions(transfer, desk.rules.of(TransferRules)), *_disagreements(desk, transfer, case)]
    if rejects(why):
        return refuse(desk, subject, why, case.id)
    return _hand_over(desk, transfer, case, receiving, "send")


def _subject(transfer: Transfer) -> Subject:
    return Subject("transfer", transfer.client_reference, transfer.number, transfer.declaration_number)


def _exclusions(transfer: Transfer, rules: TransferRules) -> list[Finding]:
    """Every ground on which the rules exclude the consignment from electronic transfer."""
    grounds: dict[str, tuple[str, object]] = {}
    if transfer.exclusions is not None:
        for ground in ("pre_inspected", "exit_port_open", "merged_at_port", "certified_at_port", "other"):
            if value := getattr(transfer.exclusions, ground):
                grounds[ground] = (f"exclusions.{ground}", value)
    unqualified = [place for place, value in walk(transfer, "goods[].is_qualified") if value is False]
    if transfer.inspection is not None and transfer.inspection.is_qualified is False:
        unqualified.insert(0, "inspection.is_qualified")
    if unqualified:
        grounds["not_qualified"] = (unqualified[0], "false")
    return [
        fault(f"decide.transfer.{ground}", path, "" if value is True else value)
        for ground, (path, value) in grounds.items()
        if ground in rules.excluded
    ]


def _disagreements(desk: Desk, transfer: Transfer, case: Case) -> Iterator[Finding]:
    """Where the transfer does not fit its declaration, or is out of date."""
    declaration = declaration_of(case)
    if transfer.direction is not declaration.direction:
        yield fault("decide.differs", "direction", transfer.direction, ours=declaration.direction)
    mode = mode_of(desk.rules, declaration)
    if mode.transfer == "excluded":
        yield fault("decide.mode.no_transfer", mode=mode.en, mode_zh=mode.zh)
    if validity.is_over(desk, transfer.valid_until):
        yield fault("decide.transfer.expired", "valid_until", transfer.valid_until)
    declared = {goods.hs_code for goods in declaration.goods}
    for place, code in walk(transfer, "goods[].hs_code"):
        if code is not None and code not in declared:
            yield fault("decide.goods.not_declared", place, code)


def _hand_over(
    desk: Desk,
    transfer: Transfer,
    case: Case,
    receiving: Partner,
    event: str,
) -> list[Effect]:
    """Pass the transfer (or its withdrawal) to the receiving bureau, and tell everybody."""
    subject = _subject(transfer)
    taken = moved(desk, case, "transfer", event)
    if taken is None:
        return refuse(desk, subject, [not_allowed(case, event, "declaration_number")], case.id)
    withdrawn = event == "withdraw"
    effects = taken.effects
    if taken.late and transfer.function is Function.REPLACE and _is_open(case):
        effects = (Note(case.id, "changed", (fault("decide.transfer.changed", value=transfer.number),)),)
    elif taken.late:
        return _repeat(desk, transfer, case)
    elif not withdrawn:
        # A transfer document says by itself that the goods have passed.
        taken = moved_on(desk, case, ("inspection", "pass"), ("transfer", event))
        effects = taken.effects
    keys = {("transfer", transfer.number), *(("container", unit.number) for unit in transfer.containers)}
    outcome = Outcome.CANCELLED if withdrawn else Outcome.ACCEPTED
    answer = response(desk, subject, outcome, desk.sender.language)
    to = declarer(case, desk.facts)
    told = response(desk, subject, outcome, to.language, organisation=transfer.from_organisation)
    return [
        *effects,
        *validity.begin(desk, case, validity.TRANSFER_ENDS, None if withdrawn else transfer.valid_until),
        Keep(case.id, "transfer", transfer),
        AddKeys(case.id, frozenset((kind, value) for kind, value in keys if value)),
        Send(case.id, "transfer", transfer, Party(Role.BUREAU, partner_id=receiving.id), Purpose.TRANSFER),
        _published(transfer, case, receiving),
        Respond(case.id, answer),
        progress(case.id, case.partner_id, told, taken.case.status),
    ]


def _is_open(case: Case) -> bool:
    """Whether the port's bureau has the transfer, and customs has no notice yet."""
    notified = case.tracks.get("clearance", Cleared.NONE) not in (Cleared.NONE, Cleared.WITHDRAWN, Cleared.EXPIRED)
    return case.tracks.get("transfer") == Transferred.SENT and not notified


def _published(transfer: Transfer, case: Case, reader: Partner) -> Publish:
    keys = {"declaration": transfer.declaration_number, "transfer": transfer.number}
    return Publish("transfer", case.id, "transfer", transfer, keys, reader.id)


def _repeat(desk: Desk, transfer: Transfer, case: Case) -> list[Effect]:
    """The same transfer again is told so; another one is refused, for the consignment is handed over."""
    subject = _subject(transfer)
    earlier = kept(case, "transfer", Transfer)
    if earlier is None or transfer != earlier:
        why = [fault("decide.transfer.open", "number", transfer.number, ours=earlier.number if earlier else "–")]
        return refuse(desk, subject, why, case.id)
    outcome = Outcome.CANCELLED if transfer.function is Function.CANCELLATION else Outcome.ACCEPTED
    answer = response(desk, subject, outcome, desk.sender.language)
    return [Note(case.id, "repeat", (fault("decide.repeat"),)), Respond(case.id, answer)]


def _change_at_port(
    desk: Desk,
    transfer: Transfer,
    earlier: Transfer,
    case: Case,
) -> list[Effect]:
    """A correction by the port's bureau: within the limits it stands at once, beyond them it is refused."""
    subject = _subject(transfer)
    why = list(_beyond_limits(transfer, earlier, desk.rules.of(TransferRules)))
    if not _is_open(case):
        why.append(
            fault("decide.status.not_allowed", "function", "change", event=transfer.function.name, status=case.status)
        )
    if rejects(why):
        return refuse(desk, subject, why, case.id)
    answer = response(desk, subject, Outcome.ACCEPTED, desk.sender.language)
    units = frozenset(("container", unit.number) for unit in transfer.containers if unit.number)
    effects: list[Effect] = [
        Note(case.id, "changed", (fault("decide.transfer.changed", value=transfer.number),)),
        Keep(case.id, "transfer", transfer),
        AddKeys(case.id, units),
    ]
    issuer = bureau(desk.facts, earlier.from_organisation)
    if issuer is not None:
        party = Party(Role.BUREAU, partner_id=issuer.id)
        effects += [
            Send(case.id, "transfer", transfer, party, Purpose.INFORMATION),
            _published(transfer, case, issuer),
        ]
    return [*effects, Respond(case.id, answer), progress(case.id, case.partner_id, answer, case.status)]


def _beyond_limits(transfer: Transfer, earlier: Transfer, rules: TransferRules) -> Iterator[Finding]:
    """Every difference that the port may not make."""
    free = {*rules.changeable, "function"}
    limited: dict[str, str] = {}
    for path in (*rules.reducible, *rules.value_fields):
        before, after = dict(walk(earlier, path)), dict(walk(transfer, path))
        for place, old in before.items():
            new = after.get(place)
            if old is None or new is None:
                continue
            limited[place] = path
            if path in rules.reducible and new > old:
                yield fault("decide.transfer.increased", place, new, ours=old)
            elif path in rules.value_fields and _apart(old, new) > rules.value_tolerance_percent:
                yield fault("decide.transfer.value", place, new, ours=old, percent=rules.value_tolerance_percent)
    for place, old, new in differences(_plain(earlier), _plain(transfer)):
        bare = place.split("[")[0]
        if place in limited or free & {bare, *_prefixes(place)}:
            continue
        yield fault("decide.transfer.fixed", place, new, ours=old)


def _apart(old: Decimal, new: Decimal) -> Decimal:
    """How far `new` is from `old`, in percent of `old`."""
    if old == 0:
        return Decimal(0) if new == 0 else Decimal("Infinity")
    return abs(new - old) * 100 / old


def _plain(transfer: Transfer) -> dict[str, Any]:
    return transfer.model_dump()


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


def _let_go(_desk: Desk, case: Case) -> list[Effect]:
    """What the port's bureau has answered no longer runs out."""
    return validity.end(case, validity.TRANSFER_ENDS)


FLOW = Flow(
    "transfer",
    takes=(Takes(Transfer),),
    decide=decide,
    tracks=(TRANSFER,),
    rules=(TransferRules,),
    feeds=(Feed("transfer", frozenset({Role.BUREAU})), STATUS),
    deadlines={validity.TRANSFER_ENDS: validity.expire_transfer},
    reacts=(On("transfer", "decline", _let_go), On("transfer", "take", _let_go)),
)

"""Cases and waiting documents as the store would hold them after each message, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from gateway.decide.desk import MessageIn
from gateway.decide.effects import AddKeys, Attach, Draw, Effect, Keep, NewCase, SetStatus, Wait
from gateway.decide.facts import (
    Answer,
    CaseById,
    CasesByKeys,
    Facts,
    LedgerBalance,
    Query,
    Waiting,
    WaitingDocument,
)
from gateway.model import Case


@dataclass(slots=True)
class Pending:
    """Cases, waiting documents and ledgers as they will be after the effects taken in so far."""

    cases: dict[str, Case] = field(default_factory=dict)
    waits: dict[str, tuple[WaitingDocument, bool]] = field(default_factory=dict)
    """By id, each with its test flag."""
    attached: set[str] = field(default_factory=set)
    draws: dict[tuple[str, bool], Decimal] = field(default_factory=dict)

    def take(self, incoming: MessageIn, facts: Facts, effects: Iterable[Effect]) -> None:
        """Take in what `incoming` came to; `facts` are those it was decided on."""
        for effect in effects:
            match effect:
                case NewCase():
                    self.cases[effect.case] = Case(effect.case, 0, effect.status, effect.partner_id, test=incoming.test)
                case SetStatus():
                    self._change(facts, effect.case, status=effect.status)
                case AddKeys():
                    known = self._case(facts, effect.case)
                    self._change(facts, effect.case, keys=known.keys | effect.keys)
                case Keep():
                    documents = self._case(facts, effect.case).documents
                    newest = {**documents, effect.document_type: effect.document.to_json()}
                    self._change(facts, effect.case, documents=newest)
                case Wait():
                    waiting = WaitingDocument(
                        effect.id,
                        effect.document_type,
                        effect.keys,
                        effect.document.to_json(),
                        effect.partner_id or incoming.sender.id,
                        incoming.id,
                    )
                    self.waits[effect.id] = (waiting, incoming.test)
                case Attach():
                    self.attached.add(effect.waiting_id)
                case Draw():
                    ledger = (effect.ledger, incoming.test)
                    self.draws[ledger] = self.draws.get(ledger, Decimal(0)) + effect.amount
                case _:
                    pass  # goes out or is told; no later decision reads it

    def over(self, facts: Facts) -> Facts:
        """`facts` as they will be; the versions stay those of the store's answers."""
        return Facts({query: self._over(query, answer) for query, answer in facts.answers.items()})

    def _over(self, query: Query, answer: Answer) -> Answer:
        value = answer.value
        match query:
            case CasesByKeys():
                assert isinstance(value, tuple)
                found = {case.id: self.cases.get(case.id, case) for case in value}
                for case in self.cases.values():
                    if case.test == query.test and not case.keys.isdisjoint(query.keys):
                        found[case.id] = case
                value = tuple(found[id_] for id_ in sorted(found))
            case CaseById():
                pending = self.cases.get(query.id)
                value = pending if pending is not None and pending.test == query.test else value
            case Waiting():
                assert isinstance(value, tuple)
                waits = {w.id: w for w in value}
                waits |= {
                    w.id: w
                    for w, test in self.waits.values()
                    if test == query.test and not w.keys.isdisjoint(query.keys)
                }
                value = tuple(waits[id_] for id_ in sorted(waits) if id_ not in self.attached)
            case LedgerBalance():
                assert isinstance(value, Decimal)
                value += self.draws.get((query.name, query.test), Decimal(0))
            case _:
                return answer
        return Answer(value, answer.version)

    def _case(self, facts: Facts, case_id: str) -> Case:
        if case_id in self.cases:
            return self.cases[case_id]
        for answer in facts.answers.values():
            values = answer.value if isinstance(answer.value, tuple) else (answer.value,)
            for value in values:
                if isinstance(value, Case) and value.id == case_id:
                    return value
        raise KeyError(case_id)

    def _change(self, facts: Facts, case_id: str, **changes: object) -> None:
        self.cases[case_id] = replace(self._case(facts, case_id), **changes)  # type: ignore[arg-type]  # names of fields

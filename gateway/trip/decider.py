"""Decides one occasion with all the facts that takes: the flow is run, and asked for more, until it needs no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from gateway.check.rulebook import Rules
from gateway.decide import facts
from gateway.decide.apply import Applied
from gateway.decide.desk import Alarm, Occasion
from gateway.decide.engine import Part, conclude
from gateway.decide.facts import Facts
from gateway.decide.flow import Flows
from gateway.errors import NotFound
from gateway.model import Partner
from gateway.registry.directory import Directory
from gateway.store.ports import Decisions
from gateway.trip.aside import run_aside
from gateway.trip.transaction import Transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Decided:
    """What an occasion comes to."""

    parts: Sequence[Part]
    facts: Facts
    """What it rests on, as the store said it and the commit compares it."""
    applied: Applied


class Decider:
    """Decides occasions by the flows and the rules of one day."""

    def __init__(self, store: Decisions, directory: Directory, flows: Flows, rules: Rules, now: datetime) -> None:
        """`directory` tells who partners are; `now` is the time of all that is decided."""
        self._store = store
        self._directory = directory
        self._flows = flows
        self._rules = rules
        self._now = now

    async def decide(self, occasion: Occasion, transaction: Transaction) -> Decided:
        """What `occasion` comes to; what those before it in the transaction came to is laid over what the store says."""
        known = Facts()
        while True:
            desk = self._flows.desk(occasion, transaction.ground.over(known), self._rules, self._now)
            try:
                decision = await _run(occasion, partial(conclude, desk, self._flows))
            except facts.Unknown as unknown:
                known = await self._answer(unknown.queries, known, occasion.id, transaction)
                continue
            asked = Facts({query: transaction.asked.get(query, a) for query, a in desk.facts.answers.items()})
            return Decided(decision.parts, asked, decision.applied)

    async def _answer(
        self, queries: Sequence[facts.Query], known: Facts, for_id: str, transaction: Transaction
    ) -> Facts:
        """`known` with the answers to `queries`; what was asked before in this transaction is not asked again."""
        asked = transaction.asked
        for query in queries:
            # Who a partner or a person is need not be asked of the store each time.
            if isinstance(query, facts.PartnerById | facts.PartnerByIdentifier) and query not in asked:
                asked[query] = facts.Answer(await self._find_partner(query))
            elif isinstance(query, facts.PersonById) and query not in asked:
                asked[query] = facts.Answer(await self._directory.person(query.id))
        others = [query for query in queries if query not in asked]
        if others:
            found = await self._store.facts(others, known, for_id)
            known = known.plus({query: found.answers[query] for query in others})
            # A number is given to one message, and to no other.
            asked.update((q, found.answers[q]) for q in others if not isinstance(q, facts.NextNumber))
        return known.plus({query: asked[query] for query in queries if query in asked})

    async def _find_partner(self, query: facts.PartnerById | facts.PartnerByIdentifier) -> Partner | None:
        """Who a query means, as the registry is now: it changes rarely, and a decision may rest on a second ago."""
        found: Partner | None
        if isinstance(query, facts.PartnerByIdentifier):
            found = await self._directory.partner_by(query.scheme, query.value)
        else:
            try:
                found = await self._directory.partner(query.id)
            except NotFound:
                return None
        return found if found is not None and found.active else None


async def _run(occasion: Occasion, work: Callable[[], T]) -> T:
    """What `work` gives, run beside the event loop where it is about a large document."""
    return work() if isinstance(occasion, Alarm) else await run_aside(occasion.document, work)

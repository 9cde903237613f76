"""Decide: what a document means for its consignment, one file per business flow.

`needs` says which questions the store must answer before `decide` can be called; ask again with the
answers until it returns nothing. Both are pure: equal arguments give equal effects.

    facts = Facts()
    while queries := needs(incoming, facts, rules, now):
        facts = await store.facts(queries, facts, incoming.message_id)
    effects = decide(incoming, facts, rules, now)

A flow is one function. It reads facts as if they were all there; `needs` runs it as far as it comes
and reports what it stopped for. So what a flow asks for and what it reads cannot drift apart, and a
number is reserved only when the flow has come to the point where it will be given out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from gateway.check.rulebook import Rules
from gateway.decide import clearance, declaration, port_inspection, release, response, transfer
from gateway.decide.effects import Effect
from gateway.decide.facts import Facts, Query, Unknown
from gateway.decide.incoming import Incoming

Flow = Callable[[Incoming, Facts, Rules, datetime], list[Effect]]

FLOWS: Mapping[str, Flow] = {
    "declaration": declaration.decide,
    "response": response.decide,
    "transfer": transfer.decide,
    "clearance": clearance.decide,
    "customs_entry": clearance.match,
    "manifest": port_inspection.decide,
    "release": release.decide,
}
"""The flow of each document type."""


def needs(incoming: Incoming, facts: Facts, rules: Rules, now: datetime) -> tuple[Query, ...]:
    """What `decide` must still know; empty when it can be called."""
    try:
        decide(incoming, facts, rules, now)
    except Unknown as unknown:
        return unknown.queries
    return ()


def decide(incoming: Incoming, facts: Facts, rules: Rules, now: datetime) -> list[Effect]:
    """What `incoming` comes to. Raises KeyError for a document type without a flow, Unknown where facts lack."""
    return FLOWS[incoming.document_type](incoming, facts, rules, now)

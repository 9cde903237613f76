"""Decide: what a document means for its consignment, one file per business flow.

`needs` says which questions the store must answer before `decide` can be called; ask again with the
answers until it returns nothing. Both are pure: equal desks give equal effects.

    desk = Desk(occasion, Facts(), rules, now)
    while queries := needs(desk):
        desk = replace(desk, facts=await store.facts(queries, desk.facts, occasion.id))
    effects = decide(desk)

A flow is one function of a desk. It reads facts as if they were all there; `needs` runs it as far as it comes
and reports what it stopped for. So what a flow asks for and what it reads cannot drift apart, and a
number is reserved only when the flow has come to the point where it will be given out.

What effects mean for cases, waiting documents and ledgers is said once, in `apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.decide import clearance, declaration, port_inspection, release, response, transfer
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect
from gateway.decide.facts import Query, Unknown

Flow = Callable[[Desk], list[Effect]]

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


def needs(desk: Desk) -> tuple[Query, ...]:
    """What `decide` must still know; empty when it can be called."""
    try:
        decide(desk)
    except Unknown as unknown:
        return unknown.queries
    return ()


def decide(desk: Desk) -> list[Effect]:
    """What the occasion comes to. Raises KeyError for a document type without a flow, Unknown where facts lack."""
    return FLOWS[desk.occasion.document_type](desk)

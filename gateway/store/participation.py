"""Who takes part in a case, and may read it: whoever sends to it, or is sent something of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain

from sqlalchemy import Connection, select, union

from gateway.decide.facts import MOST_OWN, OwnCases
from gateway.model import MessageState
from gateway.store import tables
from gateway.store.contract import Outcome

_keys, _parts = tables.case_keys.c, tables.case_partners.c


def find_participants(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """(case id, partner id) of all who take part in a case by what an outcome writes, in order and each once.

    A refused message gives no part, nor does the answer to it: numbers can be guessed.
    """
    refused = {message.id for message in outcome.messages if message.state is MessageState.REJECTED}
    owned = ((change.case_id, change.partner_id) for change in outcome.cases if not change.noted)
    sent = ((message.case_id, message.partner_id) for message in outcome.messages if message.id not in refused)
    delivered = ((made.case_id, made.partner_id) for made in outcome.deliveries if made.message_id not in refused)
    found = set(chain(owned, sent, delivered))
    return ((case_id, partner_id) for case_id, partner_id in sorted(found) if case_id and partner_id)


def find_own(connection: Connection, queries: Collection[OwnCases]) -> dict[OwnCases, list[str]]:
    """Ids of the cases of each query, the newest MOST_OWN, by id; one of other traffic where it has that very id."""
    found: dict[OwnCases, list[str]] = {}
    for query in queries:
        own = _parts.partner_id == query.partner
        by_key = (
            select(_keys.case_id)
            .join(tables.case_partners, _parts.case_id == _keys.case_id)
            .where(_keys.value == query.key, _keys.test == query.test, own)
        )
        by_id = select(_parts.case_id).where(_parts.case_id == query.key, own)
        ids = union(by_key, by_id).subquery()
        newest = select(ids.c.case_id).order_by(ids.c.case_id.desc()).limit(MOST_OWN)
        found[query] = sorted(connection.execute(newest).scalars())
    return found

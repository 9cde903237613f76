"""Who takes part in a case, and may read it: whoever sends to it, is sent something of it, or fetches it from a feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import Connection, select

from gateway.decide.audience import is_partner
from gateway.decide.names import Name, case_name
from gateway.model import MessageState
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.contract import Outcome
from gateway.store.writer import Answers

_parts = tables.case_partners.c


def find_participants(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """(case id, partner id) of all who take part in a case by what an outcome writes, in order and each once.

    A refused message gives no part, nor does the answer to it: numbers can be guessed.
    """
    refused = {message.id for message in outcome.messages if message.state is MessageState.REJECTED}
    owned = ((change.case_id, change.partner_id) for change in outcome.cases if not change.noted)
    sent = ((message.case_id, message.partner_id) for message in outcome.messages if message.id not in refused)
    delivered = ((made.case_id, made.partner_id) for made in outcome.deliveries if made.message_id not in refused)
    offered = (
        (entry.case_id, entry.partner_id)
        for entry in outcome.feed
        if entry.message_id not in refused and is_partner(entry.partner_id)
    )
    found = set(chain(owned, sent, delivered, offered))
    return ((case_id, partner_id) for case_id, partner_id in sorted(found) if case_id and partner_id)


@dataclass(frozen=True, slots=True)
class Fetched:
    """That a partner has fetched a document of a case from a feed."""

    case_id: str
    partner_id: str


def takes_part(connection: Connection, fetched: Fetched) -> bool:
    """Whether the partner takes part in the case already."""
    query = select(_parts.case_id).where(_parts.partner_id == fetched.partner_id, _parts.case_id == fetched.case_id)
    return connection.execute(query).first() is not None


def fetch_names(fetched: Fetched) -> Iterable[Name]:
    """What taking part touches: the case, which may be gone by then."""
    yield case_name(fetched.case_id)


def take_part(batch: Batch, wanted: Sequence[Fetched]) -> Callable[[], Answers[None]]:
    """Let those who have fetched something of a case take part in it; nothing where the case is gone."""
    cases = tables.cases.c
    ids = {one.case_id for one in wanted}
    there = {row.id for row in batch.connection.execute(select(cases.id).where(cases.id.in_(ids)))}
    for one in wanted:
        if one.case_id in there:
            batch.insert(tables.case_partners, (one.case_id, one.partner_id), "ignore")
    return lambda: [None] * len(wanted)

"""What an entry of a feed holds for each audience: the document as that audience sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping

from gateway.check.views import ViewRules
from gateway.decide.audience import EVERYONE, Audience, Scope, is_partner, name_audiences
from gateway.decide.effects import Publish
from gateway.decide.views import Subject, find_views
from gateway.documents.base import Document
from gateway.model import Agreement, Direction, FeedEntry, Partner, Role
from gateway.trip.in_hand import InHand

INBOX = "inbox"
"""The feed of what a partner gets without an agreement to push it: it fetches, as most client software does."""


def audiences_of(effect: Publish) -> tuple[Audience, ...]:
    """To whom an effect addresses its document."""
    if effect.audience:
        return effect.audience
    return (Audience(Scope.PARTNER, effect.partner_id),) if effect.partner_id else (EVERYONE,)


def cut_entries(
    effect: Publish,
    rules: ViewRules,
    readers: Collection[Role],
    partners: Mapping[str, Partner],
    cases: Collection[Subject],
) -> Iterator[tuple[str, Document | None]]:
    """(name of the audience, document as it sees it) for each entry that an effect makes; None where it may see nothing.

    `readers` are the roles that read the feed: where they do not see the same, what is for everyone is an entry for each.
    `partners` are those that are addressed by id.
    """
    for audience in audiences_of(effect):
        if audience.scope is Scope.EVERYONE:
            yield from _for_everyone(effect, rules, readers, cases)
        else:
            reader = partners[audience.value] if audience.scope is Scope.PARTNER else audience.reader
            yield audience.name, rules.cut(effect.document, find_views(rules, reader, *cases))


def _for_everyone(
    effect: Publish, rules: ViewRules, readers: Collection[Role], cases: Collection[Subject]
) -> Iterator[tuple[str, Document | None]]:
    """What all readers see, once; or what each role sees."""
    by_role = [Audience(Scope.ROLE, role.value) for role in sorted(readers)]
    shown = [(one.name, rules.cut(effect.document, find_views(rules, one.reader, *cases))) for one in by_role]
    seen = [document for _, document in shown if document is not None]
    if not seen:
        yield EVERYONE.name, None
    elif all(document == seen[0] for _, document in shown):
        yield EVERYONE.name, seen[0]
    else:
        yield from ((name, document) for name, document in shown if document is not None)


def addressed(published: Collection[str], subscribers: Collection[str]) -> Iterable[str]:
    """Ids of the subscribers to whom something published under these names may be addressed.

    What is for some partners alone, as an enterprise's own status, is looked up for them, however many subscribe.
    """
    if all(is_partner(name) for name in published):
        return [name for name in published if name in subscribers]
    return subscribers


def wanted_entry(published: Mapping[str, Document], subscriber: Partner, readers: Collection[Role]) -> Document | None:
    """Of what was published by name of audience, what `subscriber` could read itself; None where that is nothing."""
    if not subscriber.active or subscriber.roles.isdisjoint(readers):
        return None
    return next((published[name] for name in name_audiences(subscriber) if name in published), None)


def make_fetched(recipient: Partner, document_type: str) -> Agreement:
    """What a recipient without an agreement for such documents gets: JSON, in its inbox."""
    return Agreement("", recipient.id, Direction.OUT, document_type, f"json:{document_type}:1", transport=INBOX)


def make_entry(
    feed: str, partner_id: str, document_type: str, document_id: str, body: bytes, message: InHand, case_id: str
) -> FeedEntry:
    """A line on a feed; `partner_id` names its audience."""
    return FeedEntry(
        feed=feed,
        partner_id=partner_id,
        document_type=document_type,
        document_id=document_id,
        sha256=hashlib.sha256(body).hexdigest(),
        test=message.test,
        body=body,
        message_id=message.message_id,
        case_id=case_id,
        at=message.at,
    )

"""What an entry of a feed holds for each audience: the document as that audience sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.check.views import ViewRules
from gateway.decide.audience import EVERYONE, Audience, Scope, is_partner, name_audiences
from gateway.decide.effects import Publish
from gateway.decide.views import Viewed, find_views
from gateway.documents.base import Document
from gateway.model import Agreement, Direction, FeedEntry, Partner, Role, Subscription
from gateway.trip.in_hand import InHand

INBOX = "inbox"
"""The feed of what a partner gets without an agreement to push it: it fetches, as most client software does."""


def audiences_of(effect: Publish) -> tuple[Audience, ...]:
    """To whom an effect addresses its document."""
    if effect.audience:
        return effect.audience
    return (Audience(Scope.PARTNER, effect.partner_id),) if effect.partner_id else (EVERYONE,)


@dataclass(frozen=True, slots=True)
class Cut:
    """An entry for one audience."""

    name: str
    """The audience's."""
    document: Document | None
    """As the audience sees it; None where it may see nothing."""
    keys: Mapping[str, str]
    """Those that it sees."""


def cut_entries(
    effect: Publish,
    rules: ViewRules,
    readers: Collection[Role],
    partners: Mapping[str, Partner],
    cases: Sequence[Viewed],
) -> Iterator[Cut]:
    """Each entry that an effect makes.

    `readers` are the roles that read the feed: where they do not see the same, what is for everyone is an entry for each.
    `partners` are those that are addressed by id.
    """
    for audience in audiences_of(effect):
        if audience.scope is Scope.EVERYONE:
            yield from _for_everyone(effect, rules, readers, cases)
        else:
            reader = partners[audience.value] if audience.scope is Scope.PARTNER else audience.reader
            yield _cut(effect, rules, audience.name, reader, cases)


def _cut(effect: Publish, rules: ViewRules, name: str, reader: Partner, cases: Sequence[Viewed]) -> Cut:
    """What `reader` sees of it."""
    names = frozenset({effect.view}) if effect.view else find_views(rules, reader, *cases)
    keys = rules.cut_keys(cases[-1].kind, effect.keys, names) if cases else effect.keys
    return Cut(name, rules.cut(effect.document, names), keys)


def _for_everyone(
    effect: Publish, rules: ViewRules, readers: Collection[Role], cases: Sequence[Viewed]
) -> Iterator[Cut]:
    """What all readers see, once; or what each role sees."""
    by_role = [Audience(Scope.ROLE, role.value) for role in sorted(readers)]
    cut = [_cut(effect, rules, one.name, one.reader, cases) for one in by_role]
    seen = [one for one in cut if one.document is not None]
    if not seen:
        yield Cut(EVERYONE.name, None, effect.keys)
    elif all((one.document, one.keys) == (seen[0].document, seen[0].keys) for one in cut):
        yield replace(seen[0], name=EVERYONE.name)
    else:
        yield from seen


def addressed(published: Collection[str], subscribers: Collection[str]) -> Iterable[str]:
    """Ids of the subscribers to whom something published under these names may be addressed.

    What is for some partners alone, as an enterprise's own status, is looked up for them, however many subscribe.
    """
    if all(is_partner(name) for name in published):
        return [name for name in published if name in subscribers]
    return subscribers


@dataclass(frozen=True, slots=True)
class Given:
    """What a subscriber is given of something published."""

    document: Document
    push: bool
    """Whether it is pushed, where an agreement says how."""


def find_wanted(
    published: Mapping[str, Cut],
    subscriber: Partner,
    subscriptions: Iterable[Subscription],
    readers: Collection[Role],
    at: datetime,
) -> Given | None:
    """Of what was published by name of audience, what `subscriber` could read itself and has asked for; None for nothing.

    It is asked for by the numbers that the subscriber sees: by others it could find out what it may not know.
    """
    if not subscriber.active or subscriber.roles.isdisjoint(readers):
        return None
    cut = next((published[name] for name in name_audiences(subscriber) if name in published), None)
    if cut is None or cut.document is None:
        return None
    wanted = next((one for one in subscriptions if one.wants(cut.keys, at)), None)
    return Given(cut.document, wanted.push) if wanted is not None else None


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

"""The subscription flow (订阅): a partner asks for what a feed says to it, changes that, or ends it.

It may ask for feeds that it may read. What was published before is read from the feed itself, by its cursor; a
subscription begins with its acceptance, or later.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.decide.answers import Subject, fault, refuse, response
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Respond, Subscribe
from gateway.decide.facts import SubscriptionsOf
from gateway.decide.flow import Flow, Takes
from gateway.documents.parts import Function
from gateway.documents.response import Outcome
from gateway.documents.subscription import FeedSubscription, Handing
from gateway.model import Finding, Subscription

MOST = 100
"""Subscriptions of one partner that are served at once: each is looked at whenever its feed gets an entry."""
MOST_VALUES = 1000
"""Numbers that one subscription may name: whoever wants more of them wants the feed."""


def decide(desk: Desk) -> list[Effect]:
    """What a subscription comes to: it is served from now on, or no longer, or its sender learns why not."""
    asked = desk.document
    assert isinstance(asked, FeedSubscription)
    subject = Subject("subscription", asked.id, asked.id)
    known = desk.facts[SubscriptionsOf(desk.sender.id, desk.test)]
    earlier = next((one for one in known if one.name == asked.id), None)
    served = earlier if earlier is not None and not earlier.ended else None
    others = sum(not one.ended and one.name != asked.id for one in known)
    if why := list(_faults(desk, asked, served, others)):
        return refuse(desk, subject, why)
    ends = asked.function is Function.CANCELLATION
    wanted = Subscription(
        desk.sender.id,
        asked.id,
        earlier.version + 1 if earlier is not None else 1,
        asked.feed,
        keys={one.kind: frozenset(one.values) for one in asked.keys},
        push=asked.handing is Handing.PUSH,
        since=asked.since,
        ended=ends,
        test=desk.test,
    )
    answer = response(desk, subject, Outcome.CANCELLED if ends else Outcome.ACCEPTED, desk.sender.language)
    return [Subscribe(wanted), Respond("", answer)]


def _faults(desk: Desk, asked: FeedSubscription, served: Subscription | None, others: int) -> Iterator[Finding]:
    """Why it cannot be served; `others` are the sender's that are."""
    if asked.function is Function.ORIGINAL and served is not None:
        yield fault("decide.subscription.known", "id", asked.id)
    if asked.function is not Function.ORIGINAL and served is None:
        yield fault("decide.subscription.unknown", "id", asked.id)
    if asked.function is Function.CANCELLATION:
        return
    if desk.sender.roles.isdisjoint(desk.feeds.get(asked.feed, frozenset())):
        # Whether there is a feed that it may not read is not its to know.
        yield fault("decide.subscription.feed", "feed", asked.feed)
    if asked.since is not None and asked.since < desk.occasion.at:
        yield fault("decide.subscription.since", "since", asked.since.isoformat(timespec="seconds"))
    if others >= MOST:
        yield fault("decide.subscription.too_many", "id", asked.id, most=MOST)
    if sum(len(one.values) for one in asked.keys) > MOST_VALUES:
        yield fault("decide.subscription.too_many_values", "keys", "", most=MOST_VALUES)
    kinds = [one.kind for one in asked.keys]
    if len(set(kinds)) < len(kinds):
        yield fault("decide.subscription.kind_twice", "keys", next(kind for kind in kinds if kinds.count(kind) > 1))


FLOW = Flow("subscription", takes=(Takes(FeedSubscription),), decide=decide)

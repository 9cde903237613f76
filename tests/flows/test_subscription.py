"""The subscription flow: who may ask for what, changed, ended, repeated."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.decide.effects import Effect, Refuse, Respond, Subscribe
from gateway.documents import FeedSubscription
from gateway.flows.subscription import MOST, MOST_VALUES
from gateway.model import Partner
from tests.flows.world import BUREAU, CUSTOMS, FACTORY, NOW, PORT, World, codes, of


def asking(**changes: object) -> FeedSubscription:
    values: dict[str, object] = {"id": "S-1", "function": "9", "feed": "clearance", "handing": "push"}
    return FeedSubscription.model_validate(values | changes)


def outcome(effects: list[Effect]) -> str:
    (respond,) = of(effects, Respond)
    return str(respond.document.outcome.value)


def why(effects: list[Effect]) -> list[str]:
    return [code for refused in of(effects, Refuse) for code in codes(refused.reasons)]


def test_a_subscription_is_made_changed_and_ended() -> None:
    """Each change is the next version of it; what has ended may be made anew, and goes on counting."""
    world = World()
    made = [
        of(world.send(asking(**changes), CUSTOMS), Subscribe)[0].subscription
        for changes in (
            {"keys": [{"kind": "notice", "values": ["1", "2"]}]},
            {"function": "5", "handing": "fetch"},
            {"function": "1"},
            {},
        )
    ]
    assert [(one.version, one.push, one.ended) for one in made] == [
        (1, True, False), (2, False, False), (3, True, True), (4, True, False),
    ]  # fmt: skip
    assert made[0].keys == {"notice": frozenset({"1", "2"})}
    assert made[0].wants({"notice": "2", "declaration": "9"}, NOW)
    assert not made[0].wants({"notice": "3"}, NOW)
    assert not made[0].wants({}, NOW)
    assert made[1].wants({}, NOW)
    assert not made[2].wants({}, NOW)


def test_it_begins_when_it_says() -> None:
    """What is published before is not asked for."""
    later = NOW + timedelta(days=1)
    (effect,) = of(World().send(asking(since=later.isoformat()), CUSTOMS), Subscribe)
    assert [effect.subscription.wants({}, at) for at in (NOW, later)] == [False, True]


TWICE = [{"kind": "notice", "values": ["1"]}, {"kind": "notice", "values": ["2"]}]
REFUSED = [
    # sender, what it asks, why not
    (CUSTOMS, {"feed": "nothing"}, ["decide.subscription.feed"]),
    # There is such a feed, and it is not for a port: the same words.
    (PORT, {}, ["decide.subscription.feed"]),
    (FACTORY, {"feed": "release"}, ["decide.subscription.feed"]),
    (CUSTOMS, {"feed": "alerts"}, ["decide.subscription.feed"]),
    (BUREAU, {"feed": "transfer", "since": (NOW - timedelta(seconds=1)).isoformat()}, ["decide.subscription.since"]),
    (CUSTOMS, {"function": "5"}, ["decide.subscription.unknown"]),
    (CUSTOMS, {"function": "1"}, ["decide.subscription.unknown"]),
    (CUSTOMS, {"keys": TWICE}, ["decide.subscription.kind_twice"]),
    (
        CUSTOMS,
        {"keys": [{"kind": "notice", "values": [str(number) for number in range(MOST_VALUES + 1)]}]},
        ["decide.subscription.too_many_values"],
    ),
]


@pytest.mark.parametrize(("sender", "changes", "reasons"), REFUSED)
def test_what_may_not_be_asked_is_refused(sender: Partner, changes: dict[str, object], reasons: list[str]) -> None:
    """Nothing comes of it, and the sender learns why."""
    effects = World().send(asking(**changes), sender)
    assert (why(effects), outcome(effects)) == (reasons, "refused")
    assert not of(effects, Subscribe)


def test_a_partner_has_so_many_and_others_have_their_own() -> None:
    """The hundred and first is refused, another partner's first is not, and one that has ended makes room."""
    world = World()
    for number in range(MOST):
        assert outcome(world.send(asking(id=f"S-{number}"), CUSTOMS)) == "accepted"
    assert why(world.send(asking(id="S-x"), CUSTOMS)) == ["decide.subscription.too_many"]
    assert outcome(world.send(asking(id="S-1", function="5"), CUSTOMS)) == "accepted"
    assert outcome(world.send(asking(feed="transfer"), BUREAU)) == "accepted"
    assert outcome(world.send(asking(function="1"), CUSTOMS)) == "cancelled"
    assert outcome(world.send(asking(id="S-x"), CUSTOMS)) == "accepted"


def test_made_again_it_is_known() -> None:
    """A repeat of what is there is refused; test traffic has subscriptions of its own."""
    world = World()
    world.send(asking(), CUSTOMS)
    assert why(world.send(asking(), CUSTOMS)) == ["decide.subscription.known"]
    assert outcome(world.send(asking(), CUSTOMS, test=True)) == "accepted"

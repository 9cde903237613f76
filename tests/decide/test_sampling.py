"""Sampling (gateway/decide/sampling.py): quotas hold at every moment, and each draw is repeated from what was recorded."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.check.sampling_rules import SamplingPlan, Window, window_of
from gateway.decide import china
from gateway.decide.apply import apply
from gateway.decide.desk import Actor, Alarm, Desk, MessageIn
from gateway.decide.effects import Count, Disclose, Due
from gateway.decide.facts import Answer, DrawOf, Facts, Query, TallyOf
from gateway.decide.flow import Flow, Flows, Takes
from gateway.decide.ground import Ground
from gateway.decide.sampling import SampleKind, find_fraction, key_digest, redraw, window_key
from gateway.decide.sampling_keys import DEADLINE, begin_window, first_deadlines
from gateway.documents import Declaration
from gateway.errors import FlowsInvalid, SamplingUnkeyed
from gateway.model import AuditEntry, Deadline, Draw
from tests.flows.world import FACTORY, NOW, RULES, outbound

SECRET = bytes(range(32))
TRIAL = Flows(
    [
        Flow(
            "trial",
            takes=(Takes(Declaration),),
            decide=lambda _: [],
            samples=(SampleKind("spot", frozenset({"office", "hs4"})),),
        )
    ]
).keyed(SECRET)


def plan(**terms: object) -> SamplingPlan:
    return SamplingPlan.model_validate({"source": "a test", "stratum": ["office"], "share": "0.2"} | terms)


@dataclass
class Drum:
    """A plan by which is drawn, one decision after another."""

    plan: SamplingPlan = field(default_factory=plan)
    flows: Flows = TRIAL
    ground: Ground = field(default_factory=Ground)

    def desk(self, item: str, office: str, at: datetime = NOW, occasion: str = "m") -> Desk:
        window = window_of(china.day(at), self.plan.window_days)
        queries: list[Query] = [DrawOf("spot", item), TallyOf("spot", office, window.name)]
        known = self.ground.over(Facts({query: Answer(None, "x") for query in queries}))
        rules = replace(RULES, sampling={"spot": self.plan})
        return self.flows.desk(MessageIn("declaration", outbound(), Actor(FACTORY), occasion, at), known, rules, at)

    def draw(self, item: str, office: str = "370100", at: datetime = NOW) -> Draw:
        """Draw, and let it count."""
        desk = self.desk(item, office, at)
        draw = desk.open_lots().draw("spot", item, office=office)
        self.ground.take(apply(desk, [Count(draw)]))
        return draw

    @property
    def draws(self) -> list[Draw]:
        return list(self.ground.draws.values())


def test_what_is_drawn_is_what_the_key_gives() -> None:
    """A draw is an HMAC of plan, stratum and number under the window's key, compared with the share."""
    drum = Drum()
    window = window_of(china.day(NOW), 30)
    key = hmac.digest(SECRET, b"sampling\n" + window.name.encode(), "sha256")
    for number in range(30):
        draw = drum.draw(f"3701002600000{number:02}")
        told = hmac.new(key, f"spot\n370100\n{draw.item}".encode(), hashlib.sha256).hexdigest()
        assert draw.fraction == told
        assert draw.chosen is (Fraction(int(told, 16), 2**256) < Fraction(1, 5))
        assert (draw.number, draw.window, draw.reason) == (number + 1, window.name, "chance")
    assert redraw(key, drum.draws) == []
    assert 0 < sum(one.chosen for one in drum.draws) < 30


def test_an_item_is_drawn_once() -> None:
    """A repeat, of the same case in another message or window, is told the same and counts once."""
    drum = Drum()
    first = drum.draw("N-1")
    again = drum.draw("N-1", at=NOW + timedelta(days=40))
    assert (again.number, again.fraction, again.chosen) == (first.number, first.fraction, first.chosen)
    assert [one.drawn for one in drum.ground.tallies.values()] == [1]


def test_two_draws_of_one_decision_see_one_another() -> None:
    """The second one is drawn after the first; one that did not look at the first is refused."""
    drum = Drum()
    desk = drum.desk("N-1", "370100")
    desk = replace(desk, facts=desk.facts.plus(drum.desk("N-2", "370100").facts.answers))
    lots = desk.open_lots()
    one = lots.draw("spot", "N-1", office="370100")
    blind = lots.draw("spot", "N-2", office="370100")
    lots.count(one, "")
    other = lots.draw("spot", "N-2", office="370100")
    assert [draw.number for draw in (one, blind, other)] == [1, 1, 2]
    applied = apply(desk, [Count(one), Count(other)])
    assert [(tally.drawn, tally.version) for tally in applied.tallies.values()] == [(2, 1)]
    with pytest.raises(ValueError, match="another tally"):
        apply(desk, [Count(one), Count(blind)])


def test_strata_and_windows_are_counted_apart() -> None:
    """Another office, or the window after, begins at nothing."""
    drum = Drum()
    drum.draw("N-1")
    assert drum.draw("N-2", "370200").number == 1
    assert drum.draw("N-3", at=NOW + timedelta(days=30)).number == 1
    assert drum.draw("N-4").number == 2


def test_without_a_secret_nothing_is_drawn() -> None:
    """A draw that everybody could foresee is none."""
    drum = Drum(flows=TRIAL.keyed(b""))
    with pytest.raises(SamplingUnkeyed):
        drum.draw("N-1")
    with pytest.raises(LookupError):
        drum.desk("N-1", "370100").open_lots().draw("other", "N-1")


PLANS = st.builds(
    lambda least, low, room, share: plan(
        at_least=(at_least := Decimal(low) / 100),
        at_most=(at_most := min(at_least + Decimal(-(-10_000 // least)) / 10_000 + Decimal(room) / 100, Decimal(1))),
        share=at_least + (at_most - at_least) * Decimal(share) / 10,
        least=least,
    ),
    st.integers(2, 25),
    st.integers(0, 80),
    st.integers(0, 30),
    st.integers(0, 10),
)


@settings(max_examples=150, deadline=None)
@given(PLANS, st.binary(min_size=32, max_size=32), st.integers(1, 80))
def test_quotas_hold_at_every_moment_and_every_draw_is_repeated(terms: SamplingPlan, secret: bytes, count: int) -> None:
    """Whatever the key gives: never more than `at_most` are chosen, and, from `least` on, never fewer than `at_least`."""
    drum = Drum(terms, TRIAL.keyed(secret))
    chosen = 0
    for number in range(1, count + 1):
        chosen += drum.draw(f"N-{number}").chosen
        assert Fraction(chosen, number) <= Fraction(terms.at_most)
        if number >= terms.least:
            assert Fraction(chosen, number) >= Fraction(terms.at_least)
    window = window_of(china.day(NOW), terms.window_days)
    assert redraw(window_key(secret, window.name), drum.draws) == []


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"chosen": None}, "chosen"),
        ({"fraction": "0" * 64}, "fraction"),
        ({"item": "N-99"}, "fraction"),
        ({"reason": "quota"}, "chosen"),
        ({"chosen_before": 20}, "tally"),
        ({"number": 70}, "number"),
        ({"terms": {"share": "0.9", "at_least": "0", "at_most": "1", "least": "10"}}, "chosen"),
    ],
)
def test_an_auditor_finds_what_was_changed(change: Mapping[str, object], wrong: str) -> None:
    """A draw of which anything was changed afterwards is named, with what is wrong with it."""
    drum = Drum()
    for number in range(12):
        drum.draw(f"N-{number}")
    draws = drum.draws
    place = next(n for n, draw in enumerate(draws) if not draw.chosen and int(draw.fraction[:2], 16) < 0xE0)
    values = {"chosen": not draws[place].chosen} if "chosen" in change else change
    draws[place] = replace(draws[place], **values)  # type: ignore[arg-type]
    key = window_key(SECRET, draws[0].window)
    assert wrong in {what for _, what in redraw(key, draws)}
    assert redraw(bytes(32), drum.draws) != []


def test_a_plan_without_room_is_refused() -> None:
    """Between the bounds there must be a whole number of chosen ones, and the share lies between them."""
    for terms in (
        {"at_least": "0.35", "at_most": "0.35", "share": "0.35"},
        {"at_least": "0.3"},
        {"at_most": "0.1"},
        {"share": "1.1"},
    ):
        with pytest.raises(ValidationError):
            plan(**terms)


def test_plans_and_flows_must_go_together() -> None:
    """A plan that nobody draws by, a flow without its plan and a stratum that the flow does not know are told at load."""
    TRIAL.check_sampling({"spot": plan()})
    for plans in ({}, {"spot": plan(), "other": plan()}, {"spot": plan(stratum=["colour"])}):
        with pytest.raises(FlowsInvalid):
            TRIAL.check_sampling(plans)


def disclosed(desk: Desk) -> list[tuple[str, str, str]]:
    return [(one.window, one.digest, one.key) for one in begin_window(desk) if isinstance(one, Disclose)]


def test_a_key_is_told_by_its_digest_before_it_is_used_and_whole_afterwards() -> None:
    """Of each window the audit has the digest a window before, and the key once the window is over."""
    rules = replace(RULES, sampling={"spot": plan()})
    (deadline,) = first_deadlines(rules, NOW)
    now: Window = window_of(china.day(NOW), 30)
    assert now.first <= china.day(NOW) < now.next.first
    key = {window: window_key(SECRET, window.name) for window in (now, now.next, now.next.next)}

    def begin(deadline: Deadline, flows: Flows = TRIAL) -> Desk:
        return flows.desk(Alarm(deadline, f"alarm {deadline.at}"), Facts(), rules, deadline.at)

    desk = begin(deadline)
    assert disclosed(desk) == [(one.name, key_digest(key[one]), "") for one in (now, now.next)]
    (due,) = (one for one in begin_window(desk) if isinstance(one, Due))
    assert due.at == RULES.calendar.end_of(now.next.first - timedelta(days=1))
    desk = begin(Deadline(due.id, due.kind, "", due.at, due.args))
    assert disclosed(desk) == [
        (now.name, key_digest(key[now]), key[now].hex()),
        (now.next.next.name, key_digest(key[now.next.next]), ""),
    ]
    applied = apply(desk, begin_window(desk))
    assert [(entry.action, entry.after["window"]) for entry in applied.audit] == [
        ("sampling.reveal", now.name),
        ("sampling.key", now.next.next.name),
    ]
    assert all(isinstance(entry, AuditEntry) and entry.result == "done" for entry in applied.audit)
    assert begin_window(begin(deadline, TRIAL.keyed(b""))) == []
    ended = replace(begin(Deadline(due.id, due.kind, "", due.at, due.args)), rules=RULES)
    assert disclosed(ended) == [(now.name, key_digest(key[now]), key[now].hex())]
    assert TRIAL.begin(rules, NOW)[-1].kind == DEADLINE


def test_who_knows_one_key_knows_no_other() -> None:
    """Keys of windows are apart from one another and from the secret."""
    keys = {window_key(SECRET, f"2026-11-{day:02}/1") for day in range(1, 31)}
    assert len(keys) == 30
    assert SECRET not in keys
    assert find_fraction(min(keys), "spot", "a", "b") != find_fraction(max(keys), "spot", "a", "b")

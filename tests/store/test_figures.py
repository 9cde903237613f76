"""Figures, reports, samples and records in each store: the same over memory and over each engine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from gateway.check.sampling_rules import window_of
from gateway.decide import china
from gateway.decide.apply import Applied, apply
from gateway.decide.desk import Actor, Desk, MessageIn
from gateway.decide.effects import AddKeys, Count, Effect, Keep, KeepReport, NewCase, Retract, Tell
from gateway.decide.facts import DrawOf, Facts, FiguresIn, LastFigure, LastReport, Query, TallyOf, Told
from gateway.decide.figures import sums_of
from gateway.decide.ground import Ground
from gateway.decide.sampling import redraw, window_key
from gateway.decide.watch import RISK
from gateway.errors import FactsMoved
from gateway.model import Deadline, Draw, Figure, MadeReport
from gateway.store.contract import Outcome
from gateway.store.sql_store import SqlStore
from tests.decide.test_sampling import SECRET, TRIAL, plan
from tests.flows.world import BUREAU, FACTORY, FLOWS, NOW, RULES, outbound
from tests.store.conftest import Place
from tests.store.made import LEASE, accept, claim, message, outcome
from tests.store.made import NOW as ACCEPTED
from tests.store.test_decisions import Port, parts, port, where  # noqa: F401 - fixtures

DAY = timedelta(days=1)
WINDOW = window_of(china.day(NOW), 30).name
FIRST, LAST = date(2026, 11, 1), date(2026, 12, 31)


def desk(known: Facts, at: int = 0, *, test: bool = False) -> Desk:
    """A desk some days after the others."""
    now = NOW + at * DAY
    return FLOWS.desk(MessageIn("declaration", outbound(), Actor(FACTORY), f"m-{at}", now, test), known, RULES, now)


def tell(subject: str, office: str, value: str) -> Tell:
    return Tell("accepted", subject, {"declared_at": office, "direction": "outbound"}, {"value_usd": Decimal(value)})


STEPS: Sequence[Sequence[Tell | Retract]] = (
    [tell("E-1", "370100", "0.10"), tell("E-2", "370100", "0.10")],
    [tell("E-1", "370200", "12345678901234567890.12345678")],
    [Retract("accepted", "E-2"), tell("E-3", "370100", "0.1")],
    [tell("", "370300", "1"), tell("", "370300", "1")],
    [Retract("accepted", "E-1"), tell("E-1", "370100", "7"), Tell("passed", "E-1", {"direction": "outbound"})],
)
"""What messages tell, a message a day."""


async def told(port: Port, effects: Sequence[Effect], at: int, *, test: bool = False) -> Applied:  # noqa: F811
    """Decide and commit; what that changed."""
    subjects = {one.subject for one in effects if isinstance(one, Tell | Retract) and one.subject}
    known = await port.decisions.facts([Told(subject, test) for subject in subjects], Facts(), "m")
    applied = apply(desk(known, at, test=test), effects)
    await port.commit(known, applied)
    return applied


async def test_facts_are_numbered_kept_and_summed_up(port: Port) -> None:  # noqa: F811
    """Whatever was told and taken back is there under its number, and sums are exact; test traffic is apart."""
    kept: list[Figure] = []
    for at, effects in enumerate(STEPS):
        applied = await told(port, effects, at)
        kept += [replace(one, number=len(kept) + n) for n, one in enumerate(applied.figures, 1)]
    await told(port, STEPS[0], 9, test=True)
    asked: list[Query] = [LastFigure(), LastFigure(test=True)]
    ranges = [(FIRST, LAST, 0, 99), (FIRST, NOW.date(), 0, 99), (FIRST, LAST, 3, 6), (FIRST, LAST, 0, 4)]
    wanted = [FiguresIn(kinds, *span) for kinds in (("accepted",), ("accepted", "passed")) for span in ranges]
    known = await port.decisions.facts([*asked, *wanted, Told("E-1"), Told("E-2")], Facts(), "m")
    assert (known[LastFigure()], known[LastFigure(test=True)]) == (len(kept), 2)
    for query in wanted:
        assert known[query] == sums_of(kept, query), query
    stands = known[Told("E-1")]
    assert [(one.kind, one.measures, one.day) for one in stands] == [
        ("accepted", {"value_usd": Decimal(7)}, NOW.date() + 4 * DAY),
        ("passed", {}, NOW.date() + 4 * DAY),
    ]
    assert [replace(one, number=0) for one in stands] == [replace(one, number=0) for one in kept[-2:]]
    assert known[Told("E-2")] == ()


async def test_several_messages_of_an_outcome_see_what_was_told(port: Port) -> None:  # noqa: F811
    """Laid over one another and committed together, they add what they add one by one."""
    known = await port.decisions.facts([Told("E-1"), Told("E-2"), Told("E-3")], Facts(), "m")
    ground, collected = Ground(), []
    for at, effects in enumerate(STEPS):
        collected.append(apply(desk(ground.over(known), at), effects))
        ground.take(collected[-1])
    await port.commit(known, *collected)
    there = await port.decisions.facts([Told("E-1"), Told("E-2"), LastFigure()], Facts(), "m")
    over = ground.over(known)
    assert there[LastFigure()] == sum(len(one.figures) for one in collected)
    for subject in ("E-1", "E-2"):
        stands: tuple[Figure, ...] = over[Told(subject)]
        assert [replace(one, number=0) for one in there[Told(subject)]] == list(stands)


async def test_what_stands_moves_with_each_fact(port: Port) -> None:  # noqa: F811
    """Who read what stood of a subject is told at the commit that more was told of it, or that it was taken back."""
    steps: Sequence[Sequence[Effect]] = (
        [tell("E-1", "370100", "1")],
        [tell("E-1", "370200", "1")],
        [Retract("accepted", "E-1")],
    )
    for at, effects in enumerate(steps):
        known = await port.decisions.facts([Told("E-1")], Facts(), "m")
        await told(port, effects, at)
        with pytest.raises(FactsMoved):
            await port.commit(known)


async def test_reports_are_kept_as_they_were_made(port: Port) -> None:  # noqa: F811
    """The last one of a name is the newest period's, and each is found with its document."""
    made = [
        MadeReport("trial", first, first + 29 * DAY, date(2026, 9, 1), seen, NOW, {"report": "trial", "total": "-1.5"})
        for seen, first in enumerate([date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)], 1)
    ]
    for report in made:
        await port.commit(Facts(), apply(desk(Facts()), [KeepReport(report)]))
    known = await port.decisions.facts(
        [LastReport("trial"), LastReport("other"), LastReport("trial", test=True)], Facts(), "m"
    )
    assert known[LastReport("trial")] == made[-1]
    assert known[LastReport("other")] is known[LastReport("trial", test=True)] is None
    if port.store is not None:
        assert await port.store.reports("trial", "2026-11-01", 10) == made[1::-1]
        assert await port.store.report("trial", date(2026, 10, 1)) == made[1]
        assert await port.store.report("trial", date(2026, 10, 2)) is None


def drawing(known: Facts, item: str) -> tuple[Draw, Applied]:
    """One draw, and what it changes."""
    occasion = MessageIn("declaration", outbound(), Actor(FACTORY), item, NOW)
    here = TRIAL.desk(occasion, known, replace(RULES, sampling={"spot": plan()}), NOW)
    draw = here.open_lots().draw("spot", item, office="370100")
    return draw, apply(here, [Count(draw)])


async def test_what_was_drawn_is_repeated_from_the_store(port: Port) -> None:  # noqa: F811
    """Draws are kept with all that they are repeated from; a tally that another one has moved stops the commit."""
    for number in range(7):
        asked: list[Query] = [DrawOf("spot", f"N-{number}"), TallyOf("spot", "370100", WINDOW)]
        known = await port.decisions.facts(asked, Facts(), "m")
        draw, applied = drawing(known, f"N-{number}")
        await port.commit(known, applied)
        stale = drawing(known.plus({}), f"N-{number}")[1]
        with pytest.raises(FactsMoved):
            await port.commit(Facts(), stale)
        found = (await port.decisions.facts([asked[0]], Facts(), "m"))[DrawOf("spot", f"N-{number}")]
        assert found is not None
        assert (found.number, found.chosen, found.fraction) == (number + 1, draw.chosen, draw.fraction)
    if port.store is not None:
        drawn = [
            *await port.store.draws("spot", WINDOW, ("", 0), 4),
            *await port.store.draws("spot", WINDOW, ("370100", 4), 9),
        ]
        assert [one.item for one in drawn] == [f"N-{number}" for number in range(7)]
        assert redraw(window_key(SECRET, WINDOW), drawn) == []


async def draw_until(store: SqlStore, payload: int, claimed: object, item: str) -> None:
    """Draw and commit, again where somebody else was first."""
    while True:
        asked: list[Query] = [DrawOf("spot", item), TallyOf("spot", "370100", WINDOW)]
        known = await store.facts(asked, Facts(), f"m-{payload}")
        _, applied = drawing(known, item)
        made: Outcome = outcome(claimed, facts=known, messages=(message(claimed),), **parts([applied]))  # type: ignore[arg-type]
        try:
            await store.commit(made)
        except FactsMoved:
            continue
        return


async def test_parallel_drawers_leave_no_gap(place: Place) -> None:
    """Of many that draw at once each has a number of its own, and what all drew is repeated in the order of the numbers."""
    store = place.store()
    await store.open()
    try:
        await claim(store, 1)
        for number in range(2, 18):
            await accept(store, number)
        claimed = await store.claim_payloads(16, LEASE, ACCEPTED)
        await asyncio.gather(*(draw_until(store, n, one, f"N-{n // 2}") for n, one in enumerate(claimed)))
        drawn = await store.draws("spot", WINDOW, ("", 0), 99)
        assert [one.number for one in drawn] == list(range(1, 9))
        assert redraw(window_key(SECRET, WINDOW), drawn) == []
    finally:
        await store.close()


async def test_deadlines_that_nothing_decides_begin_once(store: SqlStore) -> None:
    """One that is set already stays as it is, whoever begins it again."""
    first = Deadline("d", "report", "", NOW, {"first": "2026-11-01"})
    await store.begin_deadlines([first])
    await store.begin_deadlines([replace(first, args={"first": "2027-01-01"}), replace(first, id="e")])
    claimed = await store.claim_deadlines(9, LEASE, NOW + DAY)
    assert sorted((one.deadline.id, one.deadline.args["first"]) for one in claimed) == [
        ("d", "2026-11-01"),
        ("e", "2026-11-01"),
    ]


async def test_cases_are_found_by_their_kind(store: SqlStore) -> None:
    """The newest first, page by page, of one traffic."""
    for number in range(3):
        opened: list[Effect] = [
            NewCase(f"r-{number}", "", RISK, {"risk": "found"}),
            Keep(f"r-{number}", "risk", outbound()),
            AddKeys(f"r-{number}", frozenset({("risk", "k")})),
        ]
        consignment = NewCase(f"c-{number}", BUREAU.id, "consignment")
        applied = apply(desk(Facts()), [*opened, consignment])
        claimed = await claim(store, number + 1)
        await store.commit(outcome(claimed, messages=(message(claimed),), **parts([applied])))
    page = await store.cases_of_kind(RISK, "", 2)
    assert [case.id for case in page] == ["r-2", "r-1"]
    assert page[0].documents["risk"] == outbound().to_kept()
    assert [case.id for case in await store.cases_of_kind(RISK, "r-1", 2)] == ["r-0"]
    assert await store.cases_of_kind(RISK, "", 2, test=True) == []

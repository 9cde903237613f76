"""What may go where, and when: over each engine, by a worker whose recipients are told what to answer."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.config import Deliver
from gateway.deliver.worker import DeliveryWorker
from gateway.errors import DeliveryDeferred, DeliveryRefused, EndpointGone, NotFound
from gateway.model import Agreement, Changer, Delivery, DeliveryState, Direction, Endpoint, Partner, Role, Stop
from gateway.receipt.notary import Notary
from gateway.store import endpoints
from gateway.store.alerts import OPERATOR
from gateway.store.feeds import ALERTS
from gateway.store.sql_store import SqlStore
from gateway.transports.base import Evidence, Record
from tests.deliver.test_worker import Clock
from tests.store.conftest import Place
from tests.store.made import NOW, ORIGIN, deliver_later, delivery

TRIP = 3
KEY = ("customs", "http", "https://customs.example/in")


class Recipient:
    """A transport whose other end answers as it is told, or not at all."""

    def __init__(self) -> None:
        self.down = False
        self.bad: frozenset[str] = frozenset()
        """Deliveries that it answers with a failure."""
        self.gone = False
        self.refuses = False
        """Whether the transport refuses before anything goes."""
        self.got: list[str] = []
        self.tried: list[str] = []
        self.waits: asyncio.Event | None = None
        self.going = self.most = 0

    def find_address(self, agreement: Agreement) -> str:
        """As the agreement says."""
        return agreement.options["url"]

    async def send(self, one: Delivery, agreement: Agreement, record: Record) -> Evidence:
        """One attempt."""
        self.tried.append(one.id)
        record.tell_sent(self.find_address(agreement), (("Authorization", "Bearer secret"), ("Id", one.id)))
        self.going += 1
        self.most = max(self.most, self.going)
        try:
            if self.waits is not None:
                await self.waits.wait()
            if self.refuses:
                raise DeliveryRefused("no address at all")
            if self.down:
                raise DeliveryDeferred("connection refused")
            record.tell_answered("200 OK" if one.id not in self.bad else "500 Oops", (("Set-Cookie", "secret"),), b"ok")
            if self.gone:
                raise EndpointGone("410 Gone")
            if one.id in self.bad:
                raise DeliveryDeferred("500 Oops")
        finally:
            self.going -= 1
        self.got.append(one.id)
        return Evidence("delivered", "http_status")

    async def close(self) -> None:
        """Nothing is open."""


class Bench:
    """A worker, its clock, and the one recipient."""

    def __init__(self, store: SqlStore, **terms: object) -> None:
        self.store, self.clock, self.recipient = store, Clock(), Recipient()
        self.agreement = replace(AGREEMENT, **terms)  # type: ignore[arg-type]
        self.worker = self.new_worker()

    def new_worker(self) -> DeliveryWorker:
        """Another node."""
        settings = Deliver(trip_after=TRIP, first_delay=10, longest_delay=600)
        notary = Notary(lambda: ORIGIN, b"secret")
        return DeliveryWorker(
            self.store, {"http": self.recipient}, settings, notary, clock=self.clock, draw=lambda: 0.999999
        )

    async def begin(self, *ids: str, **fields: object) -> Bench:
        """Deliveries in lanes of their own wait for customs."""
        await self.store.import_partners((Partner("customs", "C", frozenset({Role.CUSTOMS})),), (self.agreement,), ())
        made = [delivery(id_, f"lane {id_}", agreement_id="ag", **fields) for id_ in ids]
        await deliver_later(self.store, *made)
        return self

    async def turn(self, worker: DeliveryWorker | None = None, seconds: float = 0) -> list[str]:
        """Let time pass and try all that is due, one after the other; what was tried."""
        self.clock.now += timedelta(seconds=seconds)
        worker = worker or self.worker
        worker._traffic._looked_at = float("-inf")  # as if half a second had passed
        before = len(self.recipient.tried)
        for one in await worker._claim(50):
            await worker._deliver(one)
        return sorted(self.recipient.tried[before:])

    async def alerts(self) -> list[str]:
        """Kinds of what was told to the operator."""
        entries = await self.store.feed(ALERTS, OPERATOR, 0, 99)
        bodies = [(await self.store.feed_entry(ALERTS, OPERATOR, entry.sequence)).body for entry in entries]
        return [json.loads(body)["alert"] for body in bodies]

    async def standing(self) -> list[Endpoint]:
        """Endpoints with trouble."""
        return list(await self.store.endpoints_in_trouble())


AGREEMENT = Agreement(
    "ag", "customs", Direction.OUT, "*", "json:x:1", options={"url": KEY[2]}, attempts=9, attempt_timeout=30
)
IDS = tuple("abcdefgh")


async def test_an_endpoint_that_fails_is_spared(store: SqlStore) -> None:
    """After so many failures nothing else is tried, no attempt is used up, and the operator is told once."""
    bench = await Bench(store).begin(*IDS)
    bench.recipient.down = True
    assert len(await bench.turn()) == TRIP
    (found,) = await bench.standing()
    assert (found.key, found.failures, found.stop, found.said) == (KEY, TRIP, Stop.TRIPPED, "connection refused")
    assert found.until is not None
    assert NOW + timedelta(seconds=5) <= found.until <= NOW + timedelta(seconds=10)
    attempts = [(await store.delivery(id_)).attempts for id_ in IDS]
    assert sorted(attempts) == [0] * (len(IDS) - TRIP) + [1] * TRIP
    untried = next(id_ for id_, count in zip(IDS, attempts, strict=True) if not count)
    assert await store.attempts(untried) == []
    assert await bench.turn() == []
    # One tries the endpoint each time, each time later.
    spared = []
    for _ in range(4):
        (before,) = await bench.standing()
        assert before.until is not None
        bench.clock.now = before.until
        assert len(await bench.turn()) == 1
        (after,) = await bench.standing()
        assert after.until is not None
        spared.append((after.until - bench.clock.now).total_seconds())
    assert spared == pytest.approx([20, 40, 80, 160], rel=1e-3)
    assert await bench.alerts() == ["endpoint_down"]


async def test_an_endpoint_that_is_well_again_gets_all_at_once(store: SqlStore) -> None:
    """The first that gets through ends the trouble, and brings forward what was put off, without its having lost a try."""
    bench = await Bench(store).begin(*IDS)
    bench.recipient.down = True
    await bench.turn()
    bench.recipient.down = False
    (found,) = await bench.standing()
    assert found.until is not None
    bench.clock.now = found.until
    await bench.turn()
    assert await bench.standing() == []
    await bench.turn()
    assert sorted(bench.recipient.got) == list(IDS)
    assert max([(await store.delivery(id_)).attempts for id_ in IDS]) == 2


async def test_what_is_refused_before_anything_went_says_nothing_of_its_endpoint(store: SqlStore) -> None:
    """It is dead, and the endpoint is spared as before; an answer that refuses shows that somebody is there."""
    bench = await Bench(store).begin(*IDS)
    bench.recipient.down = True
    await bench.turn()
    (found,) = await bench.standing()
    assert found.until is not None
    bench.clock.now = found.until
    bench.recipient.refuses = True
    tried = await bench.turn()
    assert {(await store.delivery(id_)).state for id_ in tried} == {DeliveryState.DEAD}
    assert [one.stop for one in await bench.standing()] == [Stop.TRIPPED]


async def test_another_node_spares_it_as_well(store: SqlStore) -> None:
    """What one node has found failing, another tries no more than that one would."""
    bench = await Bench(store).begin(*IDS)
    bench.recipient.down = True
    await bench.turn()
    assert await bench.turn(bench.new_worker()) == []


async def test_one_bad_message_is_no_failing_endpoint(store: SqlStore) -> None:
    """However often one delivery is answered with a failure, the others go."""
    bench = await Bench(store).begin("bad")
    bench.recipient.bad = frozenset({"bad"})
    for _ in range(2 * TRIP):
        assert await bench.turn(seconds=601) == ["bad"]
    assert [one.stop for one in await bench.standing()] == [None]
    await deliver_later(store, delivery("good", "lane good", agreement_id="ag"), number=2)
    assert "good" in await bench.turn(seconds=1)
    assert (await store.delivery("good")).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("key", [KEY, ("customs", "", "")])
async def test_a_person_pauses_and_resumes(store: SqlStore, key: tuple[str, str, str]) -> None:
    """Nothing goes to what is paused, an endpoint or a partner, whatever happens; then all of it, at once."""
    bench = await Bench(store).begin(*IDS)
    await store.pause_endpoint(key, NOW, Changer("op", "ops"), "moving house")
    for seconds in (0, 1, 10**6):
        assert await bench.turn(seconds=seconds) == []
    (found,) = await bench.standing()
    assert (found.key, found.said, found.by) == (key, "moving house", "ops")
    assert {(await store.delivery(id_)).state for id_ in IDS} == {DeliveryState.PENDING}
    await store.resume_endpoint(key, bench.clock.now)
    assert await bench.turn() == list(IDS)
    assert await bench.standing() == []
    with pytest.raises(NotFound):
        await store.resume_endpoint(key, bench.clock.now)


async def test_a_resumption_is_not_overtaken(store: SqlStore) -> None:
    """What a worker puts off after its endpoint was resumed, since it did not know yet, is due at once."""
    bench = await Bench(store).begin("a")
    await store.pause_endpoint(("customs", "", ""), NOW)
    await bench.worker._traffic.look()
    await store.resume_endpoint(("customs", "", ""), NOW)
    (held,) = await bench.worker._claim(9)
    await bench.worker._deliver(held)
    assert bench.recipient.tried == []
    assert await bench.turn() == ["a"]


async def test_an_endpoint_that_is_gone_waits_for_a_person(store: SqlStore) -> None:
    """410 stops everything to that endpoint, loses nothing, and tells the operator; it goes on when it is resumed."""
    bench = await Bench(store).begin(*IDS)
    bench.recipient.gone = True
    assert len(await bench.turn()) == 1
    assert await bench.turn(seconds=10**6) == []
    assert {(await store.delivery(id_)).state for id_ in IDS} == {DeliveryState.PENDING}
    assert [one.stop for one in await bench.standing()] == [Stop.GONE]
    assert await bench.alerts() == ["endpoint_gone"]
    bench.recipient.gone = False
    await store.resume_endpoint(KEY, bench.clock.now)
    assert await bench.turn() == list(IDS)


async def test_nothing_goes_in_quiet_hours(store: SqlStore) -> None:
    """What is due then goes when they end, in the agreement's own time, and no attempt is counted meanwhile."""
    # NOW is 12:00 UTC, which is 20:00 in China.
    bench = await Bench(store, quiet="19:30-06:15", time_zone="Asia/Shanghai").begin("a")
    assert await bench.turn() == []
    ten_hours = 10 * 3600
    assert await bench.turn(seconds=ten_hours) == []
    assert await bench.turn(seconds=15 * 60 + 1) == ["a"]
    assert (await store.delivery("a")).attempts == 1


async def test_no_more_go_at_once_than_agreed(store: SqlStore) -> None:
    """Of many that are due, so many are under way, and the next begins when one has ended."""
    bench = await Bench(store, at_once=2).begin(*IDS)
    bench.recipient.waits = asyncio.Event()
    held = await bench.worker._claim(50)
    going = [asyncio.create_task(bench.worker._deliver(one)) for one in held]
    for _ in range(50):
        await asyncio.sleep(0.01)
    assert bench.recipient.going == 2
    bench.recipient.waits.set()
    await asyncio.gather(*going)
    assert (bench.recipient.most, sorted(bench.recipient.got)) == (2, list(IDS))


async def test_no_more_begin_a_minute_than_agreed(store: SqlStore) -> None:
    """The second waits for its turn; one whose turn is far off is put off and uses up no attempt."""
    bench = await Bench(store, per_minute=6).begin("a", "b")
    assert await bench.turn() == ["a"]
    assert {(await store.delivery(id_)).attempts for id_ in "ab"} == {0, 1}


async def test_what_was_sent_and_answered_is_kept(store: SqlStore) -> None:
    """Each attempt says where it went, with what, and what came back; never a secret."""
    bench = await Bench(store).begin("a")
    bench.recipient.down = True
    await bench.turn()
    bench.recipient.down = False
    await bench.turn(seconds=3600)
    first, second = await store.attempts("a")
    assert (first.outcome, second.outcome) == ("deferred", "delivered")
    assert first.transcript is not None
    assert second.transcript is not None
    assert (first.transcript.address, first.transcript.status) == (KEY[2], "")
    assert second.transcript.sent == (("Authorization", "…"), ("Id", "a"))
    assert (second.transcript.status, second.transcript.answered) == ("200 OK", (("Set-Cookie", "…"),))
    assert second.transcript.answer == b"ok"
    assert 0 < second.transcript.seconds < 5


@pytest.mark.parametrize(
    ("terms", "waits"),
    [({}, 10), ({"first_delay": 100.0}, 100), ({"first_delay": 5.0, "longest_delay": 5.0}, 5)],
)
async def test_an_agreement_has_a_schedule_of_its_own(store: SqlStore, terms: dict[str, float], waits: float) -> None:
    """The first delay is the agreement's, or what the settings say."""
    bench = await Bench(store, **terms).begin("a")
    bench.recipient.down = True
    await bench.turn()
    due = (await store.delivery("a")).next_at
    assert due is not None
    assert waits / 2 <= (due - NOW).total_seconds() <= waits


def test_bounds_are_forgotten_when_nothing_goes() -> None:
    """What is known of endpoints that bound how much goes does not grow for ever."""

    async def go(count: int, terms: Callable[[int], Agreement]) -> int:
        worker = DeliveryWorker(None, {}, Deliver(), Notary(lambda: ORIGIN, b"s"))  # type: ignore[arg-type]
        traffic = worker._traffic
        for n in range(count):
            async with traffic.going(("p", "http", str(n)), terms(n)):
                pass
        return len(traffic._under)

    assert asyncio.run(go(100, lambda _: replace(AGREEMENT, at_once=1))) == 0


async def test_what_goes_via_a_partner_waits_for_it_alone(store: SqlStore) -> None:
    """Who pauses the partner that serves others stops what they get by it; a resumption wakes that, and nothing else."""
    bench = await Bench(store).begin("own")
    served = (Partner("yard", "Y", frozenset({Role.YARD})), Partner("other", "O", frozenset({Role.YARD})))
    theirs = Agreement("via", "yard", Direction.OUT, "*", "json:x:1", via="customs")
    others = replace(AGREEMENT, id="others", partner_id="other", options={"url": "https://other.example/in"})
    await store.import_partners(served, (theirs, others), ())
    made = delivery("theirs", "lane via", partner_id="yard", agreement_id="via")
    other = delivery("other's", "lane other", partner_id="other", agreement_id="others")
    await deliver_later(store, made, other, number=2)
    await store.pause_endpoint(("customs", "", ""), NOW)
    await store.pause_endpoint(("other", "", ""), NOW)
    assert await bench.turn() == []
    await store.resume_endpoint(("customs", "", ""), NOW)
    due = {one.id: one.next_at for one in await store.deliveries("", "", 9)}
    assert await bench.turn() == ["own", "theirs"]
    assert due["other's"] is None
    assert (await store.delivery("other's")).state is DeliveryState.PENDING


async def test_a_fault_of_ours_tells_its_recipient_nothing_of_us(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recipients read what attempts say: of a crash its kind stands there, and paths and words in the log alone."""
    bench = await Bench(store).begin("a")

    async def crash(*_given: object) -> Evidence:
        raise FileNotFoundError(2, "No such file or directory", "/etc/gateway/customs.token")

    monkeypatch.setattr(bench.recipient, "send", crash)
    await bench.turn()
    (attempt,) = await store.attempts("a")
    (standing,) = await bench.standing()
    said = "A fault of the gateway's own (FileNotFoundError)."
    assert (attempt.detail, (await store.delivery("a")).last_error, standing.said) == (said, said, said)


async def test_a_pause_outlasts_a_report_of_another_node(place: Place) -> None:
    """Whoever pauses an endpoint while a failure of it is being written finds it paused afterwards, on two nodes too."""
    looked, paused = threading.Event(), threading.Event()
    known = endpoints._rows

    def slow(*given: Any) -> Any:
        found = known(*given)
        looked.set()
        paused.wait(1)  # it ends without, where the other node waits for this transaction
        return found

    async def pause() -> None:
        other = place.store()
        await other.open()
        await asyncio.to_thread(looked.wait, 5)
        await other.pause_endpoint(KEY, NOW)
        await other.close()
        paused.set()

    one = place.store()
    await one.open()
    try:
        bench = await Bench(one).begin("a")
        bench.recipient.down = True
        (held,) = await bench.worker._claim(1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(endpoints, "_rows", slow)
            pausing = asyncio.create_task(asyncio.to_thread(asyncio.run, pause()))
            await bench.worker._deliver(held)
            await pausing
        assert [found.stop for found in await bench.standing()] == [Stop.PAUSED]
    finally:
        await one.close()

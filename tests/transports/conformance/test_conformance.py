"""What every transport keeps to, those of packages of their own included: one suite, run over each `Kind`."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.catalogue_folders import shipped
from gateway.discovery import find_transports
from gateway.errors import ConfigurationInvalid, DeliveryDeferred, DeliveryRefused, PayloadTooLarge, StoreUnavailable
from gateway.model import Agreement, Delivery, DeliveryKind, Direction
from gateway.registry import partner_file
from gateway.store import migrate
from gateway.store.contract import Accepted
from gateway.transports.base import Arrival, Awaiting, Evidence, Record
from gateway.transports.plugin import Transports
from tests.transports.conformance.kinds import (
    AWAITING,
    DEFERRED,
    DELIVERED,
    KINDS,
    PARTNER,
    REFUSED,
    Inlet,
    Kind,
    PeerEnd,
)
from tests.trip.rig import House, declaration, house

T = TypeVar("T")

BODY = b"UNB+UNOA:3+A+B+260101:1200+1'UNZ+0+1'"
LARGE = bytes(range(256)) * (16 << 12)
"""16 MiB: far more than sockets and pipes hold, so that a sender has to wait for its peer."""
RECEIVING = [kind for kind in KINDS if kind.inlet is not None]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
every_receiving = pytest.mark.parametrize("kind", RECEIVING, ids=str)


def test_every_transport_there_is_is_examined() -> None:
    """A transport that ships joins the suite, or this fails; by pull nothing is sent to anybody (tests/web/test_exchange.py)."""
    assert {one.name for one in find_transports()} - {"pull"} <= {str(kind) for kind in KINDS}


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 -- files and sockets of others set no event
            await asyncio.sleep(0.005)


# What an agreement may say.


@pytest.mark.parametrize(
    ("kind", "options", "place"),
    [pytest.param(kind, *wrong, id=f"{kind}-{number}") for kind in KINDS for number, wrong in enumerate(kind.wrong)],
)
def test_wrong_options_are_refused_where_they_are_wrong(
    kind: Kind, options: dict[str, str], place: str, tmp_path: Path
) -> None:
    """An import names the option; the value, which may be a secret, is not repeated."""
    terms = {"direction": "out", "format": "json:response:1", "transport": kind.transport.name, "options": options}
    (tmp_path / "p.jsonl").write_text(json.dumps({"id": "x", "name": "X", "agreements": [terms]}), "utf-8")
    known = partner_file.Known(Transports([one.transport for one in KINDS]).options, shipped())
    with pytest.raises(ConfigurationInvalid) as caught:
        list(partner_file.read(tmp_path / "p.jsonl", known))
    assert "line 1" in str(caught.value)
    assert place in str(caught.value)
    assert "secret" not in str(caught.value)


# To a partner.


def delivery(body: bytes = BODY, id_: str = "d" * 32) -> Delivery:
    return Delivery(
        id=id_,
        partner_id=PARTNER,
        agreement_id="out",
        lane="lane",
        kind=DeliveryKind.DOCUMENT,
        document_type="clearance",
        format="edifact:CUSRES:D:96B:UN",
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
    )


def agreement(kind: Kind, peer: PeerEnd) -> Agreement:
    options = dict(peer.options)
    return Agreement(
        "out", PARTNER, Direction.OUT, "*", "json:response:1", kind.transport.name, options, attempt_timeout=20
    )


async def send(kind: Kind, peer: PeerEnd, one: Delivery) -> Evidence | Awaiting:
    """One attempt, by a sender of its own, as another node or the next process has one."""
    sender = kind.sender()
    try:
        return await sender.send(one, agreement(kind, peer), Record())
    finally:
        await sender.close()


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [pytest.param(kind, outcome, id=f"{kind}-{outcome}") for kind in KINDS for outcome in sorted(kind.outcomes)],
)
async def test_a_sending_comes_to_what_the_partner_says(kind: Kind, outcome: str, tmp_path: Path) -> None:
    """Taken, to be taken later, never to be taken, or taken and to be confirmed: each is told apart."""
    async with kind.peer(tmp_path) as peer:
        peer.answer(outcome)
        if outcome == DEFERRED:
            with pytest.raises(DeliveryDeferred):
                await send(kind, peer, delivery())
        elif outcome == REFUSED:
            with pytest.raises(DeliveryRefused):
                await send(kind, peer, delivery())
        else:
            came_to = await send(kind, peer, delivery())
            if outcome == AWAITING:
                assert isinstance(came_to, Awaiting)
                assert (bool(came_to.reference), came_to.until.tzinfo is None) == (True, False)
            else:
                assert isinstance(came_to, Evidence)
                assert (came_to.outcome, bool(came_to.kind)) == ("delivered", True)
                assert came_to.digest in {"", delivery().sha256}
        taken = [] if outcome in {DEFERRED, REFUSED} else [(delivery().id, BODY)]
        assert peer.got() == taken


@every_kind
async def test_a_retry_is_the_same_bytes_under_the_same_id(kind: Kind, tmp_path: Path) -> None:
    """A partner that has it already can tell that it comes again; another delivery is another."""
    async with kind.peer(tmp_path) as peer:
        peer.answer(DEFERRED)
        with pytest.raises(DeliveryDeferred):
            await send(kind, peer, delivery())
        peer.answer(DELIVERED)
        for _ in range(2):
            await send(kind, peer, delivery())
        await send(kind, peer, delivery(id_="e" * 32))
        assert set(peer.got()) == {("d" * 32, BODY), ("e" * 32, BODY)}


@every_kind
async def test_a_partner_who_is_not_there_is_tried_again(kind: Kind, tmp_path: Path) -> None:
    """Nobody listens, or the place is gone: that is no refusal."""
    async with kind.peer(tmp_path) as peer:
        peer.answer(DELIVERED)
        options = dict(peer.options)
    peer.options = options
    if kind.transport.name == "folder":
        peer.answer(DEFERRED)
    with pytest.raises(DeliveryDeferred):
        await send(kind, peer, delivery())


@every_kind
async def test_a_large_body_arrives_whole_and_holds_up_nobody(kind: Kind, tmp_path: Path) -> None:
    """While it is sent, the event loop goes on with everything else."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.005)
            longest = max(longest, loop.time() - before)

    async with kind.peer(tmp_path) as peer:
        peer.answer(DELIVERED)
        beating = asyncio.create_task(beat())
        await send(kind, peer, delivery(LARGE[: kind.most]))
        beating.cancel()
        assert peer.got() == [("d" * 32, LARGE[: kind.most])]
    assert longest < 0.5


# From a partner.


class Watched:
    """A real intake: what came to it, and what keeps it from going on."""

    def __init__(self, gateway: House) -> None:
        self._gateway = gateway
        self.arrivals: list[Arrival] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def __call__(self, arrival: Arrival) -> Accepted:
        """Commit 1, once it may be."""
        self.arrivals.append(arrival)
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return await self._gateway.intake.accept(arrival)

    async def kept(self) -> list[str]:
        """The digests of all payloads, oldest first."""
        lines = await self._gateway.store.payloads(PARTNER, "", "", 50)
        return [line.payload.sha256 for line in reversed(lines)]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables and nothing in them."""
    path = tmp_path_factory.mktemp("conformance") / "migrated.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
async def gateway(tmp_path: Path, migrated: Path) -> AsyncIterator[House]:
    async with house(tmp_path, migrated) as one:
        yield one


@asynccontextmanager
async def receiving(kind: Kind, gateway: House, folder: Path) -> AsyncIterator[tuple[Inlet, Watched]]:
    """A partner who sends, and the intake that it comes to."""
    assert kind.inlet is not None
    intake = Watched(gateway)
    async with kind.inlet(gateway.settings, intake, folder) as inlet:
        yield inlet, intake


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@every_receiving
async def test_nothing_is_acknowledged_before_it_is_kept(kind: Kind, gateway: House, tmp_path: Path) -> None:
    """As long as commit 1 is under way its sender hears nothing positive; afterwards it does."""
    async with receiving(kind, gateway, tmp_path) as (inlet, intake):
        intake.open.clear()
        await inlet.put("first", declaration("A1"))
        await until(lambda: bool(intake.arrivals))
        await asyncio.sleep(0.1)
        assert not inlet.acknowledged("first")
        assert await intake.kept() == []
        intake.open.set()
        await until(lambda: inlet.acknowledged("first"))
        assert await intake.kept() == [digest(declaration("A1"))]
        (arrival,) = intake.arrivals
        assert (arrival.partner_id, arrival.transport) == (PARTNER, kind.transport.name)


@every_receiving
async def test_a_repeat_is_taken_once(kind: Kind, gateway: House, tmp_path: Path) -> None:
    """A sender that heard nothing sends again under the same id, hears the same, and nothing is kept twice."""
    async with receiving(kind, gateway, tmp_path) as (inlet, intake):
        for _ in range(2):
            await inlet.put("same", declaration("A1"))
            await until(lambda: inlet.acknowledged("same"))
        await inlet.put("other", declaration("A2"))
        await until(lambda: inlet.acknowledged("other"))
        assert await intake.kept() == [digest(declaration("A1")), digest(declaration("A2"))]


@every_receiving
async def test_what_is_stopped_gives_back(kind: Kind, gateway: House, tmp_path: Path) -> None:
    """A stop in the middle of a sending acknowledges nothing; after the next start the same sending is taken, once."""
    async with receiving(kind, gateway, tmp_path) as (inlet, intake):
        intake.open.clear()
        await inlet.put("same", declaration("A1"))
        await until(lambda: bool(intake.arrivals))
        await inlet.stop()
        intake.open.set()
        assert not inlet.acknowledged("same")
        assert await intake.kept() == []
        await inlet.start()
        if kind.transport.name not in {"folder", "sftp"}:  # what stands in a folder is found again; others send again
            await inlet.put("same", declaration("A1"))
        await until(lambda: inlet.acknowledged("same"))
        assert await intake.kept() == [digest(declaration("A1"))]


@every_receiving
@pytest.mark.parametrize("error", [PayloadTooLarge(), StoreUnavailable(), RuntimeError("a fault of ours")], ids=repr)
async def test_what_is_not_kept_is_not_acknowledged(
    kind: Kind, gateway: House, tmp_path: Path, error: Exception
) -> None:
    """Refused, or not possible just now, or a fault of ours: no sender takes any of these for a receipt."""
    if isinstance(error, StoreUnavailable):
        error.retry_after = 0.02
    async with receiving(kind, gateway, tmp_path) as (inlet, intake):
        intake.error = error
        await inlet.put("first", declaration("A1"))
        await until(lambda: bool(intake.arrivals))
        await asyncio.sleep(0.1)
        assert not inlet.acknowledged("first")
        intake.error = None
        await inlet.put("second", declaration("A2"))  # and the next one is taken
        await until(lambda: inlet.acknowledged("second"))
        assert digest(declaration("A2")) in await intake.kept()


@every_receiving
async def test_what_is_large_comes_in_a_file(kind: Kind, gateway: House, tmp_path: Path) -> None:
    """A large body is never handed on as bytes in memory, and nothing is left of it in the spool."""
    assert kind.spools
    async with receiving(kind, gateway, tmp_path) as (inlet, intake):
        await inlet.put("large", LARGE)
        await until(lambda: inlet.acknowledged("large"), 30)
        (arrival,) = intake.arrivals
        assert (arrival.body, arrival.size, arrival.sha256.hex()) == (b"", len(LARGE), digest(LARGE))
        assert await intake.kept() == [digest(LARGE)]
    spool = gateway.settings.store.payload_folder / "spool"
    assert [path for path in spool.iterdir() if path.is_file()] == []

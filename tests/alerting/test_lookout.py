from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.alerting import lookout
from gateway.alerting.lookout import Lookout
from gateway.config import Alerts, Http, Settings, Store
from gateway.model import Credential, Partner, Role
from gateway.receipt.signed import Signer
from gateway.store import migrate, open_store
from gateway.store.contract import StandingWanted
from gateway.store.feeds import ALERTS
from gateway.store.sql_store import SqlStore
from tests.store.made import accept

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("alerting") / "migrated.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
async def store(tmp_path: Path, migrated: Path) -> AsyncIterator[SqlStore]:
    url = f"sqlite:///{shutil.copy(migrated, tmp_path / 'gateway.db')}"
    opened = open_store(
        url, signer=Signer("log.example", bytes(32)), payload_folder=tmp_path / "payloads", anchor_file=None
    )
    await opened.open()
    yield opened
    await opened.close()


def settings(tmp_path: Path, **changes: object) -> Settings:
    """A gateway whose disk is never low and that has no certificate, but for `changes`."""
    calm = {"alerts": Alerts(disk_bytes=0), "store": Store(payload_folder=tmp_path / "payloads")}
    return Settings(**{**calm, **changes})


async def alerts(store: SqlStore) -> list[dict[str, object]]:
    """What stands on the operator's feed, without what is worded when it is read."""
    entries = await store.feed(ALERTS, "", 0, 1000)
    return [json.loads((await store.feed_entry(ALERTS, "", entry.sequence)).body) for entry in entries]


async def ending(store: SqlStore, *ends: timedelta, revoked: datetime | None = None) -> None:
    """A partner with a key for each of these times from now on."""
    keys = [
        Credential(f"key-{number}", "acme", f"{number:064x}", valid_until=NOW + one, revoked_at=revoked)
        for number, one in enumerate(ends)
    ]
    await store.import_partners([Partner("acme", "Acme", frozenset({Role.ENTERPRISE}))], [], keys)


async def test_a_key_that_ends_is_told_at_each_of_the_days_and_once(store: SqlStore, tmp_path: Path):
    """Of a key that is left alone there is one alert at 30, 14, 7 and 1 days, however often it is looked at."""
    await ending(store, 40 * DAY)
    now = NOW
    told: list[tuple[int, object]] = []
    look = Lookout(store, settings(tmp_path), clock=lambda: now)
    for day in range(42):
        now = NOW + day * DAY
        for _ in range(2):
            await look.look()
        found = await alerts(store)
        told += [(day, one["days"]) for one in found[len(told) :]]
    assert told == [(10, 30), (26, 14), (33, 7), (39, 1)]
    assert {one["partner"] for one in await alerts(store)} == {"acme"}


async def test_a_restart_tells_nothing_again(store: SqlStore, tmp_path: Path):
    """What one process has told, the next one does not."""
    await ending(store, 5 * DAY)
    for _ in range(2):
        await Lookout(store, settings(tmp_path), clock=lambda: NOW).look()
    assert [one["alert"] for one in await alerts(store)] == ["credential_ending"]


async def test_what_is_over_revoked_or_far_is_not_told(store: SqlStore, tmp_path: Path):
    """Nobody is told of a key that has ended, of one that was ended, or of one that ends after the longest term."""
    await ending(store, -DAY, 31 * DAY)
    await Lookout(store, settings(tmp_path), clock=lambda: NOW).look()
    await ending(store, DAY, revoked=NOW)
    await Lookout(store, settings(tmp_path), clock=lambda: NOW).look()
    assert not await alerts(store)


async def test_more_keys_than_a_page_are_all_told(store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Keys that end at one moment, and more than are read at once, are each told once."""
    monkeypatch.setattr(lookout, "PAGE", 3)
    await ending(store, *[DAY] * 7, *[2 * DAY] * 4)
    await Lookout(store, settings(tmp_path), clock=lambda: NOW).look()
    assert sorted(str(one["credential"]) for one in await alerts(store)) == sorted(f"key-{n}" for n in range(11))


async def test_a_disk_that_fills_up_is_told_once_a_day(store: SqlStore, tmp_path: Path):
    """A disk below its mark is an alert each day that it stays so, with what is left."""
    now = NOW
    low = settings(tmp_path, alerts=Alerts(disk_bytes=10**18))
    look = Lookout(store, low, clock=lambda: now)
    for hours in (0, 1, 23, 30):
        now = NOW + timedelta(hours=hours)
        await look.look()
    found = await alerts(store)
    assert [one["alert"] for one in found] == ["disk_low", "disk_low"]
    assert all(isinstance(one["free_bytes"], int) for one in found)


def certificate(path: Path, ends: datetime) -> Path:
    """A self-signed certificate that ends then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway.example")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, ends - 90 * DAY, ends).sign(key, hashes.SHA256())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("days", "told"), [(31, []), (13, [14]), (0.5, [1])])
async def test_our_own_certificate_is_looked_at(store: SqlStore, tmp_path: Path, days: float, told: list[int]):
    """The certificate of our own HTTP side is an alert before it ends."""
    path = certificate(tmp_path / "tls.pem", NOW + days * DAY)
    look = Lookout(store, settings(tmp_path, http=Http(tls_certificate=path)), clock=lambda: NOW)
    await look.look()
    assert [one["days"] for one in await alerts(store)] == told


async def test_a_certificate_in_replacement_stops_nothing(store: SqlStore, tmp_path: Path):
    """Where the file cannot be read just now, keys are looked at all the same."""
    await ending(store, DAY)
    path = tmp_path / "tls.pem"
    path.write_bytes(b"half a certif")
    await Lookout(store, settings(tmp_path, http=Http(tls_certificate=path)), clock=lambda: NOW).look()
    assert [one["alert"] for one in await alerts(store)] == ["credential_ending"]


async def test_a_log_that_is_not_anchored_rings_once_and_ends_by_itself(tmp_path: Path, migrated: Path) -> None:
    """After a minute in which the anchor's folder cannot be written; once it can, what stood is settled."""
    url = f"sqlite:///{shutil.copy(migrated, tmp_path / 'gateway.db')}"
    folder = tmp_path / "anchors"
    store = open_store(
        url,
        signer=Signer("log.example", bytes(32)),
        payload_folder=tmp_path / "payloads",
        anchor_file=folder / "anchor",
    )
    await store.open()
    try:
        await accept(store)
        await until(folder.is_dir)
        shutil.rmtree(folder)
        folder.write_text("no folder any more", "utf-8")
        await accept(store, 2)
        found = await until(lambda: store.unanchored)
        look = Lookout(store, settings(tmp_path), clock=lambda: found.since + timedelta(seconds=at))
        for at in (59, 61, 120):
            await look.look()
            assert len(await alerts(store)) == (at > 60)
        (told,) = await alerts(store)
        assert told["alert"] == "log_unanchored"
        folder.unlink()
        folder.mkdir()
        await until(lambda: store.unanchored is None)
        await look.look()
        (standing,) = await store.standing_alerts(StandingWanted(), 9)
        assert (standing.kind, standing.times, standing.state.value) == ("log_unanchored", 1, "settled")
    finally:
        await store.close()


async def until(found: Callable[[], Any]) -> Any:
    """What is found, as soon as it is."""
    for _ in range(400):
        if result := found():
            return result
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come")

"""A full disk is an answer: senders are told 503 and when to try again, nothing acknowledged is lost, and it passes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import aiohttp
import pytest

from gateway import opening
from gateway.process import Process
from gateway.web import app
from gateway.web.services import Services
from tests.faults.material import declaration, partners, serial_of
from tests.harness import GatewayProcess, Recipient, key_of
from tests.web.conftest import AGREEMENTS, KEYS, PARTNERS, Client, settings_in

SPACE = 24 << 20


@asynccontextmanager
async def running(folder: Path, **store: Any) -> AsyncIterator[tuple[Client, Any]]:
    """A whole gateway in this process, somebody who speaks to it, and its store."""
    settings = settings_in(folder, store=store, pipeline={"lease_seconds": 1})
    stop = asyncio.Event()
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    signer = opening.signer(settings.receipts)
    async with opening.opened(settings, signer) as opened:
        await opened.import_partners(PARTNERS, AGREEMENTS, KEYS)
        services = Services(Process(settings, opened, opening.notary(opened, signer)))
        task = asyncio.create_task(app.run(services, stop, url.set_result))
        await asyncio.wait({task, url}, return_when=asyncio.FIRST_COMPLETED)
        async with aiohttp.ClientSession() as session:
            yield Client(url.result(), session, services), opened
        stop.set()
        await task


async def test_below_the_watermark_nothing_is_taken(tmp_path: Path) -> None:
    """With less free space than the setting asks for, senders get 503 with Retry-After before the disk is full."""
    async with running(tmp_path, free_bytes=1 << 60) as (client, store):
        refused = await client.send(b"UNB+...")
        assert (refused.status, refused.headers["Content-Type"]) == (503, "application/problem+json")
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json["type"].endswith(":storage-full")
        assert await store.payloads("", "", "", 10) == []


async def test_a_database_that_cannot_grow_refuses_and_recovers(tmp_path: Path) -> None:
    """SQLITE_FULL in the middle of traffic: 503 for whoever is not kept, everything kept is processed, then it goes on."""
    async with running(tmp_path) as (client, store):
        kept = [(await client.send(declaration(n))).json["id"] for n in range(5)]
        pages = await store._database.write(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())
        await store._database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar())
        statuses = []
        for n in range(5, 60):
            answer = await client.send(declaration(n))
            statuses.append(answer.status)
            if answer.status == 202:
                kept.append(answer.json["id"])
            else:
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) >= 1
                assert b"SQL" not in answer.body
        assert statuses[-1] == 503
        assert (await client.ask("GET", "/healthz", as_="")).status == 200
        await store._database.write(lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1000000").scalar())
        again = await client.send(declaration(60))
        assert again.status == 202
        for id_ in [*kept, again.json["id"]]:
            view = await client.processed(id_)
            assert view["state"] != "failed"
            assert {r["stage"] for r in view["receipts"]} >= {"received", "checked"}
        indices = [receipt.index async for receipt in store.log()]
        assert indices == list(range(len(indices)))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SPACE}", "tmpfs", str(folder)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _post(gateway: GatewayProcess, serial: int) -> tuple[int, str]:
    """Send one declaration: the status, and Retry-After where there is one."""
    headers = {"Authorization": f"Bearer {key_of('acme')}", "Idempotency-Key": f"disk-{serial}"}
    try:
        with urlopen(Request(f"{gateway.url}/v1/messages", declaration(serial), headers), timeout=30) as answer:
            return answer.status, ""
    except HTTPError as error:
        with error:
            return error.code, error.headers.get("Retry-After", "")


@pytest.mark.slow
def test_a_full_disk_loses_nothing_acknowledged(tmp_path: Path, small_disk: Path) -> None:
    """ENOSPC under a running gateway: 503 with Retry-After, and with space again all that was kept is delivered once."""
    bureau = Recipient()
    places = {
        "GATEWAY_STORE__URL": f"sqlite+aiosqlite:///{small_disk}/gateway.db",
        "GATEWAY_STORE__PAYLOAD_FOLDER": f"{small_disk}/payloads",
        "GATEWAY_STORE__ANCHOR_FILE": f"{small_disk}/anchor",
        "GATEWAY_STORE__FREE_BYTES": "0",
    }
    gateway = GatewayProcess(tmp_path, partners(bureau.url), places)
    gateway.start()
    ballast = small_disk / "ballast"
    try:
        accepted = {n for n in range(10) if _post(gateway, n)[0] == 202}
        assert len(accepted) == 10
        _fill(ballast)
        refusals: list[str] = []
        for serial in range(10, 600):
            status, retry_after = _post(gateway, serial)
            assert status in (202, 503)
            if status == 202:
                accepted.add(serial)
            else:
                refusals.append(retry_after)
                if len(refusals) == 5:
                    break
        assert [int(seconds) > 0 for seconds in refusals] == [True] * 5
        ballast.unlink()
        deadline = time.monotonic() + 60
        while (status := _post(gateway, 1000)[0]) != 202:
            assert status == 503
            assert time.monotonic() < deadline
            time.sleep(0.1)
        accepted.add(1000)
        while not accepted <= {serial_of(body) for body in bureau.deliveries.values()}:
            assert time.monotonic() < deadline, gateway.log()[-2000:]
            time.sleep(0.1)
        delivered = [serial_of(body) for body in bureau.deliveries.values()]
        assert sorted(delivered) == sorted(set(delivered))
        assert gateway.stop() == 0
        exported = tmp_path / "log.jsonl"
        gateway.cli("receipt", "export", str(exported))
        key = (tmp_path / "signing.key.pub").read_text("utf-8").strip()
        verified = gateway.cli("receipt", "verify", str(exported), "--key", key, check=False)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        gateway.kill()
        bureau.close()


def _fill(ballast: Path) -> None:
    """Take all the space there is."""
    with ballast.open("wb", buffering=0) as file:
        try:
            for _ in range(SPACE // 4096 + 1):
                file.write(bytes(4096))
        except OSError:
            return

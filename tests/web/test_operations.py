from __future__ import annotations

import asyncio
import os
import re
import time

import pytest

from gateway.process import BackgroundEnded, Work
from gateway.store import upkeep
from gateway.store.contract import ORPHAN_SECONDS
from tests.web.conftest import Client


def series(body: bytes) -> dict[str, float]:
    """The series of a Prometheus text."""
    lines = [line.rpartition(" ") for line in body.decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def test_requests_and_stages_are_counted(client: Client):
    """Each request is counted by operation, and the time from arrival to the last commit is measured."""
    id_ = (await client.send(b"hello")).json["id"]
    await client.processed(id_)
    await client.ask("POST", "/v1/messages", as_="")
    for _ in range(100):
        found = series((await client.ask("GET", "/metrics", as_="")).body)
        if found.get('gateway_stage_seconds_count{stage="process"}'):
            break
        await asyncio.sleep(0.02)
    assert found['gateway_stage_seconds_count{stage="process"}'] == 1
    assert found['gateway_http_requests_total{operation="postMessage",outcome="done"}'] == 1
    assert found['gateway_http_requests_total{operation="postMessage",outcome="refused"}'] == 1
    assert found["gateway_payloads_waiting"] == 0


async def test_metrics_name_no_partner(client: Client):
    """Nothing in the metrics tells who sends."""
    await client.send(b"hello")
    body = (await client.ask("GET", "/metrics", as_="")).body
    assert not re.search(rb"acme|Exporting", body)


async def test_health_and_readiness(client: Client):
    """A running gateway is healthy and ready; one that is about to end is healthy and not ready."""
    assert (await client.ask("GET", "/healthz", as_="")).json == {"status": "ok"}
    assert (await client.ask("GET", "/readyz", as_="")).status == 200
    client.services.stopping.set()
    ready = await client.ask("GET", "/readyz", as_="")
    assert (ready.status, ready.json["checks"]["serving"]) == (503, False)
    assert (await client.ask("GET", "/healthz", as_="")).status == 200


async def test_load_balancers_may_ask_with_head(client: Client):
    """HEAD is answered as GET is, without the body."""
    for path, status in (("/healthz", 200), ("/readyz", 200)):
        answer = await client.ask("HEAD", path, as_="")
        assert (answer.status, answer.body) == (status, b"")
    client.services.stopping.set()
    assert (await client.ask("HEAD", "/readyz", as_="")).status == 503


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps come at once, and one soon after the other."""
    monkeypatch.setattr(upkeep, "FIRST_SECONDS", 0)
    monkeypatch.setattr(upkeep, "SWEEP_SECONDS", 0.02)


async def test_what_nothing_mentions_is_swept(often: None, client: Client):
    """A running gateway removes an old file that no body has, and leaves a young one."""
    name = "ab" + 62 * "0"
    old, young = (client.services.settings.store.payload_folder / "ab" / one for one in (name, f".{name}.part"))
    old.parent.mkdir(parents=True)
    for path in (old, young):
        path.write_bytes(b"half")
    long_ago = time.time() - 2 * ORPHAN_SECONDS
    os.utime(old, (long_ago, long_ago))
    for _ in range(500):
        if not old.exists():
            break
        await asyncio.sleep(0.02)
    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.parametrize("ends", ["returns", "raises"])
async def test_a_part_that_ends_ends_the_process(ends):
    """A background task that returns or raises is told by its name, and never waited out."""

    async def part() -> None:
        if ends == "raises":
            raise RuntimeError("lost")

    work = Work([asyncio.create_task(part(), name="pipeline")])
    with pytest.raises(BackgroundEnded, match="pipeline"):
        await asyncio.wait_for(work.watch_until(asyncio.Event()), 5)

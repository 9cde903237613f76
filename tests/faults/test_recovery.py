"""Recovery is faster than the fault: what waited through an outage is decided and sent at full speed after it.

The short form is quick; `make faults` (FAULTS=long) sends more and breaks more often.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from tests.faults.material import declaration, partners, serial_of
from tests.harness import GatewayProcess, Recipient
from tests.store.conftest import migrated_database, postgres_url
from tests.store.databases import on_server

__all__ = ["migrated_database", "postgres_url"]

LONG = os.environ.get("FAULTS") == "long"
COUNT = 1000 if LONG else 120
SENDERS = 8
LEASE = 20.0
"""Seconds, the default: another node's leases run out after it."""


@pytest.fixture
def bureau() -> Iterator[Recipient]:
    """A bureau's inbox."""
    one = Recipient()
    yield one
    one.close()


class Nodes:
    """Two gateways over one database, and senders that go on through every fault."""

    def __init__(self, folder: Path, url: str, bureau: Recipient) -> None:
        self.url = url
        self.bureau = bureau
        self.serial = 0
        shared = {
            "GATEWAY_STORE__URL": url,
            "GATEWAY_STORE__PAYLOAD_FOLDER": f"{folder}/payloads",
            "GATEWAY_RECEIPTS__SIGNING_KEY_FILE": f"{folder}/signing.key",
            "GATEWAY_PIPELINE__LEASE_SECONDS": str(LEASE),
            "GATEWAY_DELIVER__LEASE_SECONDS": str(LEASE),
            "GATEWAY_PIPELINE__WORKERS": "1",
        }
        self.each: list[GatewayProcess] = []
        for name in ("one", "two"):
            own = folder / name
            own.mkdir()
            # What each keeps for itself lies in the folder in which it starts.
            environment = {**shared, "GATEWAY_STORE__NODE_FILE": f"{own}/node"}
            self.each.append(GatewayProcess(own, partners(bureau.url), environment))
        for node in self.each:
            node.start()

    def drain(self, faults: Callable[[], None] = lambda: None) -> float:
        """Send COUNT declarations while `faults` happen; seconds from the first until the bureau has all."""
        wanted = set(range(self.serial + 1, self.serial + COUNT + 1))
        self.serial += COUNT
        began = time.monotonic()
        fault = threading.Thread(target=faults)
        fault.start()
        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(self._send, sorted(wanted)))
        fault.join()
        deadline = time.monotonic() + 120
        while not wanted <= {serial_of(body) for body in list(self.bureau.deliveries.values())}:
            assert time.monotonic() < deadline, "what was acknowledged did not come"
            time.sleep(0.02)
        return time.monotonic() - began

    def _send(self, serial: int) -> None:
        """One declaration, to either node, until one has it."""
        for attempt in range(600):
            node = self.each[(serial + attempt) % 2]
            if node.post("acme", declaration(serial), f"load-{serial}")[0] == 202:
                return
            time.sleep(0.05)
        raise AssertionError("nobody takes it")

    def end_connections(self) -> None:
        """What a restart of the database, or of what stands before it, does to everyone who is connected."""
        name = make_url(self.url).database
        statement = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        asyncio.run(on_server(statement))

    def suspects(self) -> list[str]:
        """Lines about payloads that are suspected of having ended their examiners."""
        lines = [line for node in self.each for line in node.log().splitlines()]
        return [line for line in lines if "examined_apart" in line or "examiner" in line]

    def most_begun(self) -> int:
        """The most examinations without a word of their end that any payload has by now."""

        async def ask() -> int:
            address = make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
            connection = await asyncpg.connect(address)
            try:
                return await connection.fetchval("SELECT coalesce(max(begun), 0) FROM inbox") or 0
            finally:
                await connection.close()

        return asyncio.run(ask())

    def close(self) -> None:
        """End both."""
        for node in self.each:
            node.stop()


@pytest.fixture
def nodes(tmp_path: Path, postgres_url: str, bureau: Recipient) -> Iterator[Nodes]:
    """Two gateways, warm."""
    made = Nodes(tmp_path, postgres_url, bureau)
    try:
        made.drain()
        yield made
    finally:
        made.close()


@pytest.mark.slow
def test_ended_connections_cost_little_more_than_themselves(nodes: Nodes) -> None:
    """Connections ended again and again under load suspect no payload, and leave no lease to run out."""
    usual = nodes.drain()
    ends = 20 if LONG else 6

    def faults() -> None:
        for _ in range(ends):
            time.sleep(0.15)
            nodes.end_connections()

    taken = nodes.drain(faults)
    print(f"usual {usual:.1f} s, with connections ended {ends} times {taken:.1f} s")
    # Each end costs a pause until the database is asked again, and what was under way is done again.
    assert taken < 2 * usual + ends * 0.75 + 1
    assert (nodes.suspects(), nodes.most_begun()) == ([], 0)


@pytest.mark.slow
def test_a_killed_node_has_its_work_back_when_it_starts(nodes: Nodes) -> None:
    """Killed under load and started again, it goes on at once: nothing waits for a lease to run out."""
    usual = nodes.drain()
    restarted = 0.0

    def faults() -> None:
        nonlocal restarted
        time.sleep(0.3)
        began = time.monotonic()
        nodes.each[0].kill()
        nodes.each[0].start()
        restarted = time.monotonic() - began

    taken = nodes.drain(faults)
    print(f"usual {usual:.1f} s, with a kill {taken:.1f} s, of which the restart took {restarted:.1f} s")
    assert taken < 2 * usual + restarted + 1 < LEASE + restarted
    assert nodes.suspects() == []


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_nodes_work_is_taken_over_in_seconds(nodes: Nodes, how: signal.Signals) -> None:
    """The other node has it when the leases run out, and then at full speed; a paused one finds out when it wakes."""
    usual = nodes.drain()
    lost = nodes.each[0]

    def faults() -> None:
        time.sleep(0.3)
        if how is signal.SIGKILL:
            lost.kill()
        else:
            lost.patience = 0.5  # whoever asks it goes to the other then
            lost.pause()

    taken = nodes.drain(faults)
    if how is signal.SIGSTOP:
        lost.resume()
    print(f"usual {usual:.1f} s, with a node lost {taken:.1f} s")
    # A payload's lease, and then that of a delivery made of one that had just been decided.
    assert taken < 3 * usual + 2 * LEASE + 5
    assert nodes.suspects() == []

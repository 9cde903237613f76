"""Two nodes on one PostgreSQL: whichever stops, dies or loses its connections, the other goes on, and nothing is lost.

The short form does each once or a few times; `make faults` (FAULTS=long) does 200. The seed is printed, and
FAULTS_SEED repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from gateway.store.database import IDLE_SECONDS
from tests.faults.load import Load, assert_all_arrived
from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess, Recipient

LONG = os.environ.get("FAULTS") == "long"
FAULTS = 200 if LONG else 5
CATCHES = 400
"""How often a node is stopped at most until it is caught in the middle of a transaction."""


@pytest.fixture
def bureau() -> Iterator[Recipient]:
    recipient = Recipient()
    yield recipient
    recipient.close()


@pytest.fixture
def nodes(tmp_path: Path, postgres_url: str, bureau: Recipient) -> Iterator[list[GatewayProcess]]:
    """Two started nodes that share database, folders and key."""
    environment = {"GATEWAY_STORE__URL": postgres_url}
    both = [GatewayProcess(tmp_path, partners(bureau.url), environment) for _ in range(2)]
    for node in both:
        node.start()
    yield both
    for node in both:
        node.kill()


class Server:
    """The PostgreSQL server, asked beside the gateway."""

    def __init__(self, url: str) -> None:
        self._address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    def ask(self, query: str, *values: object) -> object:
        """The first value of a query's answer."""

        async def ask() -> object:
            connection = await asyncpg.connect(self._address, timeout=5)
            try:
                return await connection.fetchval(query, *values)
            finally:
                await connection.close()

        return asyncio.run(ask())

    def holds_the_log(self, node: GatewayProcess) -> bool:
        """Whether a stopped node is in the middle of a transaction that others wait for: it holds the log's lock."""
        return bool(
            self.ask(
                "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                " WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
                " AND state LIKE 'idle in transaction%' AND application_name = $1",
                f"edi-gateway {node.pid}",
            )
        )

    def end_connections(self) -> int:
        """End every connection of every node; how many."""
        ended = self.ask(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'edi-gateway%'"
        )
        assert isinstance(ended, int)
        return ended


@pytest.mark.slow
def test_a_node_that_stops_stops_nobody_else(nodes: list[GatewayProcess], postgres_url: str, bureau: Recipient) -> None:
    """While a node stands still with the log's lock in its hands, the other acknowledges again within seconds."""
    server, (stopped, other) = Server(postgres_url), nodes
    load = Load([stopped])
    try:
        for _ in range(CATCHES):
            time.sleep(0.01)
            stopped.pause()
            if server.holds_the_log(stopped):
                break
            stopped.resume()
        else:
            pytest.fail("the node was never caught in a transaction")
        began = time.monotonic()
        assert other.ready() == 503, "a node that cannot commit says it is ready"
        statuses = []
        while not statuses or statuses[-1] != 202:
            status, _ = other.post("acme", declaration(900_000 + len(statuses)), f"other-{len(statuses)}")
            statuses.append(status)
            assert time.monotonic() < began + 2 * IDLE_SECONDS + 5, statuses
        assert set(statuses) <= {202, 503}
        assert other.ready() == 200
        # While the first one still stands still, the second goes on as if it were alone.
        for serial in range(910_000, 910_020):
            assert other.post("acme", declaration(serial), f"other-{serial}")[0] == 202
    finally:
        stopped.resume()
        load.stop()
    assert_all_arrived(load, bureau, other)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_whatever_happens_to_nodes(
    nodes: list[GatewayProcess], postgres_url: str, bureau: Recipient
) -> None:
    """Nodes are killed, stopped for a while, and lose their connections: what was answered 202 arrives, once by id."""
    seed = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance, server = random.Random(seed), Server(postgres_url)

    def kill() -> None:
        node = chance.choice(nodes)
        node.kill()
        node.start()

    def stop() -> None:
        node = chance.choice(nodes)
        node.pause()
        time.sleep(chance.uniform(0.1, 1.5 * IDLE_SECONDS))
        node.resume()

    def end_connections() -> None:
        server.end_connections()

    faults: list[Callable[[], None]] = [kill, stop, end_connections]
    load = Load(nodes)
    try:
        for number in range(FAULTS):
            time.sleep(chance.uniform(0.02, 1.0))
            fault = faults[number % 3] if number < 3 else chance.choice(faults)
            fault()
            print(f"{fault.__name__}: {len(load.accepted)} accepted, {len(bureau.deliveries)} delivered")
        time.sleep(0.5)
    finally:
        load.stop()
    assert len(load.accepted) > FAULTS, "the load was no load"
    assert_all_arrived(load, bureau, nodes[0])

"""Two nodes against one on the same PostgreSQL: durable accepts a second over HTTP, of both together.

    python -m tests.bench nodes

Clients, nodes and the server share the machine's cores, so that what is compared is what the second node costs the
first, not what a second machine would bring. Skipped where GATEWAY_TEST_POSTGRES reaches no server.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from gateway.store import migrate
from tests.bench.accept import PARTNER, SECONDS, SIZE
from tests.bench.figures import ROOT, Figure
from tests.harness import GatewayProcess, key_of
from tests.store.databases import database_url, on_server

CONNECTIONS, RUNS = 32, 5


@contextmanager
def _database() -> Iterator[str]:
    """The URL of an empty migrated database, which is removed afterwards."""
    name = f"gateway_bench_{secrets.token_hex(4)}"
    asyncio.run(on_server(f'CREATE DATABASE "{name}"'))
    try:
        migrate(database_url(name))
        yield database_url(name)
    finally:
        asyncio.run(on_server(f'DROP DATABASE "{name}" WITH (FORCE)'))


def _accepts(nodes: Sequence[GatewayProcess]) -> float:
    """Accepts a second of all nodes together, each with as many connections as its share."""
    share = str(CONNECTIONS // len(nodes))
    command = [sys.executable, "-m", "tests.bench.load", "client"]
    clients = [
        subprocess.Popen(
            [*command, f"{node.url}/v1/messages", key_of("bench"), str(SECONDS), share, str(SIZE)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for node in nodes
    ]
    return sum(float(client.communicate()[0]) for client in clients)


def measure() -> dict[str, Figure]:
    """Alternate one node and two, each pair on a database of its own."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    try:
        asyncio.run(on_server("SELECT 1"))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        print(f"nodes: no PostgreSQL ({error})", file=sys.stderr)
        return {}
    for _ in range(RUNS):
        for count, found in rates.items():
            with _database() as url, tempfile.TemporaryDirectory(dir=ROOT / "var") as folder:
                environment = {"GATEWAY_STORE__URL": url}
                nodes = [GatewayProcess(Path(folder), PARTNER, environment) for _ in range(count)]
                for node in nodes:
                    node.start()
                found.append(_accepts(nodes))
                for node in nodes:
                    node.kill()
    together = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    return {
        "accept_one_node_per_s": Figure.of(rates[1], "on PostgreSQL"),
        "accept_two_nodes_per_s": Figure.of(rates[2], "on PostgreSQL, both together"),
        "accept_two_nodes_vs_one": Figure.of(together),
    }

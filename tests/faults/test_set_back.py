"""A store set back under two nodes on PostgreSQL, again and again, to any copy there is: no name ever says two things.

The short form sets it back a few times; `make faults` (FAULTS=long) 200 times. The seed is printed, and FAULTS_SEED
repeats a run as far as the nodes' own timing does.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from gateway.receipt.anchor import generation
from gateway.store.sql_store import SqlStore
from tests.store.conftest import Place
from tests.store.databases import on_server
from tests.store.made import accept
from tests.store.setting_back import Machine, contradictions

LONG = os.environ.get("FAULTS") == "long"
FAULTS = 200 if LONG else 6
COPIES = 5
"""Copies that are kept to set the store back to; one of them, or none, is replaced after each fault."""


class Senders:
    """Senders at both nodes, who ask for checkpoints as they please, and keep all they are given."""

    def __init__(self, machine: Machine, chance: random.Random) -> None:
        self.machine, self.chance = machine, chance
        self.notes: list[str] = []
        self.taken = [0, 0]
        self.number = 0
        self.tasks: list[list[asyncio.Task[None]]] = [[], []]
        for node in (0, 1):
            self.start(node)

    def start(self, node: int) -> None:
        """Two senders at a node that is open."""
        self.tasks[node] = [asyncio.create_task(self._send(node)) for _ in range(2)]

    async def _send(self, node: int) -> None:
        while True:
            store = self.machine.stores[node]
            self.number += 1
            try:
                await accept(store, self.number)
                self.taken[node] += 1
                if self.chance.random() < 0.3:
                    self.notes.append(await store.checkpoint())
                if anchored := self.machine.anchored():
                    self.notes.append(anchored)
            except Exception:  # noqa: BLE001 - the database is away, whatever the driver calls it; the judge is the log
                await asyncio.sleep(0.01)

    async def stop(self, *nodes: int) -> None:
        """Break off what is sent to these nodes."""
        tasks = [task for node in nodes for task in self.tasks[node]]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def kill(store: SqlStore) -> None:
    """End a node without a word: nothing is anchored any more."""
    for task in (store._anchoring, store._writer._task):
        assert task is not None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await store._database.close()


@pytest.mark.slow
async def test_a_store_set_back_under_two_nodes(postgres_url: str, tmp_path: Path) -> None:
    """Whatever copy it is set back to, and whichever node forgets meanwhile, the checkpoints of a name are one history."""
    seed = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    machine = Machine(Place(postgres_url, tmp_path, b"k" * 32))
    histories: list[list[bytes]] = []
    copies = [await machine.copy("copy-0")]
    await machine.open()
    await machine.open()
    senders = Senders(machine, chance)
    try:
        for fault in range(1, FAULTS + 1):
            await asyncio.sleep(chance.uniform(0.05, 1.5))
            if chance.random() < 0.3:
                node = chance.randrange(2)
                await senders.stop(node)
                await kill(machine.stores[node])
                machine.stores[node] = machine.place.store(machine.anchor)
                await machine.stores[node].open()
                senders.start(node)
            if chance.random() < 0.7:
                copies.append(await machine.copy(f"copy-{fault}"))
                await asyncio.sleep(chance.uniform(0, 0.5))
            before = len(senders.notes)
            await machine.set_back(chance.choice(copies))
            histories.append(await machine.leaves(machine.gone[-1]))
            await on_server(f'DROP DATABASE "{machine.gone.pop()}" WITH (FORCE)')
            machine.gone.clear()
            if len(copies) > COPIES:
                await on_server(f'DROP DATABASE "{copies.pop(chance.randrange(len(copies)))}" WITH (FORCE)')
            print(
                f"set back {fault}: {len(senders.notes)} checkpoints, {before} before, {senders.taken}, {[one.origin for one in machine.stores]}"
            )
        taken = list(senders.taken)
        await asyncio.sleep(1.5)
        await senders.stop(0, 1)
        assert all(now > before for now, before in zip(senders.taken, taken, strict=True)), "a node stands still"
        assert len({store.origin for store in machine.stores}) == 1
        names = {note.split("\n")[0] for note in senders.notes}
        histories += await machine.histories()
    finally:
        await senders.stop(0, 1)
        await machine.clean()
    assert len(senders.notes) > 10 * FAULTS, "the senders were given nothing to contradict"
    assert max(map(generation, names)) > FAULTS // 2, "nothing was ever set back"
    assert contradictions(set(senders.notes), histories) == []

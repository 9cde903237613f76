"""A recipient that is down, or refuses: what it must get waits in order, and holds up nothing else."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.material import declaration, partners, revision_of, serial_of
from tests.harness import GatewayProcess, Recipient

SERIALS, REVISIONS = 4, 3


@pytest.fixture
def bureau() -> Iterator[Recipient]:
    """A bureau's inbox."""
    one = Recipient()
    yield one
    one.close()


def send(gateway: GatewayProcess, serial: int, revision: int) -> str:
    """Send one declaration, and wait until it is decided; its payload's id."""
    status, answer = gateway.post("acme", declaration(serial, revision), f"{serial}-{revision}")
    assert status == 202, answer
    view = wait_until(lambda: _decided(gateway, answer["id"]))
    assert [m["state"] for m in view["messages"]] == ["accepted"], view
    return str(answer["id"])


def _decided(gateway: GatewayProcess, id_: str) -> Any:
    view = gateway.get("acme", f"/v1/messages/{id_}")[1]
    return view if view["state"] != "received" else None


def _stages(gateway: GatewayProcess, id_: str) -> set[str]:
    return {receipt["stage"] for receipt in gateway.get("acme", f"/v1/messages/{id_}")[1]["receipts"]}


def wait_until(found: Callable[[], Any]) -> Any:
    """What `found` gives as soon as it gives anything; AssertionError after half a minute."""
    deadline = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.02)
    return value


def came(bureau: Recipient) -> dict[int, list[int]]:
    """The revisions of each declaration, in the order in which each delivery first came."""
    lanes: dict[int, list[int]] = defaultdict(list)
    for identity in dict.fromkeys(bureau.arrivals):
        body = bureau.deliveries[identity]
        lanes[serial_of(body)].append(revision_of(body))
    return lanes


@pytest.mark.slow
def test_everything_arrives_in_order_when_it_is_back(tmp_path: Path, bureau: Recipient) -> None:
    """After refusals, broken connections and lost answers a recipient gets each lane in order, once by distinct id."""
    gateway = GatewayProcess(tmp_path, partners(bureau.url))
    gateway.start()
    try:
        bureau.down = True
        sent = [(s, r) for r in range(REVISIONS) for s in range(1, SERIALS + 1)]
        ids = [send(gateway, serial, revision) for serial, revision in sent]
        assert bureau.deliveries == {}
        assert len(bureau.refused) == SERIALS  # the heads of the lanes were tried, and nothing behind them
        gateway.kill()
        gateway.start()
        bureau.judge = lambda body: -200 if len(bureau.refused) < 2 * SERIALS and revision_of(body) else 200
        bureau.down = False
        bureau.wait_for(len(sent))
        assert came(bureau) == {serial: list(range(REVISIONS)) for serial in range(1, SERIALS + 1)}
        assert len(bureau.arrivals) > len(sent)  # the lost answers brought some again, under the same id
        for id_ in ids:
            wait_until(lambda id_=id_: "delivered" in _stages(gateway, id_))
    finally:
        gateway.kill()


@pytest.mark.slow
def test_a_dead_letter_holds_its_lane_and_no_other(tmp_path: Path, bureau: Recipient) -> None:
    """What was tried to the agreement's limit, or refused for good, waits for the operator: retried or skipped it moves on."""
    mended = False

    def judge(body: bytes) -> int:
        first = revision_of(body) == 0
        if serial_of(body) == 1 and first and not mended:
            return 503  # until the limit of attempts
        if serial_of(body) == 2 and first:
            return 422  # at once and for good
        return 200

    bureau.judge = judge
    gateway = GatewayProcess(tmp_path, partners(bureau.url, attempts=3))
    gateway.start()
    try:
        for serial in (1, 2, 3):
            for revision in (0, 1):
                send(gateway, serial, revision)
        bureau.wait_for(2)
        wait_until(lambda: bureau.refused.total() == 4)
        dead = _dead(gateway, 2)
        assert came(bureau) == {3: [0, 1]}
        tried = {d["attempts"]: d["id"] for d in dead}
        assert set(tried) == {1, 3}
        assert bureau.refused == {tried[1]: 1, tried[3]: 3}
        mended = True
        gateway.cli("message", "retry", tried[3])
        bureau.wait_for(4)
        assert came(bureau) == {3: [0, 1], 1: [0, 1]}
        assert tried[3] in bureau.deliveries  # the same bytes under the same id
        gateway.cli("message", "skip", tried[1])
        bureau.wait_for(5)
        assert came(bureau) == {3: [0, 1], 1: [0, 1], 2: [1]}
        assert _dead(gateway, 0) == []
    finally:
        gateway.kill()


def _dead(gateway: GatewayProcess, count: int) -> list[dict[str, object]]:
    """The dead letters, as soon as there are so many."""

    def listed() -> list[dict[str, object]] | None:
        lines = gateway.cli("message", "dead", "--json").stdout.splitlines()
        return [json.loads(line) for line in lines] if len(lines) == count else None

    deadline = time.monotonic() + 30
    while (dead := listed()) is None:
        assert time.monotonic() < deadline
    return dead

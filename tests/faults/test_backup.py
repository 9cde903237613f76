"""A gateway is backed up while messages come in, its machine is lost, and the backup goes on as a gateway elsewhere."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.load import Load, verify_log
from tests.faults.material import declaration, partners, serial_of
from tests.harness import GatewayProcess, Recipient

BEFORE = 40
"""Messages taken before the backup, and again after it."""


@pytest.fixture
def bureau() -> Iterator[Recipient]:
    recipient = Recipient()
    yield recipient
    recipient.close()


def wait_for_more(load: Load, more: int) -> None:
    """Wait until so many more were taken."""
    wanted, deadline = len(load.accepted) + more, time.monotonic() + 60
    while len(load.accepted) < wanted:
        assert time.monotonic() < deadline, "nothing is taken"
        time.sleep(0.02)


def wait_for_delivery(bureau: Recipient, wanted: set[int]) -> None:
    """Wait until the bureau has all of these."""
    deadline = time.monotonic() + 60
    while missing := wanted - {serial_of(body) for body in list(bureau.deliveries.values())}:
        assert time.monotonic() < deadline, missing
        time.sleep(0.05)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_gateway_goes_on_from_a_backup(
    request: pytest.FixtureRequest, tmp_path: Path, bureau: Recipient, engine: str
) -> None:
    """What the backup knows is delivered once by id, what it does not know was lost with the machine; its log verifies."""
    url = request.getfixturevalue("postgres_url") if engine == "postgresql" else f"sqlite:///{tmp_path}/one/gateway.db"
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = GatewayProcess(tmp_path / "one", partners(bureau.url), {"GATEWAY_STORE__URL": url})
    first.start()
    load = Load([first])
    backup = tmp_path / "backup.tar"
    try:
        wait_for_more(load, BEFORE)
        first.cli("store", "backup", str(backup), "--with", "signing-key")
        wait_for_more(load, BEFORE)
    finally:
        load.stop()
        first.kill()
    key = (first.folder / "signing.key.pub").read_text("utf-8").strip()
    verified = json.loads(first.cli("store", "verify", str(backup), "--key", key, "--json").stdout)
    assert verified["valid"]
    assert verified["rows"]["payloads"] >= BEFORE
    second = GatewayProcess(tmp_path / "two", "")
    said = json.loads(second.cli("store", "restore", str(backup), "--json").stdout)
    assert said["rows"] == sum(verified["rows"].values())
    second.start()
    try:
        held = json.loads(second.cli("store", "reconcile", "--json").stdout)
        (broken,) = held["breaks"]
        assert broken["reconciled_at"] is None
        done = second.cli("store", "reconcile", "--send", "--all", "--release-payloads", "--json")
        assert json.loads(done.stdout)["reconciled"]
        known = {serial for serial, id_ in load.accepted.items() if second.get("acme", f"/v1/messages/{id_}")[0] == 200}
        assert BEFORE <= len(known) < len(load.accepted)
        new = max(load.accepted) + 1000
        assert second.post("acme", declaration(new), "after")[0] == 202
        wait_for_delivery(bureau, known | {new})
        counted = Counter(serial_of(body) for body in list(bureau.deliveries.values()))
        assert {serial for serial in known if counted[serial] != 1} == set(), "one declaration under two ids"
        verify_log(second)
    finally:
        second.kill()

"""A started gateway whose operator changes tables, mappings and codes while messages come in."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.catalogue_folders import shipped
from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess
from tests.trip.rig import interchange, message

MAPPING = "mappings/declaration/edifact_cusdec_d96b.toml"
COUNTRIES = "schemas/codes/country.csv"
LARGE = 400
"""Messages of an interchange that takes some seconds to decide."""


class Operator:
    """An operator with a folder of its own over what ships, and the gateway it is for."""

    def __init__(self, folder: Path) -> None:
        self.own = folder / "own"
        self.write(MAPPING, self.remarked("first"))
        environment = {"GATEWAY_CATALOGUE__FOLDER": str(self.own), "GATEWAY_PIPELINE__WORKERS": "1"}
        self.gateway = GatewayProcess(folder, partners("http://127.0.0.1:9/"), environment)

    def write(self, name: str, text: str) -> None:
        file = self.own / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    @staticmethod
    def remarked(remark: str) -> str:
        """The mapping of declarations with a remark that changes its digest and nothing else."""
        return f"{shipped().text(MAPPING)}# {remark}\n"

    def hang_up(self, logged: str) -> None:
        """SIGHUP, and wait until the log has one line more of this kind."""
        before = self.gateway.log().count(logged)
        os.kill(self.gateway.pid, signal.SIGHUP)
        wait_until(lambda: self.gateway.log().count(logged) > before)

    def send(self, body: bytes) -> str:
        """A declaration's payload, once it is accepted."""
        status, answer = self.gateway.post("acme", body)
        assert status == 202
        return str(answer["id"])

    def state(self, payload_id: str) -> str:
        return str(self.gateway.get("acme", f"/v1/messages/{payload_id}")[1]["state"])

    def through(self, body: bytes) -> str:
        """The payload's id, once it is processed."""
        payload_id = self.send(body)
        wait_until(lambda: self.state(payload_id) != "received")
        return payload_id

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What the store holds."""
        with sqlite3.connect(self.gateway.folder / "gateway.db") as store:
            return store.execute(query, values).fetchall()

    def mappings(self, payload_id: str) -> set[object]:
        """The digests of the mappings by which a payload's messages were read."""
        return {row[0] for row in self.rows("SELECT mapping_digest FROM messages WHERE payload_id = ?", payload_id)}

    def laid_out(self) -> set[str]:
        """The digests of the catalogues that are laid out."""
        return {path.name for path in (self.gateway.folder / "catalogues").iterdir() if path.is_dir()}


def wait_until(reached: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    one = Operator(tmp_path_factory.mktemp("operator"))
    one.gateway.start()
    try:
        yield one
    finally:
        assert one.gateway.stop() == 0


def foreign(serial: int) -> bytes:
    """A declaration from a country that no list of what ships has."""
    return declaration(serial).replace(b"LOC+40+CL'", b"LOC+40+XX'")


def test_a_code_and_a_mapping_are_in_force_from_the_next_payload_on(operator: Operator) -> None:
    """`catalogue reload` checks the folder, and the running gateway reads it; nobody is refused meanwhile."""
    before = operator.through(foreign(1))
    assert operator.state(before) == "rejected"
    text = shipped().text(COUNTRIES)
    operator.write(COUNTRIES, f"{text.rstrip()}\nXX,XXX,999,999,999,Nowhere,无此地\n")
    operator.write(MAPPING, operator.remarked("second"))
    statuses: list[int] = []
    stop = threading.Event()

    def go_on() -> None:
        for serial in range(1000, 9000):
            if stop.is_set():
                return
            statuses.append(operator.gateway.post("acme", declaration(serial))[0])

    sender = threading.Thread(target=go_on)
    sender.start()
    try:
        told = operator.gateway.cli("catalogue", "reload").stderr
        digest = told.partition(" in force")[0].rpartition(" ")[2]
        wait_until(lambda: f"{digest}" in operator.gateway.log() and "catalogue_in_force" in operator.gateway.log())
        after = operator.through(foreign(2))
    finally:
        stop.set()
        sender.join()
    assert operator.state(after) != "rejected"
    assert len(operator.mappings(before) | operator.mappings(after)) == 2
    assert statuses
    assert set(statuses) == {202}
    shown = operator.gateway.cli("catalogue", "show").stderr
    assert shown.count(digest) == 2


def test_a_payload_under_way_ends_by_what_it_began_with(operator: Operator) -> None:
    """A large one, examined in a worker process, is not half by the old and half by the new."""
    wait_until(lambda: len(operator.laid_out()) == 1)  # what was in force before is removed at the next look
    body = interchange("LARGE", *(message(n, f"large{n}") for n in range(1, LARGE + 1)))
    old = operator.mappings(operator.through(declaration(10)))
    operator.write(MAPPING, operator.remarked("third"))
    large = operator.send(body)
    wait_until(lambda: operator.rows("SELECT 1 FROM inbox WHERE payload_id = ? AND fence > 0", large) != [])
    operator.hang_up("catalogue_in_force")
    assert operator.state(large) == "received", "it was done before the other catalogue was in force"
    assert len(operator.laid_out()) == 2
    new = operator.mappings(operator.through(declaration(11)))
    wait_until(lambda: operator.state(large) != "received")
    assert operator.mappings(large) == old
    assert len(old | new) == 2
    # A second large one has the new mapping, in the same worker processes.
    again = operator.through(body.replace(b"LARGE", b"AGAIN").replace(b"large", b"again"))
    assert operator.mappings(again) == new
    wait_until(lambda: len(operator.laid_out()) == 1)


def test_what_is_not_good_is_refused_and_told(operator: Operator) -> None:
    """The command says file and fault, and asks nobody; a signal has it in the log and as an alert; all goes on."""
    current = operator.mappings(operator.through(declaration(20)))
    laid_out = operator.laid_out()
    operator.write(MAPPING, operator.remarked("fourth").replace('"code:country"', '"code:nowhere"', 1))
    refused = operator.gateway.cli("catalogue", "reload", check=False)
    assert refused.returncode == 1
    assert "declaration/edifact_cusdec_d96b: " in refused.stderr
    assert "there is no code list 'nowhere'" in refused.stderr
    operator.hang_up("catalogue_refused")
    wait_until(lambda: operator.rows("SELECT 1 FROM feed WHERE feed = 'alerts'") != [])
    assert operator.mappings(operator.through(declaration(21))) == current
    assert operator.laid_out() == laid_out


def test_a_start_with_what_is_not_good_is_none(tmp_path: Path) -> None:
    """Before anything is taken in, the operator is told."""
    operator = Operator(tmp_path)
    operator.write("schemas/codes/own.csv", "un\n")
    ended = operator.gateway.cli("serve", check=False)
    assert ended.returncode == 2
    assert "schemas/codes/own.csv: needs a source" in ended.stderr

"""A plugged transport in a started gateway: what it hands over is confirmed later, through stops, crashes and silence."""

from __future__ import annotations

import itertools
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess
from tests.transports.conformance.kinds import free_port

ROOT = Path(__file__).resolve().parents[2]


class Bureau:
    """A partner that takes deliveries, says what it is told to, and confirms when it is told to."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        """Of all that came, in order."""
        self.word = b"WAIT 60"
        self.before_word: Callable[[str], None] = lambda _id: None
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                _, id_, size = stream.readline().decode().split()
                assert len(stream.read(int(size))) == int(size)
                self.ids.append(id_)
                self.before_word(id_)
                with suppress(OSError):  # a gateway that was killed meanwhile
                    connection.sendall(self.word + b"\n")

    def reset(self) -> None:
        """As at the beginning."""
        self.ids, self.word, self.before_word = [], b"WAIT 60", lambda _id: None

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture(scope="module")
def listening() -> Iterator[Bureau]:
    one = Bureau()
    yield one
    one.close()


@pytest.fixture
def bureau(listening: Bureau) -> Bureau:
    listening.reset()
    return listening


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, listening: Bureau) -> Iterator[GatewayProcess]:
    """A gateway in which the courier is installed as a package is; three attempts are agreed with the bureau."""
    folder = tmp_path_factory.mktemp("courier")
    package, home = folder / "package", folder / "home"
    about = package / "courier-1.0.dist-info"
    about.mkdir(parents=True)
    home.mkdir()
    (package / "courier.py").write_text((Path(__file__).parent / "courier.py").read_text("utf-8"), "utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: courier\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text("[edi_gateway.transports]\ncourier = courier:TRANSPORT\n", "utf-8")
    enterprise, _, terms = partners("http://127.0.0.1:9/", attempts=3).partition('[[partners]]\nid = "bureau"')
    one = GatewayProcess(
        home,
        enterprise,
        {
            "PYTHONPATH": os.pathsep.join((str(package), str(ROOT))),
            "GATEWAY_TRANSPORTS__COURIER__PORT": str(free_port()),
            "GATEWAY_TRANSPORTS__COURIER__PARTNER": "bureau",
        },
    )
    options = f'transport = "courier"\noptions = {{ host = "127.0.0.1", port = "{listening.port}" }}'
    text = f'[[partners]]\nid = "bureau"{terms}'.replace('options = { url = "http://127.0.0.1:9/" }', options)
    (home / "bureau.toml").write_text(text, "utf-8")
    one.cli("partner", "import", "bureau.toml")
    one.start()
    yield one
    one.stop()


def port_of(gateway: GatewayProcess) -> int:
    return int(gateway._environment["GATEWAY_TRANSPORTS__COURIER__PORT"])


def confirm(gateway: GatewayProcess, reference: str, verdict: str = "delivered") -> str:
    """What the gateway says to a confirmation."""
    with socket.create_connection(("127.0.0.1", port_of(gateway)), timeout=20) as connection:
        connection.sendall(f"CONFIRM {reference} {verdict}\n".encode())
        return connection.makefile("r").readline().strip()


def wait_for(true: Callable[[], Any], gateway: GatewayProcess, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, gateway.log()[-3000:]
        time.sleep(0.02)
    return found


def ask(gateway: GatewayProcess, query: str, *values: str) -> list[tuple[Any, ...]]:
    """What the store's file holds, whether or not the gateway is up."""
    with closing(sqlite3.connect(f"file:{gateway.folder}/gateway.db?mode=ro", uri=True)) as database:
        return database.execute(query, values).fetchall()


def state_of(gateway: GatewayProcess, id_: str) -> str:
    """Where a delivery stands."""
    tables = ("deliveries", "deliveries_done")
    rows = [row for table in tables for row in ask(gateway, f"SELECT state FROM {table} WHERE id = ?", id_)]
    return str(rows[0][0]) if rows else ""


def stages(gateway: GatewayProcess, id_: str) -> list[str]:
    """The stages of the receipts about a delivery."""
    return [row[0] for row in ask(gateway, "SELECT stage FROM receipts WHERE subject_id = ?", id_)]


def last_error(gateway: GatewayProcess, id_: str) -> str:
    """What an operator reads of a delivery that is not over."""
    ((said,),) = ask(gateway, "SELECT last_error FROM deliveries WHERE id = ?", id_)
    return str(said)


SERIALS = itertools.count(1)


def declare(gateway: GatewayProcess, bureau: Bureau) -> str:
    """Let something be handed over to the bureau; its id."""
    assert gateway.post("acme", declaration(next(SERIALS)))[0] == 202
    wait_for(lambda: bureau.ids, gateway)
    return bureau.ids[0]


def awaiting(gateway: GatewayProcess, bureau: Bureau) -> str:
    """As `declare`, once it is known to await its confirmation."""
    id_ = declare(gateway, bureau)
    wait_for(lambda: state_of(gateway, id_) == "awaiting", gateway)
    return id_


def test_a_confirmation_makes_it_delivered_once(gateway: GatewayProcess, bureau: Bureau) -> None:
    """Handed over it awaits; confirmed it is delivered, with one receipt, however often that is said."""
    id_ = awaiting(gateway, bureau)
    payload = gateway.get("acme", "/v1/messages")[1]["items"][0]
    told = gateway.get("acme", f"/v1/messages/{payload['id']}")[1]["deliveries"]
    assert "awaiting" in [one["state"] for one in told]
    assert b"gateway_deliveries_awaiting 1.0" in gateway.get("acme", "/metrics")[1]["body"]
    assert stages(gateway, id_) == []
    assert confirm(gateway, id_) == "counted"
    assert (state_of(gateway, id_), stages(gateway, id_)) == ("delivered", ["delivered"])
    assert [confirm(gateway, id_, verdict) for verdict in ("delivered", "refused")] == ["repeated", "repeated"]
    assert (confirm(gateway, "unknown"), confirm(gateway, id_, "nonsense")) == ("early", "NO")
    assert (state_of(gateway, id_), stages(gateway, id_), bureau.ids) == ("delivered", ["delivered"], [id_])


def test_a_refusal_is_a_death_and_a_deferral_another_attempt(gateway: GatewayProcess, bureau: Bureau) -> None:
    """The partner may say later that it wants it again, or never; the one is sent again, the other waits for an operator."""
    id_ = awaiting(gateway, bureau)
    assert confirm(gateway, id_, "deferred") == "counted"
    wait_for(lambda: bureau.ids == [id_, id_] and state_of(gateway, id_) == "awaiting", gateway)
    assert confirm(gateway, id_, "refused") == "counted"
    assert (state_of(gateway, id_), last_error(gateway, id_)) == ("dead", "the courier says refused")
    (told,) = [line for line in gateway.log().splitlines() if "delivery_dead" in line]
    assert id_ in told


def test_silence_is_another_attempt_until_there_are_no_more(gateway: GatewayProcess, bureau: Bureau) -> None:
    """Nobody confirms: it is sent again under its id as often as is agreed, and then an operator knows."""
    bureau.word = b"WAIT 0.1"
    id_ = declare(gateway, bureau)
    wait_for(lambda: state_of(gateway, id_) == "dead", gateway)
    assert bureau.ids == [id_] * 3
    assert last_error(gateway, id_) == f"No confirmation of {id_} has come in time."
    assert confirm(gateway, id_) == "counted"  # late, and still the proof that it has it
    assert (state_of(gateway, id_), stages(gateway, id_)) == ("delivered", ["delivered"])


def test_one_that_overtakes_the_answer_counts(gateway: GatewayProcess, bureau: Bureau) -> None:
    """The confirmation comes before the partner's own answer to the sending: it is kept, and counts after the report."""
    said: list[str] = []
    bureau.before_word = lambda id_: said.append(confirm(gateway, id_))
    id_ = declare(gateway, bureau)
    wait_for(lambda: state_of(gateway, id_) == "delivered", gateway)
    assert said == ["early"]
    assert (bureau.ids, stages(gateway, id_)) == ([id_], ["delivered"])


def _wait(event: threading.Event) -> None:
    """Say nothing until something has happened."""
    assert event.wait(20)


@pytest.mark.parametrize("when", ["awaiting", "before the report"])
def test_a_crash_loses_no_confirmation(gateway: GatewayProcess, bureau: Bureau, when: str) -> None:
    """Killed while it awaits, or between handing over and saying so: the confirmation finds the delivery, and counts once."""
    killed = threading.Event()
    if when == "before the report":
        bureau.before_word = lambda _id: _wait(killed)
        id_ = declare(gateway, bureau)
    else:
        id_ = awaiting(gateway, bureau)
    gateway.kill()
    killed.set()
    gateway.start()
    assert confirm(gateway, id_) in ({"counted"} if when == "awaiting" else {"early", "counted"})
    wait_for(lambda: state_of(gateway, id_) == "delivered", gateway)
    assert (set(bureau.ids), stages(gateway, id_)) == ({id_}, ["delivered"])

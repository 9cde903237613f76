"""What docs/adding.md says is done as it stands there: a transport comes in a package of its own, and works."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.adding import ROOT, install, section
from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess, key_of

(MODULE,) = re.findall(r"^```python\n(.*?)^```", section("A transport"), re.MULTILINE | re.DOTALL)
PROJECT, SETTINGS, PARTNER = re.findall(r"^```toml\n(.*?)^```", section("A transport"), re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def netstring(body: bytes) -> bytes:
    return b"%d:%b," % (len(body), body)


class Listener:
    """A partner that listens for netstrings."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
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
                size = b"".join(iter(lambda: stream.read(1), b":"))
                self.bodies.append(stream.read(int(size)))
                connection.sendall(b"OK")

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def bureau() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def gateway(tmp_path: Path, bureau: Listener) -> Iterator[GatewayProcess]:
    """A gateway that finds the package, with its table in gateway.toml; an enterprise is there, and no bureau yet."""
    package, home = tmp_path / "package", tmp_path / "home"
    home.mkdir()
    install(package, "wire", MODULE, PROJECT)
    (home / "gateway.toml").write_text(SETTINGS.replace("7001", str(free_port())), "utf-8")
    enterprise = partners("http://127.0.0.1:9/").partition('[[partners]]\nid = "bureau"')[0]
    gateway = GatewayProcess(home, enterprise, {"PYTHONPATH": os.pathsep.join((str(package), str(ROOT)))})
    yield gateway
    gateway.stop()


def test_a_package_brings_a_transport(gateway: GatewayProcess, bureau: Listener) -> None:
    """One payload comes in and one delivery goes out over a transport of which no file of the gateway knows."""
    file = gateway.folder / "bureau.toml"
    file.write_text(PARTNER.replace("7002", "far"), "utf-8")
    refused = gateway.cli("partner", "import", "bureau.toml", check=False)
    assert (refused.returncode, "options.port" in refused.stderr) == (2, True)
    file.write_text(PARTNER.replace("7002", str(bureau.port)), "utf-8")
    gateway.cli("partner", "import", "bureau.toml")
    assert "[transports.wire]" in gateway.cli("config", "example").stdout
    gateway.cli("config", "check")
    port = tomllib.loads((gateway.folder / "gateway.toml").read_text("utf-8"))["transports"]["wire"]["port"]
    gateway.start()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(netstring(declaration(1)))
        assert connection.recv(10) == b"OK"
    deadline = time.monotonic() + 30
    while not bureau.bodies:
        assert time.monotonic() < deadline, gateway.log()[-3000:]
        time.sleep(0.02)
    assert b"FD-00000001" in bureau.bodies[0]
    (payload,) = gateway.get("acme", "/v1/messages")[1]["items"]
    assert gateway.get("acme", f"/v1/messages/{payload['id']}")[1]["transport"] == "wire"


def test_its_route_is_a_part_of_the_interface(gateway: GatewayProcess) -> None:
    """A route that a transport adds asks for a key like any other, is described, and takes payloads in."""
    gateway.start()
    with urlopen(f"{gateway.url}/v1/openapi.json", timeout=20) as answer:
        described = json.load(answer)["paths"]["/v1/wire"]["post"]
    assert (described["operationId"], described["security"]) == ("postWire", [{"key": []}])
    assert described["summary"] == "Take in what would have come over a connection"
    assert gateway._ask(Request(f"{gateway.url}/v1/wire", declaration(2), method="POST"))[0] == 401
    headers = {"Authorization": f"Bearer {key_of('acme')}"}
    status, said = gateway._ask(Request(f"{gateway.url}/v1/wire", declaration(2), headers, method="POST"))
    assert status == 202
    assert gateway.get("acme", f"/v1/messages/{said['body'].decode()}")[1]["transport"] == "wire"

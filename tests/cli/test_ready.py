from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import COMMANDS
from tests.cli.conftest import Run
from tests.transports.conformance.kinds import free_port
from tests.web.test_tls import certificate

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("tls", [False, True])
def test_a_running_gateway_is_ready_at_its_own_port(run: Run, tmp_path: Path, tls: bool) -> None:
    """Whatever the port, under TLS too, and not before it runs; afterwards it is not ready any more."""
    port = free_port()
    settings = f"[store]\nfree_bytes = 0\n[http]\nport = {port}\n"
    if tls:
        pem, key = certificate(tmp_path, "server")
        settings += f'tls_certificate = "{pem}"\ntls_key = "{key}"\n'
    (tmp_path / "gateway.toml").write_text(settings, "utf-8")
    assert run("migrate").code == 0
    done = run("ready")
    assert done.code == 1
    assert f":{port}/readyz takes nothing in" in done.err
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gateway", "serve"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as serving:
        assert serving.stdout is not None
        assert serving.stdout.readline().decode().strip() == f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        assert run("ready", "--seconds", "10").code == 0
        serving.terminate()
        serving.wait(timeout=30)
    assert run("ready").code == 1


def test_a_port_that_is_not_known_is_told(run: Run, tmp_path: Path) -> None:
    """With port 0 nobody can ask, and the command says why."""
    (tmp_path / "gateway.toml").write_text("[http]\nport = 0\n", "utf-8")
    assert run("ready").code == 2


@pytest.mark.parametrize("file", ["docs/operations/gateway.service", "Dockerfile", "docs/operations/compose.yml"])
def test_what_is_shipped_for_supervisors_calls_what_there_is(file: str) -> None:
    """The unit, the image and the compose file call no command of the gateway's, and set no variable, that it has not."""
    text = (ROOT / file).read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        for verb in re.findall(r"gateway (\w+)", line) if "Exec" in line or "CMD" in line else ():
            assert verb in COMMANDS, line
    known = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    for name in set(re.findall(r"GATEWAY_[A-Z_]+__[A-Z_]+", text)):
        assert name in known, name


def test_the_unit_is_one() -> None:
    """Each line is a section, a directive of systemd's, or a comment; and the gateway's account owns nothing it must not."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in (ROOT / "docs/operations/gateway.service").read_text("utf-8").splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            assert re.fullmatch(r"[A-Z][A-Za-z]+", name), line
            current.setdefault(name, []).append(value)
    assert sections.keys() == {"Unit", "Service", "Install"}
    service = sections["Service"]
    assert shlex.split(service["ExecStart"][0])[1:] == ["serve"]
    assert (service["User"], service["NoNewPrivileges"], service["ProtectSystem"]) == (["gateway"], ["yes"], ["strict"])

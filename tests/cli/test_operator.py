"""The operator's verbs beside a running gateway, and `send` to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import data

KEY = "gwk_" + "0123456789" * 4
PARTNERS = f"""
[[partners]]
id = "acme"
name = "Acme Exporting"
roles = ["enterprise"]
agreements = [{{ direction = "in" }}]
keys = [{{ key = "{KEY}" }}]
"""
GOOD = data.samples() / "declaration/import_sea_container/in.edi"
BAD = data.samples() / "declaration/rejected_edifact/in.edi"


@pytest.fixture
def gateway(run, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A gateway in a process of its own over this folder: its URL, and the process."""
    (tmp_path / "partners.toml").write_text(PARTNERS, "utf-8")
    assert run("partner", "import", "partners.toml").code == 0
    environment = {
        **os.environ,
        "GATEWAY_HTTP__PORT": "0",
        "GATEWAY_PIPELINE__WORKERS": "0",
        "GATEWAY_LOGGING__LEVEL": "info",
    }
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), (tmp_path / "log").read_text("utf-8")
            yield url, process
        finally:
            process.kill()
            process.communicate()


def test_send_and_look_and_prove(run, gateway, tmp_path):
    """A message is sent, listed, shown, its receipts verified offline, and it can be processed again."""
    url, _ = gateway
    done = run("send", GOOD, "--url", url, "--key", KEY, "--wait", "30", "--json")
    view = done.json
    assert view["state"] in ("accepted", "rejected", "held")
    assert done.code == (0 if view["state"] in ("accepted", "held") else 1)
    again = run("send", GOOD, "--url", url, "--key", KEY)
    assert (again.code, again.out.strip()) == (0, view["id"])
    assert "there already" in again.err

    (listed,) = run("message", "list", "--json").lines
    assert listed["id"] == view["id"]
    assert run("message", "list", "--state", "received", "--json").out == ""
    shown = run("message", "show", view["id"]).out
    assert "edifact:CUSDEC:D:96B:UN" in shown
    assert run("message", "show", view["id"], "--original").out == GOOD.read_text("utf-8")
    assert run("message", "dead").code == 0

    vkey = run("receipt", "key").out.strip()
    assert run("receipt", "show", "0", "--json").json["receipt"]["payload"] == view["id"]
    (tmp_path / "p.tlog-proof").write_text(run("receipt", "show", "0", "--proof").out, "utf-8")
    assert run("receipt", "bundle", view["id"], "b.zip").code == 0
    assert run("receipt", "export", "log.jsonl").code == 0
    for evidence in ("p.tlog-proof", "b.zip", "log.jsonl"):
        verified = run("receipt", "verify", evidence, "--key", vkey, "--json")
        assert (verified.code, verified.json["valid"]) == (0, True), (evidence, verified.out)

    assert run("message", "reprocess", view["id"]).code == 0
    for _ in range(200):
        if run("message", "list", "--state", "processed", "--json").out:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("it was not processed again")


def test_damaged_evidence_is_told(run, gateway, tmp_path):
    """A changed byte in any evidence, or another key, makes `receipt verify` end with 1 and say what is wrong."""
    url, _ = gateway
    id_ = run("send", BAD, "--url", url, "--key", KEY, "--wait", "30", "--json").json["id"]
    vkey = run("receipt", "key").out.strip()
    run("receipt", "bundle", id_, "b.zip")
    run("receipt", "export", "log.jsonl")
    (tmp_path / "p.tlog-proof").write_text(run("receipt", "show", "0", "--proof").out, "utf-8")
    for name, old, new in (
        ("b.zip", b'"acme"', b'"acmo"'),
        ("log.jsonl", b'"acme"', b'"acmo"'),
        ("p.tlog-proof", b"index 0", b"index 1"),
    ):
        path = tmp_path / name
        good = path.read_bytes()
        assert old in good
        path.write_bytes(good.replace(old, new))
        for lang in ("en", "zh"):
            done = run("receipt", "verify", name, "--key", vkey, "--lang", lang)
            assert done.code == 1
            assert done.out.startswith("error")
        path.write_bytes(good)
        other = vkey[:-10] + ("A" if vkey[-10] != "A" else "B") + vkey[-9:]
        assert run("receipt", "verify", name, "--key", other).code == 1


def test_a_rejected_message_makes_send_fail(run, gateway):
    """`send --wait` ends with 1 on a rejected message and tells its findings in the language asked for."""
    url, _ = gateway
    done = run("send", BAD, "--url", url, "--key", KEY, "--wait", "30", "--lang", "zh")
    assert done.code == 1
    assert "rejected" in done.out
    assert any("\u4e00" <= c <= "\u9fff" for c in done.out)


def test_a_refusal_is_told(run, gateway):
    """A wrong key is told in the gateway's own words."""
    url, _ = gateway
    done = run("send", GOOD, "--url", url, "--key", "wrong")
    assert (done.code, done.out) == (1, "")
    assert "401" in done.err


def test_sigterm_ends_in_order(run, gateway, tmp_path):
    """SIGTERM ends the process with 0; what it accepted before is there for the next one."""
    url, process = gateway
    assert run("send", GOOD, "--url", url, "--key", KEY).code == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    assert events[0] == "serving"
    assert events[-1] == "stopped"
    assert len(run("message", "list", "--json").lines) == 1


def test_a_broken_part_ends_the_process(run, tmp_path):
    """Where a part that must run cannot, the process ends with an error instead of living half a life."""
    (tmp_path / "in").write_text("a file where a folder must be", "utf-8")
    (tmp_path / "gateway.toml").write_text(
        "[http]\nport = 0\n[[folders]]\npath = 'in'\npartner = 'acme'\n[store]\nfree_bytes = 0\n", "utf-8"
    )
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "serve"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert '"event": "background_ended"' in done.stderr
    assert done.stderr.splitlines()[-1].startswith("gateway: folder in ended by itself")


def test_a_taken_port_is_told(run, gateway):
    """A port that another process listens on is told in one line."""
    url, _ = gateway
    environment = {**os.environ, "GATEWAY_HTTP__PORT": url.rpartition(":")[2]}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "serve"],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "address already in use" in done.stderr


def test_migrating_is_safe_to_repeat(run):
    """`migrate` makes the tables, and does nothing when they are there."""
    assert run("migrate").code == 0
    assert run("migrate").code == 0

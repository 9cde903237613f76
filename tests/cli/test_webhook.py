"""`gateway webhook`: a key that signs, and a receiver that verifies."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gateway.transports.webhook_signing import Keys, read_private, sign, write_public
from tests.transports.conformance.kinds import free_port


def test_a_key_is_made_once(run, tmp_path: Path):
    """Readable by its owner alone, its public half told; one that is there is never replaced."""
    made = run("webhook", "key", "hook.key")
    text = (tmp_path / "hook.key").read_text("utf-8")
    assert (made.code, made.out.strip()) == (0, write_public(read_private(text.strip()).public_key()))
    assert stat.S_IMODE((tmp_path / "hook.key").stat().st_mode) == 0o600
    assert run("webhook", "key", "hook.key").code == 2
    assert (tmp_path / "hook.key").read_text("utf-8") == text
    assert "whsk_" not in made.out + made.err


@pytest.mark.parametrize("key", ["whpk_x", "gwk_x"])
def test_what_is_no_key_to_verify_by(run, key: str):
    """Said before anything listens."""
    assert run("webhook", "listen", "--verify", key).code == 2


def test_events_are_verified_and_printed(run, tmp_path: Path):
    """One that holds is answered as told, one that does not with 400; each is printed."""
    public = run("webhook", "key", "hook.key").out.strip()
    key = read_private((tmp_path / "hook.key").read_text("utf-8").strip())
    port = free_port()
    command = [
        "webhook",
        "listen",
        "--port",
        str(port),
        "--verify",
        public,
        "--answer",
        "202",
        "--count",
        "3",
        "--json",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert f":{port}/" in process.stderr.readline()
        body, now = '{"type":"document.clearance","data":{"name":"红"}}'.encode(), int(time.time())
        signed = sign(Keys([key]), "d-1", now, body)
        statuses = [post(port, sent, now, signed) for sent in (body, b'{"type":"ping"}', b"\xff")]
        out, _ = process.communicate(timeout=20)
    assert statuses == [202, 400, 400]
    first, second, third = (json.loads(line) for line in out.splitlines())
    assert first == {"id": "d-1", "fault": "", "event": json.loads(body)}
    assert "no signature" in second["fault"]
    assert third["event"] == "\ufffd"


def post(port: int, body: bytes, now: int, signed: str) -> int:
    headers = {"webhook-id": "d-1", "webhook-timestamp": str(now), "webhook-signature": signed}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code

"""A client that openapi-python-client generates from the description sends, follows and fetches, and what it gets verifies."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from gateway.receipt.verify import verify_proof
from tests.interop.peers import peer_python
from tests.web.conftest import Client, key_of
from tests.web.test_exchange import DECLARATION, agree

PROGRAM = Path(__file__).with_name("generated_program.py")


def run(*command: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **more)


async def test_a_generated_client_sends_follows_and_fetches(client: Client, tmp_path: Path) -> None:
    """Everything by its own functions and models; each receipt that it got is proven by the log's key."""
    folder = tmp_path / "bureau"
    folder.mkdir()
    await agree(client, "folder", {"folder": str(folder)})
    (tmp_path / "openapi.json").write_bytes((await client.ask("GET", "/v1/openapi.json", as_="")).body)
    python = await asyncio.to_thread(peer_python)
    made = await asyncio.to_thread(
        run, str(python.with_name("openapi-python-client")), "generate", "--meta", "none",
        "--path", str(tmp_path / "openapi.json"), "--output-path", str(tmp_path / "generated"),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr.decode()
    # What a client knows no way to say is left out of it, with a warning; no operation but these may be.
    endpoints = {path.stem for path in (tmp_path / "generated" / "api" / "default").glob("*.py")}
    assert {
        "post_message",
        "get_message",
        "list_deliveries",
        "post_evidence",
        "import_partners",
        "get_proof",
    } <= endpoints
    done = await asyncio.to_thread(
        run, str(python), str(PROGRAM), str(tmp_path), client.url, key_of("acme"), key_of("bureau"), input=DECLARATION
    )
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert told["problem"] == "urn:edi-gateway:problem:not-found"
    assert told["stages"][:1] == ["checked"]
    assert "received" in told["stages"]
    assert told["attempts"] == ["delivered"]
    assert hashlib.sha256(base64.b64decode(told["body"])).hexdigest() == told["sha256"]
    for proof in told["proofs"]:
        assert verify_proof(proof.encode(), told["key"].strip()) == []
        lines = proof.splitlines()
        assert verify_proof("\n".join([*lines[:-1], ""]).encode(), told["key"].strip()) != []

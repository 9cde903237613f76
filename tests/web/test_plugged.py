"""Routes of transports that tell by themselves who calls (gateway/web/plugged.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request

import pytest

from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess

ROOT = Path(__file__).resolve().parents[2]
MODULE = '''"""Payloads of callers who say a word that only they know."""

from aiohttp import web

from gateway.errors import NotAuthenticated
from gateway.transports.plugin import Means, Peer, Route, Transport

WORDS = {"sesame": "acme", "nobody": "firm that is not there", "rehearsal": "acme"}


async def authenticate(request: web.Request, means: Means) -> Peer:
    word = request.headers.get("X-Word", "")
    if word not in WORDS:
        raise NotAuthenticated
    return Peer(WORDS[word], test=word == "rehearsal")


async def receive(request: web.Request, peer: Peer, means: Means) -> web.Response:
    """Tell who calls. The caller learns under which name it is known."""
    await request.read()
    return web.Response(text=f"{peer.partner_id} {peer.test}", status=202)


TRANSPORT = Transport("word", routes=(Route("/v1/word", "postWord", receive),), authenticate=authenticate)
'''


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    package, home = tmp_path / "package", tmp_path / "home"
    about = package / "word-1.0.dist-info"
    about.mkdir(parents=True)
    home.mkdir()
    (package / "word.py").write_text(MODULE, "utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: word\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text("[edi_gateway.transports]\nword = word:TRANSPORT\n", "utf-8")
    path = os.pathsep.join((str(package), str(ROOT)))
    gateway = GatewayProcess(home, partners("http://127.0.0.1:9/"), {"PYTHONPATH": path})
    gateway.start()
    yield gateway
    gateway.stop()


def test_a_transport_tells_by_itself_who_calls(gateway: GatewayProcess) -> None:
    """Whoever it does not know is answered 401, and whoever the registry does not know likewise, whatever the transport says."""
    said = {}
    for word in ("sesame", "rehearsal", "open", "", "nobody"):
        headers = {"X-Word": word} if word else {}
        status, answer = gateway._ask(Request(f"{gateway.url}/v1/word", declaration(1), headers, method="POST"))
        said[word] = (status, answer["body"].decode() if status == 202 else "")
    assert said == {
        "sesame": (202, "acme False"),
        "rehearsal": (202, "acme True"),
        "open": (401, ""),
        "": (401, ""),
        "nobody": (401, ""),
    }

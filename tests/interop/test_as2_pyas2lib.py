"""AS2 with pyas2lib, both ways: it opens what we send and we its MDNs, we open what it sends and it our MDNs."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from gateway.model import Agreement, Direction
from gateway.transports.as2 import As2Sender
from gateway.transports.base import Evidence, Record
from gateway.transports.cms import Own
from tests.interop.peers import peer_python
from tests.transports.as2_partner import THEM, US, endpoint, means, theirs
from tests.transports.test_as2 import Taking, delivery, nobody
from tests.transports.test_cms import own

# pyas2lib 1.4 makes text of a content that is not signed or encrypted and changes its line ends, so what it is sent here
# has the line ends that it would write.
BODY = b"UNB+UNOA:3+A+B+260101:1200+1'\r\nUNZ+0+1'\r\n"
CIPHERS = {"": "", "aes128-cbc": "aes_128_cbc", "aes256-cbc": "aes_256_cbc"}
EVERY = list(itertools.product(("sha256", "sha512"), CIPHERS, (False, True)))


@pytest.fixture(scope="module")
def peer() -> Iterator[subprocess.Popen[str]]:
    command = [str(peer_python()), str(Path(__file__).with_name("as2_peer.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def ask(peer: subprocess.Popen[str], **asked: Any) -> Any:
    """What the peer says to one line."""
    assert peer.stdin is not None
    assert peer.stdout is not None
    peer.stdin.write(json.dumps(asked) + "\n")
    peer.stdin.flush()
    return json.loads(peer.stdout.readline())


def pem(one: Own) -> str:
    key = one.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return key.decode() + certificate(one)


def certificate(one: Own) -> str:
    return one.certificate.public_bytes(serialization.Encoding.PEM).decode()


def terms(sign: str, encrypt: str, *, compress: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "compress": compress,
        "sign": True,
        "digest_alg": sign,
        "mdn_mode": "SYNC",
        "mdn_digest_alg": "sha256",
    }
    if encrypt:
        found |= {"encrypt": True, "enc_alg": CIPHERS[encrypt]}
    return found


@pytest.mark.parametrize(("sign", "encrypt", "compress"), EVERY)
async def test_it_takes_what_we_send_and_we_its_mdn(
    peer: subprocess.Popen[str], tmp_path: Path, sign: str, encrypt: str, compress: bool
):
    """Signed with either digest, encrypted or not, compressed or not: it has our bytes, and its MDN is delivery."""
    said: dict[str, Any] = {}

    async def take(request: web.Request) -> web.Response:
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items()).encode()
        raw = base64.b64encode(head + b"\r\n" + await request.read()).decode()
        said.update(
            ask(
                peer,
                do="parse",
                pem=pem(theirs()),
                name=US,
                certificate=certificate(own("us-rsa")),
                raw=raw,
                terms=terms(sign, encrypt, compress=compress),
            )
        )
        return web.Response(body=base64.b64decode(said["mdn"]), headers=said["headers"])

    app = web.Application()
    app.router.add_post("/as2", take)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    options = {
        "url": f"http://127.0.0.1:{runner.addresses[0][1]}/as2",
        "to": THEM,
        "sign": sign,
        "encrypt": encrypt,
        "compress": "before" if compress else "",
    }
    agreement = Agreement("out", THEM, Direction.OUT, "*", "json:response:1", "as2", options, attempt_timeout=20)
    sender = As2Sender(means(tmp_path, nobody), allow_private=True)
    try:
        evidence = await sender.send(delivery(BODY), agreement, Record())
    finally:
        await sender.close()
        await runner.cleanup()
    assert said["status"] == "processed", said["error"]
    assert base64.b64decode(said["payload"]) == BODY
    assert isinstance(evidence, Evidence)
    assert evidence.outcome == "delivered"


@pytest.mark.parametrize(("sign", "encrypt", "compress"), EVERY)
async def test_we_take_what_it_sends_and_it_our_mdn(
    peer: subprocess.Popen[str], tmp_path: Path, sign: str, encrypt: str, compress: bool
):
    """The other way round: we keep its bytes, and our MDN is a confirmation to it."""
    taking = Taking()
    made = ask(
        peer, do="confirm", pem=pem(theirs()), name=US, certificate=certificate(own("us-rsa")),
        payload=base64.b64encode(BODY).decode(), terms=terms(sign, encrypt, compress=compress),
    )  # fmt: skip
    async with (
        endpoint(means(tmp_path, taking)) as url,
        aiohttp.ClientSession() as session,
        session.post(url, data=base64.b64decode(made["body"]), headers=made["headers"]) as answer,
    ):
        raw = (
            "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items()).encode()
            + b"\r\n"
            + await answer.read()
        )
        status = answer.status
    said = ask(peer, raw=base64.b64encode(raw).decode())
    assert status == 200
    assert list(taking.kept.values()) == [BODY]
    assert said["status"] == "processed", said

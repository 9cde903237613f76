"""AS2 against pyas2lib, and exchanges through the running gateway.

    as2_vs_pyas2lib_10k    pyas2lib's time over ours for one exchange: build, parse, signed MDN, check; 10 KB
    as2_vs_pyas2lib_10m    the same for 10 MB
    as2_exchanges_per_s    signed, encrypted 10 KB in over HTTP, a signed MDN out, durable, with the client on the same cores

Both sides use RSA of 2048 bits, AES-256-CBC and SHA-256, and open what they have built themselves. pyas2lib makes text of
a message on its way, so its contents have the line ends that it would write.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from gateway.transports.as2_message import entity_of, make_message, open_message
from gateway.transports.mdn import Mdn, judge_mdn, make_mdn, read_mdn
from gateway.transports.mime import Security
from tests.bench.figures import ROOT, Figure
from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess
from tests.interop.peers import peer_python
from tests.transports.as2_partner import LIMITS, NOW
from tests.transports.test_cms import own, written

SIZES = {"10k": (10_000, 30), "10m": (10_000_000, 2)}
"""Bytes of a payload, and how many exchanges are timed at once."""
RUNS = 5
SECONDS = 8
CLIENTS = 8


def payload(size: int) -> bytes:
    """EDIFACT of about that size, in lines."""
    line = b"FTX+AAI+++ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGHIJKLMNOP'\r\n"
    return line * (size // len(line))


def exchange(content: bytes) -> None:
    """One exchange: a message of the sender's, opened and answered by the receiver, whose MDN the sender judges."""
    sender, receiver = own("us-rsa"), own("them-rsa")
    made = make_message(
        content, "application/EDIFACT", "a.edi", Security("sha256", "aes256-cbc"), sender, receiver.certificate, NOW
    )
    opened = open_message(entity_of(made.headers, made.body), [receiver], [sender.certificate], **LIMITS)
    assert opened.payload == content
    said = Mdn("<1@acme>", "processed", made.mic, made.digest, "Thank you")
    headers, body = make_mdn(said, "them", "bench", receiver, "sha256", NOW)
    entity = entity_of(headers, body)
    mdn_read = read_mdn(entity, [receiver.certificate], signed=True)
    judge_mdn(mdn_read, "<1@acme>", made.mic, made.digest, entity.raw, "as2_mdn")


def seconds_of_ours(content: bytes, times: int) -> float:
    """Seconds for one exchange of ours."""
    exchange(content)
    began = time.perf_counter()
    for _ in range(times):
        exchange(content)
    return (time.perf_counter() - began) / times


def seconds_of_theirs(content: bytes, times: int) -> float:
    """Seconds for one exchange of pyas2lib's, timed within its own process."""
    from tests.interop.test_as2_pyas2lib import certificate, pem, terms

    asked = {
        "do": "time",
        "pem": pem(own("them-rsa")),
        "own": pem(own("us-rsa")),
        "certificate": certificate(own("them-rsa")),
        "payload": base64.b64encode(content).decode(),
        "terms": terms("sha256", "aes256-cbc", compress=False),
        "times": times,
        "sender": certificate(own("us-rsa")),
    }
    command = [str(peer_python()), str(ROOT / "tests/interop/as2_peer.py")]
    done = subprocess.run(
        command, input=json.dumps(asked) + "\n", capture_output=True, text=True, check=True, timeout=600
    )
    seconds: float = json.loads(done.stdout)["seconds"]
    return seconds


def measure() -> dict[str, Figure]:
    """Both ratios, run by run in turns, and the rate of the gateway."""
    figures: dict[str, Figure] = {}
    for name, (size, times) in SIZES.items():
        content = payload(size)
        ratios = [seconds_of_theirs(content, times) / seconds_of_ours(content, times) for _ in range(RUNS)]
        figures[f"as2_vs_pyas2lib_{name}"] = Figure.of(ratios, f"load {os.getloadavg()[0]:.1f}")
    figures["as2_exchanges_per_s"] = Figure.of([_rate(run) for run in range(RUNS)], f"load {os.getloadavg()[0]:.1f}")
    return figures


def _rate(run: int) -> float:
    """Messages a second that a fresh gateway answers with its MDN."""
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        folder = Path(name)
        ours, theirs = own("us-rsa"), own("them-rsa")
        chain, key = written(folder, ours)
        (folder / "gateway.toml").write_text(
            f'[transports.as2]\nname = "GATEWAY"\n[[transports.as2.keys]]\ncertificate = "{chain}"\nkey = "{key}"\n'
        )
        gateway = GatewayProcess(folder, _partners(theirs), {"GATEWAY_CONFIG": str(folder / "gateway.toml")})
        gateway.start()
        try:
            return asyncio.run(_load(gateway.url, run))
        finally:
            gateway.kill()


def _partners(theirs: Any) -> str:
    """The usual partners, the sender with an AS2 name and a certificate."""
    from cryptography.hazmat.primitives.serialization import Encoding

    pem = theirs.certificate.public_bytes(Encoding.PEM).decode()
    return f'''{partners("http://127.0.0.1:9/inbox")}
[[partners]]
id = "as2-firm"
name = "A firm that speaks AS2"
roles = ["enterprise"]
identifiers = [{{ scheme = "as2", value = "acme" }}]

[[partners.agreements]]
direction = "in"

[[partners.credentials]]
id = "as2-firm-sign"
kind = "certificate"
use = "sign"
material = """
{pem}"""
'''


async def _load(url: str, run: int) -> float:
    """Post for some seconds; messages a second that were answered. They are made beforehand, as a sender's queue has them."""
    made = [
        make_message(
            declaration(run * 1_000_000 + number) + payload(4_000),
            "application/EDIFACT",
            "a.edi",
            Security("sha256", "aes256-cbc"),
            own("them-rsa"),
            own("us-rsa").certificate,
            NOW,
        )
        for number in range(150 * SECONDS)
    ]
    waiting, answered = iter(enumerate(made)), 0
    ends = time.monotonic() + SECONDS
    base: Mapping[str, str] = {
        "AS2-From": "acme",
        "AS2-To": "GATEWAY",
        "Disposition-Notification-To": "acme",
        "Disposition-Notification-Options": "signed-receipt-protocol=required, pkcs7-signature; "
        "signed-receipt-micalg=required, sha-256",
    }

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal answered
        for number, message in waiting:
            headers = {**base, **message.headers, "Message-ID": f"<{run}.{number}@acme>"}
            async with session.post(f"{url}/as2", data=message.body, headers=headers) as answer:
                body = await answer.read()
                assert answer.status == 200, body
                assert b"MDN-sent-automatically; processed\r\n" in body, body
            answered += 1
            if time.monotonic() > ends:
                return

    began = time.monotonic()
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(one(session) for _ in range(CLIENTS)))
    return answered / (time.monotonic() - began)

"""The way by AS2: what it makes is judged by OpenSSL, and what it judges is made by OpenSSL."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from gateway.simulators.as2 import As2, Station
from gateway.simulators.ways import Arrival, Client, NotTaken
from tests.simulators.test_ways import gateway, running

US, THEM, STRANGER = "us", "them", "stranger"
PAYLOAD = b"UNB+UNOC:3+A+B'\n\xff\x00\r\n"
DELIVERY = "01a21fb6a6bc7ed1d807ca7df6627997"


def openssl(*words: str, given: bytes = b"") -> bytes:
    """What the program makes of `given`; AssertionError where it says no."""
    done = subprocess.run(["openssl", *words], input=given, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key and a certificate of each."""
    folder = tmp_path_factory.mktemp("keys")
    for name in (US, THEM, STRANGER):
        openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")),
        )
    return folder


def way(keys: Path, url: str = "http://127.0.0.1:1") -> As2:
    station = Station(
        f"{url}/as2", "ACME", "GATEWAY", str(keys / f"{US}.key"), str(keys / f"{US}.pem"), str(keys / f"{THEM}.pem")
    )
    return As2(Client(url, "key"), 0, (), station)


def sign(keys: Path, content: bytes, signer: str = THEM, micalg: str = "sha-256") -> bytes:
    """A multipart/signed around `content` (RFC 1847), its signature made by OpenSSL."""
    signature = openssl(
        *("cms", "-sign", "-binary", "-outform", "DER", "-md", "sha256"),
        *("-signer", str(keys / f"{signer}.pem"), "-inkey", str(keys / f"{signer}.key")),
        given=content,
    )
    part = b"Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    part += base64.encodebytes(signature).replace(b"\n", b"\r\n")
    head = f'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg={micalg}; boundary="b1"\r\n\r\n'
    return head.encode() + b"--b1\r\n" + content + b"\r\n--b1\r\n" + part + b"\r\n--b1--\r\n"


def encrypt(keys: Path, content: bytes, recipient: str = US) -> bytes:
    return openssl(
        "cms", "-encrypt", "-binary", "-aes-256-cbc", "-outform", "DER", str(keys / f"{recipient}.pem"), given=content
    )


def verified(keys: Path, entity: bytes, signer: str) -> bytes:
    """What OpenSSL finds that `signer` has signed. Its own reader of S/MIME changes line ends, so the parts are cut out here."""
    boundary = re.search(rb'boundary="([^"]+)"', entity)
    assert boundary is not None
    _, content, part, _ = entity.split(b"--" + boundary[1])
    content = content.removeprefix(b"\r\n").removesuffix(b"\r\n")
    file = keys / f"content-{secrets.token_hex(8)}"
    file.write_bytes(content)
    openssl(
        *("cms", "-verify", "-binary", "-inform", "DER", "-content", str(file), "-purpose", "any", "-nointern"),
        *("-certfile", str(keys / f"{signer}.pem"), "-CAfile", str(keys / f"{signer}.pem"), "-out", "/dev/null"),
        given=base64.b64decode(part.partition(b"\r\n\r\n")[2]),
    )
    return content


# What comes.


def message(payload: bytes = PAYLOAD, name: str = f"clearance-{DELIVERY}.edi") -> bytes:
    return (
        f'Content-Type: application/edifact\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'.encode()
        + (payload)
    )


HEADERS = {"Message-ID": f"<{DELIVERY}.sha256.00@GATEWAY>", "Content-Type": "application/pkcs7-mime"}


async def post(url: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=HEADERS) as answer:
        return answer.status, answer.headers, await answer.read()


async def test_a_delivery_is_taken_once_and_answered_by_a_signed_mdn(keys: Path) -> None:
    """OpenSSL finds the MDN signed by the partner; it names the message, and the MIC of what was signed."""
    taken: list[Arrival] = []
    body = encrypt(keys, sign(keys, message()))
    async with running(way(keys), taken.append) as url:
        answers = [await post(url, body) for _ in range(2)]
    assert taken == [Arrival(DELIVERY, "clearance", PAYLOAD)]
    for status, headers, said in answers:
        assert status == 200
        report = verified(keys, f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + said, US).decode()
        mic = base64.b64encode(hashlib.sha256(message()).digest()).decode()
        assert f"Original-Message-ID: {HEADERS['Message-ID']}\r\n" in report
        assert "Disposition: automatic-action/MDN-sent-automatically; processed\r\n" in report
        assert f"Received-Content-MIC: {mic}, sha-256\r\n" in report


@pytest.mark.parametrize(
    ("make", "status"),
    [
        (lambda keys: encrypt(keys, sign(keys, message(), STRANGER)), 401),  # somebody else signed it
        (lambda keys: encrypt(keys, message()), 401),  # nobody signed it
        (lambda keys: encrypt(keys, sign(keys, message()).replace(b"UNOC", b"UNOB")), 401),  # changed since
        (lambda keys: encrypt(keys, sign(keys, message()), STRANGER), 401),  # not for the partner
        (lambda keys: sign(keys, message()), 401),  # not encrypted
        (lambda keys: encrypt(keys, sign(keys, message(name="holiday.jpg"))), 422),  # signed, and no delivery
    ],
)
async def test_what_does_not_hold_is_refused(keys: Path, make: Callable[[Path], bytes], status: int) -> None:
    """Nothing is taken, and no MDN given, for what the gateway has not signed and encrypted."""
    taken: list[Arrival] = []
    async with running(way(keys), taken.append) as url:
        found, headers, _ = await post(url, make(keys))
    assert (found, taken) == (status, [])
    assert not headers["Content-Type"].startswith("multipart/")


# What goes.


@dataclass
class Peer:
    """The gateway's end, by OpenSSL: what came, and how its MDN is made."""

    keys: Path
    disposition: str = "processed"
    mic: bytes = b""
    """Of something else than what came, where it is not empty."""
    original: str = ""
    signer: str = THEM
    busy: int = 0
    """How many tries find no room."""
    entity: bytes = b""
    ids: tuple[str, ...] = ()

    async def take(self, request: web.Request) -> web.Response:
        self.ids += (request.headers["Message-ID"],)
        if self.busy:
            self.busy -= 1
            return web.Response(status=503)
        signed = openssl(
            *("cms", "-decrypt", "-binary", "-inform", "DER"),
            *("-recip", str(self.keys / f"{THEM}.pem"), "-inkey", str(self.keys / f"{THEM}.key")),
            given=await request.read(),
        )
        self.entity = verified(self.keys, signed, US)
        mic = base64.b64encode(self.mic or hashlib.sha256(self.entity).digest()).decode()
        report = (
            'Content-Type: multipart/report; report-type=disposition-notification; boundary="b2"\r\n\r\n'
            "--b2\r\nContent-Type: text/plain\r\n\r\nIt came.\r\n"
            "--b2\r\nContent-Type: message/disposition-notification\r\n\r\n"
            f"Original-Message-ID: {self.original or self.ids[-1]}\r\n"
            f"Disposition: automatic-action/MDN-sent-automatically; {self.disposition}\r\n"
            f"Received-Content-MIC: {mic}, sha-256\r\n\r\n--b2--\r\n"
        ).encode()
        made = sign(self.keys, report, self.signer) if self.signer else report
        head, _, body = made.partition(b"\r\n\r\n")
        return web.Response(body=body, headers={"Content-Type": head.decode().removeprefix("Content-Type: ")})

    async def list_(self, _: web.Request) -> web.Response:
        other = {"id": "p0", "sha256": "0" * 64}
        return web.json_response({"items": [other, {"id": "p1", "sha256": hashlib.sha256(PAYLOAD).hexdigest()}]})

    @property
    def routes(self) -> tuple[web.RouteDef, web.RouteDef]:
        return web.post("/as2", self.take), web.get("/v1/messages", self.list_)


async def test_what_is_sent_is_signed_and_encrypted_and_its_mdn_counts(keys: Path) -> None:
    """OpenSSL decrypts and verifies it, and finds the payload to the byte; a busy gateway gets the same Message-ID again."""
    peer = Peer(keys, busy=1)
    async with gateway(*peer.routes) as url:
        one = way(keys, url)
        said = await one.send("a.edi", PAYLOAD)
        await one._client.close()
    assert said["id"] == "p1"
    assert peer.entity.partition(b"\r\n\r\n")[2] == PAYLOAD
    assert b'filename="a.edi"' in peer.entity
    assert len(peer.ids) == 2
    assert len(set(peer.ids)) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signer": STRANGER}, "does not hold"),
        ({"signer": ""}, "not signed"),
        ({"mic": b"something else"}, "something else was received"),
        ({"original": "<other@acme.example>"}, "another message"),
        ({"disposition": "processed/error: decryption-failed"}, "decryption-failed"),
    ],
)
async def test_an_mdn_that_does_not_hold_is_none(keys: Path, changes: dict[str, object], reason: str) -> None:
    """What the partner cannot hold against the gateway later does not count as taken."""
    peer = Peer(keys, **changes)  # type: ignore[arg-type]
    async with gateway(*peer.routes) as url:
        with pytest.raises(NotTaken, match=reason):
            await way(keys, url).send("a.edi", PAYLOAD)

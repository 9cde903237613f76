"""The way of a partner that speaks AS2 (RFC 4130): what goes either way is signed, encrypted and answered by a signed MDN.

All of it is made and checked by `cryptography` and `asn1crypto` alone.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

from gateway.simulators.ways import PATIENCE, PAUSE, Arrival, Client, NotProven, NotTaken, NotUnderstood, Pushed

_MDN_OPTIONS = "signed-receipt-protocol=required, pkcs7-signature; signed-receipt-micalg=required, sha-256"
_OF_MIME = ("Content-Type", "Content-Transfer-Encoding", "Content-Disposition")


@dataclass(frozen=True, slots=True)
class Station:
    """Who the partner is in AS2, who the gateway is, and the files of their keys and certificates."""

    url: str
    """Where the gateway takes AS2."""
    name: str
    gateway: str
    key: str
    certificate: str
    gateway_certificate: str


class As2(Pushed):
    """Exchanges AS2 messages."""

    def __init__(self, client: Client, port: int, trouble: tuple[str, ...], station: Station) -> None:
        """`client` asks what became of what was sent; of `trouble` see Pushed."""
        super().__init__(client, port, trouble)
        self._station = station
        key = load_pem_private_key(Path(station.key).read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey), "AS2 encrypts for keys of RSA"
        self._key = key
        self._certificate = x509.load_pem_x509_certificate(Path(station.certificate).read_bytes())
        self._gateway = x509.load_pem_x509_certificate(Path(station.gateway_certificate).read_bytes())

    def read(self, headers: Mapping[str, str], body: bytes) -> Arrival:
        """The delivery that a message brings, decrypted, by the bytes that the gateway has signed."""
        content = self._open(body)
        part = message_from_bytes(content)
        name = part.get_filename() or ""
        # A Message-ID of the gateway's begins with the delivery's id, by which the attachment is named too.
        delivery = headers.get("Message-ID", "").strip("<").partition(".")[0]
        payload = content.partition(b"\r\n\r\n")[2]
        if not delivery or f"-{delivery}." not in name:
            raise NotUnderstood("the message brings no delivery")
        return Arrival(delivery, name.partition(f"-{delivery}.")[0], payload)

    def confirm(self, headers: Mapping[str, str], body: bytes) -> web.Response:
        """The signed MDN, with the MIC of what was received (RFC 4130, 7.4.3)."""
        station = self._station
        mic = base64.b64encode(hashlib.sha256(self._open(body)).digest()).decode()
        fields = (
            f"Reporting-UA: simulated partner\r\nFinal-Recipient: rfc822; {station.name}\r\n"
            f"Original-Message-ID: {headers.get('Message-ID', '')}\r\n"
            "Disposition: automatic-action/MDN-sent-automatically; processed\r\n"
            f"Received-Content-MIC: {mic}, sha-256\r\n"
        )
        report = _multipart(
            "multipart/report; report-type=disposition-notification",
            _entity("text/plain; charset=us-ascii", b"It was received.\r\n"),
            _entity("message/disposition-notification", fields.encode()),
        )
        signed = self._sign(report)
        head, _, content = signed.partition(b"\r\n\r\n")
        answer = {
            "Content-Type": head.decode().removeprefix("Content-Type: "),
            "Message-ID": f"<{secrets.token_hex(16)}@{station.name.lower()}.example>",
            **self._names(),
        }
        return web.Response(body=content, headers=answer)

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        """POST it, again until an MDN says that the gateway has it; NotTaken where that says anything else."""
        bare = (
            f'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
        ).encode() + body
        sealed = (
            pkcs7.PKCS7EnvelopeBuilder()
            .set_data(self._sign(bare))
            .add_recipient(self._gateway)
            .set_content_encryption_algorithm(algorithms.AES256)
            .encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
        )
        identity = hashlib.sha256(name.encode() + b"\0" + body).hexdigest()
        headers = {
            "Content-Type": 'application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"',
            "Message-ID": f"<{identity}@{self._station.name.lower()}.example>",
            "Disposition-Notification-To": self._station.name,
            "Disposition-Notification-Options": _MDN_OPTIONS,
            **self._names(),
        }
        said = await self._post(name, headers, sealed)
        self._judge(name, said, headers["Message-ID"], bare)
        return {"id": await self._find(name, body), "mdn": dict(said.items())}

    async def _post(self, name: str, headers: Mapping[str, str], sealed: bytes) -> Message:
        """What the gateway's signed MDN notifies of."""
        async with aiohttp.ClientSession() as session:
            for _ in range(int(PATIENCE / PAUSE)):
                try:
                    async with session.post(self._station.url, data=sealed, headers=headers) as answer:
                        said = await answer.read()
                        if answer.status == 200:
                            return self._notification(answer.headers, said)
                        if answer.status not in (429, 503):
                            raise NotTaken(f"{name}: {answer.status} {said.decode('utf-8', 'replace')}")
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(PAUSE)
        raise NotTaken(f"{name}: the gateway did not take it")

    def _notification(self, headers: Mapping[str, str], body: bytes) -> Message:
        """The fields of an MDN that the gateway has signed; NotTaken where it is none."""
        try:
            report = self._verify(_whole(headers, body))
        except NotProven as error:
            raise NotTaken(f"the MDN does not hold: {error}") from error
        for part in message_from_bytes(report).walk():
            if part.get_content_type() == "message/disposition-notification":
                held = part.get_payload()
                assert isinstance(held, list), "the library parses what a message/* holds"
                assert isinstance(held[0], Message), "and its fields are headers"
                return held[0]
        raise NotTaken("what was answered is no MDN")

    def _judge(self, name: str, said: Message, message_id: str, bare: bytes) -> None:
        """NotTaken unless the MDN says that just these bytes were received and processed."""
        mic = base64.b64encode(hashlib.sha256(bare).digest()).decode()
        if said.get("Original-Message-ID", "").strip() != message_id:
            raise NotTaken(f"{name}: the MDN is about another message")
        if not str(said.get("Disposition", "")).lower().endswith("; processed"):
            raise NotTaken(f"{name}: {said.get('Disposition')}")
        if str(said.get("Received-Content-MIC", "")).replace(" ", "") != f"{mic},sha-256":
            raise NotTaken(f"{name}: the MDN says that something else was received")

    async def _find(self, name: str, body: bytes) -> str:
        """The gateway's id of what it has: an MDN knows the sender's Message-ID alone, so it is asked for over REST."""
        digest = hashlib.sha256(body).hexdigest()
        for _ in range(int(PATIENCE / PAUSE)):
            page = await self._client.get("/v1/messages?limit=100")
            for one in page["items"] if page else ():
                if one["sha256"] == digest:
                    return str(one["id"])
            await asyncio.sleep(PAUSE)
        raise NotTaken(f"{name}: the gateway has an MDN for it, and does not list it")

    def _names(self) -> dict[str, str]:
        return {
            "AS2-Version": "1.1",
            "AS2-From": self._station.name,
            "AS2-To": self._station.gateway,
            "MIME-Version": "1.0",
        }

    def _sign(self, entity: bytes) -> bytes:
        """`entity` with its signature beside it (RFC 1847)."""
        signature = (
            pkcs7.PKCS7SignatureBuilder()
            .set_data(entity)
            .add_signer(self._certificate, self._key, hashes.SHA256())
            .sign(Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary])
        )
        part = _entity(
            'application/pkcs7-signature; name="smime.p7s"\r\nContent-Transfer-Encoding: base64',
            base64.encodebytes(signature).replace(b"\n", b"\r\n"),
        )
        kind = 'multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256'
        return _multipart(kind, entity, part)

    def _open(self, body: bytes) -> bytes:
        """What an encrypted and signed message holds, as it was signed; NotProven where it is not for us, or not signed."""
        try:
            signed = pkcs7.pkcs7_decrypt_der(body, self._certificate, self._key, [])
        except ValueError as error:
            raise NotProven(f"it cannot be decrypted: {error}") from error
        return self._verify(signed)

    def _verify(self, entity: bytes) -> bytes:
        """The first part of a multipart/signed, which the gateway has signed; NotProven where it has not."""
        head, _, rest = entity.partition(b"\r\n\r\n")
        found = re.search(rb'boundary="?([^";\r\n]+)', head)
        if not head.lower().startswith(b"content-type: multipart/signed") or found is None:
            raise NotProven("it is not signed")
        # The line end before a boundary is the boundary's (RFC 2046, 5.1.1).
        pieces = (b"\r\n" + rest).split(b"\r\n--" + found[1])
        if len(pieces) < 4:
            raise NotProven("it has not two parts")
        content, signature = (piece.removeprefix(b"\r\n") for piece in pieces[1:3])
        try:
            der = base64.b64decode(signature.partition(b"\r\n\r\n")[2])
            self._check(der, content)
        except (ValueError, TypeError, KeyError, IndexError, binascii.Error, InvalidSignature) as error:
            raise NotProven(f"its signature does not hold: {type(error).__name__} {error}") from error
        return content

    def _check(self, der: bytes, content: bytes) -> None:
        """That one signer, with the gateway's key, has signed the digest of `content` (RFC 5652, 5.4 and 5.6)."""
        (signer,) = cms.ContentInfo.load(der)["content"]["signer_infos"]
        attributes = {one["type"].native: one["values"].native for one in signer["signed_attrs"]}
        if attributes["message_digest"] != [hashlib.sha256(content).digest()]:
            raise ValueError("the content is not what was signed")
        key = self._gateway.public_key()
        assert isinstance(key, rsa.RSAPublicKey), "the gateway of the demo has a key of RSA"
        signed = b"\x31" + signer["signed_attrs"].dump()[1:]
        key.verify(signer["signature"].native, signed, padding.PKCS1v15(), hashes.SHA256())


def _entity(content_type: str, body: bytes) -> bytes:
    return f"Content-Type: {content_type}\r\n\r\n".encode() + body


def _multipart(kind: str, *parts: bytes) -> bytes:
    boundary = secrets.token_hex(16)
    mark = f"--{boundary}".encode()
    body = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return _entity(f'{kind}; boundary="{boundary}"', body)


def _whole(headers: Mapping[str, str], body: bytes) -> bytes:
    """An answer as the entity that it is: its headers of MIME, the type first, and its body."""
    lines = [f"{name}: {headers[name]}\r\n" for name in _OF_MIME if name in headers]
    return "".join(lines).encode() + b"\r\n" + body

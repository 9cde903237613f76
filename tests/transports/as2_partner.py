"""A partner that speaks AS2, with keys of its own, and the registry that knows it."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from multidict import CIMultiDictProxy

from gateway.config import Settings, Store
from gateway.model import Credential, CredentialKind, CredentialUse, Identifier, Partner, Role
from gateway.registry.credentials import choose
from gateway.registry.directory import Directory
from gateway.transports.as2_keys import As2Settings
from gateway.transports.as2_message import Made, Opened, entity_of, make_message, open_message
from gateway.transports.as2_receive import authenticate, receive
from gateway.transports.base import Intake
from gateway.transports.cms import Own
from gateway.transports.mdn import Mdn, make_mdn
from gateway.transports.mime import Security
from gateway.transports.own_keys import OwnKey
from gateway.transports.plugin import Means
from tests.transports.conformance.kinds import free_port, means_of
from tests.transports.test_cms import own, written

NOW = datetime.now(UTC)
US, THEM = "GATEWAY AS2", "acme"
LIMITS = {"most": 1 << 28, "ratio": 10_000}


class Known(Directory):
    """A registry with one partner and its certificates."""

    def __init__(self, certificates: Sequence[tuple[x509.Certificate, CredentialUse]], *, active: bool = True) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self._partner = Partner(THEM, "Acme", frozenset({Role.ENTERPRISE}), active=active)
        self._credentials = [
            Credential(
                f"c{number}",
                THEM,
                kind=CredentialKind.CERTIFICATE,
                use=use,
                material=one.public_bytes(serialization.Encoding.PEM).decode(),
                valid_from=one.not_valid_before_utc,
                valid_until=one.not_valid_after_utc,
            )
            for number, (one, use) in enumerate(certificates)
        ]

    async def partner_by(self, scheme: str, value: str) -> Partner | None:
        return self._partner if Identifier(scheme, value) == Identifier("as2", THEM) else None

    async def credentials(
        self, partner_id: str, kind: CredentialKind, use: CredentialUse, now: datetime, label: str = ""
    ) -> Sequence[Credential]:
        assert partner_id == THEM
        return choose(self._credentials, kind, use, now, label)


def theirs() -> Own:
    return own("them-rsa")


def known(*more: tuple[x509.Certificate, CredentialUse]) -> Known:
    """A registry that knows the partner's certificate for both uses, and `more`."""
    certificate = theirs().certificate
    return Known([(certificate, CredentialUse.SIGN), (certificate, CredentialUse.ENCRYPT), *more])


def means(
    folder: Path, intake: Intake, registry: Directory | None = None, mine: Sequence[Own] | None = None, **own_: object
) -> Means:
    """What the gateway gives the transport; its keys lie in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = []
    for number, one in enumerate(mine or [own("us-rsa")]):
        (folder / str(number)).mkdir(exist_ok=True)
        keys.append(
            OwnKey(certificate=written(folder / str(number), one)[0], key=written(folder / str(number), one)[1])
        )
    settings = Settings(store=Store(payload_folder=folder / "payloads"), deliver={"allow_private_addresses": True})
    given = As2Settings(**{"name": US, "keys": tuple(keys), "url": "http://gateway.example/as2", **own_})
    return replace(means_of(settings, given, intake), registry=registry or known())


@dataclass
class Inbox:
    """The partner's AS2 server: what came, and what it answers."""

    url: str = ""
    options: dict[str, str] = field(default_factory=dict)
    reply: Callable[[Inbox, web.Request, Opened], web.Response] | None = None
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    headers: list[CIMultiDictProxy[str]] = field(default_factory=list)
    status: int = 200
    disposition: str = "processed"
    signer: Own | None = None

    async def handle(self, request: web.Request) -> web.Response:
        entity = entity_of(request.headers, await request.read())
        if self.status != 200:
            return web.Response(status=self.status)
        opened = await asyncio.to_thread(
            open_message, entity, [theirs()], [own("us-rsa").certificate, own("us-ec", "ec").certificate], **LIMITS
        )
        self.opened.append(opened)
        self.headers.append(request.headers)
        if self.reply is not None:
            return self.reply(self, request, opened)
        if self.disposition == "processed":
            self.taken.append((request.headers["Message-ID"][1:33], opened.payload))
        return self.mdn(request, opened)

    def mdn(self, request: web.Request, opened: Opened, **changes: Any) -> web.Response:
        """The MDN that is due, but for `changes`."""
        digest = opened.signed.digest if opened.signed is not None else "sha256"
        mic = hashlib.new(digest, opened.over).digest()
        said = Mdn(request.headers["Message-ID"], self.disposition, mic, digest, "Thank you")
        signed = "Disposition-Notification-Options" in request.headers
        signer = self.signer or (theirs() if signed else None)
        headers, body = make_mdn(
            replace(said, **changes),
            THEM,
            "acme",
            signer,
            "sha256",
            datetime.now(UTC),
        )
        return web.Response(body=body, headers=headers)


@asynccontextmanager
async def inbox() -> AsyncIterator[Inbox]:
    made = Inbox()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/as2", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/as2"
        made.options = {"url": made.url, "to": THEM}
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def endpoint(given: Means, port: int = 0) -> AsyncIterator[str]:
    """The gateway's own /as2 over HTTP; its URL. Errors are plain 500s here, which the REST interface words."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            came = await authenticate(request, given)
            return came if isinstance(came, web.StreamResponse) else await receive(request, came, given)
        except Exception as error:  # noqa: BLE001 - see above
            return web.Response(status=500, text=type(error).__name__)

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/as2", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port or free_port()).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/as2"
    finally:
        await runner.cleanup()


USUAL = Security("sha256", "aes256-cbc")


def make(payload: bytes, security: Security = USUAL, signer: Own | None = None) -> Made:
    """A message of the partner's for us."""
    return make_message(
        payload,
        "application/EDIFACT",
        "a.edi",
        security,
        signer or theirs(),
        own("us-rsa").certificate,
        datetime.now(UTC),
    )


SYNC = {
    "AS2-Version": "1.1",
    "AS2-From": THEM,
    "AS2-To": f'"{US}"',
    "MIME-Version": "1.0",
    "Disposition-Notification-To": "acme",
    "Disposition-Notification-Options": "signed-receipt-protocol=required, pkcs7-signature; "
    "signed-receipt-micalg=required, sha-256, sha-512",
}
"""Headers of a message that asks for a signed MDN as its answer."""


async def post(url: str, made: Made, message_id: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One message; status, headers and body of its answer. A header that is empty is left out."""
    sent = {
        **SYNC,
        **made.headers,
        "Message-ID": message_id,
        **{name.replace("_", "-"): v for name, v in headers.items()},
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=io.BytesIO(made.body), headers={name: v for name, v in sent.items() if v}) as answer,
    ):
        return answer.status, dict(answer.headers), await answer.read()

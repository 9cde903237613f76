"""The way by mail, against a mailbox of the library's own, and by a client of Python's own."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from gateway.simulators.mail import Mailbox, Mailing
from gateway.simulators.ways import Arrival, Client, NotTaken
from tests.simulators.test_ways import running

PAYLOAD = b"UNB+UNOC:3'\r\n\xff\x00.\n"


@dataclass
class Box:
    """The gateway's mailbox: what it answers, in turn, and the mails that came."""

    answers: list[str]
    came: list[bytes] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.came.append(envelope.original_content or b"")
        return self.answers.pop(0)

    def authenticate(
        self, _server: object, _session: object, _envelope: object, _kind: str, shown: object
    ) -> AuthResult:
        assert isinstance(shown, LoginPassword)
        self.logins.append((shown.login, shown.password))
        return AuthResult(success=True)


@asynccontextmanager
async def mailbox(*answers: str) -> AsyncIterator[tuple[Box, Mailing]]:
    """A mailbox, and the way of a partner that writes to it."""
    box, loop = Box(list(answers)), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(box, authenticator=box.authenticate, auth_require_tls=False, loop=loop),
        "127.0.0.1",
        0,
    )
    async with server:
        yield box, way(server.sockets[0].getsockname()[1])


def way(port: int = 1) -> Mailing:
    box = Mailbox(port, "edi@gateway.example", "edi@factory.example", "factory", "secret")
    return Mailing(Client("http://127.0.0.1:1", ""), 0, box)


async def test_a_message_goes_as_an_attachment_until_it_is_taken() -> None:
    """A busy gateway is written to again, under the same Message-ID; the payload's id is what its 250 says."""
    async with mailbox("451 4.3.1 Not now", "250 2.0.0 Kept as 01ab") as (box, mail):
        assert (await mail.send("a.edi", PAYLOAD))["id"] == "01ab"
    assert box.logins == [(b"factory", b"secret")] * 2
    first, second = (message_from_bytes(one) for one in box.came)
    assert first["Message-ID"] == second["Message-ID"]
    attached = [part for part in second.walk() if part.get_filename() == "a.edi"]
    assert [part.get_payload(decode=True) for part in attached] == [PAYLOAD]


@pytest.mark.parametrize("answer", ["554 5.6.0 Not taken", "250 2.0.0 Noted"])
async def test_what_is_not_kept_is_not_taken(answer: str) -> None:
    """A refusal ends the sending, and a 250 that names no payload is none that counts."""
    async with mailbox(answer) as (box, mail):
        with pytest.raises(NotTaken):
            await mail.send("a.edi", PAYLOAD)
    assert len(box.came) == 1


def delivery(id_: str = "d1", filename: str = "customs_entry-d1.xml") -> EmailMessage:
    """A delivery as docs and mails of the gateway show it: one attachment, nothing beside it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Gateway-Delivery"] = "edi@gateway.example", "edi@factory.example", id_
    mail.set_content(PAYLOAD, maintype="application", subtype="xml", filename=filename)
    return mail


def post(url: str, mail: EmailMessage, to: str = "edi@factory.example") -> str:
    """Send a mail as any program would; what the server says last."""
    at = urlsplit(url)
    with smtplib.SMTP(str(at.hostname), at.port or 0, timeout=5) as client:
        client.ehlo()
        for command in ("MAIL FROM:<edi@gateway.example>", f"RCPT TO:<{to}>"):
            code, said = client.docmd(command)
            if code >= 400:
                return f"{code} {said.decode()}"
        code, said = client.data(mail.as_bytes())
        return f"{code} {said.decode()}"


async def test_a_delivery_is_taken_once() -> None:
    """A mail that comes again is answered 250 again, and not handed on again."""
    taken: list[Arrival] = []
    async with running(way(), taken.append) as url:
        for _ in range(2):
            assert (await asyncio.to_thread(post, url, delivery())).startswith("250 ")
    assert taken == [Arrival("d1", "customs_entry", PAYLOAD)]


@pytest.mark.parametrize(
    ("mail", "to", "said"),
    [
        (delivery(), "other@factory.example", "550 "),  # nobody's mailbox
        (delivery(id_=""), "edi@factory.example", "554 "),  # no delivery
        (delivery(filename="holiday.jpg"), "edi@factory.example", "554 "),  # no attachment of that delivery
    ],
)
async def test_other_mail_is_refused(mail: EmailMessage, to: str, said: str) -> None:
    """What is not for the partner, or brings no delivery, is refused for good."""
    taken: list[Arrival] = []
    async with running(way(), taken.append) as url:
        assert (await asyncio.to_thread(post, url, mail, to)).startswith(said)
    assert taken == []

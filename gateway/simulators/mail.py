"""The way of a partner that exchanges by mail: it logs in to the gateway's mailbox, and has a mail server of its own."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from typing import Any

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope, Session

from gateway.simulators.ways import PATIENCE, PAUSE, Arrival, Client, NotTaken, NotUnderstood, Take

_KEPT = re.compile(r"Kept as (\S+)")
"""What the gateway's mailbox says of a mail with one attachment, before the payload's id."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The gateway's mailbox, and as whom to write to it."""

    port: int
    to: str
    sender: str
    """The partner's own address."""
    user: str
    password: str
    host: str = "127.0.0.1"


class Mailing:
    """Sends each message as an attachment, and gets each delivery as one."""

    def __init__(self, client: Client, port: int, mailbox: Mailbox) -> None:
        """`port` is where its own server listens; `client` asks what was decided of what was sent, which no mail tells."""
        self._client = client
        self._port = port
        self._mailbox = mailbox
        self._take: Take = lambda _: None
        self._seen: set[str] = set()

    async def run(self, take: Take, ready: Callable[[str], None]) -> None:
        """Take mail on loopback until cancelled."""
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # the library tells of each line there
        self._take = take
        loop = asyncio.get_running_loop()
        domain = self._mailbox.sender.rpartition("@")[2]
        server = await loop.create_server(lambda: SMTP(self, hostname=domain, loop=loop), "127.0.0.1", self._port)
        try:
            async with server:
                ready(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
                await server.serve_forever()
        finally:
            await self._client.close()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Nobody else reads mail here."""
        if address != self._mailbox.sender:
            return "550 5.1.1 There is no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take what the mail brings; the 250 says that the partner has it."""
        try:
            arrival = _read(envelope.original_content or b"")
            if arrival.delivery not in self._seen:
                self._take(arrival)
        except NotUnderstood:
            return "554 5.6.0 Not understood"
        self._seen.add(arrival.delivery)
        return "250 2.0.0 Taken"

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        """Mail it, again until it is taken; NotTaken where it is refused, or after PATIENCE."""
        box = self._mailbox
        mail = _write(box, name, body)
        for _ in range(int(PATIENCE / PAUSE)):
            client = aiosmtplib.SMTP(
                hostname=box.host,
                port=box.port,
                username=box.user,
                password=box.password,
                use_tls=False,
                start_tls=False,
            )
            try:
                async with client:
                    _, said = await client.send_message(mail)
            except aiosmtplib.SMTPRecipientsRefused as error:
                raise NotTaken(f"{name}: {error}") from error
            except aiosmtplib.SMTPResponseException as error:
                if error.code >= 500:
                    raise NotTaken(f"{name}: {error.code} {error.message}") from error
            except (aiosmtplib.SMTPException, OSError):
                pass
            else:
                kept = _KEPT.search(said)
                if kept is None:
                    raise NotTaken(f"{name}: the mailbox says {said}")
                return {"id": kept[1], "reply": said}
            await asyncio.sleep(PAUSE)
        raise NotTaken(f"{name}: the gateway did not take it")

    async def settled(self, receipt: dict[str, Any]) -> None:
        """Ask over REST until the gateway has decided."""
        await self._client.settled(receipt["id"])


def _write(box: Mailbox, name: str, body: bytes) -> EmailMessage:
    """A mail with one attachment, whose Message-ID makes it the same sending if it is sent again."""
    mail = EmailMessage(policy=MAIL)
    mail["From"], mail["To"], mail["Subject"] = box.sender, box.to, name
    identity = hashlib.sha256(name.encode() + b"\0" + body).hexdigest()
    mail["Message-ID"] = f"<{identity}@{box.sender.rpartition('@')[2]}>"
    mail.set_content("The message is attached.")
    mail.add_attachment(body, maintype="application", subtype="octet-stream", filename=name)
    return mail


def _read(content: bytes) -> Arrival:
    """The one attachment of a mail, called `<document>-<id>.<extension>`; NotUnderstood where there is none."""
    mail = message_from_bytes(content, policy=MAIL)
    assert isinstance(mail, EmailMessage), "the policy makes these"
    delivery = str(mail.get("Gateway-Delivery", ""))
    parts = [mail, *mail.iter_attachments()] if mail.is_multipart() else [mail]
    for part in parts:
        name = part.get_filename() or ""
        body = part.get_payload(decode=True)
        if delivery and f"-{delivery}." in name and isinstance(body, bytes):
            return Arrival(delivery, name.partition(f"-{delivery}.")[0], body)
    raise NotUnderstood("the mail brings no delivery")

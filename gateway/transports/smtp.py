"""Mail, out and in: a payload is an attachment, and a server's 250 to it a receipt.

Out: each delivery is a mail of its own under a Message-ID that is made of the delivery's id, so that a repetition can be
told. The 250 of the recipient's own mail exchanger (`host` in the agreement) means that the recipient's system has it; the
250 of a relay of ours only that the relay has, which is `relayed` and never called delivered. The server's reply, with the
queue id in it, is kept as it came.

In: `smtp_server` listens for partners who log in with a key of the registry.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from email.utils import format_datetime
from functools import partial
from typing import Annotated, Literal, Self

import aiosmtplib
from pydantic import AfterValidator, Field, model_validator

from gateway.config import MIB, MaybePath, Reference, Section
from gateway.errors import DeliveryDeferred, DeliveryRefused
from gateway.media import find_medium
from gateway.model import Agreement, Delivery
from gateway.registry.credentials import read_reference
from gateway.signs import shown
from gateway.store.contract import storable
from gateway.transports.base import Evidence, Record
from gateway.transports.guard import any_socket, connect_socket, public_socket
from gateway.transports.plugin import Means, Options, Transport
from gateway.transports.smtp_server import Bounds, MailReceiver

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
"""An address as RFC 5321, 4.1.2 has it without quotes, which no partner's mailbox needs."""
_AT_ONCE = 256 * 1024
"""Bytes of a mail that go from the event loop itself: some thousand lines, a few milliseconds."""
MOST_BYTES = 4 * MIB
"""Largest payload that is sent as mail: the library looks at all lines of a mail in one call, which nothing interrupts,
and this takes a tenth of a second. A larger payload needs an agreement over HTTP, AS2 or SFTP."""
_DETAIL = 500
"""Characters of a server's reply that are shown to the operator."""
_MENDABLE = frozenset({502, 503, 530, 534, 535, 538})
"""Replies that say how we speak is wrong, or who we are: an operator can mend that, and the mail may go then."""


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("a mail address is name@domain, without words around it")
    return value


Address = Annotated[str, AfterValidator(_address)]


class SmtpOptions(Options):
    """Which mailbox a partner reads, and which server takes mail for it."""

    to: Address = Field(description="Mail address that deliveries go to")
    host: str = Field(
        "",
        description="The partner's own mail server, whose 250 is delivery; over the relay of the settings where empty",
    )
    port: str = Field("", pattern="^[0-9]{0,5}$", description="Its port; 25 where empty, 465 with TLS from the start")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls from the start, or none: the mail can be read on its way then"
    )

    @model_validator(mode="after")
    def _of_a_host(self) -> Self:
        if not self.host and (self.port or self.security != "starttls"):
            raise ValueError("port and security are those of host, which is not given")
        return self


class SmtpSettings(Section):
    """Our relay, and the mailbox that partners send to."""

    sender: str = Field("", description="Address that deliveries come from; nothing is sent without one")
    relay: str = Field("", description="Mail server that takes what goes to partners without a server of their own")
    relay_port: int = Field(587, description="Its port", gt=0, le=65535)
    relay_security: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls, or none")
    user: str = Field("", description="Name to log in with at the relay; no login where empty")
    password: Reference = Field(
        "", description="Where its password is read from: file: and a path, or env: and a variable"
    )
    ca_file: MaybePath = Field(
        None, description="PEM of authorities whose servers are trusted; the system's where absent"
    )
    listen_port: int = Field(0, description="Port on which partners' mail is taken; 0 takes none", ge=0, le=65535)
    listen_host: str = Field("127.0.0.1", description="Address to listen on", min_length=1)
    mailbox: str = Field(
        "", description="Address that partners send to; no other recipient is taken, nothing is relayed"
    )
    tls_certificate: MaybePath = Field(None, description="PEM certificate chain of the mailbox's server (STARTTLS)")
    tls_key: MaybePath = Field(None, description="PEM key of the certificate")
    plain_login: bool = Field(False, description="Let partners log in without TLS: on a network of your own alone")
    mail_bytes: int = Field(
        24 * MIB,
        description="Largest mail, which is in memory whole: an attachment of 16 MiB in base64; larger ones go by "
        "HTTP, AS2 or SFTP",
        gt=0,
    )
    connections: int = Field(
        16, description="Connections of partners' mail at once: so many of the largest mails may be in memory", gt=0
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.listen_port and not self.mailbox:
            raise ValueError("listen_port needs mailbox, the address that partners send to")
        if self.listen_port and self.tls_certificate is None and not self.plain_login:
            raise ValueError("listen_port needs tls_certificate, since partners log in with their keys; or plain_login")
        for name in ("sender", "mailbox"):
            if value := getattr(self, name):
                _address(value)
        return self


class SmtpSender:
    """Sends deliveries as mail, each over a connection of its own: nothing of one partner's is there for another's."""

    def __init__(
        self,
        settings: SmtpSettings,
        *,
        allow_private: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`allow_private` lets partners' servers be in private networks; our own relay may be anywhere."""
        self._settings = settings
        self._allow_private = allow_private
        self._clock = clock

    def find_address(self, agreement: Agreement) -> str:
        """The partner's own server, or the relay, by which all go that have none."""
        host = agreement.options.get("host", "")
        return f"{host}:{agreement.options.get('port', '')}".rstrip(":") if host else self._settings.relay

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence:
        """Mail the delivery to the agreement's `to`; options: to, host, port, security."""
        options = SmtpOptions.model_validate(agreement.options)
        if not self._settings.sender:
            raise DeliveryDeferred("No address to send from is configured (transports.smtp.sender).")
        if len(delivery.body) > MOST_BYTES:
            raise DeliveryRefused(
                f"At most {MOST_BYTES // MIB} MiB are sent as mail; a larger one needs another transport."
            )
        mail = await asyncio.to_thread(write_mail, delivery, options.to, self._settings.sender, self._clock())
        fields = (("From", self._settings.sender), ("To", options.to))
        record.tell_sent(self.find_address(agreement), fields, mail)
        try:
            if len(mail) <= _AT_ONCE:
                reply = await self._mail(mail, options, agreement.attempt_timeout)
            else:  # the library goes over all lines of a mail in one go: in a thread, with an event loop of its own
                whole = partial(self._mail, mail, options, agreement.attempt_timeout)
                reply = await asyncio.to_thread(lambda: asyncio.run(whole()))
        except TimeoutError as error:
            raise DeliveryDeferred(f"No answer within {agreement.attempt_timeout:g} s") from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            record.tell_answered(f"{error.recipients[0].code} {error.recipients[0].message}")
            raise _judge(error.recipients[0].code, error.recipients[0].message) from error
        except aiosmtplib.SMTPResponseException as error:
            record.tell_answered(f"{error.code} {error.message}")
            raise _judge(error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryDeferred(storable(f"{type(error).__name__}: {error}")[:_DETAIL]) from error
        record.tell_answered(f"250 {reply}")
        outcome = "delivered" if options.host else "relayed"
        return Evidence(outcome, "smtp_250", storable(f"250 {reply}")[:_DETAIL], reply.encode("utf-8", "replace"))

    async def _mail(self, mail: bytes, options: SmtpOptions, seconds: float) -> str:
        """Hand the mail over; what the server said to its last line (RFC 5321, 4.2.5)."""
        async with asyncio.timeout(seconds):
            return await self._hand_over(mail, options)

    async def _hand_over(self, mail: bytes, options: SmtpOptions) -> str:
        own = self._settings
        if options.host:
            port = int(options.port or (465 if options.security == "tls" else 25))
            host, security, user = options.host, options.security, ""
            connected = await self._connect(host, port)
        elif own.relay:
            host, security, user = own.relay, own.relay_security, own.user
            connected = await connect_socket(host, own.relay_port, any_socket)
        else:
            raise DeliveryDeferred("The agreement names no mail server, and no relay is configured.")
        client = aiosmtplib.SMTP(
            hostname=host,
            sock=connected,
            use_tls=security == "tls",
            start_tls=security == "starttls",
            tls_context=ssl.create_default_context(cafile=own.ca_file),
            username=user or None,
            password=read_reference(own.password, "The password of transports.smtp.user") if user else None,
            timeout=None,
        )
        async with client:
            _, reply = await client.sendmail(own.sender, [options.to], mail)
        return reply

    async def _connect(self, host: str, port: int) -> socket.socket:
        """A connection to a partner's server; DeliveryRefused where it is in a private network alone."""
        if self._allow_private:
            return await connect_socket(host, port, any_socket)
        try:
            return await connect_socket(host, port, public_socket)
        except PermissionError as error:
            raise DeliveryRefused("The agreement's mail server is in a private network.") from error

    async def close(self) -> None:
        """Nothing is kept open."""


def write_mail(delivery: Delivery, to: str, sender: str, at: datetime) -> bytes:
    """The delivery as one attachment, its bytes in base64, which no relay alters (RFC 2045, 6.8)."""
    medium = find_medium(delivery.format)
    mail = EmailMessage(policy=MAIL)
    mail["From"], mail["To"] = sender, to
    # What a partner wrote would end the line, and go on as a header.
    mail["Subject"] = shown(f"{delivery.document_type or delivery.kind} {delivery.reference or delivery.id}")
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{delivery.id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5
    mail["Gateway-Delivery"] = delivery.id
    mail["Gateway-Kind"] = str(delivery.kind)
    mail["Gateway-Environment"] = "test" if delivery.test else "production"
    mail["MIME-Version"] = "1.0"
    mail["Content-Type"] = medium.type
    mail["Content-Transfer-Encoding"] = "base64"
    name = f"{delivery.document_type or delivery.kind}-{delivery.id}.{medium.extension}"
    mail["Content-Disposition"] = f'attachment; filename="{name}"'
    # The library would take a content as text, line by line: a second for a large one.
    return mail.as_bytes() + base64.encodebytes(delivery.body).replace(b"\n", b"\r\n")


def _judge(code: int, message: str) -> DeliveryDeferred | DeliveryRefused:
    """What a server's refusal means: 5yz is for good (RFC 5321, 4.2.1), unless it is about how we speak or who we are."""
    said = storable(f"{code} {message}")[:_DETAIL]
    return DeliveryRefused(said) if code >= 500 and code not in _MENDABLE else DeliveryDeferred(said)


def _open_receivers(means: Means) -> dict[str, MailReceiver]:
    """The mailbox's server, where one is configured."""
    own: SmtpSettings = means.own
    if not own.listen_port:
        return {}
    context = None
    if own.tls_certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9325, 3.1.1
        context.load_cert_chain(own.tls_certificate, own.tls_key)
    bounds = Bounds(own.mail_bytes, own.connections)
    return {"mailbox": MailReceiver(means, own.listen_host, own.listen_port, own.mailbox, context, bounds)}


def _find_faults(own: SmtpSettings) -> Iterator[str]:
    """What is wrong with the certificate, as this machine has it."""
    if own.tls_certificate is not None and own.tls_key is not None:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(own.tls_certificate, own.tls_key)
        except (OSError, ssl.SSLError) as error:
            yield f"tls_certificate: {error}"


TRANSPORT = Transport(
    "smtp",
    options=SmtpOptions,
    settings=SmtpSettings,
    open_sender=lambda means: SmtpSender(
        means.own, allow_private=means.settings.deliver.allow_private_addresses, clock=means.settings.clock.now
    ),
    open_receivers=_open_receivers,
    find_faults=_find_faults,
)

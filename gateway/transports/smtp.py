"""Mail, out and in: a payload is an attachment, and a server's 250 to it a receipt.

Out: each delivery is a mail of its own under a Message-ID that is made of the delivery's id, so that a repetition can be
told; signed and encrypted (S/MIME) where the agreement says so. The 250 of the recipient's own mail exchanger (`host` in the
agreement) means that the recipient's system has it; the 250 of a relay of ours only that the relay has, which is `relayed`
and never called delivered. The server's reply, with the queue id in it, is kept as it came. Where the agreement asks for a
report of servers or for a signed receipt of the recipient's system, the delivery waits for that.

In: `smtp_server` listens for partners who log in with a key of the registry, and for what they have signed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import aiosmtplib
from cryptography import x509

from gateway.config import MIB
from gateway.errors import DeliveryDeferred, DeliveryRefused
from gateway.model import Agreement, CredentialUse, Delivery
from gateway.registry.credentials import read_reference
from gateway.store.contract import storable
from gateway.transports.base import Awaiting, Evidence, Record
from gateway.transports.guard import any_socket, connect_socket, public_socket
from gateway.transports.mail import Posting, Written, write_mail
from gateway.transports.mail_report import write_envelope_id
from gateway.transports.mime import Security
from gateway.transports.own_keys import OwnKeys, find_certificates, find_faults
from gateway.transports.plugin import Means, Transport
from gateway.transports.smtp_server import MailReceiver
from gateway.transports.smtp_settings import KEYS, SmtpOptions, SmtpSettings, read_report_key

_AT_ONCE = 256 * 1024
"""Bytes of a mail that go from the event loop itself: some thousand lines, a few milliseconds."""
MOST_BYTES = 4 * MIB
"""Largest payload that is sent as mail: the library looks at all lines of a mail in one call, which nothing interrupts,
and this takes a tenth of a second. A larger payload needs an agreement over HTTP, AS2 or SFTP."""
_DETAIL = 500
"""Characters of a server's reply that are shown to the operator."""
_MENDABLE = frozenset({502, 503, 530, 534, 535, 538})
"""Replies that say how we speak is wrong, or who we are: an operator can mend that, and the mail may go then."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a server said to the last line of a mail (RFC 5321, 4.2.5), and whether it has taken on to report on it."""

    reply: str
    reports: bool


class SmtpSender:
    """Sends deliveries as mail, each over a connection of its own: nothing of one partner's is there for another's."""

    def __init__(self, means: Means, *, allow_private: bool = False) -> None:
        """`allow_private` lets partners' servers be in private networks; our own relay may be anywhere."""
        self._settings: SmtpSettings = means.own
        self._registry = means.registry
        self._clock = means.settings.clock.now
        self._keys = OwnKeys(self._settings.keys, KEYS, self._clock)
        self._allow_private = allow_private

    def find_address(self, agreement: Agreement) -> str:
        """The partner's own server; empty where the mail goes by our relay, whose name is nobody's business but ours."""
        host = agreement.options.get("host", "")
        return f"{host}:{agreement.options.get('port', '')}".rstrip(":") if host else ""

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence | Awaiting:
        """Mail the delivery to the agreement's `to`; options: to, host, port, security, sign, encrypt, report."""
        options = SmtpOptions.model_validate(agreement.options)
        if not self._settings.sender:
            raise DeliveryDeferred("No address to send from is configured (transports.smtp.sender).")
        if len(delivery.body) > MOST_BYTES:
            raise DeliveryRefused(
                f"At most {MOST_BYTES // MIB} MiB are sent as mail; a larger one needs another transport."
            )
        mail = await self._write(delivery, agreement.partner_id, options)
        # By the envelope id reports are known: it stands in no record, which the partner's end may read.
        envelope_id = self._name_envelope(delivery, agreement.partner_id, options)
        fields = (("From", self._settings.sender), ("To", options.to), ("Message-ID", mail.message_id))
        record.tell_sent(self.find_address(agreement), fields, mail.content)
        try:
            if len(mail.content) <= _AT_ONCE:
                answer = await self._mail(mail.content, options, envelope_id, agreement.attempt_timeout)
            else:  # the library goes over all lines of a mail in one go: in a thread, with an event loop of its own
                whole = partial(self._mail, mail.content, options, envelope_id, agreement.attempt_timeout)
                answer = await asyncio.to_thread(lambda: asyncio.run(whole()))
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
        record.tell_answered(f"250 {answer.reply}")
        detail = storable(f"250 {answer.reply}")[:_DETAIL]
        until = self._clock() + timedelta(hours=self._settings.report_hours)
        if options.report == "receipt":
            return Awaiting(mail.message_id, until, detail)
        if answer.reports:
            return Awaiting(envelope_id, until, detail)
        outcome = "delivered" if options.host else "relayed"
        return Evidence(outcome, "smtp_250", detail, answer.reply.encode("utf-8", "replace"))

    async def _write(self, delivery: Delivery, partner_id: str, options: SmtpOptions) -> Written:
        """The mail; DeliveryDeferred where a certificate or an address is missing, since an operator can bring one."""
        own = self._settings
        if options.report == "receipt" and not own.mailbox:
            raise DeliveryDeferred("A receipt comes to a mailbox, and none is configured (transports.smtp.mailbox).")
        now = self._clock()
        recipients: Sequence[x509.Certificate] = ()
        if options.encrypt:
            recipients = await find_certificates(self._registry, partner_id, CredentialUse.ENCRYPT, now)
            if not recipients:
                raise DeliveryDeferred("The partner has no valid certificate that is encrypted for.")
        return await asyncio.to_thread(
            write_mail,
            delivery,
            Posting(own.sender, options.to, own.mailbox if options.report == "receipt" else ""),
            Security(options.sign, options.encrypt, seven_bit=True),
            self._keys.signing() if options.sign else None,
            recipients[0] if recipients else None,
            now,
        )

    def _name_envelope(self, delivery: Delivery, partner_id: str, options: SmtpOptions) -> str:
        """The envelope id by which servers report on the mail; empty where no report is asked for."""
        if options.report != "dsn":
            return ""
        if not self._settings.report_key:
            raise DeliveryDeferred("Reports need a secret by which they are known (transports.smtp.report_key).")
        return write_envelope_id(read_report_key(self._settings), delivery.id, partner_id)

    async def _mail(self, mail: bytes, options: SmtpOptions, envelope_id: str, seconds: float) -> _Answer:
        """Hand the mail over, within so many seconds."""
        async with asyncio.timeout(seconds):
            return await self._hand_over(mail, options, envelope_id)

    async def _hand_over(self, mail: bytes, options: SmtpOptions, envelope_id: str) -> _Answer:
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
            if envelope_id and client.is_ehlo_or_helo_needed:
                with suppress(
                    aiosmtplib.SMTPHeloError
                ):  # an old server: it is greeted otherwise, and reports on nothing
                    await client.ehlo()
            reports = bool(envelope_id) and client.supports_extension("dsn")
            _, reply = await client.sendmail(
                own.sender,
                [options.to],
                mail,
                mail_options=["RET=HDRS", f"ENVID={envelope_id}"] if reports else None,  # RFC 3461, 4.3 and 4.4
                rcpt_options=["NOTIFY=SUCCESS,FAILURE,DELAY"] if reports else None,  # RFC 3461, 4.1
            )
        return _Answer(reply, reports)

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
    return {"mailbox": MailReceiver(means, context)}


def _find_faults(own: SmtpSettings) -> Iterator[str]:
    """What is wrong with certificates and keys, as this machine has them."""
    if own.tls_certificate is not None and own.tls_key is not None:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(own.tls_certificate, own.tls_key)
        except (OSError, ssl.SSLError) as error:
            yield f"tls_certificate: {error}"
    yield from find_faults(own.keys, KEYS)


TRANSPORT = Transport(
    "smtp",
    options=SmtpOptions,
    settings=SmtpSettings,
    open_sender=lambda means: SmtpSender(means, allow_private=means.settings.deliver.allow_private_addresses),
    open_receivers=_open_receivers,
    find_faults=_find_faults,
)

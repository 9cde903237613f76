"""AS2 (RFC 4130), in and out: signed, encrypted, compressed messages over HTTP, and MDNs that prove what was received.

Out: a message's Message-ID is made of the delivery's id and of the MIC that its MDN must say, so that each attempt has the
same, and an MDN that comes later, to whatever node, is judged by what it names. Only an MDN of the partner's, with that
MIC, is delivery; a 2xx without one is not. In (`as2_receive`): who sends is who signed, by a certificate of the partner's in
the registry; what is not signed is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Literal

from cryptography import x509
from pydantic import Field

from gateway.errors import CmsInvalid, DeliveryDeferred
from gateway.media import find_medium
from gateway.model import Agreement, CredentialUse, Delivery
from gateway.transports.as2_keys import KEYS, VERSION, As2Settings, Name, host_of, quoted
from gateway.transports.as2_message import Made, entity_of, make_message
from gateway.transports.as2_receive import authenticate, receive
from gateway.transports.base import Awaiting, Evidence, Record, public_address
from gateway.transports.mdn import Mdn, judge_mdn, name_message, read_mdn
from gateway.transports.mime import Entity, Security
from gateway.transports.own_keys import OwnKeys, find_certificates, find_faults
from gateway.transports.plugin import Means, Options, Route, Transport
from gateway.transports.posting import Poster


class As2Options(Options):
    """Where a partner takes AS2 messages, and what is done to them."""

    url: str = Field(min_length=1, description="Address that messages are posted to")
    to: Name = Field(description="The partner's AS2 name")
    sign: Literal["", "sha256", "sha384", "sha512"] = Field("sha256", description="Digest of our signature, or empty")
    encrypt: Literal["", "aes128-cbc", "aes256-cbc", "aes128-gcm", "aes256-gcm"] = Field(
        "aes256-cbc", description="Cipher, or empty; the partner's certificate for encryption stands in the registry"
    )
    compress: Literal["", "before", "after"] = Field("", description="before or after signing, or empty")
    mdn: Literal["signed", "plain"] = Field("signed", description="Whether the MDN must be signed")
    mode: Literal["sync", "async"] = Field("sync", description="Whether the MDN is the answer, or comes later")


class As2Sender:
    """Sends deliveries as AS2 messages."""

    def __init__(self, means: Means, *, allow_private: bool = False) -> None:
        """`allow_private` switches the SSRF guard off."""
        self._settings: As2Settings = means.own
        self._registry = means.registry
        self._clock = means.settings.clock.now
        self._keys = OwnKeys(self._settings.keys, KEYS, self._clock)
        self._poster = Poster(allow_private=allow_private)

    def find_address(self, agreement: Agreement) -> str:
        """The agreement's `url`."""
        return public_address(agreement.options.get("url", ""))

    async def send(self, delivery: Delivery, agreement: Agreement, record: Record) -> Evidence | Awaiting:
        """POST the delivery to the agreement's `url`; options: url, to, sign, encrypt, compress, mdn, mode."""
        options = As2Options.model_validate(agreement.options)
        if not self._settings.name:
            raise DeliveryDeferred("We have no AS2 name (transports.as2.name).")
        made = await self._make(delivery, agreement.partner_id, options)
        message_id = name_message(delivery.id, made.digest, made.mic, host_of(self._settings.name))
        headers = {
            **made.headers,
            "AS2-Version": VERSION,
            "AS2-From": quoted(self._settings.name),
            "AS2-To": quoted(options.to),
            "Message-ID": message_id,
            "MIME-Version": "1.0",
            "Subject": f"{delivery.document_type or delivery.kind} {delivery.id}",
            "Disposition-Notification-To": self._settings.url or self._settings.name,
        }
        if options.mdn == "signed":
            headers["Disposition-Notification-Options"] = (
                "signed-receipt-protocol=required, pkcs7-signature; "
                f"signed-receipt-micalg=required, {made.digest[:3]}-{made.digest[3:]}"
            )
        if options.mode == "async":
            if not self._settings.url:
                raise DeliveryDeferred("An MDN that comes later needs our own address (transports.as2.url).")
            headers["Receipt-Delivery-Option"] = self._settings.url
        seconds = agreement.attempt_timeout
        reply = await self._poster.post(
            agreement.partner_id, options.url, made.body, headers, seconds, record, wrapped=True
        )
        if not 200 <= reply.status < 300:
            raise reply.deferred()
        if options.mode == "async":
            until = self._clock() + timedelta(hours=self._settings.mdn_hours)
            return Awaiting(message_id, until, reply.line)
        if not reply.whole:
            raise DeliveryDeferred(f"{reply.line}: the answer is too long for an MDN")
        entity = entity_of(reply.headers, reply.said)
        mdn = await self._read_mdn(entity, agreement.partner_id, signed=options.mdn == "signed")
        return judge_mdn(mdn, message_id, made.mic, made.digest, entity.raw, "as2_mdn")

    async def _make(self, delivery: Delivery, partner_id: str, options: As2Options) -> Made:
        """The message; DeliveryDeferred where a certificate is missing, since an operator can bring one."""
        security = Security(options.sign, options.encrypt, options.compress)
        now = self._clock()
        own = self._keys.signing() if security.sign else None
        recipients: Sequence[x509.Certificate] = ()
        if security.encrypt:
            recipients = await find_certificates(self._registry, partner_id, CredentialUse.ENCRYPT, now)
            if not recipients:
                raise DeliveryDeferred("The partner has no valid certificate that is encrypted for.")
        medium = find_medium(delivery.format)
        name = f"{delivery.document_type or delivery.kind}-{delivery.id}.{medium.extension}"
        return await asyncio.to_thread(
            make_message,
            delivery.body,
            medium.type,
            name,
            security,
            own,
            recipients[0] if recipients else None,
            now,
        )

    async def _read_mdn(self, entity: Entity, partner_id: str, *, signed: bool) -> Mdn:
        """The MDN that an answer is; DeliveryDeferred where it is none that counts: the message is sent again then."""
        pinned = await find_certificates(self._registry, partner_id, CredentialUse.SIGN, self._clock())
        try:
            return read_mdn(entity, pinned, signed=signed)
        except CmsInvalid as error:
            raise DeliveryDeferred(f"The answer is no MDN that counts: {error}") from error

    async def close(self) -> None:
        """Close the kept-alive connections."""
        await self._poster.close()


def _find_faults(own: As2Settings) -> Iterator[str]:
    """What is wrong with our keys, as this machine has them."""
    if own.name and not own.keys:
        yield "keys: a name needs a certificate and its key, with which MDNs are signed"
    yield from find_faults(own.keys, KEYS)


TRANSPORT = Transport(
    "as2",
    options=As2Options,
    settings=As2Settings,
    open_sender=lambda means: As2Sender(means, allow_private=means.settings.deliver.allow_private_addresses),
    routes=(Route("/as2", "postAs2", receive, status=200, media_type="multipart/report"),),
    authenticate=authenticate,
    find_faults=_find_faults,
)

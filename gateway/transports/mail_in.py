"""A mail that came: who it is from, what it brings once its envelopes are opened, and what it says of deliveries of ours.

Who sends is who has logged in, or, where nobody has, who has signed: the partner that goes by the address in From, by a
certificate of its own in the registry. What the mail says of itself is nobody's word.
"""

from __future__ import annotations

import asyncio
import email
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses
from itertools import islice

import structlog
from cryptography import x509

from gateway.errors import CmsInvalid, PayloadTooLarge
from gateway.media import filename_of
from gateway.model import Credential, CredentialUse
from gateway.store.contract import Settled, storable
from gateway.transports import cms
from gateway.transports.base import Evidence
from gateway.transports.cms import Own
from gateway.transports.mail_report import LONGEST_REPORT, judge_report, read_envelope_id, read_report
from gateway.transports.mdn import judge_later, read_mdn
from gateway.transports.mime import Entity, Unwrapped, is_sealed, is_wrapped, read_entity, unwrap
from gateway.transports.own_keys import OwnKeys, find_certificates
from gateway.transports.plugin import Means
from gateway.transports.smime_receipt import read_receipt
from gateway.transports.smtp_settings import KEYS, SCHEME, SmtpSettings, read_report_key

log = structlog.get_logger(__name__)

NOT_SIGNED = "insufficient-message-security"
MOST_BOUNDARIES = 16
"""Boundaries of one mail: attachments need one, words in two forms beside them another, and forwarding brings some more."""
_BOUNDARY = re.compile(rb"boundary[*0-9]{0,8}[ \t]*=", re.IGNORECASE)
_TEXT = frozenset({"text/plain", "text/html"})
"""What stands beside attachments for people, and is a payload only where there is nothing else."""


@dataclass(frozen=True, slots=True)
class Part:
    """An attachment: its bytes as they were before mail made text of them."""

    content: bytes
    content_type: str
    filename: str


def require_few_boundaries(content: bytes) -> None:
    """PayloadTooLarge where a mail has more parts within one another than any mail needs."""
    # Each line is compared with every boundary that it may end: lines times boundaries is the work that a mail makes.
    if sum(1 for _ in islice(_BOUNDARY.finditer(content), MOST_BOUNDARIES + 1)) > MOST_BOUNDARIES:
        raise PayloadTooLarge(f"At most {MOST_BOUNDARIES} boundaries are taken in one mail.")


def read_parts(content: bytes) -> list[Part]:
    """What a mail brings; PayloadTooLarge where it has more parts within one another than any mail needs."""
    require_few_boundaries(content)
    try:
        return find_parts(email.message_from_bytes(content, policy=compat32))
    except RecursionError:
        raise PayloadTooLarge("The mail has too many mails within one another.") from None


def find_parts(mail: Message) -> list[Part]:
    """What a mail brings: its attachments, or, where it has none, its text. Transfer encodings are undone, nothing else is."""
    leaves = [(part, part.get_payload(decode=True)) for part in mail.walk() if not part.is_multipart()]
    attached = [
        (part, content)
        for part, content in leaves
        if part.get_content_disposition() == "attachment" or part.get_content_type() not in _TEXT
    ]
    return [
        Part(content, storable(part.get_content_type()), storable(filename_of(part)))
        for part, content in attached or leaves
        if isinstance(content, bytes) and (content if attached else content.strip())
    ]


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail of a partner's, with its envelopes opened."""

    partner_id: str
    entity: Entity
    over: bytes | None
    """What its signature is over."""
    is_signed: bool


class MailOpener:
    """Tells who mails are from, and opens them."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._own: SmtpSettings = means.own
        self._clock = means.settings.clock.now
        self._keys = OwnKeys(self._own.keys, KEYS, self._clock)

    async def open(self, key: Credential | None, entity: Entity) -> Opened:
        """The mail as its partner has made it; `key` is what somebody has logged in with.

        CmsInvalid where what is signed or encrypted does not hold, or nobody has logged in and it is not signed.
        """
        partner_id, pinned = await self._find_pinned(key, entity)
        # Of a sender that is not known the same is said as of one that has not signed: who is registered is nobody's to ask.
        signed_only = key is None or self._own.signed_only
        # Files of keys that cannot be read keep back what needs them alone.
        own = self._keys.all if is_wrapped(entity) else ()
        opened = await asyncio.to_thread(self._unwrap, entity, own, pinned, signed_only=signed_only)
        return Opened(partner_id, opened.entity, opened.over, opened.signed is not None)

    async def _find_pinned(self, key: Credential | None, entity: Entity) -> tuple[str, Sequence[x509.Certificate]]:
        """Whose mail it is, if it holds, and by which certificates it is to be signed; nobody's and none where that is not known."""
        partner_id = key.partner_id if key is not None else await self._maybe_find_sender(entity)
        if not partner_id:
            return "", ()
        return partner_id, await find_certificates(self._means.registry, partner_id, CredentialUse.SIGN, self._clock())

    async def _maybe_find_sender(self, entity: Entity) -> str:
        """The partner that goes by the one address in From (RFC 5322, 3.6.2); empty where there is none."""
        said = [str(one) for one in entity.headers.get_all("From", [])]
        addresses = [address for _, address in getaddresses(said) if address]
        found = await self._means.registry.partner_by(SCHEME, addresses[0].lower()) if len(addresses) == 1 else None
        return found.id if found is not None and found.active else ""

    def _unwrap(
        self, entity: Entity, own: Sequence[Own], pinned: Sequence[x509.Certificate], *, signed_only: bool
    ) -> Unwrapped:
        limits = self._means.settings.limits
        try:
            opened = unwrap(entity, own, pinned, most=limits.payload_bytes, ratio=limits.unpacked_ratio)
            if signed_only:
                _require_signed(opened)
        except CmsInvalid as error:
            if not is_sealed(entity):
                raise
            # Whoever has caught somebody else's mail, and sends it changed, must not learn how far it could be opened.
            log.info("sealed_mail_refused", reason=str(error))
            said = "The mail cannot be decrypted, or what is in it does not hold."
            raise CmsInvalid(said, failure=cms.DECRYPTION) from error
        return opened

    async def take_report(self, entity: Entity) -> bool:
        """Let the report of a mail server count, of a mail of ours; whether it is about one. CmsInvalid where it is no report."""
        if not self._own.report_key or len(entity.raw) > LONGEST_REPORT:
            return False
        envelope_id, reports = await asyncio.to_thread(read_report, entity)
        partner_id = read_envelope_id(read_report_key(self._own), envelope_id)
        if not partner_id:
            return False
        evidence = judge_report(reports, entity.raw)
        if evidence is not None:
            settled = await self._means.confirm(partner_id, envelope_id, evidence)
            if settled in (Settled.REPEATED, Settled.LATE) and evidence.outcome != "relayed":
                # A server has it, and another one further on gave it up: that is nobody's turn to send again any more.
                log.warning("mail_failed_later", partner=partner_id, reference=envelope_id, reason=evidence.detail)
        return True

    async def take_signed_receipt(self, key: Credential | None, entity: Entity) -> bool:
        """Let a receipt of S/MIME count, of a mail of ours; whether it is about one. CmsInvalid where it does not hold."""
        partner_id, pinned = await self._find_pinned(key, entity)
        own = [one.certificate for one in self._keys.all]
        message_id = await asyncio.to_thread(read_receipt, entity.content, pinned, own)
        if not message_id:
            return False
        evidence = Evidence("delivered", "smime_receipt", "", entity.raw)
        await self._means.confirm(partner_id, message_id, evidence)
        return True

    async def take_receipt(self, opened: Opened) -> bool:
        """Let a receipt of the partner's count, of a mail of ours; whether it is about one. CmsInvalid where it is not signed."""
        if not opened.is_signed:
            raise CmsInvalid("A receipt is signed, or says nothing.", failure=NOT_SIGNED)
        if len(opened.entity.raw) > LONGEST_REPORT:
            raise PayloadTooLarge
        mdn = await asyncio.to_thread(read_mdn, opened.entity, (), signed=False)
        evidence = judge_later(mdn, opened.entity.raw, "smtp_mdn")
        if evidence is None:
            return False
        await self._means.confirm(opened.partner_id, mdn.original, evidence)
        return True


def _require_signed(opened: Unwrapped) -> None:
    if opened.signed is None:
        raise CmsInvalid("The mail is not signed by a partner that may send here.", failure=NOT_SIGNED)


def read_mail(content: bytes) -> Entity:
    """A mail as it came; PayloadTooLarge where it has more parts within one another than any mail needs."""
    require_few_boundaries(content)
    return read_entity(content)


def is_receipt(entity: Entity) -> bool:
    """Whether what was in a mail's envelopes is an MDN."""
    report_type = str(entity.headers.get_param("report-type", "")).lower()
    return entity.headers.get_content_type() == "multipart/report" and report_type == "disposition-notification"

"""Signed receipts of S/MIME (RFC 2634, 2): asked for in a signature of ours, and read when they come back.

A receipt is made by whoever has verified the signature. It holds that signature's value and, signed by its own signer, the
digest of what was signed; that both are of one signature of ours is checked here, by our own certificate. What the receipt
is about is the identifier that we gave: the Message-ID of the mail.
"""

from __future__ import annotations

from collections.abc import Sequence

from asn1crypto import cms as asn1
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from gateway.errors import CmsInvalid
from gateway.transports import cms
from gateway.transports.cms import DIGESTS
from gateway.transports.mdn import digest_of

_REQUEST = "1.2.840.113549.1.9.16.2.1"
"""id-aa-receiptRequest (RFC 2634, 2.7)."""
_DIGEST = "1.2.840.113549.1.9.16.2.5"
"""id-aa-msgSigDigest (RFC 2634, 2.10)."""
_RECEIPT = "1.2.840.113549.1.9.16.1.1"
"""id-ct-receipt (RFC 2634, 2.8)."""


class _Names(core.SequenceOf):  # type: ignore[misc]
    _child_spec = asn1_x509.GeneralNames


class _ReceiptsFrom(core.Choice):  # type: ignore[misc]
    _alternatives = [  # noqa: RUF012 - asn1crypto reads it so
        ("all_or_first_tier", core.Integer, {"implicit": 0}),
        ("receipt_list", _Names, {"implicit": 1}),
    ]


class _Request(core.Sequence):  # type: ignore[misc]
    """RFC 2634, 2.7."""

    _fields = [  # noqa: RUF012
        ("signed_content_identifier", core.OctetString),
        ("receipts_from", _ReceiptsFrom),
        ("receipts_to", _Names),
    ]


class _Receipt(core.Sequence):  # type: ignore[misc]
    """RFC 2634, 2.8."""

    _fields = [  # noqa: RUF012
        ("version", core.Integer),
        ("content_type", core.ObjectIdentifier),
        ("signed_content_identifier", core.OctetString),
        ("originator_signature_value", core.OctetString),
    ]


def write_request(message_id: str, to: str) -> asn1.CMSAttribute:
    """What is signed beside a content so that every recipient makes a receipt, and sends it to a mail address."""
    request = _Request(
        {
            "signed_content_identifier": message_id.encode(),
            "receipts_from": _ReceiptsFrom("all_or_first_tier", 0),  # allReceipts
            "receipts_to": [[asn1_x509.GeneralName("rfc822_name", to)]],
        }
    )
    return asn1.CMSAttribute({"type": _REQUEST, "values": [request]})


def read_receipt(message: bytes, pinned: Sequence[x509.Certificate], own: Sequence[x509.Certificate]) -> str:
    """The Message-ID that a receipt is about; CmsInvalid unless one of `pinned` has signed it, for a signature by one of `own`.

    Empty where it is about no mail for which we ask for receipts.
    """
    content, signed = cms.open_signed(message, pinned, _RECEIPT)
    try:
        receipt = _Receipt.load(content, strict=True)
        message_id = str(receipt["signed_content_identifier"].native, "ascii")
        signature = receipt["originator_signature_value"].native
        (digest,) = (core.OctetString.load(one.dump(), strict=True).native for one in signed.attributes[_DIGEST])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CmsInvalid("The receipt cannot be read.", failure=cms.AUTHENTICATION) from error
    name = digest_of(message_id)
    if not name:
        return ""
    if not any(_is_over(one, signature, digest, name) for one in own):
        raise CmsInvalid("The receipt is not for a signature of ours.", failure=cms.AUTHENTICATION)
    return message_id


def _is_over(certificate: x509.Certificate, signature: bytes, digest: bytes, name: str) -> bool:
    """Whether a signature is by a certificate's key, over what has that digest."""
    key, hashed = certificate.public_key(), Prehashed(DIGESTS[name]())
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, rsa_padding.PKCS1v15(), hashed)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(hashed))
            return True
    except (InvalidSignature, ValueError):
        pass
    return False

"""Signatures, encryption and compression of messages (CMS), over whole contents in memory; no socket and no file.

asn1crypto gives the structure and cryptography the primitives. What is taken is an allow-list: one signer whose
certificate is one of those that were pinned, SHA-256 and up, RSA (PKCS #1 v1.5) or ECDSA; AES in CBC or GCM with a key
that RSA carries; zlib, and no more of it than there is room for. Everything else is CmsInvalid, with the word by which
AS2 tells the sender (RFC 4130, 7.4.3; RFC 5402, 5.1).

Sources: RFC 5652 (SignedData, EnvelopedData), RFC 5083 and 5084 (GCM), RFC 3274 (CompressedData).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import CmsInvalid

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
"""The digests of signatures that are made and taken; SHA-1 and MD5 have been forged (RFC 8551, 2.1)."""
_OAEP: dict[str, type[hashes.HashAlgorithm]] = {**DIGESTS, "sha1": hashes.SHA1}
"""Digests of OAEP; SHA-1 is its default, and safe in it (RFC 8017, B.1)."""
CIPHERS = {
    "aes128-cbc": ("aes128_cbc", 16),
    "aes256-cbc": ("aes256_cbc", 32),
    "aes128-gcm": ("aes128_gcm", 16),
    "aes256-gcm": ("aes256_gcm", 32),
}
"""Ciphers by the names that agreements use: what asn1crypto calls them, and the bytes of their keys."""
_KEY_BYTES = dict(CIPHERS.values())
_BLOCK = 16
_TAG = 16
"""Bytes of an authentication tag as we make it; at least 12 are taken (RFC 5084, 3.2)."""
_SMALLEST_RSA = 2048
"""Bits of the smallest RSA key that is taken (RFC 8551, 4.2)."""
SIGNED = "1.2.840.113549.1.7.2"
"""id-signedData (RFC 5652, 5.1)."""
ENVELOPED = "1.2.840.113549.1.7.3"
"""id-envelopedData (RFC 5652, 6.1)."""
AUTH_ENVELOPED = "1.2.840.113549.1.9.16.1.23"
"""id-ct-authEnvelopedData (RFC 5083, 2.1), which asn1crypto does not know."""

AUTHENTICATION, DECRYPTION, DECOMPRESSION, INTEGRITY = (
    "authentication-failed",
    "decryption-failed",
    "decompression-failed",
    "integrity-check-failed",
)


_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError, UnsupportedAlgorithm)
"""What asn1crypto and cryptography raise where bytes are not what they should be: AttributeError for a part that is not
there, RecursionError for too many within one another."""


class _Outer(core.Sequence):  # type: ignore[misc]
    """ContentInfo, with a content of whatever type."""

    _fields = [  # noqa: RUF012 - asn1crypto reads it so
        ("content_type", core.ObjectIdentifier),
        ("content", core.Any, {"explicit": 0, "optional": True}),
    ]


class _GcmParameters(core.Sequence):  # type: ignore[misc]
    """RFC 5084, 3.2."""

    _fields = [("nonce", core.OctetString), ("tag_bytes", core.Integer, {"default": 12})]  # noqa: RUF012


class _Algorithm(core.Sequence):  # type: ignore[misc]
    _fields = [("algorithm", algos.EncryptionAlgorithmId), ("parameters", core.Any, {"optional": True})]  # noqa: RUF012


class _EncryptedContent(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("content_type", cms.ContentType),
        ("content_encryption_algorithm", _Algorithm),
        ("encrypted_content", core.OctetString, {"implicit": 0, "optional": True}),
    ]


class _Enveloped(core.Sequence):  # type: ignore[misc]
    """EnvelopedData (RFC 5652, 6.1)."""

    _fields = [  # noqa: RUF012
        ("version", cms.CMSVersion),
        ("originator_info", cms.OriginatorInfo, {"implicit": 0, "optional": True}),
        ("recipient_infos", cms.RecipientInfos),
        ("content", _EncryptedContent),
        ("unprotected_attrs", cms.CMSAttributes, {"implicit": 1, "optional": True}),
    ]


class _AuthEnveloped(core.Sequence):  # type: ignore[misc]
    """AuthEnvelopedData (RFC 5083, 2.1)."""

    _fields = [  # noqa: RUF012
        ("version", cms.CMSVersion),
        ("originator_info", cms.OriginatorInfo, {"implicit": 0, "optional": True}),
        ("recipient_infos", cms.RecipientInfos),
        ("content", _EncryptedContent),
        ("auth_attrs", cms.CMSAttributes, {"implicit": 1, "optional": True}),
        ("mac", core.OctetString),
        ("unauth_attrs", cms.CMSAttributes, {"implicit": 2, "optional": True}),
    ]


class _OuterEnveloped(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("content_type", core.ObjectIdentifier),
        ("content", _Enveloped, {"explicit": 0}),
    ]


class _OuterAuthEnveloped(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("content_type", core.ObjectIdentifier),
        ("content", _AuthEnveloped, {"explicit": 0}),
    ]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature says that holds."""

    certificate: x509.Certificate
    digest: str
    """The name of the digest, one of DIGESTS."""
    attributes: Mapping[str, Sequence[Any]] = field(default_factory=dict, compare=False)
    """What was signed beside the content, by its identifier, or its name where asn1crypto knows one."""


@dataclass(frozen=True, slots=True)
class Own:
    """A certificate of ours with its private key."""

    certificate: x509.Certificate
    key: PrivateKey


def sign(content: bytes, own: Own, digest: str, at: datetime, more: Sequence[cms.CMSAttribute] = ()) -> bytes:
    """A detached signature over `content`, as DER; with content type, digest and time, and `more`, among what is signed."""
    certificate = _asn1(own.certificate)
    attributes = cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [hashlib.new(digest, content).digest()]}),
            cms.CMSAttribute(
                {"type": "signing_time", "values": [cms.Time({"utc_time": core.UTCTime(at.astimezone(UTC))})]}
            ),
            *more,
        ]
    )
    hash_ = DIGESTS[digest]()
    if isinstance(own.key, rsa.RSAPrivateKey):
        algorithm = {"algorithm": "rsassa_pkcs1v15"}
        signature = own.key.sign(attributes.dump(), rsa_padding.PKCS1v15(), hash_)
    else:
        algorithm = {"algorithm": f"{digest}_ecdsa"}
        signature = own.key.sign(attributes.dump(), ec.ECDSA(hash_))
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier({"issuer_and_serial_number": _issuer_and_serial(own.certificate)}),
            "digest_algorithm": {"algorithm": digest},
            "signed_attrs": attributes,
            "signature_algorithm": algorithm,
            "signature": signature,
        }
    )
    data = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": digest}],
            "encap_content_info": {"content_type": "data"},
            "certificates": [certificate],
            "signer_infos": [signer],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": data}).dump())


def verify(content: bytes, signature: bytes, pinned: Sequence[x509.Certificate]) -> Signed:
    """Who signed `content`; CmsInvalid unless exactly one signer did, whose certificate is one of `pinned`."""
    return _verify(_read(signature, SIGNED, cms.SignedData, AUTHENTICATION), content, pinned)


def open_signed(message: bytes, pinned: Sequence[x509.Certificate], type_: str = "data") -> tuple[bytes, Signed]:
    """What a message holds that is signed and its own signature at once, and who signed it; CmsInvalid as of `verify`.

    `type_` is what its content is to be: `data`, or the identifier of another type.
    """
    data = _read(message, SIGNED, cms.SignedData, AUTHENTICATION)
    try:
        held = data["encap_content_info"]["content"]
        content = bytes(held.parse(core.OctetString)) if isinstance(held, core.Any) else held.native
    except _UNREADABLE as error:
        raise CmsInvalid("The signed message cannot be read.", failure=AUTHENTICATION) from error
    if not isinstance(content, bytes):
        raise CmsInvalid("The signed message holds nothing.", failure=AUTHENTICATION)
    return content, _verify(data, content, pinned, type_)


def _verify(data: Any, content: bytes, pinned: Sequence[x509.Certificate], type_: str = "data") -> Signed:
    try:
        if len(data["signer_infos"]) != 1:
            raise CmsInvalid("The message has not exactly one signer.", failure=AUTHENTICATION)
        signer = data["signer_infos"][0]
        certificate = _find_signer(signer["sid"], pinned)
        digest = signer["digest_algorithm"]["algorithm"].native
        if digest not in DIGESTS:
            raise CmsInvalid(f"Signatures with {digest} are not taken.", failure=AUTHENTICATION)
        attributes = {one["type"].native: one["values"] for one in signer["signed_attrs"]}
        if len(attributes) != len(signer["signed_attrs"]):
            raise CmsInvalid("An attribute of the signature stands there twice.", failure=AUTHENTICATION)
        if not attributes:
            raise CmsInvalid("The signature is over no attributes.", failure=AUTHENTICATION)
        if [one.native for one in attributes.get("content_type", ())] != [type_]:
            raise CmsInvalid(f"The signature is not over {type_}.", failure=AUTHENTICATION)
        digests = [one.native for one in attributes.get("message_digest", ())]
        # What was signed are the attributes as a set, whatever tag they have in the signer's information (RFC 5652, 5.4).
        signed = b"\x31" + signer["signed_attrs"].dump()[1:]
        _check_signature(certificate, signer, digest, signed)
    except _UNREADABLE as error:
        raise CmsInvalid("The signature cannot be read.", failure=AUTHENTICATION) from error
    if len(digests) != 1 or not hmac.compare_digest(digests[0], hashlib.new(digest, content).digest()):
        raise CmsInvalid("The content is not what was signed.", failure=INTEGRITY)
    return Signed(certificate, digest, attributes)


def _check_signature(certificate: x509.Certificate, signer: Any, digest: str, signed: bytes) -> None:
    """CmsInvalid unless the signature over `signed` is by the certificate's key, with an algorithm that is taken."""
    algorithm, key = signer["signature_algorithm"], certificate.public_key()
    kind, bytes_ = algorithm.signature_algo, signer["signature"].native
    named = algorithm["algorithm"].native
    if "_" in named and named.split("_")[0] in hashlib.algorithms_available and named.split("_")[0] != digest:
        raise CmsInvalid("The signature names two digests.", failure=AUTHENTICATION)
    try:
        if isinstance(key, rsa.RSAPublicKey) and kind == "rsassa_pkcs1v15" and key.key_size >= _SMALLEST_RSA:
            key.verify(bytes_, signed, rsa_padding.PKCS1v15(), DIGESTS[digest]())
        elif isinstance(key, ec.EllipticCurvePublicKey) and kind == "ecdsa":
            key.verify(bytes_, signed, ec.ECDSA(DIGESTS[digest]()))
        else:
            raise CmsInvalid(f"Signatures of the kind {kind} by such a key are not taken.", failure=AUTHENTICATION)
    except InvalidSignature:
        raise CmsInvalid("The signature is not by the partner's key.", failure=AUTHENTICATION) from None


def _find_signer(identifier: Any, pinned: Sequence[x509.Certificate]) -> x509.Certificate:
    """The pinned certificate that the signer names; what certificates the message brings is nobody's word but its own."""
    for one in pinned:
        if _is_named(identifier, one):
            return one
    raise CmsInvalid("The signer's certificate is none of the partner's.", failure=AUTHENTICATION)


def encrypt(content: bytes, recipient: x509.Certificate, cipher: str) -> bytes:
    """`content`, as DER, for whoever has the key of `recipient`, which is one of RSA."""
    name, size = CIPHERS[cipher]
    key, public = os.urandom(size), recipient.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise CmsInvalid("The recipient's certificate has no key of RSA.", failure=DECRYPTION)
    info = cms.RecipientInfo(
        {
            "ktri": cms.KeyTransRecipientInfo(
                {
                    "version": "v0",
                    "rid": cms.RecipientIdentifier({"issuer_and_serial_number": _issuer_and_serial(recipient)}),
                    "key_encryption_algorithm": {"algorithm": "rsaes_pkcs1v15"},
                    "encrypted_key": public.encrypt(key, rsa_padding.PKCS1v15()),
                }
            )
        }
    )
    nonce = os.urandom(12 if name.endswith("gcm") else _BLOCK)
    if name.endswith("gcm"):
        sealed = AESGCM(key).encrypt(nonce, content, None)
        parameters: Any = _GcmParameters({"nonce": nonce, "tag_bytes": _TAG})
        enveloped: Any = _AuthEnveloped(
            {
                "version": "v0",
                "recipient_infos": [info],
                "content": _encrypted(name, parameters, sealed[:-_TAG]),
                "mac": sealed[-_TAG:],
            }
        )
        return bytes(_OuterAuthEnveloped({"content_type": AUTH_ENVELOPED, "content": enveloped}).dump())
    padder = padding.PKCS7(8 * _BLOCK).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(nonce)).encryptor()
    whole = padder.update(content) + padder.finalize()
    sealed = encryptor.update(whole) + encryptor.finalize()
    enveloped = _Enveloped(
        {
            "version": "v0",
            "recipient_infos": [info],
            "content": _encrypted(name, core.OctetString(nonce), sealed),
        }
    )
    return bytes(_OuterEnveloped({"content_type": ENVELOPED, "content": enveloped}).dump())


def _encrypted(name: str, parameters: Any, sealed: bytes) -> _EncryptedContent:
    return _EncryptedContent(
        {
            "content_type": "data",
            "content_encryption_algorithm": _Algorithm({"algorithm": name, "parameters": parameters}),
            "encrypted_content": sealed,
        }
    )


def decrypt(envelope: bytes, own: Sequence[Own]) -> bytes:
    """What is in an envelope for one of `own`; CmsInvalid says the same whatever is wrong with it, and helps no guessing."""
    failed = CmsInvalid("The message cannot be decrypted.", failure=DECRYPTION)
    try:
        outer = _Outer.load(envelope)
        type_ = outer["content_type"].dotted
        if type_ not in (ENVELOPED, AUTH_ENVELOPED):
            raise failed
        data = outer["content"].parse(_AuthEnveloped if type_ == AUTH_ENVELOPED else _Enveloped)
        content = data["content"]
        name = content["content_encryption_algorithm"]["algorithm"].native
        sealed = content["encrypted_content"].native
        key = _find_key(data["recipient_infos"], own, _KEY_BYTES[name])
        parameters = content["content_encryption_algorithm"]["parameters"]
        if type_ == AUTH_ENVELOPED:
            gcm, mac = parameters.parse(_GcmParameters), data["mac"].native
            if not name.endswith("gcm") or len(mac) != gcm["tag_bytes"].native or len(mac) < 12:
                raise failed
            attributes = data["auth_attrs"]
            # RFC 5083, 2.2: authenticated attributes are part of what the tag is over, as a set.
            also = b"\x31" + attributes.dump()[1:] if attributes.native else b""
            return _open_gcm(key, gcm["nonce"].native, sealed, mac, also)
        if not name.endswith("cbc"):
            raise failed
        decryptor = Cipher(algorithms.AES(key), modes.CBC(parameters.native)).decryptor()
        whole = decryptor.update(sealed) + decryptor.finalize()
        unpadder = padding.PKCS7(8 * _BLOCK).unpadder()
        return unpadder.update(whole) + unpadder.finalize()
    except CmsInvalid:
        raise
    except (*_UNREADABLE, InvalidTag) as error:
        raise failed from error


def _open_gcm(key: bytes, nonce: bytes, sealed: bytes, mac: bytes, also: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.GCM(nonce, mac, min_tag_length=len(mac))).decryptor()
    decryptor.authenticate_additional_data(also)
    return decryptor.update(sealed) + decryptor.finalize()


def _find_key(infos: Any, own: Sequence[Own], size: int) -> bytes:
    """The key of the content, which one of ours opens. A wrong one gives another key, not an error that tells (RFC 3218)."""
    for info in infos:
        if info.name != "ktri":
            continue
        chosen = info.chosen
        for one in own:
            if not _is_named(chosen["rid"], one.certificate) or not isinstance(one.key, rsa.RSAPrivateKey):
                continue
            scheme: Any = rsa_padding.PKCS1v15()
            if chosen["key_encryption_algorithm"]["algorithm"].native == "rsaes_oaep":
                parameters = chosen["key_encryption_algorithm"]["parameters"]
                named = parameters["hash_algorithm"]["algorithm"].native
                mask = parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native
                scheme = rsa_padding.OAEP(rsa_padding.MGF1(_OAEP[mask]()), _OAEP[named](), None)
            try:
                key = one.key.decrypt(chosen["encrypted_key"].native, scheme)
            except ValueError:
                key = b""
            return key if len(key) == size else os.urandom(size)
    raise CmsInvalid("The message cannot be decrypted.", failure=DECRYPTION)


def compress(content: bytes) -> bytes:
    """`content` as CompressedData with zlib, as DER."""
    data = cms.CompressedData(
        {
            "version": "v0",
            "compression_algorithm": {"algorithm": "zlib"},
            "encap_content_info": {"content_type": "data", "content": zlib.compress(content)},
        }
    )
    return bytes(cms.ContentInfo({"content_type": "compressed_data", "content": data}).dump())


def decompress(compressed: bytes, most: int, ratio: int) -> bytes:
    """What was compressed: `most` bytes, and `ratio` times its size, at most; CmsInvalid where it is more, or is none."""
    data = _read(compressed, "1.2.840.113549.1.9.16.1.9", cms.CompressedData, DECOMPRESSION)
    try:
        packed = data["encap_content_info"]["content"].native
        if data["compression_algorithm"]["algorithm"].native != "zlib" or not isinstance(packed, bytes):
            raise CmsInvalid("The message is not compressed with zlib.", failure=DECOMPRESSION)
        room = min(most, max(len(packed) * ratio, 16 * 1024 * 1024))
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(packed, room + 1)
        if len(content) > room or unpacker.unconsumed_tail:
            raise CmsInvalid("The message unpacks to more than is taken.", failure=DECOMPRESSION)
        if not unpacker.eof:
            raise CmsInvalid("The compressed message is cut short.", failure=DECOMPRESSION)
    except (*_UNREADABLE, zlib.error) as error:
        raise CmsInvalid("The message cannot be decompressed.", failure=DECOMPRESSION) from error
    return content


def _read(der: bytes, type_: str, spec: Any, failure: str) -> Any:
    """The content of a ContentInfo of that type; CmsInvalid for anything else."""
    try:
        outer = _Outer.load(der)
        if outer["content_type"].dotted != type_:
            raise CmsInvalid("It is another kind of CMS message.", failure=failure)
        return outer["content"].parse(spec)
    except _UNREADABLE as error:
        raise CmsInvalid("It is no CMS message.", failure=failure) from error


def _is_named(identifier: Any, certificate: x509.Certificate) -> bool:
    """Whether a signer's or recipient's identifier means that certificate."""
    name, key_identifier = _named(certificate)
    if identifier.name == "issuer_and_serial_number":
        return bool(identifier.chosen.dump() == name)
    return key_identifier is not None and bool(identifier.chosen.native == key_identifier)


@lru_cache(maxsize=1024)
def _named(certificate: x509.Certificate) -> tuple[bytes, bytes | None]:
    """How a message names a certificate: issuer and serial number as DER, and the key's identifier."""
    parsed = _asn1(certificate)
    name = cms.IssuerAndSerialNumber({"issuer": parsed.issuer, "serial_number": parsed.serial_number})
    return bytes(name.dump()), parsed.key_identifier


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def _issuer_and_serial(certificate: x509.Certificate) -> cms.IssuerAndSerialNumber:
    return cms.IssuerAndSerialNumber.load(_named(certificate)[0])

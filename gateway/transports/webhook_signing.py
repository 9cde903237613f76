"""Signatures of webhooks as Standard Webhooks 1.0.0 has them ("Signature scheme", "Webhook headers").

A signature is over the id, the moment of the attempt in seconds and the body, joined by full stops. `v1a` is Ed25519, by
keys of ours; `v1` is HMAC-SHA256, by a secret that the partner shares with us. While one rolls over, both sign.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.errors import SecretUnreadable

SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
"""How each is told apart in text, before its base64."""
TOLERANCE = 300
"""Seconds by which a receiver's clock and ours may differ; what is older may be a replay."""
_SEED = 32
"""Bytes of an Ed25519 private key; some libraries write its public half behind it (RFC 8032, 5.1.5)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a webhook is signed with."""

    private: Sequence[Ed25519PrivateKey] = ()
    secrets: Sequence[bytes] = ()


def read_secret_text(text: str) -> bytes:
    """The bytes of a `whsec_` secret. SecretUnreadable where it is none, or shorter than 24 bytes."""
    secret = _decode(text, SECRET)
    if len(secret) < 24:
        raise SecretUnreadable("The secret of a webhook is whsec_ and base64 of 24 bytes at least.")
    return secret


def read_private(text: str) -> Ed25519PrivateKey:
    """The key of a `whsk_` text. SecretUnreadable where it is none."""
    key = _decode(text, PRIVATE)
    if len(key) not in (_SEED, 2 * _SEED):
        raise SecretUnreadable("The signing key of webhooks is whsk_ and base64 of an Ed25519 key.")
    return Ed25519PrivateKey.from_private_bytes(key[:_SEED])


def read_public(text: str) -> Ed25519PublicKey:
    """The key of a `whpk_` text. SecretUnreadable where it is none."""
    key = _decode(text, PUBLIC)
    if len(key) != _SEED:
        raise SecretUnreadable("A public key of webhooks is whpk_ and base64 of 32 bytes.")
    return Ed25519PublicKey.from_public_bytes(key)


def write_private(key: Ed25519PrivateKey) -> str:
    """A key as its file has it."""
    kind, form = serialization.Encoding.Raw, serialization.PrivateFormat.Raw
    return PRIVATE + base64.b64encode(key.private_bytes(kind, form, serialization.NoEncryption())).decode()


def write_public(key: Ed25519PublicKey) -> str:
    """A public key as receivers are given it."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return PUBLIC + base64.b64encode(raw).decode()


def sign(keys: Keys, id_: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one signature by each key and each secret, parted by blanks."""
    signed = f"{id_}.{timestamp}.".encode() + body
    made = [("v1a", key.sign(signed)) for key in keys.private]
    made += [("v1", hmac.digest(secret, signed, hashlib.sha256)) for secret in keys.secrets]
    return " ".join(f"{kind},{base64.b64encode(signature).decode()}" for kind, signature in made)


def verify(
    public: Sequence[Ed25519PublicKey],
    secrets: Sequence[bytes],
    id_: str,
    timestamp: str,
    body: bytes,
    signatures: str,
    now: float,
) -> str:
    """Why a webhook does not hold, in words; empty where one of its signatures does, and is young enough."""
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        return "webhook-timestamp is no number of seconds"
    if abs(now - int(timestamp)) > TOLERANCE:
        return f"webhook-timestamp is more than {TOLERANCE} seconds away from now"
    signed = f"{id_}.{timestamp}.".encode() + body
    for one in signatures.split():
        kind, _, text = one.partition(",")
        try:
            signature = base64.b64decode(text, validate=True)
        except ValueError:
            continue
        if kind == "v1" and any(
            hmac.compare_digest(signature, hmac.digest(secret, signed, hashlib.sha256)) for secret in secrets
        ):
            return ""
        if kind == "v1a" and any(_holds(key, signature, signed) for key in public):
            return ""
    return "no signature in webhook-signature is by a key that is known"


def _holds(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _decode(text: str, prefix: str) -> bytes:
    if not text.startswith(prefix):
        raise SecretUnreadable(f"It does not begin with {prefix}.")
    try:
        return base64.b64decode(text.removeprefix(prefix), validate=True)
    except ValueError:
        raise SecretUnreadable(f"What follows {prefix} is no base64.") from None

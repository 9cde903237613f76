"""Credentials: whether one is valid, which of several is shown, and where a secret that we show is read from.

A roll-over is two of one kind that are valid at once: the next one is registered, whoever shows it moves over, and the
first one ends. So nothing here asks for exactly one. What somebody shows us may be any that is valid; what we show is
the one that became valid last.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

from gateway.errors import SecretUnreadable
from gateway.model import Credential, CredentialKind, CredentialUse

LONGEST_SECRET = 64 * 1024
"""Bytes of a secret that are read: a token has some thousands, and the file may be named by mistake."""


class Validity(StrEnum):
    """What a credential is at a moment."""

    VALID = "valid"
    FUTURE = "future"
    EXPIRED = "expired"
    REVOKED = "revoked"


def judge(credential: Credential, now: datetime) -> Validity:
    """Whether it is valid: from the moment it begins up to, and not at, the moment it ends."""
    if credential.revoked_at is not None and credential.revoked_at <= now:
        return Validity.REVOKED
    if credential.valid_until is not None and credential.valid_until <= now:
        return Validity.EXPIRED
    if credential.valid_from is not None and credential.valid_from > now:
        return Validity.FUTURE
    return Validity.VALID


_ALWAYS = datetime.min.replace(tzinfo=UTC)


def choose(
    credentials: Iterable[Credential], kind: CredentialKind, use: CredentialUse, now: datetime, label: str = ""
) -> list[Credential]:
    """The valid ones of a kind and use, of one label unless it is empty; the one that became valid last comes first."""
    fitting = [
        one
        for one in credentials
        if (one.kind, one.use) == (kind, use)
        and (not label or one.label == label)
        and judge(one, now) is Validity.VALID
    ]
    return sorted(fitting, key=lambda one: (one.valid_from or _ALWAYS, one.id), reverse=True)


def read_secret(credential: Credential) -> str:
    """The secret that a credential refers to, without the blanks around it. Read anew each time: a file may be replaced.

    SecretUnreadable where it is not there; what is said names the credential, and never the secret.
    """
    return read_reference(credential.reference, f"The secret of {credential.id}")


def read_reference(reference: str, what: str) -> str:
    """The secret behind `file:` and a path, or `env:` and the name of a variable. SecretUnreadable names `what` it is."""
    scheme, _, place = reference.partition(":")
    try:
        if scheme == "env":
            secret = os.environ[place]
        else:
            with Path(place).open("rb") as file:
                secret = file.read(LONGEST_SECRET).decode("utf-8")
    except (KeyError, OSError, UnicodeDecodeError) as error:
        raise SecretUnreadable(f"{what} cannot be read.", reference=reference, reason=str(error)) from error
    if not (secret := secret.strip()):
        raise SecretUnreadable(f"{what} is empty.", reference=reference)
    return secret


@dataclass(frozen=True, slots=True)
class Public:
    """What a certificate or a public key says of itself."""

    hash: str
    """SHA-256 in hex: of the certificate's DER form, or of the key's SubjectPublicKeyInfo, however it was written."""
    valid_from: datetime | None = None
    valid_until: datetime | None = None


def read_public(kind: CredentialKind, material: str) -> Public:
    """What `material` says of itself. ValueError where it is no certificate (PEM), or no public key (PEM or OpenSSH)."""
    text = material.encode()
    if kind is CredentialKind.CERTIFICATE:
        try:
            certificate = x509.load_pem_x509_certificate(text)
        except ValueError:
            raise ValueError("this is no certificate in PEM") from None
        return Public(
            hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
    try:
        key = load_ssh_public_key(text) if text.startswith((b"ssh-", b"ecdsa-", b"sk-")) else load_pem_public_key(text)
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("this is no public key in PEM or OpenSSH's form") from None
    return Public(hashlib.sha256(der).hexdigest())

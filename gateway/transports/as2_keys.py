"""Who we and our partners are in AS2: names, and certificates with their keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, Field, model_validator

from gateway.config import NamedPath, Section
from gateway.errors import ConfigurationInvalid, DeliveryDeferred
from gateway.model import CredentialKind, CredentialUse
from gateway.registry.directory import Directory
from gateway.transports.cms import Own

SCHEME = "as2"
"""The scheme of partners' identifiers whose values are AS2 names."""
VERSION = "1.1"
"""AS2-Version of who understands compression (RFC 4130, 6.1)."""
_NAME = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")
"""AS2 names (RFC 4130, 6.2): printable ASCII, 128 characters; blanks inside where they are quoted."""


def is_name(value: str) -> bool:
    """Whether `value` may be an AS2 name."""
    return _NAME.fullmatch(value) is not None and '"' not in value and "\\" not in value


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError("an AS2 name is 1 to 128 printable characters, without quotes and backslashes")
    return value


Name = Annotated[str, AfterValidator(_name)]


def quoted(name: str) -> str:
    """A name as a header has it."""
    return f'"{name}"' if " " in name else name


def unquoted(name: str) -> str:
    """The name that a header has."""
    name = name.strip()
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name


def host_of(name: str) -> str:
    """The right side of a Message-ID of ours."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)


class OwnKey(Section):
    """A certificate of ours and its key."""

    certificate: NamedPath = Field(description="PEM certificate that partners were given")
    key: NamedPath = Field(description="PEM key of the certificate")


class As2Settings(Section):
    """Who we are in AS2."""

    name: str = Field("", description="Our AS2 name; nothing is sent or taken without one")
    url: str = Field("", description="Address at which partners reach /as2, for MDNs that come later")
    mdn_hours: float = Field(24.0, description="Hours in which an MDN that comes later is waited for", gt=0, le=30 * 24)
    keys: tuple[OwnKey, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.name:
            _name(self.name)
        return self


class OwnKeys:
    """Our certificates with their keys; two are valid at once while partners move from one to the other.

    Files that are replaced count at once: nothing needs to be started anew.
    """

    def __init__(self, settings: As2Settings, clock: Callable[[], datetime]) -> None:
        self._files = settings.keys
        self._clock = clock

    @property
    def all(self) -> tuple[Own, ...]:
        """All of them. ConfigurationInvalid where a file holds no certificate, or no key that fits."""
        return tuple(read_own(one) for one in self._files)

    def signing(self) -> Own:
        """The one that became valid last of those that are valid; DeliveryDeferred where none is."""
        now = self._clock()
        valid = [
            one for one in self.all if one.certificate.not_valid_before_utc <= now < one.certificate.not_valid_after_utc
        ]
        if not valid:
            raise DeliveryDeferred("No certificate of ours is valid (transports.as2.keys).")
        return max(valid, key=lambda one: one.certificate.not_valid_before_utc)


def read_own(files: OwnKey) -> Own:
    """A certificate and its key from their files; ConfigurationInvalid where they are none, or do not fit."""
    try:
        written = files.certificate.stat().st_mtime_ns, files.key.stat().st_mtime_ns
    except OSError as error:
        raise ConfigurationInvalid(f"transports.as2.keys: {type(error).__name__}: {error}") from error
    return _read_own(files, written)


@lru_cache(maxsize=64)
def _read_own(files: OwnKey, _written: tuple[int, int]) -> Own:
    """The same, once for each time at which the files were written."""
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = load_pem_private_key(files.key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationInvalid(f"transports.as2.keys: {type(error).__name__}: {error}") from error
    if (
        not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        raise ConfigurationInvalid(f"transports.as2.keys: {files.key} is not the key of {files.certificate}")
    return Own(certificate, key)


async def find_certificates(
    registry: Directory, partner_id: str, use: CredentialUse, now: datetime
) -> list[x509.Certificate]:
    """A partner's valid certificates for a use, the one that became valid last first."""
    found = await registry.credentials(partner_id, CredentialKind.CERTIFICATE, use, now)
    return [x509.load_pem_x509_certificate(one.material.encode()) for one in found]

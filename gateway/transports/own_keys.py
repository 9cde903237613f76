"""Certificates for what is signed and encrypted: ours with their keys, from files, and partners', from the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field

from gateway.config import NamedPath, Section
from gateway.errors import ConfigurationInvalid, DeliveryDeferred
from gateway.model import CredentialKind, CredentialUse
from gateway.registry.directory import Directory
from gateway.transports.cms import Own


class OwnKey(Section):
    """A certificate of ours and its key."""

    certificate: NamedPath = Field(description="PEM certificate that partners were given")
    key: NamedPath = Field(description="PEM key of the certificate")


class OwnKeys:
    """Our certificates with their keys; two are valid at once while partners move from one to the other.

    Files that are replaced count at once: nothing needs to be started anew.
    """

    def __init__(self, files: Sequence[OwnKey], setting: str, clock: Callable[[], datetime]) -> None:
        """`setting` is what names them in gateway.toml, for the operator."""
        self._files = files
        self._setting = setting
        self._clock = clock

    @property
    def all(self) -> tuple[Own, ...]:
        """All of them. ConfigurationInvalid where a file holds no certificate, or no key that fits."""
        return tuple(_read_own(one, self._setting) for one in self._files)

    def signing(self) -> Own:
        """The one that became valid last of those that are valid; DeliveryDeferred where none is."""
        now = self._clock()
        valid = [
            one for one in self.all if one.certificate.not_valid_before_utc <= now < one.certificate.not_valid_after_utc
        ]
        if not valid:
            raise DeliveryDeferred(f"No certificate of ours is valid ({self._setting}).")
        return max(valid, key=lambda one: one.certificate.not_valid_before_utc)


def find_faults(files: Sequence[OwnKey], setting: str) -> Iterator[str]:
    """What is wrong with the files of certificates and keys, as this machine has them."""
    for number, one in enumerate(files):
        try:
            _read_own(one, setting)
        except ConfigurationInvalid as error:
            yield f"keys.{number}: {str(error).removeprefix(f'{setting}: ')}"


def _read_own(files: OwnKey, setting: str) -> Own:
    """A certificate and its key from their files; ConfigurationInvalid where they are none, or do not fit."""
    try:
        written = files.certificate.stat().st_mtime_ns, files.key.stat().st_mtime_ns
        return _read_files(files, written)
    except (OSError, ValueError, TypeError) as error:
        named = str(error) if isinstance(error, _Unfit) else f"{type(error).__name__}: {error}"
        raise ConfigurationInvalid(f"{setting}: {named}") from error


class _Unfit(ValueError):
    """A key that is not its certificate's."""


@lru_cache(maxsize=64)
def _read_files(files: OwnKey, _written: tuple[int, int]) -> Own:
    """The same, once for each time at which the files were written."""
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    key = load_pem_private_key(files.key.read_bytes(), None)
    if (
        not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        or key.public_key() != certificate.public_key()
    ):
        raise _Unfit(f"{files.key} is not the key of {files.certificate}")
    return Own(certificate, key)


async def find_certificates(
    registry: Directory, partner_id: str, use: CredentialUse, now: datetime
) -> list[x509.Certificate]:
    """A partner's valid certificates for a use, the one that became valid last first."""
    found = await registry.credentials(partner_id, CredentialKind.CERTIFICATE, use, now)
    return [x509.load_pem_x509_certificate(one.material.encode()) for one in found]

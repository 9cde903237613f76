"""Keys, certificates and ports of one demo: made afresh for each, so that none is shipped and none outlives its folder."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from gateway.transports.webhook_signing import write_private, write_public

WEBHOOK, SFTP, OURS, THEIRS = "webhook", "sftp", "gateway", "exporter"
"""Names of what is made, and of its files."""
_DAYS = 30
"""For which a certificate is valid: longer than the days that a demo lets pass."""


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """What one demo goes by."""

    folder: Path
    webhook: str
    """The public key of the gateway's webhooks."""
    sftp: str
    """The host key of the gateway's SFTP server, as one line of OpenSSH."""
    sftp_port: int
    smtp_port: int

    def certificate(self, name: str) -> Path:
        """Where the certificate of OURS or THEIRS is; its key lies beside it."""
        return self.folder / f"{name}.pem"


def make_keys(folder: Path) -> DemoKeys:
    """Make all of them, in `folder`, which is made too."""
    folder.mkdir(mode=0o700)
    signing, host = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    _write(folder / f"{WEBHOOK}.key", write_private(signing).encode())
    _write(folder / f"{SFTP}.key", host.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    for name in (OURS, THEIRS):
        _make_certificate(folder, name)
    sftp_port, smtp_port = _find_free_ports(2)
    line = host.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return DemoKeys(folder, write_public(signing.public_key()), line, sftp_port, smtp_port)


def _make_certificate(folder: Path, name: str) -> None:
    """A key and a certificate that it has signed itself: who gets it is told that it is the partner's."""
    key = rsa.generate_private_key(65537, 2048)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"demo {name}")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .sign(key, hashes.SHA256())
    )
    _write(folder / f"{name}.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _write(folder / f"{name}.pem", certificate.public_bytes(Encoding.PEM))


def _write(path: Path, body: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(body)


def _find_free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now; all are held until the last is found, so that no two are the same."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in held]

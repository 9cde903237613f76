from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.config import Http
from gateway.errors import ConfigurationInvalid
from gateway.web.tls import server_context
from tests.web.conftest import Client


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for loopback, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / f"{name}.pem", folder / f"{name}.key"


def test_without_a_certificate_there_is_no_tls():
    """TLS is off by default, and half a configuration of it is an error."""
    assert server_context(Http()) is None
    for half in ({"tls_key": "x"}, {"tls_client_ca": "x"}, {"tls_certificate": "missing.pem"}):
        with pytest.raises(ConfigurationInvalid, match="tls"):
            server_context(Http.model_validate(half))


class TestMutual:
    @pytest.fixture
    def changes(self, tmp_path):
        pem, key = certificate(tmp_path, "server")
        client, _ = certificate(tmp_path, "client")
        return {"http": {"tls_certificate": pem, "tls_key": key, "tls_client_ca": client}}

    async def test_only_known_clients_are_let_in(self, client: Client, tmp_path):
        """With mutual TLS, a client shows a certificate of a known authority, or gets no answer; old TLS is refused."""
        assert client.url.startswith("https://")
        stranger = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await client.session.get(f"{client.url}/healthz", ssl=stranger)
        known = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
        known.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
        async with client.session.get(f"{client.url}/healthz", ssl=known) as response:
            assert response.status == 200

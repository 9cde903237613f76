"""What is made for one demo alone."""

from __future__ import annotations

import stat
from pathlib import Path

import asyncssh
import pytest
from cryptography import x509

from gateway.demo.keys import OURS, SFTP, THEIRS, WEBHOOK, DemoKeys, make_keys
from gateway.transports.as2_keys import KEYS
from gateway.transports.own_keys import OwnKey, find_faults
from gateway.transports.webhook_signing import read_private, write_public


@pytest.fixture
def made(tmp_path: Path) -> DemoKeys:
    return make_keys(tmp_path / "keys")


def test_each_demo_has_its_own(made: DemoKeys, tmp_path: Path) -> None:
    """Nothing of one is the same in another, and nobody else may read it."""
    other = make_keys(tmp_path / "other")
    for path in made.folder.iterdir():
        assert path.read_bytes() != (other.folder / path.name).read_bytes(), path.name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    assert (made.webhook, made.sftp) != (other.webhook, other.sftp)
    assert made.sftp_port != made.smtp_port


def test_what_partners_are_told_fits_what_the_gateway_has(made: DemoKeys) -> None:
    """Public keys are those of the files that the configuration names, as the gateway and the SSH library read them."""
    private = read_private((made.folder / f"{WEBHOOK}.key").read_text())
    assert write_public(private.public_key()) == made.webhook
    host = asyncssh.read_private_key(made.folder / f"{SFTP}.key")
    assert host.export_public_key("openssh").split()[:2] == made.sftp.encode().split()[:2]
    for name in (OURS, THEIRS):
        certificate = made.certificate(name)
        assert list(find_faults([OwnKey(certificate=certificate, key=certificate.with_suffix(".key"))], KEYS)) == []
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
        # The demo puts the gateway's clock on by days.
        assert (read.not_valid_after_utc - read.not_valid_before_utc).days > 20

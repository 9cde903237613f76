"""Which credentials are valid, which one is shown, and what certificates and files say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from gateway.errors import SecretUnreadable
from gateway.model import Credential, CredentialKind, CredentialUse
from gateway.registry.credential_entry import CredentialEntry, KeyEntry
from gateway.registry.credentials import Validity, choose, judge, read_public, read_secret

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SSH = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def certificate(begins: datetime = NOW, ends: datetime = NOW + 30 * DAY) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(7)
    built = builder.public_key(KEY.public_key()).not_valid_before(begins).not_valid_after(ends).sign(KEY, None)
    return built.public_bytes(Encoding.PEM).decode()


def token(id_: str, **fields: Any) -> Credential:
    given: dict[str, Any] = {"kind": CredentialKind.TOKEN, "use": CredentialUse.OUT, "label": "inbox"}
    return Credential(id_, "acme", **(given | fields))


@pytest.mark.parametrize(
    ("fields", "validity"),
    [
        ({}, Validity.VALID),
        ({"valid_from": NOW}, Validity.VALID),
        ({"valid_from": NOW + TICK}, Validity.FUTURE),
        ({"valid_until": NOW + TICK}, Validity.VALID),
        ({"valid_until": NOW}, Validity.EXPIRED),  # its end is the first moment at which it is over
        ({"revoked_at": NOW}, Validity.REVOKED),
        ({"revoked_at": NOW + TICK}, Validity.VALID),  # a rotation ends it later
        ({"valid_from": NOW + DAY, "revoked_at": NOW - DAY}, Validity.REVOKED),
    ],
)
def test_validity_is_a_half_open_span(fields: dict[str, Any], validity: Validity) -> None:
    """Valid from the beginning, not at the end, and whoever was revoked is called so first."""
    assert judge(token("t", **fields), NOW) is validity


def test_the_one_that_became_valid_last_is_shown() -> None:
    """Of several that are valid at once the newest goes; one that is over, to come, of another label or kind does not."""
    given = [
        token("old"),
        token("newer", valid_from=NOW - DAY),
        token("newest", valid_from=NOW),
        token("coming", valid_from=NOW + DAY),
        token("over", valid_from=NOW, valid_until=NOW),
        token("other label", valid_from=NOW, label="other"),
        token("password", valid_from=NOW, kind=CredentialKind.PASSWORD),
    ]
    kind, use = CredentialKind.TOKEN, CredentialUse.OUT
    assert [one.id for one in choose(given, kind, use, NOW, "inbox")] == ["newest", "newer", "old"]
    assert choose(given, kind, use, NOW + DAY, "inbox")[0].id == "coming"
    assert {one.id for one in choose(given, kind, use, NOW)} == {"newest", "newer", "old", "other label"}


def test_a_secret_is_read_where_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file or a variable, without blanks around it, as it is now; one that is not there names no secret and no path."""
    place = tmp_path / "token"
    place.write_text("  first\n", "utf-8")
    in_file = token("t", reference=f"file:{place}")
    assert read_secret(in_file) == "first"
    place.write_text("second", "utf-8")
    assert read_secret(in_file) == "second"
    monkeypatch.setenv("INBOX_TOKEN", "third")
    assert read_secret(token("t", reference="env:INBOX_TOKEN")) == "third"
    place.write_bytes(b" \n")
    for reference in (f"file:{place}", f"file:{tmp_path}/none", "env:NO_SUCH_VARIABLE", f"file:{tmp_path}"):
        with pytest.raises(SecretUnreadable) as caught:
            read_secret(token("t", reference=reference))
        assert str(tmp_path) not in str(caught.value)


def test_a_public_key_has_one_digest_however_it_is_written() -> None:
    """PEM and OpenSSH's line are the same key; a certificate is known by its own bytes and says when it is valid."""
    assert read_public(CredentialKind.PUBLIC_KEY, PEM) == read_public(CredentialKind.PUBLIC_KEY, f"{SSH} acme@host")
    said = read_public(CredentialKind.CERTIFICATE, certificate())
    assert (said.valid_from, said.valid_until) == (NOW, NOW + 30 * DAY)
    parsed = x509.load_pem_x509_certificate(certificate().encode())
    assert said.hash == parsed.fingerprint(hashes.SHA256()).hex()


def entry(**fields: Any) -> CredentialEntry:
    return CredentialEntry.model_validate(fields)


def test_a_certificate_is_valid_no_longer_than_it_says() -> None:
    """A file may narrow what a certificate says of itself, and cannot widen it."""
    given = entry(kind="certificate", use="sign", material=certificate(), valid_from=NOW - DAY, valid_until=NOW + DAY)
    made = given.credential("acme")
    assert (made.valid_from, made.valid_until, made.partner_id) == (NOW, NOW + DAY, "acme")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"kind": "api_key", "use": "in", "material": "x"}, "one of keys"),
        ({"kind": "token", "use": "in", "material": "x"}, "not used for in"),
        ({"kind": "password", "use": "in", "material": "x"}, "not used for in"),
        ({"kind": "token", "use": "out"}, "is a reference"),
        ({"kind": "token", "use": "out", "reference": "s3cret"}, "reference"),
        ({"kind": "token", "use": "out", "reference": "env:A", "material": "x"}, "nothing else"),
        ({"kind": "certificate", "use": "sign", "reference": "file:/x"}, "its material"),
        ({"kind": "certificate", "use": "sign", "material": PEM}, "no certificate"),
        ({"kind": "public_key", "use": "encrypt", "material": "ssh-ed25519 nonsense"}, "no public key"),
        (
            {"kind": "certificate", "use": "in", "material": certificate(), "valid_from": NOW + 99 * DAY},
            "ended by then",
        ),
        (
            {"kind": "token", "use": "out", "reference": "env:A", "valid_from": NOW, "valid_until": NOW},
            "before it begins",
        ),
        ({"kind": "token", "use": "out", "reference": "env:A", "valid_from": "2026-01-01T00:00:00"}, "offset"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], told: str) -> None:
    """A partner file with a credential that could never serve, or that holds a secret of ours, is refused."""
    with pytest.raises(ValidationError, match=told):
        entry(**fields)


def test_earlier_files_say_when_a_key_expires() -> None:
    """`expires_at` is what `valid_until` was called."""
    given = KeyEntry.model_validate({"hash": "0" * 64, "expires_at": "2026-03-01T08:00:00+08:00"})
    assert given.credential("acme").valid_until == NOW

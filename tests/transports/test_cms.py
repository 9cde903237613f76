from __future__ import annotations

import os
import subprocess
import zlib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from asn1crypto import cms as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CmsInvalid
from gateway.transports import cms
from gateway.transports.cms import CIPHERS, DIGESTS, Own

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTENT = b"UNB+UNOA:3+A+B+260101:1200+1'\r\n\x00\xffUNZ+0+1'\n"


@cache
def own(name: str, kind: str = "rsa", bits: int = 2048) -> Own:
    """A self-signed certificate and its key."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    key = rsa.generate_private_key(65537, bits) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(named, named, key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=9))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Own(made, key)


def written(folder: Path, one: Own) -> tuple[Path, Path]:
    """Certificate and key as files for OpenSSL."""
    name = one.certificate.subject.rfc4514_string().removeprefix("CN=")
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_bytes(one.certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        one.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain, key


def openssl(*arguments: str | Path, input_: bytes = b"") -> bytes:
    """What `openssl cms` says; CalledProcessError where it refuses."""
    command = ["openssl", "cms", *map(str, arguments)]
    return subprocess.run(command, input=input_, capture_output=True, check=True, timeout=30).stdout


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("digest", DIGESTS)
def test_openssl_takes_our_signature(tmp_path: Path, kind: str, digest: str):
    """What we sign, OpenSSL verifies with our certificate; with another content it does not."""
    mine = own(f"us-{kind}", kind)
    chain, _ = written(tmp_path, mine)
    (tmp_path / "p7s").write_bytes(cms.sign(CONTENT, mine, digest, NOW))
    (tmp_path / "content").write_bytes(CONTENT)
    verify: list[str | Path] = [
        "-verify",
        "-binary",
        "-inform",
        "DER",
        "-in",
        tmp_path / "p7s",
        "-CAfile",
        chain,
        "-purpose",
        "any",
    ]
    assert openssl(*verify, "-content", tmp_path / "content") == CONTENT
    (tmp_path / "content").write_bytes(CONTENT + b" ")
    with pytest.raises(subprocess.CalledProcessError):
        openssl(*verify, "-content", tmp_path / "content")


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("extra", [[], ["-keyid"], ["-nocerts"], ["-nosmimecap"]], ids=str)
def test_we_take_openssls_signature(tmp_path: Path, kind: str, digest: str, extra: list[str]):
    """What OpenSSL signs, we verify, however it names its signer and whatever it brings along."""
    theirs = own(f"them-{kind}", kind)
    chain, key = written(tmp_path, theirs)
    signature = openssl(
        "-sign", "-binary", "-signer", chain, "-inkey", key, "-md", digest, "-outform", "DER", *extra, input_=CONTENT
    )
    signed = cms.verify(CONTENT, signature, [own("us-rsa").certificate, theirs.certificate])
    assert (signed.certificate, signed.digest) == (theirs.certificate, digest)


def test_a_signature_is_refused_unless_all_of_it_holds(tmp_path: Path):
    """Another content, another's certificate, no signer, two signers, no attributes, an old digest, a short key."""
    mine, other, short = own("us-rsa"), own("them-rsa"), own("short", bits=1024)
    chain, key = written(tmp_path, mine)
    second, second_key = written(tmp_path, other)
    base = ["-sign", "-binary", "-outform", "DER"]
    good = cms.sign(CONTENT, mine, "sha256", NOW)
    none = asn1.ContentInfo.load(good)
    none["content"]["signer_infos"] = []
    cases = {
        "two": openssl(*base, "-signer", chain, "-inkey", key, "-signer", second, "-inkey", second_key, input_=CONTENT),
        "none": none.dump(force=True),
        "no attributes": openssl(*base, "-signer", chain, "-inkey", key, "-noattr", input_=CONTENT),
        "sha1": openssl(*base, "-signer", chain, "-inkey", key, "-md", "sha1", input_=CONTENT),
        "another's": cms.sign(CONTENT, own("stranger"), "sha256", NOW),
        "compressed": cms.compress(CONTENT),
        "cut": good[:-3],
        "nothing": b"",
    }
    for name, signature in cases.items():
        with pytest.raises(CmsInvalid) as caught:
            cms.verify(CONTENT, signature, [mine.certificate, other.certificate])
        assert caught.value.failure == "authentication-failed", name
    with pytest.raises(CmsInvalid) as caught:
        cms.verify(CONTENT + b"x", good, [mine.certificate])
    assert caught.value.failure == "integrity-check-failed"
    with pytest.raises(CmsInvalid, match="not taken"):
        cms.verify(CONTENT, cms.sign(CONTENT, short, "sha256", NOW), [short.certificate])


def test_a_certificate_of_one_name_and_another_key_signs_nothing():
    """A stranger whose certificate has the partner's name and serial number is found out by the key."""
    partner = own("them-rsa")
    key = rsa.generate_private_key(65537, 2048)
    name = partner.certificate.subject
    now = datetime.now(UTC)
    forged = x509.CertificateBuilder(name, name, key.public_key(), 7, now, now + timedelta(days=1)).sign(
        key, hashes.SHA256()
    )
    with pytest.raises(CmsInvalid, match="not by the partner's key"):
        cms.verify(CONTENT, cms.sign(CONTENT, Own(forged, key), "sha256", NOW), [partner.certificate])


@pytest.mark.parametrize("at", range(0, 2000, 23))
def test_a_changed_byte_is_found(at: int):
    """Whichever byte of a signature is changed, it never holds for another content, and no reader fails otherwise."""
    mine = own("us-rsa")
    good = bytearray(cms.sign(CONTENT, mine, "sha256", NOW))
    if at >= len(good):
        return
    good[at] ^= 0x41
    try:
        assert cms.verify(CONTENT, bytes(good), [mine.certificate]).certificate == mine.certificate
    except CmsInvalid:
        return  # what holds all the same has changed in what nobody signs: a certificate that it brought along


@pytest.mark.parametrize("cipher", CIPHERS)
def test_openssl_opens_what_we_encrypt(tmp_path: Path, cipher: str):
    """Each cipher, from nothing to more than a block."""
    chain, key = written(tmp_path, own("them-rsa"))
    for content in (b"", b"x" * 16, CONTENT, os.urandom(100_000)):
        sealed = cms.encrypt(content, own("them-rsa").certificate, cipher)
        opened = openssl("-decrypt", "-binary", "-inform", "DER", "-recip", chain, "-inkey", key, input_=sealed)
        assert opened == content


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize(
    "extra",
    [[], ["-keyid"], ["-stream"], ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"]],
    ids=str,
)
def test_we_open_what_openssl_encrypts(tmp_path: Path, cipher: str, extra: list[str]):
    """Each cipher, with the recipient named either way, in pieces of indefinite length, and with OAEP."""
    chain, _ = written(tmp_path, own("us-rsa"))
    name = cipher.replace("aes", "aes-")
    recipient = ["-recip", chain] if "-keyopt" in extra else [chain]
    flags = [
        "-encrypt",
        "-binary",
        "-outform",
        "DER",
        f"-{name}",
        *(one for one in extra if one in ("-keyid", "-stream")),
    ]
    options = extra if "-keyopt" in extra else []
    sealed = openssl(*flags, *(["-recip", chain, *options] if options else recipient), input_=CONTENT * 500)
    assert cms.decrypt(sealed, [own("them-rsa"), own("us-rsa")]) == CONTENT * 500


@pytest.mark.parametrize("cipher", CIPHERS)
def test_what_is_not_for_us_or_was_changed_is_not_opened(cipher: str):
    """Another's message, a changed byte, another structure: one and the same refusal, which tells nothing."""
    sealed = cms.encrypt(CONTENT, own("them-rsa").certificate, cipher)
    said = set()
    changed = bytearray(sealed)
    changed[-1] ^= 1
    wrong_key = bytearray(sealed)
    wrong_key[sealed.index(own("them-rsa").certificate.issuer.public_bytes()) + 80] ^= 1
    for envelope, keys in (
        (sealed, [own("us-rsa")]),
        (sealed, []),
        (bytes(changed), [own("them-rsa")]),
        (bytes(wrong_key), [own("them-rsa")]),
        (sealed[:-40], [own("them-rsa")]),
        (cms.compress(CONTENT), [own("them-rsa")]),
        (b"\x30\x80", [own("them-rsa")]),
    ):
        try:
            # Of CBC a changed last byte may leave a padding that holds, and then another content, never this one.
            assert cms.decrypt(envelope, keys) != CONTENT
        except CmsInvalid as error:
            said.add((str(error), error.failure))
    assert said == {("The message cannot be decrypted.", "decryption-failed")}


def test_compression_is_undone_and_bounded(tmp_path: Path):
    """What we or OpenSSL compress is unpacked, and a bomb is not."""
    assert cms.decompress(cms.compress(CONTENT), 10**6, 200) == CONTENT
    bomb = cms.compress(bytes(64 << 20))
    assert len(bomb) < 100_000
    with pytest.raises(CmsInvalid, match="more than is taken") as caught:
        cms.decompress(bomb, 1 << 30, 200)
    assert caught.value.failure == "decompression-failed"
    with pytest.raises(CmsInvalid, match="more than is taken"):
        cms.decompress(cms.compress(CONTENT), len(CONTENT) - 1, 200)
    for broken in (
        cms.compress(CONTENT)[:-5],
        b"",
        cms.sign(CONTENT, own("us-rsa"), "sha256", NOW),
        zlib.compress(b"x"),
    ):
        with pytest.raises(CmsInvalid):
            cms.decompress(broken, 10**6, 200)


def refuse_everywhere(data: bytes) -> None:
    """`data` is refused by name by each reader."""
    for read in (
        lambda: cms.verify(CONTENT, data, [own("us-rsa").certificate]),
        lambda: cms.decrypt(data, [own("us-rsa")]),
        lambda: cms.decompress(data, 10**6, 200),
    ):
        with pytest.raises(CmsInvalid):
            read()


@given(st.binary(max_size=300))
def test_no_bytes_crash_a_reader(data: bytes):
    """Whatever comes is refused by name."""
    refuse_everywhere(data)


@pytest.mark.parametrize("type_", ["06092a864886f70d010702", "06092a864886f70d010703", "060b2a864886f70d0109100109"])
@pytest.mark.parametrize("content", ["", "a000", "a080" + 3000 * "3080" + 3001 * "0000", "a080" + 3000 * "2480"])
def test_what_is_not_there_or_within_itself_is_refused(type_: str, content: str):
    """A message that says what it is and holds nothing, or three thousand envelopes, is refused by name as well."""
    refuse_everywhere(bytes.fromhex(f"3080{type_}{content}0000"))


@pytest.mark.parametrize("type_", ["data", "1.2.840.113549.1.9.16.1.1"])
def test_a_signature_is_over_what_it_says(tmp_path: Path, type_: str):
    """What is signed as one type of content is not taken as another, whether the content is within or beside it."""
    theirs = own("them-rsa")
    chain, key = written(tmp_path, theirs)
    named = [] if type_ == "data" else ["-econtent_type", type_]
    base: list[str | Path] = [
        "-sign",
        "-binary",
        "-signer",
        chain,
        "-inkey",
        key,
        "-md",
        "sha256",
        "-outform",
        "DER",
        *named,
    ]
    within = openssl(*base, "-nodetach", input_=CONTENT)
    assert cms.open_signed(within, [theirs.certificate], type_)[0] == CONTENT
    with pytest.raises(CmsInvalid, match="not over"):
        cms.open_signed(within, [theirs.certificate], "1.2.3.4")
    with pytest.raises(CmsInvalid, match="holds nothing"):
        cms.open_signed(openssl(*base, input_=CONTENT), [theirs.certificate], type_)
    if type_ != "data":
        with pytest.raises(CmsInvalid, match="not over data"):
            cms.verify(CONTENT, openssl(*base, input_=CONTENT), [theirs.certificate])

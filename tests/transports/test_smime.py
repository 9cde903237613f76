"""Signed and encrypted mail, both ways; OpenSSL is the other side."""

from __future__ import annotations

import quopri
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.config import Settings, Store
from gateway.errors import CmsInvalid, DeliveryDeferred
from gateway.model import Agreement, Credential, CredentialKind, CredentialUse, Direction, Partner, Role
from gateway.registry.keys import hash_key
from gateway.transports import cms, smtp
from gateway.transports.base import Evidence, Record
from gateway.transports.cms import CIPHERS, DIGESTS, Own
from gateway.transports.mail_in import read_parts
from gateway.transports.mime import Security, read_entity, secure_entity, unwrap
from gateway.transports.own_keys import OwnKey
from gateway.transports.smtp import SmtpSender
from gateway.transports.smtp_settings import SmtpOptions, SmtpSettings
from tests.transports.conformance.kinds import OneKey, free_port, means_of
from tests.transports.test_cms import own, written
from tests.transports.test_smtp import BODY, KEY, MAILBOX, Taking, delivery, exchanger, opened_port, post

NOW = datetime.now(UTC)
BINARY = bytes(range(256)) * 40 + b"\r\n.\r\nFrom me\n \r\n"
ADDRESS = "edi@acme.example"


def openssl(*arguments: str | Path, input_: bytes = b"", errors: bool = False) -> bytes:
    """What `openssl` says, or with `errors` what it says beside it; CalledProcessError where it refuses."""
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, input=input_, capture_output=True, check=True, timeout=30)
    return done.stderr if errors else done.stdout


def certificates(*given: tuple[Own, CredentialUse], **changes: Any) -> list[Credential]:
    """Credentials of the registry."""
    return [
        Credential(
            f"c{number}",
            "acme",
            kind=CredentialKind.CERTIFICATE,
            use=use,
            material=one.certificate.public_bytes(serialization.Encoding.PEM).decode(),
            valid_from=changes.get("valid_from", NOW - timedelta(days=number + 1)),
            valid_until=changes.get("valid_until"),
        )
        for number, (one, use) in enumerate(given)
    ]


def registry(more: Sequence[Credential], *, active: bool = True) -> OneKey:
    """A registry with one partner."""
    partner = Partner("acme", "Acme", frozenset({Role.ENTERPRISE}), active=active)
    return OneKey(partner, Credential("k", "acme", hash_key(KEY)), more, ADDRESS)


def our_keys(folder: Path, *given: Own) -> tuple[OwnKey, ...]:
    """Ours, as files."""
    keys = []
    for number, one in enumerate(given):
        place = folder / f"our-{number}"
        place.mkdir(exist_ok=True)
        certificate, key = written(place, one)
        keys.append(OwnKey(certificate=certificate, key=key))
    return tuple(keys)


# Out.


async def sent(folder: Path, mine: Own, body: bytes, more: Sequence[Credential], **options: str) -> bytes:
    """What a partner's server gets of one delivery."""
    async with exchanger() as (peer, port):
        agreed = {"to": "in@acme.example", "host": "localhost", "port": port, "security": "none", **options}
        agreement = Agreement("out", "acme", Direction.OUT, "*", "json:response:1", "smtp", agreed, attempt_timeout=20)
        settings = SmtpSettings(sender="out@gateway.example", keys=our_keys(folder, mine))
        means = replace(means_of(Settings(), settings, Taking()), registry=registry(more))
        evidence = await SmtpSender(means, allow_private=True).send(delivery(body), agreement, Record())
        assert isinstance(evidence, Evidence)
        assert evidence.outcome == "delivered"
    (envelope,) = peer.envelopes
    return envelope.original_content or b""


def payload_of(entity: bytes) -> bytes:
    """What stands in an entity, as the library reads it."""
    read = message_from_bytes(entity, policy=policy.default).get_payload(decode=True)
    assert isinstance(read, bytes)
    return read


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("digest", DIGESTS)
async def test_openssl_verifies_our_mail(tmp_path: Path, kind: str, digest: str):
    """A signed mail as a server got it, all its headers before it, holds for `openssl smime`, with the bytes to the last one."""
    mine = own(f"us-{kind}", kind)
    mail = await sent(tmp_path, mine, BINARY, [], sign=digest)
    chain, _ = written(tmp_path, mine)
    content = openssl("cms", "-verify", "-CAfile", chain, "-purpose", "any", input_=mail)
    assert payload_of(content) == BINARY
    head = message_from_bytes(mail, policy=policy.default)
    assert head["Subject"]
    assert head.get_content_type() == "multipart/signed"
    assert head.get_param("protocol") == "application/pkcs7-signature"
    changed = mail.replace(b'filename="clearance', b'filename="Clearance', 1)
    with pytest.raises(subprocess.CalledProcessError):
        openssl("cms", "-verify", "-CAfile", chain, "-purpose", "any", input_=changed)


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("digest", ["", "sha256"])
async def test_openssl_opens_our_mail(tmp_path: Path, cipher: str, digest: str):
    """What is encrypted for the partner is opened with its key; the signature is inside, and no word of the content outside."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    known = certificates((theirs, CredentialUse.ENCRYPT))
    mail = await sent(tmp_path, mine, BODY, known, sign=digest, encrypt=cipher)
    chain, key = written(tmp_path, theirs)
    entity = openssl("cms", "-decrypt", "-recip", chain, "-inkey", key, input_=mail)
    if digest:
        ours, _ = written(tmp_path, mine)
        entity = openssl("cms", "-verify", "-CAfile", ours, "-purpose", "any", input_=entity)
    assert payload_of(entity) == BODY
    assert b"application/EDIFACT" not in mail
    assert all(len(line) <= 998 and line.isascii() for line in mail.split(b"\r\n"))


async def test_what_cannot_be_secured_waits_for_the_operator(tmp_path: Path):
    """Without the partner's certificate, or one of ours, nothing leaves in the clear."""
    with pytest.raises(DeliveryDeferred, match="encrypted for"):
        await sent(tmp_path, own("us-rsa"), BODY, [], encrypt="aes256-gcm")
    over = certificates((own("them-rsa"), CredentialUse.ENCRYPT), valid_until=NOW - timedelta(hours=1))
    with pytest.raises(DeliveryDeferred, match="encrypted for"):
        await sent(tmp_path, own("us-rsa"), BODY, over, encrypt="aes256-gcm")
    agreement = Agreement(
        "out", "acme", Direction.OUT, "*", "json:response:1", "smtp", {"to": ADDRESS, "sign": "sha256"}
    )
    means = replace(means_of(Settings(), SmtpSettings(sender=ADDRESS), Taking()), registry=registry([]))
    with pytest.raises(DeliveryDeferred, match=r"transports\.smtp\.keys"):
        await SmtpSender(means).send(delivery(), agreement, Record())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host": "mx.acme.example", "report": "dsn"}, "250 of host"),
        ({"report": "receipt"}, "needs sign"),
        ({"sign": "sha1"}, "sha256"),
        ({"encrypt": "des3"}, "aes"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, str], said: str):
    """What an agreement may not say is told when it is imported."""
    with pytest.raises(ValidationError, match=said):
        SmtpOptions(to=ADDRESS, **options)


# In.


@asynccontextmanager
async def mailbox(
    folder: Path, more: Sequence[Credential], *mine: Own, active: bool = True, **own_: Any
) -> AsyncIterator[tuple[Taking, int]]:
    """The gateway's mailbox, to which other mail servers come too."""
    taking, port = Taking(), free_port()
    settings = SmtpSettings(
        **{
            "listen_port": port,
            "mailbox": MAILBOX,
            "plain_login": True,
            "without_login": True,
            "keys": our_keys(folder, *mine),
            **own_,
        }
    )
    means = means_of(Settings(store=Store(payload_folder=folder / "payloads")), settings, taking)
    assert smtp.TRANSPORT.open_receivers is not None
    receivers = smtp.TRANSPORT.open_receivers(replace(means, registry=registry(more, active=active))).values()
    async with opened_port(receivers, port):
        yield taking, port


def entity(body: bytes = BINARY, name: str = "a.edi") -> bytes:
    """A MIME entity with one attachment, as a client writes it."""
    bare, _ = secure_entity(
        b"Content-Type: application/edifact\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="' + name.encode() + b'"\r\n\r\n' + _lines(body),
        Security(),
        None,
        None,
        NOW,
    )
    return bare


def _lines(body: bytes) -> bytes:
    return openssl("base64", "-e", input_=body).replace(b"\n", b"\r\n")


class Client:
    """A partner's mail client, which is OpenSSL's."""

    def __init__(self, folder: Path, theirs: Own, ours: Own) -> None:
        self.chain, self.key = written(folder, theirs)
        (folder / "known").mkdir(exist_ok=True)
        self.ours, _ = written(folder / "known", ours)

    def sign(self, content: bytes, *extra: str) -> bytes:
        return openssl(
            "smime", "-sign", "-signer", self.chain, "-inkey", self.key, "-md", "sha256", *extra, input_=content
        )

    def opaque(self, content: bytes) -> bytes:
        return self.sign(content, "-nodetach")

    def streamed(self, content: bytes) -> bytes:
        return openssl(
            "cms",
            "-sign",
            "-nodetach",
            "-stream",
            "-signer",
            self.chain,
            "-inkey",
            self.key,
            "-md",
            "sha256",
            input_=content,
        )

    def encrypt(self, content: bytes) -> bytes:
        return openssl("smime", "-encrypt", "-aes256", self.ours, input_=content)

    def encrypt_gcm(self, content: bytes) -> bytes:
        return openssl("cms", "-encrypt", "-aes-256-gcm", self.ours, input_=content)


def headed(content: bytes, message_id: str = "<1@acme.example>", from_: str = f"Acme <{ADDRESS.upper()}>") -> bytes:
    """A mail: its headers before what OpenSSL has made."""
    content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    head = f"From: {from_}\r\nTo: {MAILBOX}\r\nMessage-ID: {message_id}\r\n"
    return head.encode() + content


WRAPPINGS: dict[str, tuple[Callable[[Client, bytes], bytes], bool]] = {
    "signed": (Client.sign, True),
    "signed opaque": (Client.opaque, True),
    "signed opaque in pieces": (Client.streamed, True),
    "encrypted": (Client.encrypt, False),
    "encrypted with GCM": (Client.encrypt_gcm, False),
    "signed in encrypted": (lambda c, e: c.encrypt(c.sign(e)), True),
    "signed opaque in encrypted": (lambda c, e: c.encrypt_gcm(c.opaque(e)), True),
    "encrypted in signed": (lambda c, e: c.sign(c.encrypt(e)), True),
    "encrypted in signed opaque": (lambda c, e: c.opaque(c.encrypt(e)), True),
}
"""What OpenSSL makes of an entity, and whether somebody has signed it."""


@pytest.mark.parametrize("name", WRAPPINGS)
async def test_we_open_openssls_mail(tmp_path: Path, name: str):
    """Signed, encrypted, one within the other: the bytes are what they were; without login what is signed is taken alone."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    wrap, signed = WRAPPINGS[name]
    mail = headed(wrap(Client(tmp_path, theirs, mine), entity()))
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (taking, port):
        assert await post(port, mail) == "250 2.0.0 Kept as payload1"
        said = await post(port, mail, password="")
        assert said.startswith("250 2.0.0 Kept as payload2" if signed else "550 5.7.")
    assert taking.contents == [BINARY] * (2 if signed else 1)
    assert {(one.partner_id, one.transport, one.filename) for one in taking.arrivals} == {("acme", "smtp", "a.edi")}


async def test_both_certificates_count_while_one_is_rolled_over(tmp_path: Path):
    """Two keys of the partner's that sign, and two of ours that open, at once; none that is over."""
    mine, next_, theirs, other = own("us-rsa"), own("us-next"), own("them-rsa"), own("them-next")
    both = certificates((theirs, CredentialUse.SIGN), (other, CredentialUse.SIGN))
    mails = [
        headed(Client(tmp_path, a, b).encrypt(Client(tmp_path, a, b).sign(entity())))
        for a in (theirs, other)
        for b in (mine, next_)
    ]
    async with mailbox(tmp_path, both, mine, next_) as (taking, port):
        for mail in mails:
            assert (await post(port, mail, password="")).startswith("250")
    assert taking.contents == [BINARY] * 4
    over = certificates((theirs, CredentialUse.SIGN), valid_until=NOW - timedelta(hours=1))
    async with mailbox(tmp_path, over, mine) as (taking, port):
        assert (await post(port, headed(Client(tmp_path, theirs, mine).sign(entity())))).startswith("550 5.7.5")
    assert not taking.arrivals


@pytest.mark.parametrize("password", ["", KEY], ids=["without login", "with login"])
async def test_what_does_not_hold_is_refused_with_the_reason(tmp_path: Path, password: str):
    """A changed content, another's signature, another's envelope, half a mail: 550 says why, and nothing is kept."""
    mine, theirs, stranger = own("us-rsa"), own("them-rsa"), own("stranger")
    client = Client(tmp_path, theirs, mine)
    signed = client.sign(entity(BODY))
    sealed = client.encrypt(client.sign(entity(BODY)))
    cases = {
        headed(signed.replace(b'"a.edi"', b'"b.edi"', 1)): "550 5.7.7 The content is not what was signed.",
        headed(Client(tmp_path, stranger, mine).sign(entity())): "550 5.7.5 The signer's certificate is none",
        headed(Client(tmp_path, stranger, mine).opaque(entity())): "550 5.7.5 The signer's certificate is none",
        headed(Client(tmp_path, theirs, stranger).encrypt(entity())): "550 5.7.5 The mail cannot be decrypted",
        headed(
            client.encrypt(Client(tmp_path, stranger, mine).sign(entity()))
        ): "550 5.7.5 The mail cannot be decrypted",
        headed(client.sign(client.sign(entity()))): "550 5.7.5 The message is signed twice.",
        headed(client.opaque(client.opaque(entity()))): "550 5.7.5 The message is signed twice.",
        headed(signed[: len(signed) // 2]): "550 5.7.5 The signed message has not two parts.",
        headed(sealed[: len(sealed) // 2 // 65 * 65]): "550 5.7.5 The m",
    }
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (taking, port):
        for mail, answer in cases.items():
            assert (await post(port, mail, password=password)).startswith(answer)
    assert not taking.arrivals


@pytest.mark.parametrize(
    "from_", ["x@acme.example", f"{ADDRESS}, {ADDRESS}", f"{ADDRESS}\r\nFrom: x@acme.example", "Acme", ""], ids=repr
)
async def test_a_signature_is_its_partners_alone(tmp_path: Path, from_: str):
    """Without login a mail from another address, from two, or from none is nobody's, whoever has signed it."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    mail = headed(Client(tmp_path, theirs, mine).sign(entity()), from_=from_)
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (taking, port):
        assert (await post(port, mail, password="")).startswith(
            "550 5.7.5 The signer's certificate is none of the partner's."
        )
        assert (await post(port, headed(entity(), from_=from_), password="")).startswith(
            "550 5.7.1 The mail is not signed by"
        )
    assert not taking.arrivals


async def test_an_inactive_partner_signs_in_vain(tmp_path: Path):
    """Whoever is disabled is nobody, whatever its certificates."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    mail = headed(Client(tmp_path, theirs, mine).sign(entity()))
    known = certificates((theirs, CredentialUse.SIGN))
    async with mailbox(tmp_path, known, mine, active=False) as (taking, port):
        assert (await post(port, mail, password="")).startswith("550 5.7.5")
    assert not taking.arrivals


async def test_who_is_registered_is_not_told(tmp_path: Path):
    """What is not signed is refused in the same words, whether its sender is known or not."""
    async with mailbox(tmp_path, certificates((own("them-rsa"), CredentialUse.SIGN)), own("us-rsa")) as (_, port):
        said = {await post(port, headed(entity(), from_=one), password="") for one in (ADDRESS, "x@evil.example")}
    assert len(said) == 1


async def test_without_login_is_a_setting(tmp_path: Path):
    """A mailbox that takes mail of those who have logged in alone takes no signature in its place."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    mail = headed(Client(tmp_path, theirs, mine).sign(entity()))
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine, without_login=False) as (
        taking,
        port,
    ):
        assert (await post(port, mail, password="")).startswith("530")
    assert not taking.arrivals


async def test_what_is_signed_alone_is_a_setting(tmp_path: Path):
    """With it a login is not enough, and without a signature nothing is kept."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine, signed_only=True) as (taking, port):
        assert (await post(port, headed(entity()))).startswith("550 5.7.1")
        assert (await post(port, headed(Client(tmp_path, theirs, mine).sign(entity())))).startswith("250")
    assert len(taking.arrivals) == 1


async def test_what_somebody_sends_again_is_known_by_what_was_signed(tmp_path: Path):
    """A caught mail that is sent again under another Message-ID is the same sending, and gives nobody a second payload."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    client = Client(tmp_path, theirs, mine)
    signed = client.sign(entity())
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (taking, port):
        for number, content in enumerate((signed, signed, client.encrypt(signed))):
            assert (await post(port, headed(content, f"<{number}@x>"), password="")).startswith("250")
        await post(port, headed(client.sign(entity(BODY)), "<0@x>"), password="")
    ids = [one.transport_id for one in taking.arrivals]
    assert ids[0] == ids[1] == ids[2]
    assert ids[3] != ids[0]


async def test_keys_that_cannot_be_read_are_ours_to_mend(tmp_path: Path):
    """Where the file of our key is gone a mail is put off, and not refused; one that needs no key is kept."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    mail = headed(Client(tmp_path, theirs, mine).sign(entity()))
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (taking, port):
        for path in (tmp_path / "our-0").glob("*.key"):
            path.unlink()
        assert (await post(port, mail, password="")).startswith("451 4.3.5")
        assert not taking.arrivals
        assert (await post(port, headed(entity()))).startswith("250")


def test_what_unpacks_without_end_is_refused():
    """A compressed mail unpacks to as much as a payload may have, and no more."""
    bomb, _ = secure_entity(entity(bytes(30_000_000)), Security(compress="before", seven_bit=True), None, None, NOW)
    with pytest.raises(CmsInvalid, match="more than is taken") as caught:
        unwrap(read_entity(bomb), [], [], most=1_000_000, ratio=10)
    assert caught.value.failure == cms.DECOMPRESSION
    small, _ = secure_entity(entity(b"x" * 1000), Security(compress="before", seven_bit=True), None, None, NOW)
    assert unwrap(read_entity(small), [], [], most=1_000_000, ratio=10).entity.content == b"x" * 1000


@cache
def wrapped(name: str) -> bytes:
    """One of WRAPPINGS, made once."""
    with tempfile.TemporaryDirectory() as folder:
        return headed(WRAPPINGS[name][0](Client(Path(folder), own("them-rsa"), own("us-rsa")), entity(BODY)))


@pytest.mark.parametrize("name", WRAPPINGS)
@given(data=st.data())
@settings(max_examples=60)
def test_what_is_changed_is_never_signed(name: str, data: st.DataObject):
    """However a mail is changed on its way: it is refused in our own words, unsigned, or holds what was signed, to the byte."""
    mail = bytearray(wrapped(name))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(mail) - 1))
        mail[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        opened = unwrap(
            read_entity(bytes(mail)), [own("us-rsa")], [own("them-rsa").certificate], most=1_000_000, ratio=100
        )
    except CmsInvalid:
        return
    if opened.signed is not None:
        parts = read_parts(opened.entity.raw)
        assert [(one.content, one.filename) for one in parts] == [(BODY, "a.edi")]


TEXT = "UNB+UNOC:3+A+B'\nFTX+AAI+++Müller=grün'\n \nUNZ+0+1'\n"
ENCODED = {
    "8bit": TEXT.encode(),
    "quoted-printable": quopri.encodestring(TEXT.encode()),
    "base64": b64encode(TEXT.encode()) + b"\n",
    "7bit": TEXT.replace("ü", "u").encode(),
}
"""A text in each transfer encoding (RFC 2045, 6), with the line ends of the machine it was written on."""


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("wrap", [Client.sign, Client.opaque], ids=["beside", "within"])
async def test_line_ends_and_encodings_are_those_of_mail(
    tmp_path: Path, wrap: Callable[[Client, bytes], bytes], encoding: str
):
    """A text that is signed with its line ends made canonical (RFC 8551, 3.1.1) holds after its way, and is what it was."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    content = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n".encode()
    mail = headed(wrap(Client(tmp_path, theirs, mine), content + ENCODED[encoding]))
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (taking, port):
        assert (await post(port, mail, password="")).startswith("250")
    expected = TEXT.replace("ü", "u") if encoding == "7bit" else TEXT
    # In base64 line ends are content like all else; in text they are mail's.
    whole = expected.encode() if encoding == "base64" else expected.replace("\n", "\r\n").encode()
    assert [one.rstrip() for one in taking.contents] == [whole.rstrip()]

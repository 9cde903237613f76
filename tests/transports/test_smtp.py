from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from gateway.config import Settings, Store
from gateway.errors import (
    DeliveryDeferred,
    DeliveryRefused,
    Overloaded,
    StorageFull,
    StoreUnavailable,
    TransportIdReused,
)
from gateway.model import (
    Agreement,
    Credential,
    CredentialKind,
    Delivery,
    DeliveryKind,
    Direction,
    Partner,
    Receipt,
    Role,
    Stage,
)
from gateway.registry.keys import hash_key
from gateway.store.contract import Accepted
from gateway.transports import smtp
from gateway.transports.base import Arrival, Evidence, Receiver, Record
from gateway.transports.mail import Posting, write_mail
from gateway.transports.mime import Security
from gateway.transports.smtp import MOST_BYTES, SmtpSender
from gateway.transports.smtp_settings import SmtpSettings
from tests.transports.conformance.kinds import OneKey, free_port, means_of
from tests.transports.test_cms import own

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "gwk_mail"
MAILBOX = "in@gateway.example"
BODY = b"UNB+UNOA:3+A+B+260101:1200+1'\r\n.\r\nUNZ+0+1'"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "tls.pem", folder / "tls.key"


# Out.


@dataclass
class Exchanger:
    """A mail server that says what it is told to, at the step it is told."""

    words: dict[str, str] = field(default_factory=dict)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[Any] = field(default_factory=list)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _o: Any) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.words.get("RCPT", "250 OK")

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        word = self.words.get("DATA", "250 2.0.0 Ok: queued as 4bXyz")
        if word.startswith("250"):
            self.envelopes.append(envelope)
        return word

    def judge(self, _s: Any, _session: Any, _envelope: Any, _mechanism: str, shown: Any) -> AuthResult:
        assert isinstance(shown, LoginPassword)
        self.logins.append((shown.login, shown.password))
        return AuthResult(success=shown.password == b"hush", handled=False)


@asynccontextmanager
async def exchanger(
    context: ssl.SSLContext | None = None, *, tls: bool = False
) -> AsyncIterator[tuple[Exchanger, str]]:
    """The server and its port; with a `context` it takes mail after STARTTLS only, or with `tls` from the start."""
    peer, loop = Exchanger(), asyncio.get_running_loop()
    settings: dict[str, Any] = {"authenticator": peer.judge, "auth_require_tls": False}
    if context is not None and not tls:
        settings |= {"tls_context": context, "require_starttls": True}
    server = await loop.create_server(
        lambda: SMTP(peer, hostname="mx.example", loop=loop, **settings), "127.0.0.1", 0, ssl=context if tls else None
    )
    async with server:
        yield peer, str(server.sockets[0].getsockname()[1])


def delivery(body: bytes = BODY, **changes: Any) -> Delivery:
    made = Delivery(
        id="d" * 32,
        partner_id="acme",
        agreement_id="out",
        lane="lane",
        kind=DeliveryKind.DOCUMENT,
        document_type="clearance",
        format="edifact:CUSRES:D:96B:UN",
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
    )
    return replace(made, **changes)


async def send(options: dict[str, str], *, allow_private: bool = True, body: bytes = BODY, **own: Any) -> Evidence:
    """One sending to `acme`."""
    agreement = Agreement(
        "out",
        "acme",
        Direction.OUT,
        "*",
        "json:response:1",
        "smtp",
        {"to": "in@acme.example", **options},
        attempt_timeout=10,
    )
    means = means_of(Settings(), SmtpSettings(**{"sender": "out@gateway.example", **own}), Taking())
    evidence = await SmtpSender(means, allow_private=allow_private).send(delivery(body), agreement, Record())
    assert isinstance(evidence, Evidence)
    return evidence


async def test_the_partners_own_server_has_it():
    """Its 250 is delivery, with its words kept to the letter; the bytes are what they were, lone dots included."""
    async with exchanger() as (peer, port):
        evidence = await send({"host": "localhost", "port": port, "security": "none"})
    assert (evidence.outcome, evidence.kind) == ("delivered", "smtp_250")
    assert evidence.answer == b"2.0.0 Ok: queued as 4bXyz"
    assert evidence.detail == "250 2.0.0 Ok: queued as 4bXyz"
    (envelope,) = peer.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("out@gateway.example", ["in@acme.example"])
    mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
    assert mail.get_payload(decode=True) == BODY
    assert mail["Message-ID"] == f"<{'d' * 32}@gateway.example>"
    assert mail.get_content_type() == "application/edifact"
    assert mail.get_filename() == f"clearance-{'d' * 32}.edi"


async def test_a_relay_only_relays(tmp_path: Path):
    """What a relay takes is relayed and never called delivered; we log in there with the password of a file."""
    (tmp_path / "password").write_text("hush\n")
    async with exchanger() as (peer, port):
        relay: dict[str, Any] = {
            "relay": "localhost",
            "relay_port": int(port),
            "relay_security": "none",
            "user": "gate",
        }
        evidence = await send({}, allow_private=False, **relay, password=f"file:{tmp_path / 'password'}")
        assert evidence.outcome == "relayed"
        (tmp_path / "password").write_text("wrong")
        with pytest.raises(DeliveryDeferred, match="535"):
            await send({}, **relay, password=f"file:{tmp_path / 'password'}")
    assert peer.logins[0] == (b"gate", b"hush")


@pytest.mark.parametrize(
    ("step", "word", "error"),
    [
        ("RCPT", "550 5.1.1 No such user", DeliveryRefused),
        ("RCPT", "450 4.2.1 Mailbox busy", DeliveryDeferred),
        ("DATA", "554 5.7.1 Refused", DeliveryRefused),
        ("DATA", "451 4.3.0 Later", DeliveryDeferred),
        ("DATA", "552 5.2.2 Full", DeliveryRefused),
        ("RCPT", "530 5.7.0 Authentication required", DeliveryDeferred),  # an operator can mend that
    ],
)
async def test_what_a_server_refuses_is_told_apart(step: str, word: str, error: type[Exception]):
    """For good or for now, with the server's own words for the operator."""
    async with exchanger() as (peer, port):
        peer.words[step] = word
        with pytest.raises(error) as caught:
            await send({"host": "127.0.0.1", "port": port, "security": "none"})
    assert type(caught.value) is error
    assert word in str(caught.value)


@pytest.mark.parametrize("tls", [False, True])
async def test_a_server_is_known_by_its_certificate(tmp_path: Path, *, tls: bool):
    """With STARTTLS or TLS from the start the mail goes to a server whose certificate holds, and to no other."""
    chain, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    async with exchanger(context, tls=tls) as (peer, port):
        options = {"host": "localhost", "port": port, "security": "tls" if tls else "starttls"}
        assert (await send(options, ca_file=chain)).outcome == "delivered"
        with pytest.raises(DeliveryDeferred, match="CERTIFICATE_VERIFY_FAILED"):
            await send(options)
        with pytest.raises(DeliveryDeferred):  # the name is none of the certificate's
            await send({**options, "host": "127.0.0.1"}, ca_file=chain)
    assert len(peer.envelopes) == 1


async def test_a_server_without_tls_gets_nothing():
    """Where TLS is agreed and the server offers none, the mail does not leave in the clear."""
    async with exchanger() as (peer, port):
        with pytest.raises(DeliveryDeferred):
            await send({"host": "localhost", "port": port})
    assert not peer.envelopes


async def test_a_server_in_a_private_network_is_not_spoken_to():
    """A partner's agreement cannot lead us to what only we can reach."""
    async with exchanger() as (peer, port):
        with pytest.raises(DeliveryRefused, match="private network"):
            await send({"host": "localhost", "port": port, "security": "none"}, allow_private=False)
    assert not peer.envelopes


async def test_what_is_too_large_for_mail_is_refused():
    """A payload above the bound is told to need another transport, before anybody is spoken to."""
    with pytest.raises(DeliveryRefused, match="another transport"):
        await send({"host": "127.0.0.1", "port": "9"}, body=bytes(MOST_BYTES + 1))


@pytest.mark.parametrize("own", [{"sender": ""}, {}])
async def test_what_is_not_configured_waits_for_the_operator(own: dict[str, Any]):
    """Without an address to send from, or a server to send by, a delivery is deferred and says why."""
    with pytest.raises(DeliveryDeferred, match="configured"):
        await send({}, **own)


def test_a_reference_forges_no_header():
    """What partners wrote stands in the subject as one line; no header follows from it."""
    forged = delivery(reference="1\r\nBcc: all@evil.example\r\n\r\nbody")
    written = write_mail(forged, Posting("out@gateway.example", "in@acme.example"), Security(), None, None, NOW)
    mail = message_from_bytes(written.content, policy=policy.default)
    assert mail["Bcc"] is None
    assert "all@evil.example" in mail["Subject"]
    assert mail.get_payload(decode=True) == BODY


def test_what_is_encrypted_is_not_told_beside_it():
    """The subject of an encrypted mail names no reference of the partner's."""
    theirs = own("them-rsa").certificate
    posting = Posting("out@gateway.example", "in@acme.example")
    for encrypt in ("", "aes256-gcm"):
        mail = write_mail(delivery(reference="SECRET-17"), posting, Security(encrypt=encrypt), None, theirs, NOW)
        assert (b"SECRET-17" in mail.content) == (not encrypt)


# In.


class Taking:
    """An intake that keeps what comes, and raises what it is told."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.contents: list[bytes] = []
        self.errors: list[Exception | None] = []

    async def __call__(self, arrival: Arrival) -> Accepted:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.contents.append(arrival.path.read_bytes() if arrival.path is not None else arrival.body)
        self.arrivals.append(arrival)
        number = len(self.arrivals)
        return Accepted(f"payload{number}", Receipt(number, Stage.RECEIVED, f"payload{number}", b"{}"))


@asynccontextmanager
async def mailbox(
    tmp_path: Path,
    *,
    active: bool = True,
    context: ssl.SSLContext | None = None,
    key: dict[str, Any] | None = None,
    **own: Any,
) -> AsyncIterator[tuple[Taking, int]]:
    """The gateway's mailbox, its intake and its port."""
    taking, port = Taking(), free_port()
    mine = SmtpSettings(**{"listen_port": port, "mailbox": MAILBOX, "plain_login": True, **own})
    credential = Credential("k", "acme", hash_key(KEY), **(key or {}))
    registry = OneKey(Partner("acme", "Acme", frozenset({Role.ENTERPRISE}), active=active), credential)
    settings = Settings(store=Store(payload_folder=tmp_path / "payloads"))
    means = replace(means_of(settings, mine, taking), registry=registry)
    assert smtp.TRANSPORT.open_receivers is not None
    async with opened_port(smtp.TRANSPORT.open_receivers(means).values(), port):
        yield taking, port


@asynccontextmanager
async def opened_port(receivers: Iterable[Receiver], port: int) -> AsyncIterator[None]:
    """Receivers that run, once their port is open."""
    running = [asyncio.create_task(one.run()) for one in receivers]
    for _ in range(200):
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            break
        except OSError:
            await asyncio.sleep(0.01)
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def mail(*attachments: tuple[bytes, str], text: str = "", message_id: str = "<1@acme.example>") -> bytes:
    """A mail with attachments, each with its file name."""
    made = EmailMessage(policy=policy.SMTP)
    made["From"], made["To"], made["Message-ID"] = "x@acme.example", MAILBOX, message_id
    made.set_content(text)
    for content, name in attachments:
        made.add_attachment(content, "application", "edifact", filename=name)
    return made.as_bytes()


async def post(
    port: int, content: bytes, *, password: str = KEY, to: Sequence[str] = (MAILBOX,), **options: Any
) -> str:
    """One mail; the server's last word, or its refusal's."""
    login: dict[str, Any] = {"username": "acme", "password": password} if password else {}
    client = aiosmtplib.SMTP(hostname="localhost", port=port, timeout=10, **{"start_tls": False, **login, **options})
    try:
        async with client:
            _, said = await client.sendmail("x@acme.example", list(to), content)
    except aiosmtplib.SMTPRecipientsRefused as error:
        return f"{error.recipients[0].code} {error.recipients[0].message}"
    except aiosmtplib.SMTPResponseException as error:
        return f"{error.code} {error.message}"
    return f"250 {said}"


async def test_each_attachment_is_a_payload(tmp_path: Path):
    """Two attachments beside some words are two payloads of the partner whose key it is, byte for byte, with their names."""
    async with mailbox(tmp_path) as (taking, port):
        said = await post(port, mail((BODY, "a.edi"), (bytes(range(256)), "b.edi"), text="Good day"))
    assert said == "250 2.0.0 Kept as payload1 payload2"
    assert taking.contents == [BODY, bytes(range(256))]
    assert [
        (one.partner_id, one.transport, one.transport_id, one.filename, one.content_type) for one in taking.arrivals
    ] == [
        ("acme", "smtp", "<1@acme.example> 1", "a.edi", "application/edifact"),
        ("acme", "smtp", "<1@acme.example> 2", "b.edi", "application/edifact"),
    ]


async def test_a_mail_without_attachments_is_its_text(tmp_path: Path):
    """What stands in the mail itself is the payload where nothing is attached; an empty mail brings nothing."""
    async with mailbox(tmp_path) as (taking, port):
        assert (await post(port, mail(text="UNB+x'"))).startswith("250")
        assert await post(port, mail()) == "554 5.6.0 The mail brings nothing"
    assert [content.strip() for content in taking.contents] == [b"UNB+x'"]


async def test_who_has_not_logged_in_sends_nothing(tmp_path: Path):
    """Without a key, with a wrong one, or with one that is no text, nothing is taken."""
    async with mailbox(tmp_path) as (taking, port):
        assert (await post(port, mail((BODY, "a")), password="")).startswith("530")
        assert (await post(port, mail((BODY, "a")), password="gwk_other")).startswith("535")
        assert (await post(port, mail((BODY, "a")), password="schlüssel")).startswith("535")
    assert not taking.arrivals


@pytest.mark.parametrize(
    "changes",
    [
        {"active": False},
        {"key": {"scopes": frozenset({"read"})}},
        {"key": {"valid_until": NOW - timedelta(days=400)}},
        {"key": {"revoked_at": NOW - timedelta(days=400)}},
        {"key": {"kind": CredentialKind.TOKEN}},
    ],
    ids=str,
)
async def test_a_key_that_does_not_let_send_lets_nobody_in(tmp_path: Path, changes: dict[str, Any]):
    """An inactive partner, a key without the scope, one that is over or ended, one of another kind."""
    async with mailbox(tmp_path, **changes) as (taking, port):
        assert (await post(port, mail((BODY, "a")))).startswith("535")
    assert not taking.arrivals


async def test_nothing_is_relayed(tmp_path: Path):
    """Another recipient than our mailbox is refused, also beside it."""
    async with mailbox(tmp_path) as (taking, port):
        assert (await post(port, mail((BODY, "a")), to=["all@evil.example"])).startswith("550")
        assert (await post(port, mail((BODY, "a")), to=[MAILBOX.upper()])).startswith("250")
    assert len(taking.arrivals) == 1


async def test_test_traffic_is_known_by_its_key(tmp_path: Path):
    """A key for tests makes test payloads of what comes by mail too."""
    async with mailbox(tmp_path, key={"test": True}) as (taking, port):
        await post(port, mail((BODY, "a")))
    assert taking.arrivals[0].test


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreUnavailable(), "451 4.3.0"),
        (Overloaded(), "451 4.3.2"),
        (StorageFull(), "452 4.3.1"),
        (TransportIdReused(), "554 5.6.0"),
        (RuntimeError("a fault of ours"), "451 4.3.0"),
    ],
    ids=repr,
)
async def test_what_cannot_be_kept_is_told_apart(tmp_path: Path, error: Exception, said: str):
    """For now or for good; a fault of ours is the client's to repeat, and tells it nothing of ours."""
    async with mailbox(tmp_path) as (taking, port):
        taking.errors = [None, error]
        answer = await post(port, mail((BODY, "a"), (b"two", "b")))
        assert answer.startswith(said)
        assert "fault" not in answer
    assert list((tmp_path / "payloads").rglob("*.part")) == []


async def test_a_mail_that_is_too_large_is_refused_by_its_size(tmp_path: Path):
    """Whoever says the size beforehand sends nothing in vain, and whoever does not is refused at the end."""
    async with mailbox(tmp_path, mail_bytes=100_000) as (taking, port):
        assert (await post(port, mail((bytes(200_000), "a")))).startswith("552")
        assert (await post(port, mail((b"small", "a")))).startswith("250")
    assert len(taking.arrivals) == 1


async def test_one_connection_too_many_is_turned_away(tmp_path: Path):
    """More connections than may hold mails in memory are told to come later, and the others go on."""
    async with mailbox(tmp_path, connections=2) as (_, port):
        open_ = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, _ in open_:
            assert (await reader.readline()).startswith(b"220")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.readline()).startswith(b"421 4.3.2")
        for one in (writer, *(writer for _, writer in open_)):
            one.close()
        await asyncio.sleep(0.1)
        assert (await post(port, mail((BODY, "a")))).startswith("250")


async def test_keys_are_shown_after_tls_only(tmp_path: Path):
    """With a certificate nobody logs in before STARTTLS, and afterwards mail is taken."""
    chain, key = certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=chain)
    async with mailbox(tmp_path, plain_login=False, tls_certificate=chain, tls_key=key) as (taking, port):
        with pytest.raises(aiosmtplib.SMTPException):
            await post(port, mail((BODY, "a")))
        assert (await post(port, mail((BODY, "a")), start_tls=True, tls_context=trusted)).startswith("250")
    assert len(taking.arrivals) == 1


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"listen_port": 25}, "mailbox"),
        ({"listen_port": 25, "mailbox": MAILBOX}, "tls_certificate"),
        ({"sender": "Gateway <a@b.example>"}, "name@domain"),
        ({"tls_key": "x"}, "go together"),
    ],
)
def test_settings_that_cannot_work_are_refused(own: dict[str, Any], said: str):
    """What a setting lacks is told when the settings are read."""
    with pytest.raises(ValidationError, match=said):
        SmtpSettings(**own)


def nested(depth: int, inner: bytes = b"UNA") -> bytes:
    """A mail in which so many multiparts are within one another."""
    heads = (f'Content-Type: multipart/mixed; boundary="b{one}"\r\n\r\n--b{one}\r\n' for one in range(depth))
    return "".join(heads).encode() + b"Content-Type: application/edifact\r\n\r\n" + inner


@pytest.mark.parametrize(
    "content", [nested(400, b"-\r\n" * 100_000), nested(3000), b"Content-Type: message/rfc822\r\n\r\n" * 3000]
)
async def test_mails_within_one_another_are_refused_for_good(tmp_path: Path, content: bytes):
    """What would be read for minutes, or cannot be read at all, is answered 552, so that it does not come again."""
    async with mailbox(tmp_path) as (taking, port):
        began = time.monotonic()
        said = await post(port, content)
        assert said.startswith("552 5.3.4")
        assert time.monotonic() - began < 3
        assert await post(port, nested(10)) == "250 2.0.0 Kept as payload1"
    assert taking.contents == [b"UNA"]


async def test_a_file_name_in_no_character_set_is_none(tmp_path: Path):
    """A name that cannot be decoded keeps no attachment out."""
    content = b"Content-Type: application/edifact\r\nContent-Disposition: attachment; filename*=\1''abc%ff\r\n\r\nUNA"
    async with mailbox(tmp_path) as (taking, port):
        assert await post(port, content.replace(b"\1", b"idna")) == "250 2.0.0 Kept as payload1"
    assert not taking.arrivals[0].filename


async def test_a_long_message_id_is_known_by_its_digest(tmp_path: Path):
    """An id longer than any line is the same when it comes again, and fits the index by which it is found."""
    content = b"Message-ID: <" + b"\r\n ".join([b"a" * 900] * 9) + b"@x>\r\n\r\nUNA\r\n"
    async with mailbox(tmp_path) as (taking, port):
        for _ in range(2):
            assert (await post(port, content)).startswith("250")
    first, second = (arrival.transport_id for arrival in taking.arrivals)
    assert first == second
    assert len(first) < 100

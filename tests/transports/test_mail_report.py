"""Reports of mail servers, and receipts of partners' systems, on mails of ours."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.config import Settings, Store
from gateway.errors import CmsInvalid, DeliveryDeferred, StoreUnavailable
from gateway.model import Agreement, Credential, CredentialUse, Direction
from gateway.store.contract import Settled
from gateway.transports import smtp
from gateway.transports.base import Awaiting, Evidence, Record
from gateway.transports.cms import Own
from gateway.transports.mail_report import judge_report, read_envelope_id, read_report, write_envelope_id
from gateway.transports.mdn import Mdn, make_mdn
from gateway.transports.mime import read_entity
from gateway.transports.smtp import SmtpSender
from gateway.transports.smtp_settings import SmtpSettings
from tests.transports.conformance.kinds import free_port, means_of
from tests.transports.test_cms import own, written
from tests.transports.test_smime import ADDRESS, BINARY, NOW, certificates, entity, headed, openssl, our_keys, registry
from tests.transports.test_smtp import BODY, KEY, MAILBOX, Taking, delivery, exchanger, opened_port, post

SECRET = b"a secret of ours"
ID = "d" * 32
SENDER = "out@gateway.example"


def report(envelope_id: str, *recipients: str, kind: str = "delivery-status") -> bytes:
    """A report as RFC 3464, appendix E, has them; each recipient is the fields of its group."""
    groups = "\r\n\r\n".join(
        f"Original-Recipient: rfc822;in@acme.example\r\nFinal-Recipient: rfc822;in@acme.example\r\n{one}"
        for one in recipients
    )
    of_mail = f"Reporting-MTA: dns; relay.example\r\nOriginal-Envelope-Id: {envelope_id}\r\n"
    return (
        f"From: MAILER-DAEMON@relay.example\r\nTo: {SENDER}\r\nSubject: Report\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="RAA/rel.ay"\r\n\r\n'
        "--RAA/rel.ay\r\n\r\nThe mail was taken on.\r\n"
        f"--RAA/rel.ay\r\nContent-Type: message/{kind}\r\n\r\n{of_mail}\r\n{groups}\r\n"
        "--RAA/rel.ay\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n--RAA/rel.ay--\r\n"
    ).encode()


JUDGED = {
    "Action: delivered\r\nStatus: 2.0.0": "relayed",  # a server's word, even the last one's, is none of the recipient's
    "Action: relayed\r\nStatus: 2.1.9": "relayed",
    "Action: expanded\r\nStatus: 2.0.0": "relayed",
    "action: FAILED\r\nstatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n  No such user": "refused",
    "Action: failed\r\nStatus: 5.0.0": "refused",
    "Action: failed\r\nStatus: 4.4.7": "deferred",  # given up after tries, RFC 3463, 3.5: it may go the next time
    "Action: failed": "refused",
    "Action: delayed\r\nStatus: 4.4.1": None,  # it is still being tried
    "Action: eaten\r\nStatus: 2.0.0": None,
}
"""What a group says (RFC 3464, 2.3.3 and 2.3.4), and what that proves."""


@pytest.mark.parametrize("said", JUDGED)
def test_a_report_proves_what_its_action_says(said: str):
    """Each action has one meaning; a delay has none yet."""
    entity = read_entity(report("x", said))
    envelope_id, reports = read_report(entity)
    evidence = judge_report(reports, entity.raw)
    assert envelope_id == "x"
    assert (evidence.outcome if evidence is not None else None) == JUDGED[said]
    if "No such user" in said:
        assert evidence is not None
        assert evidence.detail == "DSN: failed 5.1.1 smtp; 550 5.1.1 No such user"


def test_one_recipient_that_failed_is_not_outvoted():
    """Of several groups the failure counts: the mail had one recipient, and somebody along the way had not."""
    _, reports = read_report(
        read_entity(report("x", "Action: delivered\r\nStatus: 2.0.0", "Action: failed\r\nStatus: 5.1.1"))
    )
    evidence = judge_report(reports, b"")
    assert evidence is not None
    assert evidence.outcome == "refused"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Content-Type: multipart/report; report-type=delivery-status\r\n\r\n--x--",
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n\r\n--x\r\n\r\nwords\r\n--x--',
    ],
)
def test_what_is_no_report_is_told(content: bytes):
    """A mail without the fields of a report proves nothing."""
    with pytest.raises(CmsInvalid):
        read_report(read_entity(content))


@given(st.binary(max_size=400))
def test_whatever_a_report_holds_is_read(fields: bytes):
    """No fields of a report raise anything."""
    raw = report("x", "Action: failed").replace(b"Action: failed", fields.replace(b"--RAA", b""))
    envelope_id, reports = read_report(read_entity(raw))
    judge_report(reports, raw)
    read_envelope_id(SECRET, envelope_id)


def test_an_envelope_id_is_ours_alone():
    """It is read as it was given, and with another delivery, partner, code or secret it is nobody's."""
    given_ = write_envelope_id(SECRET, ID, "acme")
    assert len(given_) <= 100  # RFC 3461, 4.4
    assert read_envelope_id(SECRET, given_) == "acme"
    id_, code, partner = given_.split(".")
    forged = [
        f"{'e' * 32}.{code}.{partner}",
        f"{id_}.{code}.evil",
        f"{id_}.{code[::-1]}.{partner}",
        f"{id_}..{partner}",
        f"{id_}.{partner}",
        given_.upper(),
        "",
        "ä",
    ]
    assert [read_envelope_id(SECRET, one) for one in forged] == [""] * len(forged)
    assert read_envelope_id(b"another", given_) == ""


@pytest.mark.parametrize("partner_id", ["p" * 51, "with blank", "plus+plus", "a=b"])
def test_what_fits_no_envelope_id_has_none(partner_id: str):
    """A partner whose id is too long, or is not written in characters that stand for themselves, gets none."""
    assert write_envelope_id(SECRET, ID, partner_id) == ""


# Through the mailbox.


@dataclass
class Confirmed:
    """What was confirmed."""

    calls: list[tuple[str, str, Evidence]] = field(default_factory=list)
    error: Exception | None = None
    settled: Settled = Settled.COUNTED

    async def __call__(self, partner_id: str, reference: str, evidence: Evidence) -> Settled:
        if self.error is not None:
            raise self.error
        self.calls.append((partner_id, reference, evidence))
        return self.settled


@asynccontextmanager
async def mailbox(
    folder: Path, more: Sequence[Credential] = (), *mine: Own, **own_: Any
) -> AsyncIterator[tuple[Confirmed, Taking, int]]:
    """The gateway's mailbox; what it confirms, what it keeps, its port."""
    confirmed, taking, port = Confirmed(), Taking(), free_port()
    (folder / "secret").write_bytes(SECRET)
    given_ = {
        "listen_port": port,
        "mailbox": MAILBOX,
        "sender": SENDER,
        "plain_login": True,
        "without_login": True,
        "report_key": f"file:{folder / 'secret'}",
        "keys": our_keys(folder, *mine),
        **own_,
    }
    means = means_of(Settings(store=Store(payload_folder=folder / "payloads")), SmtpSettings(**given_), taking)
    assert smtp.TRANSPORT.open_receivers is not None
    receivers = smtp.TRANSPORT.open_receivers(replace(means, registry=registry(more), confirm=confirmed)).values()
    async with opened_port(receivers, port):
        yield confirmed, taking, port


async def test_a_report_counts_once_its_envelope_id_is_ours(tmp_path: Path):
    """From nobody, without login, to the address that mails are from: relayed, refused, and a delay that changes nothing."""
    envelope_id = write_envelope_id(SECRET, ID, "acme")
    async with mailbox(tmp_path) as (confirmed, taking, port):
        for said in ("delivered\r\nStatus: 2.0.0", "failed\r\nStatus: 5.1.1", "delayed\r\nStatus: 4.4.1"):
            mail = report(envelope_id, f"Action: {said}")
            assert await post(port, mail, password="", to=[SENDER]) == "250 2.0.0 Noted"
        assert (await post(port, report(envelope_id, "Action: delivered"), to=[MAILBOX])) == "250 2.0.0 Noted"
    assert [(partner, reference, one.outcome) for partner, reference, one in confirmed.calls] == [
        ("acme", envelope_id, "relayed"),
        ("acme", envelope_id, "refused"),
        ("acme", envelope_id, "relayed"),
    ]
    assert {one.kind for _, _, one in confirmed.calls} == {"smtp_dsn"}
    assert b"Original-Envelope-Id" in confirmed.calls[0][2].answer
    assert not taking.arrivals


@pytest.mark.parametrize("password", ["", KEY])
async def test_a_forged_report_counts_nowhere(tmp_path: Path, password: str):
    """A made-up id, one for another partner, one of another secret, none, or a report too long: refused, and nothing moves."""
    ours = write_envelope_id(SECRET, ID, "acme")
    forged = [
        ours.replace("acme", "evil"),
        ours.replace("d" * 32, "e" * 32),
        write_envelope_id(b"a guess", ID, "acme"),
        ID,
        "",
    ]
    mails = [report(one, "Action: failed\r\nStatus: 5.1.1") for one in forged]
    mails.append(report(ours, "Action: failed\r\nStatus: 5.1.1\r\nX: " + "x\r\n " * 300_000))
    async with mailbox(tmp_path) as (confirmed, taking, port):
        for mail in mails:
            assert (await post(port, mail, password=password, to=[SENDER])).startswith("550 5.7.1 This is no report")
    assert not confirmed.calls
    assert not taking.arrivals


async def test_a_report_waits_for_the_store(tmp_path: Path):
    """While what it says cannot be kept, its server is told to come again."""
    mail = report(write_envelope_id(SECRET, ID, "acme"), "Action: delivered")
    async with mailbox(tmp_path) as (confirmed, _, port):
        confirmed.error = StoreUnavailable()
        assert (await post(port, mail, password="", to=[SENDER])).startswith("451")
        confirmed.error = None
        assert (await post(port, mail, password="", to=[SENDER])).startswith("250")
    assert len(confirmed.calls) == 1


async def test_a_failure_after_all_is_told_to_the_operator(tmp_path: Path):
    """What was relayed and is reported as failed later is a line of the log; the same report twice of what is well is none."""
    envelope_id = write_envelope_id(SECRET, ID, "acme")
    async with mailbox(tmp_path) as (confirmed, _, port):
        confirmed.settled = Settled.REPEATED
        with capture_logs() as logs:
            for action in ("delivered", "failed"):
                assert (await post(port, report(envelope_id, f"Action: {action}"), password="")).startswith("250")
    told = [one for one in logs if one["event"] == "mail_failed_later"]
    assert [one["partner"] for one in told] == ["acme"]


async def test_without_a_secret_no_report_is_known(tmp_path: Path):
    """Where no secret is set nobody can have been given an envelope id, not even one of an empty secret."""
    async with mailbox(tmp_path, report_key="") as (confirmed, _, port):
        mail = report(write_envelope_id(b"", ID, "acme"), "Action: failed")
        assert (await post(port, mail, password="", to=[SENDER])).startswith("550")
    assert not confirmed.calls


# Sent.


async def sent(folder: Path, mine: Own, **options: str) -> tuple[Evidence | Awaiting, bytes]:
    """What a sending came to, and the mail as a server got it."""
    (folder / "secret").write_bytes(SECRET)
    async with exchanger() as (peer, port):
        own_ = {
            "sender": SENDER,
            "mailbox": MAILBOX,
            "relay": "localhost",
            "relay_port": int(port),
            "relay_security": "none",
            "report_key": f"file:{folder / 'secret'}",
            "keys": our_keys(folder, mine),
        }
        agreement = Agreement("out", "acme", Direction.OUT, "*", "json:response:1", "smtp", {"to": ADDRESS, **options})
        means = replace(means_of(Settings(), SmtpSettings(**own_), Taking()), registry=registry([]))
        came_to = await SmtpSender(means, allow_private=True).send(delivery(), agreement, Record())
    return came_to, peer.envelopes[0].original_content or b""


async def test_a_relay_that_reports_on_nothing_has_relayed(tmp_path: Path):
    """Where the relay knows no reports (RFC 3461) none is waited for: its 250 is all that will be known."""
    came_to, _ = await sent(tmp_path, own("us-rsa"), report="dsn")
    assert isinstance(came_to, Evidence)
    assert (came_to.outcome, came_to.kind) == ("relayed", "smtp_250")


async def test_reports_need_a_secret(tmp_path: Path):
    """Without one the delivery waits for the operator, and names the setting."""
    agreement = Agreement(
        "out", "acme", Direction.OUT, "*", "json:response:1", "smtp", {"to": ADDRESS, "report": "dsn"}
    )
    means = replace(means_of(Settings(), SmtpSettings(sender=SENDER), Taking()), registry=registry([]))
    with pytest.raises(DeliveryDeferred, match=r"transports\.smtp\.report_key"):
        await SmtpSender(means).send(delivery(), agreement, Record())


async def receipt_of(folder: Path, mail: bytes, mine: Own, **changes: Any) -> Mdn:
    """The receipt of a partner who has verified the mail with OpenSSL, and hashes what came out."""
    chain, _ = written(folder, mine)
    signed = openssl("cms", "-verify", "-CAfile", chain, "-purpose", "any", input_=mail)
    headers = read_entity(mail).headers
    said = Mdn(str(headers["Message-ID"]), "processed", hashlib.sha256(signed).digest(), "sha256", "Thank you")
    return replace(said, **changes)


def receipt_mail(mdn: Mdn, signer: Own | None, from_: str = ADDRESS) -> bytes:
    """A receipt as a mail."""
    headers, body = make_mdn(mdn, ADDRESS, "their system", signer, "sha256", NOW)
    head = {"From": from_, "To": MAILBOX, "Message-ID": "<mdn@acme.example>", "MIME-Version": "1.0", **headers}
    return "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + b"\r\n" + body


async def test_a_signed_receipt_is_delivery(tmp_path: Path):
    """The MDN that the partner's system has signed names the mail and what was signed in it: the recipient has it."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    came_to, mail = await sent(tmp_path, mine, report="receipt", sign="sha256")
    headers = read_entity(mail).headers
    assert isinstance(came_to, Awaiting)
    assert came_to.reference == headers["Message-ID"]
    assert came_to.until > NOW + timedelta(hours=119)
    assert headers["Disposition-Notification-To"] == MAILBOX
    assert "signed-receipt-micalg=required, sha-256" in headers["Disposition-Notification-Options"].replace("\r\n", "")
    said = await receipt_of(tmp_path, mail, mine)
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (confirmed, taking, port):
        assert await post(port, receipt_mail(said, theirs), password="") == "250 2.0.0 Noted"
    ((partner, reference, evidence),) = confirmed.calls
    assert (partner, reference) == ("acme", came_to.reference)
    assert (evidence.outcome, evidence.kind) == ("delivered", "smtp_mdn")
    assert b"Received-Content-MIC" in evidence.answer
    assert not taking.arrivals


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"disposition": "error: decryption-failed"}, "refused"),
        ({"disposition": "error: unexpected-processing-error"}, "deferred"),
        ({"mic": hashlib.sha256(BODY).digest()}, "deferred"),  # it has another content
        ({"mic": b""}, "deferred"),
    ],
)
async def test_a_receipt_that_says_otherwise_is_none(tmp_path: Path, changes: dict[str, Any], outcome: str):
    """What the partner could not read is refused; a receipt for another content lets the mail go again."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    _, mail = await sent(tmp_path, mine, report="receipt", sign="sha256")
    said = await receipt_of(tmp_path, mail, mine, **changes)
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (confirmed, _, port):
        assert await post(port, receipt_mail(said, theirs), password="") == "250 2.0.0 Noted"
    assert [one.outcome for _, _, one in confirmed.calls] == [outcome]


@pytest.mark.parametrize("password", ["", KEY])
async def test_a_receipt_that_nobody_has_signed_is_none(tmp_path: Path, password: str):
    """Without a signature, with a stranger's, or about a mail that was none of ours, it is refused and nothing is confirmed."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    _, mail = await sent(tmp_path, mine, report="receipt", sign="sha256")
    said = await receipt_of(tmp_path, mail, mine)
    refused = {
        receipt_mail(said, None): "550 5.7.1",
        receipt_mail(said, own("stranger")): "550 5.7.5",
        receipt_mail(replace(said, original="<1@x>"), theirs): "550 5.7.1 This is no receipt for a mail of ours",
    }
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (confirmed, taking, port):
        for content, answer in refused.items():
            assert (await post(port, content, password=password)).startswith(answer)
    assert not confirmed.calls
    assert not taking.arrivals


# Receipts of S/MIME.


def signed_receipt(folder: Path, mail: bytes, signer: Own) -> bytes:
    """The receipt that OpenSSL makes for a mail that asks for one, once its signature holds."""
    chain, key = written(folder, signer)
    made = openssl("cms", "-sign_receipt", "-signer", chain, "-inkey", key, "-md", "sha256", input_=mail)
    return headed(made, "<receipt@acme.example>")


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
async def test_openssls_receipt_is_delivery(tmp_path: Path, kind: str, digest: str):
    """A receipt that OpenSSL has made for our mail, and would verify against it, counts for the delivery that it names."""
    mine, theirs = own(f"us-{kind}", kind), own("them-rsa")
    came_to, mail = await sent(tmp_path, mine, report="receipt", sign=digest)
    assert isinstance(came_to, Awaiting)
    chain, _ = written(tmp_path, mine)
    openssl("cms", "-verify", "-CAfile", chain, "-purpose", "any", input_=mail)
    printed = openssl(
        "cms", "-verify", "-CAfile", chain, "-purpose", "any", "-receipt_request_print", input_=mail, errors=True
    )
    assert f"email:{MAILBOX}".encode() in printed.replace(b" ", b"")
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (confirmed, taking, port):
        assert await post(port, signed_receipt(tmp_path, mail, theirs), password="") == "250 2.0.0 Noted"
    ((partner, reference, evidence),) = confirmed.calls
    assert (partner, reference) == ("acme", came_to.reference)
    assert (evidence.outcome, evidence.kind) == ("delivered", "smime_receipt")
    assert not taking.arrivals


async def test_a_receipt_for_anothers_signature_is_none(tmp_path: Path):
    """By a stranger, for a signature that is not ours, or one that was changed: refused, and nothing is confirmed."""
    mine, theirs, stranger = own("us-rsa"), own("them-rsa"), own("stranger")
    _, ours = await sent(tmp_path, mine, report="receipt", sign="sha256")
    _, others = await sent(tmp_path, stranger, report="receipt", sign="sha256")
    good = signed_receipt(tmp_path, ours, theirs)
    place = good.rindex(b"\r\n\r\n", 0, -8) + 4 + 300  # in the receipt itself, before the certificates that come along
    changed = good[:place] + (b"A" if good[place : place + 1] != b"A" else b"B") + good[place + 1 :]
    refused = [signed_receipt(tmp_path, ours, stranger), signed_receipt(tmp_path, others, theirs), changed]
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (confirmed, _, port):
        for content in refused:
            for password in ("", KEY):
                assert (await post(port, content, password=password)).startswith("550 5.7.")
        assert await post(port, good) == "250 2.0.0 Noted"
    assert len(confirmed.calls) == 1


async def test_a_mail_that_asks_for_a_receipt_is_taken(tmp_path: Path):
    """What partners sign beside a content, such as a request for a receipt, keeps no mail out."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    chain, key = written(tmp_path, theirs)
    asks = openssl(
        "cms", "-sign", "-signer", chain, "-inkey", key, "-md", "sha256", "-receipt_request_all", "-receipt_request_to", ADDRESS,
        input_=entity(),
    )  # fmt: skip
    async with mailbox(tmp_path, certificates((theirs, CredentialUse.SIGN)), mine) as (_, taking, port):
        assert (await post(port, headed(asks), password="")).startswith("250")
    assert taking.contents == [BINARY]

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import socket
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.errors import (
    CmsInvalid,
    DeliveryDeferred,
    DeliveryRefused,
    PayloadUnreadable,
    StoreUnavailable,
    TransportIdReused,
)
from gateway.model import Agreement, CredentialUse, Delivery, DeliveryKind, Direction, Receipt, Stage
from gateway.store.contract import Accepted, Settled
from gateway.transports import as2_receive
from gateway.transports.as2 import As2Sender
from gateway.transports.as2_message import Made, Opened, entity_of, make_message, open_message
from gateway.transports.base import Arrival, Awaiting, Evidence, Record
from gateway.transports.cms import CIPHERS, Own
from gateway.transports.mdn import Mdn, make_mdn, read_mdn
from gateway.transports.mime import Security, read_entity, split_signed
from tests.transports.as2_partner import (
    LIMITS,
    THEM,
    Inbox,
    Known,
    endpoint,
    inbox,
    known,
    make,
    means,
    post,
    theirs,
)
from tests.transports.test_cms import own, written

BODY = b"UNB+UNOA:3+A+B+260101:1200+1'\r\n\n\x00\xff--signed-\r\nUNZ+0+1'\n\r\n"
EVERY = [
    Security(sign, encrypt, compress)
    for sign, encrypt, compress in itertools.product(("", "sha256", "sha512"), ("", *CIPHERS), ("", "before", "after"))
]


# What is on the wire.


@pytest.mark.parametrize("security", EVERY, ids=str)
def test_every_combination_comes_back_to_the_byte(security: Security):
    """Signed or not, encrypted or not, compressed before or after: the payload is what it was, and both sides agree on the MIC."""
    made = make_message(
        BODY, "application/EDI-X12", "a.x12", security, own("us-rsa"), theirs().certificate, datetime.now(UTC)
    )
    opened = open_message(entity_of(made.headers, made.body), [theirs()], [own("us-rsa").certificate], **LIMITS)
    assert (opened.payload, opened.content_type, opened.filename) == (BODY, "application/edi-x12", "a.x12")
    assert hashlib.new(made.digest, opened.over).digest() == made.mic
    assert (opened.signed is not None, opened.encrypted, opened.compressed) == (
        bool(security.sign), bool(security.encrypt), bool(security.compress),
    )  # fmt: skip


def test_the_mic_is_over_what_the_standard_says():
    """Of what is signed over the signed entity, of what is encrypted over the entity, of plain data over the data alone."""
    bare = (
        b'Content-Type: application/EDIFACT\r\nContent-Transfer-Encoding: binary\r\nContent-Disposition: attachment; filename="a.edi"\r\n\r\n'
        + BODY
    )
    over = {
        Security(): BODY,  # RFC 4130, 7.3.1: without MIME headers
        Security(encrypt="aes128-cbc"): bare,
        Security(sign="sha256"): bare,
        Security(sign="sha256", compress="after", encrypt="aes256-gcm"): bare,
        Security(compress="before"): bare,  # RFC 5402, 4.3: before compression, with its headers
    }
    for security, content in over.items():
        assert make(BODY, security).mic == hashlib.sha256(content).digest(), security
    made = make(BODY, Security(sign="sha256", compress="before"))
    content, _ = split_signed(entity_of(made.headers, made.body))
    assert b"compressed-data" in content
    assert made.mic == hashlib.sha256(content).digest()


def test_openssl_verifies_our_message_whole(tmp_path: Path):
    """A signed message as it goes over the wire, and the envelope around it, are taken by OpenSSL as S/MIME."""
    chain, _ = written(tmp_path, own("us-rsa"))
    made = make_message(
        b"UNB+x'\r\n", "application/EDIFACT", "a.edi", Security("sha256"), own("us-rsa"), None, datetime.now(UTC)
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in made.headers.items()).encode()
    (tmp_path / "mail").write_bytes(b"MIME-Version: 1.0\r\n" + head + b"\r\n" + made.body)
    command = ["openssl", "cms", "-verify", "-in", "mail", "-CAfile", str(chain), "-purpose", "any"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=30)
    assert done.stdout.endswith(b"UNB+x'\r\n")


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("preamble", [b"", b"This is a signed message."])
def test_a_signed_part_is_taken_as_it_came(line_end: bytes, preamble: bytes):
    """Whatever line ends a sender writes, and whatever stands before the first boundary, the content is its bytes."""
    content = b"Content-Type: text/plain" + line_end * 2 + b"data" + line_end
    mark = line_end + b"--b"
    head = preamble + mark if preamble else b"--b"
    body = (
        head
        + line_end
        + content
        + mark
        + line_end
        + b"Content-Type: application/pkcs7-signature"
        + line_end * 2
        + b"sig"
        + mark
        + b"--"
        + line_end
    )
    entity = entity_of({"Content-Type": 'multipart/signed; boundary="b"'}, body)
    assert split_signed(entity) == (content, b"sig")


# Out.


def delivery(body: bytes = BODY, **changes: Any) -> Delivery:
    made = Delivery(
        id="d" * 32,
        partner_id=THEM,
        agreement_id="out",
        lane="lane",
        kind=DeliveryKind.DOCUMENT,
        document_type="clearance",
        format="edifact:CUSRES:D:96B:UN",
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
    )
    return replace(made, **changes)


async def nobody(_arrival: Arrival) -> Accepted:
    raise AssertionError("nothing comes in here")


async def send(
    folder: Path, peer: Inbox, registry: Known | None = None, mine: Any = None, **options: str
) -> Evidence | Awaiting:
    """One sending to the partner."""
    given = means(folder, nobody, registry, mine)
    sender = As2Sender(given, allow_private=True)
    agreement = Agreement(
        "out", THEM, Direction.OUT, "*", "json:response:1", "as2", {**peer.options, **options}, attempt_timeout=10
    )
    try:
        return await sender.send(delivery(), agreement, Record())
    finally:
        await sender.close()


@pytest.mark.parametrize("compress", ["", "before", "after"])
@pytest.mark.parametrize("encrypt", ["", "aes256-gcm"])
@pytest.mark.parametrize("sign", ["", "sha384"])
@pytest.mark.parametrize("mdn", ["signed", "plain"])
async def test_an_mdn_with_the_right_mic_is_delivery(tmp_path: Path, sign: str, encrypt: str, compress: str, mdn: str):
    """Whatever was agreed, the partner has the bytes, and its MDN, kept as it came, is the proof."""
    async with inbox() as peer:
        evidence = await send(tmp_path, peer, sign=sign, encrypt=encrypt, compress=compress, mdn=mdn)
    assert isinstance(evidence, Evidence)
    assert (evidence.outcome, evidence.kind) == ("delivered", "as2_mdn")
    assert peer.taken == [("d" * 32, BODY)]
    assert (b"pkcs7-signature" in evidence.answer) == (mdn == "signed")
    assert b"disposition-notification" in evidence.answer


def other_mic(peer: Inbox, request: web.Request, opened: Opened) -> web.Response:
    return peer.mdn(request, opened, mic=hashlib.sha256(b"else").digest())


def no_mic(peer: Inbox, request: web.Request, opened: Opened) -> web.Response:
    return peer.mdn(request, opened, mic=b"", digest="")


def unsigned(_peer: Inbox, request: web.Request, opened: Opened) -> web.Response:
    said = Mdn(request.headers["Message-ID"], "processed", hashlib.sha256(opened.over).digest(), "sha256")
    headers, body = make_mdn(said, THEM, "acme", None, "sha256", datetime.now(UTC))
    return web.Response(body=body, headers=headers)


def by_a_stranger(peer: Inbox, request: web.Request, opened: Opened) -> web.Response:
    peer.signer = own("stranger")
    return peer.mdn(request, opened)


def about_another(peer: Inbox, request: web.Request, opened: Opened) -> web.Response:
    return peer.mdn(request, opened, original="<other@acme>")


def half(peer: Inbox, request: web.Request, opened: Opened) -> web.Response:
    whole = peer.mdn(request, opened)
    assert isinstance(whole.body, bytes)
    return web.Response(
        body=whole.body[: len(whole.body) // 2], headers={"Content-Type": whole.headers["Content-Type"]}
    )


def changed(peer: Inbox, request: web.Request, opened: Opened) -> web.Response:
    whole = peer.mdn(request, opened, disposition="error: decryption-failed")
    assert isinstance(whole.body, bytes)
    body = whole.body.replace(b"processed/error: decryption-failed", b"processed")
    return web.Response(body=body, headers={"Content-Type": whole.headers["Content-Type"]})


@pytest.mark.parametrize(
    "reply",
    [
        other_mic,
        no_mic,
        unsigned,
        by_a_stranger,
        about_another,
        half,
        changed,
        lambda *_: web.Response(),
        lambda *_: web.Response(text="Thank you, we have it"),
        lambda *_: web.Response(body=b"\xff" * 100_000),
        lambda *_: web.Response(status=302, headers={"Location": "/elsewhere"}),
        lambda *_: web.Response(status=500),
        lambda *_: web.Response(status=404),
    ],
    ids=lambda reply: reply.__name__,
)
async def test_what_is_no_proof_is_no_delivery(tmp_path: Path, reply: Any):
    """Another MIC, none, no signature, a stranger's, about another message, half, changed, garbage: it is sent again."""
    async with inbox() as peer:
        peer.reply = reply
        with pytest.raises(DeliveryDeferred):
            await send(tmp_path, peer)


@pytest.mark.parametrize(
    ("disposition", "error"),
    [
        ("error: decryption-failed", DeliveryRefused),
        ("error: authentication-failed", DeliveryRefused),
        ("error: integrity-check-failed", DeliveryRefused),
        ("failure: unsupported format", DeliveryRefused),
        ("error: unexpected-processing-error", DeliveryDeferred),
    ],
)
async def test_an_mdn_that_refuses_is_told_apart(tmp_path: Path, disposition: str, error: type[Exception]):
    """What is wrong with the message waits for an operator; what the partner's system could not do is tried again."""
    async with inbox() as peer:
        peer.disposition = disposition
        with pytest.raises(error) as caught:
            await send(tmp_path, peer)
    assert type(caught.value) is error
    assert disposition in str(caught.value)


async def test_a_warning_is_delivery(tmp_path: Path):
    """A partner that has it already and says so has it."""
    async with inbox() as peer:
        peer.disposition = "warning: duplicate-document"
        evidence = await send(tmp_path, peer)
    assert isinstance(evidence, Evidence)
    assert "duplicate-document" in evidence.detail


async def test_each_attempt_has_one_message_id(tmp_path: Path):
    """A repetition can be told by the partner, also of a message that is signed and encrypted anew each time."""
    async with inbox() as peer:
        for _ in range(2):
            await send(tmp_path, peer, encrypt="aes128-gcm")
    first, second = [headers["Message-ID"] for headers in peer.headers]
    assert first == second


async def test_an_mdn_that_comes_later_is_awaited(tmp_path: Path):
    """The answer is only that the message is there; the delivery waits for the MDN, by a reference that names its MIC."""
    async with inbox() as peer:
        peer.reply = lambda *_: web.Response()
        waits = await send(tmp_path, peer, mode="async")
    assert isinstance(waits, Awaiting)
    mic = hashlib.sha256(peer.opened[0].over).hexdigest()
    assert waits.reference == f"<{'d' * 32}.sha256.{mic}@GATEWAY-AS2>"
    assert peer.headers[0]["Receipt-Delivery-Option"] == "http://gateway.example/as2"


async def test_a_partner_without_a_certificate_is_sent_nothing(tmp_path: Path):
    """Encryption that was agreed is never left out."""
    async with inbox() as peer:
        with pytest.raises(DeliveryDeferred, match="no valid certificate"):
            await send(tmp_path, peer, registry=Known([(theirs().certificate, CredentialUse.SIGN)]))
    assert not peer.opened


def ended(name: str) -> Own:
    """A certificate that is over."""
    key = rsa.generate_private_key(65537, 2048)
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(named, named, key.public_key(), 9, now - timedelta(days=9), now - timedelta(days=1))
    return Own(made.sign(key, hashes.SHA256()), key)


async def test_certificates_overlap_in_every_look_up(tmp_path: Path):
    """While a partner moves from one certificate to the next both count; one that is over counts no more."""
    old, new = own("old"), own("new")
    both = Known([(one.certificate, use) for one in (old, new) for use in (CredentialUse.SIGN, CredentialUse.ENCRYPT)])
    async with inbox() as peer:
        for signer in (old, new):
            peer.signer = signer
            peer.reply = lambda peer, request, opened: peer.mdn(request, opened)
            assert isinstance(await send(tmp_path, peer, registry=both, encrypt=""), Evidence)
        over = ended("over")
        peer.signer = over
        with pytest.raises(DeliveryDeferred, match="none of the partner's"):
            await send(tmp_path, peer, registry=known((over.certificate, CredentialUse.SIGN)))


async def test_our_own_certificates_overlap(tmp_path: Path):
    """We sign with the one that became valid last, and open what is encrypted for any of ours; without a valid one we wait."""
    async with inbox() as peer:
        await send(tmp_path / "a", peer, mine=[ended("us-old"), own("us-rsa")], encrypt="")
        assert peer.opened[0].signed is not None
        with pytest.raises(DeliveryDeferred, match="No certificate of ours is valid"):
            await send(tmp_path / "b", peer, mine=[ended("us-old")])


# In.


class Taking:
    """An intake that keeps what comes once, and raises what it is told."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.arrivals: list[Arrival] = []
        self.error: Exception | None = None
        self.confirmed: list[tuple[str, str, Evidence]] = []

    async def __call__(self, arrival: Arrival) -> Accepted:
        if self.error is not None:
            raise self.error
        body = arrival.path.read_bytes() if arrival.path is not None else arrival.body
        duplicate = arrival.transport_id in self.kept
        if duplicate and self.kept[arrival.transport_id] != body:
            raise TransportIdReused
        self.kept[arrival.transport_id] = body
        if not duplicate:
            self.arrivals.append(arrival)
        return Accepted("p1", Receipt(1, Stage.RECEIVED, "p1", b"{}"), duplicate)

    async def confirm(self, partner_id: str, reference: str, evidence: Evidence) -> Settled:
        self.confirmed.append((partner_id, reference, evidence))
        return Settled.COUNTED


def mdn_of(status: int, headers: dict[str, str], body: bytes, *, signed: bool = True) -> Any:
    """The MDN that an answer is, signed by us."""
    assert status == 200, body
    return read_mdn(entity_of(headers, body), [own("us-rsa").certificate] if signed else [], signed=signed)


@pytest.mark.parametrize("security", [one for one in EVERY if one.sign], ids=str)
async def test_what_holds_is_kept_and_proven(tmp_path: Path, security: Security):
    """However a signed message is wrapped, its payload is kept, and the MDN has the sender's own MIC."""
    taking, made = Taking(), make(BODY, security)
    async with endpoint(means(tmp_path, taking)) as url:
        mdn = mdn_of(*await post(url, made, "<1@acme>"))
    assert (mdn.original, mdn.disposition, mdn.digest) == ("<1@acme>", "processed", made.digest)
    assert mdn.confirms(made.mic)
    (arrival,) = taking.arrivals
    assert (arrival.partner_id, arrival.transport, arrival.transport_id) == (THEM, "as2", "<1@acme>")
    assert taking.kept["<1@acme>"] == BODY


async def test_a_repeat_gets_the_same_mdn_to_the_byte(tmp_path: Path):
    """A message that comes again is kept once, and its sender gets the MDN that it missed, with every byte as it was."""
    taking, made = Taking(), make(BODY)
    async with endpoint(means(tmp_path, taking)) as url:
        answers = [await post(url, made, "<1@acme>") for _ in range(3)]
    plain = [(status, {n: v for n, v in headers.items() if n != "Date"}, body) for status, headers, body in answers]
    assert plain[0] == plain[1] == plain[2]
    assert len(taking.arrivals) == 1


async def test_one_id_with_another_content_is_refused(tmp_path: Path):
    """Whoever uses a Message-ID again for something else is told so, and the first one stays."""
    taking = Taking()
    async with endpoint(means(tmp_path, taking)) as url:
        await post(url, make(BODY), "<1@acme>")
        mdn = mdn_of(*await post(url, make(b"something else"), "<1@acme>"))
    assert mdn.disposition == "error: unexpected-processing-error"
    assert taking.kept["<1@acme>"] == BODY


async def test_no_mdn_leaves_before_the_commit(tmp_path: Path):
    """What cannot be kept just now is no answer of ours: the sender comes again, and no MDN says that we have it."""
    taking = Taking()
    taking.error = StoreUnavailable()
    given = means(tmp_path, taking)
    async with endpoint(given) as url:
        status, _, body = await post(url, make(BODY), "<1@acme>")
        assert (status, body) == (500, b"StoreUnavailable")
        assert await given.replies.find(THEM, "<1@acme>") is None
        taking.error = None
        assert mdn_of(*await post(url, make(BODY), "<1@acme>")).disposition == "processed"


def tampered() -> Any:
    made = make(BODY, Security("sha256"))
    return replace(made, body=made.body.replace(b"UNZ+0", b"UNZ+1"))


@pytest.mark.parametrize(
    ("made", "disposition"),
    [
        (lambda: make(BODY, Security("sha256"), signer=own("stranger")), "error: authentication-failed"),
        (tampered, "error: integrity-check-failed"),
        (lambda: make(BODY, Security()), "error: insufficient-message-security"),
        (lambda: make(BODY, Security(encrypt="aes256-cbc")), "error: insufficient-message-security"),
        (lambda: replace(make(BODY), body=make(BODY).body[:-60]), "error: decryption-failed"),
        (lambda: make(bytes(300 << 20), Security("sha256", compress="before")), "error: decompression-failed"),
        (
            lambda: replace(make(BODY, Security("sha256")), headers={"Content-Type": "multipart/signed"}),
            "error: authentication-failed",
        ),
    ],
    ids=["stranger", "tampered", "plain", "unsigned", "cut", "bomb", "no boundary"],
)
async def test_what_does_not_hold_is_told_by_an_mdn(tmp_path: Path, made: Any, disposition: str):
    """Each fault in AS2's own words, signed by us, without a MIC; nothing is kept."""
    taking = Taking()
    async with endpoint(means(tmp_path, taking)) as url:
        mdn = mdn_of(*await post(url, await asyncio.to_thread(made), "<1@acme>"))
    assert (mdn.disposition, mdn.mic) == (disposition, b"")
    assert not taking.arrivals


@pytest.mark.parametrize(
    "headers",
    [
        {"AS2_From": "stranger"},
        {"AS2_From": ""},
        {"AS2_From": 'a"b'},
        {"AS2_To": "somebody else"},
        {"AS2_To": ""},
        {"Message_ID": ""},
        {"Message_ID": "no brackets"},
        {"Message_ID": "<" + "x" * 300 + ">"},
    ],
    ids=str,
)
async def test_bad_headers_get_an_mdn(tmp_path: Path, headers: dict[str, str]):
    """Who cannot be told, or speaks to nobody, or names no message, gets an MDN that says so, and no error page."""
    taking = Taking()
    async with endpoint(means(tmp_path, taking)) as url:
        message_id = headers.pop("Message_ID", "<1@acme>")
        mdn = mdn_of(*await post(url, make(BODY), message_id, **headers))
    assert mdn.disposition == "error: authentication-failed"
    assert not taking.arrivals


async def test_an_inactive_partner_is_nobody(tmp_path: Path):
    """A partner that was shut out sends nothing, and learns no more than a stranger."""
    taking = Taking()
    inactive = Known([(theirs().certificate, CredentialUse.SIGN)], active=False)
    async with endpoint(means(tmp_path, taking, inactive)) as url:
        assert mdn_of(*await post(url, make(BODY), "<1@acme>")).disposition == "error: authentication-failed"
    assert not taking.arrivals


@pytest.mark.parametrize(
    ("options", "disposition"),
    [
        (
            "signed-receipt-protocol=required, pkcs7-signature; signed-receipt-micalg=required, md5, sha1",
            "failure: unsupported mic-algorithms",
        ),
        (
            "signed-receipt-protocol=required, pkcs7-signature; signed-receipt-micalg=optional, sha1, sha-512",
            "processed",
        ),
        ("signed-receipt-protocol=required, pkcs7-signature", "processed"),
    ],
)
async def test_mic_algorithms_are_taken_from_the_senders_list(tmp_path: Path, options: str, disposition: str):
    """One that is taken, in whatever place of the list, will do; where none is, the sender is told."""
    async with endpoint(means(tmp_path, Taking())) as url:
        mdn = mdn_of(*await post(url, make(BODY), "<1@acme>", Disposition_Notification_Options=options))
    assert mdn.disposition == disposition


@pytest.mark.parametrize(
    ("listed", "taken"),
    [("sha-512, sha-256", "sha-512"), ("sha-256, sha-512", "sha-256"), ("md5, sha384, sha-256", "sha-384")],
)
async def test_an_mdn_is_signed_by_the_first_digest_of_the_senders_list(tmp_path: Path, listed: str, taken: str):
    """The sender's order counts, left to right; the MIC stays by the digest that the message was signed with."""
    options = f"signed-receipt-protocol=required, pkcs7-signature; signed-receipt-micalg=required, {listed}"
    made = make(BODY, Security("sha256"))
    async with endpoint(means(tmp_path, Taking())) as url:
        answer = await post(url, made, "<1@acme>", Disposition_Notification_Options=options)
    mdn = mdn_of(*answer)
    assert f"micalg={taken};" in answer[1]["Content-Type"]
    assert (mdn.digest, mdn.confirms(made.mic)) == ("sha256", True)


async def test_an_mdn_is_signed_where_that_is_asked_for(tmp_path: Path):
    """Without the request for a signature the MDN is plain, and without that for an MDN there is none."""
    async with endpoint(means(tmp_path, Taking())) as url:
        plain = await post(url, make(BODY), "<1@acme>", Disposition_Notification_Options="")
        none = await post(url, make(BODY), "<2@acme>", Disposition_Notification_To="")
    assert mdn_of(*plain, signed=False).disposition == "processed"
    with pytest.raises(CmsInvalid):
        mdn_of(*plain)
    assert (none[0], none[2]) == (200, b"")


async def test_an_mdn_goes_where_it_is_asked_to(tmp_path: Path):
    """An MDN for later is posted to the address that the message names, and the answer to the message is empty."""
    async with inbox() as peer, endpoint(means(tmp_path, Taking())) as url:
        came: list[bytes] = []

        async def take(request: web.Request) -> web.Response:
            came.append(await request.read())
            return web.Response()

        peer.handle = take  # type: ignore[method-assign]
        app = web.Application()
        app.router.add_post("/mdn", take)
        runner = web.AppRunner(app, shutdown_timeout=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        later = f"http://127.0.0.1:{runner.addresses[0][1]}/mdn"
        status, _, body = await post(url, make(BODY), "<1@acme>", Receipt_Delivery_Option=later)
        assert (status, body) == (200, b"")
        for _ in range(200):
            if came:
                break
            await asyncio.sleep(0.01)
        await runner.cleanup()
    assert b"disposition-notification" in came[0]


async def test_nobody_is_knocked_at_for_a_stranger(tmp_path: Path):
    """Whoever only claims a partner's name gets the MDN as the answer, and has us post to no address."""
    async with inbox() as peer, endpoint(means(tmp_path, Taking())) as url:
        stranger = make(BODY, Security("sha256"), signer=own("stranger"))
        mdn = mdn_of(*await post(url, stranger, "<1@acme>", Receipt_Delivery_Option=peer.url))
        await asyncio.sleep(0.1)
        assert mdn.disposition == "error: authentication-failed"
        assert not peer.headers
        assert not peer.opened


async def test_payloads_that_are_refused_are_told(tmp_path: Path):
    """What the intake refuses for good is the partner's to know."""
    taking = Taking()
    taking.error = PayloadUnreadable("The payload is empty.")
    async with endpoint(means(tmp_path, taking)) as url:
        mdn = mdn_of(*await post(url, make(b""), "<1@acme>"))
    assert mdn.disposition == "error: unexpected-processing-error"


# MDNs that come later.


async def later(tmp_path: Path, reference: str, signer: Own | None, **changes: Any) -> tuple[int, Taking]:
    """An MDN about a message of ours, posted to us."""
    taking = Taking()
    given = replace(means(tmp_path, taking), confirm=taking.confirm)
    mic = bytes.fromhex(reference.split(".")[2].split("@", maxsplit=1)[0])
    said = replace(Mdn(reference, "processed", mic, "sha256", "Thank you"), **changes)
    headers, body = make_mdn(said, THEM, "acme", signer, "sha256", datetime.now(UTC))
    made = Made(headers, body, "sha256", b"")
    async with endpoint(given) as url:
        status, _, _ = await post(
            url, made, "<mdn@acme>", Disposition_Notification_To="", Disposition_Notification_Options=""
        )
    return status, taking


REFERENCE = f"<{'d' * 32}.sha256.{hashlib.sha256(b'over').hexdigest()}@GATEWAY-AS2>"


async def test_a_later_mdn_counts(tmp_path: Path):
    """By its reference, for the partner who signed it, with the MDN as it came."""
    status, taking = await later(tmp_path, REFERENCE, theirs())
    ((partner, reference, evidence),) = taking.confirmed
    assert (status, partner, reference, evidence.outcome) == (200, THEM, REFERENCE, "delivered")
    assert b"disposition-notification" in evidence.answer


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"disposition": "error: decryption-failed", "mic": b""}, "refused"),
        ({"disposition": "error: unexpected-processing-error", "mic": b""}, "deferred"),
        ({"mic": hashlib.sha256(b"else").digest()}, "deferred"),
        ({"mic": b"", "digest": ""}, "deferred"),
    ],
    ids=str,
)
async def test_a_later_mdn_that_proves_nothing_is_no_delivery(tmp_path: Path, changes: dict[str, Any], outcome: str):
    """Another MIC or none lets the delivery be sent again; a refusal waits for the operator."""
    _, taking = await later(tmp_path, REFERENCE, theirs(), **changes)
    assert [evidence.outcome for _, _, evidence in taking.confirmed] == [outcome]


@pytest.mark.parametrize("signer", [None, "stranger"])
async def test_a_later_mdn_must_be_the_partners(tmp_path: Path, signer: str | None):
    """One without a signature, or with a stranger's, counts for nothing, and its sender is told that it does not hold."""
    status, taking = await later(tmp_path, REFERENCE, own(signer) if signer else None)
    assert (status, taking.confirmed) == (400, [])


def test_base64_of_a_mic_is_read_with_blanks_in_it():
    """Software that folds the value of a MIC still says the same MIC."""
    mic = hashlib.sha256(b"over").digest()
    text = base64.b64encode(mic).decode()
    report = (
        "--b\r\nContent-Type: message/disposition-notification\r\n\r\nOriginal-Message-ID: <1@x>\r\n"
        f"Disposition: automatic-action/MDN-sent-automatically; processed\r\nReceived-Content-MIC: {text[:20]}\r\n {text[20:]}, SHA256\r\n--b--\r\n"
    )
    mdn = read_mdn(entity_of({"Content-Type": "multipart/report; boundary=b"}, report.encode()), [], signed=False)
    assert (mdn.mic, mdn.digest) == (mic, "sha256")


@pytest.mark.parametrize("said", ["failed", "failed/warning: late", "failed/processed", "Failed/Warning"])
def test_what_failed_is_no_delivery_whatever_is_said_beside_it(said: str):
    """A disposition of type `failed` refuses, also where its modifier is one of those that deliver."""
    report = f"--b\r\nContent-Type: message/disposition-notification\r\n\r\nDisposition: a/b; {said}\r\n--b--\r\n"
    mdn = read_mdn(entity_of({"Content-Type": "multipart/report; boundary=b"}, report.encode()), [], signed=False)
    assert not mdn.has_it


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_an_entity_without_headers_is_all_body(line_end: bytes):
    """Nothing of a payload is taken for headers where an empty line says that there are none."""
    assert read_entity(line_end + b"UNA\r\n\r\nUNZ").body == b"UNA\r\n\r\nUNZ"
    assert entity_of({}, b"\r\nUNA\r\n\r\nUNZ").body == b"\r\nUNA\r\n\r\nUNZ"


@pytest.mark.parametrize(("boundary", "body"), [("-", b"-" * 20_000_000), ("b", b"\n--bX" * 4_000_000)])
def test_what_only_looks_like_a_boundary_costs_little(boundary: str, body: bytes):
    """Twenty megabytes of beginnings of boundaries are given up in a moment: whoever sends them has shown no signature yet."""
    entity = entity_of({"Content-Type": f'multipart/signed; boundary="{boundary}"'}, body)
    began = time.process_time()
    with pytest.raises(CmsInvalid):
        split_signed(entity)
    assert time.process_time() - began < 0.5


def test_a_file_name_in_no_character_set_is_none():
    """A name that cannot be decoded stops no payload."""
    raw = b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename*=\0''abc\r\n\r\nUNA"
    assert open_message(read_entity(raw), [], [], **LIMITS).filename == ""


async def test_an_mdn_of_a_strangers_is_answered_by_none(tmp_path: Path):
    """What asks for no MDN gets none, also where it names nobody: two gateways would answer one another for ever."""
    headers, body = make_mdn(Mdn("<1@x>", "processed"), THEM, "acme", theirs(), "sha256", datetime.now(UTC))
    async with endpoint(means(tmp_path, Taking())) as url:
        status, _, said = await post(
            url, Made(headers, body, "sha256", b""), "<1@x>", AS2_From="nobody", Disposition_Notification_To=""
        )
    assert status == 400
    assert b"disposition-notification" not in said


async def test_mdns_for_later_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Messages that nobody has vouched for hold no more of the gateway than so many MDNs, each of which is tried once."""
    monkeypatch.setattr(as2_receive, "MOST_UNDER_WAY", 3)
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections, and answers none
    later = f"http://127.0.0.1:{silent.getsockname()[1]}/mdn"
    before = set(as2_receive._UNDER_WAY)
    async with endpoint(means(tmp_path, Taking())) as url:
        for number in range(6):
            forged = replace(make(BODY), body=b"forged")
            assert (await post(url, forged, f"<{number}@acme>", Receipt_Delivery_Option=later))[0] == 200
        begun = as2_receive._UNDER_WAY - before
    assert len(begun) <= 3
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)
    silent.close()

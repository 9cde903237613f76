"""Mail with Postfix as the relay: what it takes from us, what it reports, and what it brings."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from gateway.config import Settings
from gateway.model import Agreement, CredentialUse, Direction
from gateway.transports.base import Awaiting, Evidence, Record
from gateway.transports.smtp import SmtpSender
from gateway.transports.smtp_settings import SmtpSettings
from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess
from tests.interop.postfix import postfix
from tests.transports.conformance.kinds import free_port, means_of
from tests.transports.test_cms import own, written
from tests.transports.test_mail_report import SECRET, SENDER, mailbox
from tests.transports.test_smime import (
    ADDRESS,
    BINARY,
    Client,
    certificates,
    entity,
    headed,
    openssl,
    our_keys,
    registry,
)
from tests.transports.test_smtp import MAILBOX, Taking, delivery, exchanger


async def until(there: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something that another program does; the test fails where it does not come."""
    for _ in range(int(seconds * 20)):
        if there():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it has not come")


async def send(folder: Path, relay: int, body: bytes = BINARY, **options: str) -> Evidence | Awaiting:
    """One delivery over the relay."""
    (folder / "secret").write_bytes(SECRET)
    settings = SmtpSettings(
        sender=SENDER,
        mailbox=MAILBOX,
        relay="127.0.0.1",
        relay_port=relay,
        relay_security="none",
        report_key=f"file:{folder / 'secret'}",
        keys=our_keys(folder, own("us-rsa")),
    )
    agreed = {"to": ADDRESS, **options}
    agreement = Agreement("out", "acme", Direction.OUT, "*", "json:response:1", "smtp", agreed, attempt_timeout=20)
    known = registry(certificates((own("them-rsa"), CredentialUse.ENCRYPT)))
    means = replace(means_of(Settings(), settings, Taking()), registry=known)
    return await SmtpSender(means).send(delivery(body), agreement, Record())


CASES: dict[str, tuple[dict[str, str], str, str]] = {
    # the word of the partner's server, how long the relay tries, what is to come of it, in what words
    "delivered": ({}, "relayed", "DSN: delivered 2."),
    "relayed": ({"DATA": "250 2.0.0 Ok: queued"}, "relayed", "DSN: relayed 2."),
    "no such user": ({"RCPT": "550 5.1.1 No such user"}, "refused", "DSN: failed 5.1.1 smtp; 550 5.1.1 No such user"),
    "refused": ({"DATA": "554 5.7.1 Not wanted"}, "refused", "DSN: failed 5.7.1 smtp; 554 5.7.1 Not wanted"),
    "given up": ({"RCPT": "450 4.2.1 Mailbox busy"}, "deferred", "DSN: failed 4.2.1 smtp; 450 4.2.1 Mailbox busy"),
}


@pytest.mark.parametrize("name", CASES)
async def test_its_reports_are_matched(tmp_path: Path, name: str):
    """The relay reports by the envelope id that we gave it, to our mailbox, without login; it is known what that means."""
    words, outcome, detail = CASES[name]
    async with exchanger() as (peer, port), mailbox(tmp_path) as (confirmed, taking, ours):
        peer.words.update(words)
        route = f"smtp:[127.0.0.1]:{port}" if words else "discard:"
        routes = {"acme.example": route, "gateway.example": f"smtp:[127.0.0.1]:{ours}"}
        with postfix(routes, lifetime="0s" if name == "given up" else "1h") as relay:
            came_to = await send(tmp_path, relay, report="dsn")
            assert isinstance(came_to, Awaiting)
            assert "queued as" in came_to.detail
            await until(lambda: confirmed.calls)
    ((partner, reference, evidence),) = confirmed.calls
    assert (partner, reference) == ("acme", came_to.reference)
    assert (evidence.outcome, evidence.kind) == (outcome, "smtp_dsn")
    assert evidence.detail.startswith(detail)
    assert b"Original-Envelope-Id: " + reference.encode() in evidence.answer
    assert not taking.arrivals


async def test_what_is_sealed_comes_through_it_unharmed(tmp_path: Path):
    """Signed and encrypted mail of ours, relayed twice, opens and verifies with OpenSSL at the other end, byte for byte."""
    async with exchanger() as (peer, port):
        with postfix({"acme.example": f"smtp:[127.0.0.1]:{port}"}) as relay:
            came_to = await send(tmp_path, relay, sign="sha256", encrypt="aes256-gcm")
            assert isinstance(came_to, Evidence)
            assert came_to.outcome == "relayed"
            await until(lambda: peer.envelopes)
    mail = peer.envelopes[0].original_content or b""
    assert b"Received: " in mail
    chain, key = written(tmp_path, own("them-rsa"))
    ours, _ = written(tmp_path, own("us-rsa"))
    signed = openssl("cms", "-decrypt", "-recip", chain, "-inkey", key, input_=mail)
    content = openssl("cms", "-verify", "-CAfile", ours, "-purpose", "any", input_=signed)
    assert message_from_bytes(content, policy=policy.default).get_payload(decode=True) == BINARY


@pytest.mark.parametrize("holds", [True, False])
async def test_it_brings_what_partners_have_signed(tmp_path: Path, *, holds: bool):
    """A partner's mail over its own server, without login: kept where its signature holds; else the sender gets the reason."""
    mine, theirs = own("us-rsa"), own("them-rsa")
    client = Client(tmp_path, theirs if holds else own("stranger"), mine)
    mail = headed(client.sign(entity()))
    known = certificates((theirs, CredentialUse.SIGN))
    async with exchanger() as (peer, port), mailbox(tmp_path, known, mine) as (_, taking, ours):
        routes = {"acme.example": f"smtp:[127.0.0.1]:{port}", "gateway.example": f"smtp:[127.0.0.1]:{ours}"}
        with postfix(routes) as relay:
            async with aiosmtplib.SMTP(hostname="127.0.0.1", port=relay, start_tls=False) as submitter:
                await submitter.sendmail(ADDRESS, [MAILBOX], mail)
            await until(lambda: taking.arrivals if holds else peer.envelopes)
    assert taking.contents == ([BINARY] if holds else [])
    if not holds:
        bounce: Any = message_from_bytes(peer.envelopes[0].original_content or b"", policy=policy.default)
        assert "The signer's certificate is none of the partner's." in " ".join(bounce.as_string().split())


@pytest.mark.slow
async def test_a_delivery_is_relayed_once_its_report_has_come(tmp_path: Path):
    """In a running gateway: the bureau's mail waits, the relay's report comes to our mailbox, and the receipt tells of it."""
    (tmp_path / "secret").write_bytes(SECRET)
    ours = free_port()
    with postfix({"acme.example": "discard:", "gateway.example": f"smtp:[127.0.0.1]:{ours}"}) as relay:
        (tmp_path / "gateway.toml").write_text(
            f'[transports.smtp]\nsender = "{SENDER}"\nmailbox = "{MAILBOX}"\nrelay = "127.0.0.1"\nrelay_port = {relay}\n'
            f'relay_security = "none"\nlisten_port = {ours}\nplain_login = true\nwithout_login = true\n'
            f'report_key = "file:{tmp_path / "secret"}"\n'
        )
        known = partners("http://bureau").replace(
            'options = { url = "http://bureau" }',
            f'transport = "smtp"\noptions = {{ to = "{ADDRESS}", report = "dsn" }}',
        )
        gateway = GatewayProcess(tmp_path, known, {"GATEWAY_CONFIG": str(tmp_path / "gateway.toml")})
        await asyncio.to_thread(gateway.start)
        status, _ = await asyncio.to_thread(gateway.post, "acme", declaration(1))
        assert status == 202
        await until(lambda: rows(tmp_path, "SELECT 1 FROM deliveries_done WHERE partner_id = 'bureau'"))
        assert await asyncio.to_thread(gateway.stop) == 0
    assert rows(tmp_path, "SELECT state FROM deliveries_done WHERE partner_id = 'bureau'") == [("relayed",)]
    ((outcome, detail),) = rows(
        tmp_path,
        "SELECT a.outcome, a.detail FROM attempts a JOIN deliveries_done d ON d.id = a.delivery_id WHERE d.partner_id = 'bureau'",
    )
    assert outcome == "relayed"
    assert detail.startswith("DSN: delivered 2.")


def rows(folder: Path, query: str) -> list[Any]:
    """What the gateway's database holds."""
    with closing(sqlite3.connect(folder / "gateway.db")) as database:
        return database.execute(query).fetchall()

"""What attempts tell of the wire: where they went, what was said and heard, and never a secret."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from gateway.config import Settings
from gateway.errors import DeliveryDeferred
from gateway.model import Agreement, Direction
from gateway.transports.base import SECRET, Record, public_address
from gateway.transports.folder import FolderSender
from gateway.transports.posting import ANSWER_LENGTH, Poster
from gateway.transports.smtp import SmtpSender
from gateway.transports.smtp_settings import SmtpSettings
from tests.transports.conformance.kinds import means_of
from tests.transports.test_http import raw_recipient, recipient
from tests.transports.test_smtp import Taking


@pytest.mark.parametrize("name", [*sorted(SECRET), "Authorization", "SET-COOKIE"])
def test_secrets_are_left_out(name: str):
    """Of what is sent and of what is answered, however the header is written; its name stays."""
    record = Record()
    record.tell_sent("https://x/", ((name, "hunter2"), ("Accept", "a")))
    record.tell_answered("200 OK", ((name, "hunter2"),))
    told = record.transcript(0.0)
    assert told.sent == ((name, "…"), ("Accept", "a"))
    assert told.answered == ((name, "…"),)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://x/in?token=hunter2", "https://x/in"),
        ("https://x/in#hunter2", "https://x/in"),
        ("https://x/in#a?hunter2", "https://x/in"),
        ("https://x/in", "https://x/in"),
        ("", ""),
    ],
)
def test_an_address_is_told_without_its_query(url: str, told: str):
    """Some receivers are known by a secret in the query."""
    assert public_address(url) == told


def test_what_no_store_keeps_is_replaced():
    """A peer's words may hold what is no text."""
    record = Record()
    record.tell_sent("https://x/", (("a\0", "\udcff"),), b"wrapped")
    record.tell_answered("200 \ud800\0", (("b", "\0"),), b"\xff\0")
    told = record.transcript(0.5)
    assert told.sent == (("a\ufffd", "\ufffd"),)
    assert (told.status, told.answered, told.answer) == ("200 \ufffd\ufffd", (("b", "\ufffd"),), b"\xff\0")
    assert (told.size, told.sha256) == (7, hashlib.sha256(b"wrapped").hexdigest())


async def post(url: str, record: Record, seconds: float = 5.0) -> None:
    poster = Poster(allow_private=True)
    try:
        await poster.post("acme", url, b"body", {"Authorization": "Bearer hunter2", "X": "1"}, seconds, record)
    finally:
        await poster.close()


def answering(body: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(status=503, body=body, headers={"Retry-After": "7"})

    return handle


async def test_a_post_is_recorded_whatever_is_answered() -> None:
    """The request's headers, the answer's line, headers and beginning."""
    record = Record()
    async with recipient(answering(b"x" * 2 * ANSWER_LENGTH)) as url:
        await post(f"{url}?token=hunter2", record)
    assert record.address == url
    assert record.sent == (("Authorization", "…"), ("X", "1"))
    assert (record.status, dict(record.answered)["Retry-After"]) == ("503 Service Unavailable", "7")
    assert len(record.answer) == ANSWER_LENGTH


async def test_silence_and_half_an_answer_are_recorded_as_they_are() -> None:
    """What was sent stands there though nothing was answered; of an answer that breaks off, what had come."""
    silent, half = Record(), Record()
    with pytest.raises(DeliveryDeferred):
        await post("http://127.0.0.1:1/in", silent)
    assert (silent.address, silent.status) == ("http://127.0.0.1:1/in", "")
    async with raw_recipient(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") as url:
        with pytest.raises(DeliveryDeferred):
            await post(url, half)
    assert (half.status, half.answer) == ("200 OK", b"")


def test_where_things_lie_with_us_is_no_address() -> None:
    """Recipients read addresses: neither a path of this machine nor our relay is one of theirs."""
    to_folder = Agreement("a", "acme", Direction.OUT, "*", "*", options={"folder": "/srv/exchange/boxes/acme"})
    assert FolderSender().find_address(to_folder) == "acme"
    sender = SmtpSender(
        means_of(Settings(), SmtpSettings(relay="relay.internal", sender="gateway@example.com"), Taking())
    )
    by_relay = Agreement("b", "acme", Direction.OUT, "*", "*", options={"to": "edi@acme.example"})
    own = Agreement("c", "acme", Direction.OUT, "*", "*", options={"to": "edi@acme.example", "host": "mx.acme.example"})
    assert [sender.find_address(one) for one in (by_relay, own)] == ["", "mx.acme.example"]

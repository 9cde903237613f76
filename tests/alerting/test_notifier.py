from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from gateway.alerting import notifier, ways
from gateway.alerting.notifier import Notifier
from gateway.alerting.words import SHOWN, Told, say_alerts, write_json
from gateway.config import Alerts, Mail, Notice, Settings
from gateway.errors import NoticeNotTaken
from gateway.findings import make_finding
from gateway.store.contract import Alert
from gateway.store.sql_store import SqlStore
from tests.alerting.test_lookout import NOW, migrated, store

__all__ = ["migrated", "store"]

WECOM = Notice(name="duty", by="wecom", to="http://127.0.0.1:9/x")


async def ring(store: SqlStore, *subjects: str, kind: str = "delivery_dead", partner: str = "acme") -> None:
    """Alerts, one a subject."""
    for subject in subjects:
        why = make_finding("deadline.failed", kind="review", deadline=subject, reason="RuntimeError")
        await store.raise_alert(Alert(kind, subject, (why,), NOW, partner_id=partner))


class Sent:
    """A way that keeps what it is given, and takes nothing while `closed`."""

    def __init__(self) -> None:
        self.notices: list[list[Told]] = []
        self.closed = False

    async def __call__(self, _notice: Notice, alerts: Sequence[Told], _at: datetime) -> None:
        if self.closed:
            raise NoticeNotTaken
        self.notices.append(list(alerts))


async def begin(store: SqlStore, notice: Notice = WECOM, sent: Sent | None = None) -> Notifier:
    """A notifier that has told all there is so far."""
    made = Notifier(store, Mail(), notice, clock=lambda: NOW, send=sent)
    await made.tell()
    return made


async def test_only_what_comes_from_now_on_is_told(store: SqlStore):
    """A notice that is new leaves the alerts of the past alone; what comes is told once."""
    sent = Sent()
    await ring(store, "old")
    told = await begin(store, sent=sent)
    await ring(store, "one", "two")
    for _ in range(3):
        await told.tell()
    assert [[alert.body["reasons"][0]["args"]["deadline"] for alert in one] for one in sent.notices] == [["one", "two"]]


async def test_what_is_not_taken_is_told_again_with_what_has_come_since(store: SqlStore):
    """A way that is closed loses nothing, and tells nothing twice once it is open."""
    sent = Sent()
    told = await begin(store, sent=sent)
    sent.closed = True
    await ring(store, "one")
    for _ in range(2):
        with pytest.raises(NoticeNotTaken):
            await told.tell()
    await ring(store, "two")
    sent.closed = False
    await told.tell()
    await told.tell()
    assert [len(one) for one in sent.notices] == [2]


async def test_a_restart_goes_on_where_the_last_life_ended(store: SqlStore):
    """The place is in the store, not in the process."""
    first, second = Sent(), Sent()
    told = await begin(store, sent=first)
    await ring(store, "one")
    await told.tell()
    await ring(store, "two")
    await Notifier(store, Mail(), WECOM, clock=lambda: NOW, send=second).tell()
    assert ([len(one) for one in first.notices], [len(one) for one in second.notices]) == ([1], [1])


async def test_of_two_nodes_one_tells(store: SqlStore):
    """While one node tells a notice another leaves it alone; after its lease anybody may."""
    await begin(store)
    await ring(store, "one")
    assert await store.claim_notice("duty", NOW, timedelta(seconds=60)) is not None
    sent = Sent()
    later = NOW
    other = Notifier(store, Mail(), WECOM, clock=lambda: later, send=sent)
    await other.tell()
    assert not sent.notices
    later = NOW + timedelta(seconds=61)
    await other.tell()
    assert len(sent.notices) == 1


async def test_only_the_kinds_that_are_asked_for_are_told(store: SqlStore):
    """A notice of some kinds leaves out the others, and does not stop at them."""
    sent = Sent()
    told = await begin(store, WECOM.model_copy(update={"kinds": ("disk_low",)}), sent)
    await ring(store, "a", "b")
    await ring(store, "c", kind="disk_low")
    await told.tell()
    assert [[alert.kind for alert in one] for one in sent.notices] == [["disk_low"]]


async def test_more_than_one_look_takes_is_told_in_several(store: SqlStore, monkeypatch: pytest.MonkeyPatch):
    """A storm is told piece by piece, and at once."""
    monkeypatch.setattr(notifier, "TOGETHER", 4)
    sent = Sent()
    told = await begin(store, sent=sent)
    await ring(store, *map(str, range(9)))
    while await told.tell():
        pass
    assert [len(one) for one in sent.notices] == [4, 4, 1]


# By real servers ------------------------------------------------------------------------------------------------------


class Mailbox:
    """A mail server's handler that keeps what it takes."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
        return "250 OK"


def knows_the_password(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
    assert isinstance(login, LoginPassword)
    return AuthResult(success=(login.login, login.password) == (b"gateway", b"hush-hush"), handled=False)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "1 alert: delivery_dead"), ("zh", "网关告警 1 条：delivery_dead")]
)
async def test_a_notice_comes_by_mail(store: SqlStore, tmp_path: Path, language: str, words: str):
    """A mail server takes the notice from who is configured, with a password from a file, in the reader's language."""
    box = Mailbox()
    loop = asyncio.get_running_loop()
    login: dict[str, Any] = {"authenticator": knows_the_password, "auth_require_tls": False}
    server = await loop.create_server(lambda: SMTP(box, hostname="mail.example", loop=loop, **login), "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        (tmp_path / "password").write_text("hush-hush\n")
        mail = Mail(
            host="127.0.0.1",
            port=port,
            security="none",
            user="gateway",
            password=f"file:{tmp_path / 'password'}",
            sender="gateway@port.example",
        )
        notice = Notice(name="duty", by="mail", to="duty@port.example, night@port.example", language=language)
        told = Notifier(store, mail, notice, clock=lambda: NOW)
        await told.tell()
        await ring(store, "one")
        await told.tell()
        (tmp_path / "password").write_text("forgotten")
        await ring(store, "two")
        with pytest.raises(NoticeNotTaken, match="SMTPAuthenticationError"):
            await told.tell()
    finally:
        server.close()
    ((sender, recipients, message),) = box.mails
    assert (sender, recipients) == ("gateway@port.example", ["duty@port.example", "night@port.example"])
    assert words in message["Subject"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert "acme" in message.get_content()


@asynccontextmanager
async def listening(answers: Sequence[tuple[int, bytes]]) -> AsyncIterator[tuple[str, list[tuple[Any, bytes]]]]:
    """A web server that answers so, one after the other, and keeps headers and bodies."""
    got: list[tuple[Any, bytes]] = []
    left = list(answers)

    async def take(request: web.Request) -> web.Response:
        got.append((request.headers, await request.read()))
        status, body = left.pop(0)
        return web.Response(status=status, body=body)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", got
    finally:
        await runner.cleanup()


async def test_a_webhook_is_signed(store: SqlStore, monkeypatch: pytest.MonkeyPatch):
    """The body is signed with its id and time, as Standard Webhooks says; told again, it has the same id."""
    key = bytes(range(24))
    monkeypatch.setenv("HOOK_SECRET", f"whsec_{base64.b64encode(key).decode()}")
    async with listening([(503, b"later"), (204, b"")]) as (url, got):
        notice = Notice(name="console", by="webhook", to=url, secret="env:HOOK_SECRET")
        told = await begin(store, notice)
        await ring(store, "one")
        with pytest.raises(NoticeNotTaken, match="HTTP 503 later"):
            await told.tell()
        await told.tell()
    (first, _), (headers, body) = got
    assert first["webhook-id"] == headers["webhook-id"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    (item,) = json.loads(body)["data"]
    assert (item["alert"], item["partner"]) == ("delivery_dead", "acme")


async def test_a_group_robot_that_takes_nothing_is_not_believed(store: SqlStore):
    """WeCom answers 200 also to what it does not take; a long storm is cut to what it takes, between characters."""
    refusal, taken = b'{"errcode": 93000, "errmsg": "invalid webhook url"}', b'{"errcode": 0, "errmsg": "ok"}'
    async with listening([(200, refusal), (200, taken)]) as (url, got):
        told = await begin(store, Notice(name="group", by="wecom", to=url, language="zh"))
        for number in range(60):
            await ring(store, f"{number}" * 20, kind=f"种类-{number}")
        with pytest.raises(NoticeNotTaken, match="93000"):
            await told.tell()
        await told.tell()
    text = json.loads(got[1][1])["text"]["content"]
    assert len(text.encode()) <= 2048
    assert text.startswith("网关告警 60 条")


async def test_a_storm_of_one_kind_is_a_few_lines(store: SqlStore):
    """Of many alerts of one kind some are told in full, and the others are counted."""
    async with listening([(200, b'{"errcode":0}')]) as (url, got):
        told = await begin(store, Notice(name="group", by="wecom", to=url))
        await ring(store, *map(str, range(40)))
        await told.tell()
    lines = json.loads(got[0][1])["text"]["content"].splitlines()
    assert len(lines) == 1 + 1 + SHOWN + 1
    assert lines[1] == "delivery_dead × 40"
    assert lines[-1].strip().startswith("37 more")


async def test_what_a_partner_wrote_cannot_forge_a_line(store: SqlStore):
    """Newlines and terminal sequences in a value are signs in the notice."""
    why = make_finding("deadline.failed", kind="x\n2026 all is well\x1b[2J", deadline="d", reason="r")
    async with listening([(200, b'{"errcode":0}')]) as (url, got):
        told = await begin(store, Notice(name="group", by="wecom", to=url))
        await store.raise_alert(Alert("k", "s", (why,), NOW))
        await told.tell()
    text = json.loads(got[0][1])["text"]["content"]
    assert len(text.splitlines()) == 3
    assert "\x1b" not in text


async def test_a_closed_way_is_tried_again_after_a_pause(store: SqlStore, monkeypatch: pytest.MonkeyPatch):
    """The loop goes on by itself once the way takes something again."""
    monkeypatch.setattr(notifier, "LOOKS_EVERY", 0.01)
    sent = Sent()
    told = await begin(store, sent=sent)
    sent.closed = True
    await ring(store, "one")
    running = asyncio.create_task(told.run())
    await asyncio.sleep(0.05)
    sent.closed = False
    for _ in range(500):
        if sent.notices:
            break
        await asyncio.sleep(0.01)
    running.cancel()
    assert [len(one) for one in sent.notices] == [1]


# Settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notice", "said"),
    [
        ({"name": "a", "by": "mail", "to": "nobody"}, "mail addresses"),
        ({"name": "a", "by": "webhook", "to": "port.example"}, "https://"),
        ({"name": "A b", "by": "wecom", "to": "https://x.example"}, "pattern"),
        ({"name": "a", "by": "mail", "to": "duty@port.example"}, "mail.host"),
    ],
)
def test_a_notice_that_could_reach_nobody_is_refused(notice: dict[str, str], said: str):
    """What a notice lacks is told when the settings are read."""
    with pytest.raises(ValueError, match=said):
        Settings(alerts=Alerts(notices=(Notice(**notice),)))


async def test_an_alert_that_cannot_be_read_keeps_no_other_back(store: SqlStore, monkeypatch: pytest.MonkeyPatch):
    """It is told as unreadable, by notices of chosen kinds too, and those before and after it as they are."""
    sent = Sent()
    told = await begin(store, WECOM.model_copy(update={"kinds": ("delivery_dead",)}), sent)
    await ring(store, "one", "two", "three")
    kept = store.feed_entry

    async def broken(name: str, partner_id: str, sequence: int) -> Any:
        entry = await kept(name, partner_id, sequence)
        return replace(entry, body=entry.body[:10]) if b'"two"' in entry.body else entry

    monkeypatch.setattr(store, "feed_entry", broken)
    await told.tell()
    assert [[one.kind for one in notice] for notice in sent.notices] == [
        ["delivery_dead", "unreadable", "delivery_dead"]
    ]


async def test_a_place_beyond_the_feed_keeps_nothing_back(store: SqlStore):
    """Where the feed was set back, what comes next is told, whatever place was noted before."""
    sent = Sent()
    told = await begin(store, sent=sent)
    await store.return_notice(WECOM.name, 1000)
    await told.tell()
    await ring(store, "one")
    await told.tell()
    assert [len(one) for one in sent.notices] == [1]


def test_half_a_sign_keeps_no_alert_back():
    """What partners wrote may hold half of a pair, which no UTF-8 has; each way's words can be sent all the same."""
    alert = Told(1, "x\ud800", "", "p\ud800", "", {"alert": "x\ud800"})
    assert json.loads(write_json([alert], "en"))["data"][0]["alert"] == "x?"
    assert say_alerts([alert], "en").encode()


@pytest.mark.parametrize("to", ["http://[::1/send?key=SECRET", "http://127.0.0.1:99999/?key=SECRET"])
async def test_an_address_that_cannot_be_used_is_not_told(to: str):
    """The key of a group's robot stands in its address, and no log may have it."""
    with pytest.raises(NoticeNotTaken) as raised:
        await ways.send(Notice(name="duty", by="wecom", to=to), Mail(), [Told(1, "x", "", "", "", {})], NOW)
    assert "SECRET" not in str(raised.value)

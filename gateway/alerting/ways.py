"""How notices reach people: by mail, by a webhook that is signed, by a group robot of WeCom.

Each raises NoticeNotTaken, which is temporary: what was not taken is told again with what has come since.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import aiohttp
import aiosmtplib

from gateway.alerting.words import Told, say_alerts, say_subject, write_json
from gateway.config import Mail, Notice
from gateway.errors import NoticeNotTaken, SecretUnreadable
from gateway.registry.credentials import read_reference
from gateway.transports.webhook_signing import Keys, read_secret_text, sign

SECONDS = 20.0
"""How long one notice may take: nobody waits for it, and the next one waits for this."""
WECOM_BYTES = 2048
"""Longest text that a group robot of WeCom takes (its own documentation: content of `text`, in UTF-8)."""
_ANSWER = 4096
"""Bytes of an answer that are read."""


async def send(notice: Notice, mail: Mail, alerts: Sequence[Told], at: datetime) -> None:
    """Tell `alerts` by the notice's way. NoticeNotTaken where it is not taken, whatever the reason."""
    try:
        async with asyncio.timeout(SECONDS):
            match notice.by:
                case "mail":
                    await _mail(notice, mail, alerts, at)
                case "webhook":
                    await _post_signed(notice, alerts, at)
                case "wecom":
                    await _tell_group(notice, alerts)
    except aiohttp.InvalidURL as error:  # its words are the address, in which the key of a group's robot stands
        raise NoticeNotTaken(f"The address of the notice {notice.name} cannot be used.") from error
    except (OSError, TimeoutError, aiohttp.ClientError, aiosmtplib.SMTPException, SecretUnreadable) as error:
        raise NoticeNotTaken(f"{type(error).__name__}: {error}") from error


async def _mail(notice: Notice, mail: Mail, alerts: Sequence[Told], at: datetime) -> None:
    message = EmailMessage()
    message["From"] = mail.sender
    message["To"] = notice.to
    message["Subject"] = say_subject(alerts, notice.language)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2] or None)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: so that no absence notice answers it
    message.set_content(say_alerts(alerts, notice.language))
    password = read_reference(mail.password, "The password of mail.user") if mail.password else None
    await aiosmtplib.send(
        message,
        hostname=mail.host,
        port=mail.port,
        username=mail.user or None,
        password=password,
        use_tls=mail.security == "tls",
        start_tls=mail.security == "starttls",
        tls_context=ssl.create_default_context(),
        timeout=SECONDS,
    )


async def _post_signed(notice: Notice, alerts: Sequence[Told], at: datetime) -> None:
    """POST all of them as JSON; signed as Standard Webhooks 1.0.0 says where there is a secret."""
    body = write_json(alerts, notice.language)
    # The same alerts have the same id each time they are told: by it a receiver knows what it has.
    id_ = f"{notice.name}-{alerts[0].sequence}-{alerts[-1].sequence}"
    timestamp = int(at.timestamp())
    headers = {"Content-Type": "application/json", "webhook-id": id_, "webhook-timestamp": str(timestamp)}
    if notice.secret:
        secret = read_secret_text(read_reference(notice.secret, f"The secret of the notice {notice.name}"))
        headers["webhook-signature"] = sign(Keys(secrets=[secret]), id_, timestamp, body)
    status, answer = await _post(notice.to, body, headers)
    if not 200 <= status < 300:
        raise NoticeNotTaken(f"HTTP {status} {answer[:200].decode('utf-8', 'replace')}")


async def _tell_group(notice: Notice, alerts: Sequence[Told]) -> None:
    text = f"{say_subject(alerts, notice.language)}\n{say_alerts(alerts, notice.language)}"
    cut = text.encode()[:WECOM_BYTES].decode("utf-8", "ignore")
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
        session.post(notice.to, json={"msgtype": "text", "text": {"content": cut}}, allow_redirects=False) as response,
    ):
        said = await response.content.read(_ANSWER)
        # A robot answers 200 also where it takes nothing, and says so by a code.
        if response.status != 200 or b'"errcode":0' not in said.replace(b" ", b""):
            raise NoticeNotTaken(f"HTTP {response.status} {said[:200].decode('utf-8', 'replace')}")


async def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
        session.post(url, data=body, headers=headers, allow_redirects=False) as response,
    ):
        return response.status, await response.content.read(_ANSWER)

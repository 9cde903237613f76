"""The mailbox that partners send to: a mail server that takes mail for one address, and keeps it.

Who sends is who has logged in, by a key of the registry, or, where mail is taken without login, who has signed (`mail_in`),
and never what the mail says of itself. A mail is answered 250 once all of its attachments are kept with their receipts, and
not before; where one cannot be kept just now the mail is put off whole (451), and of what comes again with it each part is
known by the mail's Message-ID, or by what was signed, and its place. Nothing is relayed, and nothing is answered by mail:
answers go the way that the partner's agreements say.

The server runs in a thread with an event loop of its own: a large mail has hundreds of thousands of lines, each of which is
looked at, and the gateway's own loop answers others meanwhile. What is kept, and who somebody is, is asked of that one.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import ssl
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from gateway.errors import (
    CmsInvalid,
    ConfigurationInvalid,
    GatewayError,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Overloaded,
    PayloadTooLarge,
    StorageFull,
    TemporaryError,
)
from gateway.model import Credential, CredentialKind
from gateway.registry.credentials import Validity, judge
from gateway.registry.keys import SEND, hash_key
from gateway.store.contract import storable
from gateway.transports import cms
from gateway.transports.base import Arrival
from gateway.transports.mail_in import NOT_SIGNED, MailOpener, Opened, Part, is_receipt, read_mail, read_parts
from gateway.transports.mail_report import is_report
from gateway.transports.mime import Entity, is_signed_receipt
from gateway.transports.plugin import Means
from gateway.transports.smtp_settings import SCHEME, SmtpSettings
from gateway.transports.spool import Spool, finished

log = structlog.get_logger(__name__)

T = TypeVar("T")

IDLE_SECONDS = 60.0
"""How long a client may say nothing: RFC 5321, 4.5.3.2 asks for 300, but of servers that wait for queues; ours are
programs that send at once, and each holds one of few connections."""
_LOOK_SECONDS = 0.2
"""How often it is looked whether the server's thread has ended by itself."""
MOST_PARTS = 100
"""Attachments of one mail: each is a payload with a receipt."""
LONGEST_ID = 500
"""Characters of a Message-ID that is kept as it is: PostgreSQL's indexes take some 2,700 bytes."""


class MailReceiver:
    """Listens for partners' mail."""

    def __init__(self, means: Means, context: ssl.SSLContext | None) -> None:
        """`context` is for STARTTLS; without one partners log in over a plain connection."""
        self._means = means
        self._own: SmtpSettings = means.own
        self._context = context

    async def run(self) -> None:
        """Listen until cancelled; mails that are being taken in then are not answered, and come again."""
        # The library warns of its own names at each login.
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        handler = Handler(self._means, asyncio.get_running_loop())
        ended = threading.Event()
        begun: asyncio.Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]]
        begun = asyncio.get_running_loop().create_future()
        thread = threading.Thread(target=self._serve, args=(handler, begun, ended), name="mailbox", daemon=True)
        thread.start()
        loop, serving = await begun
        try:
            while not ended.is_set():  # noqa: ASYNC110 -- the thread has no event of this loop's to set
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(serving.cancel)
            await finished(thread.join)

    def _serve(self, handler: Handler, begun: asyncio.Future[Any], ended: threading.Event) -> None:
        """The thread: an event loop with the server in it."""
        main = begun.get_loop()

        async def listen() -> None:
            connections: set[_Server] = set()
            loop = asyncio.get_running_loop()

            def connect() -> asyncio.BaseProtocol:
                if len(connections) >= self._own.connections:
                    return _TooMany()
                return _Server(handler, connections, self._context, self._own.mail_bytes)

            server = await loop.create_server(connect, self._own.listen_host, self._own.listen_port)
            main.call_soon_threadsafe(begun.set_result, (loop, asyncio.current_task()))
            try:
                async with server:
                    await server.serve_forever()
            finally:
                for one in list(connections):
                    one.abort()

        try:
            asyncio.run(listen())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            log.exception("mailbox_ended")
            if not begun.done():
                main.call_soon_threadsafe(begun.set_exception, error)
        finally:
            ended.set()


class _TooMany(asyncio.Protocol):
    """What one connection too many is told (RFC 5321, 3.8)."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "connections are streams"
        transport.write(b"421 4.3.2 Too many connections, try again later\r\n")
        transport.close()


class _Server(SMTP):
    """One connection."""

    def __init__(
        self, handler: Handler, connections: set[_Server], context: ssl.SSLContext | None, mail_bytes: int
    ) -> None:
        super().__init__(
            handler,
            data_size_limit=mail_bytes,
            hostname=handler.domain,
            ident="ESMTP",
            tls_context=context,
            require_starttls=context is not None,
            auth_require_tls=context is not None,
            # Who may log in is looked up in the registry, which this cannot wait for: see `_judge`.
            authenticator=lambda _server, _session, _envelope, _mechanism, shown: AuthResult(
                success=True, auth_data=shown
            ),
            timeout=IDLE_SECONDS,
            command_call_limit={"*": 100, "RCPT": 100, "NOOP": 100},
            loop=asyncio.get_running_loop(),
        )
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection; after STARTTLS it is the same one."""
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Let go of it."""
        self._connections.discard(self)
        super().connection_lost(error)

    def abort(self) -> None:
        """End the connection at once."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    async def auth_PLAIN(self, _: Any, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        """RFC 4616."""
        return await self._judge(await super().auth_PLAIN(_, args))

    async def auth_LOGIN(self, _: Any, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        """What many clients speak before PLAIN."""
        return await self._judge(await super().auth_LOGIN(_, args))

    async def _judge(self, came: AuthResult) -> AuthResult:
        """Whether what was shown is a key of a partner's that may send."""
        if not came.success or not isinstance(came.auth_data, LoginPassword):
            return came
        try:
            key = await self.event_handler.authenticate(came.auth_data.password)
        except TemporaryError:
            await self.push("454 4.7.0 Temporary authentication failure")  # RFC 4954, 6
            return AuthResult(success=False, handled=True)
        except GatewayError:
            return AuthResult(success=False, handled=False)
        return AuthResult(success=True, auth_data=key)


class Handler:
    """Judges what clients ask for, and keeps what they bring."""

    def __init__(self, means: Means, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` is the gateway's own; the server's runs in another thread."""
        own: SmtpSettings = means.own
        self._means = means
        self._opener = MailOpener(means)
        self._loop = loop
        self._without_login = own.without_login
        # Reports on our mails come to the address that these are from (RFC 3461, 6.1).
        self._addresses = {own.mailbox.lower(), own.sender.lower()} if own.without_login else {own.mailbox.lower()}
        self.domain = own.mailbox.rpartition("@")[2]

    async def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives in the gateway's own event loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def authenticate(self, shown: bytes) -> Credential:
        """The key that was shown as a password.

        NotAuthenticated where it is none of an active partner's, NotPermitted where it does not let send.
        """
        return await self._ask(self._find_key(shown))

    async def _find_key(self, shown: bytes) -> Credential:
        registry = self._means.registry
        if not shown.isascii():
            raise NotAuthenticated
        key = await registry.shown_credential(hash_key(shown.decode().strip()))
        if key is None or key.kind not in (CredentialKind.API_KEY, CredentialKind.PASSWORD):
            raise NotAuthenticated
        if judge(key, self._means.settings.clock.now()) is not Validity.VALID:
            log.warning("mail_key_refused", partner=key.partner_id, credential=key.id)
            raise NotAuthenticated
        try:
            partner = await registry.partner(key.partner_id)
        except NotFound:
            raise NotAuthenticated from None
        if not partner.active:
            raise NotAuthenticated
        if SEND not in key.scopes:
            raise NotPermitted
        return key

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only who has logged in may send, or who may be known by a signature."""
        if not isinstance(session.auth_data, Credential) and not self._without_login:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only for our mailbox: nothing is relayed."""
        if address.lower() not in self._addresses:
            return "550 5.1.1 There is no such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep each attachment, and say so only then; or let count what the mail reports."""
        key = session.auth_data if isinstance(session.auth_data, Credential) else None
        content = envelope.original_content or b""
        try:
            return await self._ask(self._take(key, content))
        except GatewayError as error:
            partner = key.partner_id if key is not None else ""
            log.info("mail_refused", partner=partner, kind=type(error).__name__, reason=str(error))
            return _reply(error)

    async def handle_exception(self, error: Exception) -> str:
        """What a fault of ours is answered: the client comes again, and the operator finds the traceback."""
        log.error("mail_crashed", exc_info=error)
        return "451 4.3.0 Try again later"

    async def _take(self, key: Credential | None, content: bytes) -> str:
        """Take what a mail brings; what its sender is told. Raises what the intake raises, and leaves nothing in the spool."""
        with self._means.spool.reserved(key.partner_id if key is not None else "", len(content)):
            entity = await asyncio.to_thread(read_mail, content)
            if is_report(entity):
                ours = await self._opener.take_report(entity)
                return _NOTED if ours else "550 5.7.1 This is no report on a mail of ours"
            if is_signed_receipt(entity):
                ours = await self._opener.take_signed_receipt(key, entity)
                return _NOTED if ours else _NO_RECEIPT
            opened = await self._opener.open(key, entity)
            if is_receipt(opened.entity):
                ours = await self._opener.take_receipt(opened)
                return _NOTED if ours else _NO_RECEIPT
            kept = await self._keep(key, entity, opened)
        return f"250 2.0.0 Kept as {' '.join(kept)}" if kept else "554 5.6.0 The mail brings nothing"

    async def _keep(self, key: Credential | None, entity: Entity, opened: Opened) -> list[str]:
        """Keep every attachment; the ids of the payloads."""
        parts = await asyncio.to_thread(read_parts, opened.entity.raw)
        if len(parts) > MOST_PARTS:
            raise PayloadTooLarge(f"At most {MOST_PARTS} attachments are taken in one mail.")
        mail_id = storable(str(entity.headers.get("Message-ID", "")).strip())
        if key is None and opened.over is not None:
            # Anybody can send again what somebody has signed, under another Message-ID: what was signed is what it is.
            mail_id = f"signed-{hashlib.sha256(opened.over).hexdigest()}"
        elif len(mail_id) > LONGEST_ID:  # by its digest it is the same each time, and has room in an index
            mail_id = hashlib.sha256(mail_id.encode()).hexdigest()
        return [
            await self._keep_part(key, opened.partner_id, part, f"{mail_id} {number}" if mail_id else "")
            for number, part in enumerate(parts, 1)
        ]

    async def _keep_part(self, key: Credential | None, partner_id: str, part: Part, transport_id: str) -> str:
        received = await finished(lambda: self._means.spool.copy(io.BytesIO(part.content)))
        try:
            accepted = await self._means.intake(
                Arrival(
                    partner_id,
                    SCHEME,
                    received.body,
                    transport_id=transport_id,
                    content_type=part.content_type,
                    filename=part.filename,
                    test=key is not None and key.test,
                    sha256=received.sha256,
                    path=received.path,
                    size=received.size,
                    person_id=key.person_id if key is not None else "",
                )
            )
        finally:
            Spool.discard(received)
        return accepted.payload_id


_NOTED = "250 2.0.0 Noted"
_NO_RECEIPT = "550 5.7.1 This is no receipt for a mail of ours"


def _reply(error: GatewayError) -> str:
    """What the client is told: 4yz where it may come again, 5yz where these bytes will never be taken (RFC 3463)."""
    match error:
        case CmsInvalid(failure=failure):
            return f"550 {_STATUSES.get(failure, '5.7.5')} {str(error).splitlines()[0]}"
        case ConfigurationInvalid():  # of our keys: an operator mends that
            return "451 4.3.5 Try again later"
        case StorageFull():
            return "452 4.3.1 No room just now"
        case Overloaded():
            return "451 4.3.2 Too much at once, try again later"
        case TemporaryError():
            return "451 4.3.0 Try again later"
        case PayloadTooLarge():
            return "552 5.3.4 Too large"
        case NotPermitted():
            return "554 5.7.1 Not permitted"
    return "554 5.6.0 Not taken"


_STATUSES = {cms.INTEGRITY: "5.7.7", NOT_SIGNED: "5.7.1"}
"""What of a mail does not hold (RFC 3463, 3.8); 5.7.5, a cryptographic failure, where it is anything else."""

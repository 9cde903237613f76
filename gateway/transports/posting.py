"""A POST to a partner's address, guarded: every transport over HTTP sends by it, and hears the same of what goes wrong.

Only public addresses are connected to, at connection time; nothing of one partner's connections reaches another's; a
redirect is an answer and is not followed; an answer is read to a bound.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from gateway.errors import DeliveryDeferred
from gateway.store.contract import storable
from gateway.transports.base import Record, public_address
from gateway.transports.guard import PublicResolver, allowed, public_socket
from gateway.transports.sessions import Sessions

DETAIL_LENGTH = 500
"""Characters of a peer's answer that are kept for the operator."""

ANSWER_LENGTH = 64 * 1024
"""Bytes of a peer's answer that are read, and that `answer_sha256` is the digest of: a recipient answers with a
receipt or with a few words, and a longer answer must not fill our memory, sixty-four at once."""

AT_ONCE = 64 * 1024
"""Bytes of a body that are handed to the socket at once. A larger one goes piece by piece, as its recipient reads it,
and the event loop goes on meanwhile."""


_UNTOLD = frozenset({"date", "connection", "keep-alive", "transfer-encoding"})
"""Fields of an answer, in small letters, that are not recorded: of one connection (RFC 9110, 7.6.1), or when it was, which the
attempt says."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a recipient answered over HTTP, whatever it was."""

    status: int
    line: str
    """Status and reason, for people."""
    headers: Mapping[str, str]
    said: bytes
    """The content, its first ANSWER_LENGTH bytes at most."""
    whole: bool
    """Whether that is all of it."""

    @property
    def words(self) -> str:
        """The line with the beginning of what was said, for the operator."""
        return storable(f"{self.line}: {self.said.decode('utf-8', 'replace')}")[:DETAIL_LENGTH]

    def deferred(self) -> DeliveryDeferred:
        """The error that says so, with the seconds that Retry-After asks for (RFC 9110, 10.2.3)."""
        error = DeliveryDeferred(self.words)
        asked = self.headers.get("Retry-After", "")
        if asked.isascii() and asked.isdigit():
            error.retry_after = float(asked)
        return error


class Poster:
    """Posts to partners over kept-alive connections."""

    def __init__(self, *, allow_private: bool = False, connections: int = 16) -> None:
        """`connections` bounds the sockets kept open to one partner; `allow_private` switches the SSRF guard off."""
        self._allow_private = allow_private
        self._sessions = Sessions(
            lambda: aiohttp.TCPConnector(
                limit=connections,
                resolver=None if allow_private else PublicResolver(),
                socket_factory=None if allow_private else public_socket,
            )
        )

    async def post(
        self,
        partner_id: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float,
        record: Record,
        *,
        wrapped: bool = False,
    ) -> Reply:
        """What the address answers; `wrapped` says that the body is not the delivery's own.

        DeliveryDeferred where nothing whole is answered within so many seconds: a recipient that did not finish its
        answer has not answered. DeliveryRefused where the address is none that is posted to.
        """
        target = allowed(url, allow_private=self._allow_private)
        record.tell_sent(public_address(url), headers.items(), body if wrapped else None)
        try:
            async with (
                self._sessions.of(partner_id) as session,
                session.post(
                    target,
                    data=body if len(body) <= AT_ONCE else io.BytesIO(body),
                    headers=headers,
                    allow_redirects=False,  # a redirect would carry the bytes to where no agreement sends them
                    timeout=aiohttp.ClientTimeout(total=seconds),
                ) as answer,
            ):
                line = storable(f"{answer.status} {answer.reason or ''}".strip())[:DETAIL_LENGTH]
                told = [(name, value) for name, value in answer.headers.items() if name.lower() not in _UNTOLD]
                record.tell_answered(line, told)
                said, whole = await _said(answer)
                record.tell_answered(line, told, said)
                return Reply(answer.status, line, answer.headers, said, whole)
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise DeliveryDeferred(storable(f"TLS: {error}")) from error
        except TimeoutError as error:
            raise DeliveryDeferred(f"No answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise DeliveryDeferred(storable(f"{type(error).__name__}: {error}")) from error

    async def close(self) -> None:
        """Close the kept-alive connections."""
        await self._sessions.close()


async def _said(answer: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The answer's content, its first ANSWER_LENGTH bytes at most, and whether that is all of it."""
    said = bytearray()
    async for piece in answer.content.iter_any():
        said += piece
        if len(said) > ANSWER_LENGTH:
            return bytes(said[:ANSWER_LENGTH]), False
    return bytes(said), True

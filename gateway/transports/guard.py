"""Keeps outgoing connections away from where a partner's URL has no business (SSRF).

The check is made on the addresses a name resolves to, at connection time, so that a name that
changes its mind after a first look is caught as well.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp import DefaultResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.errors import DeliveryDeferred, DeliveryRefused


def is_public(address: str) -> bool:
    """Whether `address` is one that the public internet routes (IPv4-mapped IPv6 judged by its IPv4 part)."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_global and not parsed.is_multicast


def require_allowed(url: str, *, allow_private: bool) -> None:
    """Raise DeliveryRefused unless `url` is http(s) without credentials and, where literal, a public address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise DeliveryRefused("The agreement's URL is not a plain http or https address.")
    if allow_private:
        return
    try:
        public = is_public(parts.hostname)
    except ValueError:
        return  # a name: the resolver judges what it resolves to
    if not public:
        raise DeliveryRefused("The agreement's URL points into a private network.")


class PublicResolver(AbstractResolver):
    """Resolves names, and leaves out every address that is not public."""

    def __init__(self) -> None:
        self._inner = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of `host`; DeliveryDeferred where there is none."""
        found = [r for r in await self._inner.resolve(host, port, family) if is_public(r["host"])]
        if not found:
            raise DeliveryDeferred("The agreement's URL resolves to no public address.")
        return found

    async def close(self) -> None:
        """Let go of the inner resolver."""
        await self._inner.close()

"""Keeps outgoing connections away from where a partner's URL has no business (SSRF).

The check is made on the addresses a name resolves to, at connection time, so that a name that
changes its mind after a first look is caught as well, and once more on each address a socket is
about to be connected to, however it came about.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable
from typing import TypeAlias

from aiohttp import AddrInfoType, DefaultResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.errors import DeliveryDeferred, DeliveryRefused

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
MakeSocket: TypeAlias = Callable[[AddrInfoType], socket.socket]
"""Makes a socket for one connection to an address; OSError where that is not allowed."""

_EMBEDDING = {
    ipaddress.IPv6Network("::/96"): 0,  # IPv4-compatible (RFC 4291, 2.5.5.1)
    ipaddress.IPv6Network("::ffff:0:0/96"): 0,  # IPv4-mapped (RFC 4291, 2.5.5.2)
    ipaddress.IPv6Network("::ffff:0:0:0/96"): 0,  # IPv4-translated (RFC 7915)
    ipaddress.IPv6Network("64:ff9b::/96"): 0,  # NAT64 (RFC 6052, 2.1)
    ipaddress.IPv6Network("2002::/16"): 80,  # 6to4 (RFC 3056, 2)
}
"""IPv6 networks whose addresses lead to an IPv4 address, and how many bits stand after that in them."""

_NEVER_PUBLIC = (
    ipaddress.IPv6Network("fec0::/10"),  # site-local (RFC 3879): deprecated, and routed nowhere but inside
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # NAT64 of one site's own (RFC 8215): only that site knows whereto
    ipaddress.IPv6Network("2001::/32"),  # Teredo (RFC 4380): through a relay to any IPv4 address
)


def is_public(address: str) -> bool:
    """Whether `address` is one that the public internet routes; IPv6 that leads to IPv4 is judged by where it leads."""
    parsed = _leads_to(ipaddress.ip_address(address))
    if isinstance(parsed, ipaddress.IPv6Address) and any(parsed in network for network in _NEVER_PUBLIC):
        return False
    return parsed.is_global and not parsed.is_multicast


def _leads_to(address: _Address) -> _Address:
    """The IPv4 address within an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv6Address):
        for network, behind in _EMBEDDING.items():
            if address in network:
                return ipaddress.IPv4Address(int(address) >> behind & 0xFFFF_FFFF)
    return address


def allowed(url: str, *, allow_private: bool) -> URL:
    """`url`, parsed; DeliveryRefused unless it is http(s) without credentials and, where literal, a public address.

    To be connected to as it is returned: a host that was written otherwise, such as in full-width digits,
    is judged in the form in which it is sent.
    """
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    host = parsed.raw_host
    if parsed.scheme not in ("http", "https") or not host or parsed.user is not None or parsed.password is not None:
        raise DeliveryRefused("The agreement's URL is not a plain http or https address.")
    if allow_private:
        return parsed
    try:
        public = is_public(host)
    except ValueError:
        return parsed  # a name: the resolver judges what it resolves to
    if not public:
        raise DeliveryRefused("The agreement's URL points into a private network.")
    return parsed


def public_socket(target: AddrInfoType) -> socket.socket:
    """A socket for one connection to the address of `target`; OSError unless it is public."""
    family, kind, protocol, _, address = target
    try:
        public = is_public(str(address[0]))
    except ValueError:
        public = False  # no address in the usual form: what the system would make of it nobody has judged
    if not public:
        raise PermissionError(errno.EACCES, "The agreement's URL leads into a private network.")
    return socket.socket(family, kind, protocol)


def any_socket(target: AddrInfoType) -> socket.socket:
    """A socket for one connection to the address of `target`, wherever that is."""
    return socket.socket(*target[:3])


async def connect_socket(host: str, port: int, make: MakeSocket) -> socket.socket:
    """A socket that is connected to the first address of `host` that answers; OSError of the last where none does."""
    loop = asyncio.get_running_loop()
    last = OSError(f"{host} has no address")
    for found in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            made = make(found)
        except OSError as error:
            last = error
            continue
        try:
            made.setblocking(False)
            await loop.sock_connect(made, found[4])
        except OSError as error:
            made.close()
            last = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise last


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

"""Connections to partners' SFTP servers, each of which is known by its host key."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import asyncssh
from pydantic import AfterValidator

from gateway.errors import DeliveryDeferred
from gateway.model import CredentialKind, CredentialUse
from gateway.registry.credentials import read_secret
from gateway.registry.directory import Directory
from gateway.transports.guard import MakeSocket, connect_socket


def _host_key(line: str) -> str:
    if line:
        try:
            asyncssh.import_public_key(line)
        except asyncssh.KeyImportError:
            raise ValueError("the host key is one line of OpenSSH, such as ssh-ed25519 AAAA...") from None
    return line


HostKey = Annotated[str, AfterValidator(_host_key)]


@dataclass(frozen=True, slots=True)
class Login:
    """A server, and as whom to come to it: by a password or a key, each named by its label in the registry."""

    host: str
    port: int
    user: str
    host_key: str
    password: str = ""
    key: str = ""


async def connect(
    registry: Directory, partner_id: str, login: Login, make: MakeSocket, clock: Callable[[], datetime]
) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
    """A connection to a partner's server, to be entered; `make` judges the address.

    DeliveryDeferred where there is no valid credential of that label, asyncssh's errors and OSError where the server lets us
    not in, or is another one.
    """
    shown = await _find_secret(registry, partner_id, login, clock)
    connected = await connect_socket(login.host, login.port, make)
    try:
        known: Any = ([asyncssh.import_public_key(login.host_key)], [], [])
        return await asyncssh.connect(
            login.host,
            sock=connected,
            username=login.user,
            known_hosts=known,
            config=None,
            agent_path=None,
            keepalive_interval=30,
            **shown,
        )
    except BaseException:
        connected.close()
        raise


async def _find_secret(
    registry: Directory, partner_id: str, login: Login, clock: Callable[[], datetime]
) -> dict[str, Any]:
    """How to log in at the partner's; DeliveryDeferred where there is no valid credential of that label."""
    label = login.password or login.key
    kind = CredentialKind.PASSWORD if login.password else CredentialKind.PUBLIC_KEY
    valid = await registry.credentials(partner_id, kind, CredentialUse.OUT, clock(), label)
    if not valid:
        raise DeliveryDeferred(f"No {kind.value} called {label} of the partner's is valid.")
    secret = read_secret(valid[0])
    if login.password:
        return {"password": secret, "client_keys": None}
    return {"client_keys": [asyncssh.import_private_key(secret)], "password": None}

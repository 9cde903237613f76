"""Opens what a process needs from its settings: the signing key, and the store behind it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from gateway import durable
from gateway.config import Receipts, Settings
from gateway.errors import ConfigurationInvalid, ReceiptInvalid
from gateway.receipt.notary import Notary
from gateway.receipt.signed import Signer
from gateway.store import Store, migrate, open_store
from gateway.store.sql_store import SqlStore

_SEED = 32
"""Bytes of an Ed25519 private key (RFC 8032, 5.1.5)."""


def signer(receipts: Receipts) -> Signer:
    """The log's signer; its key is made at the first start, readable by its owner alone.

    The public key is written beside it (`.pub`), to be given to partners. ConfigurationInvalid where
    the file holds no key, or one for another origin.
    """
    path = receipts.signing_key_file
    try:
        if not path.exists():
            _make(path, receipts.origin)
        found = Signer.from_skey(path.read_text("utf-8").strip())
    except (OSError, ReceiptInvalid, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"receipts.signing_key_file {path}: {error}") from error
    if found.name != receipts.origin:
        raise ConfigurationInvalid(f"{path} is the key of {found.name}, and receipts.origin is {receipts.origin}")
    return found


def notary(store: Store, signer_: Signer) -> Notary:
    """Who writes receipts under the log's present name in `store`; what hides recipients in them derives from the signing key."""
    return Notary(lambda: store.origin, hashlib.sha256(b"recipients\n" + signer_.skey.encode()).digest())


@asynccontextmanager
async def opened(settings: Settings, signer_: Signer) -> AsyncIterator[SqlStore]:
    """The store, open, and closed afterwards.

    An embedded database is brought to this version by whoever opens it; one that nodes share only by
    `gateway migrate`, since nodes of the version before may still be at work on it.
    """
    if settings.store.url.startswith("sqlite"):
        await asyncio.to_thread(migrate, settings.store.url)
    store = open_store(
        settings.store.url,
        signer=signer_,
        payload_folder=settings.store.payload_folder,
        anchor_file=settings.store.anchor_file,
    )
    store.on_new_name(partial(_keep_public_key, settings.receipts.signing_key_file))
    await store.open()
    try:
        _keep_public_key(settings.receipts.signing_key_file, signer_.renamed(store.origin))
        yield store
    finally:
        await store.close()


def _public_key_file(signing_key: Path) -> Path:
    return signing_key.with_suffix(f"{signing_key.suffix}.pub")


def _keep_public_key(signing_key: Path, signer_: Signer) -> None:
    """Let the public key beside the signing key, if there is one, be that of the log's present name."""
    path, line = _public_key_file(signing_key), f"{signer_.vkey}\n"
    if signing_key.exists() and path.exists() and path.read_text("utf-8", "replace") != line:
        durable.write_file(path, line.encode())


def _make(path: Path, origin: str) -> None:
    """Write a new key; one that another process has made meanwhile is left alone."""
    new = Signer(origin, secrets.token_bytes(_SEED))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        stream.write(f"{new.skey}\n")
    _public_key_file(path).write_text(f"{new.vkey}\n", "utf-8")

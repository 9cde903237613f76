"""Opens what a process needs from its settings: the signing key, and the store behind it."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import structlog

from gateway import durable
from gateway.config import Receipts, Retention, Settings
from gateway.errors import ConfigurationInvalid, ReceiptInvalid
from gateway.receipt.anchor import is_name_of
from gateway.receipt.notary import Notary
from gateway.receipt.signed import Signer, Verifier
from gateway.store import Store, migrate, open_store
from gateway.store.retained import BODIES, DELIVERIES, FEEDS, TIMELINES, Plan
from gateway.store.sql_store import SqlStore

log = structlog.get_logger(__name__)

_SEED = 32
"""Bytes of an Ed25519 private key (RFC 8032, 5.1.5)."""
_KEY_BEGINS = "PRIVATE+KEY+"
"""How each key file begins (signed-note)."""


def signer(receipts: Receipts) -> Signer:
    """The log's signer; its key is made at the first start, readable by its owner alone.

    The public key is kept beside it (`.pub`), to be given to partners. Both are on the disk when this returns,
    whoever wrote them: what a key has signed that a power cut takes away, nobody can vouch for any more.
    ConfigurationInvalid where the file holds no key, or one for another origin.
    """
    path = receipts.signing_key_file
    try:
        if not path.exists():
            new = Signer(receipts.origin, secrets.token_bytes(_SEED))
            with suppress(FileExistsError):  # another process has made one meanwhile: that is the key
                durable.write_file(path, f"{new.skey}\n".encode(), mode=0o600, replace=False)
        with suppress(PermissionError):  # a folder that this process may not list is not one where a gateway makes keys
            durable.make_durable(path)
            with durable.opened_folder(path.parent) as folder:
                durable.remove_drafts(folder)
    except OSError as error:
        raise ConfigurationInvalid(f"receipts.signing_key_file {path}: {error}") from error
    found = read_signer(receipts)
    _publish(path, found.renamed(_published_name(path, found)))
    return found


def sampling_key_file(settings: Settings) -> Path:
    """Where the secret of sampling is kept."""
    return settings.sampling.key_file or settings.receipts.signing_key_file.with_name("sampling.key")


def sampling_secret(settings: Settings) -> bytes:
    """What the keys of sampling come from; it is made at the first start, readable by its owner alone.

    ConfigurationInvalid where the file holds no such secret.
    """
    path = sampling_key_file(settings)
    try:
        if not path.exists():
            with suppress(FileExistsError):  # another process has made one meanwhile: that is the secret
                durable.write_file(path, f"{secrets.token_hex(_SEED)}\n".encode(), mode=0o600, replace=False)
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(f"sampling.key_file {path}: {error}") from error
    if len(secret) < _SEED:
        raise ConfigurationInvalid(f"sampling.key_file {path}: a secret has {2 * _SEED} hex digits or more")
    return secret


def read_signer(receipts: Receipts) -> Signer:
    """The log's signer, by the key that is there. ConfigurationInvalid where it is none, or one for another origin."""
    path = receipts.signing_key_file
    try:
        found = _signer_of(path.read_text("utf-8").strip())
    except (OSError, ReceiptInvalid, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"receipts.signing_key_file {path}: {error}") from error
    if found.name != receipts.origin:
        raise ConfigurationInvalid(f"{path} is the key of {found.name}, and receipts.origin is {receipts.origin}")
    return found


def _signer_of(text: str) -> Signer:
    """The signer whose key is a file's text. ReceiptInvalid where it is none, with what to do where it was to be one."""
    try:
        return Signer.from_skey(text)
    except ReceiptInvalid as error:
        rest = text.strip("\0")
        if not rest:
            state = "is empty"
        elif rest.startswith(_KEY_BEGINS) or _KEY_BEGINS.startswith(rest):
            state = "is cut short or damaged"
        else:
            raise
        raise ReceiptInvalid(
            f"the key {state}, as a power cut leaves a file that is not on the disk yet. Put it back from a copy; only "
            "where no receipt has been given out may the file be removed, and the next start makes a new key"
        ) from error


def _public_key_file(signing_key: Path) -> Path:
    return signing_key.with_suffix(f"{signing_key.suffix}.pub")


def _published_name(signing_key: Path, signer_: Signer) -> str:
    """The name of the log under which its public key is kept by now; its first name where the file is none of it."""
    try:
        kept = Verifier(_public_key_file(signing_key).read_text("utf-8"))
    except (OSError, ReceiptInvalid, UnicodeDecodeError):
        return signer_.name
    ours = is_name_of(signer_.name, kept.name) and signer_.renamed(kept.name).vkey == kept.vkey
    return kept.name if ours else signer_.name


def _publish(signing_key: Path, signer_: Signer) -> None:
    """Keep the public key of the log's present name beside the signing key, durable.

    Where that cannot be, the log says so (`gateway receipt key` prints it too); a signing key that nobody keeps has
    no public one either.
    """
    if not signing_key.exists():
        return
    path = _public_key_file(signing_key)
    content = f"{signer_.vkey}\n".encode()
    try:
        if path.is_file() and path.read_bytes() == content:
            durable.make_durable(path)
        else:
            durable.write_file(path, content)
    except OSError as error:
        log.warning("public_key_not_written", file=str(path), reason=error.strerror)


def plan(retention: Retention) -> Plan:
    """What is to be archived, as the settings say; of a plan without days nothing is."""
    ages = {
        TIMELINES: retention.timelines_days,
        DELIVERIES: retention.deliveries_days,
        FEEDS: retention.feeds_days,
        BODIES: retention.bodies_days,
    }
    days = {kind: age for kind, age in ages.items() if age}
    return Plan(retention.folder, days, frozenset(retention.closed), retention.rows, retention.archive_bytes)


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
    store.on_new_name(partial(_publish, settings.receipts.signing_key_file))
    await store.open()
    try:
        _publish(settings.receipts.signing_key_file, signer_.renamed(store.origin))
        yield store
    finally:
        await store.close()

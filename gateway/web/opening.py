"""Opens what a process needs from its settings: the signing key, and the store behind it."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from gateway.config import Receipts
from gateway.errors import ConfigurationInvalid, ReceiptInvalid
from gateway.receipt.notary import Notary
from gateway.receipt.signed import Signer

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


def notary(receipts: Receipts, signer_: Signer) -> Notary:
    """Who writes receipts under the log's name; what hides recipients in them derives from the signing key."""
    secret = hashlib.sha256(b"recipients\n" + signer_.skey.encode()).digest()
    return Notary(receipts.origin, secret)


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
    path.with_suffix(f"{path.suffix}.pub").write_text(f"{new.vkey}\n", "utf-8")

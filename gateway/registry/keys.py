"""API keys: high-entropy random text that a partner's software sends; only its SHA-256 is kept.

A slow password hash would be wrong here: 256 random bits cannot be guessed, and every request pays
for the hash.
"""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "gwk_"
"""Lets secret scanners recognise a key that leaked into a repository or a log."""

SEND = "send"
READ = "read"
ADMIN = "admin"
SCOPES = frozenset({SEND, READ, ADMIN})
"""`send` posts messages, `read` reads what the partner may see, `admin` reads everything."""


def new_key() -> str:
    """A fresh key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_key(key: str) -> str:
    """What the registry keeps of `key`, which is ASCII: its SHA-256 in hex."""
    return hashlib.sha256(key.encode()).hexdigest()

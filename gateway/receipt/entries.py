"""What the audit's log says: one leaf an act that was done or refused, or a change of the registry, in canonical JSON.

Canonical is RFC 8785. The audit is a Merkle log of its own beside that of the receipts, hashed and signed in the same way (`chain`, `signed`)
under the name `.../audit`. It names persons, and so it is for those who may audit, and travels with no receipt.
"""

from __future__ import annotations

from typing import Final

from gateway.model import AuditEntry
from gateway.receipt.signed import bounded, canonical, timestamp

VERSION: Final = 1
"""The version of an entry's fields; every entry carries it."""
MOST_REASONS: Final = 100
"""Codes that an entry names: no decision is refused for more kinds of reasons."""


def write_entry(entry: AuditEntry, log: str) -> bytes:
    """The leaf of `entry` in the audit's log of that name."""
    actor = {"partner": entry.partner_id, "person": entry.person_id, "role": entry.role}
    return canonical(
        {
            "action": entry.action,
            "actor": {name: bounded(value) for name, value in actor.items()},
            "after": {name: bounded(value) for name, value in entry.after.items()},
            "at": timestamp(entry.at),
            "before": {name: bounded(value) for name, value in entry.before.items()},
            "case": entry.case_id,
            "environment": "test" if entry.test else "production",
            "log": log,
            "occasion": entry.occasion,
            "office": bounded(entry.office),
            "reasons": list(entry.reasons[:MOST_REASONS]),
            "result": entry.result,
            "task": bounded(entry.task_id),
            "version": VERSION,
            **({"subject": bounded(entry.subject)} if entry.subject else {}),
        }
    )

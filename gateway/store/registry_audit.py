"""What the audit says of changes in the registry: who may do what, and who was given it when.

A few entries are told one by one, as they were and as they are; of many at once (a list of enterprises) their number and
the digest of them all, since whoever brings the list can show it. Secrets and what they hash to are not told.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime

from gateway.model import Agreement, AuditEntry, Changer, Credential, HeldRole, Identifier, Partner, Person
from gateway.store.sql import to_json

ONE_BY_ONE = 50
"""Entries of one import that are told one by one: what a person types or looks through."""

Entry = Partner | Agreement | Credential | Person
_KINDS: Mapping[type[Entry], str] = {
    Partner: "partner",
    Agreement: "agreement",
    Credential: "credential",
    Person: "person",
}


Present = Mapping[tuple[type[Entry], str], Entry]
"""What the registry holds, by kind and id."""


def entries_of_import(
    imported: Sequence[Entry], present: Present, number: int, at: datetime, by: Changer
) -> Iterator[AuditEntry]:
    """What is told of an import; `present` is what there is by now under its ids, before it is written.

    `number` is the version of the registry that it makes.
    """
    if len(imported) > ONE_BY_ONE:
        counts = Counter(_KINDS[type(one)] for one in imported)
        said = {f"{kind}s": str(count) for kind, count in sorted(counts.items())}
        digest = hashlib.sha256(to_json([_told(one) for one in imported]).encode()).hexdigest()
        yield _entry("import", str(number), at, by, after={**said, "sha256": digest})
        return
    for one in imported:
        before = present.get((type(one), one.id))
        yield _entry(_KINDS[type(one)], one.id, at, by, before=_told(before) if before else {}, after=_told(one))


def entry_of_revocation(credential: Credential, at: datetime, by: Changer) -> AuditEntry:
    """What is told of a credential that is ended."""
    return _entry("revoke", credential.id, at, by, before=_told(credential), after={"valid_until": at.isoformat()})


def entry_of_removal(removed: Partner | Agreement, at: datetime, by: Changer) -> AuditEntry:
    """What is told of a partner or an agreement that is taken out."""
    return _entry("remove", removed.id, at, by, before={"kind": _KINDS[type(removed)], **_told(removed)})


def _entry(
    kind: str,
    subject: str,
    at: datetime,
    by: Changer,
    *,
    before: Mapping[str, str] | None = None,
    after: Mapping[str, str] | None = None,
) -> AuditEntry:
    return AuditEntry(
        at,
        f"registry.{kind}",
        "done",
        partner_id=by.partner_id,
        person_id=by.person_id,
        role="",
        task_id="",
        case_id="",
        office="",
        occasion="",
        before=before or {},
        after=after or {},
        subject=subject,
    )


_UNTOLD = frozenset({"hash", "material", "reference"})
"""Of a credential: what its secret hashes to, the certificate itself, and where a secret is read from."""


def _told(entry: Entry) -> dict[str, str]:
    """An entry as the audit says it: every field that has a value and is no secret, as text."""
    said: dict[str, str] = {}
    for name in _TOLD[type(entry)]:
        value = getattr(entry, name)
        if value or value == 0:  # a number or a flag always says something
            said[name] = value if isinstance(value, str) else _text(value)
    return said


_TOLD = {kind: sorted({field.name for field in fields(kind)} - _UNTOLD - {"id"}) for kind in _KINDS}


def _text(value: object) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, frozenset):
        return " ".join(sorted(map(_text, value)))
    if isinstance(value, tuple | list):
        return "; ".join(map(_text, value))
    if isinstance(value, Identifier | HeldRole):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_text(one)}" for name, one in sorted(value.items()) if one not in (None, ""))
    return value.isoformat() if isinstance(value, datetime) else str(value)

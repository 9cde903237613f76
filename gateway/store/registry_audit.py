"""What the audit says of changes in the registry: who may do what, and who was given it when.

A few entries are told one by one, as they were and as they are; of many at once (a list of enterprises) their number and
the digest of them all, since whoever brings the list can show it. Secrets and what they hash to are not told.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection

from gateway.model import Agreement, AuditEntry, Credential, Partner, Person
from gateway.store import persons
from gateway.store.sql import to_json

ONE_BY_ONE = 50
"""Entries of one import that are told one by one: what a person types or looks through."""
OPERATOR = "operator"
"""Who changes the registry by the gateway's own command line."""

Entry = Partner | Agreement | Credential | Person
_KINDS: Mapping[type[Entry], str] = {
    Partner: "partner",
    Agreement: "agreement",
    Credential: "credential",
    Person: "person",
}


def entries_of_import(
    connection: Connection,
    imported: Sequence[Entry],
    partners: Mapping[str, Partner],
    number: int,
    at: datetime,
) -> Iterator[AuditEntry]:
    """What is told of an import, read before it is written; `partners` are those there are by now, of those in it.

    `number` is the version of the registry that it makes.
    """
    if len(imported) > ONE_BY_ONE:
        counts = Counter(_KINDS[type(one)] for one in imported)
        said = {f"{kind}s": str(count) for kind, count in sorted(counts.items())}
        digest = hashlib.sha256(to_json([_told(one) for one in imported]).encode()).hexdigest()
        yield _entry("import", str(number), at, after={**said, "sha256": digest})
        return
    known = persons.by_id(connection, [one.id for one in imported if isinstance(one, Person)])
    for one in imported:
        before: Entry | None = partners.get(one.id) if isinstance(one, Partner) else None
        if isinstance(one, Person):
            before = known.get(one.id)
        yield _entry(_KINDS[type(one)], one.id, at, before=_told(before) if before else {}, after=_told(one))


def entry_of_revocation(credential: Credential, at: datetime) -> AuditEntry:
    """What is told of a credential that is ended."""
    return _entry("revoke", credential.id, at, before=_told(credential), after={"valid_until": at.isoformat()})


def _entry(
    kind: str,
    subject: str,
    at: datetime,
    *,
    before: Mapping[str, str] | None = None,
    after: Mapping[str, str] | None = None,
) -> AuditEntry:
    return AuditEntry(
        at,
        f"registry.{kind}",
        "done",
        partner_id="",
        person_id=OPERATOR,
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
    for name, value in sorted(asdict(entry).items()):
        if name != "id" and name not in _UNTOLD and value not in (None, "", (), [], {}, frozenset()):
            said[name] = _text(value)
    return said


def _text(value: object) -> str:
    if isinstance(value, frozenset):
        return " ".join(sorted(map(_text, value)))
    if isinstance(value, tuple | list):
        return "; ".join(map(_text, value))
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_text(one)}" for name, one in sorted(value.items()) if one not in (None, ""))
    return value.isoformat() if isinstance(value, datetime) else str(value)

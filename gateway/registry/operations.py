"""What is done to one entry of the registry: each an operation that the command line and the interface both call.

Each takes who does it, for the audit. NotFound is raised where what is named is not there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.errors import ConfigurationInvalid, NotFound, RegistryRefused
from gateway.model import Changer, Credential, CredentialKind, Partner
from gateway.registry.credentials import Validity, judge
from gateway.registry.exporting import Whole, complete
from gateway.registry.keys import SCOPES, hash_key, new_key
from gateway.store.ports import Store


@dataclass(frozen=True, slots=True)
class Issued:
    """A key that was made: the only moment at which it is known."""

    key: str
    credential: Credential


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a new key is for."""

    scopes: Collection[str] = ("send", "read")
    label: str = ""
    test: bool = False
    days: int = 0
    """For which it is valid; 0 for no end."""
    person_id: str = ""


async def show_partner(store: Store, partner_id: str) -> Whole:
    """A partner with all that the registry holds of it."""
    return (await complete(store, [await store.partner(partner_id)]))[0]


async def set_active(store: Store, partner_id: str, by: Changer, *, active: bool) -> Partner:
    """Let a partner do nothing any more, or everything again; what is so already stays, and is not audited."""
    changed = replace(await store.partner(partner_id), active=active)
    await store.import_partners((changed,), (), (), by)
    return changed


async def issue_key(store: Store, partner_id: str, terms: KeyTerms, by: Changer, now: datetime) -> Issued:
    """A fresh API key for a partner; those that it has stay valid. ConfigurationInvalid for a scope that there is not."""
    if unknown := set(terms.scopes) - SCOPES:
        raise ConfigurationInvalid(
            f"there is no scope {', '.join(sorted(unknown))}; there are {', '.join(sorted(SCOPES))}"
        )
    await store.partner(partner_id)
    if terms.person_id and terms.person_id not in {one.id for one in await store.persons_of(partner_id)}:
        raise NotFound(f"{partner_id} has no person {terms.person_id}")
    key = new_key()
    made = Credential(
        f"{partner_id}-{hash_key(key)[:8]}",
        partner_id,
        hash_key(key),
        frozenset(terms.scopes),
        terms.test,
        now,
        valid_until=now + timedelta(days=terms.days) if terms.days else None,
        label=terms.label,
        person_id=terms.person_id,
    )
    await store.import_partners((), (), (made,), by)
    return Issued(key, made)


async def rotate_key(store: Store, credential_id: str, overlap: timedelta, by: Changer, now: datetime) -> Issued:
    """A fresh key with the scopes of one that is valid, which ends after an overlap. RegistryRefused where it is none, or is over."""
    old = await store.credential(credential_id)
    if old.kind is not CredentialKind.API_KEY:
        raise RegistryRefused(
            f"{credential_id} is a {old.kind}; only API keys are made here: import the next one, and revoke this"
        )
    if (validity := judge(old, now)) is not Validity.VALID:
        raise RegistryRefused(f"{credential_id} is {validity}; `gateway credential add` gives {old.partner_id} a key")
    key = new_key()
    life = old.valid_until - (old.valid_from or now) if old.valid_until is not None else None
    made = replace(
        old,
        id=f"{old.partner_id}-{hash_key(key)[:8]}",
        hash=hash_key(key),
        valid_from=now,
        valid_until=now + life if life is not None else None,
        revoked_at=None,
    )
    # The new one first: a failure in between leaves both, and nobody locked out.
    await store.import_partners((), (), (made,), by)
    await store.revoke_credential(old.id, now + overlap, by)
    return Issued(key, made)


async def revoke(store: Store, credential_id: str, by: Changer, now: datetime) -> Credential:
    """End a credential at once. No import of a partner file opens it again."""
    await store.revoke_credential(credential_id, now, by)
    return await store.credential(credential_id)


async def find_id(store: Store, noun: str, beginning: str) -> str:
    """The id of a noun (`partners`, `agreements`, `credentials`, `persons`) that is, or alone begins, so.

    NotFound where none does, or several do; which, it says.
    """
    found = await store.ids_beginning(noun, beginning, _TOLD + 1)
    if len(found) == 1:
        return found[0]
    one = noun.removesuffix("s")
    if not found:
        raise NotFound(f"there is no {one} {beginning}")
    more = ", ..." if len(found) > _TOLD else ""
    raise NotFound(f"several {noun} begin with {beginning}: {', '.join(sorted(found)[:_TOLD])}{more}")


_TOLD = 5
"""Ids that are told where several begin so."""

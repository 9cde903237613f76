"""The registry over SQLAlchemy: see `ports.Registry` and `ports.CatalogueCalls`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from gateway.errors import NotFound
from gateway.model import (
    OPERATOR,
    Agreement,
    Changer,
    Credential,
    Identifier,
    Partner,
    Person,
    Subscription,
)
from gateway.store import (
    catalogue_calls,
    credentials,
    persons,
    ports,
    registry,
    registry_removal,
    subscriptions,
)
from gateway.store.contract import (
    ANY_PARTNERS,
    PartnersWanted,
    RegistryChanges,
)
from gateway.store.sql_access import SqlAccess


class SqlRegistry(SqlAccess, ports.Registry):
    """`ports.Registry` on SQLite and PostgreSQL."""

    async def import_partners(
        self,
        partners: Iterable[Partner],
        agreements: Iterable[Agreement],
        credentials: Iterable[Credential],
        by: Changer = OPERATOR,
    ) -> tuple[int, int, int]:
        # Side by side, so that they share transactions; none of the three has to be there before another.
        kinds: tuple[Iterable[registry.Entry], ...] = (partners, agreements, credentials)
        imported = await asyncio.gather(*(self._import(entries, by) for entries in kinds))
        return imported[0], imported[1], imported[2]

    async def _import(self, entries: Iterable[registry.Entry], by: Changer) -> int:
        count = 0
        for chunk in registry.chunks(entries):
            await self._writer.do(registry.import_entries, registry.Import(chunk, by))
            count += len(chunk)
        return count

    async def partner(self, partner_id: str) -> Partner:
        found = await self._read(lambda connection: registry.partners_by_id(connection, [partner_id]))
        if not found:
            raise NotFound(partner_id=partner_id)
        return found[partner_id]

    async def partner_by(self, identifier: Identifier) -> Partner | None:
        found = await self._read(lambda connection: registry.partners_by(connection, [identifier]))
        return found.get(identifier)

    async def partners(self, after: str, limit: int, wanted: PartnersWanted = ANY_PARTNERS) -> Sequence[Partner]:
        return await self._read(lambda connection: registry.partners(connection, after, limit, wanted))

    async def partners_by_id(self, partner_ids: Iterable[str]) -> Mapping[str, Partner]:
        asked = list(partner_ids)
        return await self._read(lambda connection: registry.partners_by_id(connection, asked))

    async def partners_by_identifiers(self, identifiers: Iterable[Identifier]) -> Mapping[Identifier, Partner]:
        asked = list(identifiers)
        return await self._read(lambda connection: registry.partners_by(connection, asked))

    async def ids_beginning(self, noun: str, beginning: str, limit: int) -> Sequence[str]:
        return await self._read(lambda connection: registry.ids_beginning(connection, noun, beginning, limit))

    async def remove_partner(self, partner_id: str, by: Changer = OPERATOR) -> None:
        order = registry_removal.Removal(Partner, partner_id, datetime.now(UTC), by)
        await self._writer.do(registry_removal.remove, order)

    async def remove_agreement(self, agreement_id: str, by: Changer = OPERATOR) -> None:
        order = registry_removal.Removal(Agreement, agreement_id, datetime.now(UTC), by)
        await self._writer.do(registry_removal.remove, order)

    async def agreement(self, agreement_id: str) -> Agreement:
        found = await self.agreements_by_id([agreement_id])
        if not found:
            raise NotFound(agreement_id=agreement_id)
        return found[agreement_id]

    async def agreements_by_id(self, agreement_ids: Iterable[str]) -> Mapping[str, Agreement]:
        asked = list(agreement_ids)
        return await self._read(lambda connection: registry.agreements_by_id(connection, asked))

    async def partners_with_role(self, role: str) -> Sequence[Partner]:
        return await self._read(lambda connection: registry.partners_with_role(connection, role))

    async def agreements(self, partner_id: str) -> Sequence[Agreement]:
        return (await self.agreements_of([partner_id])).get(partner_id, [])

    async def agreements_of(self, partner_ids: Iterable[str]) -> Mapping[str, Sequence[Agreement]]:
        wanted = list(partner_ids)
        return await self._read(lambda connection: registry.agreements_of(connection, wanted))

    async def shown_credential(self, hash_: str) -> Credential | None:
        return (await self.shown_credentials([hash_])).get(hash_)

    async def shown_credentials(self, hashes: Iterable[str]) -> Mapping[str, Credential]:
        wanted = list(hashes)
        return await self._read(lambda connection: credentials.shown(connection, wanted))

    async def credential(self, credential_id: str) -> Credential:
        found = await self._read(lambda connection: credentials.by_id(connection, credential_id))
        if found is None:
            raise NotFound(credential_id=credential_id)
        return found

    async def credentials(self, partner_id: str) -> Sequence[Credential]:
        return (await self.credentials_of([partner_id])).get(partner_id, [])

    async def credentials_of(self, partner_ids: Iterable[str]) -> Mapping[str, Sequence[Credential]]:
        asked = list(partner_ids)
        return await self._read(lambda connection: credentials.of_partners(connection, asked))

    async def credentials_by_id(self, credential_ids: Iterable[str]) -> Mapping[str, Credential]:
        asked = list(credential_ids)
        return await self._read(lambda connection: credentials.by_ids(connection, asked))

    async def ending_credentials(
        self, after: datetime, until: datetime, limit: int, from_id: str = ""
    ) -> Sequence[Credential]:
        return await self._read(lambda connection: credentials.ending(connection, after, until, limit, from_id))

    async def revoke_credential(self, credential_id: str, at: datetime, by: Changer = OPERATOR) -> None:
        await self._writer.do(credentials.revoke, credentials.Revocation(credential_id, at, by))

    async def registry_version(self) -> int:
        return await self._read(registry.version)

    async def registry_changes(self, since: int) -> RegistryChanges:
        return await self._read(lambda connection: registry.changes(connection, since))

    async def import_persons(self, persons: Iterable[Person], by: Changer = OPERATOR) -> int:
        return await self._import(persons, by)

    async def subscriptions_to(self, feed: str, *, test: bool = False) -> Sequence[Subscription]:
        return await self._read(lambda connection: subscriptions.to_feed(connection, feed, test=test))

    async def subscriptions_of(self, partner_id: str, *, test: bool = False) -> Sequence[Subscription]:
        owner = (partner_id, test)
        return (await self._read(lambda connection: subscriptions.of_partners(connection, [owner]))).get(owner, [])

    async def person(self, person_id: str) -> Person:
        found = await self._read(lambda connection: persons.by_id(connection, [person_id]))
        if not found:
            raise NotFound(person_id=person_id)
        return found[person_id]

    async def persons_by_id(self, person_ids: Iterable[str]) -> Mapping[str, Person]:
        wanted = list(person_ids)
        return await self._read(lambda connection: persons.by_id(connection, wanted))

    async def persons_of(self, partner_id: str) -> Sequence[Person]:
        return (await self.persons_of_partners([partner_id])).get(partner_id, [])

    async def persons_of_partners(self, partner_ids: Iterable[str]) -> Mapping[str, Sequence[Person]]:
        asked = list(partner_ids)
        return await self._read(lambda connection: persons.of_partners(connection, asked))


class SqlCatalogueCalls(SqlAccess, ports.CatalogueCalls):
    """`ports.CatalogueCalls` on SQLite and PostgreSQL."""

    async def call_for_catalogue(self) -> None:
        await self._trusted(self._database.write, catalogue_calls.call)

    async def catalogue_calls(self) -> int:
        return await self._read(catalogue_calls.read_calls)

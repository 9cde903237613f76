"""Partners, agreements and credentials as they are needed all the time: read once, and kept until they change.

An answer is about partners, names or roles, and is forgotten when one of these changes: an edit of one partner among
many costs nobody else's answers.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar, cast

from gateway.errors import NotFound
from gateway.model import (
    Agreement,
    Credential,
    CredentialKind,
    CredentialUse,
    Direction,
    Identifier,
    Partner,
    Person,
    Subscription,
)
from gateway.registry.credentials import choose
from gateway.store.contract import SUBSCRIPTIONS, RegistryChanges
from gateway.store.ports import Registry

T = TypeVar("T")

CACHED = 20_000
"""Answers kept: the partners of a busy hour, a few megabytes."""
VERSION_AGE = 0.5
"""Seconds after which the registry's version is looked at again, and a change is seen at the latest."""

_ALWAYS = datetime.min.replace(tzinfo=UTC)

_Subject = tuple[str, Hashable]
"""What an answer is about: a partner's id, a name, or a role, each with its kind."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """Something the store said."""

    value: object
    turn: int
    """How many changes were seen before the store was asked."""
    about: tuple[_Subject, ...]


class Directory:
    """A read-through cache over the registry, by partner and version."""

    def __init__(
        self,
        store: Registry,
        *,
        kept: int = CACHED,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`kept` answers are kept, those that were asked for last; `clock` gives seconds that only rise.

        `now` is the moment at which agreements must be in force.
        """
        self._now = now
        self._store = store
        self._kept = kept
        self._clock = clock
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._version = -1
        self._looked_at = float("-inf")
        self._turn = 0
        """How often a change was seen."""
        self._emptied = 0
        """The turn at which everything may have changed."""
        self._changed: dict[_Subject, int] = {}
        """The turn at which something changed last, since everything did."""

    async def partner(self, partner_id: str) -> Partner:
        """NotFound where there is none."""
        return await self._cached(
            ("partner", partner_id), lambda: self._store.partner(partner_id), lambda _: [("partner", partner_id)]
        )

    async def partner_by(self, scheme: str, value: str) -> Partner | None:
        """Who goes by `value` in `scheme`."""
        name = Identifier(scheme, value)
        return await self._cached(
            ("name", name),
            lambda: self._store.partner_by(name),
            lambda found: [("name", name), *((("partner", found.id),) if found is not None else ())],
        )

    async def with_role(self, role: str) -> Sequence[Partner]:
        """Active partners with `role`."""
        return await self._cached(
            ("role", role),
            lambda: self._store.partners_with_role(role),
            lambda found: [("role", role), *(("partner", one.id) for one in found)],
        )

    async def agreements(
        self, partner_id: str, direction: Direction, at: datetime | None = None
    ) -> Sequence[Agreement]:
        """A partner's agreements in one direction that are in force at a moment, now where none is given.

        Where two overlap, the one that came into force last comes first: it is the next version.
        """
        moment = at or self._now()
        found = [a for a in await self._agreements(partner_id) if a.direction is direction and a.is_valid(moment)]
        return sorted(found, key=lambda a: a.valid_from or _ALWAYS, reverse=True)

    async def wanted(self, partner_id: str, document_type: str) -> Agreement | None:
        """The agreement under which a partner gets `document_type`: one that names it, else one that takes all."""
        outbound = await self.agreements(partner_id, Direction.OUT)
        named = next((a for a in outbound if a.document == document_type), None)
        return named or next((a for a in outbound if a.document == "*"), None)

    async def agreement(self, partner_id: str, agreement_id: str) -> Agreement | None:
        """One agreement of a partner, in force or not: what was made under it still goes; None where it is gone."""
        return next((a for a in await self._agreements(partner_id) if a.id == agreement_id), None)

    async def person(self, person_id: str) -> Person | None:
        """Somebody who acts for a partner, active or not; that there is nobody is not kept."""

        async def read() -> Person | None:
            try:
                return await self._store.person(person_id)
            except NotFound:
                return None

        found = await self._cached(
            ("person", person_id), read, lambda found: [("partner", found.partner_id)] if found is not None else []
        )
        if found is None:
            self._answers.pop(("person", person_id), None)
        return found

    async def subscriptions(self, feed: str, *, test: bool) -> Mapping[str, Sequence[Subscription]]:
        """The subscriptions to a feed that have not ended, by partner."""

        async def read() -> Mapping[str, Sequence[Subscription]]:
            found = defaultdict(list)
            for one in await self._store.subscriptions_to(feed, test=test):
                found[one.partner_id].append(one)
            return dict(found)

        return await self._cached(("subscriptions", feed, test), read, lambda _: [("partner", SUBSCRIPTIONS)])

    async def shown_credential(self, hash_: str) -> Credential | None:
        """The credential whose secret has this hash, valid or not.

        That there is none is not kept: anybody may ask for anything.
        """
        found = await self._cached(
            ("shown", hash_),
            lambda: self._store.shown_credential(hash_),
            lambda found: [("partner", found.partner_id)] if found is not None else [],
        )
        if found is None:
            self._answers.pop(("shown", hash_), None)
        return found

    async def credentials(
        self, partner_id: str, kind: CredentialKind, use: CredentialUse, now: datetime, label: str = ""
    ) -> Sequence[Credential]:
        """A partner's valid credentials of a kind and use, the one that became valid last first."""
        found = await self._cached(
            ("credentials", partner_id),
            lambda: self._store.credentials(partner_id),
            lambda _: [("partner", partner_id)],
        )
        return choose(found, kind, use, now, label)

    async def _agreements(self, partner_id: str) -> Sequence[Agreement]:
        return await self._cached(
            ("agreements", partner_id),
            lambda: self._store.agreements(partner_id),
            lambda _: [("partner", partner_id)],
        )

    async def _cached(
        self, key: Hashable, read: Callable[[], Awaitable[T]], about: Callable[[T], Iterable[_Subject]]
    ) -> T:
        """The answer to `key`, read where it is not kept, or is about something that has changed since."""
        instant = self._clock()
        if instant - self._looked_at >= VERSION_AGE:
            self._looked_at = instant
            self._note(await self._store.registry_changes(self._version))
        kept = self._answers.get(key)
        if kept is not None and self._holds(kept):
            self._answers.move_to_end(key)
            return cast("T", kept.value)
        # What was read before a change that is seen meanwhile is known as such by its turn.
        turn = self._turn
        answer = await read()
        self._answers[key] = _Answer(answer, turn, tuple(about(answer)))
        self._answers.move_to_end(key)
        if len(self._answers) > self._kept:
            self._answers.popitem(last=False)
        return answer

    def _holds(self, answer: _Answer) -> bool:
        return answer.turn >= self._emptied and all(
            answer.turn >= self._changed.get(subject, 0) for subject in answer.about
        )

    def _note(self, changes: RegistryChanges) -> None:
        """Remember what has changed."""
        if changes.version == self._version:
            return
        self._version = changes.version
        self._turn += 1
        subjects: list[_Subject] = [
            *(("partner", id_) for id_ in changes.partners),
            *(("name", name) for name in changes.names),
            *(("role", role) for role in changes.roles),
        ]
        if changes.everything or len(self._changed) + len(subjects) > CACHED:
            self._emptied = self._turn
            self._answers.clear()
            self._changed.clear()
        else:
            self._changed.update(dict.fromkeys(subjects, self._turn))

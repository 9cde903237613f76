"""Who is calling: an API key becomes a caller with scopes, or the request is refused.

Whoever shows what opens nothing is told the same, whatever the reason; the log tells the operator which key it was, and
what is wrong with it.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from aiohttp import web

from gateway.errors import NotAuthenticated, NotFound, NotPermitted, Overloaded
from gateway.model import Changer, Credential, CredentialKind, Partner, Person, Role
from gateway.registry.credentials import Validity, judge
from gateway.registry.directory import Directory
from gateway.registry.keys import ADMIN, READ, hash_key
from gateway.store.contract import Viewer
from gateway.store.ports import Store

log = structlog.get_logger(__name__)

TELL_SECONDS = 60.0
"""Seconds between two lines about one key or partner: a client that goes on asking must not fill the log."""

_CALLERS = 50_000
"""Callers remembered at once (about 1 KB each), and what each has asked for within the second."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller."""

    partner: Partner
    key: Credential
    person: Person | None = None
    """Who of the partner's persons it is, where the key is a person's."""

    @property
    def everything(self) -> bool:
        """Whether the caller is the operator, who may see all partners' things."""
        return ADMIN in self.key.scopes

    @property
    def partner_id(self) -> str:
        """The partner to whom reading is limited; empty for the operator."""
        return "" if self.everything else self.partner.id

    @property
    def changer(self) -> Changer:
        """Who it is for the audit."""
        return Changer(self.partner.id, self.person.id if self.person is not None else self.key.id)

    @property
    def viewer(self) -> Viewer:
        """What the store shows the caller; a test key, which is handed around more freely, sees test traffic only."""
        return Viewer(self.partner_id, self.key.test)


class _Bucket:
    """A token bucket that holds one second's worth of requests."""

    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at

    def wait(self, rate: float, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        self.tokens = min(max(rate, 1.0), self.tokens + (now - self.at) * rate)
        self.at = now
        if self.tokens < 1:
            return (1 - self.tokens) / rate
        self.tokens -= 1
        return 0.0


class Gate:
    """Admits callers; remembers keys and partners until they change."""

    def __init__(
        self,
        store: Store,
        requests_per_second: float = 0,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._rate = requests_per_second
        self._clock = clock
        self._directory = Directory(store, kept=2 * _CALLERS)  # of each its key and its partner
        self._buckets: dict[str, _Bucket] = {}
        self._told: dict[str, float] = {}
        """When the log last told of a key that is not valid, or of a partner that is not active, by its id."""

    async def admit(self, request: web.Request, scope: str) -> Caller:
        """The caller of `request`, who has `scope`.

        Raises NotAuthenticated (no key, an unknown one or one that is not valid, an inactive partner), NotPermitted
        (no such scope) and Overloaded (more requests than the limit).
        """
        authorization = request.headers.get("Authorization", "")
        scheme, _, key = authorization.partition(" ")
        # No key has other characters than ASCII; bytes that are no text at all could not even be hashed.
        if scheme.lower() != "bearer" or not key or not key.isascii():
            raise NotAuthenticated
        caller = await self._caller(hash_key(key.strip()))
        if scope not in caller.key.scopes and not (caller.everything and scope == READ):
            raise NotPermitted(f"The key does not have the scope {scope}.")
        if self._rate:
            self._limit(caller.partner.id)
        return caller

    async def admit_partner(self, partner_id: str) -> None:
        """Admit a partner whom a transport has authenticated by means of its own.

        Raises NotAuthenticated (an unknown or inactive partner) and Overloaded (more requests than the limit).
        """
        await self._active(partner_id)
        if self._rate:
            self._limit(partner_id)

    async def roles(self, partner_ids: Iterable[str]) -> dict[str, str]:
        """What each partner is in the trade, by id: all that others may learn of it."""
        roles: dict[str, str] = {}
        for id_ in set(partner_ids):
            try:
                partner = await self._directory.partner(id_)
            except NotFound:
                continue
            roles[id_] = next((role.value for role in Role if role in partner.roles), "")
        return roles

    async def _caller(self, hash_: str) -> Caller:
        key = await self._directory.shown_credential(hash_)
        if key is None or key.kind is not CredentialKind.API_KEY or not hmac.compare_digest(key.hash, hash_):
            raise NotAuthenticated
        validity = judge(key, self._clock())
        if validity is not Validity.VALID:
            self._tell("key_refused", key.partner_id, credential=key.id, label=key.label, why=validity.value)
            raise NotAuthenticated
        partner = await self._active(key.partner_id)
        if not key.person_id:
            return Caller(partner, key)
        person = await self._directory.person(key.person_id)
        if person is None or not person.active or person.partner_id != partner.id:
            self._tell("person_refused", partner.id, credential=key.id, person=key.person_id)
            raise NotAuthenticated
        return Caller(partner, key, person)

    async def _active(self, partner_id: str) -> Partner:
        try:
            partner = await self._directory.partner(partner_id)
        except NotFound:
            raise NotAuthenticated from None
        if not partner.active:
            self._tell("partner_refused", partner_id, why="inactive")
            raise NotAuthenticated
        return partner

    def _tell(self, event: str, partner_id: str, **known: str) -> None:
        """Tell the operator who is refused: software that nobody moved to the next key, or a thief with the last one."""
        about, now = known.get("credential", partner_id), time.monotonic()
        if now - self._told.get(about, -TELL_SECONDS) < TELL_SECONDS:
            return
        if len(self._told) >= _CALLERS:
            self._told.clear()
        self._told[about] = now
        log.warning(event, partner=partner_id, **known)

    def _limit(self, partner_id: str) -> None:
        now = time.monotonic()
        bucket = self._buckets.get(partner_id)
        if bucket is None:
            if len(self._buckets) >= _CALLERS:
                self._buckets.clear()
            bucket = self._buckets[partner_id] = _Bucket(max(self._rate, 1.0), now)
        wait = bucket.wait(self._rate, now)
        if wait:
            error = Overloaded("More requests a second than agreed.")
            error.retry_after = wait
            raise error

"""Decides what is due because a term is over: a deadline is claimed, decided as an occasion, and written by commit 2.

    claim     the oldest that are over, once what was received before them is decided
    decide    by the function that a flow declares for its kind, with all that reacts to it
    commit    in one transaction, which takes the deadline away: it is decided once, on however many nodes

One that is undone or set anew meanwhile is lost to whoever decides it. One that cannot be decided, through a fault of
ours, is tried again, and then left to an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from gateway.catalogue import Catalogue
from gateway.check import rulebook
from gateway.decide import china
from gateway.decide.deadlines import MOST_FAULTS
from gateway.decide.desk import Alarm
from gateway.decide.flow import Flows
from gateway.deliver.loop import Loop
from gateway.errors import LeaseLost, TemporaryError
from gateway.findings import make_finding
from gateway.model import GATEWAY, Deadline, begins_with_time, derive_id, derive_id_at
from gateway.receipt.notary import Notary
from gateway.registry.directory import Directory
from gateway.store.contract import Alert, ClaimedDeadline, Outcome
from gateway.store.ports import Store
from gateway.trip.address import Dispatch
from gateway.trip.decider import Decider
from gateway.trip.in_force import InForce
from gateway.trip.in_hand import InHand
from gateway.trip.raised import Raiser
from gateway.trip.render import Renderer
from gateway.trip.transaction import Share, Transaction, gather_shares, with_raised
from gateway.trip.work import see_through

log = structlog.get_logger(__name__)

AT_ONCE = 8
"""Deadlines in work at once: each is a few questions and a commit, and a thousand that end with one day are done in
some seconds."""
LOOKS_EVERY = 1.0
"""Seconds between two looks for deadlines that are over: a term is hours at least, and a look is one indexed question."""
FAULT_PAUSE = timedelta(seconds=30)
"""How soon one comes back after a fault of ours."""


class Alarms:
    """Decides deadlines as they come due."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        our_id: str,
        flows: Flows,
        in_force: InForce,
        notary: Notary,
        lease: timedelta,
        clock: Callable[[], datetime],
        on_committed: Callable[[], None],
        acknowledged_within: timedelta,
    ) -> None:
        """`lease` is how long one is held; `on_committed` is called after each commit, to wake the deliveries.

        `acknowledged_within` is the term of recipients that are asked to acknowledge what is sent.
        """
        self._acknowledged_within = acknowledged_within
        self._store = store
        self._directory = directory
        self._our_id = our_id
        self._flows = flows
        self._in_force = in_force
        self._notary = notary
        self._lease = lease
        self._clock = clock
        self._on_committed = on_committed
        self._begun_for = ""
        """Digest of the catalogue for which deadlines that no decision sets were set."""
        self._loop = Loop(self._claim, self.process, AT_ONCE, idle=LOOKS_EVERY)

    async def run(self) -> None:
        """Claim and decide until cancelled."""
        await self._loop.run()

    async def _claim(self, limit: int) -> Sequence[ClaimedDeadline]:
        """The oldest that are over; those that no decision sets are set first, once for each catalogue in force."""
        await self.begin()
        return await self._store.claim_deadlines(limit, self._lease, self._clock())

    async def begin(self) -> None:
        """Set the deadlines by which reports and the like begin, where they are not set."""
        with self._in_force.held() as catalogue:
            if catalogue.digest == self._begun_for:
                return
            now = self._clock()
            rules = rulebook.load(catalogue, self._flows.rules).at(china.day(now))
            await self._store.begin_deadlines(self._flows.begin(rules, now))
            self._begun_for = catalogue.digest

    async def process(self, claimed: ClaimedDeadline) -> None:
        """Decide one; never raises: where it does not come to an end, it is given back or left to an operator."""
        held = HeldDeadline(self._store, claimed, self._clock)
        with self._in_force.held() as catalogue:
            await see_through(held, lambda _again: self._decide(claimed, catalogue))

    async def _decide(self, claimed: ClaimedDeadline, catalogue: Catalogue) -> None:
        """One decision by `catalogue`, and its commit."""
        deadline, now = claimed.deadline, self._clock()
        occasion = Alarm(deadline, _occasion_id(deadline))
        rules = rulebook.load(catalogue, self._flows.rules).at(china.day(now))
        decider = Decider(self._store, self._directory, self._flows, rules, now)
        renderer = Renderer(self._our_id, self._store, catalogue, self._acknowledged_within)
        readers = self._flows.readers(rules.feeds)
        transaction = Transaction()
        decided = await decider.decide(occasion, transaction)
        share = Share(0, Dispatch(self._directory, renderer, readers), facts=decided.facts, applied=decided.applied)
        in_hand = InHand(occasion.id, GATEWAY, now, deadline.test)
        await share.dispatch.carry_out(decided.parts, in_hand, decided.applied)
        transaction.add(share)
        raiser = Raiser(
            decider,
            self._directory,
            lambda: Dispatch(self._directory, renderer, readers),
            self._notary,
            self._flows,
            rules,
            now,
        )
        share.raised = await raiser.decide_all(occasion, decided.parts, transaction)
        shares = list(with_raised([share]))
        await self._store.commit(Outcome(claimed.work, 0, finished=True, **gather_shares(shares)))
        for one in shares:
            one.dispatch.log_alerts()
            if one.fault:
                log.error("message_failed", deadline=deadline.id, fault=one.fault)
        self._on_committed()


def _occasion_id(deadline: Deadline) -> str:
    """The id of what a deadline is at its time; of one whose own id has no time, it begins with that at which it is over."""
    if begins_with_time(deadline.id):
        return derive_id(deadline.id, deadline.at.isoformat())
    return derive_id_at(deadline.at, deadline.id, deadline.at.isoformat())


class HeldDeadline:
    """A claimed deadline in this process's hands."""

    def __init__(self, store: Store, claimed: ClaimedDeadline, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._claimed = claimed
        self._clock = clock

    @property
    def name(self) -> str:
        """Its kind and id."""
        return f"{self._claimed.deadline.kind} {self._claimed.deadline.id}"

    async def give_back(self, pause: timedelta) -> None:
        """Let it be claimed again, as if it had not been; where the store is away, its lease runs out."""
        await self._return(pause, self._claimed.begun)

    async def fail(self, error: Exception) -> None:
        """Try it again after a fault of ours, or leave it to an operator."""
        tried = self._claimed.begun + 1
        if tried < MOST_FAULTS:
            await self._return(FAULT_PAUSE, tried)
            return
        with suppress(LeaseLost, TemporaryError):  # where the store is away, the lease runs out and it fails once more
            await self._store.bury_deadline(self._claimed.work, _alert(self._claimed.deadline, error, self._clock()))

    async def _return(self, pause: timedelta, begun: int) -> None:
        with suppress(LeaseLost, TemporaryError):
            await self._store.return_deadline(self._claimed.work, self._clock() + pause, begun)


def _alert(deadline: Deadline, error: Exception, at: datetime) -> Alert:
    """What the operator is told of a deadline that is left to them."""
    why = make_finding("deadline.failed", kind=deadline.kind, deadline=deadline.id, reason=type(error).__name__)
    return Alert(
        "deadline_dead",
        f"{deadline.id} {deadline.at.isoformat()}",
        (why,),
        at,
        case_id=deadline.case_id,
        test=deadline.test,
        details={"deadline": deadline.id, "kind": deadline.kind},
    )

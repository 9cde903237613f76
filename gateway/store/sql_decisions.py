"""What deciding needs, over SQLAlchemy: see `ports.Decisions`, `Deadlines`, `Tasks` and `Alerts`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from gateway.decide.facts import Facts, NextNumber, Query
from gateway.model import (
    Deadline,
    Delivery,
    FeedEntry,
    StandingAlert,
    Task,
)
from gateway.store import (
    alerts,
    deadlines,
    facts,
    notices,
    outcome,
    ports,
    standing_alerts,
    tasks,
)
from gateway.store.contract import (
    Alert,
    AlertOrder,
    ClaimedDeadline,
    Outcome,
    StandingWanted,
    Work,
)
from gateway.store.sql import to_time
from gateway.store.sql_access import SqlAccess
from gateway.store.tables import HELD_LEASE


class SqlDecisions(SqlAccess, ports.Decisions):
    """`ports.Decisions` on SQLite and PostgreSQL."""

    async def facts(self, queries: Iterable[Query], known: Facts, for_id: str) -> Facts:
        wanted = [query for query in queries if query not in known.answers]
        numbers = tuple(query for query in wanted if isinstance(query, NextNumber))
        answers = await self._facts.ask([query for query in wanted if not isinstance(query, NextNumber)])
        if numbers:
            answers |= await self._writer.do(facts.reserve, facts.Reservation(for_id, numbers))
        return known.plus(answers)

    async def commit(self, outcome_: Outcome) -> None:
        made: tuple[Delivery | FeedEntry, ...] = (*outcome_.deliveries, *outcome_.feed)
        await self._keep_bodies((one.sha256, one.body) for one in made)
        await self._writer.do(outcome.commit, outcome_)


class SqlDeadlines(SqlAccess, ports.Deadlines):
    """`ports.Deadlines` on SQLite and PostgreSQL."""

    async def claim_deadlines(self, limit: int, lease: timedelta, now: datetime) -> Sequence[ClaimedDeadline]:
        wanted = deadlines.DueWanted(limit, lease, now, self._node)
        if not await self._read(lambda connection: deadlines.any_over(connection, wanted)):
            return []
        if self._database.claims_apart:
            return await self._claim(lambda connection: deadlines.claim(connection, wanted))
        return await self._writer.do(deadlines.claims, wanted)

    async def begin_deadlines(self, begun: Iterable[Deadline]) -> None:
        await self._writer.do(deadlines.begin, deadlines.Beginning(tuple(begun)))

    async def return_deadline(self, work: Work, until: datetime, begun: int) -> None:
        await self._writer.do(deadlines.give_back, deadlines.Handing(work, to_time(until), begun))

    async def bury_deadline(self, work: Work, alert: Alert) -> None:
        # The alert first: it is raised once, and what is buried without one nobody would look for.
        alerts.tell(await self._writer.do(alerts.raise_alerts, alert))
        await self._writer.do(deadlines.give_back, deadlines.Handing(work, HELD_LEASE, 0))

    async def revive_deadline(self, deadline_id: str, now: datetime) -> None:
        await self._writer.do(deadlines.revive, deadlines.Revival(deadline_id, to_time(now)))

    async def buried_deadlines(self, limit: int) -> Sequence[Deadline]:
        return await self._read(lambda connection: deadlines.buried(connection, limit))


class SqlTasks(SqlAccess, ports.Tasks):
    """`ports.Tasks` on SQLite and PostgreSQL."""

    async def open_tasks(self, offices: Sequence[str], after: str, limit: int, *, test: bool = False) -> Sequence[Task]:
        return await self._read(lambda connection: tasks.read_waiting(connection, offices, after, limit, test=test))


class SqlAlerts(SqlAccess, ports.Alerts):
    """`ports.Alerts` on SQLite and PostgreSQL."""

    async def raise_alert(self, alert: Alert) -> None:
        alerts.tell(await self._writer.do(alerts.raise_alerts, alert))

    async def end_alert(self, kind: str, cause: str, now: datetime) -> None:
        await self._trusted(self._database.write, lambda connection: standing_alerts.end(connection, kind, cause, now))

    async def standing_alerts(self, wanted: StandingWanted, limit: int, after: str = "") -> Sequence[StandingAlert]:
        return await self._read(lambda connection: standing_alerts.read(connection, wanted, limit, after))

    async def standing_alert(self, alert_id: str) -> StandingAlert:
        return await self._read(lambda connection: standing_alerts.find(connection, alert_id))

    async def order_alert(self, order: AlertOrder) -> None:
        await self._writer.do(standing_alerts.order, order)

    async def silent_alerts(self, now: datetime) -> set[tuple[str, str]]:
        return await self._read(lambda connection: standing_alerts.silent(connection, now))

    async def claim_notice(self, name: str, now: datetime, lease: timedelta) -> int | None:
        return await self._trusted(self._database.write, lambda connection: notices.claim(connection, name, now, lease))

    async def return_notice(self, name: str, place: int) -> None:
        await self._trusted(self._database.write, lambda connection: notices.give_back(connection, name, place))

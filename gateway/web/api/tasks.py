"""Tasks: what waits for a decision of the caller's offices, and whether the caller's person may decide it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web

from gateway.check import acts
from gateway.decide.answers import fault
from gateway.decide.facts import ActsOn, Facts
from gateway.decide.parties import BUREAU, identified
from gateway.decide.persons import Permit, asks_history, judge_person
from gateway.decide.watch import RISK
from gateway.model import ActDone, Task
from gateway.registry.keys import READ
from gateway.web import cursor, resources, views
from gateway.web.api.answers import answer
from gateway.web.identity import Caller
from gateway.web.language import preferred
from gateway.web.parameters import TEST, Flag, Text, Whole, identifier
from gateway.web.services import Services, services

LIMIT = Whole("limit", "Tasks on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
MINE = Flag(
    "mine", "Only those that the caller's person may decide, and that nobody else has claimed; of those on the page"
)


async def list_(request: web.Request) -> web.Response:
    """The tasks that wait for a decision of the caller's offices, the oldest first.

    One is decided, claimed or given back by the document `decision`, sent like any other.
    """
    service = services(request)
    caller = await service.gate.admit(request, READ)
    limit, after, mine = LIMIT.of(request), CURSOR.of(request), MINE.of(request)
    place = identifier(cursor.decode("tasks", after)) if after else ""
    offices = sorted(identified(caller.partner, BUREAU))
    test = caller.key.test or TEST.of(request)
    found = await service.store.open_tasks(offices, place, limit + 1, test=test)
    page, now = found[:limit], service.settings.clock.now()
    language = preferred(request, caller.partner.language)
    permits = await _permits(service, caller, page, now)
    items = [
        views.task(task, language, permit, now)
        for task, permit in zip(page, permits, strict=True)
        if (not mine or (permit.holds and not _is_anothers(task, caller, now)))
        # That there is a risk record is for those to know who may answer it.
        and (task.track != RISK or permit.holds)
    ]
    next_ = cursor.encode("tasks", page[-1].id) if len(found) > limit else None
    return answer(resources.TaskPage(items=items, next=next_), language=language)


async def _permits(service: Services, caller: Caller, tasks: Sequence[Task], now: datetime) -> list[Permit]:
    """Whether the caller's person may decide each task, as the decision itself will judge."""
    if caller.person is None:
        return [Permit("", (fault("decide.person.none", "", caller.partner.id),)) for _ in tasks]
    with service.process.in_force.held() as catalogue:
        rules = acts.load(catalogue)
    asked = {task.id: ActsOn(task.case_id, task.test) for task in tasks if asks_history(rules, task)}
    known = await service.store.facts(set(asked.values()), Facts(), "tasks") if asked else Facts()
    permits = []
    for task in tasks:
        done: tuple[ActDone, ...] = known[asked[task.id]] if task.id in asked else ()
        permits.append(judge_person(caller.person, caller.partner, "", task, done, rules, now))
    return permits


def _is_anothers(task: Task, caller: Caller, now: datetime) -> bool:
    """Whether somebody else's claim keeps the caller away."""
    return task.is_claimed(now) and (caller.person is None or task.person_id != caller.person.id)

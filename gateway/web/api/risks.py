"""Risk records, for the supervisors who handle them, and for the operator: nobody else learns that there are any."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from gateway.check import acts, risk_rules
from gateway.decide.parties import BUREAU, identified
from gateway.decide.watch import RISK, is_open, record_of
from gateway.errors import NotPermitted
from gateway.model import Case
from gateway.registry.keys import READ
from gateway.web import cursor, resources, views
from gateway.web.api.answers import answer
from gateway.web.identity import Caller
from gateway.web.language import preferred
from gateway.web.parameters import TEST, Flag, Text, Whole, identifier
from gateway.web.services import Services, services

LIMIT = Whole("limit", "Records on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
OPEN = Flag("open", "Only those that are not closed")

_SUPERVISE = "supervise"
"""The act that handling records is."""
_MOST_LOOKED_AT = 5_000
"""Records that one page looks at: where few of them are the caller's, the page is short, and `next` leads on."""


async def list_(request: web.Request) -> web.Response:
    """The risk records that the caller's offices handle, the newest first.

    For persons with the act `supervise` in some role, who never see a record of what they did themselves; the operator
    sees all. A record is answered by deciding its task.
    """
    service = services(request)
    caller = await service.gate.admit(request, READ)
    if not (caller.everything or _may_supervise(service, caller)):
        raise NotPermitted("Risk records are read by persons who supervise.")
    limit, only_open, after = LIMIT.of(request), OPEN.of(request), CURSOR.of(request)
    place = identifier(cursor.decode("risks", after)) if after else ""
    test = caller.key.test or TEST.of(request)
    found, more = await _find(service, _shown_to(caller, only_open=only_open), place, limit, test=test)
    language = preferred(request, caller.partner.language)
    with service.process.in_force.held() as catalogue:
        points = risk_rules.load(catalogue).points
    items = [views.risk(case, points.get(record_of(case).point), language) for case in found]
    return answer(resources.RiskPage(items=items, next=more and cursor.encode("risks", more)), language=language)


async def _find(
    service: Services, shown: Callable[[Case], bool], after: str, limit: int, *, test: bool
) -> tuple[list[Case], str | None]:
    """A page of records that are shown, and the record after which the next one begins; None at the end."""
    found: list[Case] = []
    for _ in range(_MOST_LOOKED_AT // limit + 1):
        page = await service.store.cases_of_kind(RISK, after, limit, test=test)
        for case in page:
            after = case.id
            if shown(case):
                found.append(case)
                if len(found) == limit:
                    return found, after
        if len(page) < limit:
            return found, None
    return found, after


def _shown_to(caller: Caller, *, only_open: bool) -> Callable[[Case], bool]:
    """Whether a record is one that the caller may see, and wants to."""
    offices = identified(caller.partner, BUREAU)
    person = caller.person.id if caller.person is not None else ""

    def shown(case: Case) -> bool:
        record = record_of(case)
        mine = caller.everything or (record.office in offices and not (person and record.person == person))
        return mine and (is_open(case) or not only_open)

    return shown


def _may_supervise(service: Services, caller: Caller) -> bool:
    """Whether one of the roles that the caller's person holds now bundles the act."""
    if caller.person is None:
        return False
    with service.process.in_force.held() as catalogue:
        rules = acts.load(catalogue)
    now = service.settings.clock.now()
    return any(role.is_held(now) and rules.gives(role.name, _SUPERVISE) for role in caller.person.roles)

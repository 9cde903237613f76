"""Cases: where the goods are, by any number that names them."""

from __future__ import annotations

from aiohttp import web

from gateway.check import views as check_views
from gateway.errors import NotFound
from gateway.registry.keys import READ
from gateway.store.contract import CasePage, CasePlace, CaseView
from gateway.web import cursor, resources, views
from gateway.web.api.answers import built, weight
from gateway.web.language import preferred
from gateway.web.parameters import ITEMS, MAX_NUMBER, MOST_ITEMS, TEST, Text, Whole, identifier, whole
from gateway.web.problems import BadRequest
from gateway.web.services import services

LIMIT = Whole("limit", "Events, messages and deliveries of each case", default=ITEMS, minimum=1, maximum=MOST_ITEMS)
CURSOR = Text("cursor", "The `next` of a list, for further cases, or the `earlier` of a case, for what is older in it")

_EARLIER = "earlier"


async def get(request: web.Request) -> web.Response:
    """The cases that a number finds, among those the caller takes part in, each with the newest of its timeline."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    test = caller.key.test or TEST.of(request)
    key, limit, at = identifier(request.match_info["key"]), LIMIT.of(request), CURSOR.of(request)
    list_name = f"cases of {key}"
    kind, _, place = cursor.decode(list_name, at).partition(" ") if at else ("", "", "")
    if kind == _EARLIER:
        case_id, event, moment, number, delivery = _parts(place)
        older = CasePlace(event, moment, number, delivery)
        view = await service.store.case_earlier(case_id, caller.partner_id, older, limit, test=test)
        page = CasePage((view,))
    else:
        page = await service.store.cases(key, caller.partner_id, identifier(place), limit, test=test)
    # Beyond the first page there may be none left; on the first, none is what a number finds that names nothing.
    if not page.cases and not page.next and not at:
        raise NotFound
    language = preferred(request, caller.partner.language)
    roles = await service.gate.roles(d.partner_id for case in page.cases for d in (*case.deliveries, *case.spoken_of))
    next_ = cursor.encode(list_name, f"next {page.next}") if page.next else None

    with service.process.in_force.held() as catalogue:
        rules = check_views.load(catalogue)

    def build() -> resources.CaseList:
        items = [views.case(case, caller, language, roles, rules, _earlier(list_name, case)) for case in page.cases]
        return resources.CaseList(items=items, next=next_)

    return await built(request, build, sum(map(weight, page.cases)), caller, language)


def _earlier(list_name: str, case: CaseView) -> str | None:
    """The cursor of what is older in a case."""
    place = case.earlier
    if place is None:
        return None
    parts = f"{case.id} {place.event} {place.at} {place.number} {place.delivery}"
    return cursor.encode(list_name, f"{_EARLIER} {parts}")


def _parts(place: str) -> tuple[str, int, int, int, int]:
    """What `_earlier` wrote; BadRequest where somebody else did."""
    case_id, *numbers = place.split(" ")
    if len(numbers) != 4:
        raise BadRequest("The cursor was not given out by this gateway.")
    event, moment, number, delivery = (whole(text) for text in numbers)
    return identifier(case_id), event, moment, max(-MAX_NUMBER, min(number, MAX_NUMBER)), delivery

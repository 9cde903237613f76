"""Reports: which are made, and each as it was made, for whoever makes reports of the trade and for the operator."""

from __future__ import annotations

from datetime import date

from aiohttp import web

from gateway.check import report_rules
from gateway.documents.statistics import Statistics
from gateway.errors import NotFound, NotPermitted
from gateway.model import Role
from gateway.registry.keys import READ
from gateway.translate import statistics_csv
from gateway.web import cursor, resources, views
from gateway.web.api.answers import answer
from gateway.web.identity import Caller
from gateway.web.language import preferred
from gateway.web.parameters import TEST, Text, Whole, identifier
from gateway.web.services import services

LIMIT = Whole("limit", "Reports on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
FORMAT = Text("format", "As JSON, or as CSV for a spreadsheet; JSON where absent", choices=("json", "csv"))

_READERS = frozenset({Role.BUREAU, Role.CUSTOMS})


async def list_(request: web.Request) -> web.Response:
    """The reports that are made, each with its period and what it counts.

    For bureaus and customs, and for the operator.
    """
    service = services(request)
    caller = await service.gate.admit(request, READ)
    _require_reader(caller)
    language = preferred(request, caller.partner.language)
    with service.process.in_force.held() as catalogue:
        rules = report_rules.load(catalogue)
    items = [views.report_rule(name, rule, language) for name, rule in rules.items()]
    return answer(resources.ReportList(items=items), language=language)


async def made(request: web.Request) -> web.Response:
    """The reports of a name that were made, the newest first, without their lines."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    _require_reader(caller)
    name, limit, after = identifier(request.match_info["name"]), LIMIT.of(request), CURSOR.of(request)
    place = identifier(cursor.decode(f"reports {name}", after)) if after else ""
    test = caller.key.test or TEST.of(request)
    found = await service.store.reports(name, place, limit + 1, test=test)
    page = found[:limit]
    next_ = cursor.encode(f"reports {name}", page[-1].first.isoformat()) if len(found) > limit else None
    return answer(resources.ReportPage(items=[views.made_report(one) for one in page], next=next_))


async def get(request: web.Request) -> web.Response:
    """A report as it was made: the document `statistics`, as JSON or as CSV.

    It is named by the first day of its period.
    """
    service = services(request)
    caller = await service.gate.admit(request, READ)
    _require_reader(caller)
    try:
        first = date.fromisoformat(identifier(request.match_info["period"]))
    except ValueError as error:
        raise NotFound from error
    test = caller.key.test or TEST.of(request)
    found = await service.store.report(identifier(request.match_info["name"]), first, test=test)
    if found is None:
        raise NotFound
    statistics = Statistics.from_kept(found.document)
    if FORMAT.of(request) == "csv":
        name = f"{found.name}-{first.isoformat()}.csv"
        return web.Response(
            body=statistics_csv.write_file(statistics),
            content_type="text/csv",
            charset="utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    return web.json_response(statistics.to_json())


def _require_reader(caller: Caller) -> None:
    if not caller.everything and caller.partner.roles.isdisjoint(_READERS):
        raise NotPermitted("Reports are read by bureaus and customs.")

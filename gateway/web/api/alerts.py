"""Alerts: what somebody must look at, by cause and counted, for the operator's keys: list, take, settle, silence."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from gateway import model
from gateway.alerting.words import read_alert
from gateway.errors import Archived, NotFound
from gateway.model import AlertState
from gateway.reasons import maybe_read_reasons, say_reasons
from gateway.registry.keys import ADMIN
from gateway.store.contract import AlertOrder, StandingWanted
from gateway.store.feeds import ALERTS
from gateway.web import alert_resources as resources
from gateway.web import cursor
from gateway.web.api.answers import answer
from gateway.web.identity import Caller
from gateway.web.language import preferred
from gateway.web.parameters import TEST, Text, Whole, identifier, read_body
from gateway.web.services import Services, services

LIMIT = Whole("limit", "Alerts on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
STATE = Text("state", "Only those in this state", choices=tuple(AlertState))
KIND = Text("kind", "Only those of this kind, such as delivery_dead", longest=100)
PARTNER = Text("partner", "Only those about this partner", longest=200)


async def list_(request: web.Request) -> web.Response:
    """Standing alerts, what began last first: one for each kind and cause, with how often it rang and its newest reason."""
    service, caller = await _operator(request)
    limit, after = LIMIT.of(request), CURSOR.of(request)
    wanted = StandingWanted(
        STATE.of(request), KIND.of(request), PARTNER.of(request), caller.key.test or TEST.of(request)
    )
    place = identifier(cursor.decode("alerts", after)) if after else ""
    found = await service.store.standing_alerts(wanted, limit + 1, place)
    items = [await _told(service, one, _language(request, caller)) for one in found[:limit]]
    next_ = cursor.encode("alerts", found[limit - 1].id) if len(found) > limit else None
    return answer(resources.AlertPage(items=items, next=next_))


async def get(request: web.Request) -> web.Response:
    """One standing alert."""
    service, caller = await _operator(request)
    return await _one(request, service, caller)


async def take(request: web.Request) -> web.Response:
    """Say that the caller deals with it; who took it last has it."""
    return await _order(request, AlertState.TAKEN)


async def settle(request: web.Request) -> web.Response:
    """Say that it is dealt with, and how; the next alert of its cause begins another."""
    return await _order(request, AlertState.SETTLED)


async def silence(request: web.Request) -> web.Response:
    """Notify nobody of its kind and cause for some hours, seven days at most; it is counted all the same."""
    service, caller = await _operator(request)
    wanted = await read_body(request, resources.SilenceWanted)
    now, id_ = service.settings.clock.now(), await _seen(request, service, caller)
    until = now + timedelta(hours=wanted.hours)
    await service.store.order_alert(AlertOrder(id_, now, caller.changer, wanted.reason, silent_until=until))
    return await _one(request, service, caller)


async def _order(request: web.Request, state: AlertState) -> web.Response:
    service, caller = await _operator(request)
    wanted = await read_body(request, resources.AlertOrderWanted)
    now, id_ = service.settings.clock.now(), await _seen(request, service, caller)
    await service.store.order_alert(AlertOrder(id_, now, caller.changer, wanted.words, state))
    return await _one(request, service, caller)


async def _operator(request: web.Request) -> tuple[Services, Caller]:
    service = services(request)
    return service, await service.gate.admit(request, ADMIN)


async def _one(request: web.Request, service: Services, caller: Caller) -> web.Response:
    found = await service.store.standing_alert(await _seen(request, service, caller))
    return answer(await _told(service, found, _language(request, caller)))


async def _seen(request: web.Request, service: Services, caller: Caller) -> str:
    """The id that is asked for; NotFound where it is none that the key shows: a test key shows test traffic alone."""
    id_ = identifier(request.match_info["id"])
    if caller.key.test and not (await service.store.standing_alert(id_)).test:
        raise NotFound(alert_id=id_)
    return id_


def _language(request: web.Request, caller: Caller) -> str:
    return preferred(request, caller.partner.language)


async def _told(service: Services, one: model.StandingAlert, language: str) -> resources.Alert:
    """A standing alert with the reasons of its newest entry; without them where that is archived by now."""
    try:
        newest = read_alert(await service.store.feed_entry(ALERTS, "", one.last, test=one.test))
    except (NotFound, Archived, ValueError):
        reasons = None
    else:
        reasons = maybe_read_reasons(newest.body.get("reasons"))
    return resources.Alert(
        id=one.id,
        kind=one.kind,
        cause=one.cause,
        partner=one.partner_id or None,
        case=one.case_id or None,
        test=one.test,
        times=one.times,
        first_at=one.first_at,
        last_at=one.last_at,
        state=one.state.value,
        text=say_reasons(reasons, language) if reasons is not None else "",
        by=one.by or None,
        words=one.said,
        settled_at=one.settled_at,
        silent_until=_later(one.silent_until, service.settings.clock.now()),
        link=f"/v1/feeds/{ALERTS}/{one.last}{'?test=true' if one.test else ''}",
    )


def _later(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is not None and moment > now else None

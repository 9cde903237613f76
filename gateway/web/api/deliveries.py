"""Deliveries: what a recipient is sent, how that went, and what it, or the operator, wants done about it.

A recipient sees its own deliveries with every attempt, and may have one sent again; what skips or holds one, which it
would miss, only the operator may want.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import replace

from aiohttp import web

from gateway import model
from gateway.errors import NotFound, NotPermitted
from gateway.media import find_medium
from gateway.model import DeliveryState, HeldFor, Stop
from gateway.registry.keys import ADMIN, READ, SEND
from gateway.store.contract import EndpointKey, storable_key
from gateway.transports.http import content_digest
from gateway.web import cursor
from gateway.web import delivery_resources as resources
from gateway.web.api.answers import answer, stored
from gateway.web.identity import Caller
from gateway.web.parameters import Text, Whole, identifier, read_body
from gateway.web.problems import BadRequest
from gateway.web.services import Services, services

LIMIT = Whole("limit", "Deliveries on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
STATE = Text("state", "Only those in this state", choices=tuple(DeliveryState))
ORDER = Text("order", "Which come first; the newest where absent", choices=("newest", "oldest"))
PARTNER = Text("partner", "Only those to this partner; a partner sees its own in any case", longest=200)

_Order = Callable[..., Awaitable[None]]


async def list_(request: web.Request) -> web.Response:
    """Deliveries to the caller, the newest first unless `order` says otherwise; to anybody, for the operator."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    limit, after, state = LIMIT.of(request), CURSOR.of(request), STATE.of(request)
    partner = _partner(caller, PARTNER.of(request))
    place = identifier(cursor.decode("deliveries", after)) if after else ""
    oldest = ORDER.of(request) == "oldest"
    found = await service.store.deliveries(partner, state, limit + 1, place, oldest_first=oldest)
    next_ = cursor.encode("deliveries", found[limit - 1].id) if len(found) > limit else None
    shown = [one for one in found[:limit] if one.test or not caller.key.test]
    veiled = await _veiled(service, caller, shown)
    return answer(resources.DeliveryPage(items=[_line(one, veiled) for one in shown], next=next_))


async def get(request: web.Request) -> web.Response:
    """A delivery with its attempts: where each went, what was said, what was answered."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    return answer(await _whole(service, caller, await _own(service, caller, request)))


async def body(request: web.Request) -> web.StreamResponse:
    """The bytes of a delivery to the caller, exactly as they were sent."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    delivery, kept = await service.store.delivery_kept(identifier(request.match_info["id"]), caller.viewer)
    headers = {
        "Content-Type": find_medium(delivery.format).type,
        "Content-Digest": content_digest(bytes.fromhex(delivery.sha256)),
        "Cache-Control": "no-store",
    }
    return await stored(request, kept, headers, caller)


async def retry(request: web.Request) -> web.Response:
    """Send a delivery now that is dead, held, or waits: the same bytes under the same id."""
    service = services(request)
    return await _order(request, service.store.retry_delivery)


async def resend(request: web.Request) -> web.Response:
    """Send a delivery once more that is over: the same bytes under the same id, after all that waits in its lane."""
    service = services(request)
    return await _order(request, service.store.resend_delivery)


async def hold(request: web.Request) -> web.Response:
    """Keep a delivery that waits, and those behind it in its lane, from going before it is retried."""
    service = services(request)
    return await _order(request, service.store.hold_delivery, by_operator=True)


async def skip(request: web.Request) -> web.Response:
    """Never send a delivery that is dead or held, so that the next one of its lane goes."""
    service = services(request)
    return await _order(request, service.store.skip_delivery, by_operator=True)


async def endpoints(request: web.Request) -> web.Response:
    """Endpoints of the caller to which sendings fail, or nothing is sent just now; everybody's, for the operator."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    found = await service.store.endpoints_in_trouble(_partner(caller, PARTNER.of(request)))
    return answer(resources.EndpointList(items=[_endpoint(one) for one in found]))


async def pause(request: web.Request) -> web.Response:
    """Send nothing to an endpoint, or to a whole partner, before it is resumed; what is being sent comes to its end."""
    service, caller, key, why = await _endpoint_meant(request)
    await service.store.partner(key[0])
    await service.store.pause_endpoint(key, service.settings.clock.now(), caller.changer, why)
    return await _standing(service, key)


async def resume(request: web.Request) -> web.Response:
    """Send again to an endpoint, or a whole partner, that is paused, gone or spared, and at once what has waited."""
    service, caller, key, why = await _endpoint_meant(request)
    if not caller.everything and await _is_paused_by_operator(service, key):
        raise NotPermitted("What the operator paused, only the operator resumes.")
    await service.store.resume_endpoint(key, service.settings.clock.now(), caller.changer, why)
    return await _standing(service, key)


async def _order(request: web.Request, order: _Order, *, by_operator: bool = False) -> web.Response:
    service = services(request)
    caller = await service.gate.admit(request, ADMIN) if by_operator else await _admit(service, request)
    delivery = await _own(service, caller, request)
    if delivery.held_for is HeldFor.ORDERED and not caller.everything:
        raise NotPermitted("What the operator holds, only the operator lets go.")
    wanted = await read_body(request, resources.OrderWanted)
    await order(delivery.id, service.settings.clock.now(), caller.changer, wanted.reason)
    return answer(await _whole(service, caller, await service.store.delivery(delivery.id)))


async def _admit(service: Services, request: web.Request) -> Caller:
    """Who may order something about its own deliveries: a partner whose key sends, and the operator."""
    try:
        return await service.gate.admit(request, SEND)
    except NotPermitted:
        return await service.gate.admit(request, ADMIN)


async def _own(service: Services, caller: Caller, request: web.Request) -> model.Delivery:
    """The delivery that is asked for; NotFound where it is none of the caller's."""
    return await service.store.delivery(identifier(request.match_info["id"]), caller.viewer)


async def _endpoint_meant(request: web.Request) -> tuple[Services, Caller, EndpointKey, str]:
    """What the body names; NotPermitted where it is another partner's, or the key is for test traffic alone."""
    service = services(request)
    caller = await _admit(service, request)
    if caller.key.test and not caller.everything:
        raise NotPermitted("Live traffic goes to the endpoint as well; a test key does not stop it.")
    wanted = await read_body(request, resources.EndpointWanted)
    if wanted.address and not wanted.transport:
        raise BadRequest("An address is one of a transport, which is to be named.")
    partner = wanted.partner or caller.partner.id
    if not caller.everything and partner != caller.partner.id:
        raise NotPermitted("The endpoint is another partner's.")
    key = (identifier(partner), identifier(wanted.transport), storable_key(wanted.address))
    return service, caller, key, wanted.reason


async def _is_paused_by_operator(service: Services, key: EndpointKey) -> bool:
    """Whether somebody paused it who is none of its partner's."""
    by = {
        one.by for one in await service.store.endpoints_in_trouble(key[0]) if one.key == key and one.stop is Stop.PAUSED
    }
    own = {one.id for one in await service.store.credentials(key[0])}
    return bool(by - own - {one.id for one in await service.store.persons_of(key[0])})


async def _standing(service: Services, key: EndpointKey) -> web.Response:
    found = [one for one in await service.store.endpoints_in_trouble(key[0]) if one.key == key]
    return answer(_endpoint(found[0] if found else model.Endpoint(*key)))


async def _whole(service: Services, caller: Caller, delivery: model.Delivery) -> resources.DeliveryWhole:
    attempts = await service.store.attempts(delivery.id)
    veiled = await _veiled(service, caller, [delivery])
    if veiled:
        attempts = [replace(one, detail="", transcript=_without_words(one.transcript)) for one in attempts]
    return resources.DeliveryWhole(delivery=_line(delivery, veiled), attempts=[_attempt(one) for one in attempts])


async def _veiled(service: Services, caller: Caller, deliveries: Iterable[model.Delivery]) -> set[str]:
    """Agreements of some deliveries that go via another partner: what it says, and where, is no business of the caller's."""
    found = set[str]()
    for id_ in () if caller.everything else {one.agreement_id for one in deliveries}:
        with suppress(NotFound):
            if (await service.store.agreement(id_)).via:
                found.add(id_)
    return found


def _without_words(told: model.Transcript | None) -> model.Transcript | None:
    return model.Transcript("", seconds=told.seconds) if told is not None else None


def _partner(caller: Caller, wanted: str) -> str:
    """Whose deliveries are meant: the caller's own, or for the operator those that it asks for."""
    return identifier(wanted) if caller.everything else caller.partner.id


def _line(one: model.Delivery, veiled: Collection[str]) -> resources.DeliveryLine:
    return resources.DeliveryLine(
        id=one.id,
        recipient=one.partner_id,
        kind=one.kind.value,
        document=one.document_type,
        format=one.format,
        state=one.state,
        held_for=one.held_for.value if one.held_for else None,
        attempts=one.attempts,
        next_at=one.next_at,
        last_error=one.last_error if one.agreement_id not in veiled else "",
        case=one.case_id or None,
        message=one.message_id or None,
        reference=one.reference,
        sha256=one.sha256,
        test=one.test,
        link=f"/v1/deliveries/{one.id}",
        body_link=f"/v1/deliveries/{one.id}/body",
    )


def _attempt(one: model.Attempt) -> resources.Attempt:
    known = one.transcript
    return resources.Attempt(
        number=one.number,
        started_at=one.started_at,
        ended_at=one.ended_at,
        outcome=one.outcome,
        detail=one.detail,
        seconds=known.seconds if known else None,
        address=known.address or None if known else None,
        request=resources.Said(headers=list(known.sent), size=known.size, sha256=known.sha256 or None)
        if known and (known.address or known.sent)
        else None,
        answer=resources.Said(
            headers=list(known.answered),
            status=known.status,
            body=known.answer.decode("utf-8", "replace"),
        )
        if known and known.status
        else None,
    )


def _endpoint(one: model.Endpoint) -> resources.Endpoint:
    return resources.Endpoint(
        partner=one.partner_id,
        transport=one.transport,
        address=one.address,
        failures=one.failures,
        stop=one.stop.value if one.stop else None,
        since=one.since,
        until=one.until,
        said=one.said,
        by=one.by,
    )

"""The receipt log: each receipt with its proof, the newest checkpoint, and proof that nothing was rewritten."""

from __future__ import annotations

import asyncio
import hmac
import json

from aiohttp import web

from gateway.errors import NotFound
from gateway.model import Receipt, Stage
from gateway.receipt.bundle import make_bundle
from gateway.receipt.proof import Proof
from gateway.receipt.signed import recipient_commitment, recipient_salt
from gateway.store.bodies import content
from gateway.store.contract import Proven
from gateway.web import resources, views
from gateway.web.api.answers import answer, given
from gateway.web.identity import Caller
from gateway.web.keys import READ
from gateway.web.parameters import MAX_INTEGER, Whole, index
from gateway.web.services import Services, services

FROM = Whole("from", "Leaves in the older tree", default=0, minimum=0, maximum=MAX_INTEGER)


async def receipt(request: web.Request) -> web.Response:
    """A receipt of the caller's with its inclusion proof and checkpoint."""
    _, proven = await _proven(request)
    return answer(views.proven(proven))


async def proof(request: web.Request) -> web.Response:
    """The same as one C2SP tlog-proof file, which `gateway receipt verify` reads."""
    _, found = await _proven(request)
    text = Proof(found.receipt.index, found.proof, found.checkpoint, found.receipt.body).text()
    return web.Response(text=text, content_type="text/plain", headers={"Cache-Control": "no-store"})


async def bundle(request: web.Request) -> web.Response:
    """The same as an evidence bundle, with the bytes it vouches for where they are the caller's to have."""
    caller, found = await _proven(request)
    service = services(request)
    said = json.loads(found.receipt.body)
    payloads: list[bytes] = []
    recipients: dict[int, tuple[str, bytes]] = {}
    if "payload" in said:
        sent = (await service.store.payload(said["payload"])).payload
        payloads.append(await asyncio.to_thread(content, sent))
    else:
        delivery = await service.store.delivery(said["delivery"])
        if caller.everything or delivery.partner_id == caller.partner.id:
            salt = recipient_salt(service.notary.secret, delivery.id)
            payloads.append(delivery.body)
            recipients[found.receipt.index] = (delivery.partner_id, salt)
    # In a thread, since the payload may be large.
    receipts = [(found.receipt, found.proof)]
    packed = await asyncio.to_thread(make_bundle, found.checkpoint, receipts, payloads, recipients=recipients)
    response = web.Response(body=packed, content_type="application/zip", headers={"Cache-Control": "no-store"})
    return await given(request, response, len(packed), caller)


async def _proven(request: web.Request) -> tuple[Caller, Proven]:
    """The receipt asked for; NotFound where it was not written for the caller."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    proven = await service.store.proven(index(request.match_info["index"], "index"))
    if not await _may_see(service, caller, proven.receipt):
        raise NotFound
    return caller, proven


async def checkpoint(request: web.Request) -> web.Response:
    """The newest signed checkpoint, as a C2SP signed note."""
    service = services(request)
    await service.gate.admit(request, READ)
    note = await service.store.checkpoint()
    if not note:
        raise NotFound
    return web.Response(text=note, content_type="text/plain", headers={"Cache-Control": "no-store"})


async def consistency(request: web.Request) -> web.Response:
    """Proof that the newest checkpoint extends the tree that had `from` leaves."""
    service = services(request)
    await service.gate.admit(request, READ)
    size = FROM.of(request)
    proof, note = await service.store.consistency(size)
    return answer(resources.Consistency(old_size=size, proof=views.hashes(proof), checkpoint=note))


async def _may_see(service: Services, caller: Caller, leaf: Receipt) -> bool:
    """Whether `leaf` was written for the caller, as sender or as recipient."""
    if caller.everything:
        return True
    said = json.loads(leaf.body)
    test = said["environment"] == "test"
    me = caller.partner.id
    if caller.key.test and not test:
        return False
    if leaf.stage is Stage.RECEIVED:
        return bool(said["sender"] == me)
    if leaf.stage is Stage.CHECKED:
        view = await service.store.payload(said["payload"])
        return view.payload.partner_id == me
    salt = recipient_salt(service.notary.secret, said["delivery"])
    if hmac.compare_digest(recipient_commitment(me, salt), said["recipient"]):
        return True
    cases = await service.store.case(said["case"], me, test=test) if said["case"] else ()
    return any(m.id == said["message"] and m.partner_id == me for case in cases for m in case.messages)

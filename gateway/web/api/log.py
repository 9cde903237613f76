"""The receipt log: each receipt with its proof, the newest checkpoint, and proof that nothing was rewritten."""

from __future__ import annotations

import asyncio
import hmac
import json

from aiohttp import web

from gateway.errors import NotFound
from gateway.model import Receipt
from gateway.receipt.bundle import make_bundle
from gateway.receipt.proof import Proof
from gateway.receipt.signed import recipient_commitment, recipient_salt, whole_findings
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
    findings: list[bytes] = []
    if "payload" in said:
        sent = await service.store.original(said["payload"])
        payloads.append(await asyncio.to_thread(content, sent))
        if "findings" in said:
            kept = (await service.store.message(said["message"])).findings
            findings += filter(None, [whole_findings(found.receipt.body, kept)])
    else:
        delivery = await service.store.delivery(said["delivery"])
        if caller.everything or delivery.partner_id == caller.partner.id:
            salt = recipient_salt(service.notary.secret, delivery.id)
            payloads.append(delivery.body)
            recipients[found.receipt.index] = (delivery.partner_id, salt)
    # In a thread, since the payload may be large.
    proven = [(found.receipt, found.proof)]
    packed = await asyncio.to_thread(
        make_bundle, found.checkpoint, proven, payloads, recipients=recipients, findings=findings
    )
    response = web.Response(body=packed, content_type="application/zip", headers={"Cache-Control": "no-store"})
    return await given(request, response, len(packed), caller)


async def _proven(request: web.Request) -> tuple[Caller, Proven]:
    """The receipt asked for; NotFound where it was not written for the caller."""
    service = services(request)
    caller = await service.gate.admit(request, READ)
    place = index(request.match_info["index"], "index")
    leaf = await service.store.receipt(place)
    # A receipt that is not there is asked about like one that is another's.
    if not await _may_see(service, caller, leaf) or leaf is None:
        raise NotFound
    return caller, await service.store.proven(place)


async def checkpoint(request: web.Request) -> web.Response:
    """The newest signed checkpoint, as a C2SP signed note."""
    service = services(request)
    await service.gate.admit(request, READ)
    note = await service.store.checkpoint()
    if not note:
        raise NotFound
    return web.Response(text=note, content_type="text/plain", headers={"Cache-Control": "no-store"})


async def key(request: web.Request) -> web.Response:
    """The public key of the log under the name it goes by now, as one line (C2SP signed note verifier key).

    Compare it with what the operator gave you by a way you trust.
    """
    service = services(request)
    await service.gate.admit(request, READ)
    vkey = await service.store.log_key()
    return web.Response(text=f"{vkey}\n", content_type="text/plain", headers={"Cache-Control": "no-store"})


async def consistency(request: web.Request) -> web.Response:
    """Proof that the newest checkpoint extends the tree that had `from` leaves."""
    service = services(request)
    await service.gate.admit(request, READ)
    size = FROM.of(request)
    proof, note = await service.store.consistency(size)
    return answer(resources.Consistency(old_size=size, proof=views.hashes(proof), checkpoint=note))


async def _may_see(service: Services, caller: Caller, leaf: Receipt | None) -> bool:
    """Whether `leaf` was written for the caller, as sender or as recipient."""
    if caller.everything and not caller.key.test:
        return True
    said = json.loads(leaf.body) if leaf is not None else {}
    if caller.key.test and said.get("environment") != "test":
        said = {}
    me = caller.partner.id
    sent = await service.store.sent_by(me, said.get("payload", ""), said.get("message", ""))
    salt = recipient_salt(service.notary.secret, said.get("delivery", ""))
    meant = hmac.compare_digest(recipient_commitment(me, salt), said.get("recipient", ""))
    return sent or meant or (caller.everything and bool(said))

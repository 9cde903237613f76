"""The receipt log: each receipt with its proof, the newest checkpoint, and proof that nothing was rewritten."""

from __future__ import annotations

import asyncio
import hmac
import io
import json
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

from gateway.errors import NotFound
from gateway.model import Receipt
from gateway.receipt.bundle import write_bundle
from gateway.receipt.proof import Proof
from gateway.receipt.signed import canonical, recipient_commitment, recipient_salt, whole_findings
from gateway.registry.keys import READ
from gateway.store.bodies import whole
from gateway.store.contract import Kept, Proven
from gateway.transports.spool import finished
from gateway.web import resources, views
from gateway.web.api.answers import answer, counted, given, streamed
from gateway.web.identity import Caller
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


async def bundle(request: web.Request) -> web.StreamResponse:
    """The same as an evidence bundle, with the bytes it vouches for where they are the caller's to have."""
    caller, found = await _proven(request)
    service = services(request)
    said = json.loads(found.receipt.body)
    vouched: list[Kept] = []
    recipients: dict[int, tuple[str, bytes]] = {}
    findings: list[bytes] = []
    if "payload" in said:
        raised = "parent" in said
        message = await service.store.message(said["message"], document=raised) if "findings" in said else None
        if raised and message is not None:
            content = canonical(message.document)  # nobody sent it: it is the document itself that was checked
            vouched.append(Kept(len(content), content))
        elif "media_type" in said:
            vouched.append((await service.store.exhibit(said["payload"]))[1])
        else:
            vouched.append(whole(await service.store.original(said["payload"])))
        if message is not None:
            findings += filter(None, [whole_findings(found.receipt.body, message.findings)])
    else:
        delivery, body = await service.store.delivery_kept(said["delivery"])
        if caller.everything or delivery.partner_id == caller.partner.id:
            vouched.append(body)
            salt = recipient_salt(service.notary.secret, delivery.id)
            recipients[found.receipt.index] = (delivery.partner_id, salt)

    def write(file: BinaryIO) -> int:
        payloads = [Path(one.path) if one.path else one.body for one in vouched]
        proven = [(found.receipt, found.proof)]
        write_bundle(file, found.checkpoint, proven, payloads, recipients=recipients, findings=findings)
        return file.tell()

    headers = {"Content-Type": "application/zip", "Cache-Control": "no-store"}
    size = sum(one.size for one in vouched) + sum(map(len, findings)) + _ENVELOPE
    if not any(one.path for one in vouched):
        packed = io.BytesIO()
        size = await asyncio.to_thread(write, packed)
        return await given(request, web.Response(body=packed.getvalue(), headers=headers), size, caller)
    with counted(request, size, caller):
        # A large one is made in a file of its own, whose bytes are counted before they are written.
        path = await asyncio.to_thread(service.spool.scratch, size)
        try:
            with path.open("w+b") as file:
                size = await finished(lambda: write(file))
            return await streamed(request, path, size, headers)
        finally:
            path.unlink(missing_ok=True)


_ENVELOPE = 16 * 1024
"""Bytes of a bundle besides what it vouches for, about: the receipt, its proof, the manifest and words."""


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

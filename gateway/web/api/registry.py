"""The registry, for the operator's keys: list, show, import, export, and change what one partner may do."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

from aiohttp import web

from gateway.errors import ConfigurationInvalid
from gateway.model import Changer, Credential, Partner, Role
from gateway.registry import operations
from gateway.registry.credentials import judge
from gateway.registry.exporting import WRITTEN, export, write_partner, write_whole
from gateway.registry.importing import NOUNS, Judge
from gateway.registry.keys import ADMIN
from gateway.registry.partner_file import Known
from gateway.registry.partner_rows import Fault, Form, read_rows
from gateway.store.contract import PartnersWanted
from gateway.transports import http
from gateway.web import cursor, resources
from gateway.web.api.answers import answer
from gateway.web.parameters import Flag, Text, Whole, identifier, read_body
from gateway.web.problems import BadRequest
from gateway.web.services import Services, services

LIMIT = Whole("limit", "Partners on a page", default=50, minimum=1, maximum=500)
CURSOR = Text("cursor", "Where the page before ended (its `next`)")
ROLE = Text("role", "Only those with this role", choices=tuple(Role))
GRADE = Text("grade", "Only those of this credit grade", choices=("AA", "A", "B", "C", "D"))
ACTIVE = Text("active", "Only those that may act, or only those that may not", choices=("true", "false"))
FORM = Text("form", "How the file is written", choices=tuple(Form))
FORM_WRITTEN = Text("form", "How the file is written; jsonl where absent", choices=tuple(WRITTEN))
DRY_RUN = Flag("dry_run", "Only check the file, and tell all its faults")
UPDATE = Flag("update", "Leave what a partner's row does not name as it is registered")

MOST_FAULTS = 10_000
"""Faults that one answer tells; a file with more of them is best mended from the first ones."""
_MEDIA = {Form.JSON: "application/json", Form.JSON_LINES: "application/x-ndjson", Form.CSV: "text/csv"}


async def list_(request: web.Request) -> web.Response:
    """Partners by id, with filters."""
    service = services(request)
    await service.gate.admit(request, ADMIN)
    limit, after, active = LIMIT.of(request), CURSOR.of(request), ACTIVE.of(request)
    place = identifier(cursor.decode("partners", after)) if after else ""
    wanted = PartnersWanted(ROLE.of(request), GRADE.of(request), active == "true" if active else None)
    found = await service.store.partners(place, limit + 1, wanted)
    items = [_partner(one) for one in found[:limit]]
    next_ = cursor.encode("partners", items[-1].id) if len(found) > limit else None
    return answer(resources.PartnerPage(items=items, next=next_))


async def get(request: web.Request) -> web.Response:
    """A partner with its agreements, credentials and persons; no secret, and no hash of one."""
    service, _ = await _operator(request)
    whole = await operations.show_partner(service.store, _id(request))
    told, now = write_whole(whole, credentials=False), service.settings.clock.now()
    return answer(
        resources.PartnerWhole(
            partner=_partner(whole.partner),
            agreements=told["agreements"],
            credentials=[_credential(one, now) for one in whole.credentials],
            persons=told["persons"],
        )
    )


async def disable(request: web.Request) -> web.Response:
    """Let a partner do nothing any more; what is on its way to it still goes."""
    return await _set_active(request, active=False)


async def enable(request: web.Request) -> web.Response:
    """Let a partner that was disabled do again what it may."""
    return await _set_active(request, active=True)


async def _set_active(request: web.Request, *, active: bool) -> web.Response:
    service, by = await _operator(request)
    return answer(_partner(await operations.set_active(service.store, _id(request), by, active=active)))


async def remove(request: web.Request) -> web.Response:
    """Take out a partner that has sent and got nothing; any other is disabled."""
    service, by = await _operator(request)
    await service.store.remove_partner(_id(request), by)
    return answer(resources.Removed(id=_id(request)))


async def remove_agreement(request: web.Request) -> web.Response:
    """Take out an agreement."""
    service, by = await _operator(request)
    await service.store.remove_agreement(_id(request), by)
    return answer(resources.Removed(id=_id(request)))


async def issue_key(request: web.Request) -> web.Response:
    """Give a partner a fresh API key, which is told now and never again."""
    service, by = await _operator(request)
    wanted = await read_body(request, resources.KeyWanted)
    terms = operations.KeyTerms(wanted.scopes, wanted.label, wanted.test, wanted.days, wanted.person)
    now = service.settings.clock.now()
    try:
        issued = await operations.issue_key(service.store, _id(request), terms, by, now)
    except ConfigurationInvalid as error:
        raise BadRequest(f"The body is no such object: {error}.") from error
    return answer(resources.KeyIssued(key=issued.key, credential=_credential(issued.credential, now)), status=201)


async def rotate_key(request: web.Request) -> web.Response:
    """Give the owner of an API key the next one, and let this one end after an overlap."""
    service, by = await _operator(request)
    wanted = await read_body(request, resources.RotationWanted)
    overlap, now = timedelta(hours=wanted.overlap_hours), service.settings.clock.now()
    issued = await operations.rotate_key(service.store, _id(request), overlap, by, now)
    return answer(resources.KeyIssued(key=issued.key, credential=_credential(issued.credential, now)), status=201)


async def revoke(request: web.Request) -> web.Response:
    """End a credential at once; no import opens it again."""
    service, by = await _operator(request)
    now = service.settings.clock.now()
    return answer(_credential(await operations.revoke(service.store, _id(request), by, now), now))


async def import_(request: web.Request) -> web.Response:
    """Add or replace partners by a file; with a fault anywhere nothing of it is imported, and all faults are told."""
    service = services(request)
    caller = await service.gate.admit(request, ADMIN)
    form, trial, update = Form(FORM.of(request) or Form.JSON_LINES), DRY_RUN.of(request), UPDATE.of(request)
    faults: list[Fault] = []

    def tell(fault: Fault) -> None:
        if len(faults) < MOST_FAULTS:
            faults.append(fault)

    with service.process.in_force.held() as catalogue:
        known = Known(service.process.transports.options, catalogue)
        async with http.taking_in(request, caller.partner.id, service.spool) as received:
            source = Path(received.path).open("rb") if received.path else io.BytesIO(received.body)  # noqa: ASYNC230, SIM115 -- read in threads; closed below
            with source, Judge(known, tell, update=update, keep=not trial) as judging:
                try:
                    judged = await judging.judge(read_rows(source, "file", form), service.store)
                except ConfigurationInvalid as error:
                    raise BadRequest(f"The body is no such object: {error}.") from error
                good = bool(judged.rows) and not judged.faults
                if good and not trial:
                    await judging.write(service.store, caller.changer)
    told = resources.ImportDone(
        imported=good and not trial,
        **{noun: judged.counts[noun] for noun in NOUNS},
        faults=[
            resources.ImportFault(place=one.place, partner=one.partner, field=one.field, text=one.text)
            for one in faults
        ],
        faults_count=judged.faults,
    )
    return answer(told, status=200 if good or trial else 422)


async def export_(request: web.Request) -> web.StreamResponse:
    """The registry, or the partners that are asked for, as a file that an import reads; without their credentials."""
    service, _ = await _operator(request)
    form = Form(FORM_WRITTEN.of(request) or Form.JSON_LINES)
    wanted = PartnersWanted(ROLE.of(request), GRADE.of(request))
    response = web.StreamResponse(headers={"Content-Type": _MEDIA[form], "Cache-Control": "no-store"})
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    async for piece in export(service.store, form, wanted=wanted):
        await response.write(piece)
    await response.write_eof()
    return response


async def _operator(request: web.Request) -> tuple[Services, Changer]:
    """The services, and who asks; NotPermitted for whoever has no key of the operator's."""
    service = services(request)
    return service, (await service.gate.admit(request, ADMIN)).changer


def _id(request: web.Request) -> str:
    return identifier(request.match_info["id"])


def _partner(partner: Partner) -> resources.Partner:
    return resources.Partner.model_validate(write_partner(partner))


def _credential(one: Credential, now: datetime) -> resources.RegisteredCredential:
    return resources.RegisteredCredential(
        id=one.id,
        partner=one.partner_id,
        person=one.person_id,
        kind=one.kind.value,
        use=one.use.value,
        label=one.label,
        scopes=sorted(one.scopes),
        test=one.test,
        valid_from=one.valid_from,
        valid_until=one.valid_until,
        revoked_at=one.revoked_at,
        validity=judge(one, now).value,
    )

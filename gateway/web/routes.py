"""Every route of the interface in one table: the application and the OpenAPI description are both made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from gateway.registry.keys import ADMIN, READ, SEND
from gateway.web import resources
from gateway.web.api import (
    audit,
    cases,
    deliveries,
    description,
    evidence,
    feeds,
    ledgers,
    log,
    messages,
    operations,
    registry,
    reports,
    risks,
    subjects,
    subscriptions,
    tasks,
)
from gateway.web.parameters import TEST, Parameter

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation; its summary is the first sentence of the handler's docstring."""

    method: str
    path: str
    operation: str
    """The OpenAPI operationId, which generated clients name their methods by."""
    handler: Handler
    status: int = 200
    answers: type[BaseModel] | None = None
    media_type: str = "application/json"
    """Of an answer that is no resource."""
    scope: str = ""
    """The scope a key needs; empty where none is asked for."""
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[int, ...] = ()
    """Statuses of the problems that may be answered, apart from those every route has."""
    also: dict[int, type[BaseModel]] = field(default_factory=dict)
    """Other statuses that answer with a resource."""
    takes: type[BaseModel] | None = None
    """What a POST takes as JSON, where that is no message."""
    bodiless: bool = False
    """Whether a POST takes nothing."""
    waits: bool = False
    """Whether a sender that asks first (`Expect: 100-continue`) is answered only once it is known."""
    head: bool = False
    """Whether HEAD is answered too, as load balancers ask."""


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/messages",
        "postMessage",
        messages.post,
        status=202,
        answers=resources.Accepted,
        also={200: resources.Payload},
        scope=SEND,
        parameters=(messages.DOCUMENT, messages.ROLE),
        waits=True,
        problems=(400, 409, 413, 415, 429),
    ),
    Route(
        "GET",
        "/v1/messages",
        "listMessages",
        messages.list_,
        answers=resources.PayloadPage,
        scope=READ,
        parameters=(messages.CURSOR, messages.LIMIT, messages.STATE),
        problems=(400,),
    ),
    Route(
        "GET",
        "/v1/messages/{id}",
        "getMessage",
        messages.get,
        answers=resources.Payload,
        scope=READ,
        parameters=(messages.FURTHER, messages.MESSAGES),
        problems=(400, 404),
    ),
    Route(
        "POST",
        "/v1/evidence",
        "postEvidence",
        evidence.post,
        status=201,
        answers=resources.EvidenceKept,
        scope=SEND,
        parameters=(evidence.DEVICE, evidence.TAKEN_AT),
        waits=True,
        problems=(400, 409, 413, 415),
    ),
    Route(
        "GET",
        "/v1/evidence/{id}",
        "getEvidence",
        evidence.get,
        answers=resources.Evidence,
        scope=READ,
        problems=(404,),
    ),
    Route(
        "GET",
        "/v1/evidence/{id}/body",
        "getEvidenceBody",
        evidence.body,
        media_type="*/*",
        scope=READ,
        problems=(404,),
    ),
    Route(
        "GET",
        "/v1/cases/{key}",
        "getCases",
        cases.get,
        answers=resources.CaseList,
        scope=READ,
        parameters=(cases.CURSOR, cases.LIMIT, TEST),
        problems=(400, 404),
    ),
    Route(
        "GET",
        "/v1/tasks",
        "listTasks",
        tasks.list_,
        answers=resources.TaskPage,
        scope=READ,
        parameters=(tasks.CURSOR, tasks.LIMIT, tasks.MINE, TEST),
        problems=(400,),
    ),
    Route(
        "GET",
        "/v1/audit",
        "listAudit",
        audit.list_,
        answers=resources.AuditPage,
        scope=READ,
        parameters=(audit.CASE, audit.CURSOR, audit.LIMIT, audit.PERSON),
        problems=(400,),
    ),
    Route(
        "GET",
        "/v1/ledgers/{name}",
        "getLedger",
        ledgers.get,
        answers=resources.Ledger,
        scope=READ,
        parameters=(ledgers.CURSOR, ledgers.LIMIT, TEST),
        problems=(400, 404),
    ),
    Route(
        "GET",
        "/v1/reports",
        "listReports",
        reports.list_,
        answers=resources.ReportList,
        scope=READ,
    ),
    Route(
        "GET",
        "/v1/reports/{name}",
        "listMadeReports",
        reports.made,
        answers=resources.ReportPage,
        scope=READ,
        parameters=(reports.CURSOR, reports.LIMIT, TEST),
        problems=(400, 404),
    ),
    Route(
        "GET",
        "/v1/subjects/{scheme}/{value}",
        "getSubject",
        subjects.get,
        answers=resources.Subject,
        scope=READ,
        parameters=(TEST,),
        problems=(400, 404),
    ),
    Route(
        "GET",
        "/v1/reports/{name}/{period}",
        "getReport",
        reports.get,
        media_type="*/*",
        scope=READ,
        parameters=(reports.FORMAT, TEST),
        problems=(400, 404),
    ),
    Route(
        "GET",
        "/v1/risks",
        "listRisks",
        risks.list_,
        answers=resources.RiskPage,
        scope=READ,
        parameters=(risks.CURSOR, risks.LIMIT, risks.OPEN, TEST),
        problems=(400,),
    ),
    Route(
        "GET",
        "/v1/deliveries/{id}/body",
        "getDeliveryBody",
        deliveries.body,
        media_type="*/*",
        scope=READ,
        problems=(404, 410),
    ),
    Route(
        "GET",
        "/v1/feeds/{name}",
        "readFeed",
        feeds.get,
        answers=resources.FeedPage,
        scope=READ,
        parameters=(feeds.AFTER, feeds.LIMIT, feeds.WAIT, TEST),
        problems=(400, 404, 410),
    ),
    Route(
        "GET",
        "/v1/feeds/{name}/{sequence}",
        "getFeedDocument",
        feeds.document,
        media_type="*/*",
        scope=READ,
        parameters=(TEST,),
        problems=(400, 404, 410),
    ),
    Route(
        "GET",
        "/v1/subscriptions",
        "listSubscriptions",
        subscriptions.list_,
        answers=resources.SubscriptionList,
        scope=READ,
        parameters=(TEST,),
        problems=(400,),
    ),
    Route(
        "GET",
        "/v1/receipts/{index}",
        "getReceipt",
        log.receipt,
        answers=resources.ProvenReceipt,
        scope=READ,
        problems=(400, 404),
    ),
    Route(
        "GET",
        "/v1/receipts/{index}/proof",
        "getProof",
        log.proof,
        media_type="text/plain",
        scope=READ,
        problems=(400, 404),
    ),
    Route(
        "GET",
        "/v1/receipts/{index}/bundle",
        "getBundle",
        log.bundle,
        media_type="application/zip",
        scope=READ,
        problems=(400, 404, 410),
    ),
    Route(
        "GET",
        "/v1/log/checkpoint",
        "getCheckpoint",
        log.checkpoint,
        media_type="text/plain",
        scope=READ,
        problems=(404,),
    ),
    Route("GET", "/v1/log/key", "getLogKey", log.key, media_type="text/plain", scope=READ),
    Route(
        "GET",
        "/v1/log/consistency",
        "getConsistency",
        log.consistency,
        answers=resources.Consistency,
        scope=READ,
        parameters=(log.FROM,),
        problems=(400, 404),
    ),
    Route(
        "GET",
        "/v1/partners",
        "listPartners",
        registry.list_,
        answers=resources.PartnerPage,
        scope=ADMIN,
        parameters=(registry.CURSOR, registry.LIMIT, registry.ROLE, registry.GRADE, registry.ACTIVE),
        problems=(400,),
    ),
    Route(
        "GET",
        "/v1/partners/{id}",
        "getPartner",
        registry.get,
        answers=resources.PartnerWhole,
        scope=ADMIN,
        problems=(404,),
    ),
    Route(
        "POST",
        "/v1/partners/{id}/disable",
        "disablePartner",
        registry.disable,
        answers=resources.Partner,
        scope=ADMIN,
        bodiless=True,
        problems=(404,),
    ),
    Route(
        "POST",
        "/v1/partners/{id}/enable",
        "enablePartner",
        registry.enable,
        answers=resources.Partner,
        scope=ADMIN,
        bodiless=True,
        problems=(404,),
    ),
    Route(
        "POST",
        "/v1/partners/{id}/keys",
        "issueKey",
        registry.issue_key,
        status=201,
        answers=resources.KeyIssued,
        scope=ADMIN,
        takes=resources.KeyWanted,
        problems=(400, 404),
    ),
    Route(
        "DELETE",
        "/v1/partners/{id}",
        "removePartner",
        registry.remove,
        answers=resources.Removed,
        scope=ADMIN,
        problems=(404, 409),
    ),
    Route(
        "DELETE",
        "/v1/agreements/{id}",
        "removeAgreement",
        registry.remove_agreement,
        answers=resources.Removed,
        scope=ADMIN,
        problems=(404,),
    ),
    Route(
        "POST",
        "/v1/credentials/{id}/rotate",
        "rotateKey",
        registry.rotate_key,
        status=201,
        answers=resources.KeyIssued,
        scope=ADMIN,
        takes=resources.RotationWanted,
        problems=(400, 404, 409),
    ),
    Route(
        "POST",
        "/v1/credentials/{id}/revoke",
        "revokeCredential",
        registry.revoke,
        answers=resources.RegisteredCredential,
        scope=ADMIN,
        bodiless=True,
        problems=(404,),
    ),
    Route(
        "POST",
        "/v1/partner-files",
        "importPartners",
        registry.import_,
        answers=resources.ImportDone,
        also={422: resources.ImportDone},
        scope=ADMIN,
        parameters=(registry.FORM, registry.DRY_RUN, registry.UPDATE),
        waits=True,
        problems=(400, 413),
    ),
    Route(
        "GET",
        "/v1/partner-files",
        "exportPartners",
        registry.export_,
        media_type="*/*",
        scope=ADMIN,
        parameters=(registry.FORM_WRITTEN, registry.ROLE, registry.GRADE),
        problems=(400,),
    ),
    Route("GET", "/v1/openapi.json", "getDescription", description.get),
    Route("GET", "/healthz", "getHealth", operations.health, answers=resources.Health, head=True),
    Route(
        "GET",
        "/readyz",
        "getReadiness",
        operations.ready,
        answers=resources.Readiness,
        also={503: resources.Readiness},
        head=True,
    ),
    Route("GET", "/metrics", "getMetrics", operations.metrics, media_type="text/plain", problems=(401, 403)),
)

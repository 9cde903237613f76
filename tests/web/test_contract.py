"""The handlers against the description they are published under."""

from __future__ import annotations

from typing import Any

from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from gateway import documents
from gateway.discovery import find_transports
from gateway.findings import make_finding
from gateway.store.contract import Alert
from gateway.web.openapi import build
from gateway.web.plugged import routes_of
from gateway.web.routes import ROUTES
from tests.web.conftest import NOW, Filled
from tests.web.test_subjects import register

DESCRIPTION = build(tuple(documents.MODELS.values()), (*ROUTES, *routes_of(find_transports())))
REGISTRY = Registry().with_resource("urn:api", Resource.from_contents(DESCRIPTION, DRAFT202012))


def judge(operation: dict[str, Any], answer: Any) -> None:
    """Assert that an answer is one the description promises: status, media type, schema."""
    response = operation["responses"][str(answer.status)]
    media_type = answer.headers["Content-Type"].partition(";")[0]
    content = response["content"].get(media_type) or response["content"].get("*/*")
    assert content is not None, (media_type, response["content"].keys())
    if answer.json is not None and "$ref" in content["schema"]:
        schema = {"$ref": "urn:api" + content["schema"]["$ref"]}
        errors = list(OAS31Validator(schema, registry=REGISTRY).iter_errors(answer.json))
        assert not errors, errors


REQUESTS = {
    "postMessage": ("/v1/messages", "acme", 202),
    "listMessages": ("/v1/messages", "acme", 200),
    "getMessage": ("/v1/messages/{payload}", "acme", 200),
    "postEvidence": ("/v1/evidence?device=cam-1", "acme", 201),
    "getEvidence": ("/v1/evidence/{exhibit}", "acme", 200),
    "getEvidenceBody": ("/v1/evidence/{exhibit}/body", "acme", 200),
    "getCases": ("/v1/cases/B-1", "acme", 200),
    "listTasks": ("/v1/tasks", "customs", 200),
    "listAudit": ("/v1/audit", "operator", 200),
    "getLedger": ("/v1/ledgers/licence:37-1:1?limit=1", "acme", 200),
    "listReports": ("/v1/reports", "customs", 200),
    "listMadeReports": ("/v1/reports/accepted_by_office", "customs", 200),
    "getReport": ("/v1/reports/accepted_by_office/2026-02-01", "customs", 200),
    "listRisks": ("/v1/risks", "operator", 200),
    "getSubject": ("/v1/subjects/ciq-registration/3702000001", "customs", 200),
    "listDeliveries": ("/v1/deliveries?state=pending", "customs", 200),
    "getDelivery": ("/v1/deliveries/d-1", "customs", 200),
    "holdDelivery": ("/v1/deliveries/d-1/hold", "operator", 200),
    "retryDelivery": ("/v1/deliveries/d-1/retry", "operator", 200),
    "skipDelivery": ("/v1/deliveries/d-1/skip", "operator", 409),
    "resendDelivery": ("/v1/deliveries/d-1/resend", "customs", 409),
    "pauseEndpoint": ("/v1/endpoints/pause", "customs", 200),
    "listEndpoints": ("/v1/endpoints", "customs", 200),
    "resumeEndpoint": ("/v1/endpoints/resume", "operator", 200),
    "acknowledgeDelivery": ("/v1/deliveries/d-1/acknowledgement", "customs", 404),
    "getWebhookKeys": ("/v1/webhooks/keys", "customs", 200),
    "pingWebhook": ("/v1/webhooks/none/ping", "customs", 404),
    "getDeliveryBody": ("/v1/deliveries/d-1/body", "customs", 200),
    "readFeed": ("/v1/feeds/clearance", "customs", 200),
    "getFeedDocument": ("/v1/feeds/clearance/1", "customs", 200),
    "listSubscriptions": ("/v1/subscriptions", "customs", 200),
    "getReceipt": ("/v1/receipts/0", "acme", 200),
    "getProof": ("/v1/receipts/1/proof", "acme", 200),
    "getBundle": ("/v1/receipts/2/bundle", "customs", 200),
    "getCheckpoint": ("/v1/log/checkpoint", "acme", 200),
    "getLogKey": ("/v1/log/key", "acme", 200),
    "getConsistency": ("/v1/log/consistency?from=1", "acme", 200),
    "listAlerts": ("/v1/alerts?limit=1", "operator", 200),
    "getAlert": ("/v1/alerts/1", "operator", 200),
    "takeAlert": ("/v1/alerts/1/take", "operator", 200),
    "silenceAlert": ("/v1/alerts/1/silence", "operator", 200),
    "settleAlert": ("/v1/alerts/1/settle", "operator", 200),
    "listPartners": ("/v1/partners?limit=1", "operator", 200),
    "getPartner": ("/v1/partners/acme", "operator", 200),
    "disablePartner": ("/v1/partners/rival/disable", "operator", 200),
    "enablePartner": ("/v1/partners/rival/enable", "operator", 200),
    "issueKey": ("/v1/partners/rival/keys", "operator", 201),
    "rotateKey": ("/v1/credentials/rival-1/rotate", "operator", 201),
    "revokeCredential": ("/v1/credentials/acme-read/revoke", "operator", 200),
    "removeAgreement": ("/v1/agreements/rival-in", "operator", 200),
    "importPartners": ("/v1/partner-files?form=jsonl", "operator", 200),
    "exportPartners": ("/v1/partner-files?form=csv", "operator", 200),
    "removePartner": ("/v1/partners/fresh", "operator", 200),
    "postAs2": ("/as2", "", 404),  # the gateway of these tests has no AS2 name
    "getRoot": ("/", "", 200),
    "getPage": ("/v1/", "", 200),
    "getDescription": ("/v1/openapi.json", "", 200),
    "getHealth": ("/healthz", "", 200),
    "getReadiness": ("/readyz", "", 200),
    "getMetrics": ("/metrics", "", 200),
}
"""A request for each operation that succeeds, or is refused as things stand."""
BODIES = {
    **dict.fromkeys(("holdDelivery", "retryDelivery", "skipDelivery", "resendDelivery"), b'{"reason": "asked for"}'),
    "acknowledgeDelivery": b'{"outcome": "ok"}',
    **dict.fromkeys(("takeAlert", "settleAlert"), b'{"words": "known"}'),
    "silenceAlert": b'{"hours": 2}',
    "pauseEndpoint": b'{"reason": "moving house"}',
    "resumeEndpoint": b'{"partner": "customs"}',
    "issueKey": b'{"label": "ERP", "days": 30}',
    "rotateKey": b'{"overlap_hours": 1}',
    "importPartners": b'{"id": "fresh", "name": "Fresh"}',
}
"""What is sent where anything is not as good."""


async def test_every_operation_answers_as_described(filled: Filled):
    """Each operation of the description, asked rightly, answers with a status, type and body that it describes."""
    described = {
        operation["operationId"]: (method, operation)
        for operations in DESCRIPTION["paths"].values()
        for method, operation in operations.items()
    }
    assert described.keys() == REQUESTS.keys()
    exhibit = (await filled.client.ask("POST", "/v1/evidence", data=b"a picture")).json["id"]
    await register(filled.client)
    why = make_finding("operator.disk_low", node="n", free="1", least="2")
    await filled.client.services.store.raise_alert(Alert("disk_low", "n", (why,), NOW, cause="n"))
    for name in sorted(described, key=list(REQUESTS).index):
        method, operation = described[name]
        path, as_, status = REQUESTS[name]
        path = path.format(payload=filled.payload_id, exhibit=exhibit)
        sent = BODIES.get(name, b"x") if method == "post" else None
        answer = await filled.client.ask(method.upper(), path, as_=as_, data=sent)
        assert answer.status == status, (name, answer.body)
        judge(operation, answer)


async def test_every_refusal_is_described(filled: Filled):
    """Each operation, asked without a key or by one who may not, answers with a problem that it describes."""
    for route in ROUTES:
        if not route.scope:
            continue
        operation = DESCRIPTION["paths"][route.path][route.method.lower()]
        path = REQUESTS[route.operation][0].format(payload=filled.payload_id, exhibit="e-1")
        judge(operation, await filled.client.ask(route.method, path, as_=""))
        answer = await filled.client.ask(route.method, path, as_="operator" if route.scope == "send" else "rival")
        judge(operation, answer)


async def test_the_served_description_is_this_one(filled: Filled):
    """What is served at /v1/openapi.json is what these tests judge by."""
    assert (await filled.client.ask("GET", "/v1/openapi.json", as_="")).json == DESCRIPTION

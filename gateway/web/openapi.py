"""The OpenAPI 3.1 description of the interface, built from the routes and the models they answer with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import gateway
from gateway.media import MEDIA
from gateway.transports.webhook import WebhookEvent
from gateway.web import resources
from gateway.web.problems import CONTENT_TYPE, KINDS, OF_STATUS, Kind
from gateway.web.routes import ROUTES, Route

SchemaOf = Callable[[type[BaseModel] | None], dict[str, Any]]
"""The schema of a model by reference; of no model, any text, or any object where the media type is JSON."""

_REFERENCE = "#/components/schemas/{model}"

_PATHS = {
    "id": "The id that POST answered with, or that a delivery has",
    "key": "A case id, or any number that names the consignment: declaration, notice, bill of lading, container",
    "name": "clearance (customs), transfer (bureaus), release (ports, yards); status and inbox (everyone's own)",
    "scheme": "In which the subject goes by its number, such as ciq-registration",
    "value": "The subject's number",
    "sequence": "The entry's number in the feed",
    "agreement": "Id of an agreement",
    "index": "The receipt's number in the log, from 0",
}

_BYTES: dict[str, Any] = {"type": "string", "format": "binary"}
_ANY: dict[str, Any] = {"application/octet-stream": {"schema": _BYTES}, "*/*": {"schema": _BYTES}}
"""Bytes of whatever type; first by a name of their own, since generated clients know no `*/*`."""

_JSON: dict[str, Any] = {"$ref": _REFERENCE.format(model="JsonMessage")}

_REQUEST: dict[str, Any] = {
    "required": True,
    "description": "A message, an interchange or a file of them in any syntax; gzip and zip are unpacked",
    "content": {
        "application/octet-stream": {"schema": _BYTES},
        **{
            medium.type: {"schema": _JSON if medium.type == "application/json" else _BYTES} for medium in MEDIA.values()
        },
    },
}

_EVIDENCE: dict[str, Any] = {
    "required": True,
    "description": "A picture, a scan, a reading: kept as it comes, under the media type that it comes with",
    "content": _ANY,
}

_PARTNERS: dict[str, Any] = {
    "required": True,
    "description": "A partner file; `form` says how it is written, JSON Lines where it does not",
    "content": _ANY,
}

_BODIES: dict[type[BaseModel] | None, dict[str, Any]] = {
    resources.EvidenceKept: _EVIDENCE,
    resources.ImportDone: _PARTNERS,
}
"""What is taken in, by what is answered; a message of some kind where it is not here."""

_KEPT = (resources.Accepted, resources.EvidenceKept)
"""What answers to bytes that are durably stored by then."""

_POST_HEADERS: list[dict[str, Any]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The sender's id of this sending: repeated with the same bytes it gets the same receipt, "
        "repeated with others 409",
        "schema": {"type": "string", "maxLength": 255},
    },
    {
        "name": "Content-Digest",
        "in": "header",
        "description": "RFC 9530; where sha-256 is given, damaged content is refused",
        "schema": {"type": "string"},
    },
]

_ACCEPTED_HEADERS: dict[str, Any] = {
    "Location": {"description": "Where to ask what became of it", "schema": {"type": "string"}},
    "Received-Digest": {
        "description": "sha-256 of the bytes that arrived, written like a Content-Digest",
        "schema": {"type": "string"},
    },
}

_OBJECT: dict[str, Any] = {"type": "object", "description": "An OpenAPI 3.1 document"}

_LANGUAGE: dict[str, Any] = {
    "name": "Accept-Language",
    "in": "header",
    "description": "en or zh; the partner's own language where absent",
    "schema": {"type": "string"},
}


def build(documents: tuple[type[BaseModel], ...] = (), routes: tuple[Route, ...] = ROUTES) -> dict[str, Any]:
    """The description of `routes` as a JSON-ready dict; `documents` are the canonical documents, described as schemas."""
    models: set[type[BaseModel]] = {resources.Problem, resources.JsonMessage, WebhookEvent, *documents}
    for route in routes:
        models.update(m for m in (route.answers, route.takes, *route.also.values()) if m is not None)
    ordered = sorted(models, key=lambda model: (model.__module__, model.__name__))
    references, schemas = models_json_schema([(m, "serialization") for m in ordered], ref_template=_REFERENCE)

    def schema_of(model: type[BaseModel] | None) -> dict[str, Any]:
        # Where two models share a name, pydantic names both in full, so the references are taken from it.
        return dict(references[model, "serialization"]) if model else {"type": "string"}

    named = _short_names(schemas["$defs"])
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    description = {
        "openapi": "3.1.0",
        "info": {
            "title": "EDI gateway",
            "version": gateway.__version__,
            "description": "Send messages in any syntax, follow consignments by any of their numbers, read feeds, "
            "and hold receipts that can be verified without the gateway.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "webhooks": {"delivery": {"post": _event(schema_of)}},
        "components": {
            "schemas": {named[name]: schema | {"title": named[name]} for name, schema in schemas["$defs"].items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key"}},
        },
    }
    told: dict[str, Any] = _portable(
        description, {_REFERENCE.format(model=name): short for name, short in named.items()}
    )
    return told


def _event(schema_of: SchemaOf) -> dict[str, Any]:
    """What an endpoint of a partner's is posted, by an agreement over `webhook`."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    told = (
        "The delivery's id, the same on each attempt",
        "Seconds since 1970 of the attempt",
        "v1a (Ed25519, keys at /v1/webhooks/keys) and v1 (HMAC-SHA256) signatures over id, timestamp and body, joined by full stops",
    )
    headers = [
        {"name": name, "in": "header", "required": True, "description": what, "schema": {"type": "string"}}
        for name, what in zip(names, told, strict=True)
    ]
    return {
        "operationId": "receiveEvent",
        "summary": "A delivery, as Standard Webhooks 1.0.0 has events",
        "parameters": headers,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(WebhookEvent)}}},
        "responses": {
            "2XX": {"description": "Taken: that is the delivery"},
            "410": {"description": "The endpoint is there no more; nothing is sent to it before it is resumed"},
            "default": {"description": "Tried again later"},
        },
    }


def _short_names(schemas: Mapping[str, Any]) -> dict[str, str]:
    """What each model is called in the description: where two share a name, each by its module too (`StatisticsLine`)."""
    return {
        name: "".join(_capital(part) for part in name.split("__")[-2:]) if "__" in name else name for name in schemas
    }


def _capital(part: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in part.split("_"))


def _portable(value: Any, named: Mapping[str, str]) -> Any:
    """`value` with patterns as every dialect of regular expressions reads them, and references by the models' short names."""
    if isinstance(value, list):
        return [_portable(one, named) for one in value]
    if not isinstance(value, dict):
        return value
    portable: dict[str, Any] = {}
    for name, one in value.items():
        if name == "pattern" and isinstance(one, str):
            portable[name] = re.sub(r"\\u{([0-9a-f]{4})}", r"\\u\1", one)
        elif name == "$ref" and one in named:
            portable[name] = _REFERENCE.format(model=named[one])
        else:
            portable[name] = _portable(one, named)
    return portable


def _operation(route: Route, schema_of: SchemaOf) -> dict[str, Any]:
    words = (route.handler.__doc__ or "").strip()
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": words.splitlines()[0].rstrip("."),
        "parameters": _parameters(route),
        "responses": _responses(route, schema_of),
        "security": [{"key": []}] if route.scope else [],
    }
    if route.scope:
        operation["description"] = f"Needs a key with the scope `{route.scope}`."
    if route.method == "POST" and not route.bodiless:
        operation["requestBody"] = _body(route, schema_of)
    return operation


def _body(route: Route, schema_of: SchemaOf) -> dict[str, Any]:
    """What a POST takes."""
    if route.takes is not None:
        return {"required": False, "content": {"application/json": {"schema": schema_of(route.takes)}}}
    return _BODIES.get(route.answers, _REQUEST)


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATHS.get(name, name),
            "schema": {"type": "string"},
        }
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    found += [
        {"name": p.name, "in": "query", "description": p.description, "schema": p.schema()} for p in route.parameters
    ]
    if route.answers in _KEPT:
        found += _POST_HEADERS
    return [*found, _LANGUAGE] if route.scope else found


def _responses(route: Route, schema_of: SchemaOf) -> dict[str, Any]:
    is_document = route.answers is None and route.media_type == "application/json"
    success: dict[str, Any] = {
        "description": "Done",
        "content": _content(route, _OBJECT if is_document else schema_of(route.answers)),
    }
    if route.answers in _KEPT:
        success |= {"description": "Durably stored; its receipt is in the log", "headers": _ACCEPTED_HEADERS}
    responses: dict[str, Any] = {str(route.status): success}
    for status, model in sorted(route.also.items()):
        responses[str(status)] = {
            "description": "The same, with what is missing",
            "content": {"application/json": {"schema": schema_of(model)}},
        }
    told = {*route.problems, *((401, 403, 429, 503) if route.scope else ()), 500}
    for status in sorted(told):
        responses[str(status)] = _problem(status, schema_of)
    return responses


def _content(route: Route, schema: dict[str, Any]) -> dict[str, Any]:
    """What an answer holds: text and JSON as they are described, anything else as bytes."""
    if route.media_type == "*/*":
        return _ANY
    is_text = (
        route.answers is not None or route.media_type == "application/json" or route.media_type.startswith("text/")
    )
    return {route.media_type: {"schema": schema if is_text else _BYTES}}


def _problem(status: int, schema_of: SchemaOf) -> dict[str, Any]:
    kinds: list[Kind] = [k for _, k in KINDS if k.status == status] or [OF_STATUS[status]]
    response: dict[str, Any] = {
        "description": " / ".join(kind.en for kind in kinds),
        "content": {CONTENT_TYPE: {"schema": schema_of(resources.Problem)}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
    return response

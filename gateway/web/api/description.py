"""What this is, for whoever comes: the OpenAPI description for programs, the same as a page for people, and a word at `/`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from aiohttp import web

from gateway.web import resources
from gateway.web.api.answers import answer
from gateway.web.page import POLICY

OPENAPI, PAGE = "/v1/openapi.json", "/v1/"


@dataclass(frozen=True, slots=True)
class Described:
    """The description in both forms."""

    json: bytes
    html: bytes


DESCRIPTION = web.AppKey("description", Described)


async def get(request: web.Request) -> web.Response:
    """This description."""
    return _cached(request, request.app[DESCRIPTION].json, "application/json")


async def page(request: web.Request) -> web.Response:
    """This description as a page for people."""
    answered = _cached(request, request.app[DESCRIPTION].html, "text/html")
    answered.headers["Content-Security-Policy"] = POLICY
    return answered


async def root(request: web.Request) -> web.Response:
    """What this is, and where it is described; whoever asks for HTML is led to the page."""
    if prefers_html(request.headers.get("Accept", "")):
        return web.Response(status=303, headers={"Location": PAGE, "Vary": "Accept"})
    told = answer(
        resources.Root(name="EDI gateway", description=OPENAPI, page=PAGE, health="/healthz", log="/v1/log/checkpoint")
    )
    told.headers["Vary"] = "Accept"
    return told


def prefers_html(accept: str) -> bool:
    """Whether an Accept header (RFC 9110, 12.5.1) names HTML, and no JSON at least as wanted."""
    weights = {"text/html": 0.0, "application/json": 0.0}
    for part in accept.lower().split(","):
        kind, *parameters = (one.strip() for one in part.split(";"))
        if kind not in weights:
            continue
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        try:
            weights[kind] = max(weights[kind], float(weight))
        except ValueError:
            continue
    return weights["text/html"] > weights["application/json"]


def _cached(request: web.Request, body: bytes, content_type: str) -> web.Response:
    """Something that is the same for everybody until another version starts; 304 to whoever has it (RFC 9110, 13.1.2)."""
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
    if is_known(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)


def is_known(request: web.Request, tag: str) -> bool:
    """Whether the caller has what is tagged so (If-None-Match, by weak comparison)."""
    given = request.headers.get("If-None-Match", "")
    return given.strip() == "*" or f'"{tag}"' in (one.strip().removeprefix("W/") for one in given.split(","))

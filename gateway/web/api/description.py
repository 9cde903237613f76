"""The OpenAPI description, served where clients look for it."""

from __future__ import annotations

from aiohttp import web

DESCRIPTION = web.AppKey("description", bytes)


async def get(request: web.Request) -> web.Response:
    """This description."""
    return web.Response(body=request.app[DESCRIPTION], content_type="application/json")

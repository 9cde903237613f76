"""What handlers answer with."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel


def answer(resource: BaseModel, *, language: str = "", status: int = 200) -> web.Response:
    """`resource` as JSON; it is the caller's own, so no cache between may keep it."""
    headers = {"Cache-Control": "no-store"}
    if language:
        headers["Content-Language"] = language
    return web.Response(
        status=status,
        body=resource.model_dump_json(exclude_none=False).encode(),
        content_type="application/json",
        headers=headers,
    )

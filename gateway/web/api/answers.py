"""What handlers answer with."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel

from gateway.web.identity import Caller
from gateway.web.services import services

_BRIEF = 64 * 1024
"""Bytes of an answer that a connection's buffer takes."""


async def given(request: web.Request, response: web.Response, size: int, caller: Caller) -> web.Response:
    """`response` of `size` bytes, sent; a large one counts among the partner's bytes under way until it has been read.

    Raises Overloaded where there are too many: whoever asks for large things and does not read them fills nobody's
    memory.
    """
    if size <= _BRIEF:
        return response
    spool, partner_id = services(request).spool, caller.partner.id
    spool.reserve(partner_id, size)
    try:
        await response.prepare(request)
        await response.write_eof()
    finally:
        spool.release(partner_id, size)
    return response


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

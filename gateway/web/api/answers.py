"""What handlers answer with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web
from pydantic import BaseModel

from gateway.errors import BodyLost
from gateway.store.contract import CaseView, Kept, PayloadView
from gateway.transports.spool import finished
from gateway.web.identity import Caller
from gateway.web.services import services

_BRIEF = 64 * 1024
"""Bytes of an answer that a connection's buffer takes."""


_PIECE = 256 * 1024
"""Bytes of a file that are read at once: so much of each large answer is in memory."""


@contextmanager
def counted(request: web.Request, size: int, caller: Caller) -> Iterator[None]:
    """What an answer takes, counted among the partner's bytes under way before it is read or made.

    Raises Overloaded where there are too many: whoever asks for large things and does not read them fills nobody's
    memory.
    """
    if size <= _BRIEF:
        yield
        return
    with services(request).spool.reserved(caller.partner.id, size):
        yield


async def stored(request: web.Request, kept: Kept, headers: Mapping[str, str], caller: Caller) -> web.StreamResponse:
    """Bytes that are kept, sent from where they are; a large body is never in memory whole. Raises as `counted`."""
    if not kept.path:
        return await given(request, web.Response(body=kept.body, headers=headers), kept.size, caller)
    with counted(request, kept.size, caller):
        return await streamed(request, Path(kept.path), kept.size, headers)


async def streamed(request: web.Request, path: Path, size: int, headers: Mapping[str, str]) -> web.StreamResponse:
    """The file at `path`, of `size` bytes, sent piece by piece. BodyLost where it is missing."""
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError as error:
        raise BodyLost.of(path.name) from error
    with file:
        response = web.StreamResponse(headers=headers)
        response.content_length = size
        await response.prepare(request)
        while request.method != "HEAD" and (piece := await finished(lambda: file.read(_PIECE))):
            await response.write(piece)
        await response.write_eof()
    return response


async def given(request: web.Request, response: web.Response, size: int, caller: Caller) -> web.Response:
    """`response` of `size` bytes, sent; a large one counts among the partner's bytes under way until it has been read.

    Raises as `counted`.
    """
    if size > _BRIEF:
        with counted(request, size, caller):
            await response.prepare(request)
            await response.write_eof()
    return response


_EACH = 500
"""Bytes that anything told takes besides its own words, about: a finding's names and text, a receipt's links."""


_UNPACKED = 5
"""How many times its size a packed document has as JSON, about."""


def weight(view: PayloadView | CaseView) -> int:
    """How many bytes an answer that tells of `view` has, about, and not much more than it will."""
    findings = sum(len(message.findings) for message in view.messages)
    rest = len(view.messages) + len(view.deliveries) + len(view.receipts)
    bodies = sum(len(delivery.body) for delivery in view.deliveries) + sum(len(leaf.body) for leaf in view.receipts)
    if isinstance(view, PayloadView):
        bodies += sum(len(entry.body) for entry in view.offered)
        rest += len(view.offered)
    else:
        rest += len(view.events)
        bodies += _UNPACKED * view.weight
    return _EACH * (findings + rest) + bodies


async def built(
    request: web.Request, build: Callable[[], BaseModel], size: int, caller: Caller, language: str
) -> web.Response:
    """What `build` makes, as JSON. One of about `size` bytes that is large is made in a thread, and counted before it is.

    Raises as `counted`.
    """
    if size <= _BRIEF:
        return answer(build(), language=language)
    with counted(request, size, caller):
        body = await asyncio.to_thread(lambda: build().model_dump_json().encode())
    return await given(request, json_response(body, language), len(body), caller)


def answer(resource: BaseModel, *, language: str = "", status: int = 200) -> web.Response:
    """`resource` as JSON."""
    return json_response(resource.model_dump_json().encode(), language, status)


def json_response(body: bytes, language: str = "", status: int = 200) -> web.Response:
    """An answer in JSON; it is the caller's own, so no cache between may keep it."""
    headers = {"Cache-Control": "no-store"}
    if language:
        headers["Content-Language"] = language
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)

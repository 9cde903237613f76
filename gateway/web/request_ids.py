"""One id for each request: in its answer, and in every line that the log has of it.

Whoever calls may bring one of its own in `X-Request-Id`, so that its log and ours tell the same story; where it brings
none, or one that is no short word, one is made.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web
from structlog.contextvars import bound_contextvars

HEADER = "X-Request-Id"
"""The name that proxies and tracers agree on; no standard has it."""
_OWN = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a caller's id may be: nothing that a header or a log would have to escape, and no longer than a UUID with a prefix."""
_ID = web.RequestKey("request_id", str)


@contextmanager
def named(request: web.Request) -> Iterator[None]:
    """Give the request its id while it is handled; what is begun meanwhile, in tasks of its own too, logs it."""
    given = request.headers.get(HEADER, "")
    id_ = given if _OWN.fullmatch(given) else secrets.token_hex(8)
    request[_ID] = id_
    with bound_contextvars(request=id_):
        yield


async def name_request(request: web.Request, response: web.StreamResponse) -> None:
    """Put the id into an answer, before its header leaves; which versions of what we run is nobody's business."""
    response.headers.pop("Server", None)
    if id_ := request.get(_ID):
        response.headers[HEADER] = id_

"""Every refusal as RFC 9457 problem details, in the caller's language; what the gateway knows inside stays inside."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil

import structlog
from aiohttp import web

from gateway import errors
from gateway.web.language import preferred

CONTENT_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its HTTP status, its name in `type`, its title in both languages."""

    status: int
    name: str
    en: str
    zh: str
    tell: bool = True
    """Whether the exception's own words are meant for the caller."""


BAD_REQUEST = Kind(400, "bad-request", "The request cannot be understood.", "无法理解该请求。")
NOT_FOUND = Kind(404, "not-found", "There is no such thing, or it is not yours.", "没有该资源，或无权查看。")
METHOD = Kind(405, "method-not-allowed", "This method is not allowed here.", "此处不允许该方法。")
INTERNAL = Kind(500, "internal", "The gateway failed; the fault is ours.", "网关内部故障，与您无关。", tell=False)

KINDS: tuple[tuple[type[errors.GatewayError], Kind], ...] = (
    (errors.NotAuthenticated, Kind(401, "not-authenticated", "Valid credentials are required.", "需要有效的凭证。")),
    (errors.NotPermitted, Kind(403, "not-permitted", "The credentials do not allow this.", "该凭证无此权限。")),
    (errors.NotFound, NOT_FOUND),
    (
        errors.TransportIdReused,
        Kind(
            409,
            "idempotency-key-reused",
            "This Idempotency-Key came before with other content.",
            "该 Idempotency-Key 已用于其他内容。",
        ),
    ),
    (errors.PayloadTooLarge, Kind(413, "too-large", "The payload is larger than allowed.", "报文超过允许的大小。")),
    (errors.PayloadUnreadable, Kind(415, "unreadable", "The payload cannot be unpacked.", "报文无法解包。")),
    (errors.Overloaded, Kind(429, "overloaded", "Too much is waiting; try again later.", "当前排队过多，请稍后重试。")),
    (
        errors.StorageFull,
        Kind(503, "storage-full", "The gateway's storage is full; try again later.", "网关存储已满，请稍后重试。"),
    ),
    (
        errors.TemporaryError,
        Kind(503, "unavailable", "This did not work now; try again later.", "暂时无法处理，请稍后重试。", tell=False),
    ),
)
"""By exception class, the most precise first; whatever is not here is 500."""

OF_STATUS = {kind.status: kind for kind in (BAD_REQUEST, NOT_FOUND, METHOD, INTERNAL, *(k for _, k in KINDS[:6]))}


class BadRequest(errors.PermanentError):
    """A parameter of the request is wrong."""


def kind_of(error: errors.GatewayError) -> Kind:
    """The kind of problem `error` is for a caller."""
    if isinstance(error, BadRequest):
        return BAD_REQUEST
    return next((kind for class_, kind in KINDS if isinstance(error, class_)), INTERNAL)


def answer(
    kind: Kind, language: str, detail: str = "", headers: Mapping[str, str] | None = None, status: int = 0
) -> web.Response:
    """The response for a problem; `status` where it is not the kind's own."""
    body = {
        "type": f"urn:edi-gateway:problem:{kind.name}",
        "title": kind.zh if language == "zh" else kind.en,
        "status": status or kind.status,
    }
    if detail and detail != kind.en:
        body["detail"] = detail
    return web.Response(
        status=status or kind.status,
        body=json.dumps(body, ensure_ascii=False).encode(),
        content_type=CONTENT_TYPE,
        headers={"Content-Language": language, **(headers or {})},
    )


def from_error(error: errors.GatewayError, language: str) -> web.Response:
    """The response for one of our exceptions."""
    kind = kind_of(error)
    headers: dict[str, str] = {}
    if kind.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="gateway"'
    if isinstance(error, errors.TemporaryError):
        # RFC 9110, 10.2.3: whole seconds; never 0, which would invite an immediate repeat.
        headers["Retry-After"] = str(max(1, ceil(error.retry_after)))
    return answer(kind, language, str(error) if kind.tell else "", headers)


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem; the only middleware, so that the way in stays short."""
    try:
        return await handler(request)
    except errors.GatewayError as error:
        kind = kind_of(error)
        if kind.status >= 500:
            _log.warning("request_failed", path=request.path, error=str(error), **error.details)
        return from_error(error, preferred(request))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        kind = OF_STATUS.get(error.status, BAD_REQUEST if error.status < 500 else INTERNAL)
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return answer(kind, preferred(request), headers=headers, status=error.status)
    except ConnectionError:
        raise
    except Exception:  # noqa: BLE001 -- whatever it is, the log gets the traceback and the caller a problem
        _log.exception("request_crashed", path=request.path)
        return answer(INTERNAL, preferred(request))

"""Every refusal as RFC 9457 problem details, in the caller's language; what the gateway knows inside stays inside."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil
from re import Pattern
from re import compile as pattern

import structlog
from aiohttp import web

from gateway import errors
from gateway.languages import CHINESE, choose_language
from gateway.web.language import preferred
from gateway.web.request_ids import named

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
    (errors.Archived, Kind(410, "archived", "This was moved to an archive.", "该内容已归档。")),
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
    (errors.TooSlow, Kind(408, "too-slow", "The content came too slowly.", "内容传送过慢。")),
    (errors.Overloaded, Kind(429, "overloaded", "Too much is waiting; try again later.", "当前排队过多，请稍后重试。")),
    (
        errors.StorageFull,
        Kind(503, "storage-full", "The gateway's storage is full; try again later.", "网关存储已满，请稍后重试。"),
    ),
    (
        errors.RegistryRefused,
        Kind(409, "not-as-things-stand", "The registry does not allow this change.", "登记资料不允许该变更。"),
    ),
    (
        errors.TransitionRefused,
        Kind(409, "not-in-this-state", "Its state does not allow this.", "当前状态不允许此操作。"),
    ),
    (
        errors.TemporaryError,
        Kind(503, "unavailable", "This did not work now; try again later.", "暂时无法处理，请稍后重试。", tell=False),
    ),
)
"""By exception class, the most precise first; whatever is not here is 500."""

_CHINESE: tuple[tuple[Pattern[str], str], ...] = tuple(
    (pattern(en), zh)
    for en, zh in (
        # Parameters
        (r"(\w+) must be a whole number from (\d+) to (\d+)\.", r"参数 \1 应为 \2 至 \3 的整数。"),
        (r"(\w+) must be a whole number\.", r"\1 应为整数。"),
        (r"(\w+) must be one of (.+)\.", r"参数 \1 只能取以下值之一：\2。"),
        (r"(\w+) must be true or false\.", r"参数 \1 只能为 true 或 false。"),
        (r"The cursor was not given out by this gateway\.", "该游标不是本网关给出的。"),
        (r"The cursor belongs to another list\.", "该游标属于另一列表。"),
        (r"At most (\d+) endpoints of a partner are paused\.", r"每个合作方最多可暂停 \1 个端点。"),
        (r"What the operator holds, only the operator lets go\.", "由网关运营方扣留的投递，只能由运营方放行。"),
        # Who asks
        (r"The key does not have the scope (\w+)\.", r"该密钥没有 \1 权限。"),
        (r"More requests a second than agreed\.", "每秒请求数超过约定。"),
        # What was sent
        (r"An Idempotency-Key has at most (\d+) characters\.", r"Idempotency-Key 最多 \1 个字符。"),
        (r"(\w+) has at most (\d+) printable characters\.", r"\1 最多 \2 个可打印字符。"),
        (
            r"Only a person acts in a role, and the key is no person's\.",
            r"只有人员才能以某一角色办理，此密钥不属于任何人员。",
        ),
        (r"The audit is read by persons who may audit\.", r"审计记录仅供有审计权限的人员查阅。"),
        (r"Reports are read by bureaus and customs\.", "统计报表仅供检验检疫机构和海关查阅。"),
        (r"Risk records are read by persons who supervise\.", "风险记录仅供有监督权限的人员查阅。"),
        (r"Of the content encodings, gzip is supported\.", "内容编码只支持 gzip。"),
        (r"Evidence is kept as it comes, and not unpacked\.", "证据按原样留存，不作解压。"),
        (r"The Content-Type is no media type\.", "Content-Type 不是有效的媒体类型。"),
        (r"(\w+) must be written (\S+)\.", r"\1 应写作 \2。"),
        (r"(\w+) is in the future\.", r"\1 晚于当前时间。"),
        (r"The evidence is empty\.", "未收到任何证据内容。"),
        (r"The content does not have the Content-Digest it came with\.", "内容与所附 Content-Digest 不符。"),
        (r"Content-Digest must be written (\S+) as RFC 9530 says\.", r"Content-Digest 应按 RFC 9530 写作 \1"),
        (r"Too much is on its way already; try again later\.", "正在接收的内容过多，请稍后重试。"),
        (r"Too many wait already; try again later\.", "同时等待的请求过多，请稍后重试。"),
        (r"At most (\d+) bytes are taken in one payload\.", r"一次最多接收 \1 字节。"),
        (r"The payload is empty\.", "未收到任何内容。"),
        # The registry
        (
            r"It has sent or got something, or takes part in a case; it can be disabled\.",
            "该合作方已有收发记录或业务往来，不能删除，可予停用。",
        ),
        (r"(\S+) is (future|expired|revoked); .+", r"\1 当前不在有效期内，请另发新密钥。"),
        (r"(\S+) is a (\w+); only API keys are made here: .+", r"\1 不是 API 密钥，请先导入新凭证，再吊销原凭证。"),
        (r"(\S+) has no person (\S+)", r"\1 没有人员 \2。"),
        (r"The body is no such object: (.+)\.", r"请求内容有误：\1。"),
        (r"The alert is (\w+)\.", r"该告警已是 \1 状态。"),
        # Deliveries
        (r"A delivery that is (\w+) cannot be (\w+)\.", r"该投递处于 \1 状态，不能执行 \2。"),
        (r"The delivery is over: it is (\w+)\.", r"该投递已结束（\1）。"),
        (r"The delivery is not over: it is (\w+)\.", r"该投递尚未结束（\1）。"),
        (
            r"Live traffic goes to the endpoint as well; a test key does not stop it\.",
            "正式业务也发往该端点，测试密钥不能停发或恢复。",
        ),
        (r"What the operator paused, only the operator resumes\.", "运营方停发的端点只能由运营方恢复。"),
        (r"An address is one of a transport, which is to be named\.", "地址属于某一传输方式，请同时指明传输方式。"),
        (r"The endpoint is another partner's\.", "该端点属于其他合作方。"),
        # The log
        (r"the log has no such receipt", "日志中没有该回执。"),
        (r"the log has never had that size", "日志从未达到该条数。"),
        # Archives
        (r"This was moved to the archive (\S+)\.", r"该内容已移入归档文件 \1。"),
        (
            r"What followed this place was moved to archives, from (\S+) on\. Go on after (\S+)\.",
            r"该位置之后的内容已归档，自归档文件 \1 起。请自 \2 之后继续读取。",
        ),
    )
)
"""What is told of an error, in Chinese, by its English; of what is not here, Chinese readers get the title alone."""

OF_STATUS = {kind.status: kind for kind in (BAD_REQUEST, NOT_FOUND, METHOD, INTERNAL, *(k for _, k in KINDS[:8]))}


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
        "title": kind.zh if choose_language(language) == CHINESE else kind.en,
        "status": status or kind.status,
    }
    if detail:
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
    return answer(kind, language, _detail(error, language) if kind.tell else "", headers)


def _detail(error: errors.GatewayError, language: str) -> str:
    """What `error` says of this one time; empty where it says no more than its kind."""
    said = str(error)
    if said == (type(error).__doc__ or "").strip():
        return ""
    return (
        in_chinese(said)
        if choose_language(language) == CHINESE
        else said[:1].upper() + said[1:].removesuffix(".") + "."
    )


def in_chinese(detail: str) -> str:
    """A detail in Chinese; empty where there are no words for it."""
    return next((found.expand(zh) for en, zh in _CHINESE if (found := en.fullmatch(detail))), "")


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Give the request its id, and turn whatever its handler raises into a problem.

    It is the only middleware, so that the way in stays short.
    """
    with named(request):
        return await _answer_request(request, handler)


async def _answer_request(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The handler's answer, or the problem that it raised."""
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
        language = preferred(request)
        if isinstance(error, web.HTTPRequestEntityTooLarge):
            limit = errors.PayloadTooLarge(f"At most {request.client_max_size} bytes are taken in one payload.")
            return from_error(limit, language)
        return answer(kind, language, headers=headers, status=error.status)
    except ConnectionError:
        raise
    except Exception:  # noqa: BLE001 -- whatever it is, the log gets the traceback and the caller a problem
        _log.exception("request_crashed", path=request.path)
        return answer(INTERNAL, preferred(request))

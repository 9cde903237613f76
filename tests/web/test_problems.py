from __future__ import annotations

import inspect

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway import errors
from gateway.web.problems import INTERNAL, kind_of, problems
from tests.web.conftest import Client

EXCEPTIONS = [
    class_ for _, class_ in inspect.getmembers(errors, inspect.isclass) if issubclass(class_, errors.GatewayError)
]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/messages/x/y", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/v1/cases/%00", 404),
        ("GET", "/v1/messages/%00", 404),
        ("GET", f"/v1/cases/{'9' * 5000}", 404),
        ("GET", "/v1/receipts/-1", 400),
        ("GET", f"/v1/receipts/{10**30}", 400),
        ("GET", "/v1/receipts/999999999", 404),
        ("GET", "/v1/log/consistency?from=999999999", 404),
        ("GET", "/v1/feeds/status?after=zzz", 400),
        ("GET", "/v1/feeds/status/1", 404),
        ("DELETE", "/v1/messages", 405),
        ("PUT", "/healthz", 405),
    ],
)
async def test_every_refusal_is_a_problem(client: Client, method, path, status):
    """Whatever is asked wrongly is answered with problem details that repeat the status and name no internals."""
    answer = await client.ask(method, path)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert answer.json.keys() <= {"type", "title", "status", "detail"}
    if status == 405:
        assert "GET" in answer.headers["Allow"]


async def test_problems_speak_both_languages(client: Client):
    """The title is in the caller's language."""
    english = await client.ask("GET", "/nowhere", headers={"Accept-Language": "en"})
    chinese = await client.ask("GET", "/nowhere", headers={"Accept-Language": "zh-CN"})
    assert english.json["title"].isascii()
    assert not chinese.json["title"].isascii()
    assert chinese.headers["Content-Language"] == "zh"


@pytest.mark.parametrize("class_", EXCEPTIONS)
async def test_temporary_errors_ask_to_come_back(class_):
    """Each temporary error is 429 or 503 with Retry-After in whole seconds; each permanent one another status."""
    app = web.Application(middlewares=[problems])

    async def fail(_request: web.Request) -> web.Response:
        raise class_("words about /some/path", path_="/secret/place")

    app.router.add_get("/", fail)
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/")
        text = await response.text()
    assert (response.status in (429, 503)) is issubclass(class_, errors.TemporaryError)
    assert ("Retry-After" in response.headers) is issubclass(class_, errors.TemporaryError)
    assert "secret" not in text
    if not kind_of(class_()).tell:
        assert "/some/path" not in text


async def test_a_crash_tells_nothing_of_the_inside():
    """An exception nobody foresaw is 500 without its words."""
    app = web.Application(middlewares=[problems])

    async def crash(_request: web.Request) -> web.Response:
        raise ZeroDivisionError("at /some/path")

    app.router.add_get("/", crash)
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/")
        assert response.status == 500
        body = await response.json()
        assert body == {"type": "urn:edi-gateway:problem:internal", "title": INTERNAL.en, "status": 500}

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway import errors
from gateway import web as web_room
from gateway.web.problems import INTERNAL, KINDS, from_error, in_chinese, kind_of, problems
from tests.web.conftest import Client

EXCEPTIONS = [
    class_ for _, class_ in inspect.getmembers(errors, inspect.isclass) if issubclass(class_, errors.GatewayError)
]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/none", 404),
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


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("class_", EXCEPTIONS)
def test_a_detail_says_more_than_the_title(class_, language):
    """What says no more than its kind has no detail: neither the title again, nor the words of the inside."""
    assert "detail" not in json.loads(from_error(class_(), language).body)


def told() -> set[str]:
    """Every detail that the code of gateway/web tells callers, as the pattern of its English."""
    kinds = {class_.__name__ for class_, kind in KINDS if kind.tell} | {"BadRequest"}
    found = set()
    for path in Path(inspect.getfile(web_room)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and getattr(node.func, "id", "") in kinds:
                found.add(_example(node.args[0]))
    return found - {""}


def _example(node: ast.expr) -> str:
    """A text, or what an f-string may come to."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in parts)


@pytest.mark.parametrize("detail", sorted(told()))
def test_each_detail_is_told_in_chinese(detail):
    """Whatever is told of a refusal is told in Chinese too."""
    chinese = in_chinese(detail)
    assert re.search("[\u4e00-\u9fff]", chinese), detail
    assert chinese.count("7") == detail.count("7")


async def test_a_refusal_is_all_in_the_callers_language(client: Client):
    """Under Accept-Language: zh the detail is Chinese, as the title is."""
    for path in ("/v1/messages?limit=0", "/v1/messages?state=lost", "/v1/feeds/status?after=zzz", "/v1/receipts/-1"):
        answer = await client.ask("GET", path, headers={"Accept-Language": "zh"})
        assert answer.status == 400
        assert re.search("[\u4e00-\u9fff]", answer.json["detail"]), path
        english = await client.ask("GET", path, headers={"Accept-Language": "en"})
        assert english.json["detail"].isascii()
    reused = [await client.send(body, headers={"Idempotency-Key": "k"}) for body in (b"a", b"b")][-1]
    assert reused.json.keys() == {"type", "title", "status"}


@pytest.mark.parametrize("class_", EXCEPTIONS)
async def test_temporary_errors_ask_to_come_back(class_):
    """Each temporary error is 408, 429 or 503 with Retry-After in whole seconds; each permanent one another status."""
    app = web.Application(middlewares=[problems])

    async def fail(_request: web.Request) -> web.Response:
        raise class_("words about /some/path", path_="/secret/place")

    app.router.add_get("/", fail)
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/")
        text = await response.text()
    assert (response.status in (408, 429, 503)) is issubclass(class_, errors.TemporaryError)
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

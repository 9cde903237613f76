"""Whatever stands in a header, a number or a cursor, it is answered: never by a fault of ours, on either engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from gateway.web import cursor
from gateway.web.parameters import Whole
from gateway.web.routes import ROUTES, Route
from tests.store.conftest import migrated_database, migrated_file, postgres_url, sqlite_url  # noqa: F401 - fixtures
from tests.web.conftest import Client, Filled, fill, key_of, quiet_over, settings_in


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each engine."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
async def everywhere(engine_url: str, tmp_path: Path) -> AsyncIterator[Filled]:
    """The interface over each engine, with one declaration of acme's that went to customs."""
    async with quiet_over(settings_in(tmp_path, store={"url": engine_url})) as quiet:
        yield await fill(quiet)


HEADERS = (
    "Authorization",
    "Accept",
    "Accept-Language",
    "Content-Digest",
    "Content-Encoding",
    "Content-Type",
    "Expect",
    "Forwarded",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "Transfer-Encoding",
    "X-Forwarded-For",
)
"""Request headers that a handler reads."""


def test_the_headers_are_those_that_are_read() -> None:
    """Every header that the code asks a request for stands in the list."""
    root = Path(__file__).resolve().parents[2] / "gateway"
    read = set()
    for path in (*(root / "web").rglob("*.py"), root / "transports/http.py"):
        for name in re.findall(
            r"headers(?:\.get\(|\[)\"([A-Z][A-Za-z-]+)\"|\"([A-Z][A-Za-z-]+)\" (?:not )?in (?:request\.)?headers",
            path.read_text("utf-8"),
        ):
            read |= {one for one in name if one}
    answers = {
        "Allow",
        "Content-Language",
        "Content-Security-Policy",
        "Vary",
        "Location",
        "Retry-After",
        "WWW-Authenticate",
    }
    assert read - answers <= set(HEADERS)


PLACES = {
    "id": "m-1", "key": "B-1", "name": "status", "sequence": "1", "index": "0", "scheme": "ciq-registration",
    "value": "3702000001", "period": "2026-03-05",
}  # fmt: skip


async def raw(url: str, request: bytes) -> int:
    """The status that a request gets which no client library would send."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    return int(line.split()[1])


@pytest.mark.parametrize("value", [b"\xff", b"Bearer \xff", b"Bearer gwk_\xe7\xba\xa2", b"\x80\xff/\xfe;q=\xff"])
async def test_a_header_of_bytes_that_are_no_text_is_no_fault_of_ours(client: Client, value: bytes) -> None:
    """Each header that is read, as bytes that are no ASCII, at each route: no 5xx, and nothing that the operator must see."""
    with structlog.testing.capture_logs() as told:
        for route in (*ROUTES, replace(ROUTES[-1], path="/nowhere", scope="")):
            path = route.path.format(**PLACES)
            for header in HEADERS:
                as_ = b"" if header == "Authorization" else f"Authorization: Bearer {key_of('acme')}\r\n".encode()
                request = b"%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n%s%s: %s\r\n\r\n" % (
                    route.method.encode(), path.encode(), as_, header.encode(), value,
                )  # fmt: skip
                status = await raw(client.url, request)
                assert status < 500, (route.operation, header, value)
                if header == "Authorization" and route.scope:
                    assert status == 401, route.operation
    assert [one for one in told if one["log_level"] in ("error", "critical")] == []


WHOLES = [(route, one) for route in ROUTES for one in route.parameters if isinstance(one, Whole)]


@pytest.mark.parametrize(("route", "parameter"), WHOLES, ids=[f"{route.operation} {one.name}" for route, one in WHOLES])
async def test_a_number_is_digits_within_its_bounds(filled: Filled, route: Route, parameter: Whole) -> None:
    """What is padded beyond the largest number, signed, grouped or written in other digits is refused for each parameter."""
    path = route.path.format(
        **PLACES | {"id": filled.payload_id} | ({"name": "licence:37-1:1"} if "ledgers" in route.path else {})
    )
    most, least = parameter.maximum, parameter.minimum
    # Not everybody may read the audit, what is counted, and whom risks concern.
    closed = ("listAudit", "listMadeReports", "listRisks", "listPartners", "listAlerts")
    as_ = "operator" if route.operation in closed else "acme"
    for text in (
        "0" * 20 + "1", "0" * 19 + str(most), "0" * 19 + str(most) + "9", "9" * 30, "9" * 19, "9" * 20, "9" * 5000,
        str(most + 1), str(least - 1), "-1", "+1", "1_0", "1 ", " 1", "", "1.0", "1e1", "0x1", "٣", "１", "²", "\x00", "1\n",
    ):  # fmt: skip
        if text == "9" * 19 and most > 10**18:
            continue  # it is a number above the bound as well, by another name
        answer = await filled.client.ask("GET", path, params={parameter.name: text}, as_=as_)
        assert answer.status == 400, (parameter.name, text, answer.body)
    for text in (str(least), "00" + str(least)):
        answer = await filled.client.ask("GET", path, params={parameter.name: text}, as_=as_)
        assert answer.status == 200, (parameter.name, text, answer.body)


FAR = "9" * 18
HOSTILE = (
    "", "\0", "a\0b", "\n", "x" * 5000, "x" * 300, "\u202e", "~", "-1", FAR, f"-{FAR}", "9" * 30, f"-{'9' * 30}", "²", "+1", "1_0",
    str(2**31), f"-{2**31}", str(2**63 - 1), "next", "next ", "next \0", "next a\0", f"next {'x' * 300}", "earlier",
    "earlier ", "earlier \0 1 1 1 1", "earlier c-1 1 1 1", "earlier c-1 1 1 1 1 1", "earlier c-1 \0 1 1 1",
    *(f"earlier c-1 {' '.join(FAR if n == place else '1' for n in range(4))}" for place in range(4)),
    *(f"earlier c-1 {' '.join(f'-{FAR}' if n == place else '1' for n in range(4))}" for place in range(4)),
    "earlier c-1 1 1 ² 1", "earlier c\0 1 1 1 1", "m-1 1", f"1 {FAR}", f"1 -{FAR}", "1 \0", f"{FAR} {FAR}", "1 1 1",
)  # fmt: skip
"""Contents of cursors that nobody was given."""

LISTS = {
    "listMessages": ("/v1/messages?cursor={}", "messages"),
    "getMessage": ("/v1/messages/{payload}?cursor={}", "messages of {payload}"),
    "getCases": ("/v1/cases/B-1?cursor={}", "cases of B-1"),
    "listTasks": ("/v1/tasks?cursor={}", "tasks"),
    "listAudit": ("/v1/audit?cursor={}", "audit"),
    "listAlerts": ("/v1/alerts?cursor={}", "alerts"),
    "listDeliveries": ("/v1/deliveries?cursor={}", "deliveries"),
    "getLedger": ("/v1/ledgers/licence:37-1:1?cursor={}", "entries of licence:37-1:1"),
    "readFeed": ("/v1/feeds/status?after={}", "status"),
    "listMadeReports": ("/v1/reports/accepted_by_office?cursor={}", "reports accepted_by_office"),
    "listRisks": ("/v1/risks?cursor={}", "risks"),
    "listPartners": ("/v1/partners?cursor={}", "partners"),
}


def test_every_list_has_its_cursor() -> None:
    """Each route that takes a cursor stands in the table."""
    taking = {r.operation for r in ROUTES if any(one.name in {"cursor", "after"} for one in r.parameters)}
    assert taking == set(LISTS)


@pytest.mark.parametrize("as_", ["acme", "operator"])
async def test_a_cursor_that_nobody_was_given_is_refused_or_leads_nowhere(everywhere: Filled, as_: str) -> None:
    """Whatever a cursor of any list holds, the answer is a page or a refusal, on both engines."""
    with structlog.testing.capture_logs() as told:
        for path, name in LISTS.values():
            for place in HOSTILE:
                written = cursor.encode(name.format(payload=everywhere.payload_id), place)
                answer = await everywhere.client.ask(
                    "GET", path.format(written, payload=everywhere.payload_id), as_=as_
                )
                own = any(
                    name in path for name in ("audit", "reports", "risks", "partners", "alerts")
                )  # not everybody may read those
                refused = (403,) if own else ()
                assert answer.status in (200, 400, 404, *refused), (path, place, answer.body)
                assert "\0" not in place or answer.status in (400, *refused), (path, place)
    assert [one for one in told if one["log_level"] in ("error", "critical")] == []

from __future__ import annotations

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from gateway.web.request_ids import HEADER
from tests.web.conftest import Client


async def test_an_answer_bears_the_id_of_its_request(client: Client):
    """The id that a caller brings comes back, whatever the answer is: done, refused, or no such path."""
    for path in ("/healthz", "/v1/messages/none", "/nowhere"):
        answer = await client.ask("GET", path, headers={HEADER: "order-17.a_B"})
        assert answer.headers[HEADER] == "order-17.a_B", path


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, "schön", "a;b", "<b>"])
async def test_another_id_is_made_where_none_of_use_is_brought(client: Client, given: str):
    """What is no short plain word is never repeated, neither in the answer nor in the log."""
    answer = await client.ask("GET", "/healthz", headers={HEADER: given} if given else {})
    assert answer.headers[HEADER] != given
    assert len(answer.headers[HEADER]) == 16


async def test_two_requests_have_two_ids(client: Client):
    """Each request has an id of its own."""
    first, second = [(await client.ask("GET", "/healthz")).headers[HEADER] for _ in range(2)]
    assert first != second


async def test_the_log_has_a_payload_with_the_id_of_its_request(client: Client):
    """By the id of a request the log tells which payload it brought, and from whom."""
    with capture_logs(processors=[merge_contextvars]) as lines:
        sent = await client.ask("POST", "/v1/messages", data=b"hello", headers={HEADER: "mine"})
    received = next(line for line in lines if line["event"] == "payload_received")
    assert (received["request"], received["payload"]) == ("mine", sent.json["id"])
    assert (received["partner"], received["bytes"], received["log_level"]) == ("acme", 5, "info")

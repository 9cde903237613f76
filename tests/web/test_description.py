"""What says what this is: the root, the page for people, the description, and what may be asked where."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from gateway.web.api.description import prefers_html
from gateway.web.openapi import build
from gateway.web.page import write_page
from gateway.web.routes import ROUTES
from tests.web.conftest import Client, Filled


class Page(HTMLParser):
    """What a page has: ids, links, and whatever would load or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag in {"script", "link", "img", "iframe", "object", "form"} or "src" in given or "style" in given:
            self.loaded.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in self.open, tag
        while self.open.pop() != tag:
            pass


async def test_the_root_says_what_this_is(client: Client) -> None:
    """To programs as JSON, with links that lead somewhere; whoever asks for HTML is led to the page."""
    told = await client.ask("GET", "/", as_="")
    assert told.status == 200
    for link in ("description", "page", "health"):
        assert (await client.ask("GET", told.json[link], as_="")).status == 200
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    led = await client.ask("GET", "/", as_="", headers=browser, allow_redirects=False)
    assert (led.status, led.headers["Location"], led.headers["Vary"]) == (303, "/v1/", "Accept")
    assert "Server" not in led.headers


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("", False),
        ("*/*", False),
        ("text/html", True),
        ("text/html;q=0.5, application/json", False),
        ("application/json;q=0.1, TEXT/HTML", True),
        ("text/html;q=x", False),
        ("text/html;q=0", False),
    ],
)
def test_who_wants_html(accept: str, html: bool):
    """By weight; where nothing is said, JSON."""
    assert prefers_html(accept) is html


async def test_the_page_has_every_operation_and_object(client: Client) -> None:
    """Each with a place that the list of contents leads to; nothing is loaded from anywhere, nothing runs."""
    answer = await client.ask("GET", "/v1/", as_="")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    page = Page(answer.body.decode())
    assert not page.loaded
    assert len(page.ids) == len(set(page.ids))
    assert {route.operation for route in ROUTES} <= set(page.ids)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    described = (await client.ask("GET", "/v1/openapi.json", as_="")).json
    assert {f"schema-{name}" for name in described["components"]["schemas"]} <= set(page.ids)
    assert {link for link in page.links if not link.startswith("#")} == {"/v1/openapi.json"}


def test_what_stands_in_a_description_is_no_markup():
    """Whatever an installed transport calls its routes and parameters."""
    hostile = '<script>alert("1")</script>'
    description = build()
    description["info"]["title"] = hostile
    description["paths"] = {f"/{hostile}": {"get": {
        "operationId": f'"{hostile}', "summary": hostile, "description": hostile,
        "parameters": [{"name": hostile, "in": hostile, "description": hostile, "schema": {"enum": [hostile]}}],
        "responses": {hostile: {"description": hostile, "content": {hostile: {"schema": {"$ref": hostile}}}}},
    }}}  # fmt: skip
    description["components"]["schemas"] = {
        hostile: {"description": hostile, "properties": {hostile: {"type": hostile}}}
    }
    text = write_page(description).decode()
    assert "<script" not in text
    assert not Page(text).loaded


async def test_what_one_has_is_not_sent_again(client: Client) -> None:
    """By its tag, in any of the ways in which If-None-Match is written."""
    for path in ("/v1/openapi.json", "/v1/"):
        first = await client.ask("GET", path, as_="")
        tag = first.headers["ETag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await client.ask("GET", path, as_="", headers={"If-None-Match": known})
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert (await client.ask("GET", path, as_="", headers={"If-None-Match": '"other"'})).status == 200


async def test_whatever_is_read_answers_head_without_content(filled: Filled) -> None:
    """The same status and headers, and no content; what is not read is refused."""
    for path, as_ in (
        ("/", ""),
        ("/v1/", ""),
        ("/v1/openapi.json", ""),
        ("/v1/messages", "acme"),
        (f"/v1/messages/{filled.payload_id}", "acme"),
        ("/v1/cases/B-1", "acme"),
        ("/v1/deliveries/d-1/body", "customs"),
        ("/v1/receipts/2/bundle", "customs"),
        ("/v1/feeds/clearance", "customs"),
        ("/v1/partner-files?form=csv", "operator"),
        ("/v1/messages/none", "acme"),
    ):
        whole = await filled.client.ask("GET", path, as_=as_)
        head = await filled.client.ask("HEAD", path, as_=as_)
        assert (head.status, head.body) == (whole.status, b""), path
        assert head.headers["Content-Type"] == whole.headers["Content-Type"], path
    stream = await filled.client.ask(
        "HEAD", "/v1/feeds/clearance", as_="customs", headers={"Accept": "text/event-stream"}
    )
    assert (stream.status, stream.body) == (200, b"")
    assert (await filled.client.ask("HEAD", "/v1/evidence")).status == 405


async def test_each_place_says_what_may_be_asked(client: Client) -> None:
    """OPTIONS names the methods; nothing is said to scripts of other sites."""
    answer = await client.ask("OPTIONS", "/v1/messages", as_="", headers={"Origin": "https://elsewhere.example"})
    assert answer.status == 204
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert (await client.ask("OPTIONS", "/v1/none", as_="")).status == 404


def test_the_description_has_what_is_posted_to_partners():
    """The webhooks section: the event, its headers, and what answers mean."""
    operation = build()["webhooks"]["delivery"]["post"]
    assert {one["name"] for one in operation["parameters"]} == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/WebhookEvent"
    }
    assert "410" in operation["responses"]

"""The whole trip over real sockets: a gateway in a process of its own, and partners that only listen and fetch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from lxml import etree

from gateway import data
from tests.harness import GatewayProcess, Recipient, key_of

DECLARATION = data.samples() / "declaration" / "import_sea_container" / "in.edi"
OCEAN = data.samples() / "manifest" / "ocean" / "in.x12"

PARTNERS = """
[[partners]]
id = "acme"
name = "Acme"
roles = ["enterprise"]
credit_grade = "A"
agreements = [
    {{ direction = "in" }},
    {{ direction = "out", document = "acknowledgement", format = "edifact:CONTRL", options = {{ url = "{acme}" }} }},
    {{ direction = "out", document = "response", format = "json:response:1", options = {{ url = "{acme}" }} }},
]
keys = [{{ key = "{acme_key}", scopes = ["send", "read", "admin"] }}]
identifiers = [
    {{ scheme = "ciq-registration", value = "3702000002" }},
    {{ scheme = "ciq-registration", value = "3702000001" }},
]

[[partners]]
id = "bureau"
name = "Bureau"
roles = ["bureau"]
identifiers = [{{ scheme = "ciq-org", value = "370200" }}, {{ scheme = "ciq-org", value = "370210" }}]
agreements = [
    {{ direction = "out", document = "declaration", format = "xml:EEntDeclIo:1", code_tables = "ciq", options = {{ url = "{bureau}" }} }},
    {{ direction = "out", document = "manifest", format = "edifact:CUSCAR:D:95B:UN", options = {{ url = "{bureau}" }} }},
]
keys = [{{ key = "{bureau_key}" }}]

[[partners]]
id = "customs"
name = "Customs"
roles = ["customs"]
agreements = [{{ direction = "out", document = "manifest", format = "json:manifest:1", options = {{ url = "{customs}" }} }}]

[[partners]]
id = "port"
name = "A port that writes as it always did"
roles = ["port"]
agreements = [
    {{ direction = "in", document = "manifest", strictness = "lenient" }},
    {{ direction = "out", document = "acknowledgement", format = "x12:997", options = {{ url = "{port}" }} }},
]
keys = [{{ key = "{port_key}" }}]

[[partners]]
id = "strict-port"
name = "A port that wants to be judged strictly"
roles = ["port"]
agreements = [
    {{ direction = "in", document = "manifest" }},
    {{ direction = "out", document = "acknowledgement", format = "x12:997", options = {{ url = "{strict_port}" }} }},
]
keys = [{{ key = "{strict_port_key}" }}]
"""


@dataclass
class World:
    """A running gateway and everyone's inbox."""

    gateway: GatewayProcess
    inboxes: dict[str, Recipient] = field(default_factory=dict)

    def send(self, partner_id: str, body: bytes) -> dict[str, Any]:
        """Send, wait until it is processed and its documents are delivered, and give the sender's view."""
        status, answer = self.gateway.post(partner_id, body)
        assert status == 202, answer
        return until(lambda: self._settled(partner_id, answer["id"]))

    def _settled(self, partner_id: str, id_: str) -> dict[str, Any] | None:
        view = self.gateway.get(partner_id, f"/v1/messages/{id_}")[1]
        done = view["state"] != "received" and all(d["state"] == "delivered" for d in view["deliveries"])
        return view if done else None

    def only(self, partner_id: str, document: str) -> bytes:
        """The only thing of a document type that a partner gets."""
        (body,) = until(lambda: self.got(partner_id, document))
        return body

    def got(self, partner_id: str, document: str) -> list[bytes]:
        """What a partner got of a document type, in order of arrival."""
        inbox = self.inboxes[partner_id]
        return [
            inbox.deliveries[i]
            for i in dict.fromkeys(inbox.arrivals)
            if inbox.headers[i]["Gateway-Document"] == document
        ]


def until(found: Callable[[], Any]) -> Any:
    """What `found` gives as soon as it gives anything; AssertionError after half a minute."""
    deadline = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.02)
    return value


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One gateway for all tests of this module."""
    names = ("acme", "bureau", "customs", "port", "strict_port")
    inboxes = {name.replace("_", "-"): Recipient() for name in names}
    urls = {name: inboxes[name.replace("_", "-")].url for name in names}
    keys = {f"{name}_key": key_of(name.replace("_", "-")) for name in names}
    gateway = GatewayProcess(tmp_path_factory.mktemp("world"), PARTNERS.format(**urls, **keys))
    gateway.start()
    yield World(gateway, inboxes)
    gateway.kill()
    for inbox in inboxes.values():
        inbox.close()


def segments(body: bytes, tag: str) -> list[list[str]]:
    """Segments of an X12 or EDIFACT answer, read with nothing of ours."""
    text = body.decode("utf-8")
    separator, terminator = (text[3], text[105]) if text.startswith("ISA") else ("+", "'")
    found = [segment.strip().split(separator) for segment in text.split(terminator)]
    return [segment for segment in found if segment[0] == tag]


def test_a_declaration_reaches_its_bureau(world: World) -> None:
    """A CUSDEC is acknowledged by CONTRL, answered, delivered as EEntDeclIo, and each step has its receipt."""
    view = world.send("acme", DECLARATION.read_bytes())
    assert [m["state"] for m in view["messages"]] == ["accepted"]
    contrl = world.only("acme", "acknowledgement")
    assert [u[4] for u in segments(contrl, "UCI")] == ["7"]
    response = world.only("acme", "response")
    assert json.loads(response)["document"]["outcome"] == "received"
    body = world.only("bureau", "declaration")
    tree = etree.fromstring(body)
    assert tree.findtext(".//{*}EntDeclNo") == "SD-2026-0001"
    assert {r["stage"] for r in view["receipts"]} == {"received", "checked", "delivered"}
    status, cases = world.gateway.get("acme", "/v1/cases/SMPL26010077")
    assert status == 200
    assert len(cases["items"]) == 1


def test_the_ocean_manifest_goes_its_way_under_a_lenient_agreement(world: World) -> None:
    """A 309 with tolerable faults: a 997 that says accepted with errors and names them, CUSCAR and JSON go out."""
    view = world.send("port", OCEAN.read_bytes())
    assert [m["state"] for m in view["messages"]] == ["accepted"]
    answer = world.only("port", "acknowledgement")
    assert [a[1] for a in segments(answer, "AK9")] == ["E"]
    assert len(segments(answer, "AK3")) >= 1
    cuscar = world.only("bureau", "manifest")
    assert [u[2].split(":")[:3] for u in segments(cuscar, "UNH")] == [["CUSCAR", "D", "95B"]]
    manifest = world.only("customs", "manifest")
    bills = json.loads(manifest)["document"]["bills"]
    sent = [s[1] for s in segments(OCEAN.read_bytes(), "M11")]
    assert [bill["number"] for bill in bills] == sent


def test_the_ocean_manifest_is_rejected_under_a_strict_agreement(world: World) -> None:
    """The same faults reject it where the agreement is strict; nobody else hears of it."""
    before = {name: len(world.inboxes[name].arrivals) for name in ("bureau", "customs")}
    body = OCEAN.read_bytes()
    number = body[90:99]
    view = world.send("strict-port", body.replace(number, b"000009999"))
    assert [m["state"] for m in view["messages"]] == ["rejected"]
    answer = world.only("strict-port", "acknowledgement")
    assert [a[1] for a in segments(answer, "AK9")] == ["R"]
    assert {name: len(world.inboxes[name].arrivals) for name in before} == before


def test_what_is_wrong_is_told_in_the_senders_language(world: World) -> None:
    """The view of a rejected message words each finding at its place, in the language asked for."""
    body = (
        DECLARATION.read_bytes()
        .replace(b"IMP0001", b"IMP0009")
        .replace(b"DTM+137:20260305093000", b"DTM+137:20261305093000")
    )
    view = world.send("acme", body)
    assert [m["state"] for m in view["messages"]] == ["rejected"]
    found = view["messages"][0]["findings"]
    assert any("DTM" in json.dumps(f["place"]) for f in found), found


def test_reprocessing_sends_nothing_again(world: World) -> None:
    """`gateway message reprocess` runs the stored bytes through today's tables and makes the same things."""
    body = DECLARATION.read_bytes().replace(b"IMP0001", b"IMP0002").replace(b"SD-2026-0001", b"SD-2026-0009")
    view = world.send("acme", body)
    arrivals = list(world.inboxes["bureau"].arrivals)
    world.gateway.cli("message", "reprocess", view["id"])

    def again() -> Any:
        later = world.gateway.get("acme", f"/v1/messages/{view['id']}")[1]
        checked = [r for r in later["receipts"] if r["stage"] == "checked"]
        return later if later["state"] != "received" and len(checked) == 2 else None

    later = until(again)
    assert [(m["id"], m["state"], m["case"]) for m in later["messages"]] == [
        (m["id"], m["state"], m["case"]) for m in view["messages"]
    ]
    assert world.inboxes["bureau"].arrivals == arrivals
